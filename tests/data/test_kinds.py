"""Kinds by hand: what each sort of column is taken for, in memory and where the rows stay away."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whence.data import Kind, read
from whence.data.kinds import Facts, infer_kind, level_numbers
from whence.errors import DataError

ROWS = 30
CASES = {
    "halves": ([k / 2 for k in range(ROWS)], Kind.CONTINUOUS),
    "whole floats": ([float(k) for k in range(ROWS)], Kind.COUNT),
    "whole but for the last": ([*map(float, range(ROWS - 1)), 0.5], Kind.CONTINUOUS),
    "negative whole": ([k - 5 for k in range(ROWS)], Kind.CONTINUOUS),
    "whole from zero": ([k % 7 for k in range(ROWS)], Kind.COUNT),
    "years": ([2000 + k % 9 for k in range(ROWS)], Kind.COUNT),
    "0 and 1": ([k % 2 for k in range(ROWS)], Kind.BINARY),
    "two fractions": ([0.25 + k % 2 for k in range(ROWS)], Kind.BINARY),
    "two dates": ([dt.date(2020, 1, 1 + k % 2) for k in range(ROWS)], Kind.BINARY),
    "yes and no": (["yes" if k % 3 else "no" for k in range(ROWS)], Kind.BINARY),
    "truth": ([k % 3 == 0 for k in range(ROWS)], Kind.BINARY),
    "always true": ([True] * ROWS, Kind.CONSTANT),
    "seven": ([7] * ROWS, Kind.CONSTANT),
    "one word": (["north"] * ROWS, Kind.CONSTANT),
    "nothing": (pa.nulls(ROWS, pa.string()), Kind.CONSTANT),
    "dates": ([dt.date(2020, 1, 1 + k) for k in range(ROWS)], Kind.TIME),
    "moments": ([dt.datetime(2020, 1, 1, 5, k) for k in range(ROWS)], Kind.TIME),
    "zoned": ([dt.datetime(2020, 1, 1, 5, k, tzinfo=dt.UTC) for k in range(ROWS)], Kind.TIME),
    "clock": ([dt.time(5, k) for k in range(ROWS)], Kind.TIME),
    "dates as text": ([f"2020-01-{k + 1:02}" for k in range(ROWS)], Kind.TIME),
    "moments as text": ([f"2020-01-01T05:{k:02}:00Z" for k in range(ROWS)], Kind.TIME),
    "patient_id": ([1000 + k for k in range(ROWS)], Kind.ID),
    "ID": ([f"P{k}" for k in range(ROWS)], Kind.ID),
    "repeated_id": ([k % 5 for k in range(ROWS)], Kind.COUNT),
    "free text": ([f"said {k}" for k in range(ROWS)], Kind.ID),
    "ward": ([f"w{k % 4}" for k in range(ROWS)], Kind.CATEGORICAL),
    "paid": ([k * 3 for k in range(ROWS)], Kind.COUNT),
    "decimals": ([Decimal(k) / 4 for k in range(ROWS)], Kind.CONTINUOUS),
    "large": ([2**60 + k for k in range(ROWS)], Kind.COUNT),
    "unsigned": (pa.array([2**64 - 1 - k for k in range(ROWS)], pa.uint64()), Kind.COUNT),
    "small floats": (pa.array([k / 4 for k in range(ROWS)], pa.float32()), Kind.CONTINUOUS),
    "bytes that count": (pa.array([k % 5 for k in range(ROWS)], pa.int8()), Kind.COUNT),
}


def where(place: str, columns: dict):
    arrays = {name: v if isinstance(v, pa.Array) else pa.array(v) for name, v in columns.items()}
    table = pa.table(arrays)
    if place == "memory":
        return table
    connection = duckdb.connect()
    return connection.from_arrow(table)


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "with gaps"])
@pytest.mark.parametrize("place", ["memory", "duckdb"])
def test_hand_cases(place, gaps):
    columns = {}
    for name, (values, _) in CASES.items():
        array = values if isinstance(values, pa.Array) else pa.array(values)
        columns[name] = pa.concat_arrays([array, pa.nulls(3, array.type)]) if gaps else array
    table = read(where(place, columns))
    found = {name: str(kind) for name, kind in table.kinds().items()}
    assert found == {name: str(kind) for name, (_, kind) in CASES.items()}
    assert all(column.missing == 3 * gaps + ROWS * (name == "nothing") for name, column in table.columns.items())
    assert all(column.reason.startswith(("it", "its")) for column in table.columns.values())


@pytest.mark.parametrize("place", ["memory", "duckdb"])
def test_numbers_behind_binary_constant_and_ordinal_columns(place):
    table = read(
        where(
            place,
            {
                "one_two": [1, 2, 1, 2],
                "words": ["yes", "no", "no", "yes"],
                "true": [True, True, True, True],
                "ones": [1, 1, 1, 1],
                "grade": ["b", "a", "c", "b"],
                "school": [12, 9, 16, 9],
                "days": [dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 1), dt.date(2020, 1, 1)],
            },
        ),
        kinds={"grade": "ordinal", "school": "ordinal", "ones": "binary"},
    )
    expected = np.array(
        [[0, 1, 1, 1, 1, 12, 0], [1, 0, 1, 1, 0, 9, 1], [0, 0, 1, 1, 2, 16, 0], [1, 1, 1, 1, 1, 9, 0]], float
    )
    np.testing.assert_array_equal(table.numeric(), expected)
    np.testing.assert_allclose(table.moments().mean, expected.mean(axis=0))
    np.testing.assert_allclose(table.moments().covariance, np.cov(expected.T), atol=1e-15)


def test_rank_stands_for_levels_that_are_not_numbers():
    assert level_numbers(Kind.ORDINAL, ("low", "mid", "high")) == [0.0, 1.0, 2.0]
    assert level_numbers(Kind.ORDINAL, (9, 12.5)) == [9.0, 12.5]
    assert level_numbers(Kind.BINARY, (9, 12.5)) == [0.0, 1.0]
    assert level_numbers(Kind.BINARY, (1,)) == [1.0]
    assert level_numbers(Kind.CONSTANT, (True,)) == [1.0]


def test_first_rule_that_holds_decides():
    assert infer_kind("id", Facts("integer", 5, 5, True))[0] is Kind.COUNT, "five rows tell nothing of identifiers"
    assert infer_kind("id", Facts("integer", 50, 49, True))[0] is Kind.COUNT
    assert infer_kind("weight", Facts("float", 50, 50, False))[0] is Kind.CONTINUOUS
    assert infer_kind("grid", Facts("integer", 50, 50, True))[0] is Kind.COUNT, "'grid' is not named like an id"
    assert infer_kind("word", Facts("text", 100, 94))[0] is Kind.CATEGORICAL
    assert infer_kind("word", Facts("text", 100, 95))[0] is Kind.ID


def test_categories_keep_their_order_and_lose_levels_that_do_not_occur():
    grades = pd.Categorical(["mid", "low", "mid", None], categories=["low", "mid", "high"], ordered=True)
    wards = pd.Categorical(["z", "a", "b", "a"], categories=["z", "unused", "b", "a"])
    numbers = pd.Categorical([3, 1, 2, 1])
    table = read(pd.DataFrame({"grade": grades, "ward": wards, "number": numbers}))
    assert table.columns["grade"].levels == ("low", "mid")
    assert table.columns["ward"].levels == ("a", "b", "z")
    assert table.columns["number"].levels == (1, 2, 3)
    assert table.columns["grade"].missing == 1
    three = pd.Categorical(["mid", "low", "high", "mid"], categories=["low", "mid", "high"], ordered=True)
    ordinal = read(pd.DataFrame({"grade": three}))
    assert ordinal.columns["grade"].kind is Kind.ORDINAL
    np.testing.assert_array_equal(ordinal.numeric()[:, 0], [1, 0, 2, 1])
    assert table.kinds()["ward"] is Kind.CATEGORICAL
    enum = pl.DataFrame({"grade": pl.Series(["mid", "low", "high"], dtype=pl.Enum(["low", "mid", "high"]))})
    assert read(enum).columns["grade"].levels == ("low", "mid", "high")


def test_declared_missing_value_leaves_the_order_of_categories():
    grades = pd.Categorical(["mid", "n/a", "low", "high"], categories=["low", "mid", "high", "n/a"], ordered=True)
    column = read(pd.DataFrame({"grade": grades}), missing=["n/a"]).columns["grade"]
    assert (column.kind, column.levels, column.missing) == (Kind.ORDINAL, ("low", "mid", "high"), 1)


def test_categories_with_a_missing_category_count_it_as_missing():
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0]), pa.array(["a", None, "b"]))
    table = read(pa.table({"x": encoded}))
    assert table.columns["x"].missing == 1
    assert table.columns["x"].levels == ("a", "b")
    assert table.counts(["x"]).table.tolist() == [2, 1]


@pytest.mark.parametrize("place", ["memory", "duckdb"])
def test_declared_missing_values_reach_times_and_never_mean_another_type(place):
    columns = {
        "day": [dt.date(1900, 1, 1), dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 3)],
        "flag": [True, False, True, False],
        "one": [1, 0, 2, 3],
        "text": ["1", "b", "c", "x"],
    }
    table = read(where(place, columns), missing=["1900-01-01", 1])
    assert [column.missing for column in table.columns.values()] == [1, 0, 1, 1]
    assert read(where(place, columns), missing=[dt.date(1900, 1, 1)]).columns["day"].missing == 1
    assert read(where(place, columns), missing=[True]).columns["flag"].missing == 2


@pytest.mark.parametrize("place", ["memory", "duckdb"])
@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, {"a": 2}], [b"x", b"y"]], ids=["list", "struct", "bytes"])
def test_columns_of_things_are_refused_by_name(place, values):
    with pytest.raises(DataError, match="'thing' holds") as caught:
        read(where(place, {"x": [1.5, 2.5], "thing": values}))
    assert caught.value.code == "E111"
    assert "\n" not in str(caught.value)
