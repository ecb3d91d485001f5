"""Bootstrap confidence: exact weights, independence of workers, calibration on simulated truths."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import Moments, read, simulate
from whence.discovery import PC, Confidence, bootstrap
from whence.discovery.resampling import ResampledRows, _block_weights
from whence.errors import DataError, ParameterError


def linear(p: int = 6, n: int = 400, seed: int = 0):
    return read(simulate.linear_scm(p, n, degree=2.0, random_state=seed).values, names=[f"X{k}" for k in range(p)])


def drawn(data, length: int = 1):
    sample = ResampledRows(data).draw(np.random.SeedSequence(1), length)
    return sample, sample._table._rows


@pytest.mark.parametrize("missing", [False, True])
def test_weighted_moments_are_those_of_the_rows_drawn(missing):
    values = simulate.linear_scm(5, 300, random_state=0).values * 3 + 1000
    if missing:
        values[::7, 2] = np.nan
    data = read(values, names=list("abcde"))
    sample, rows = drawn(data)
    expected = data.take(rows).moments(["d", "a", "c"])
    found = sample.moments(["d", "a", "c"])
    assert isinstance(found, Moments)
    assert (found.n, found.rows, found.names) == (expected.n, 300, expected.names)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-9)


def test_codes_values_and_rows_are_those_drawn():
    rng = np.random.default_rng(0)
    data = read({"a": rng.integers(0, 3, 60).astype(str), "b": rng.integers(0, 2, 60).astype(str)})
    sample, rows = drawn(data)
    np.testing.assert_array_equal(sample.codes().codes, data.codes().codes[rows])
    np.testing.assert_array_equal(sample.counts(["a", "b"]).table, data.take(rows).counts(["a", "b"]).table)
    assert sample.to_arrow().equals(data.to_arrow().take(rows))
    numbers = linear()
    sample, rows = drawn(numbers)
    np.testing.assert_array_equal(sample.numeric(), numbers.numeric()[rows])


def test_blocks_are_rows_that_follow_each_other():
    weights = _block_weights(100, 10, np.random.default_rng(0))
    assert weights.sum() == 100
    edges = np.flatnonzero(np.diff(weights))
    assert len(edges) <= 20  # ten blocks begin and end at most twenty times


def test_a_time_role_draws_blocks():
    values = np.random.default_rng(0).normal(size=(64, 2))
    data = read({"t": np.arange(64.0), "a": values[:, 0], "b": values[:, 1]}, roles={"time": "t"}).select(
        ["a", "b", "t"]
    )
    one = bootstrap(PC(), data, draws=5)
    other = bootstrap(PC(), data, draws=5, block_length=4)
    np.testing.assert_array_equal(one.adjacency, other.adjacency)


def test_the_same_for_any_number_of_workers_and_another_for_another_seed():
    data = linear(8, 200)
    one, two, other = (
        bootstrap(PC(), data, draws=16, random_state=seed, n_jobs=jobs) for seed, jobs in ((3, 1), (3, 2), (4, 2))
    )
    for field in ("adjacency", "forward", "undirected"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
    assert not np.array_equal(one.forward, other.forward)


def test_shares_add_up():
    seen = bootstrap(PC(), linear(7, 150), draws=20)
    np.testing.assert_allclose(seen.adjacency, seen.forward + seen.forward.T + seen.undirected)
    np.testing.assert_array_equal(seen.adjacency, seen.adjacency.T)
    assert seen.draws == 20


def test_progress_streams():
    steps = []
    bootstrap(PC(), linear(), draws=4, n_jobs=1, progress=lambda *step: steps.append(step))
    assert steps == [("bootstrap", k, 4) for k in range(1, 5)]


def test_draws_that_lack_a_rare_value_are_skipped():
    rng = np.random.default_rng(0)
    rare = np.zeros(50)
    rare[7] = 1
    data = read({"rare": rare, "a": rng.normal(size=50), "b": rng.normal(size=50)}, kinds={"rare": "binary"})
    seen = bootstrap(PC(), data, draws=40)
    assert 0 < seen.skipped < 20
    assert seen.draws + seen.skipped == 40


class Refusing:
    """A search that takes nothing."""

    def fit(self, data):
        raise DataError("E303", "no.", "")


def test_a_search_that_refuses_most_draws_is_an_error():
    with pytest.raises(DataError, match="no"):
        bootstrap(Refusing(), linear(), draws=4)


@pytest.mark.parametrize(("settings", "wrong"), [({"draws": 0}, "0 bootstrap"), ({"block_length": 0}, "blocks of 0")])
def test_bad_settings_are_refused(settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        bootstrap(PC(), linear(), **settings)


def one_edge(adjacency: float, forward: float, backward: float) -> Confidence:
    both = np.array([[0.0, 1.0], [1.0, 0.0]])
    directed = np.array([[0.0, forward], [backward, 0.0]])
    return Confidence(("a", "b"), both * adjacency, directed, both * (adjacency - forward - backward), 20)


@pytest.mark.parametrize(
    ("shares", "word"),
    [
        ((1.0, 0.95, 0.0), "high"),
        ((0.95, 0.0, 0.9), "high"),
        ((1.0, 0.0, 0.0), "undetermined"),
        ((1.0, 0.6, 0.4), "undetermined"),
        ((0.7, 0.7, 0.0), "moderate"),
        ((0.5, 0.0, 0.0), "moderate"),
        ((0.45, 0.45, 0.0), "low"),
        ((0.0, 0.0, 0.0), "low"),
    ],
)
def test_words(shares, word):
    assert one_edge(*shares).edge("a", "b").word == word
    assert one_edge(*shares).edge("b", "a").word == word


def test_direction_splits_the_undirected_mass():
    seen = one_edge(1.0, 0.6, 0.2).edge("a", "b")
    assert seen.direction == pytest.approx(0.7)
    assert one_edge(1.0, 0.6, 0.2).edge("b", "a").direction == pytest.approx(0.3)
    assert one_edge(0, 0, 0).edge("a", "b").direction is None
    with pytest.raises(ParameterError, match="'c'"):
        one_edge(1, 1, 0).edge("a", "c")


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # ibis with the newest duckdb
def test_beyond_memory_groups_of_rows_are_resampled(tmp_path):
    pd = pytest.importorskip("pandas")
    values = simulate.linear_scm([("a", "b"), ("c", "b")], 4000, random_state=0)
    path = tmp_path / "rows.parquet"
    pd.DataFrame(values.values, columns=list(values.names)).to_parquet(path)
    lazy = read(path, lazy=True)
    assert not lazy.in_memory
    seen = bootstrap(PC(), lazy, draws=10)
    assert seen.edge("a", "b").word == "high"
    assert seen.edge("a", "b").forward >= 0.9
