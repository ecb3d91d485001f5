"""Graphs in other programs' formats: networkx, DOT, DAGitty, GML, Tetrad text, JSON. Odd names survive all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from whence.errors import GraphError, MissingExtra
from whence.graph.graph import Graph
from whence.graph.marks import Edge, Mark, connector

SCHEMA = 1
_WORD = {Mark.TAIL: "tail", Mark.ARROW: "arrow", Mark.CIRCLE: "circle"}
_MARK = {word: mark for mark, word in _WORD.items()}


# JSON


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
                "mark_from": _WORD[edge.mark_source],
                "mark_to": _WORD[edge.mark_target],
            }
            for edge in graph.edges()
        ],
    }


def from_dict(document: Mapping[str, Any]) -> Graph:
    """Read what `to_dict` wrote; GraphError where it is not that."""
    try:
        edges = [
            Edge(item["from"], item["to"], _MARK[item["mark_from"]], _MARK[item["mark_to"]])
            for item in document["edges"]
        ]
        return Graph.from_edges(edges, names=document["nodes"], kind=document["kind"])
    except (KeyError, TypeError) as error:
        raise GraphError(
            "E212",
            f"the JSON document is not a graph: it lacks or misstates {error}.",
            "Write it with Graph.to_dict().",
        ) from error


# networkx


def to_networkx(graph: Graph) -> Any:
    """Return a DiGraph for a DAG; otherwise a MultiDiGraph whose edges carry ``mark_from`` and ``mark_to``."""
    networkx = _networkx()
    made = networkx.DiGraph() if graph.kind == "DAG" else networkx.MultiDiGraph()
    made.graph["kind"] = graph.kind
    made.add_nodes_from(graph.names)
    for edge in graph.edges():
        made.add_edge(edge.source, edge.target, mark_from=_WORD[edge.mark_source], mark_to=_WORD[edge.mark_target])
    return made


def from_networkx(source: Any) -> Graph:
    """Read a networkx graph; directed edges without marks are read as ``->``, undirected graphs as a PDAG."""
    names = [str(node) for node in source.nodes]
    plain = (Mark.TAIL, Mark.ARROW) if source.is_directed() else (Mark.TAIL, Mark.TAIL)
    edges = [
        Edge(
            str(a),
            str(b),
            _MARK[data["mark_from"]] if "mark_from" in data else plain[0],
            _MARK[data["mark_to"]] if "mark_to" in data else plain[1],
        )
        for a, b, data in source.edges(data=True)
    ]
    kind = source.graph.get("kind", "DAG" if source.is_directed() else "PDAG")
    return Graph.from_edges(edges, names=names, kind=kind)


def _networkx() -> Any:
    try:
        import networkx
    except ModuleNotFoundError as error:
        raise MissingExtra.of("networkx", "dev", "Graph.to_networkx") from error
    return networkx


# DOT

_DOT_HEAD = {Mark.TAIL: "none", Mark.ARROW: "normal", Mark.CIRCLE: "odot"}


def to_dot(graph: Graph) -> str:
    """Return the graph in Graphviz DOT; marks become arrow heads and tails."""
    lines = [f"digraph {graph.kind} {{"]
    lines += [f"  {_quote(name)};" for name in graph.names]
    for edge in graph.edges():
        ends = f"dir=both, arrowtail={_DOT_HEAD[edge.mark_source]}, arrowhead={_DOT_HEAD[edge.mark_target]}"
        lines.append(f"  {_quote(edge.source)} -> {_quote(edge.target)} [{ends}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quote(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text[1:-1])


# DAGitty

_DAGITTY_KIND = {"DAG": "dag", "CPDAG": "pdag", "PDAG": "pdag", "ADMG": "dag", "MAG": "mag", "PAG": "pag"}
_DAGITTY_LEFT = {Mark.TAIL: "-", Mark.ARROW: "<", Mark.CIRCLE: "@"}
_DAGITTY_RIGHT = {Mark.TAIL: "-", Mark.ARROW: ">", Mark.CIRCLE: "@"}
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[<@-]?-[->@]?|[{};]|\[[^\]]*\]|[^\s{}\[\];"<>@-]+')


def to_dagitty(graph: Graph) -> str:
    """Return the graph in the DAGitty language; all names are quoted."""
    lines = [f"{_DAGITTY_KIND[graph.kind]} {{"]
    lines += [_quote(name) for name in graph.names]
    for edge in graph.edges():
        join = f"{_DAGITTY_LEFT[edge.mark_source]}-{_DAGITTY_RIGHT[edge.mark_target]}"
        join = {"-->": "->", "<--": "<-", "---": "--"}.get(join, join)
        lines.append(f"{_quote(edge.source)} {join} {_quote(edge.target)}")
    return "\n".join([*lines, "}"]) + "\n"


def from_dagitty(text: str) -> Graph:
    """Read the DAGitty language: ``dag { a -> b ; b <-> c }``; chains and attribute lists are understood."""
    match = re.match(r"\s*(dag|pdag|mag|pag)\b[^{]*\{(.*)\}\s*$", text, flags=re.DOTALL | re.IGNORECASE)
    if not match:
        raise GraphError(
            "E212", "the text is not in the DAGitty language.", "It starts with 'dag {' and ends with '}'."
        )
    names: dict[str, None] = {}
    edges: list[Edge] = []
    last: str | None = None
    join: str | None = None
    for token in _TOKEN.findall(match[2]):
        if token == ";":
            last = join = None
        elif token.startswith("[") or token in "{}":
            continue
        elif re.fullmatch(r"[<@-]?-[->@]?", token):
            join = token
        else:
            name = _unquote(token)
            names[name] = None
            if last is not None and join is not None:
                edges.append(_dagitty_edge(last, join, name))
            last, join = name, None
    word = match[1].lower()
    bidirected = any(edge.is_bidirected for edge in edges)
    kind = {"dag": "ADMG" if bidirected else "DAG", "pdag": "PDAG", "mag": "MAG", "pag": "PAG"}[word]
    return Graph.from_edges(edges, names=names, kind=kind)  # type: ignore[arg-type]


def _dagitty_edge(source: str, join: str, target: str) -> Edge:
    left = {"<": Mark.ARROW, "@": Mark.CIRCLE}.get(join[0], Mark.TAIL)
    right = {">": Mark.ARROW, "@": Mark.CIRCLE}.get(join[-1], Mark.TAIL)
    return Edge(source, target, left, right)


# GML


def to_gml(graph: Graph) -> str:
    """Return the graph in GML; marks are edge attributes."""
    lines = ["graph [", "  directed 1", f'  kind "{graph.kind}"']
    for k, name in enumerate(graph.names):
        lines.append(f'  node [ id {k} label "{_gml(name)}" ]')
    for edge in graph.edges():
        ends = f"source {graph.index(edge.source)} target {graph.index(edge.target)}"
        marks = f'mark_from "{_WORD[edge.mark_source]}" mark_to "{_WORD[edge.mark_target]}"'
        lines.append(f"  edge [ {ends} {marks} ]")
    return "\n".join([*lines, "]"]) + "\n"


def _gml(name: str) -> str:
    return "".join(letter if 32 <= ord(letter) < 127 and letter not in '&"' else f"&#{ord(letter)};" for letter in name)


# Tetrad

_TETRAD_LEFT = {Mark.TAIL: "-", Mark.ARROW: "<", Mark.CIRCLE: "o"}
_TETRAD_RIGHT = {Mark.TAIL: "-", Mark.ARROW: ">", Mark.CIRCLE: "o"}


def to_tetrad(graph: Graph) -> str:
    """Return the graph in Tetrad's text format; names with separators or spaces are quoted."""
    lines = ["Graph Nodes:", ";".join(_tetrad(name) for name in graph.names), "", "Graph Edges:"]
    for k, edge in enumerate(graph.edges(), start=1):
        join = f"{_TETRAD_LEFT[edge.mark_source]}-{_TETRAD_RIGHT[edge.mark_target]}"
        lines.append(f"{k}. {_tetrad(edge.source)} {join} {_tetrad(edge.target)}")
    return "\n".join(lines) + "\n"


