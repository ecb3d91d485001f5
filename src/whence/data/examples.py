"""Real data and known networks that come with installed packages: no network, no download.

Each example knows its roles, units, column descriptions, the order in which its columns were settled, and where
the data were published. Tables come with ``causaldata`` and scikit-learn, networks (sampled, with their true
edges) with ``pgmpy``; only data files of those packages are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whence.data.bif import BayesianNetwork, read_bif
from whence.errors import DataError, MissingExtra, quote_names
from whence.parallel import RandomState, generator

if TYPE_CHECKING:
    from whence.data.dataset import Dataset

__all__ = ["card", "describe", "load", "names", "network", "tiers", "truth"]

_SAMPLED_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Example:
    """The card of one example; the cards are in ``examples.json``.

    Attributes
    ----------
    name, title : str
        Short name, and one line for people.
    package : str
        The installed package whose files hold the data: ``causaldata``, ``sklearn`` or ``pgmpy``.
    file : str
        The data file or loader in that package.
    citation : str
        Where the data were first published.
    columns : mapping of str to str
        Description of every column that is loaded; empty where the package describes them itself.
    units : mapping of str to str
        Units of measurement.
    kinds : mapping of str to str
        Column kinds that cannot be seen from the values.
    roles : mapping of str to str
        Role to column: treatment, outcome, instrument, unit, time, weight.
    tiers : sequence of sequences of str
        Groups of columns in the order in which their values were settled.
    question : str
        What people ask of these data.
    """

    name: str
    title: str
    package: str
    file: str
    citation: str
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    tiers: tuple[tuple[str, ...], ...] = ()
    question: str = ""


def names() -> tuple[str, ...]:
    """Return the names of all examples, tables first, networks by size.

    >>> names()[:3]
    ('nsw_mixtape', 'cps_mixtape', 'lalonde_cps')
    """
    return tuple(_cards())


def card(name: str) -> Example:
    """Return what is known about an example.

    Raises
    ------
    DataError
        E165 for an unknown name, with the names closest to it.

    Examples
    --------
    >>> card("nsw_mixtape").roles["outcome"]
    're78'
    """
    known = _cards()
    if name not in known:
        close = get_close_matches(name, known, n=4, cutoff=0.5)
        remedy = f"Did you mean {quote_names(close)}?" if close else f"There are {quote_names(known, 50)}."
        raise DataError("E165", f"there is no example {name!r}.", remedy)
    return known[name]


def load(name: str, n: int | None = None, random_state: RandomState = 0) -> Dataset:
    """Load an example as a Dataset with its roles, units and kinds.

    Parameters
    ----------
    name : str
        One of `names`.
    n : int, optional
        Number of rows. A network is sampled (5,000 rows by default); a table is complete by default and otherwise
        a random part of it.
    random_state : int or Generator, optional
        Seed of the sample.

    Raises
    ------
    DataError
        E165 for an unknown name, E166 for an impossible number of rows.
    MissingExtra
        If the package that holds the data is not installed.

    Examples
    --------
    >>> load("diabetes").n_rows
    442
    """
    example = card(name)
    if n is not None and n < 1:
        raise DataError("E166", f"{n} rows of {name!r} were asked for.", "Ask for at least one row.")
    if example.package == "pgmpy":
        return network(name).sample(n or _SAMPLED_ROWS, random_state).with_roles(**example.roles).with_source(name)
    columns = _read_columns(example)
    if n is not None:
        columns = _some_rows(columns, n, name, random_state)
    return _as_dataset(example, columns)


def truth(name: str) -> list[tuple[str, str]] | None:
    """Return the true edges of a network as (parent, child), or None where nobody knows them.

    >>> truth("nsw_mixtape") is None
    True
    """
    return network(name).edges if card(name).package == "pgmpy" else None


def network(name: str) -> BayesianNetwork:
    """Return the network behind an example, with its conditional probabilities.

    Raises
    ------
    DataError
        E165 if there is no such example or it is a table.
    """
    example = card(name)
    if example.package != "pgmpy":
        known = [known.name for known in _cards().values() if known.package == "pgmpy"]
        raise DataError("E165", f"the example {name!r} is a table.", f"Networks are {quote_names(known, 30)}.")
    return _read_network(example.file)


def tiers(name: str) -> list[list[str]]:
    """Return the columns in groups, in the order in which their values were settled; empty if not known.

    >>> tiers("nsw_mixtape")[-2:]
    [['treat'], ['re78']]
    """
    return [list(tier) for tier in card(name).tiers]


def describe(name: str) -> dict[str, Any]:
    """Return title, question, columns, units, roles, tiers, source package and citation as plain data.

    >>> describe("close_college")["roles"]["instrument"]
    'nearc4'
    """
    example = card(name)
    return {
        "name": example.name,
        "title": example.title,
        "question": example.question,
        "columns": dict(example.columns),
        "units": dict(example.units),
        "roles": dict(example.roles),
        "tiers": tiers(name),
        "package": example.package,
        "citation": example.citation,
    }


@cache
def _cards() -> dict[str, Example]:
    listed = json.loads((files("whence.data") / "examples.json").read_text(encoding="utf-8"))
    return {
        card["name"]: Example(**{**card, "tiers": tuple(tuple(tier) for tier in card.get("tiers", ()))})
        for card in listed
    }


@cache
def _read_network(file: str) -> BayesianNetwork:
    return read_bif(_package_folder("pgmpy") / "utils" / "example_models" / file)


def _package_folder(package: str) -> Path:
    """Return where a package is installed, without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtra.of(package, "examples", "this example")
    return Path(spec.origin).parent


