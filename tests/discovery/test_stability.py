"""Stability selection: halves that complement each other, a bound that holds, and settings that are checked."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import BOSS, PC, stability_selection
from whence.discovery.resampling import ResampledRows
from whence.errors import ParameterError


def linear(p: int, n: int, seed: int):
    structure = simulate.random_dag(p, degree=2.0, random_state=seed)
    drawn = simulate.linear_scm(structure, n, weights=(0.4, 0.9), random_state=seed)
    return structure | structure.T, read(drawn.values)


def test_halves_complement_each_other():
    _, data = linear(4, 101, 0)
    seed = np.random.SeedSequence(3)
    rows = ResampledRows(data)
    one, other = (rows.half(seed, other=flag) for flag in (False, True))
    assert (one.n_rows, other.n_rows) == (50, 50)
    together = np.concatenate([one.numeric(), other.numeric()])
    assert len(np.unique(together, axis=0)) == 100
    assert one.moments().n == 50
    np.testing.assert_allclose(one.moments().mean, one.numeric().mean(axis=0))


def test_expected_false_edges_stay_below_the_bound():
    false, bounds = [], []
    for seed in range(12):
        true, data = linear(12, 250, seed)
        found = stability_selection(PC(alpha=0.05), data, threshold=0.75, pairs=20, random_state=seed)
        stable = found.confidence.adjacency >= found.threshold
        false.append(int((stable & ~true).sum() // 2))
        bounds.append(found.most_false)
        assert (stable & true).sum() >= 0.6 * true.sum()
    assert np.mean(false) <= np.mean(bounds)


def test_the_threshold_follows_from_the_number_of_false_edges_accepted():
    _, data = linear(12, 300, 1)
    found = stability_selection(PC(alpha=0.01), data, most_false=3.0, pairs=10)
    assert found.threshold == pytest.approx(0.5 * (1 + found.mean_edges**2 / (3 * 66)))
    assert found.most_false == pytest.approx(3.0)
    with pytest.raises(ParameterError, match=r"may join 2\.6"):
        stability_selection(PC(alpha=0.01), data, most_false=0.1, pairs=10)


def test_settings_out_of_range_are_named():
    _, data = linear(4, 100, 0)
    with pytest.raises(ParameterError, match=r"threshold is 0\.5"):
        stability_selection(PC(), data, threshold=0.5)
    with pytest.raises(ParameterError, match="pairs is 0"):
        stability_selection(PC(), data, pairs=0)
    with pytest.raises(ParameterError, match="most_false is 0"):
        stability_selection(PC(), data, most_false=0)


def test_the_result_depends_on_the_seed_and_not_on_the_workers():
    _, data = linear(6, 200, 2)
    one, two = (stability_selection(BOSS(), data, threshold=0.7, pairs=5, n_jobs=jobs) for jobs in (1, 2))
    assert one.to_dict() == two.to_dict()
    assert one.to_dict() != stability_selection(BOSS(), data, threshold=0.7, pairs=5, random_state=1).to_dict()
    assert {"source", "target", "adjacency"} <= set(one.table().column_names)
    assert "at least 70%" in repr(one)


def test_edges_point_the_way_they_point_more_often():
    rng = np.random.default_rng(0)
    b, c = rng.normal(size=(2, 400))
    data = read({"a": b + c + rng.normal(size=400), "b": b, "c": c})
    assert [(edge.source, edge.target) for edge in stability_selection(PC(), data, threshold=0.9, pairs=5).edges()] == [
        ("b", "a"),
        ("c", "a"),
    ]
