"""What every search returns: the graph, the evidence behind its edges and how it was reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from whence.results import SCHEMA_VERSION, make_frame, to_jsonable

if TYPE_CHECKING:
    from whence.discovery.confidence import Confidence
    from whence.graph import Graph


INTERRUPTED = "The search was interrupted: this is the best graph it had come to, not the end of the search."


@dataclass(frozen=True, slots=True)
class EdgeEvidence:
    """What speaks for one edge; a search fills what it computes and leaves the rest None.

    Attributes
    ----------
    p_value, statistic : float or None
        Largest p-value over the tests made of this pair, and that test's statistic.
    score_difference : float or None
        By how much the score falls when the edge is taken out; positive speaks for the edge.
    weight : float or None
        Linear coefficient, in units of the target per unit of the source.
    """

    source: str
    target: str
    p_value: float | None = None
    statistic: float | None = None
    score_difference: float | None = None
    weight: float | None = None


@dataclass(frozen=True)
class DiscoveryResult:
    """A causal graph found in data.

    Attributes
    ----------
    graph : Graph
        What the search claims: an equivalence class stays one, undirected edges are never directed silently.
    method : str
        Name of the search's card.
    parameters : dict
        Every setting as it was used; for a default also the rule that set it, as ``"<name>_rule"``.
    evidence : tuple of EdgeEvidence
        One entry per edge, in the order of ``graph.edges()``.
    separating_sets : dict
        For pairs found independent: ``(a, b)`` with a before b in the columns, to the names given.
    rows_used : int
        Rows that entered the search; rows with missing values are left out and said so in ``warnings``.
    seconds : float
        Wall time of the search.
    warnings : tuple of str
        Findings the reader should know, one sentence each.
    details : dict
        What only this method has: tests run, score, causal order.
    confidence : Confidence or None
        Bootstrap shares per edge, where they were asked for.
    library : str
        The library of the data, in which tables are returned.
    interrupted : bool
        Whether the user stopped the search (Ctrl-C) and this is what it had found until then.
    """

    graph: Graph
    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[EdgeEvidence, ...] = ()
    separating_sets: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    rows_used: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    confidence: Confidence | None = None
    library: str = "pyarrow"
    interrupted: bool = False

    def table(self) -> Any:
        """Return one row per edge, with its evidence and confidence, as a table of the data's library."""
        edges = self.graph.edges()
        found = {frozenset((item.source, item.target)): item for item in self.evidence}
        listed = [found.get(frozenset((edge.source, edge.target))) for edge in edges]
        columns: dict[str, list[Any]] = {
            "source": [edge.source for edge in edges],
            "edge": [edge.connector for edge in edges],
            "target": [edge.target for edge in edges],
        }
        for name in ("p_value", "statistic", "score_difference", "weight"):
            values = [getattr(item, name) if item is not None else None for item in listed]
            if any(value is not None for value in values):
                columns[name] = values
        if self.confidence is not None:
            seen = [self.confidence.edge(edge.source, edge.target) for edge in edges]
            for name in ("adjacency", "forward", "backward", "undirected", "word"):
                columns[name] = [getattr(item, name) for item in seen]
        return make_frame(columns, self.library)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole result as plain JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "method": self.method,
            "graph": self.graph.to_dict(),
            "parameters": to_jsonable(self.parameters),
            "evidence": to_jsonable(self.evidence),
            "separating_sets": [
                {"pair": list(pair), "given": list(given)} for pair, given in self.separating_sets.items()
            ],
            "rows_used": self.rows_used,
            "seconds": self.seconds,
            "warnings": list(self.warnings),
            "interrupted": self.interrupted,
            "details": to_jsonable(self.details),
            "confidence": self.confidence.to_dict() if self.confidence is not None else None,
        }

    def plot(self) -> str:
        """Return the graph as SVG, edges weighted by their confidence where there is one."""
        return self.graph.to_svg(confidence=self.confidence)

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.warnings)
        return f"<p>{escape(repr(self))}</p>{self.plot()}" + (f"<ul>{notes}</ul>" if notes else "")

    def __repr__(self) -> str:
        edges = self.graph.edges()
        shown = ", ".join(str(edge) for edge in edges[:12]) + (", ..." if len(edges) > 12 else "")
        return f"DiscoveryResult({self.method}, {self.graph.kind}, {self.rows_used:,} rows: {shown or 'no edges'})"
