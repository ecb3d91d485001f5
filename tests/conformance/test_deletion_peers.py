"""Test-wise deletion of missing values gives the p-values of causal-learn's test for MVPC."""

from __future__ import annotations

import numpy as np
import pytest

from tests.independence.test_missing_value import collider, given_a_cause
from whence.discovery import PC
from whence.independence import MissingValueFisherZ, TestwiseDeletion

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

NAMES = tuple("abcde")


@pytest.fixture(scope="module")
def cit():
    return pytest.importorskip(
        "causallearn.utils.cit", reason="compares with causal-learn, of the extra 'peers'", exc_type=ImportError
    )


@pytest.mark.parametrize("seed", range(5))
def test_p_values_are_those_of_causal_learn(cit, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(500, 5)) @ (np.eye(5) + 0.4 * rng.normal(size=(5, 5)))
    values[rng.random(values.shape) < 0.1] = np.nan
    theirs = cit.CIT(values, "mv_fisherz")
    ours = TestwiseDeletion({name: values[:, k] for k, name in enumerate(NAMES)})
    for x, y, given in [(0, 1, ()), (0, 1, (2,)), (3, 1, (0, 4)), (2, 4, (0, 1, 3))]:
        found = ours(NAMES[x], NAMES[y], [NAMES[k] for k in given])
        assert found.p_value == pytest.approx(theirs(x, y, given), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_on_zeros_it_is_the_same_after_the_zeros_of_the_columns_given_are_declared_missing(cit, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(800, 5)) @ (np.eye(5) + 0.4 * rng.normal(size=(5, 5))) + 2
    values[rng.random(values.shape) < 0.3] = 0.0
    ours = TestwiseDeletion({name: values[:, k] for k, name in enumerate(NAMES)}, robust=False)
    for x, y, given in [(0, 1, (2,)), (3, 1, (0, 4)), (2, 4, (0, 1, 3))]:
        gaps = values.copy()
        gaps[:, given] = np.where(values[:, given] == 0, np.nan, values[:, given])
        found = ours(NAMES[x], NAMES[y], [NAMES[k] for k in given])
        assert found.p_value == pytest.approx(cit.CIT(gaps, "mv_fisherz")(x, y, given), rel=1e-6, abs=1e-12)


def test_mvpc_is_wrong_about_no_more_edges_than_causal_learn():
    search = pytest.importorskip(
        "causallearn.search.ConstraintBased.PC",
        reason="compares with causal-learn, of the extra 'peers'",
        exc_type=ImportError,
    )
    ours = theirs = 0
    shared = {"xw", "yw", "xz", "yz", "xv", "yv", "zv"}
    for make, truth in ((collider, {"xw", "yw"}), (given_a_cause, shared)):
        true = {frozenset(edge) for edge in truth}
        for seed in range(4):
            columns = make(1000, seed)
            names, values = list(columns), np.column_stack(list(columns.values()))
            found = search.pc(values, 0.01, "mv_fisherz", True, 0, 2, mvpc=True, show_progress=False).G.graph
            pairs = [(i, j) for i in range(len(names)) for j in range(i) if found[i, j]]
            theirs += len(true ^ {frozenset((names[i], names[j])) for i, j in pairs})
            edges = PC(alpha=0.01, test=MissingValueFisherZ(columns)).fit().graph.edges()
            ours += len(true ^ {frozenset((edge.source, edge.target)) for edge in edges})
    assert ours <= theirs