def _read_columns(example: Example) -> dict[str, np.ndarray]:
    if example.package == "sklearn":
        return _read_sklearn(example)
    if example.name == "lalonde_cps":
        trained, survey = (_read_stata(file) for file in ("nsw_mixtape", "cps_mixtape"))
        keep = trained["treat"] == 1
        return {name: np.concatenate([trained[name][keep], survey[name]]) for name in example.columns}
    table = _read_stata(example.file)
    return {name: table[name] for name in example.columns}


def _read_stata(file: str) -> dict[str, np.ndarray]:
    path = _package_folder("causaldata") / file / f"{file}.dta"
    import pandas as pd

    frame = pd.read_stata(path, convert_categoricals=False)
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def _read_sklearn(example: Example) -> dict[str, np.ndarray]:
    from sklearn import datasets

    options = {"scaled": False} if example.file == "load_diabetes" else {}
    bunch = getattr(datasets, example.file)(**options)
    named = [str(name) for name in bunch.feature_names]
    return {**dict(zip(named, bunch.data.T, strict=True)), example.roles["outcome"]: bunch.target}


def _some_rows(
    columns: Mapping[str, np.ndarray], n: int, name: str, random_state: RandomState
) -> dict[str, np.ndarray]:
    available = len(next(iter(columns.values())))
    if n > available:
        raise DataError("E166", f"{name!r} has {available} rows, {n} were asked for.", f"Ask for at most {available}.")
    rows = np.sort(generator(random_state).permutation(available)[:n])
    return {column: values[rows] for column, values in columns.items()}


def _as_dataset(example: Example, columns: Mapping[str, np.ndarray]) -> Dataset:
    import pyarrow as pa

    from whence.data import read

    table = pa.table({name: _arrow_column(values) for name, values in columns.items()})
    data = read(table, kinds=dict(example.kinds), roles=dict(example.roles), units=dict(example.units))
    return data.with_source(example.name)


def _arrow_column(values: np.ndarray) -> Any:
    """Return an Arrow column; floats that hold whole numbers only are stored as whole numbers."""
    import pyarrow as pa

    if values.dtype.kind != "f":
        return pa.array(values)
    blank = np.isnan(values)
    if np.array_equal(values[~blank], np.floor(values[~blank])):
        return pa.array(np.where(blank, 0, values).astype(np.int64), mask=blank)
    return pa.array(values.astype(np.float64), mask=blank)
