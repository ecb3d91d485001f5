"""Tables whose rows stay away: which queries are sent, and that the rows never come."""

from __future__ import annotations

import dataclasses
import re

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pytest

from whence.data import Kind, read, sources, sql_reading
from whence.discovery import BOSS, PC
from whence.errors import DataError

ROWS = 5000


@pytest.fixture
def asked(monkeypatch):
    """Return the list that every query and the number of rows it brought are written to."""
    queries: list[tuple[str, int]] = []
    plain = sources.Opened

    def spied(*arguments, **settings):
        opened = plain(*arguments, **settings)
        if opened.sql is None:
            return opened

        def run(expression):
            found = opened.run(expression)
            queries.append((str(ibis.to_sql(expression, dialect="duckdb")), found.num_rows))
            return found

        return dataclasses.replace(opened, run=run)

    monkeypatch.setattr(sources, "Opened", spied)
    from whence.data import files

    monkeypatch.setattr(files, "Opened", spied)
    return queries


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    y = x + rng.normal(size=ROWS)
    gaps = np.where(rng.random(ROWS) < 0.1, None, rng.normal(size=ROWS).astype(object))
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "gaps": gaps.tolist(),
        "ward": rng.choice(["north", "south", "east"], ROWS).tolist(),
        "visits": rng.integers(0, 4, ROWS).tolist(),
    }


@pytest.fixture
def few(monkeypatch):
    """Let the first rows be few, so that the queries over all rows decide."""
    monkeypatch.setattr(sql_reading, "SAMPLE_ROWS", 50)


def scans(query: str, table: str = r"whence_relation_\d+|given") -> int:
    return len(re.findall(rf'FROM "(?:{table})"|FROM "memory"\."main"\."given"', query))


@pytest.mark.parametrize("ask", ["moments", "by", "counts", "blocks"])
def test_one_aggregate_query_with_one_scan_answers(lazy_constructor, columns, tmp_path, asked, few, ask):
    source, settings = lazy_constructor(columns, tmp_path)
    table = read(source, **settings)
    asked.clear()
    numbers = ["x", "y", "gaps", "visits"]
    {
        "moments": lambda: table.moments(numbers),
        "by": lambda: table.moments(numbers, by="ward"),
        "counts": lambda: table.counts(["ward", "visits"]),
        "blocks": lambda: table.block_moments(numbers, blocks=7),
    }[ask]()
    ((query, rows),) = asked
    assert scans(query) == 1, query
    assert rows == {"moments": 1, "by": 3, "counts": 12, "blocks": 7}[ask]


def test_reading_and_searching_bring_no_rows_but_the_first(lazy_constructor, columns, tmp_path, asked, few):
    source, settings = lazy_constructor(columns, tmp_path)
    table = read(source, **settings)
    assert len(asked) <= 4
    before = len(asked)
    PC().fit(table.select(["x", "y", "gaps"]))
    assert table.head(3)["x"].to_pylist() == columns["x"][:3]
    table.with_kinds(visits="ordinal").with_roles(outcome="y").with_units({"x": "mg"})
    assert sum("SUM" in query for query, _ in asked[before:]) == 1, "one for the search"
    assert max(rows for _, rows in asked) <= 50
    assert table.in_memory is False


def test_moments_once_asked_for_are_kept_for_every_search(columns, tmp_path, asked):
    table = read(duckdb.connect().from_arrow(pa.table(columns)))
    asked.clear()
    first = table.moments(["x", "visits", "y"])
    turned = table.select(["y", "x", "visits"]).moments()
    assert turned.names == ("y", "x", "visits")
    np.testing.assert_array_equal(turned.mean, first.mean[[2, 0, 1]])
    np.testing.assert_array_equal(turned.covariance, first.covariance[np.ix_([2, 0, 1], [2, 0, 1])])
    for search in (PC(), BOSS()):
        search.fit(table.select(["x", "visits", "y"]))
    assert len(asked) == 1


def test_all_rows_decide_where_the_first_ones_mislead(few):
    rows = 3000
    late = np.arange(rows) >= 2900
    columns = {
        "rarely": np.where(late, 0.5, 0.0),
        "thirds": np.where(late, np.arange(rows) / 3, 0.0),
        "halves": np.where(late, 0.5, np.arange(rows).astype(float)),
        "negative": np.where(late, -1, np.arange(rows)),
        "word": np.where(late, "b", "a"),
        "three": np.where(late, np.where(np.arange(rows) % 2, "b", "c"), "a"),
        "patient_id": np.arange(rows),
        "repeated_id": np.where(late, 1, np.arange(rows)),
        "text": np.array([f"said {k}" for k in range(rows)]),
        "flag": late,
        "unknown": pa.array([None] * 2900 + [1.5] * 100),
        "late": pa.array([None] * 2900 + list(np.arange(100) / 4)),
        "holes": pa.array([float(k) for k in range(2900)] + [None] * 100),
    }
    table = pa.table(columns)
    lazy, memory = read(duckdb.connect().from_arrow(table)), read(table)
    assert lazy.kinds() == memory.kinds()
    assert lazy.kinds()["patient_id"] is Kind.ID
    for name, column in memory.columns.items():
        assert lazy.columns[name].levels == column.levels
        assert lazy.columns[name].missing == column.missing
    numbers = ["rarely", "thirds", "halves", "negative", "word", "flag", "repeated_id"]
    np.testing.assert_allclose(lazy.moments(numbers).mean, memory.moments(numbers).mean, rtol=1e-12)
    np.testing.assert_allclose(lazy.moments(numbers).covariance, memory.moments(numbers).covariance, rtol=1e-9)


