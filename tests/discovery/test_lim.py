"""LiM: scores against formulas, the exact search against all graphs, and simulated tables of numbers and yes-no."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize

from whence.data import read
from whence.discovery import LiM
from whence.discovery._lim_scores import RIDGE, MixedScore, logistic
from whence.discovery._lim_search import Limits, best_graph, climb, removal_loss, reversal_loss
from whence.errors import DataError, ParameterError
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import is_acyclic


def names(p: int) -> list[str]:
    return [f"X{k}" for k in range(p)]


def draw(p: int, n: int, seed: int, noise: str = "laplace", share: float = 0.4, degree: float = 2.0):
    """Return a table in which some columns are binary, the graph and which columns those are."""
    rng = np.random.default_rng(seed)
    adjacency = np.triu(rng.random((p, p)) < degree / (p - 1), 1)
    weights = np.where(adjacency, rng.uniform(0.8, 1.6, (p, p)) * rng.choice([-1.0, 1.0], (p, p)), 0.0)
    binary = np.zeros(p, dtype=bool)
    binary[rng.choice(p, max(1, round(share * p)), replace=False)] = True
    values = np.zeros((n, p))
    for node in range(p):
        mean = values[:, :node] @ weights[:node, node]
        if binary[node]:
            values[:, node] = mean - np.median(mean) + rng.logistic(size=n) > 0
        else:
            values[:, node] = mean + {"laplace": rng.laplace, "exponential": rng.exponential}[noise](size=n)
    shuffle = rng.permutation(p)
    return values[:, shuffle], adjacency[np.ix_(shuffle, shuffle)], binary[shuffle]


def score_of(values: np.ndarray, binary: np.ndarray, unit: float = 3.0, edge: float = 1.0) -> MixedScore:
    standard = np.where(binary, values, (values - values.mean(axis=0)) / values.std(axis=0))
    return MixedScore(standard, binary, unit, edge)


def no_limits(p: int) -> Limits:
    return Limits(np.zeros((p, p), dtype=bool), np.eye(p, dtype=bool), np.zeros((p, p), dtype=bool))


def all_graphs(p: int):
    pairs = [(i, j) for i in range(p) for j in range(i + 1, p)]
    for states in product((0, 1, 2), repeat=len(pairs)):
        adjacency = np.zeros((p, p), dtype=bool)
        for (i, j), state in zip(pairs, states):
            adjacency[i, j], adjacency[j, i] = state == 1, state == 2
        if is_acyclic(adjacency):
            yield adjacency


# ---- the scores ----------------------------------------------------------------------------------------------------


def test_the_logistic_regression_is_the_maximum_of_its_likelihood():
    rng = np.random.default_rng(0)
    given = rng.normal(size=(300, 2))
    outcome = (given @ [1.0, -2.0] + 0.5 + rng.logistic(size=300) > 0).astype(float)

    def loss(b):
        odds = b[0] + given @ b[1:]
        return np.logaddexp(0, odds).sum() - odds @ outcome + 0.5 * RIDGE * (b[1:] ** 2).sum()

    best = minimize(loss, np.zeros(3), tol=1e-12)
    coefficients, likelihood = logistic(given, outcome)
    np.testing.assert_allclose(coefficients, best.x, atol=1e-4)
    assert likelihood == pytest.approx(-best.fun, abs=1e-2)
    share = outcome.mean()
    alone = 300 * (share * np.log(share) + (1 - share) * np.log(1 - share))
    assert logistic(given[:, :0], outcome)[1] == pytest.approx(alone)


def test_a_column_that_separates_the_values_leaves_finite_coefficients():
    given = np.linspace(-1, 1, 100)[:, None]
    coefficients, likelihood = logistic(given, (given[:, 0] > 0).astype(float))
    assert np.isfinite(coefficients).all()
    assert -5 < likelihood < 0


def test_the_score_of_a_number_is_the_entropy_of_its_residual():
    values, _, binary = draw(4, 200, 0)
    score = score_of(values, binary)
    target = int(np.flatnonzero(~binary)[0])
    others = tuple(k for k in range(4) if k != target)
    design = np.column_stack([np.ones(200), score.values[:, others]])
    left = score.values[:, target] - design @ np.linalg.lstsq(design, score.values[:, target], rcond=None)[0]
    u = left / left.std()
    cosh, odd = np.mean(np.log(np.cosh(u))) - 0.37457, np.mean(u * np.exp(-(u**2) / 2))
    entropy = 0.5 * (1 + np.log(2 * np.pi)) - 79.047 * cosh**2 - 7.4129 * odd**2
    assert score.local(target, others) == pytest.approx(-200 * (np.log(left.std()) + entropy) - 3 * 4.0)


# ---- the searches --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_search_finds_the_best_of_all_graphs(seed):
    values, _, binary = draw(4, 150, seed)
    score = score_of(values, binary)
    best = max(score.total(graph) for graph in all_graphs(4))
    assert score.total(best_graph(score, no_limits(4))) == pytest.approx(best)


def test_the_exact_search_finds_the_best_that_the_knowledge_allows():
    values, _, binary = draw(4, 150, 5)
    score = score_of(values, binary)
    limits = no_limits(4)
    limits.required[2, 0] = True
    limits.forbidden[[0, 1], [2, 3]] = True
    limits.before[2, 0] = limits.before[3, 2] = limits.before[3, 0] = True

    def allowed(graph):
        with_order = graph | limits.before
        return graph[2, 0] and not (graph & limits.forbidden).any() and is_acyclic(with_order)

    best = max((graph for graph in all_graphs(4) if allowed(graph)), key=score.total)
    found = best_graph(score, limits)
    assert allowed(found)
    assert score.total(found) == pytest.approx(score.total(best))
    assert allowed(climb(score, limits))


def test_the_climb_over_single_edges_is_seldom_far_from_the_best():
    best = 0
    for seed in range(10):
        values, _, binary = draw(5, 500, seed)
        score = score_of(values, binary)
        climbed, exact = (score.total(search(score, no_limits(5))) for search in (climb, best_graph))
        assert climbed <= exact + 1e-9
        best += climbed > exact - 1e-6
    assert best >= 7


def test_losses_are_differences_of_scores():
    values, _, binary = draw(5, 500, 0)
    score, limits = score_of(values, binary), no_limits(5)
    found = best_graph(score, limits)
    for i, j in np.argwhere(found):
        less = found.copy()
        less[i, j] = False
        assert removal_loss(score, found, i, j) == pytest.approx(score.total(found) - score.total(less))
        less[j, i] = True
        loss = reversal_loss(score, limits, found, i, j)
        if is_acyclic(less):
            assert loss == pytest.approx(score.total(found) - score.total(less))
            assert loss >= -1e-9
        else:
            assert loss == np.inf


# ---- what is found -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", ["laplace", "exponential"])
def test_simulated_graphs_are_found_better_as_rows_come_in(noise):
    wrong = {}
    for n in (200, 2000):
        wrong[n] = 0
        for seed in range(8):
            values, adjacency, _ = draw(5, n, seed, noise)
            found = LiM().fit(read(values, names=names(5))).graph.marks
            wrong[n] += not np.array_equal(found, Graph.from_adjacency(names(5), adjacency).marks)
    assert wrong[2000] <= 2
    assert wrong[2000] < wrong[200]


def test_a_table_of_many_columns_is_climbed():
    values, adjacency, binary = draw(14, 2000, 1)
    found = LiM().fit(read(values, names=names(14)))
    assert found.parameters["search"] == "single edges"
    assert found.details["binary"] == [name for name, b in zip(sorted(names(14)), binary[np.argsort(names(14))]) if b]
    directed = (found.graph.marks == Mark.ARROW) & (found.graph.marks.T == Mark.TAIL)
    hits = (directed & adjacency).sum()
    assert 2 * hits / (directed.sum() + adjacency.sum()) > 0.85


def test_two_binary_columns_alone_are_left_undirected():
    rng = np.random.default_rng(0)
    a = rng.random(1000) < 0.4
    b = np.where(a, rng.random(1000) < 0.8, rng.random(1000) < 0.3)
    found = LiM().fit({"a": a.astype(int), "b": b.astype(int)})
    assert found.graph.edge("a", "b").connector == "---"
    assert any("same in both directions" in warning for warning in found.warnings)
    assert found.evidence[0].score_difference > 50
    known = LiM(knowledge=Knowledge(tiers=[["b"], ["a"]])).fit({"a": a.astype(int), "b": b.astype(int)})
    assert known.graph.parents("a") == ("b",)


def test_weights_are_slopes_of_numbers_and_log_odds_of_binary_columns():
    rng = np.random.default_rng(1)
    grams = 100 * rng.laplace(size=20_000)
    cured = (0.02 * grams + rng.logistic(size=20_000) > 0).astype(int)
    days = 5.0 * cured + rng.laplace(size=20_000)
    found = LiM().fit({"grams": grams, "cured": np.where(cured == 1, "yes", "no"), "days": days})
    weight = {(item.source, item.target): item.weight for item in found.evidence}
    assert weight["grams", "cured"] == pytest.approx(0.02, rel=0.1)
    assert weight["cured", "days"] == pytest.approx(5.0, rel=0.02)


def test_units_and_order_change_nothing():
    values, _, binary = draw(6, 800, 3)
    one = LiM().fit(read(values, names=names(6))).graph
    moved = np.where(binary, 1 - values, values * 10.0 ** np.arange(-2, 4) - 3)
    order = np.random.default_rng(0).permutation(6)
    other = LiM().fit(read(moved[:, order], names=[names(6)[k] for k in order])).graph
    np.testing.assert_array_equal(other.subgraph(names(6)).marks, one.marks)


def test_gaussian_noise_is_said():
    rng = np.random.default_rng(0)
    a = rng.normal(size=1000)
    found = LiM().fit({"a": a, "b": a + rng.normal(size=1000), "c": rng.integers(0, 2, 1000)})
    assert any("cannot be told from Gaussian" in warning for warning in found.warnings)


def test_settings_and_determined_columns_are_refused():
    values, _, _ = draw(4, 100, 0)
    with pytest.raises(ParameterError, match="penalty"):
        LiM(penalty=0).fit(read(values, names=names(4)))
    numbers = np.random.default_rng(0).laplace(size=(100, 2))
    with pytest.raises(DataError, match="leaves no noise"):
        LiM().fit(read(np.column_stack([numbers, numbers.sum(axis=1)]), names=names(3)))
