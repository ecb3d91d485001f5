"""The objectives and graphs of gcastle, dagma and causal-learn's exact search, or better ones."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import DAGMA, NOTEARS, ExactSearch
from whence.graph import Knowledge
from whence.graph.orientation import cpdag_of_dag
from whence.scores import gaussian_bic

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

# Both end in local minima of one objective; ours may lie this share above theirs on one table, and not on average.
CLOSE, ON_AVERAGE = 0.01, 0.002


@pytest.fixture(scope="module")
def gcastle():
    pytest.importorskip("castle", reason="compares with gcastle, to be installed by hand", exc_type=ImportError)
    return pytest.importorskip("castle.algorithms", reason="compares with gcastle and torch", exc_type=ImportError)


@pytest.fixture(scope="module")
def dagma():
    return pytest.importorskip(
        "dagma.linear", reason="compares with dagma, to be installed by hand", exc_type=ImportError
    )


@pytest.fixture(scope="module")
def exact_search():
    return pytest.importorskip(
        "causallearn.search.ScoreBased.ExactSearch",
        reason="compares with causal-learn, of the extra 'peers'",
        exc_type=ImportError,
    )


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def rows(p: int, n: int, seed: int, standardise: bool = False, **settings) -> np.ndarray:
    structure = simulate.random_dag(p, degree=2.0, random_state=seed)
    settings = {"weights": (0.5, 1.5), **settings}
    values = simulate.linear_scm(structure, n, standardise=standardise, random_state=seed, **settings).values
    return values - values.mean(axis=0)


def objective(weights: np.ndarray, values: np.ndarray, price: float) -> float:
    return float(0.5 * ((values - values @ weights) ** 2).sum() / len(values) + price * np.abs(weights).sum())


def compare(search, solve, price: float, record_property) -> None:
    """Hold a search against a peer's coefficients on four tables, two of them standardised.

    On these, turning an edge round hardly changes the objective, and the two may end at either; on the others the
    graphs are the same, but for coefficients that are at the threshold.
    """
    worse = []
    for seed in range(4):
        standardised = seed % 2 == 1
        values = rows(6, 500, seed, standardise=standardised)
        theirs = solve(values.copy())
        found = search.fit(values)
        worse.append(found.details["objective"] / objective(theirs, values, price) - 1)
        if not standardised:
            clear = np.abs(np.abs(theirs) - 0.3) > 0.02
            np.testing.assert_array_equal((found.graph.marks == 2)[clear], (np.abs(theirs) > 0.3)[clear])
    record_property("objective above the peer's", f"{np.mean(worse):.2%} on average, {np.max(worse):.2%} at most")
    assert max(worse) < CLOSE
    assert np.mean(worse) < ON_AVERAGE


def test_notears_reaches_the_objective_of_gcastle(gcastle, record_property):
    def solve(values):
        model = gcastle.Notears(lambda1=0.1)
        model.learn(values)
        return np.asarray(model.weight_causal_matrix)

    compare(NOTEARS(compare_scales=False), solve, 0.1, record_property)


@pytest.mark.slow
def test_dagma_reaches_the_objective_of_dagma(dagma, record_property):
    def solve(values):
        return dagma.DagmaLinear(loss_type="l2").fit(values, lambda1=0.03, w_threshold=0.0)

    compare(DAGMA(compare_scales=False), solve, 0.03, record_property)


@pytest.mark.parametrize("method", ["astar", "dp"])
def test_exact_search_is_that_of_causal_learn(exact_search, method):
    for seed in range(8):
        values = rows(4 + seed % 4, 200, seed, standardise=True)
        dag = exact_search.bic_exact_search(values, search_method=method)[0] != 0
        found = ExactSearch(per_edge=0).fit(values)
        score = gaussian_bic(np.corrcoef(values, rowvar=False), 200, per_edge=0.0)
        assert found.details["score"] == pytest.approx(score.total(dag))
        np.testing.assert_array_equal(found.graph.marks, cpdag_of_dag(dag))


def test_exact_search_with_knowledge_is_that_of_causal_learn(exact_search):
    for seed in range(6):
        values = rows(6, 200, seed, standardise=True)
        rng = np.random.default_rng(seed)
        may = rng.random((6, 6)) < 0.7
        np.fill_diagonal(may, val=False)
        dag = exact_search.bic_exact_search(values, super_graph=may.astype(float))[0] != 0
        names = [f"X{k}" for k in range(6)]
        forbidden = [(names[i], names[j]) for i, j in np.argwhere(~may) if i != j]
        found = ExactSearch(per_edge=0, knowledge=Knowledge(forbidden=forbidden)).fit(read(values, names=names))
        score = gaussian_bic(np.corrcoef(values, rowvar=False), 200, per_edge=0.0)
        assert found.details["score"] == pytest.approx(score.total(dag))
