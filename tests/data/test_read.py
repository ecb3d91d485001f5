"""One table through every reader: the same names, kinds, missing values, levels, moments and counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from whence.data import Dataset, Kind, read
from whence.errors import DataError, ParameterError

TABLE = {
    "dose": [0.5, 1.25, None, 2.5, 3.75, 0.25, 1.5, 2.25],
    "visits": [0, 3, 1, None, 7, 2, 2, 5],
    "change": [-2, 3, 1, 4, -7, 2, 2, 5],
    "ward": ["north", "south", "east", "east", None, "north", "south", "east"],
    "treated": ["yes", "no", "no", "yes", "yes", "no", "yes", "no"],
    "alive": [True, False, True, True, None, False, True, True],
    "site": [3, 3, 3, 3, 3, 3, 3, 3],
}
KINDS = {
    "dose": Kind.CONTINUOUS,
    "visits": Kind.COUNT,
    "change": Kind.CONTINUOUS,
    "ward": Kind.CATEGORICAL,
    "treated": Kind.BINARY,
    "alive": Kind.BINARY,
    "site": Kind.CONSTANT,
}
MISSING = {"dose": 1, "visits": 1, "change": 0, "ward": 1, "treated": 0, "alive": 1, "site": 0}
NUMBERS = ["dose", "visits", "change", "treated", "alive", "site"]
FRAME = pd.DataFrame(TABLE).assign(
    treated=lambda t: (t["treated"] == "yes").astype(float), alive=lambda t: t["alive"].astype(float)
)[NUMBERS]


@pytest.fixture
def table(constructor, tmp_path) -> Dataset:
    source, settings = constructor(TABLE, tmp_path)
    return read(source, **settings)


def test_names_kinds_missing_values_and_levels_are_the_tables_own(table):
    assert table.names == tuple(TABLE)
    assert table.kinds() == KINDS
    assert {name: column.missing for name, column in table.columns.items()} == MISSING
    assert table.n_rows == 8
    assert table.columns["ward"].levels == ("east", "north", "south")
    assert table.columns["alive"].levels == (False, True)
    assert table.columns["site"].levels == (3,)
    assert table.columns["dose"].levels is None


def test_moments_are_those_of_pandas_over_complete_rows(table):
    complete = FRAME.dropna()
    found = table.moments(NUMBERS)
    assert (found.n, found.rows, found.rows_used) == (len(complete), 8, len(complete))
    np.testing.assert_allclose(found.mean, complete.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, complete.cov(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("by", ["ward", "treated", "alive", "visits"])
def test_moments_by_group_are_those_of_pandas(table, by):
    wanted = ["dose", "change", "treated"]
    groups = {_plain(level): rows for level, rows in FRAME.groupby(pd.Series(TABLE[by], dtype=object))}
    found = table.moments(wanted, by=by)
    assert list(found) == sorted(groups)
    for level, rows in groups.items():
        complete = rows[wanted].dropna()
        assert (found[level].n, found[level].rows) == (len(complete), len(rows))
        np.testing.assert_allclose(found[level].mean, complete.mean(), rtol=1e-12)
        if len(complete) > 1:
            np.testing.assert_allclose(found[level].covariance, complete.cov(), rtol=1e-12, atol=1e-12)


def _plain(level):
    return int(level) if isinstance(level, float) else level


def test_counts_are_those_of_pandas_over_complete_rows(table):
    for names in (["ward"], ["ward", "treated"], ["alive", "treated", "ward"], ["visits", "alive"]):
        complete = pd.DataFrame(TABLE)[names].dropna()
        found = table.counts(names)
        assert found.names == tuple(names)
        assert found.rows_used == len(complete) == found.table.sum()
        for cell in np.ndindex(found.table.shape):
            values = [levels[k] for levels, k in zip(found.levels, cell)]
            assert found.table[cell] == (complete == values).all(axis=1).sum()


def test_library_of_the_tables_it_returns_is_the_users(constructor, table, tmp_path):
    assert table.library == constructor.library
    assert table.in_memory is not constructor.lazy
    of = {"pandas": "pandas", "polars": "polars"}.get(constructor.library, "pyarrow")
    assert type(table.table()).__module__.split(".")[0] == of
    taken = table.take([0, 1]).to_native()
    assert type(taken).__module__.split(".")[0] == {"sql": "pyarrow"}.get(constructor.library, constructor.library)


def test_users_own_table_comes_back(constructor, tmp_path):
    source, settings = constructor(TABLE, tmp_path)
    table = read(source, **settings)
    built = constructor.name == "mapping" or isinstance(source, (str, Path))
    assert (table.to_native() is source) is not built


def test_first_rows_numbers_codes_and_gaps_are_the_tables_own(table):
    head = table.head(2)
    of = table.library if table.library in ("pandas", "polars") else "pyarrow"
    assert type(head).__module__.split(".")[0] == of
    assert read(head).to_arrow().column("dose").to_pylist() == TABLE["dose"][:2]
    assert (len(head), len(table)) == (2, len(TABLE["dose"]))
    np.testing.assert_array_equal(table.numeric(NUMBERS), FRAME.to_numpy(float))
    coded = table.codes(["ward", "alive"])
    np.testing.assert_array_equal(coded.codes[:, 0], [1, 2, 0, 0, -1, 1, 2, 0])
    np.testing.assert_array_equal(coded.codes[:, 1], [1, 0, 1, 1, -1, 0, 1, 1])
    np.testing.assert_array_equal(np.flatnonzero(table.is_missing("ward")), [4])
    assert table.complete().n_rows == 5


def test_declared_values_are_missing_counted_and_noted(constructor, tmp_path):
    columns = {
        "age": [31.5, -999.0, 44.25, 29.0, None, -999.0],
        "visits": [1, 2, -999, 4, 5, 6],
        "score": ["1.5", "n/a", "2.5", "4", "0.5", " n/a "],
        "ward": ["a", "b", "c", "n/a", "a", "b"],
        "calm": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
    }
    source, settings = constructor(columns, tmp_path)
    table = read(source, missing=["n/a", -999], **settings)
    assert {name: column.missing for name, column in table.columns.items()} == {
        "age": 3, "visits": 1, "score": 2, "ward": 1, "calm": 0
    }  # fmt: skip
    assert table.kinds()["score"] is Kind.CONTINUOUS
    assert table.columns["ward"].levels == ("a", "b", "c")
    found = table.moments(["age", "score"])
    complete = np.array([[31.5, 1.5], [44.25, 2.5], [29.0, 4.0]])
    assert found.n == 3
    np.testing.assert_allclose(found.mean, complete.mean(axis=0))
    np.testing.assert_allclose(found.covariance, np.cov(complete.T))
    notes = " ".join(table.notes)
    for said in ("2 values of 'age' were", "1 value of 'visits' was", "2 values of 'score'", "1 value of 'ward'"):
        assert said in notes
    assert "'calm'" not in notes


def test_one_text_declared_missing_is_a_word_and_not_its_letters(constructor, tmp_path):
    source, settings = constructor({"word": ["n/a", "n", "a", "n"], "x": [0.5, 1.5, 2.5, 3.5]}, tmp_path)
    assert read(source, missing="n/a", **settings).columns["word"].missing == 1


def test_kinds_roles_and_units_are_overridden(constructor, tmp_path):
    source, settings = constructor(TABLE, tmp_path)
    table = read(
        source, kinds={"visits": "ordinal"}, roles={"treatment": "treated", "outcome": "dose"},
        units={"dose": "mg"}, **settings,
    )  # fmt: skip
    assert table.columns["visits"].kind is Kind.ORDINAL
    assert table.columns["visits"].levels == (0, 1, 2, 3, 5, 7)
    assert table.columns["visits"].reason == "it was declared so"
    assert dict(table.roles) == {"treatment": "treated", "outcome": "dose"}
    assert table.unit("dose") == "mg"
    again = table.with_kinds(visits="count", change="categorical").with_roles(outcome=None, time="visits")
    assert again.columns["visits"].kind is Kind.COUNT
    assert again.columns["change"].levels == (-7, -2, 1, 2, 3, 4, 5)
    assert dict(again.roles) == {"treatment": "treated", "time": "visits"}
    assert again.columns["change"].missing == 0
    assert again.columns["dose"].unit == "mg"


@pytest.mark.parametrize(
    ("settings", "error", "code", "says"),
    [
        ({"kinds": {"dos": "count"}}, DataError, "E123", "'dos'"),
        ({"units": {"dos": "mg"}}, DataError, "E123", "'dos'"),
        ({"kinds": {"dose": "number"}}, ParameterError, "E112", "'number'"),
        ({"kinds": {"ward": "continuous"}}, DataError, "E112", "'ward'"),
        ({"kinds": {"visits": "binary"}}, DataError, "E112", "'visits'"),
        ({"roles": {"cause": "dose"}}, DataError, "E122", "'cause'"),
        ({"roles": {"treatment": "Dose"}}, DataError, "E123", "'dose'"),
    ],
)
def test_declarations_that_do_not_fit_name_the_column(constructor, tmp_path, settings, error, code, says):
    source, own = constructor(TABLE, tmp_path)
    with pytest.raises(error) as caught:
        read(source, **settings, **own)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_infinite_values_are_refused_by_name_unless_declared_missing(constructor, tmp_path):
    if constructor.name.startswith("json"):
        pytest.skip("JSON has no infinite values")
    source, settings = constructor({"ok": [0.5, 1.5, 2.5], "dose": [1.5, float("inf"), 2.5]}, tmp_path)
    with pytest.raises(DataError, match="'dose' has 1 infinite value") as caught:
        read(source, **settings)
    assert caught.value.code == "E104"
    table = read(source, missing=[float("inf")], **settings)
    assert table.columns["dose"].missing == 1
    assert table.moments().n == 2


def test_numbers_with_stray_words_are_refused_with_the_words(constructor, tmp_path):
    source, settings = constructor({"age": ["31", "44", "?", "29", "50"], "x": [1, 2, 3, 4, 5]}, tmp_path)
    with pytest.raises(DataError, match="'age' has 1 value that is not numeric") as caught:
        read(source, **settings)
    assert caught.value.code == "E103"
    assert "'?'" in str(caught.value)
    assert read(source, missing=["?"], **settings).moments(["age"]).mean[0] == 38.5
    assert read(source, kinds={"age": "categorical"}, **settings).kinds()["age"] is Kind.CATEGORICAL


def test_odd_names_arrive_as_they_are(constructor, tmp_path):
    odd = ("a, b", 'say "so"', "it's [here] {now}", "-> cause", "select", "größe 🚀", "x" * 300, "  spaced  ", "v0")
    columns = {name: [float(k), k + 0.5, k * 2.25, k - 1.75] for k, name in enumerate(odd)}
    source, settings = constructor(columns, tmp_path)
    table = read(source, **settings)
    assert table.names == odd
    np.testing.assert_allclose(table.moments().mean, [np.mean(values) for values in columns.values()], rtol=1e-12)
    assert table.sample(4, random_state=0).n_rows == 4
    assert sum(part.n for part in table.block_moments(blocks=2)) == 4


def test_no_value_at_all_is_a_constant_without_levels(constructor, tmp_path):
    if constructor.name in ("json", "json-lazy", "csv-lazy", "duckdb-relation", "duckdb-file", "ibis"):
        columns = {"x": [0.5, 1.5, 2.5], "empty": [None, None, "word"]}
    else:
        columns = {"x": [0.5, 1.5, 2.5], "empty": [None, None, None]}
    source, settings = constructor(columns, tmp_path)
    table = read(source, missing=["word"], **settings)
    column = table.columns["empty"]
    assert (column.kind, column.missing, column.levels) == (Kind.CONSTANT, 3, ())
    assert column.reason == "it holds no value"
    found = table.moments()
    assert (found.n, found.rows) == (0, 3)
    assert np.isnan(found.mean).all()
    assert np.isnan(found.covariance).all()
    assert table.counts(["empty"]).rows_used == 0


def test_same_seed_same_sample(constructor, tmp_path):
    rng = np.random.default_rng(0)
    columns = {"x": rng.normal(size=500).tolist(), "k": rng.integers(0, 3, 500).tolist()}
    source, settings = constructor(columns, tmp_path)
    drawn = [read(source, **settings).sample(100, random_state=seed).to_arrow() for seed in (1, 1, 2)]
    assert drawn[0].equals(drawn[1])
    assert not drawn[0].equals(drawn[2])
    assert drawn[0].num_rows == 100 or (constructor.lazy and 60 < drawn[0].num_rows < 140)
    rows = set(zip(columns["x"], columns["k"]))
    assert set(zip(drawn[0]["x"].to_pylist(), drawn[0]["k"].to_pylist())) <= rows


def test_fingerprint_does_not_depend_on_the_library(table):
    assert table.fingerprint() == read(dict(TABLE)).fingerprint()


def test_tables_that_are_not_tables_are_refused_in_one_line():
    for source, code in [
        (5, "E105"),
        ({"a": 5, "b": [1, 2]}, "E113"),
        ({"a": "text", "b": [1, 2]}, "E113"),
        ({"a": np.ones((2, 2))}, "E113"),
        ({"a": [1, 2], "b": [1, 2, 3]}, "E113"),
        (np.ones(3), "E113"),
        (np.ones((3, 2, 2)), "E113"),
        ({"a": [1, "x", 2.0]}, "E111"),
        ({"a": [[1], [2]]}, "E111"),
        ({"a": [b"x", b"y"]}, "E111"),
        ({"a": np.array([1j, 2j])}, "E111"),
        ({"a": [{"b": 1}, {"b": 2}]}, "E111"),
        (pd.DataFrame({"ok": [1, 2, 3], "bad": [1, "x", 2.0]}), "E111"),
        (pd.DataFrame({"bad": pd.period_range("2020", periods=3, freq="M")}), "E111"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "E102"),
        ({1: [1, 2], "1": [3, 4]}, "E102"),
        ({"": [1, 2]}, "E102"),
        ({}, "E101"),
        ({"a": []}, "E101"),
        (pd.DataFrame(), "E101"),
        (np.ones((0, 2)), "E101"),
    ]:
        with pytest.raises(DataError) as caught:
            read(source)
        assert caught.value.code == code, (source, str(caught.value))
        assert caught.value.remedy
        assert "\n" not in str(caught.value)
        if code == "E111":
            assert "'a'" in str(caught.value) or "'bad'" in str(caught.value)


def test_names_are_for_arrays_and_as_many_as_columns():
    with pytest.raises(DataError, match="3 names were given for 2 columns"):
        read(np.ones((4, 2)), names=["a", "b", "c"])
    with pytest.raises(DataError, match="names= is for arrays"):
        read({"a": [1, 2]}, names=["b"])
    table = read(np.arange(6.0).reshape(3, 2))
    assert table.names == ("x1", "x2")
    assert "x1, x2" in table.notes[0]


def test_reading_again_adds_declarations():
    table = read({"dose": [1.5, -1.0, 2.5], "cure": [1, 2, 3]}, roles={"treatment": "dose"}, units={"dose": "mg"})
    again = read(table, missing=[-1], kinds={"cure": "ordinal"}, roles={"outcome": "cure"})
    assert again.columns["dose"].missing == 1
    assert dict(again.roles) == {"treatment": "dose", "outcome": "cure"}
    assert again.columns["cure"].kind is Kind.ORDINAL
    assert read(table) is not None
    assert table.columns["dose"].missing == 0


def test_columns_are_left_out_before_they_are_looked_at(constructor, tmp_path):
    columns = {**TABLE, "family": ["1", "2", "3", "4", "136A", "6", "7", "8"]}
    source, settings = constructor(columns, tmp_path)
    for drop in (["family", "site"], ("family",), "family"):
        left = read(source, drop=drop, **settings)
        gone = {drop} if isinstance(drop, str) else set(drop)
        assert left.names == tuple(name for name in columns if name not in gone)
        assert tuple(left.to_arrow().column_names) == left.names
    with pytest.raises(DataError, match=r"drop= names 'Family'.*Did you mean 'family'"):
        read(source, drop=["Family"], **settings)


def test_datasets_without_some_of_their_columns():
    data = read(TABLE, roles={"treatment": "dose", "outcome": "change"})
    assert data.drop(["dose", "site"]).names == ("visits", "change", "ward", "treated", "alive")
    assert dict(data.drop("dose").roles) == {"outcome": "change"}
    assert data.drop([]) is data
    assert read(data, drop=["ward"]).names == data.drop("ward").names
    with pytest.raises(DataError, match="Did you mean 'dose'"):
        data.drop("Dose")


@pytest.mark.parametrize(
    ("asked", "says"), [("Dose", "Did you mean 'dose'"), ("doze", "Closest: 'dose'"), (1, "Columns")]
)
def test_columns_that_are_not_there_are_suggested(asked, says):
    with pytest.raises(DataError, match=says):
        read(TABLE).numeric([asked])


def test_a_dataset_as_plain_json():
    data = read(TABLE, roles={"outcome": "change"})
    plain = json.loads(json.dumps(data.to_dict()))
    assert plain["rows"] == 8
    assert [(column["name"], column["kind"]) for column in plain["columns"]] == [(n, str(k)) for n, k in KINDS.items()]


def test_stray_text_names_every_way_out_also_on_the_command_line():
    columns = {"family, old": ["1", "2", "3", "136A"], "x": [1, 2, 3, 4]}
    with pytest.raises(DataError) as refused:
        read(columns)
    for way in ("--missing 136A", "--kind 'family, old'=categorical", "--drop '\"family, old\"'", "drop="):
        assert way in refused.value.remedy
    assert read(columns, missing=["136A"]).kinds()["family, old"] is Kind.COUNT
    assert read(columns, kinds={"family, old": "categorical"}).names == tuple(columns)


def test_a_dataset_counts_in_words():
    assert repr(read({"x": [1.5]})) == "the table: 1 row, 1 column: x (constant)"
    assert repr(read({"x": [1, 2], "y": [1, 1]})).startswith("the table: 2 rows, 2 columns: ")


def test_distinct_values_are_counted_when_asked_for():
    data = read({"x": [0.5, 1.25, np.nan, 0.5, 2.0], "k": [1, 1, 2, 3, 3], "s": ["a", None, "a", "b", "b"]})
    assert data.columns["x"].distinct == 3  # its first values do not settle its kind
    plain = read({"x": [0.5, 1.25, 3.5, 0.5, np.nan]})
    assert plain.columns["x"].distinct is None
    assert plain.distinct("x") == 3
    assert [data.take([0, 3]).distinct(name) for name in data.names] == [1, 2, 2]


def test_an_array_of_floats_is_read_as_the_same_columns_in_a_table():
    values = np.random.default_rng(3).normal(size=(50, 4))
    values[:, 1] = np.arange(50) % 3
    values[7, 2] = np.nan
    names = ["a", "b", "c", "d"]
    array, table = read(values, names=names), read({name: values[:, k] for k, name in enumerate(names)})
    assert list(array.columns.values()) == list(table.columns.values())
    assert array.fingerprint() == table.fingerprint()
    chosen = ["d", "a", "c"]
    assert np.array_equal(array.numeric(chosen), table.numeric(chosen), equal_nan=True)
    for one, other in ((array.moments(chosen), table.moments(chosen)), (array.moments(), table.moments())):
        assert one.n == other.n
        np.testing.assert_array_equal(one.covariance, other.covariance)
        np.testing.assert_array_equal(one.mean, other.mean)


def test_an_array_of_whole_numbers_is_read_as_the_same_columns_in_a_table():
    rng = np.random.default_rng(4)
    values = np.column_stack([rng.integers(-3, 3, 60), rng.integers(0, 2, 60), rng.integers(0, 10**9, 60), [7] * 60])
    names = ["a", "b", "c", "d"]
    kinds = {"a": "categorical"}
    array = read(values, names=names, kinds=kinds)
    table = read({name: values[:, k] for k, name in enumerate(names)}, kinds=kinds)
    assert list(array.columns.values()) == list(table.columns.values())
    assert array.fingerprint() == table.fingerprint()
    for chosen in (["b", "a"], ["a"]):
        one, other = array.codes(chosen), table.codes(chosen)
        assert one.levels == other.levels
        assert np.array_equal(one.codes, other.codes)
    assert np.array_equal(array.numeric(["c", "b"]), table.numeric(["c", "b"]))
    few = array.take([5, 2, 9]), table.take([5, 2, 9])
    assert np.array_equal(few[0].codes(["a", "b"]).codes, few[1].codes(["a", "b"]).codes)
    assert few[0].codes(["a"]).levels == array.codes(["a"]).levels


@pytest.mark.parametrize("in_table", [True, False])
@pytest.mark.parametrize("kind", [np.int8, np.uint64, np.int64])
def test_whole_numbers_at_the_ends_of_their_type(kind, in_table):
    ends = np.iinfo(kind)
    values = np.array([ends.min, ends.max, ends.max, 1], dtype=kind)
    data = read(pa.table({"k": pa.array(values)})) if in_table else read(values[:, None], names=["k"])
    column = data.with_kinds(k="ordinal").columns["k"]
    assert column.levels == tuple(sorted({int(ends.min), 1, int(ends.max)}))
    assert data.with_kinds(k="ordinal").codes().codes[:, 0].tolist() == ([0, 2, 2, 1])
