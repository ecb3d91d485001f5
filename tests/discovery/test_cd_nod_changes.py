"""Embeddings of changing mechanisms against their dense formulas, by hand and by finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.spatial.distance import cdist

from whence.data import simulate
from whence.discovery import _cd_nod_changes as changes
from whence.discovery._cd_nod_changes import Index, Widths
from whence.discovery._cd_nod_mechanisms import Mechanisms, slope_change

N = 60
TIMES = Index(np.linspace(0, 1, N), True, np.linspace(0, 1, N))
DOMAINS = Index(np.repeat(np.arange(6.0), 10), False, np.arange(6.0))


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 1))
    return x, np.tanh(x) + 0.3 * rng.normal(size=(N, 1))


def gaussian(points: np.ndarray, width: float = 1.0) -> np.ndarray:
    return np.exp(-cdist(points, points, "sqeuclidean") / (2 * width**2))


def over_index(index: Index, width: float) -> np.ndarray:
    if index.timed:
        return gaussian(index.places[:, None], width)
    return (index.places[:, None] == index.places).astype(float)


@pytest.mark.parametrize("index", [TIMES, DOMAINS], ids=["time", "domain"])
def test_marginal_changes_are_those_of_the_dense_formula(columns, index, monkeypatch):
    monkeypatch.setattr(changes, "_TOLERANCE", 1e-12)
    x, _ = columns
    widths = Widths(1.0, 0.2, 0.5)
    found = changes.embed_marginal(changes.factor(x, N), widths, index)
    k_c, k_x = over_index(index, 0.2), gaussian(x)
    r = np.linalg.inv(k_c + 0.5 * np.eye(N))
    expected = k_c @ r @ k_x @ r @ k_c
    rows = np.searchsorted(index.places, index.grid)
    np.testing.assert_allclose(found @ found.T, expected[np.ix_(rows, rows)], atol=1e-6)


@pytest.mark.parametrize("index", [TIMES, DOMAINS], ids=["time", "domain"])
def test_conditional_changes_are_those_of_the_dense_formula(columns, index, monkeypatch):
    monkeypatch.setattr(changes, "_TOLERANCE", 1e-12)
    x, y = columns
    widths = Widths(1.0, 0.2, 0.5)
    found = changes.embed_conditional(changes.factor(y, N), x, changes.factor(x, N), widths, index)
    k_c, k_x, k_y = over_index(index, 0.2), gaussian(x), gaussian(y)
    a = np.linalg.inv(k_x * k_c + 0.5 * np.eye(N))
    expected = k_c @ ((k_x @ k_x @ k_x) * (a @ k_y @ a)) @ k_c / N**2
    rows = np.searchsorted(index.places, index.grid)
    np.testing.assert_allclose(found @ found.T, expected[np.ix_(rows, rows)], atol=1e-6)


def test_embeddings_of_domains_are_shrunken_means(columns):
    own = changes.factor(columns[0], N)
    found = changes.embed_marginal(own, Widths(1.0, 1.0, 5.0), DOMAINS)
    means = own.reshape(6, 10, -1).mean(axis=1)
    np.testing.assert_allclose(found, means * 10 / 15, atol=1e-12)


@pytest.mark.parametrize("index", [TIMES, DOMAINS], ids=["time", "domain"])
def test_the_likelihood_has_its_gradient(columns, index):
    x, y = columns
    squares = [cdist(x, x, "sqeuclidean")]
    over = index.distances(index.places)
    if index.timed:
        squares.append(over)
    likelihood = changes._Likelihood(changes._leading(changes.factor(y, 5)), squares, np.isfinite(over))
    at = np.log([1.3, 0.2, 0.7, 0.4] if index.timed else [1.3, 0.7, 0.4])
    expected = approx_fprime(at, lambda logs: likelihood(logs)[0], 1e-6)
    np.testing.assert_allclose(likelihood(at)[1], expected, rtol=1e-4, atol=1e-5)


def test_fitted_widths_follow_the_data():
    rng = np.random.default_rng(1)
    places = np.linspace(0, 1, 200)
    index = Index(places, True, places)
    swift, slow = np.sin(60 * places), np.sin(5 * places)
    noise = 0.2 * rng.normal(size=200)
    found = [changes.fit_widths(changes.factor((d + noise)[:, None], 20), None, index) for d in (swift, slow)]
    assert found[0].time < found[1].time
    loud = changes.fit_widths(changes.factor((slow + 10 * noise)[:, None], 20), None, index)
    assert loud.noise > found[1].noise


def test_dependence_is_one_for_the_same_change_and_small_for_another():
    rng = np.random.default_rng(0)
    one, other = (changes.change_gram(rng.normal(size=(80, 1))) for _ in range(2))
    assert changes.dependence(one, one) == pytest.approx(1.0)
    assert changes.dependence(one, 7.0 * one) == pytest.approx(1.0)  # scale does not matter
    assert abs(changes.dependence(one, other)) < 0.2
    assert changes.dependence(one, np.zeros_like(one)) == 0.0


def test_orders_of_the_null_keep_their_distance_from_the_data():
    orders = changes.null_orders(100, True, np.random.default_rng(0))
    shifts = orders[:, 0]
    assert shifts.min() == 10
    assert shifts.max() == 90
    assert all(np.array_equal(np.sort(order), np.arange(100)) for order in orders)
    permuted = changes.null_orders(8, False, np.random.default_rng(0))
    assert permuted.shape == (changes.PERMUTATIONS, 8)
    gram = changes.change_gram(np.random.default_rng(2).normal(size=(100, 2)))
    expected = [changes.dependence(gram, np.roll(np.roll(gram, -s, 0), -s, 1)) for s in shifts[:3]]
    np.testing.assert_allclose(changes.reordered_dependence(gram, gram, orders[:3]), expected, atol=1e-12)


def test_components_are_those_of_the_whole_decomposition():
    gram = changes.change_gram(np.random.default_rng(3).normal(size=(30, 2)))
    parts, eigenvalues = changes.components(gram, 3)
    values, vectors = np.linalg.eigh(gram)
    np.testing.assert_allclose(eigenvalues, values[:-4:-1], rtol=1e-9)
    np.testing.assert_allclose(np.abs(parts), np.abs(vectors[:, :-4:-1]) * np.sqrt(values[:-4:-1]), atol=1e-8)
    assert changes.components(gram[:2, :2], 3)[0].shape == (2, 2)


def pair(change: str, seed: int, **settings) -> tuple[dict[str, np.ndarray], Index]:
    drawn = simulate.changing_pair(change, random_state=seed, **settings)
    values = (drawn.values[:, :2] - drawn.values[:, :2].mean(axis=0)) / drawn.values[:, :2].std(axis=0)
    places = np.linspace(0, 1, len(values))
    return {"x": values[:, :1], "y": values[:, 1:]}, Index(places, True, places[::3])


def test_a_slope_that_changes_is_told_from_a_level_and_a_noise_that_do():
    found = {
        change: [
            slope_change(*(c[name][:, 0] for name in "xy"), index) for c, index in (pair(change, s) for s in range(6))
        ]
        for change in ("narrow", "shift", "noise", "coefficient")
    }
    assert all(share < 0.35 and p < 1e-3 for share, p in found["narrow"])
    assert sum(p < 0.01 for _, p in found["shift"] + found["noise"]) <= 1
    assert all(share > 0.5 and p < 1e-3 for share, p in found["coefficient"])


def test_mechanisms_are_estimated_once_and_whatever_the_order_of_causes():
    columns, index = pair("shift", 0)
    columns["z"] = np.roll(columns["x"], 5, axis=0)
    one = Mechanisms(columns, index, tuned=False, random_state=0)
    assert one.gram(("y",), ("x", "z")) is one.gram(("y",), ("z", "x"))
    again = Mechanisms(columns, index, tuned=False, random_state=0)
    assert one.compare(("y", ("x",)), ("x", ("y",))) == again.compare(("y", ("x",)), ("x", ("y",)))
    back = one.compare(("x", ("y",)), ("y", ("x",)))
    assert (back.score, back.other) == (again.dependence("x", ("y",)), again.dependence("y", ("x",)))


def test_a_grid_of_other_places_gives_the_same_embeddings():
    columns, index = pair("coefficient", 1)
    made = Mechanisms(columns, index, tuned=False, random_state=0)
    finer = replace(index, grid=index.places)
    np.testing.assert_allclose(
        made.embedding_at(("y",), ("x",), finer)[::3], made.embedding(("y",), ("x",)), atol=1e-10
    )
