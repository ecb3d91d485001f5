"""Bootstrap confidence of edges: the search again on resampled rows, without copying them where moments suffice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whence.data import Codes, Counts, Dataset, Moments, as_dataset
from whence.data.statistics import pool
from whence.discovery.confidence import Confidence
from whence.errors import DataError, ParameterError
from whence.graph import Mark
from whence.parallel import Progress, RandomState, child_seeds, fan_out, silent

if TYPE_CHECKING:
    import pyarrow as pa

    from whence.data import Column
    from whence.discovery.result import DiscoveryResult

# Beyond memory, rows are resampled in this many random groups, whose moments take one scan.
BLOCKS = 200
# Bytes of graphs that a confidence keeps.
MOST_KEPT = 2**25
# Rows whose products are formed at once, so that a draw needs little room beside the data.
_STRETCH = 65_536


class Search(Protocol):
    """Anything with ``fit(data) -> DiscoveryResult``."""

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table."""


def bootstrap(
    search: Search,
    data: Any,
    *,
    draws: int = 100,
    block_length: int | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress = silent,
) -> Confidence:
    """Run a search on resampled rows and count how often each edge comes back, and in which form.

    Edges are counted on the class that the search returns, so that an undirected edge is an edge. Searches that read
    only moments get weighted moments of the same rows; tables beyond memory are resampled in 200 random groups of rows.

    Parameters
    ----------
    search : object with ``fit(data)``
    data : Dataset or anything `whence.read` takes
    draws : int
        Resampled searches.
    block_length : int, optional
        Rows that follow each other and are drawn together. By default 1, or the cube root of the number of rows where
        the table has a column in the role ``time`` (rows must then be in that order).
    random_state : int or Generator
        The result depends on it, not on ``n_jobs``.
    n_jobs : int, optional
        Threads; all processors by default.

    Returns
    -------
    Confidence
        On the draws made until then if the user interrupts (Ctrl-C).

    Raises
    ------
    DataError
        If the search refuses more than half of the resampled tables.

    References
    ----------
    Friedman, Goldszmidt and Wyner (1999), Data analysis with Bayesian networks: a bootstrap approach; Kunsch (1989) for
    blocks.

    Examples
    --------
    >>> from whence.discovery import PC
    >>> rng = np.random.default_rng(0)
    >>> dose = rng.normal(size=300)
    >>> seen = bootstrap(PC(), {"dose": dose, "cure": dose + rng.normal(size=300)}, draws=20)
    >>> seen.edge("dose", "cure").adjacency, seen.edge("dose", "cure").undirected
    (1.0, 1.0)
    """
    if draws < 1:
        raise ParameterError("E313", f"{draws} bootstrap draws were asked for.", "Give 1 or more.")
    check_rows_are_units(search)
    dataset = as_dataset(data)
    source = ResampledRows(dataset)
    length = _block_length(dataset, block_length)
    samples = [partial(source.draw, seed, length) for seed in child_seeds(random_state, draws)]
    return count_edges(search, dataset, samples, stage="bootstrap", n_jobs=n_jobs, progress=progress)


def check_rows_are_units(search: Any) -> None:
    """Raise ParameterError for a search that compares rows of one unit, which cannot be drawn one by one."""
    unit = getattr(search, "unit", "row")
    if unit != "row":
        raise ParameterError(
            "E313",
            f"the search compares rows of one {unit} with each other; resampling draws rows one by one.",
            "Read the p-values in the result's evidence instead.",
        )


