"""Fisher's z against direct formulas, its null distribution, singular sets and bad questions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from whence.data import read
from whence.errors import DataError, ParameterError
from whence.independence import FisherZ

NAMES = tuple("abcdef")


def table(values: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[:, k] for k, name in enumerate(NAMES[: values.shape[1]])}


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(6, 6))
    return rng.normal(size=(300, 6)) @ mixing


def residual_correlation(values: np.ndarray, x: int, y: int, s: tuple[int, ...]) -> float:
    design = np.column_stack([np.ones(len(values)), values[:, list(s)]])
    rest = values[:, [x, y]] - design @ np.linalg.lstsq(design, values[:, [x, y]], rcond=None)[0]
    return float(np.corrcoef(rest.T)[0, 1])


def test_partial_correlation_is_the_correlation_of_regression_residuals(values):
    test = FisherZ(table(values))
    for size in range(5):
        for s in combinations(range(2, 6), size):
            names = [NAMES[k] for k in s]
            expected = residual_correlation(values, 0, 1, s)
            assert test.partial_correlation("a", "b", names) == pytest.approx(expected, abs=1e-10)
            z = np.sqrt(300 - size - 3) * np.arctanh(abs(expected))
            assert test("a", "b", names).p_value == pytest.approx(2 * norm.sf(z), rel=1e-8)


def test_symmetric_in_the_pair_and_in_the_order_given(values):
    test = FisherZ(table(values))
    one = test("a", "b", ["c", "d", "e"])
    other = test("b", "a", ("e", "c", "d"))
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)


def test_batch_equals_single_calls(values):
    test = FisherZ(table(values))
    queries = [("a", "b", ()), ("c", "a", ("b",)), ("d", "f", ("a", "b", "c"))]
    np.testing.assert_array_equal(test.batch(queries), [test(*query).p_value for query in queries])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_scale_and_shift_of_a_column_do_not_matter(seed, scale, shift):
    values = np.random.default_rng(seed).normal(size=(50, 4))
    moved = values.copy()
    moved[:, 2] = moved[:, 2] * scale + shift
    before = FisherZ(read(table(values)))("a", "b", ["c", "d"]).p_value
    assert FisherZ(read(table(moved)))("a", "b", ["c", "d"]).p_value == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("size", [0, 1, 3])
def test_p_values_are_uniform_under_the_null(size):
    rng = np.random.default_rng(size)
    found = []
    for _ in range(500):
        others = rng.normal(size=(100, 3))
        pair = others @ rng.normal(size=(3, 2)) * (size > 0) + rng.normal(size=(100, 2))
        if size == 1:
            pair = others[:, :1] @ rng.normal(size=(1, 2)) + rng.normal(size=(100, 2))
        found.append(FisherZ(table(np.column_stack([pair, others])))("a", "b", NAMES[2 : 2 + size]).p_value)
    assert kstest(found, "uniform").pvalue > 0.01


def test_a_redundant_column_given_adds_nothing(values):
    values[:, 4] = values[:, 2] - 3 * values[:, 3]
    test = FisherZ(table(values))
    with_copy, without = (test.partial_correlation("a", "b", s) for s in (["c", "d", "e"], ["c", "d"]))
    assert with_copy == pytest.approx(without, abs=1e-6)


def test_a_set_that_determines_one_of_the_two_says_nothing(values):
    values[:, 0] = values[:, 2] + values[:, 3]
    assert np.isnan(FisherZ(table(values))("a", "b", ["c", "d"]).p_value)


def test_more_columns_given_than_rows_say_nothing():
    values = np.random.default_rng(0).normal(size=(6, 6))
    test = FisherZ(table(values))
    assert test("a", "b", ["c", "d"]).p_value <= 1
    assert np.isnan(test("a", "b", ["c", "d", "e"]).p_value)


def test_complete_rows_are_used(values):
    values[:20, 3] = np.nan
    assert FisherZ(table(values)).rows_used == 280
    expected = FisherZ(table(values[20:]))("a", "b", ["d"])
    assert FisherZ(table(values))("a", "b", ["d"]).p_value == pytest.approx(expected.p_value)


def test_bad_questions_name_the_column(values):
    test = FisherZ(table(values))
    with pytest.raises(ParameterError, match="'zz'"):
        test("a", "zz")
    with pytest.raises(ParameterError, match="twice"):
        test("a", "b", ["a"])
    with pytest.raises(DataError, match="at least 5"):
        FisherZ(table(values[:4]))
