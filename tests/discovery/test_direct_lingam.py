"""DirectLiNGAM against simulated truths, the paper's formulas in plain numpy, and knowledge."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import DirectLiNGAM
from whence.discovery._kernels_lingam import residual_entropy
from whence.discovery._lingam import gaussian_noise, grow_and_shrink
from whence.discovery.direct_lingam import causal_order
from whence.errors import DataError
from whence.graph import Graph, Knowledge
from whence.scores import gaussian_bic

SUPER_GAUSSIAN, SUB_GAUSSIAN, SKEWED = "laplace", "uniform", "exponential"


def names(p: int) -> list[str]:
    return [f"X{k:02d}" for k in range(p)]


def draw(p: int, n: int, noise: str, seed: int, **settings):
    """Return a simulation on columns named in the order of their positions."""
    adjacency = simulate.random_dag(p, degree=2.0, random_state=seed)
    settings = {"weights": (0.5, 1.2), "noise": noise, "random_state": seed, **settings}
    return simulate.linear_scm(adjacency, n, **settings)


def entropy(u: np.ndarray) -> float:
    """Return Hyvärinen's (1998) approximation, as printed in Hyvärinen and Smith (2013), equation 15 and below."""
    log_cosh, odd = np.mean(np.log(np.cosh(u))), np.mean(u * np.exp(-(u**2) / 2))
    return (1 + np.log(2 * np.pi)) / 2 - 79.047 * (log_cosh - 0.37457) ** 2 - 7.4129 * odd**2


def plain_order(values: np.ndarray) -> list[int]:
    """Return the causal order by regressions on the rows, every pair anew in every round."""
    left = dict(enumerate((values - values.mean(axis=0)).T))
    order = []
    while left:
        scaled = {k: column / column.std() for k, column in left.items()}
        doubt = {}
        for i, x in scaled.items():
            doubt[i] = 0.0
            for j, y in scaled.items():
                if i == j:
                    continue
                slope = np.mean(x * y)
                of_x, of_y = x - slope * y, y - slope * x
                gain = entropy(y) + entropy(of_x / of_x.std()) - entropy(x) - entropy(of_y / of_y.std())
                doubt[i] += min(0.0, gain) ** 2
        first = min(doubt, key=doubt.__getitem__)
        order.append(first)
        cause = left.pop(first)
        left = {k: column - (column @ cause) / (cause @ cause) * cause for k, column in left.items()}
    return order


@pytest.mark.parametrize("noise", [SUPER_GAUSSIAN, SUB_GAUSSIAN, SKEWED])
def test_the_true_order_and_graph_are_found_whatever_the_noise(noise):
    exact = 0
    for seed in range(10):
        drawn = draw(7, 5000, noise, seed)
        found = DirectLiNGAM().fit(read(drawn.values, names=names(7)))
        place = {int(name[1:]): k for k, name in enumerate(found.details["causal_order"])}
        against = sum(place[i] > place[j] for i, j in np.argwhere(drawn.adjacency))
        assert against <= 1
        truth = Graph.from_adjacency(names(7), drawn.adjacency)
        exact += np.array_equal(found.graph.marks, truth.marks)
        assert found.graph.kind == "DAG"
    assert exact >= 8


@pytest.mark.parametrize("noise", [SUPER_GAUSSIAN, SUB_GAUSSIAN])
def test_the_order_is_that_of_the_formulas_on_rows(noise):
    for seed in range(6):
        values = draw(9, 300, noise, seed).values * 10.0 ** np.arange(-4, 5)
        assert causal_order(values) == plain_order(values)


def test_the_entropy_of_a_residual_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    for n in (5, 255, 256, 257, 2000):
        x, y = rng.laplace(size=(2, n)) * 3
        residual = (x - 0.3 * y) * 0.7
        assert residual_entropy(x, y, 0.3, 0.7) == pytest.approx(entropy(residual), rel=1e-9)


def test_coefficients_are_in_units_of_the_columns():
    rng = np.random.default_rng(0)
    hours = rng.uniform(0, 10, 4000)
    grams = 250.0 * hours + rng.laplace(size=4000) * 100
    price = 0.004 * grams - 0.2 * hours + rng.exponential(size=4000)
    found = DirectLiNGAM().fit({"price": price, "grams": grams, "hours": hours})
    weight = {(item.source, item.target): item.weight for item in found.evidence}
    assert weight["hours", "grams"] == pytest.approx(250, rel=0.02)
    assert weight["grams", "price"] == pytest.approx(0.004, rel=0.05)
    assert weight["hours", "price"] == pytest.approx(-0.2, abs=0.06)
    # Least squares of each column on its parents, to the last digit.
    design = np.column_stack([np.ones(4000), grams, hours])
    slopes = np.linalg.lstsq(design, price, rcond=None)[0]
    assert [weight["grams", "price"], weight["hours", "price"]] == pytest.approx(slopes[1:], rel=1e-9)


