"""KCI against the formulas written out with whole matrices, its null distribution, power, and what changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import gammaincc

from tests.independence.nonparametric import GIVEN, p_values, table, uniform
from whence.errors import ParameterError
from whence.independence import KCI
from whence.independence._kernels_gram import gaussian_factor


def gram(points: np.ndarray) -> np.ndarray:
    kernel = np.exp(-0.5 * cdist(points, points, "sqeuclidean"))
    centre = np.eye(len(points)) - 1 / len(points)
    return centre @ kernel @ centre


def written_out(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    """Return statistic and p-value of Zhang et al. (2011) with the published widths, by matrices of n rows."""
    x, y, z = ((v - v.mean(axis=0)) / v.std(axis=0, ddof=1) for v in (x[:, None], y[:, None], z))
    n, width = len(x), 0.7 * np.sqrt(z.shape[1])
    maker = 1e-3 * np.linalg.inv(gram(z / width) + 1e-3 * np.eye(n))
    left = maker @ gram(np.hstack([x, z / 2]) / width) @ maker
    right = maker @ gram(y / width) @ maker
    products = left * right
    mean, variance = np.trace(products), 2 * (products**2).sum()
    statistic = (left * right).sum()
    return statistic / n, float(gammaincc(mean**2 / variance, statistic * mean / variance))


@pytest.mark.parametrize("size", [1, 3])
def test_it_is_the_published_test_without_the_matrices(size):
    rng = np.random.default_rng(size)
    for _ in range(3):
        data = table("noise", 250, size, rng)
        x, y, z = data["x"], data["y"], np.column_stack([data[name] for name in GIVEN[:size]])
        found = KCI(data, scale="standard", width="published", corrected=False)("x", "y", GIVEN[:size])
        expected = [written_out(*pair, z) for pair in ((x, y), (y, x))]  # ranks settle which of the two is x
        nearest = min(expected, key=lambda one: abs(one[0] - found.statistic))
        assert found.statistic == pytest.approx(nearest[0], rel=5e-3)
        assert found.p_value == pytest.approx(nearest[1], rel=0.1, abs=1e-3)


def test_the_factor_leaves_out_no_more_than_it_says():
    points = np.random.default_rng(0).normal(size=(2, 200))
    factor = gaussian_factor(np.ascontiguousarray(points), 0.02, 200)
    whole = np.exp(-0.5 * cdist(points.T, points.T, "sqeuclidean"))
    left = whole - factor.T @ factor
    assert np.trace(left) <= 0.02
    assert np.abs(left).max() <= 0.02
    assert len(factor) < 100
    full = gaussian_factor(np.ascontiguousarray(points), 0.0, 200)
    np.testing.assert_allclose(full.T @ full, whole, atol=1e-7)


@pytest.mark.parametrize("kind", ["linear", "curved", "heavy", "mixed"])
@pytest.mark.parametrize("size", [0, 1])
def test_p_values_are_uniform_under_the_null(kind, size):
    assert uniform(p_values(KCI, kind, 200, size, 100)) > 0.01


@pytest.mark.parametrize("kind", ["linear", "curved", "heavy", "mixed"])
def test_given_three_columns_few_rows_reject_no_more_often_than_they_say(kind):
    assert np.mean(p_values(KCI, kind, 200, 3, 100) < 0.05) < 0.12  # 3.2 standard errors above 5 %


@pytest.mark.parametrize("kind", ["quadratic", "noise"])
@pytest.mark.parametrize("size", [0, 1])
def test_dependence_that_no_correlation_shows_is_seen(kind, size):
    assert np.mean(p_values(KCI, kind, 300, size, 20) < 0.05) >= 0.9


def test_the_exact_null_is_close_to_the_gamma_one_in_the_body():
    data = table("linear", 200, 1, np.random.default_rng(5))
    gamma, exact = (KCI(data, null=null, corrected=False)("x", "y", ["z0"]).p_value for null in ("gamma", "exact"))
    assert gamma == pytest.approx(exact, abs=0.02)
    gamma, exact = (KCI(data, null=null)("x", "y").p_value for null in ("gamma", "exact"))
    assert (gamma < 1e-4) == (exact < 1e-4)


def test_rows_columns_and_the_pair_may_come_in_any_order():
    data = table("curved", 150, 3, np.random.default_rng(1))
    expected = KCI(data)("x", "y", GIVEN).p_value
    shuffled = np.random.default_rng(2).permutation(150)
    moved = {name: values[shuffled] for name, values in reversed(data.items())}
    assert KCI(moved)("y", "x", ["z2", "z0", "z1"]).p_value == pytest.approx(expected, abs=0.01)
    assert KCI(data)("y", "x", ["z2", "z0", "z1"]).p_value == expected


def test_bad_settings_and_what_says_nothing():
    data = table("linear", 60, 1, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="width"):
        KCI(data, width="wide")
    with pytest.raises(ParameterError, match="null"):
        KCI(data, null="beta")
    test = KCI({**data, "copy": np.exp(data["x"]), "flat": np.ones(60)})
    assert np.isnan(test("x", "y", ["copy"]).p_value)
    assert np.isnan(test("flat", "y").p_value)
    assert test("x", "y", ["flat"]).p_value == test("x", "y").p_value
