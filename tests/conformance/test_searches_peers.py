"""The same graphs as causal-learn and lingam, or a reason in code why not."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from benchmarks.discovery_contenders import as_categories, from_causal_learn

from whence.data import Dataset, read, simulate
from whence.discovery import BOSS, GES, PC, DirectLiNGAM
from whence.graph import Knowledge
from whence.graph.orientation import extension
from whence.independence import ChiSquare, TestResult
from whence.scores import bdeu, gaussian_bic

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

CASES = 20


@pytest.fixture(scope="module")
def causal_learn():
    return pytest.importorskip(
        "causallearn", reason="compares with causal-learn, of the extra 'peers'", exc_type=ImportError
    )


@pytest.fixture(scope="module")
def lingam():
    return pytest.importorskip("lingam", reason="compares with lingam, of the extra 'peers'", exc_type=ImportError)


def numbers(p: int, n: int, seed: int, **settings) -> tuple[np.ndarray, Dataset]:
    settings = {"weights": (0.3, 0.9), "degree": 2.0, **settings}
    values = simulate.linear_scm(p, n, random_state=seed, **settings).values
    return values, read(values, names=[f"X{k}" for k in range(p)])


def categories(p: int, n: int, seed: int) -> tuple[np.ndarray, Dataset]:
    codes = simulate.discrete_scm(p, n, degree=1.5, levels=(2, 3), random_state=seed).values.astype(int)
    codes[: n // 50] = np.random.default_rng(seed).integers(0, 2, (n // 50, p))  # so that none is constant or a copy
    return codes, as_categories(codes)


@pytest.mark.parametrize(("test", "theirs", "least"), [("fisher-z", "fisherz", 17), ("chi-square", "chisq", 12)])
def test_pc_is_that_of_causal_learn_unless_the_tests_contradict_each_other(
    causal_learn, test, theirs, least, record_property
):
    from causallearn.search.ConstraintBased.PC import pc

    identical = 0
    for seed in range(CASES):
        values, data = numbers(10, 3000, seed, degree=1.5) if test == "fisher-z" else categories(7, 2000, seed)
        peer = from_causal_learn(pc(values, alpha=0.01, indep_test=theirs, show_progress=False).G.graph)
        found = PC(alpha=0.01, test=test, collider="sepset").fit(data)
        np.testing.assert_array_equal(found.graph.marks != 0, peer != 0)
        same = np.array_equal(found.graph.marks, peer)
        # Contradictory colliders: theirs goes by the order of the columns (the first directed stays), ours by evidence.
        assert same or found.details["colliders_dropped"] + found.details["colliders_added"] > 0
        identical += same
    record_property("identical", f"{identical} of {CASES}")
    assert identical >= least


class NothingToCompare:
    """Pearson's test as causal-learn makes it: however few rows, and independent where the given leave no freedom."""

    def __init__(self, data: Dataset) -> None:
        self.test = ChiSquare(data, rows_per_cell=0)
        self.names, self.rows_used = self.test.names, self.test.rows_used

    def __call__(self, x, y, given=()):
        found = self.test(x, y, given)
        return TestResult(1.0, 0.0, self.rows_used) if math.isnan(found.p_value) else found


def test_pc_on_rare_values_differs_from_causal_learn_only_by_what_is_made_of_empty_tables(causal_learn):
    from causallearn.search.ConstraintBased.PC import pc

    alike = 0
    for seed in range(CASES):
        values, data = categories(7, 300, seed)
        values[:, 6] = np.maximum(values[:, 4] > 0, values[:, 5] > 0)  # given both, nothing is left to compare
        data = as_categories(values)
        peer = from_causal_learn(pc(values, alpha=0.01, indep_test="chisq", show_progress=False).G.graph)
        same = PC(alpha=0.01, test=NothingToCompare(data)).fit().graph.marks
        np.testing.assert_array_equal(same != 0, peer != 0)
        own = PC(alpha=0.01, test="chi-square").fit(data).graph.marks
        alike += np.array_equal(own != 0, peer != 0)
    assert alike < CASES