def test_the_simulated_coefficients_are_found():
    drawn = draw(8, 20_000, SUPER_GAUSSIAN, 3)
    found = DirectLiNGAM().fit(read(drawn.values, names=names(8)))
    for item in found.evidence:
        truth = drawn.weights[int(item.source[1:]), int(item.target[1:])]
        assert item.weight == pytest.approx(truth, abs=0.05)
    assert len(found.evidence) == drawn.adjacency.sum()


def test_gaussian_noise_is_said_and_other_noise_is_not():
    rng = np.random.default_rng(0)
    assert gaussian_noise(np.column_stack([rng.normal(size=3000), rng.uniform(size=3000)])).tolist() == [True, False]
    assert gaussian_noise(rng.uniform(size=(10, 2))).all()  # too few rows to tell
    gaussian = DirectLiNGAM().fit(read(draw(5, 2000, "gaussian", 1).values, names=names(5)))
    assert "cannot be told from Gaussian" in gaussian.warnings[0]
    assert not DirectLiNGAM().fit(read(draw(5, 2000, SUPER_GAUSSIAN, 1).values, names=names(5))).warnings


def test_tiers_roots_and_leaves_decide_the_order_where_the_noise_does_not():
    drawn = draw(6, 1500, "gaussian", 2)
    data = read(drawn.values, names=names(6))
    order = [names(6)[k] for k in simulate.causal_order(drawn.adjacency)]
    found = DirectLiNGAM(knowledge=Knowledge(tiers=[[name] for name in order])).fit(data)
    assert found.details["causal_order"] == order
    np.testing.assert_array_equal(found.graph.marks, Graph.from_adjacency(names(6), drawn.adjacency).marks)
    found = DirectLiNGAM(knowledge=Knowledge(roots=[order[-1]], leaves=[order[0]])).fit(data)
    assert (found.details["causal_order"][0], found.details["causal_order"][-1]) == (order[-1], order[0])


def test_required_edges_stay_and_forbidden_ones_do_not_come():
    drawn = draw(6, 1500, SUPER_GAUSSIAN, 4)
    data = read(drawn.values, names=names(6))
    plain = DirectLiNGAM().fit(data)
    edge, *_ = plain.graph.edges()
    order = plain.details["causal_order"]
    absent = next((a, b) for a, b in pairwise(order) if plain.graph.edge(a, b) is None)
    knowledge = Knowledge(required=[absent], forbidden=[(edge.source, edge.target)])
    found = DirectLiNGAM(knowledge=knowledge).fit(data)
    assert found.graph.edge(*absent).connector == "->"
    assert found.graph.edge(edge.source, edge.target) is None
    assert found.details["causal_order"] == order


def test_parents_are_grown_and_shrunk_on_the_score():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 6))
    values[:, 5] = values[:, 0] + values[:, 1] + 0.5 * rng.normal(size=400)
    values[:, 4] = values[:, 0] + values[:, 1] + 0.5 * rng.normal(size=400)  # enters first, and leaves again
    score = gaussian_bic(np.corrcoef(values, rowvar=False), 400)
    allowed = np.array([True, True, True, True, True, False])
    assert score.gains(5, []).argmax() == 4
    assert grow_and_shrink(score, 5, allowed, []) == [0, 1]
    assert grow_and_shrink(score, 5, allowed, [2]) == [0, 1, 2]
    assert grow_and_shrink(score, 5, allowed & False, []) == []


def test_the_number_of_threads_does_not_matter(monkeypatch):
    values = draw(40, 2000, SUPER_GAUSSIAN, 5).values
    orders = []
    for jobs in (1, 3):
        monkeypatch.setattr("whence.discovery.direct_lingam.default_jobs", lambda jobs=jobs: jobs)
        orders.append(causal_order(values))
    assert orders[0] == orders[1]


def test_too_few_rows_and_determined_columns_are_refused():
    values = np.random.default_rng(0).laplace(size=(8, 8))
    with pytest.raises(DataError, match="8 complete rows for 8 columns"):
        DirectLiNGAM().fit(read(values, names=names(8)))
    values = np.random.default_rng(0).laplace(size=(100, 3))
    with pytest.raises(DataError, match="leaves no noise"):
        DirectLiNGAM().fit(read(np.column_stack([values, values.sum(axis=1)]), names=names(4)))