def count_edges(
    search: Search,
    dataset: Dataset,
    samples: Sequence[Callable[[], Dataset]],
    *,
    stage: str,
    n_jobs: int | None,
    progress: Progress,
) -> Confidence:
    """Run a search on every sample and count each edge, in each form; stop at an interrupt and say so."""

    def run(sample: Callable[[], Dataset]) -> NDArray[np.int8] | DataError:
        try:
            found = search.fit(sample())
        except DataError as refusal:  # a rare value may not be among the rows drawn
            return refusal
        if found.interrupted:  # half a search is no draw
            raise KeyboardInterrupt
        return found.graph.marks

    p = len(dataset.names)
    adjacency, forward, undirected = np.zeros((3, p, p))
    done, refused, interrupted = 0, [], False
    graphs: list[NDArray[np.int8]] | None = [] if len(samples) * p * p <= MOST_KEPT else None
    try:
        for marks in fan_out(run, samples, n_jobs=n_jobs, stage=stage, progress=progress):
            if isinstance(marks, DataError):
                refused.append(marks)
                continue
            done += 1
            adjacency += marks != Mark.NONE
            forward += (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
            undirected += (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
            if graphs is not None:
                graphs.append(marks)
    except KeyboardInterrupt:
        if not done:
            raise
        interrupted = True
    if len(refused) > done:
        raise refused[0]
    return Confidence(
        dataset.names,
        adjacency / done,
        forward / done,
        undirected / done,
        draws=done,
        skipped=len(refused),
        library=dataset.library,
        graphs=np.array(graphs) if graphs else None,
        interrupted=interrupted,
    )


def _block_length(data: Dataset, given: int | None) -> int:
    if given is None:
        return int(np.ceil(data.n_rows ** (1 / 3))) if "time" in data.roles else 1
    if not 1 <= given <= data.n_rows:
        raise ParameterError(
            "E313", f"blocks of {given} rows were asked for; the table has {data.n_rows:,}.", "Give 1 to that many."
        )
    return given


class ResampledRows:
    """The rows that are resampled; what is computed from all of them is computed once and shared by the draws."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self._lock = threading.Lock()
        self._kept: dict[Any, Any] = {}

    def draw(self, seed: np.random.SeedSequence, length: int) -> Dataset:
        """Return a table that answers for rows drawn with replacement, in blocks of a length."""
        rng = np.random.default_rng(seed)
        n = self.data.n_rows
        if not self.data.in_memory:
            weights = rng.multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS))
        elif length == 1:
            weights = rng.multinomial(n, np.full(n, 1 / n))
        else:
            weights = _block_weights(n, length, rng)
        return self._table(weights, n, int(rng.integers(2**63)))

    def half(self, seed: np.random.SeedSequence, *, other: bool) -> Dataset:
        """Return a table that answers for a random half of the rows, or of the groups of rows, or for the other."""
        units = self.data.n_rows if self.data.in_memory else BLOCKS
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(units)[: units // 2] if not other else rng.permutation(units)[units - units // 2 :]
        weights = np.zeros(units, dtype=np.int64)
        weights[chosen] = 1
        return self._table(weights, self.data.n_rows // 2, int(rng.integers(2**63)))

    def _table(self, weights: NDArray[np.int64], rows: int, seed: int) -> Dataset:
        table = _ResampledTable(self, weights, rows, seed)
        data = self.data
        return Dataset(table, data.columns.values(), source=data.source, library=data.library, roles=data.roles)

    def centred(self, names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Return complete rows less their mean, the mean, and which rows those are."""

        def compute() -> Any:
            values = self.data.numeric(names)
            complete = ~np.isnan(values).any(axis=1)
            values = values[complete]
            mean = values.mean(axis=0) if len(values) else np.zeros(len(names))
            values -= mean
            return values, mean, complete

        return self._once(("centred", names), compute)  # type: ignore[no-any-return]

    def blocks(self, names: tuple[str, ...]) -> list[Moments]:
        """Return the moments of the groups of rows."""
        return self._once(("blocks", names), lambda: self.data.block_moments(names, blocks=BLOCKS))  # type: ignore[no-any-return]

    def codes(self, names: tuple[str, ...]) -> Codes:
        """Return all rows as codes."""
        return self._once(("codes", names), lambda: self.data.codes(names))  # type: ignore[no-any-return]

    def values(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Return all rows as numbers."""
        return self._once(("values", names), lambda: self.data.numeric(names))  # type: ignore[no-any-return]

    def _once(self, key: Any, compute: Any) -> Any:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = compute()
            return self._kept[key]


class _ResampledTable:
    """Answers for the rows of a source as often as their weights say; a `whence.data.dataset.Table`.

    ``weights`` are by row for a table in memory, by group of rows for one that is not; ``seed`` draws the rows of the
    latter where a method needs them one by one.
    """

    def __init__(self, source: ResampledRows, weights: NDArray[np.int64], rows: int, seed: int) -> None:
        self.in_memory = source.data.in_memory
        self.n_rows = rows
        self._source = source
        self._weights = weights
        self._seed = seed

    def moments(self, columns: Sequence[Column]) -> Moments:
        names = _names(columns)
        if not self.in_memory:
            groups = self._source.blocks(names)
            return pool([group for group, times in zip(groups, self._weights) for _ in range(times)])
        centred, mean, complete = self._source.centred(names)
        return _weighted_moments(names, centred, mean, self._weights[complete].astype(np.float64), self.n_rows)

    def matrix(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        return self._source.values(_names(columns))[self._rows]

    def codes(self, columns: Sequence[Column]) -> Codes:
        coded = self._source.codes(_names(columns))
        return Codes(coded.codes[self._rows], coded.levels, coded.names)

    def block_moments(self, columns: Sequence[Column], blocks: int) -> list[Moments]:
        return self._taken(columns).block_moments(blocks=blocks)

    def counts(self, columns: Sequence[Column]) -> Counts:
        return self._taken(columns).counts(_names(columns))

    def arrow(self, names: Sequence[str]) -> pa.Table:
        return self._source.data.select(names).take(self._rows).to_arrow()

    def sample(self, columns: Sequence[Column], rows: int, seed: int) -> pa.Table:
        chosen = np.random.default_rng(seed).permutation(self.n_rows)[:rows]
        return self.arrow(_names(columns)).take(np.sort(chosen))

    def _taken(self, columns: Sequence[Column]) -> Dataset:
        return self._source.data.select(_names(columns)).take(self._rows)

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        if self.in_memory:
            return np.repeat(np.arange(len(self._weights)), self._weights)
        return np.sort(np.random.default_rng(self._seed).integers(0, self._source.data.n_rows, self.n_rows))


def _names(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


def _weighted_moments(
    names: tuple[str, ...],
    centred: NDArray[np.float64],
    mean: NDArray[np.float64],
    weights: NDArray[np.float64],
    rows: int,
) -> Moments:
    """Return the moments of rows counted as often as their weights say, in stretches, by matrix products."""
    n = int(weights.sum())
    p = len(names)
    total = weights @ centred
    scatter = np.zeros((p, p))
    for start in range(0, len(centred), _STRETCH):
        part = centred[start : start + _STRETCH]
        scatter += (part * weights[start : start + _STRETCH, None]).T @ part
    shift = total / max(n, 1)
    covariance = (scatter - n * np.outer(shift, shift)) / max(n - 1, 1)
    return Moments(names, n, mean + shift, covariance, rows)


def _block_weights(n: int, length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each row is drawn when blocks of rows that follow each other are drawn until n rows are."""
    starts = rng.integers(0, n - length + 1, -(-n // length))
    rows = (starts[:, None] + np.arange(length)).ravel()[:n]
    return np.bincount(rows, minlength=n)