def test_pc_has_the_skeleton_of_causal_learn_on_few_rows(causal_learn):
    from causallearn.search.ConstraintBased.PC import pc

    for seed in range(CASES):
        values, data = numbers(10, 200, seed, degree=3.0)
        peer = from_causal_learn(pc(values, alpha=0.05, show_progress=False).G.graph)
        np.testing.assert_array_equal(PC(alpha=0.05).fit(data).graph.marks != 0, peer != 0)


def test_ges_is_that_of_causal_learn(causal_learn):
    from causallearn.search.ScoreBased.GES import ges

    # Theirs prices a parameter at lambda log n with lambda 1/2, ours at penalty log(n) / 2 with penalty 1.
    for seed in range(CASES):
        values, data = numbers(5 + seed % 6, 300, seed)
        peer = from_causal_learn(ges(values)["G"].graph)
        np.testing.assert_array_equal(GES(per_edge=0).fit(data).graph.marks, peer)


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_ges_with_a_larger_penalty_is_that_of_causal_learn(causal_learn, factor):
    from causallearn.search.ScoreBased.GES import ges

    for seed in range(6):
        values, data = numbers(8, 200, seed, degree=3.0)
        peer = from_causal_learn(ges(values, lambda_value=factor / 2)["G"].graph)
        np.testing.assert_array_equal(GES(per_edge=0, penalty=factor).fit(data).graph.marks, peer)


def test_ges_on_categories_is_that_of_causal_learn(causal_learn, record_property):
    from causallearn.search.ScoreBased.GES import ges

    identical = 0
    for seed in range(CASES):
        values, data = categories(5, 500, seed)
        peer = from_causal_learn(ges(values, score_func="local_score_BDeu")["G"].graph)
        # Theirs has a prior of 1 / (p - 1) for each parent beside the Dirichlet prior: log(p - 2) an edge.
        found = GES(score="bdeu", ess=1.0, per_edge=math.log(5 - 2)).fit(data)
        same = np.array_equal(found.graph.marks, peer)
        if not same:
            codes = np.ascontiguousarray(values.T, dtype=np.int32)
            score = bdeu(codes, codes.max(axis=1).astype(np.int64) + 1, per_edge=math.log(5 - 2))
            assert found.details["score"] >= score.total(extension(peer)) - 1e-6
        identical += same
    record_property("identical", f"{identical} of {CASES}")
    assert identical >= 18


def test_boss_with_restarts_scores_no_lower_than_causal_learn(causal_learn, record_property):
    from causallearn.search.PermutationBased.BOSS import boss

    identical = 0
    for seed in range(CASES):
        random.seed(seed)  # theirs shuffles with the global generator
        values, data = numbers(8, 400, seed, degree=2.5)
        peer = from_causal_learn(boss(values, parameters={"lambda_value": 0.5}, verbose=False).graph)
        found = BOSS(per_edge=0, restarts=10).fit(data)
        score = gaussian_bic(data.moments().correlation, 400, per_edge=0.0)
        same = np.array_equal(found.graph.marks, peer)
        # Where theirs is another graph it is one with a lower score.
        assert same or found.details["score"] > score.total(extension(peer)) + 1e-6
        identical += same
    record_property("identical", f"{identical} of {CASES}")
    assert identical >= 10


@pytest.mark.parametrize("noise", ["laplace", "uniform"])
def test_the_causal_order_is_that_of_lingam(lingam, noise):
    for seed in range(CASES // 2):
        values, data = numbers(4 + seed % 4, 300, seed, noise=noise)
        peer = lingam.DirectLiNGAM().fit(values)
        found = DirectLiNGAM().fit(data)
        assert found.details["causal_order"] == [f"X{k}" for k in peer.causal_order_]


def test_the_order_under_knowledge_is_that_of_lingam(lingam):
    for seed in range(6):
        values, data = numbers(5, 300, seed, noise="laplace")
        first, last = seed % 5, (seed + 2) % 5
        prior = np.full((5, 5), -1)
        prior[first, :] = 0  # nothing leads to the first
        prior[:, last] = 0  # and nothing leads from the last
        np.fill_diagonal(prior, -1)
        peer = lingam.DirectLiNGAM(prior_knowledge=prior).fit(values)
        found = DirectLiNGAM(knowledge=Knowledge(roots=[f"X{first}"], leaves=[f"X{last}"])).fit(data)
        assert found.details["causal_order"] == [f"X{k}" for k in peer.causal_order_]
