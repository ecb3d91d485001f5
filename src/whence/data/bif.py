"""Reader of the Bayesian interchange format (BIF), and sampling from the networks it holds."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError
from whence.parallel import RandomState, generator

if TYPE_CHECKING:
    from whence.data.dataset import Dataset

# Probabilities are printed with few digits: rows that miss 1 by less than this are rescaled.
_ROUNDING = 0.02

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r'"([^"]*)"|([^\s{}()\[\],;|"]+)')
_BLOCK = re.compile(r"\s*(network|variable|probability)\b\s*([^{}]*)\{", re.IGNORECASE)
_STATES = re.compile(r"\btype\s+discrete\s*(?:\[\s*(\d+)\s*\])?\s*\{([^{}]*)\}", re.IGNORECASE)
_ENTRY = re.compile(r"\s*(?:\(([^()]*)\)|(table|default)\b)\s*(.*)\Z", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class BayesianNetwork:
    """A discrete Bayesian network.

    Attributes
    ----------
    name : str
        Name given in the file.
    levels : mapping of str to tuple of str
        The levels of every variable, in the order of the file.
    parents : mapping of str to tuple of str
        The parents of every variable.
    tables : mapping of str to ndarray
        Conditional probabilities, one axis per parent and the variable's own levels last; the last axis sums
        to 1.

    Examples
    --------
    >>> network = read_bif('''
    ... network small { }
    ... variable rain { type discrete [ 2 ] { yes, no }; }
    ... variable wet { type discrete [ 2 ] { yes, no }; }
    ... probability ( rain ) { table 0.2, 0.8; }
    ... probability ( wet | rain ) { (yes) 0.9, 0.1; (no) 0.1, 0.9; }
    ... ''')
    >>> network.edges
    [('rain', 'wet')]
    """

    name: str
    levels: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, NDArray[np.float64]]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables in the order of the file."""
        return tuple(self.levels)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """The edges as (parent, child)."""
        return [(parent, child) for child in self.levels for parent in self.parents[child]]

    def sample_codes(self, n_rows: int, random_state: RandomState = None) -> NDArray[np.int32]:
        """Draw rows as codes into ``levels``, shape (n, p), one column at a time in causal order."""
        rng = generator(random_state)
        position = {name: index for index, name in enumerate(self.names)}
        codes = np.empty((n_rows, len(position)), dtype=np.int32)
        for name in self._causal_order():
            table = self.tables[name]
            columns = [codes[:, position[parent]] for parent in self.parents[name]]
            flat = np.cumsum(table.reshape(-1, table.shape[-1]), axis=1)[:, :-1]
            row = np.ravel_multi_index(columns, table.shape[:-1]) if columns else np.zeros(n_rows, dtype=np.intp)
            uniform = rng.random(n_rows)
            drawn = np.zeros(n_rows, dtype=np.int32)
            for threshold in flat.T:
                drawn += uniform >= threshold[row]
            codes[:, position[name]] = drawn
        return codes

    def sample(self, n_rows: int, random_state: RandomState = None) -> Dataset:
        """Draw rows as a Dataset of categorical columns, all levels declared even where none was drawn."""
        import pyarrow as pa

        from whence.data import read

        codes = self.sample_codes(n_rows, random_state)
        columns = {
            name: pa.DictionaryArray.from_arrays(pa.array(codes[:, index]), pa.array(levels))
            for index, (name, levels) in enumerate(self.levels.items())
        }
        kinds = {name: _kind(levels) for name, levels in self.levels.items()}
        return read(pa.table(columns), kinds=kinds)

    def _causal_order(self) -> list[str]:
        """Names with parents first; the reader has made sure that there is no cycle."""
        return _parents_first(self.parents)

    def __repr__(self) -> str:
        return f"BayesianNetwork({self.name!r}, {len(self.levels)} variables, {len(self.edges)} edges)"


