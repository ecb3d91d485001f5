"""The Graph Modelling Language (Himsolt 1997): nested lists of keys and values; marks are edge attributes."""

from __future__ import annotations

import re
from html.entities import name2codepoint
from typing import TYPE_CHECKING, Any, get_args

from whence.errors import GraphError
from whence.graph.formats import read_mark
from whence.graph.marks import Edge
from whence.graph.scanner import WORD, Kind, Listing, Token, Tokens, kind_of, unreadable

if TYPE_CHECKING:
    from whence.graph.graph import Graph

_PATTERN = re.compile(
    r"(?P<skip>\s+|^\#[^\n]*)|(?P<key>[A-Za-z_]\w*)|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?)"
    r'|(?P<text>"[^"]*")|(?P<sign>[\[\]])',
    re.MULTILINE,
)
_ENTITY = re.compile(r"&(?:#(\d+)|#x([0-9A-Fa-f]+)|(\w+));")
# A list: values by key with their lines, a key as often as it occurs.
_List = dict[str, list[tuple[Any, int]]]


def to_gml(graph: Graph) -> str:
    """Return the graph in GML."""
    lines = ["graph [", "  directed 1", *(["  multigraph 1"] if graph.bows else []), f'  kind "{graph.kind}"']
    for k, name in enumerate(graph.names):
        lines.append(f'  node [ id {k} label "{_escape(name)}" ]')
    for edge in graph.edges():
        ends = f"source {graph.index(edge.source)} target {graph.index(edge.target)}"
        marks = f'mark_from "{WORD[edge.mark_source]}" mark_to "{WORD[edge.mark_target]}"'
        lines.append(f"  edge [ {ends} {marks} ]")
    return "\n".join([*lines, "]"]) + "\n"


def from_gml(text: str) -> Listing:
    """Read GML: nodes are named by their labels, by their ids where they have none.

    Edges without ``mark_from`` and ``mark_to`` are ``->`` in a directed graph and ``---`` in another; without a
    ``kind`` it follows from the marks.
    """
    tokens = Tokens(text, _PATTERN, "GML")
    document = _read_list(tokens, inside=False)
    if not isinstance(document.get("graph", [(None, 0)])[0][0], dict):
        raise GraphError("E212", "the text is not a GML graph.", "It holds 'graph [ node [ id 0 ] ... ]'.")
    graph: _List = document["graph"][0][0]
    names: dict[str, str] = {}
    for node, line in graph.get("node", []):
        key = str(_one(node, "id", line))
        if key in names:
            raise unreadable("GML", line, f"the id {key!r} is given a second time")
        names[key] = str(node["label"][0][0]) if "label" in node else key
    directed = "directed" not in graph or str(graph["directed"][0][0]) == "1"
    edges = []
    for edge, line in graph.get("edge", []):
        ends = [str(_one(edge, end, line)) for end in ("source", "target")]
        absent = [end for end in ends if end not in names]
        if absent:
            raise unreadable("GML", line, f"the edge names {absent[0]!r}, which is no node's id")
        plain = ("tail", "arrow" if directed else "tail")
        left, right = (
            read_mark(edge[key][0][0] if key in edge else mark) for key, mark in zip(("mark_from", "mark_to"), plain)
        )
        edges.append(Edge(names[ends[0]], names[ends[1]], left, right))
    said = graph.get("kind", [("", 0)])[0][0]
    return edges, list(names.values()), said if said in get_args(Kind) else kind_of(edges)


def _read_list(tokens: Tokens, *, inside: bool) -> _List:
    found: _List = {}
    while not (tokens.skip("]") if inside else tokens.done):
        key = tokens.take("key")
        found.setdefault(key.text, []).append((_read_value(tokens), key.line))
    return found


def _read_value(tokens: Tokens) -> Any:
    if tokens.skip("["):
        return _read_list(tokens, inside=True)
    token: Token = tokens.take("text", "number")
    return _unescape(token.text[1:-1]) if token.kind == "text" else token.text


def _one(item: Any, key: str, line: int) -> Any:
    if not isinstance(item, dict) or key not in item:
        raise unreadable("GML", line, f"{key!r} is missing")
    return item[key][0][0]


def _escape(name: str) -> str:
    return "".join(letter if 32 <= ord(letter) < 127 and letter not in '&"' else f"&#{ord(letter)};" for letter in name)


def _unescape(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        decimal, hexadecimal, name = match.groups()
        code = int(decimal) if decimal else int(hexadecimal, 16) if hexadecimal else name2codepoint.get(name, -1)
        return chr(code) if 0 <= code <= 0x10FFFF else match[0]

    return _ENTITY.sub(letter, text)
