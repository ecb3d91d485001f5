"""The same skeleton as causal-learn's cdnod, which is PC with the index as one more column."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import simulate
from whence.discovery import CDNOD
from whence.independence import FisherZ

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cdnod():
    return pytest.importorskip(
        "causallearn.search.ConstraintBased.CDNOD",
        reason="compares with causal-learn, of the extra 'peers'",
        exc_type=ImportError,
    ).cdnod


@pytest.mark.parametrize("seed", range(6))
def test_the_skeleton_is_the_same_where_changes_are_linear_in_time(cdnod, seed):
    rng = np.random.default_rng(seed)
    time = np.arange(2000.0)
    e = rng.normal(size=(4, 2000))
    a = e[0]
    b = 0.9 * a + time / 500 + e[1]
    c = 0.8 * b + e[2]
    d = 0.7 * c - time / 400 + e[3]
    values = np.column_stack([a, b, c, d])
    theirs = cdnod(values, time[:, None], 0.01, "fisherz", show_progress=False).G.graph != 0
    table = {"a": a, "b": b, "c": c, "d": d, "time": time}
    ours = CDNOD(index="time", test=FisherZ, alpha=0.01, phases=(1, 2)).fit(table).graph.marks != 0
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_the_skeleton_of_a_drifting_chain_is_the_same_by_kernels(cdnod, seed):
    drawn = simulate.changing_chain(150, random_state=seed)
    theirs = cdnod(drawn.values[:, :-1], drawn.values[:, -1:], 0.05, "kci", show_progress=False).G.graph[:-1, :-1] != 0
    ours = CDNOD(index="time", test="kci", phases=(1, 2)).fit(drawn.data).graph
    np.testing.assert_array_equal(ours.subgraph(drawn.names).marks != 0, theirs)
