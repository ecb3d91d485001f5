"""The sources of one table: every reader as a fixture, so that a test of reading runs on all of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# `make test` tries the same examples each time, so that what is red stays red; `make test-all` looks for new ones.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore")
settings.load_profile(os.environ.get("WHENCE_EXAMPLES", "repeat"))

# Processes started in the background may ignore Ctrl-C, and so would the tests of interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Columns = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Constructor:
    """A way to hold a table: from named columns of Python values, None where missing, to something `whence.read` takes.

    ``settings`` go to `whence.read` with it; ``library`` is what the table is known to come from; ``lazy`` tells
    whether its rows stay where they are.
    """

    name: str
    make: Callable[[Columns, Path], Any]
    library: str
    lazy: bool = False
    settings: Callable[[Columns], dict[str, Any]] = lambda columns: {}

    def __call__(self, columns: Columns, folder: Path) -> tuple[Any, dict[str, Any]]:
        """Return the source and the settings to read it with."""
        return self.make(columns, folder), self.settings(columns)


def _arrow(columns: Columns, folder: Path | None = None) -> Any:
    import pyarrow as pa

    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _pandas(columns: Columns, folder: Path) -> Any:
    return _arrow(columns).to_pandas()


def _pandas_nullable(columns: Columns, folder: Path) -> Any:
    import pandas as pd

    return pd.DataFrame({name: pd.array(_arrow(columns).column(name).to_pylist()) for name in columns})


def _polars(columns: Columns, folder: Path) -> Any:
    import polars as pl

    return pl.DataFrame(dict(columns), strict=False)


def _polars_lazy(columns: Columns, folder: Path) -> Any:
    return _polars(columns, folder).lazy()


def _numpy(columns: Columns, folder: Path) -> Any:
    import numpy as np

    array = np.empty((len(next(iter(columns.values()))), len(columns)), dtype=object)
    for k, values in enumerate(columns.values()):
        array[:, k] = values
    return array


def _named(columns: Columns) -> dict[str, Any]:
    return {"names": list(columns)}


def _mapping(columns: Columns, folder: Path) -> Any:
    return dict(columns)


def _csv(columns: Columns, folder: Path) -> Any:
    import csv

    path = folder / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([["NA" if value is None else value for value in row] for row in zip(*columns.values())])
    return path


def _parquet(columns: Columns, folder: Path) -> Any:
    import pyarrow.parquet as pq

    path = folder / "table.parquet"
    pq.write_table(_arrow(columns), path)
    return path


def _feather(columns: Columns, folder: Path) -> Any:
    from pyarrow import feather

    path = folder / "table.arrow"
    feather.write_feather(_arrow(columns), path)
    return path


def _json(columns: Columns, folder: Path) -> Any:
    import json

    path = folder / "table.jsonl"
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def _ibis(columns: Columns, folder: Path) -> Any:
    import warnings

    import ibis

    connection = ibis.duckdb.connect()
    connection.con.register("arrived", _arrow(columns))
    connection.con.execute("CREATE TABLE given AS FROM arrived")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Ibis asks DuckDB by a name of its past
        return connection.table("given")


def _duckdb(columns: Columns, folder: Path) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.register("arrived", _arrow(columns))
    connection.execute("CREATE TABLE given AS FROM arrived")
    return connection.table("given")


def _database(columns: Columns, folder: Path) -> Any:
    import duckdb

    path = folder / "store.db"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.register("arrived", _arrow(columns))
        connection.execute("CREATE TABLE given AS FROM arrived")
    return f"duckdb:///{path}::given"


def _lazily(columns: Columns) -> dict[str, Any]:
    return {"lazy": True}


CONSTRUCTORS = (
    Constructor("pandas", _pandas, "pandas"),
    Constructor("pandas-nullable", _pandas_nullable, "pandas"),
    Constructor("polars", _polars, "polars"),
    Constructor("polars-lazy", _polars_lazy, "polars"),
    Constructor("pyarrow", _arrow, "pyarrow"),
    Constructor("numpy", _numpy, "numpy", settings=_named),
    Constructor("mapping", _mapping, "pyarrow"),
    Constructor("csv", _csv, "pyarrow"),
    Constructor("parquet", _parquet, "pyarrow"),
    Constructor("feather", _feather, "pyarrow"),
    Constructor("json", _json, "pyarrow"),
    Constructor("csv-lazy", _csv, "sql", lazy=True, settings=_lazily),
    Constructor("parquet-lazy", _parquet, "sql", lazy=True, settings=_lazily),
    Constructor("feather-lazy", _feather, "sql", lazy=True, settings=_lazily),
    Constructor("json-lazy", _json, "sql", lazy=True, settings=_lazily),
    Constructor("ibis", _ibis, "sql", lazy=True),
    Constructor("duckdb-relation", _duckdb, "sql", lazy=True),
    Constructor("duckdb-file", _database, "sql", lazy=True),
)
LAZY = tuple(constructor for constructor in CONSTRUCTORS if constructor.lazy)


@pytest.fixture(params=CONSTRUCTORS, ids=lambda constructor: constructor.name)
def constructor(request: pytest.FixtureRequest) -> Constructor:
    """Every sort of source that `whence.read` takes."""
    return request.param


@pytest.fixture(params=LAZY, ids=lambda constructor: constructor.name)
def lazy_constructor(request: pytest.FixtureRequest) -> Constructor:
    """Every sort of source whose rows stay where they are."""
    return request.param
