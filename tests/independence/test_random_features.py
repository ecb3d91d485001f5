"""RCoT and RCIT: null distribution, power where no correlation shows, what changes nothing, and the exact tail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from tests.independence.nonparametric import GIVEN, p_values, table, uniform
from whence.data import read
from whence.errors import DataError, ParameterError
from whence.independence import RCIT, RCoT
from whence.independence._kernels_quadratic import weighted_chi_square_tail
from whence.independence._smoothing import ridge_smoother
from whence.independence.random_features import Sizes

BOTH = pytest.mark.parametrize("test", [RCoT, RCIT])
KINDS = ("linear", "curved", "heavy", "mixed")


@pytest.mark.parametrize("freedom", [1, 2, 7, 40, 300])
@pytest.mark.parametrize("p_value", [0.999, 0.5, 0.05, 1e-4, 1e-12, 1e-100])
def test_the_tail_of_equal_weights_is_that_of_chi_square(freedom, p_value):
    statistic = chi2.isf(p_value, freedom)
    found = weighted_chi_square_tail(3.0 * statistic, np.full(freedom, 3.0))
    assert found == pytest.approx(p_value, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.floats(0.2, 4))
def test_the_tail_of_unequal_weights_is_what_drawing_finds(seed, count, at):
    rng = np.random.default_rng(seed)
    weights = rng.exponential(size=count) ** 2
    draws = rng.chisquare(1, size=(40_000, count)) @ weights
    expected = np.mean(draws > at * weights.sum())
    found = weighted_chi_square_tail(at * weights.sum(), weights)
    assert abs(found - expected) < 5 * np.sqrt(0.25 / 40_000)


def test_the_tail_of_two_pairs_of_weights_is_the_known_mixture_of_exponentials():
    a, b, q = 2.0, 0.5, 9.0  # a sum of two exponentials with means 2 a and 2 b
    expected = (a * np.exp(-q / (2 * a)) - b * np.exp(-q / (2 * b))) / (a - b)
    assert weighted_chi_square_tail(q, np.array([a, b, a, b])) == pytest.approx(expected, rel=1e-7)


def test_the_smoother_is_ridge_regression_and_its_correction_that_of_least_squares():
    rng = np.random.default_rng(0)
    features, response = rng.normal(size=(60, 5)), rng.normal(size=(60, 2))
    features -= features.mean(axis=0)
    found = ridge_smoother(features, 3.0).residuals(response)
    fitted = features @ np.linalg.solve(features.T @ features + 3.0 * np.eye(5), features.T @ response)
    np.testing.assert_allclose(found, response - fitted, atol=1e-12)
    hat = features @ np.linalg.solve(features.T @ features + 3.0 * np.eye(5), features.T) + 1 / 60
    maker = np.eye(60) - hat
    square = maker @ maker
    expected = np.trace(square @ square) / (np.diag(square) ** 2).sum()
    assert ridge_smoother(features, 3.0).inflation == pytest.approx(expected, rel=1e-10)


@BOTH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1])
def test_p_values_are_uniform_under_the_null(test, kind, size):
    assert uniform(p_values(test, kind, 200, size, 100)) > 0.01


@BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_given_three_columns_few_rows_reject_no_more_often_than_they_say(test, kind):
    assert np.mean(p_values(test, kind, 200, 3, 100) < 0.05) < 0.12  # 3.2 standard errors above 5 %


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1, 3])
def test_p_values_of_a_thousand_rows_are_uniform_under_the_null(kind, size):
    assert uniform(p_values(RCoT, kind, 1000, size, 300)) > 0.01


@pytest.mark.parametrize(("kind", "least"), [("quadratic", 0.9), ("noise", 0.9)])
@pytest.mark.parametrize("size", [0, 1, 3])
def test_dependence_that_no_correlation_shows_is_seen(kind, least, size):
    assert np.mean(p_values(RCoT, kind, 500, size, 20) < 0.05) >= least


def test_a_relation_that_cancels_on_average_is_seen_by_rcit_alone():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(20):
        arm, site = rng.integers(0, 2, (2, 400))  # over both sites, outcomes are alike in both arms
        outcome = 0.7 * (2 * arm - 1) * (2 * site - 1) + rng.normal(size=400)
        data = {"arm": arm, "site": np.array(["north", "south"])[site], "outcome": outcome}
        found.append([test(data)("arm", "outcome", ["site"]).p_value < 0.05 for test in (RCoT, RCIT)])
    rcot, rcit = np.mean(found, axis=0)
    assert rcit == 1.0
    assert rcot <= 0.3


@BOTH
def test_names_of_categories_are_no_numbers(test):
    rng = np.random.default_rng(3)
    site = rng.integers(0, 5, 400)
    outcome = np.array([0.0, 2.0, -1.0, 1.0, -2.0])[site] + rng.normal(size=400)
    other = np.array([1.0, -1.0, 0.0, 2.0, 0.0])[site] + rng.normal(size=400)
    kinds = {"site": "categorical"}
    data = {"site": site, "outcome": outcome, "other": other}
    shuffled = {**data, "site": np.array([3, 0, 4, 1, 2])[site]}
    asked = ("outcome", "other", ["site"])
    found = test(read(data, kinds=kinds))
    assert found("outcome", "site").p_value < 1e-9
    assert found(*asked).p_value > 0.01
    assert test(read(shuffled, kinds=kinds))("outcome", "site").p_value == pytest.approx(
        found("outcome", "site").p_value, rel=1e-6
    )


@BOTH
def test_rows_columns_and_the_pair_may_come_in_any_order(test):
    data = table("curved", 150, 3, np.random.default_rng(1))
    expected = test(data)("x", "y", GIVEN).p_value
    shuffled = np.random.default_rng(2).permutation(150)
    moved = {name: values[shuffled] for name, values in reversed(data.items())}
    assert test(moved)("y", "x", ["z2", "z0", "z1"]).p_value == pytest.approx(expected, rel=1e-8)


@BOTH
def test_monotone_transformations_change_nothing_on_ranks(test):
    data = table("curved", 150, 1, np.random.default_rng(1))
    bent = {"x": np.exp(data["x"]), "y": data["y"] ** 3, "z0": np.arctan(data["z0"])}
    expected = test(data)("x", "y", ["z0"]).p_value
    assert test(bent)("x", "y", ["z0"]).p_value == pytest.approx(expected, rel=1e-9)
    assert test(bent, scale="standard")("x", "y", ["z0"]).p_value != expected


def test_another_seed_gives_another_answer_and_the_same_seed_the_same():
    data = table("linear", 200, 1, np.random.default_rng(1))
    ask = ("x", "y", ["z0"])
    first, again, other = (RCoT(data, random_state=seed)(*ask).p_value for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_sizes_follow_the_rows():
    assert Sizes.of(500) == Sizes(frequencies=3, waves=10, given=111)
    assert Sizes.of(100_000) == Sizes(frequencies=6, waves=20, given=300)


@BOTH
def test_what_says_nothing_is_nan(test):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200))
    many = {f"c{k}": rng.normal(size=200) for k in range(70)}
    found = test({"x": x, "y": y, "copy": x**3, "flat": np.ones(200), **many})
    assert np.isnan(found("x", "y", ["copy"]).p_value)
    assert np.isnan(found("x", "flat").p_value)
    assert found("x", "y", ["flat"]).p_value == found("x", "y").p_value
    assert np.isnan(found("x", "y", list(many)).p_value)  # too many columns for the rows


@BOTH
def test_bad_questions_say_what_to_do(test):
    data = table("linear", 30, 0, np.random.default_rng(0))
    with pytest.raises(DataError, match="at least 20"):
        test({name: values[:19] for name, values in data.items()})
    with pytest.raises(ParameterError, match="scale"):
        test(data, scale="log")
    with pytest.raises(ParameterError, match="random_state"):
        test(data, random_state=-1)