def _tetrad(name: str) -> str:
    return name if re.fullmatch(r"[\w.]+", name) else _quote(name)


_TETRAD_NAME = r'("(?:[^"\\]|\\.)*"|[^\s;,]+)'
_TETRAD_EDGE = re.compile(rf"^\s*\d+\.\s+{_TETRAD_NAME}\s+([-<o]-[->o])\s+{_TETRAD_NAME}")


def from_tetrad(text: str) -> Graph:
    """Read Tetrad's text format; the kind follows from the marks that occur."""
    parts = re.split(r"^Graph (?:Nodes|Edges):\s*$", text, flags=re.MULTILINE)
    if len(parts) < 3:
        raise GraphError(
            "E212", "the text is not a Tetrad graph.", "It holds the lines 'Graph Nodes:' and 'Graph Edges:'."
        )
    names = [_unquote(name) for name in re.findall(_TETRAD_NAME, parts[1])]
    edges = []
    for line in parts[2].splitlines():
        match = _TETRAD_EDGE.match(line)
        if match:
            left = {"<": Mark.ARROW, "o": Mark.CIRCLE}.get(match[2][0], Mark.TAIL)
            right = {">": Mark.ARROW, "o": Mark.CIRCLE}.get(match[2][-1], Mark.TAIL)
            edges.append(Edge(_unquote(match[1]), _unquote(match[3]), left, right))
    return Graph.from_edges(edges, names=names, kind=_kind_of(edges))


def _kind_of(edges: list[Edge]) -> Any:
    marks = {connector(edge.mark_source, edge.mark_target) for edge in edges}
    if any("o" in join for join in marks):
        return "PAG"
    if "<->" in marks:
        return "ADMG"
    return "PDAG" if "---" in marks else "DAG"
