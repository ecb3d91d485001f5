"""How often a resampled search finds each edge again: adjacency and direction, kept apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import ParameterError, quote_names
from whence.results import SCHEMA_VERSION, make_frame, to_jsonable

HIGH = 0.9
MODERATE = 0.5


@dataclass(frozen=True, slots=True)
class EdgeConfidence:
    """The shares of draws in which two columns are joined, and how.

    Attributes
    ----------
    adjacency : float
        Share of draws with an edge between the two, of any form.
    forward, backward, undirected : float
        Share of draws with ``source -> target``, ``target -> source``, ``source --- target``.
    """

    source: str
    target: str
    adjacency: float
    forward: float
    backward: float
    undirected: float

    @property
    def direction(self) -> float | None:
        """Share of the edge's mass that points forward, an undirected edge counting half; None if never joined."""
        joined = self.forward + self.backward + self.undirected
        return (self.forward + self.undirected / 2) / joined if joined > 0 else None

    @property
    def word(self) -> str:
        """``high``, ``moderate``, ``low``, or ``undetermined`` for a stable edge whose direction is open.

        An edge in 90 % of the draws or more is ``high`` if 90 % of its mass points one way; from 50 % on it is
        ``moderate``, below that ``low``.
        """
        if self.adjacency < MODERATE:
            return "low"
        if self.adjacency < HIGH:
            return "moderate"
        ahead = self.direction
        return "high" if ahead is not None and max(ahead, 1 - ahead) >= HIGH else "undetermined"


@dataclass(frozen=True)
class Confidence:
    """Bootstrap confidence of every pair, counted on the graphs that the search returned, never on an extension.

    Attributes
    ----------
    names : tuple of str
        The p columns.
    adjacency : ndarray, shape (p, p)
        Symmetric; share of draws in which the two are joined.
    forward : ndarray, shape (p, p)
        ``forward[i, j]``: share of draws with ``i -> j``.
    undirected : ndarray, shape (p, p)
        Symmetric; share of draws with an undirected edge.
    draws : int
        How many resampled searches were counted.
    skipped : int
        Resampled tables that the search refused, for instance because a rare value was not drawn.
    library : str
        In which tables are returned.
    graphs : ndarray, shape (draws, p, p), or None
        The marks of every graph that was counted; None where they would take more than 32 MiB.
    interrupted : bool
        Whether the user stopped the bootstrap before its last draw.

    Examples
    --------
    >>> joined = np.array([[0, 1.0], [1.0, 0]])
    >>> seen = Confidence(("a", "b"), joined, np.array([[0, 0.95], [0, 0]]), joined * 0.05, 20)
    >>> seen.edge("b", "a").word, seen.edge("b", "a").backward
    ('high', 0.95)
    """

    names: tuple[str, ...]
    adjacency: NDArray[np.float64]
    forward: NDArray[np.float64]
    undirected: NDArray[np.float64]
    draws: int
    skipped: int = 0
    library: str = "pyarrow"
    graphs: NDArray[np.int8] | None = field(default=None, repr=False)
    interrupted: bool = False

    def edge(self, source: str, target: str) -> EdgeConfidence:
        """Return the shares for one pair, seen from ``source``.

        Raises
        ------
        ParameterError
            If a name is not among the columns.
        """
        i, j = self._index(source), self._index(target)
        return EdgeConfidence(
            source,
            target,
            adjacency=float(self.adjacency[i, j]),
            forward=float(self.forward[i, j]),
            backward=float(self.forward[j, i]),
            undirected=float(self.undirected[i, j]),
        )

    def edges(self) -> tuple[EdgeConfidence, ...]:
        """Return every pair that was joined in some draw, most often joined first."""
        pairs = np.argwhere(np.triu(self.adjacency > 0, k=1))
        listed = [self.edge(self.names[i], self.names[j]) for i, j in pairs]
        return tuple(sorted(listed, key=lambda seen: -seen.adjacency))

    def table(self) -> Any:
        """Return the pairs of `edges` as a table of the library the data came in."""
        listed = self.edges()
        return make_frame(
            {
                "source": [seen.source for seen in listed],
                "target": [seen.target for seen in listed],
                "adjacency": [seen.adjacency for seen in listed],
                "forward": [seen.forward for seen in listed],
                "backward": [seen.backward for seen in listed],
                "undirected": [seen.undirected for seen in listed],
                "word": [seen.word for seen in listed],
            },
            self.library,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return draws and joined pairs as plain JSON values."""
        listed = [{**to_jsonable(seen), "word": seen.word} for seen in self.edges()]
        return {
            "schema_version": SCHEMA_VERSION,
            "draws": self.draws,
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "names": list(self.names),
            "edges": listed,
        }

    def __repr__(self) -> str:
        return f"Confidence({len(self.names)} columns, {len(self.edges())} pairs ever joined, {self.draws} draws)"

    def _index(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError:
            raise ParameterError(
                "E301", f"there is no column {name!r} in this confidence.", f"Columns: {quote_names(self.names)}."
            ) from None
