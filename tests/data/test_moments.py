"""Moments and counts where digits are easily lost, and where there is nothing to sum."""

from __future__ import annotations

from fractions import Fraction

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from whence.data import Moments, read
from whence.data.statistics import moments_of, pool
from whence.discovery.resampling import ResampledRows
from whence.errors import DataError


def exact(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance in rational arithmetic."""
    columns = [[Fraction(float(value)) for value in column] for column in values.T]
    n = len(values)
    mean = [sum(column) / n for column in columns]
    centred = [[value - m for value in column] for column, m in zip(columns, mean)]
    covariance = [[sum(a * b for a, b in zip(x, y)) / (n - 1) for y in centred] for x in centred]
    return np.array([float(m) for m in mean]), np.array([[float(c) for c in row] for row in covariance])


def where(place: str, columns: dict):
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    return table if place == "memory" else duckdb.connect().from_arrow(table)


PLACES = pytest.mark.parametrize("place", ["memory", "duckdb"])


@PLACES
def test_large_means_do_not_eat_the_digits(place):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 4)) * [1, 1e-3, 1e6, 1] + [1e9, 1e5, -1e12, 0]
    values[:, 3] += 1e-9 * values[:, 0]
    mean, covariance = exact(values)
    found = read(where(place, {f"x{k}": values[:, k] for k in range(4)})).moments()
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    np.testing.assert_allclose(found.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(found.covariance / scale, covariance / scale, atol=1e-10)


@PLACES
def test_groups_far_apart_keep_their_digits(place):
    rng = np.random.default_rng(1)
    group = np.repeat(["a", "b", "c"], 100)
    x = rng.normal(size=300) + np.repeat([0.0, 1e9, -1e10], 100)
    y = x - np.repeat([0.0, 1e9, -1e10], 100) + rng.normal(size=300)
    found = read(where(place, {"g": group, "x": x, "y": y})).moments(["x", "y"], by="g")
    for level, moments in found.items():
        mean, covariance = exact(np.column_stack([x, y])[group == level])
        np.testing.assert_allclose(moments.mean, mean, rtol=1e-13, atol=1e-12)
        np.testing.assert_allclose(moments.covariance, covariance, rtol=1e-9)


@PLACES
def test_an_outlier_does_not_spoil_the_other_rows(place):
    x = np.array([1.0, 2.0, 3.0, 4.0, 1e9])
    y = np.array([2.0, 1.0, 4.0, 3.0, 5.0])
    mean, covariance = exact(np.column_stack([x, y]))
    found = read(where(place, {"x": x, "y": y})).moments()
    np.testing.assert_allclose(found.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-12)


@PLACES
def test_a_column_that_does_not_vary_has_a_variance_of_exactly_zero(place):
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1, 2], 333)
    columns = {"flat": np.full(999, 0.1), "steps": group * 0.1 + 0.7, "x": rng.normal(size=999), "g": group}
    table = read(where(place, columns))
    whole = table.moments(["flat", "x"])
    assert whole.mean[0] == 0.1
    assert (whole.covariance[0] == 0).all()
    np.testing.assert_array_equal(whole.correlation, np.eye(2))
    for level, moments in table.moments(["steps", "x"], by="g").items():
        assert (moments.covariance[0] == 0).all()
        assert moments.mean[0] == pytest.approx(level * 0.1 + 0.7, rel=1e-14)


@PLACES
@pytest.mark.parametrize("by", [None, "g"])
def test_values_whose_squares_overflow_are_refused_by_name(place, by):
    table = read(where(place, {"x": [1.5, 2.5, 1.0], "big": [1e200, -1e200, 5e199], "g": ["a", "a", "a"]}))
    with pytest.raises(DataError, match="'big' has values so large") as caught:
        table.moments(["x", "big"], by=by)
    assert caught.value.code == "E104"


@PLACES
def test_nan_and_null_are_both_missing(place):
    x = pa.array([1.0, float("nan"), None, 4.0, 7.0])
    table = read(where(place, {"x": x, "y": [1, 2, 3, None, 6]}))
    assert table.columns["x"].missing == 2
    found = table.moments()
    assert (found.n, found.rows) == (2, 5)
    np.testing.assert_allclose(found.mean, [4.0, 3.5])
    np.testing.assert_allclose(found.covariance, [[18.0, 15.0], [15.0, 12.5]])
    grouped = table.moments(["x"], by="y")
    assert {level: (m.n, m.rows) for level, m in grouped.items()} == {1: (1, 1), 2: (0, 1), 3: (0, 1), 6: (1, 1)}
    assert np.isnan(grouped[2].mean).all()
    assert grouped[1].covariance.tolist() == [[0.0]]


@PLACES
def test_group_without_rows_left_is_listed_as_empty(place):
    table = read(where(place, {"x": [0.5, 1.5, 2.5], "g": ["a", "b", "c"]})).take([0, 1])
    assert {level: m.n for level, m in table.moments(["x"], by="g").items()} == {"a": 1, "b": 1, "c": 0}


@PLACES
def test_continuous_columns_are_no_groups_and_no_counts(place):
    table = read(where(place, {"x": [0.5, 1.5, 2.5], "g": ["a", "b", "c"]}))
    for ask in (lambda: table.moments(["x"], by="x"), lambda: table.counts(["x"])):
        with pytest.raises(DataError) as caught:
            ask()
        assert caught.value.code == "E121"
    with pytest.raises(DataError) as caught:
        table.moments(["g"])
    assert caught.value.code == "E120"
    with pytest.raises(DataError) as caught:
        table.moments(["x"], by="h")
    assert caught.value.code == "E123"


@PLACES
def test_a_table_of_counts_too_large_for_memory_is_refused(place):
    rng = np.random.default_rng(3)
    table = read(where(place, {f"c{k}": rng.integers(0, 90, 2000) for k in range(9)}))
    with pytest.raises(DataError, match="cells") as caught:
        table.counts(table.names)
    assert caught.value.code == "E124"
    assert table.counts(table.names[:2]).table.sum() == 2000


@PLACES
def test_no_columns_use_all_rows(place):
    table = read(where(place, {"x": [0.5, 1.5, 2.5], "g": ["a", "b", "a"]}))
    assert table.moments([]).n == 3
    assert table.counts([]).table == 3
    assert {level: moments.n for level, moments in table.moments([], by="g").items()} == {"a": 2, "b": 1}


def test_blocks_pooled_are_the_whole():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + 1e6
    values[::7, 1] = np.nan
    names = ("a", "b", "c")
    parts = [moments_of(values[:200], names), moments_of(values[:0], names), moments_of(values[200:], names)]
    whole, pooled = moments_of(values, names), pool(parts)
    assert (pooled.n, pooled.rows) == (whole.n, whole.rows)
    np.testing.assert_allclose(pooled.mean, whole.mean, rtol=1e-14)
    np.testing.assert_allclose(pooled.covariance, whole.covariance, rtol=1e-9)
    complete = values[~np.isnan(values).any(axis=1)]
    np.testing.assert_allclose(whole.covariance, np.cov(complete.T), rtol=1e-9)
    nothing = pool([moments_of(values[:0], names)])
    assert nothing.n == 0
    assert np.isnan(nothing.mean).all()


def test_correlation_is_numpys():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(100, 4)) @ rng.normal(size=(4, 4))
    found: Moments = read(values).moments()
    np.testing.assert_allclose(found.correlation, np.corrcoef(values.T), rtol=1e-12)


def test_resampled_tables_answer_by_group_too():
    rng = np.random.default_rng(6)
    table = read({"g": np.repeat(["a", "b"], 50), "x": rng.normal(size=100)})
    drawn = ResampledRows(table).draw(np.random.SeedSequence(0), 1)
    assert sum(moments.n for moments in drawn.moments(["x"], by="g").values()) == 100
    assert drawn.head(3)["x"].to_pylist() == drawn.to_arrow()["x"].to_pylist()[:3]
    assert drawn.with_kinds(g="ordinal").columns["g"].levels == ("a", "b")