def read_bif(source: str | Path) -> BayesianNetwork:
    """Read a network from a ``.bif`` or ``.bif.gz`` file, or from the text of one.

    Parameters
    ----------
    source : str or Path
        A path, or text (anything that contains a brace).

    Raises
    ------
    DataError
        E160 with the line number where the text is not a valid network; E161 if the file cannot be read.
    """
    if isinstance(source, str) and "{" in source:
        return _Reader(source, "the text").network()
    path = Path(source)
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8", errors="replace")
    except (OSError, EOFError) as error:
        raise DataError(
            "E161", f"cannot read {str(path)!r}: {error}.", "Give the path of a .bif or .bif.gz file."
        ) from error
    return _Reader(text, repr(path.name)).network()


class _Reader:
    """One pass over the blocks of a file; every complaint knows its line."""

    def __init__(self, text: str, where: str) -> None:
        # Comments become blanks of the same length and lines, so that positions keep their line numbers.
        self.text = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
        self.where = where
        self.name = "unknown"
        self.levels: dict[str, tuple[str, ...]] = {}
        self.parents: dict[str, tuple[str, ...]] = {}
        self.tables: dict[str, NDArray[np.float64]] = {}

    def network(self) -> BayesianNetwork:
        # Probabilities may be written before the variables they speak of, hence two rounds.
        blocks = list(self._blocks())
        for kind, head, body, start in blocks:
            if kind == "variable":
                self._read_variable(head, body, start)
            elif kind == "network" and (words := _words(head)):
                self.name = words[0]
        if not self.levels:
            self._fail(0, "there is no variable")
        for kind, head, body, start in blocks:
            if kind == "probability":
                self._read_probability(head, body, start)
        missing = [name for name in self.levels if name not in self.tables]
        if missing:
            self._fail(len(self.text), f"variable {missing[0]!r} has no probability block")
        parents = {name: self.parents[name] for name in self.levels}
        if len(_parents_first(parents)) < len(parents):
            self._fail(len(self.text), "the edges contain a cycle")
        return BayesianNetwork(self.name, dict(self.levels), parents, {name: self.tables[name] for name in self.levels})

    def _blocks(self) -> Iterator[tuple[str, str, str, int]]:
        """Yield kind, head, body and the body's position of every block at the top level."""
        position = 0
        while self.text[position:].strip():
            found = _BLOCK.match(self.text, position)
            if found is None:
                start = position + len(self.text[position:]) - len(self.text[position:].lstrip())
                self._fail(start, "expected a network, variable or probability block")
            end, depth = found.end(), 1
            while depth:
                brace = re.compile(r"[{}]").search(self.text, end)
                if brace is None:
                    self._fail(found.start(1), f"the {found.group(1)} block is never closed")
                depth += 1 if brace.group() == "{" else -1
                end = brace.end()
            yield found.group(1).lower(), found.group(2), self.text[found.end() : end - 1], found.end()
            position = end

    def _read_variable(self, head: str, body: str, start: int) -> None:
        names = _words(head)
        if len(names) != 1:
            self._fail(start, f"a variable block needs one name, found {head.strip()!r}")
        found = _STATES.search(body)
        if found is None:
            self._fail(start, f"variable {names[0]!r} declares no discrete levels")
        levels = tuple(_words(found.group(2)))
        at = start + found.start()
        if names[0] in self.levels:
            self._fail(at, f"variable {names[0]!r} is declared twice")
        if not levels or len(set(levels)) != len(levels):
            self._fail(at, f"the levels of {names[0]!r} are empty or repeat")
        if found.group(1) is not None and int(found.group(1)) != len(levels):
            self._fail(at, f"variable {names[0]!r} announces {found.group(1)} levels and lists {len(levels)}")
        self.levels[names[0]] = levels

    def _read_probability(self, head: str, body: str, start: int) -> None:
        names = _words(head.replace("|", " "))
        unknown = [name for name in names if name not in self.levels]
        if not names or unknown:
            what = f"variable {unknown[0]!r} is not declared" if unknown else "a probability block names no variable"
            self._fail(start, what)
        child, parents = names[0], tuple(names[1:])
        if child in self.tables:
            self._fail(start, f"variable {child!r} has two probability blocks")
        self.parents[child] = parents
        shape = tuple(len(self.levels[name]) for name in (*parents, child))
        table = np.full(shape, np.nan)
        fallback: NDArray[np.float64] | None = None
        for entry, at in _statements(body, start):
            found = _ENTRY.match(entry)
            if entry.lstrip().startswith("property"):
                continue
            if found is None:
                self._fail(at, f"expected probabilities of {child!r}, found {entry.strip()[:40]!r}")
            numbers = self._numbers(found.group(3), at)
            if found.group(1) is not None:
                table[self._row(child, parents, _words(found.group(1)), at)] = self._fit(numbers, shape[-1:], child, at)
            elif found.group(2).lower() == "default":
                fallback = self._fit(numbers, shape[-1:], child, at)
            else:
                # The flat form of the format runs through the child's levels slowest.
                flat = self._fit(numbers, (shape[-1], *shape[:-1]), child, at)
                table = np.moveaxis(flat, 0, -1)
        if fallback is not None:
            table = np.where(np.isnan(table), fallback, table)
        self.tables[child] = self._normalised(table, child, start)

    def _row(self, child: str, parents: tuple[str, ...], values: list[str], at: int) -> tuple[int, ...]:
        if len(values) != len(parents):
            self._fail(at, f"a row of {child!r} names {len(values)} levels for {len(parents)} parents")
        for parent, value in zip(parents, values, strict=True):
            if value not in self.levels[parent]:
                self._fail(at, f"{value!r} is not a level of {parent!r}")
        return tuple(self.levels[parent].index(value) for parent, value in zip(parents, values, strict=True))

    def _numbers(self, text: str, at: int) -> list[float]:
        try:
            return [float(word) for word in text.replace(",", " ").split()]
        except ValueError as error:
            self._fail(at, str(error))

    def _fit(self, numbers: list[float], shape: tuple[int, ...], child: str, at: int) -> NDArray[np.float64]:
        if len(numbers) != int(np.prod(shape)):
            self._fail(at, f"{child!r} needs {int(np.prod(shape))} probabilities here, found {len(numbers)}")
        return np.array(numbers, dtype=np.float64).reshape(shape)

    def _normalised(self, table: NDArray[np.float64], child: str, at: int) -> NDArray[np.float64]:
        if np.isnan(table).any():
            self._fail(at, f"{child!r} has no probabilities for some levels of its parents")
        totals = table.sum(axis=-1, keepdims=True)
        if (table < 0).any() or np.abs(totals - 1).max() > _ROUNDING:
            self._fail(at, f"the probabilities of {child!r} are negative or do not add up to 1")
        return np.asarray(table / totals)

    def _fail(self, position: int, problem: str) -> NoReturn:
        line = self.text.count("\n", 0, position) + 1
        raise DataError("E160", f"{self.where}, line {line}: {problem}.", "Correct the network file.")


def _kind(levels: tuple[str, ...]) -> str:
    return {1: "constant", 2: "binary"}.get(len(levels), "categorical")


def _words(text: str) -> list[str]:
    """Return the words and quoted strings of a head or a list, commas dropped."""
    return [quoted or plain for quoted, plain in _WORD.findall(text)]


def _statements(body: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield the statements of a block that end in a semicolon, each with its position in the file."""
    for entry in body.split(";"):
        if entry.strip():
            yield entry, start + len(entry) - len(entry.lstrip())
        start += len(entry) + 1


def _parents_first(parents: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the names with parents before children; names on or below a cycle are left out."""
    waiting = {name: len(of) for name, of in parents.items()}
    children: dict[str, list[str]] = {name: [] for name in parents}
    for child, of in parents.items():
        for parent in of:
            children[parent].append(child)
    order = [name for name, count in waiting.items() if count == 0]
    for name in order:
        for child in children[name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                order.append(child)
    return order
