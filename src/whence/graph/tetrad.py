"""The text format of Tetrad and causal-learn: a line of nodes, then numbered edges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from whence.errors import GraphError
from whence.graph.marks import Edge, Mark
from whence.graph.scanner import Listing, excerpt, kind_of, quote, unquote, unreadable

if TYPE_CHECKING:
    from whence.graph.graph import Graph

_LEFT = {Mark.TAIL: "-", Mark.ARROW: "<", Mark.CIRCLE: "o"}
_RIGHT = {Mark.TAIL: "-", Mark.ARROW: ">", Mark.CIRCLE: "o"}
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_JOIN = re.compile(r"\s([-<o]-[->o])(?=\s)")
_HEADING = re.compile(r"[A-Z][\w ]*(?:\(.*)?:\s*$")


def to_tetrad(graph: Graph) -> str:
    """Return the graph in Tetrad's text format; names with separators or spaces are quoted."""
    lines = ["Graph Nodes:", ";".join(_name(name) for name in graph.names), "", "Graph Edges:"]
    for k, edge in enumerate(graph.edges(), start=1):
        join = f"{_LEFT[edge.mark_source]}-{_RIGHT[edge.mark_target]}"
        lines.append(f"{k}. {_name(edge.source)} {join} {_name(edge.target)}")
    return "\n".join(lines) + "\n"


def _name(name: str) -> str:
    return name if re.fullmatch(r"[\w.]+", name) else quote(name)


def from_tetrad(text: str) -> Listing:
    """Read Tetrad's text format; the kind follows from the marks that occur.

    Nodes are separated by ``;`` or ``,``; hidden ones, in parentheses, are read as the others. What follows an edge
    (``dd nl``, bootstrap shares) and the sections after the edges are read over.
    """
    names: dict[str, None] = {}
    edges: list[Edge] = []
    section, seen = "", set()
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if line in ("Graph Nodes:", "Graph Edges:"):
            section = line
            seen.add(line)
        elif not line:
            continue
        elif section == "Graph Nodes:":
            names |= dict.fromkeys(_read_nodes(line, number))
        elif section == "Graph Edges:" and _HEADING.fullmatch(line):
            section = "after"
        elif section == "Graph Edges:":
            edges.append(_read_edge(line, number, names))
    if seen != {"Graph Nodes:", "Graph Edges:"}:
        raise GraphError(
            "E212", "the text is not a Tetrad graph.", "It holds the lines 'Graph Nodes:' and 'Graph Edges:'."
        )
    return edges, list(names), kind_of(edges)


def _read_nodes(line: str, number: int) -> list[str]:
    separator = ";" if ";" in re.sub(_QUOTED, "", line) else ","
    item = re.compile(rf"\s*({_QUOTED}|[^{separator}\"]*[^{separator}\"\s])\s*(?:{separator}|$)")
    found, position = [], 0
    while position < len(line):
        match = item.match(line, position)
        if match is None:
            raise unreadable("Tetrad", number, f"{excerpt(line[position:])} is not a list of names")
        name = match[1]
        hidden = name.startswith("(") and name.endswith(")")
        found.append(name[1:-1] if hidden else unquote(name))
        position = match.end()
    return found


def _read_edge(line: str, number: int, names: dict[str, None]) -> Edge:
    match = re.match(r"\d+\.\s+(.*)", line)
    if match is None:
        raise unreadable("Tetrad", number, f"{excerpt(line)} is not a numbered edge such as '1. A --> B'")
    for join in _JOIN.finditer(match[1]):
        source = _known(match[1][: join.start()], names, whole=True)
        target = _known(match[1][join.end() :].strip(), names, whole=False)
        if source is not None and target is not None:
            left = {"<": Mark.ARROW, "o": Mark.CIRCLE}.get(join[1][0], Mark.TAIL)
            right = {">": Mark.ARROW, "o": Mark.CIRCLE}.get(join[1][-1], Mark.TAIL)
            return Edge(source, target, left, right)
    raise unreadable("Tetrad", number, f"{excerpt(line)} does not join two of the nodes above")


def _known(text: str, names: dict[str, None], *, whole: bool) -> str | None:
    """Return the node that a text is, or that it starts with, followed by more."""
    quoted = re.match(_QUOTED, text)
    if quoted is not None and (quoted.end() == len(text) or not whole):
        name = unquote(quoted[0])
        return name if name in names else None
    words = text.split(" ")
    for length in range(len(words), 0, -1):
        name = " ".join(words[:length]).rstrip()
        if name in names:
            return name
        if whole:
            break
    return None