def test_identifiers_are_told_from_a_slice_of_the_values_of_a_large_table(few, monkeypatch):
    monkeypatch.setattr(sql_reading, "SLICE_ROWS", 700)
    rows = np.arange(6000)
    columns = {"patient_id": rows * 7, "pair_id": rows // 2, "name": [f"n{k}" for k in rows], "ward": rows % 3}
    table = pa.table({**columns, "ward": [f"w{k}" for k in columns["ward"]], "shared": [f"s{k // 2}" for k in rows]})
    assert read(duckdb.connect().from_arrow(table)).kinds() == read(table).kinds()


def test_sample_is_spread_over_groups_and_values_even_where_values_repeat():
    rng = np.random.default_rng(1)
    groups, values = rng.integers(0, 3, 40_000), rng.choice([0.5, 1.5, 2.5], 40_000)
    table = read(duckdb.connect().from_arrow(pa.table({"g": groups, "x": values})), kinds={"x": "ordinal"})
    drawn = table.sample(4000, random_state=0)
    assert 3700 < drawn.n_rows < 4300
    np.testing.assert_allclose(drawn.counts(["g", "x"]).table / drawn.n_rows, 1 / 9, atol=0.03)
    blocks = table.block_moments(["x"], blocks=10)
    assert len(blocks) == 10
    assert min(block.n for block in blocks) > 3500
    np.testing.assert_allclose([block.mean[0] for block in blocks], 1.5, atol=0.06)


def test_blocks_pooled_are_all_rows(columns):
    from whence.data.statistics import pool

    table = read(duckdb.connect().from_arrow(pa.table(columns)))
    whole, pooled = table.moments(["x", "gaps"]), pool(table.block_moments(["x", "gaps"], blocks=9))
    assert (pooled.n, pooled.rows) == (whole.n, whole.rows)
    np.testing.assert_allclose(pooled.covariance, whole.covariance, rtol=1e-10)


def test_users_connection_is_left_as_it_was(columns):
    connection = duckdb.connect()
    connection.register("arrived", pa.table(columns))
    connection.execute("CREATE TABLE given AS FROM arrived")
    before = connection.sql("SELECT table_name FROM information_schema.tables").fetchall()
    read(connection.sql("FROM given WHERE x > 0")).moments(["x", "y"], by="ward")
    assert connection.sql("SELECT table_name FROM information_schema.tables").fetchall() == before


def test_lazy_false_brings_the_rows(columns, tmp_path):
    table = read(duckdb.connect().from_arrow(pa.table(columns)), lazy=False)
    assert table.in_memory
    np.testing.assert_array_equal(table.numeric(["x"])[:, 0], columns["x"])


def test_types_of_databases_become_types_of_tables():
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE given AS SELECT (range % 5)::HUGEINT AS huge, (range / 4)::DECIMAL(9, 2) AS price, "
        "uuid() AS patient_uuid, ('g' || range % 3)::ENUM('g0', 'g1', 'g2') AS ward, range % 2 = 0 AS flag, "
        "TIMESTAMPTZ '2020-01-01 00:00:00+00' + INTERVAL (range) DAY AS seen FROM range(60)"
    )
    table = read(connection.table("given"))
    assert table.kinds() == {
        "huge": Kind.COUNT, "price": Kind.CONTINUOUS, "patient_uuid": Kind.ID,
        "ward": Kind.CATEGORICAL, "flag": Kind.BINARY, "seen": Kind.TIME,
    }  # fmt: skip
    np.testing.assert_allclose(table.moments(["huge", "price", "flag"]).mean, [2.0, 59 / 8, 0.5])
    assert table.counts(["ward", "flag"]).table.tolist() == [[10, 10]] * 3


def test_a_table_that_is_gone_is_one_line():
    connection = duckdb.connect()
    connection.execute("CREATE TABLE given AS SELECT range / 3 AS x, range AS y FROM range(100)")
    table = read(connection.table("given"))
    connection.execute("DROP TABLE given")
    with pytest.raises(DataError) as caught:
        table.moments()
    assert caught.value.code == "E109"
    assert "\n" not in str(caught.value)


def test_too_many_levels_are_not_listed_but_counted(monkeypatch):
    monkeypatch.setattr(sql_reading, "MOST_LEVELS", 20)
    table = read(duckdb.connect().from_arrow(pa.table({"w": [f"w{k % 40}" for k in range(400)], "x": range(400)})))
    assert table.kinds()["w"] is Kind.CATEGORICAL
    assert table.columns["w"].levels is None
    assert any("'w' has too many values" in note for note in table.notes)
    assert table.counts(["w"]).table.tolist() == [10] * 40
    assert len(table.moments(["x"], by="w")) == 40
