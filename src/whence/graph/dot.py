"""Graphviz DOT and the DAGitty language: two dialects of one grammar, read by one reader.

A statement is a chain of nodes or groups in braces joined by edges, an attribute list, or an assignment. In DOT the
marks of an edge stand in its attributes, in DAGitty in its connector.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast, get_args

from whence.errors import GraphError
from whence.graph.formats import read_mark
from whence.graph.marks import Edge, Mark
from whence.graph.scanner import Kind, Listing, Tokens, kind_of, quote, unquote

if TYPE_CHECKING:
    from whence.graph.graph import Graph

_SKIP = r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/|^\#[^\n]*)"
_QUOTED = r'(?P<quoted>"(?:[^"\\]|\\.)*")'
_SIGN = r"(?P<sign>[{}\[\];,=])"
_HTML = r"(?P<html><(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>)"
_FLAGS = re.DOTALL | re.MULTILINE
_WORD = r"(?P<word>-?(?:\.\d+|\d+(?:\.\d*)?)(?!\w)|[^\W\d]\w*)"
_DOT = re.compile(rf"{_SKIP}|{_QUOTED}|(?P<edge>->|--)|{_SIGN}|(?P<port>:)|{_HTML}|{_WORD}", _FLAGS)
_DAGITTY = re.compile(
    rf'{_SKIP}|{_QUOTED}|(?P<edge>[<@-]-[->@]|[<@]-|-[->@])|{_SIGN}|(?P<word>[^\s{{}}\[\];,="<>@-]+)', _FLAGS
)
_HEAD = {Mark.TAIL: "none", Mark.ARROW: "normal", Mark.CIRCLE: "odot"}
_DAGITTY_KIND = {"DAG": "dag", "CPDAG": "pdag", "PDAG": "pdag", "ADMG": "dag", "MAG": "mag", "PAG": "pag"}
_LEFT = {Mark.TAIL: "-", Mark.ARROW: "<", Mark.CIRCLE: "@"}
_RIGHT = {Mark.TAIL: "-", Mark.ARROW: ">", Mark.CIRCLE: "@"}
Attributes = dict[str, str]


def to_dot(graph: Graph) -> str:
    """Return the graph in Graphviz DOT; marks become arrow heads and tails."""
    lines = [f"digraph {graph.kind} {{"]
    lines += [f"  {quote(name)};" for name in graph.names]
    for edge in graph.edges():
        ends = f"dir=both, arrowtail={_HEAD[edge.mark_source]}, arrowhead={_HEAD[edge.mark_target]}"
        lines.append(f"  {quote(edge.source)} -> {quote(edge.target)} [{ends}];")
    return "\n".join([*lines, "}"]) + "\n"


def from_dot(text: str) -> Listing:
    """Read Graphviz DOT.

    Names are the ids; where all ids are numbers with labels, the labels. An edge's marks follow ``dir``, ``arrowhead``
    and ``arrowtail``: ``none`` is a tail, ``dot`` and ``odot`` a circle, any other head an arrow. The kind is the id of
    the graph if that is one, and follows from the marks otherwise.
    """
    tokens = Tokens(text, _DOT, "DOT")
    while tokens.next.text.lower() == "strict":
        tokens.take()
    if tokens.next.text.lower() not in ("graph", "digraph"):
        raise GraphError("E212", "the text is not in the DOT language.", "It starts with 'digraph {'.")
    tokens.take()
    title = "" if tokens.next.text == "{" else unquote(tokens.take("word", "quoted").text)
    reader = _Reader(tokens, keywords=("graph", "node", "edge"))
    reader.read()
    edges = [Edge(a, b, *_marks_of_heads(join, given)) for a, join, b, given in reader.edges]
    labels = {name: reader.labels.get(name, "") for name in reader.names}
    if all(name.isdecimal() and label for name, label in labels.items()) and len(set(labels.values())) == len(labels):
        edges = [Edge(labels[e.source], labels[e.target], e.mark_source, e.mark_target) for e in edges]
        names = list(labels.values())
    else:
        names = list(reader.names)
    return edges, names, cast("Kind", title) if title in get_args(Kind) else kind_of(edges)


def _marks_of_heads(join: str, given: Attributes) -> tuple[Mark, Mark]:
    if "mark_from" in given and "mark_to" in given:  # a graph of Graph.to_networkx() that networkx wrote
        return read_mark(given["mark_from"]), read_mark(given["mark_to"])
    direction = given.get("dir", "forward" if join == "->" else "none")
    left = given.get("arrowtail", "normal") if direction in ("both", "back") else "none"
    right = given.get("arrowhead", "normal") if direction in ("both", "forward") else "none"
    return _mark_of_head(left), _mark_of_head(right)


def _mark_of_head(head: str) -> Mark:
    return {"none": Mark.TAIL, "odot": Mark.CIRCLE, "dot": Mark.CIRCLE}.get(head, Mark.ARROW)


def to_dagitty(graph: Graph) -> str:
    """Return the graph in the DAGitty language; all names are quoted."""
    lines = [f"{_DAGITTY_KIND[graph.kind]} {{"]
    lines += [quote(name) for name in graph.names]
    for edge in graph.edges():
        join = f"{_LEFT[edge.mark_source]}-{_RIGHT[edge.mark_target]}"
        join = {"-->": "->", "<--": "<-", "---": "--"}.get(join, join)
        lines.append(f"{quote(edge.source)} {join} {quote(edge.target)}")
    return "\n".join([*lines, "}"]) + "\n"


def from_dagitty(text: str) -> Listing:
    """Read the DAGitty language: ``dag { a -> b ; b <-> c }``, with chains, groups in braces and attribute lists.

    Roles such as ``[exposure]`` and ``[latent]`` and positions are read over: a graph holds none.
    """
    if not re.match(r"\s*(?:dag|pdag|mag|pag|graph|digraph)\b[^{]*\{", text, flags=re.IGNORECASE):
        raise GraphError(
            "E212", "the text is not in the DAGitty language.", "It starts with 'dag {' and ends with '}'."
        )
    tokens = Tokens(text, _DAGITTY, "DAGitty")
    word = tokens.take("word").text.lower()
    if tokens.next.text != "{":
        tokens.take("word", "quoted")
    reader = _Reader(tokens)
    reader.read()
    edges = [Edge(a, b, _mark_of_sign(join[0], "<"), _mark_of_sign(join[-1], ">")) for a, join, b, _ in reader.edges]
    bidirected = any(edge.is_bidirected for edge in edges)
    kinds: dict[str, Kind] = {"dag": "ADMG" if bidirected else "DAG", "pdag": "PDAG", "mag": "MAG", "pag": "PAG"}
    return edges, list(reader.names), kinds.get(word, kind_of(edges))


def _mark_of_sign(sign: str, arrow: str) -> Mark:
    return {arrow: Mark.ARROW, "@": Mark.CIRCLE}.get(sign, Mark.TAIL)


class _Reader:
    """The body of a graph: names in order of appearance, labels, and edges as (from, connector, to, attributes)."""

    def __init__(self, tokens: Tokens, keywords: tuple[str, ...] = ()) -> None:
        self._tokens = tokens
        self._keywords = keywords
        self._defaults: Attributes = {}
        self.names: dict[str, None] = {}
        self.labels: dict[str, str] = {}
        self.edges: list[tuple[str, str, str, Attributes]] = []

    def read(self) -> None:
        self._group()
        if not self._tokens.done:
            raise self._tokens.wrong("the graph has ended")

    def _group(self) -> list[str]:
        """Read ``{ ... }`` and return the names in it."""
        tokens, found = self._tokens, dict[str, None]()
        defaults = dict(self._defaults)
        tokens.expect("{")
        while not tokens.skip("}"):
            if not (tokens.skip(";") or tokens.skip(",")):
                found |= dict.fromkeys(self._statement())
        self._defaults = defaults
        return list(found)

    def _statement(self) -> list[str]:
        tokens = self._tokens
        if tokens.next.kind == "word" and tokens.next.text.lower() in self._keywords:
            word = tokens.take().text.lower()
            given = self._attributes()
            if word == "edge":
                self._defaults |= given
            return []
        if tokens.ahead(1).text == "=" and tokens.next.kind in ("word", "quoted"):
            tokens.take()
            tokens.expect("=")
            tokens.take("word", "quoted", "html")
            return []
        chain, joins = [self._end()], []
        while tokens.next.kind == "edge":
            joins.append(tokens.take().text)
            chain.append(self._end())
        given = self._attributes()
        if not joins and len(chain[0]) == 1 and "label" in given:
            self.labels[chain[0][0]] = given["label"]
        for left, join, right in zip(chain, joins, chain[1:]):
            self.edges += [(a, join, b, self._defaults | given) for a in left for b in right]
        return [name for part in chain for name in part]

    def _end(self) -> list[str]:
        """Read one end of an edge: a node, with a port perhaps, or a group."""
        tokens = self._tokens
        if self._keywords and tokens.next.text.lower() == "subgraph" and tokens.next.kind == "word":
            tokens.take()
            if tokens.next.text != "{":
                tokens.take("word", "quoted")
        if tokens.next.text == "{" and tokens.next.kind == "sign":
            return self._group()
        name = unquote(tokens.take("word", "quoted").text)
        while tokens.next.kind == "port":
            tokens.take()
            tokens.take("word", "quoted")
        self.names[name] = None
        return [name]

    def _attributes(self) -> Attributes:
        """Read any number of ``[key=value, flag]``."""
        tokens, found = self._tokens, Attributes()
        while tokens.skip("["):
            while not tokens.skip("]"):
                if tokens.skip(",") or tokens.skip(";"):
                    continue
                key = unquote(tokens.take("word", "quoted").text)
                found[key] = unquote(tokens.take("word", "quoted", "html").text) if tokens.skip("=") else ""
        return found
