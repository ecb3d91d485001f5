"""ICA-LiNGAM: its components, its order against all orders, and the truths of simulators."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import ICALiNGAM
from whence.discovery._ica import independent_components
from whence.discovery._ica_order import _against, _one_by_one, effects, order_of
from whence.errors import DataError
from whence.graph import Graph, Knowledge


def names(p: int) -> list[str]:
    return [f"X{k:02d}" for k in range(p)]


def draw(p: int, n: int, noise: str, seed: int, **settings):
    settings = {"weights": (0.4, 0.9), "degree": 2.0, "noise": noise, "random_state": seed, **settings}
    return simulate.linear_scm(p, n, **settings)


@pytest.mark.parametrize("noise", ["laplace", "uniform", "exponential"])
def test_the_true_order_and_graph_are_found_whatever_the_noise(noise):
    exact, against = 0, 0
    for seed in range(10):
        drawn = draw(8, 3000, noise, seed)
        found = ICALiNGAM().fit(read(drawn.values, names=names(8)))
        place = {int(name[1:]): k for k, name in enumerate(found.details["causal_order"])}
        against += sum(place[i] > place[j] for i, j in np.argwhere(drawn.adjacency))
        exact += np.array_equal(found.graph.marks, Graph.from_adjacency(names(8), drawn.adjacency).marks)
    assert against <= 2
    assert exact >= 8


def test_the_order_is_recovered_as_rows_come_in():
    against = []
    for n in (100, 400, 2000):
        total = 0
        for seed in range(8):
            drawn = draw(8, n, "laplace", seed)
            found = ICALiNGAM().fit(read(drawn.values, names=names(8)))
            place = {int(name[1:]): k for k, name in enumerate(found.details["causal_order"])}
            total += sum(place[i] > place[j] for i, j in np.argwhere(drawn.adjacency))
        against.append(total)
    assert against[0] > against[1] >= against[2]
    assert against[2] == 0


def test_the_simulated_coefficients_are_found_in_units_of_the_columns():
    drawn = draw(6, 20_000, "laplace", 3)
    scale = 10.0 ** np.arange(-2, 4)
    found = ICALiNGAM().fit(read(drawn.values * scale, names=names(6)))
    assert len(found.evidence) == drawn.adjacency.sum()
    for item in found.evidence:
        i, j = int(item.source[1:]), int(item.target[1:])
        assert item.weight == pytest.approx(drawn.weights[i, j] * scale[j] / scale[i], rel=0.1)


def test_units_names_and_the_order_of_rows_and_columns_change_nothing():
    values = draw(7, 1000, "uniform", 1).values
    one = ICALiNGAM().fit(read(values, names=names(7))).graph.marks
    rng = np.random.default_rng(0)
    columns, rows = rng.permutation(7), rng.permutation(1000)
    moved = (values * 10.0 ** np.arange(-3, 4) - 5.0)[rows][:, columns]
    other = ICALiNGAM().fit(read(moved, names=[f"{'zyxwvut'[k]} {k}" for k in columns])).graph.marks
    np.testing.assert_array_equal(other, one[np.ix_(columns, columns)])


def test_components_are_white_and_undo_a_known_mixture():
    rng = np.random.default_rng(0)
    sources = np.column_stack([rng.laplace(size=20_000), rng.uniform(-1, 1, 20_000), rng.exponential(size=20_000)])
    mixing = np.array([[1.0, 0.5, -0.3], [0.2, 1.0, 0.6], [-0.4, 0.1, 1.0]])
    values = sources @ mixing.T
    found = independent_components(values)
    assert found.converged
    recovered = (values - values.mean(axis=0)) @ found.unmixing.T
    np.testing.assert_allclose(np.cov(recovered, rowvar=False, bias=True), np.eye(3), atol=1e-8)
    overlap = np.abs(np.corrcoef(recovered, sources, rowvar=False)[:3, 3:])
    assert sorted(overlap.argmax(axis=1)) == [0, 1, 2]
    assert overlap.max(axis=1).min() > 0.999


def test_components_rest_where_the_fixed_point_equation_holds():
    values = draw(5, 2000, "laplace", 0).values
    found = independent_components(values)
    sources = (values - values.mean(axis=0)) @ found.unmixing.T
    # At a stationary point of the contrast E[s_i tanh(s_j)] is symmetric (Hyvärinen 1999, section III).
    moments = sources.T @ np.tanh(sources) / len(sources)
    np.testing.assert_allclose(moments, moments.T, atol=0.01)


def test_components_are_given_to_columns_in_any_order_sign_and_scale():
    rng = np.random.default_rng(1)
    truth = np.tril(rng.uniform(0.3, 0.9, (5, 5)), k=-1)
    unmixing = np.eye(5) - truth
    shuffled = (rng.uniform(1, 3, 5) * rng.choice([-1, 1], 5))[:, None] * unmixing[rng.permutation(5)]
    np.testing.assert_allclose(effects(shuffled), truth, atol=1e-12)


@pytest.mark.parametrize("held", [False, True])
def test_the_order_is_nearly_always_the_best_of_all_orders(held):
    rng = np.random.default_rng(0)
    best = 0
    for _ in range(60):
        strength = rng.exponential(size=(5, 5)) ** 2
        before = np.zeros((5, 5), dtype=bool)
        if held:
            i, j = rng.choice(5, 2, replace=False)
            before[i, j] = True
        order = order_of(strength, before)
        assert all(order.index(i) < order.index(j) for i, j in np.argwhere(before))
        cost = strength**2
        np.fill_diagonal(cost, 0.0)
        allowed = (o for o in permutations(range(5)) if all(o.index(i) < o.index(j) for i, j in np.argwhere(before)))
        least = min(_against(cost, list(one)) for one in allowed)
        assert _against(cost, order) <= _against(cost, _one_by_one(cost, before)) + 1e-12
        best += _against(cost, order) <= least * (1 + 1e-9)
    assert best >= 54


def test_the_order_of_a_matrix_without_cycle_is_exact():
    rng = np.random.default_rng(2)
    for _ in range(20):
        p = int(rng.integers(2, 9))
        place = rng.permutation(p)
        lower = np.where(place[:, None] > place[None, :], rng.normal(size=(p, p)) * (rng.random((p, p)) < 0.6), 0.0)
        order = order_of(lower, np.zeros((p, p), dtype=bool))
        assert np.triu(lower[np.ix_(order, order)], k=1).sum() == 0


def test_gaussian_noise_is_said_and_other_noise_is_not():
    gaussian = ICALiNGAM().fit(read(draw(5, 2000, "gaussian", 1).values, names=names(5)))
    assert any("cannot be told from Gaussian" in warning for warning in gaussian.warnings)
    assert not ICALiNGAM().fit(read(draw(5, 2000, "laplace", 1).values, names=names(5))).warnings


def test_components_that_do_not_come_to_rest_are_said(monkeypatch):
    data = read(draw(6, 500, "laplace", 0).values, names=names(6))
    assert ICALiNGAM().fit(data).details["ica_converged"]
    hurried = partial(independent_components, most_steps=1)
    monkeypatch.setattr("whence.discovery.ica_lingam.independent_components", hurried)
    found = ICALiNGAM().fit(data)
    assert not found.details["ica_converged"]
    assert "did not come to rest in 1 steps" in found.warnings[0]


def test_knowledge_decides_the_order_where_the_noise_does_not():
    drawn = draw(6, 1500, "gaussian", 2)
    order = [names(6)[k] for k in simulate.causal_order(drawn.adjacency)]
    known = Knowledge(tiers=[[name] for name in order])
    found = ICALiNGAM(knowledge=known).fit(read(drawn.values, names=names(6)))
    assert found.details["causal_order"] == order


def test_determined_columns_are_refused():
    values = np.random.default_rng(0).laplace(size=(100, 3))
    with pytest.raises(DataError, match="leaves no noise"):
        ICALiNGAM().fit(read(np.column_stack([values, values.sum(axis=1)]), names=names(4)))
