"""Graphs as JSON values and as networkx graphs. Writers take a graph, readers return its edges, names and kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from whence.errors import GraphError, MissingExtra, quote_names
from whence.graph.marks import Edge, Mark
from whence.graph.scanner import MARK, WORD, Listing

if TYPE_CHECKING:
    from whence.graph.graph import Graph

SCHEMA = 1


def to_dict(graph: Graph) -> dict[str, Any]:
    """Return the graph as plain JSON values."""
    return {
        "schema_version": SCHEMA,
        "kind": graph.kind,
        "nodes": list(graph.names),
        "edges": [
            {
                "from": edge.source,
                "to": edge.target,
                "mark_from": WORD[edge.mark_source],
                "mark_to": WORD[edge.mark_target],
            }
            for edge in graph.edges()
        ],
    }


def from_dict(document: Mapping[str, Any]) -> Listing:
    """Read what `to_dict` wrote; GraphError where it is not that."""
    try:
        version = document.get("schema_version", SCHEMA)
        if version != SCHEMA:
            raise GraphError(
                "E212",
                f"the JSON document is of schema version {version!r}; this release reads {SCHEMA}.",
                "Update whence, or write the document again.",
            )
        edges = [
            Edge(item["from"], item["to"], MARK[item["mark_from"]], MARK[item["mark_to"]]) for item in document["edges"]
        ]
        names, kind = list(document["nodes"]), document["kind"]
        if not all(isinstance(name, str) for edge in edges for name in (edge.source, edge.target)):
            raise TypeError("names that are not text")
    except (KeyError, TypeError, AttributeError) as error:
        raise GraphError(
            "E212",
            f"the JSON document is not a graph: it lacks or misstates {error}.",
            "Write it with Graph.to_dict().",
        ) from error
    return edges, names, kind


def to_networkx(graph: Graph) -> Any:
    """Return a DiGraph for a DAG; otherwise a MultiDiGraph whose edges carry ``mark_from`` and ``mark_to``."""
    try:
        import networkx
    except ModuleNotFoundError as error:
        raise MissingExtra.of("networkx", "dev", "Graph.to_networkx") from error
    made = networkx.DiGraph() if graph.kind == "DAG" else networkx.MultiDiGraph()
    made.graph["kind"] = graph.kind
    made.add_nodes_from(graph.names)
    for edge in graph.edges():
        made.add_edge(edge.source, edge.target, mark_from=WORD[edge.mark_source], mark_to=WORD[edge.mark_target])
    return made


def from_networkx(source: Any) -> Listing:
    """Read a networkx graph; directed edges without marks are read as ``->``, undirected graphs as a PDAG."""
    names = [str(node) for node in source.nodes]
    plain = ("tail", "arrow") if source.is_directed() else ("tail", "tail")
    edges = [
        Edge(str(a), str(b), read_mark(data.get("mark_from", plain[0])), read_mark(data.get("mark_to", plain[1])))
        for a, b, data in source.edges(data=True)
    ]
    return edges, names, source.graph.get("kind", "DAG" if source.is_directed() else "PDAG")


def read_mark(word: object) -> Mark:
    """Return the mark that a word stands for; GraphError where it stands for none."""
    if word not in MARK:
        raise GraphError("E212", f"there is no edge mark {word!r}.", f"Marks: {quote_names(MARK)}.")
    return MARK[word]
