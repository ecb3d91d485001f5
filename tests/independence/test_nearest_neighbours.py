"""CMIknn against counts written out and the information of Gaussian columns; its permutations, null and power."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma

from tests.independence.nonparametric import p_values, table, uniform
from whence.errors import ParameterError
from whence.independence import CMIknn
from whence.independence._kernels_neighbours import permute_locally


def written_out(x: np.ndarray, y: np.ndarray, z: np.ndarray, k: int) -> float:
    """Return the estimate of Frenzel and Pompe, with the counts of Mesner and Shalizi where distances tie."""
    total = 0.0
    for i in range(len(x)):
        dx, dy, dz = abs(x - x[i]), abs(y - y[i]), abs(z - z[i])
        joint = np.maximum(np.maximum(dx, dy), dz)
        radius = np.sort(joint)[k]
        within = int((joint <= radius).sum()) - 1
        if within > k:
            counts = [int((d <= radius).sum()) - 1 for d in (np.maximum(dx, dz), np.maximum(dy, dz), dz)]
        else:
            counts = [int((d < radius).sum()) for d in (np.maximum(dx, dz), np.maximum(dy, dz), dz)]
        total += digamma(within) - digamma(counts[0]) - digamma(counts[1]) + digamma(counts[2])
    return total / len(x)


def test_the_estimate_is_that_of_counting_neighbours():
    data = table("linear", 120, 1, np.random.default_rng(0))
    ranks = [2.0 * (np.argsort(np.argsort(data[name])) + 1) for name in ("x", "y", "z0")]
    found = CMIknn(data, neighbours=0.05).information("x", "y", ["z0"])
    assert found == pytest.approx(written_out(*ranks, k=6), abs=1e-10)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_the_estimate_nears_the_information_of_gaussian_columns(correlation):
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 2000))
    y = correlation * x + math.sqrt(1 - correlation**2) * noise
    found = CMIknn({"x": x, "y": y}, neighbours=0.005).information("x", "y")
    assert found == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.06)


def test_the_information_of_two_equal_coins_is_that_of_one():
    coin = np.random.default_rng(0).integers(0, 2, 400)
    found = CMIknn({"x": coin, "y": 1 - coin}).information("x", "y")
    assert found == pytest.approx(math.log(2), abs=0.01)


def test_permutations_stay_among_neighbours_and_use_a_row_once_if_they_can():
    n = 50
    neighbours = (np.arange(n)[:, None] // 5 * 5 + np.arange(5)).astype(np.int64)
    order = np.random.default_rng(0).permutation(n)
    permuted = np.empty(n, dtype=np.int64)
    permute_locally(neighbours, order, np.random.default_rng(1).random(neighbours.size), permuted)
    np.testing.assert_array_equal(permuted // 5, np.arange(n) // 5)
    assert sorted(permuted) == list(range(n))


@pytest.mark.parametrize("size", [0, 1])
def test_p_values_are_uniform_under_the_null(size):
    assert uniform(p_values(lambda data: CMIknn(data, permutations=100), "linear", 100, size, 120)) > 0.01


@pytest.mark.parametrize("kind", ["quadratic", "noise"])
def test_dependence_that_no_correlation_shows_is_seen(kind):
    found = p_values(lambda data: CMIknn(data, permutations=50), kind, 300, 1, 10)
    assert np.mean(found < 0.05) >= 0.9


def test_the_pair_and_those_given_may_come_in_any_order():
    data = table("curved", 80, 3, np.random.default_rng(1))
    test = CMIknn(data, permutations=20)
    assert test("x", "y", ["z0", "z1"]).p_value == test("y", "x", ["z1", "z0"]).p_value


def test_bad_settings_and_what_says_nothing():
    data = table("linear", 60, 1, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="neighbours"):
        CMIknn(data, neighbours=2)
    with pytest.raises(ParameterError, match="permutations"):
        CMIknn(data, permutations=1)
    test = CMIknn({**data, "copy": np.exp(data["x"]), "flat": np.ones(60)}, permutations=20)
    assert np.isnan(test("x", "y", ["copy"]).p_value)
    assert np.isnan(test("flat", "y").p_value)
