"""Stability selection: the edges that come back on most halves of the rows, with a bound on how many are false."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from whence.data import as_dataset
from whence.discovery.confidence import Confidence, EdgeConfidence
from whence.discovery.resampling import ResampledRows, Search, check_rows_are_units, count_edges
from whence.errors import ParameterError
from whence.parallel import Progress, RandomState, child_seeds, silent
from whence.results import SCHEMA_VERSION, make_frame, to_jsonable


@dataclass(frozen=True)
class StableEdges:
    """Edges that a search finds on most halves of the rows.

    Attributes
    ----------
    confidence : Confidence
        Over the halves: how often each pair was joined, and in which form.
    threshold : float
        Share of the halves in which a pair must be joined to count as stable.
    mean_edges : float
        Edges found on one half, on average.
    most_false : float
        Bound on the expected number of false edges among the stable ones, ``q^2 / ((2 t - 1) m)`` with q edges found on
        average, the threshold t and m pairs; infinite at a threshold of one half.
    """

    confidence: Confidence
    threshold: float
    mean_edges: float
    most_false: float

    def edges(self) -> tuple[EdgeConfidence, ...]:
        """Return the stable pairs, most often joined first, each turned the way it points more often."""
        stable = [seen for seen in self.confidence.edges() if seen.adjacency >= self.threshold]
        return tuple(
            self.confidence.edge(seen.target, seen.source) if seen.backward > seen.forward else seen for seen in stable
        )

    def table(self) -> Any:
        """Return the stable pairs as a table of the library the data came in."""
        listed = self.edges()
        columns = ("source", "target", "adjacency", "forward", "backward", "undirected", "word")
        return make_frame({name: [getattr(seen, name) for seen in listed] for name in columns}, self.confidence.library)

    def to_dict(self) -> dict[str, Any]:
        """Return threshold, bound and stable pairs as plain JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "threshold": self.threshold,
            "mean_edges": self.mean_edges,
            "most_false": self.most_false if np.isfinite(self.most_false) else None,
            "halves": self.confidence.draws,
            "edges": [to_jsonable(seen) for seen in self.edges()],
        }

    def __repr__(self) -> str:
        shown = ", ".join(f"{seen.source} - {seen.target} {seen.adjacency:.2f}" for seen in self.edges()[:8])
        often = f"in at least {self.threshold:.0%} of {self.confidence.draws} halves"
        bound = f"at most {self.most_false:.2g} expected false"
        return f"StableEdges({len(self.edges())} pairs {often}, {bound}: {shown or 'none'})"


def stability_selection(
    search: Search,
    data: Any,
    *,
    threshold: float | None = None,
    most_false: float = 1.0,
    pairs: int = 50,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress = silent,
) -> StableEdges:
    """Run a search on complementary halves of the rows and keep the pairs that most of them join.

    Parameters
    ----------
    search : object with ``fit(data)``
        A search that errs on the side of finding too much is the better start: selection takes out what is chance.
    data : Dataset or anything `whence.read` takes
    threshold : float, optional
        Share of the halves from which a pair is stable, above 0.5. By default the smallest that keeps the bound on
        false edges at ``most_false``.
    most_false : float
        Expected number of false edges that is accepted, if no threshold is given.
    pairs : int
        Random divisions of the rows in two halves.
    random_state : int or Generator
        The result depends on it, not on ``n_jobs``.
    n_jobs : int, optional
        Threads; all processors by default.

    Returns
    -------
    StableEdges

    Raises
    ------
    ParameterError
        If no threshold keeps the bound, since the search finds too many edges; the message says how many it may find.
    DataError
        If the search refuses more than half of the halves.

    Notes
    -----
    The bound takes false pairs to be exchangeable and the search to be no worse than guessing (Meinshausen and Buhlmann
    2010, theorem 1; complementary halves: Shah and Samworth 2013). "False" means: not joined by the search on all data
    that could be had, which for a search whose assumptions fail is not the truth.

    Examples
    --------
    >>> from whence.discovery import PC
    >>> rng = np.random.default_rng(0)
    >>> table = {name: rng.normal(size=400) for name in ("age", "dose", "luck", "mood", "rain")}
    >>> table["cure"] = table["dose"] + rng.normal(size=400)
    >>> found = stability_selection(PC(alpha=0.05), table)
    >>> [(sorted((edge.source, edge.target)), edge.adjacency) for edge in found.edges()]
    [(['cure', 'dose'], 1.0)]
    """
    if threshold is not None and not 0.5 < threshold <= 1:
        raise ParameterError("E313", f"the threshold is {threshold}.", "Give a share above 0.5 and up to 1.")
    if pairs < 1 or most_false <= 0:
        wrong = f"pairs is {pairs}" if pairs < 1 else f"most_false is {most_false}"
        raise ParameterError("E313", f"{wrong}.", "Give 1 or more divisions and a positive number of false edges.")
    check_rows_are_units(search)
    dataset = as_dataset(data)
    rows = ResampledRows(dataset)
    seeds = child_seeds(random_state, pairs)
    samples = [partial(rows.half, seed, other=other) for seed in seeds for other in (False, True)]
    seen = count_edges(search, dataset, samples, stage="stability selection", n_jobs=n_jobs, progress=progress)
    p = len(dataset.names)
    possible = p * (p - 1) / 2
    mean_edges = float(np.triu(seen.adjacency, k=1).sum())
    if threshold is None:
        threshold = 0.5 * (1 + mean_edges**2 / (most_false * possible))
        if threshold > 1:
            affordable = np.sqrt(most_false * possible)
            raise ParameterError(
                "E313",
                f"the search joins {mean_edges:.1f} pairs on half of the rows; to expect {most_false:g} false edges or "
                f"fewer it may join {affordable:.1f}.",
                "Use a stricter search (smaller alpha or larger penalty), or set most_false= or threshold=.",
            )
        threshold = max(threshold, 0.5 + 0.5 / seen.draws)
    bound = mean_edges**2 / ((2 * threshold - 1) * possible) if threshold > 0.5 else np.inf
    return StableEdges(seen, float(threshold), mean_edges, float(bound))
