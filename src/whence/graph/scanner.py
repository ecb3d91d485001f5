"""What the text formats share: tokens that know their line, quoted names, errors that say where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from whence.errors import GraphError
from whence.graph.marks import Edge, Mark

Kind = Literal["DAG", "CPDAG", "PDAG", "ADMG", "MAG", "PAG"]
# What a reader returns: edges, names in order, and the kind; the arguments of `Graph.from_edges`.
Listing = tuple[list[Edge], list[str], Kind]
WORD = {Mark.TAIL: "tail", Mark.ARROW: "arrow", Mark.CIRCLE: "circle"}
MARK = {word: mark for mark, word in WORD.items()}
_END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text, the group of the pattern that matched it, and its line, counted from 1."""

    kind: str
    text: str
    line: int


class Tokens:
    """The tokens of a text, read one after another.

    Parameters
    ----------
    text : str
        What is read.
    pattern : re.Pattern
        One named group per kind of token; what the group ``skip`` matches is left out.
    language : str
        Its name in messages.
    """

    def __init__(self, text: str, pattern: re.Pattern[str], language: str) -> None:
        self.language = language
        self._tokens: list[Token] = []
        position, line = 0, 1
        while position < len(text):
            match = pattern.match(text, position)
            if match is None:
                raise unreadable(language, line, f"{excerpt(text[position:])} is not understood")
            if match.lastgroup != "skip":
                self._tokens.append(Token(str(match.lastgroup), match[0], line))
            line += match[0].count("\n")
            position = match.end()
        self._tokens.append(Token(_END, "", line))
        self._next = 0

    @property
    def next(self) -> Token:
        """The token that is read next; at the end one of no text."""
        return self._tokens[self._next]

    def ahead(self, steps: int) -> Token:
        """Return the token some steps after the next one."""
        return self._tokens[min(self._next + steps, len(self._tokens) - 1)]

    @property
    def done(self) -> bool:
        """True once all is read."""
        return self.next.kind == _END

    def take(self, *kinds: str) -> Token:
        """Read one token; GraphError if it is of none of the kinds."""
        token = self.next
        if token.kind == _END or (kinds and token.kind not in kinds):
            raise self.wrong(f"{' or '.join(kinds) or 'more'} is expected")
        self._next += 1
        return token

    def skip(self, text: str) -> bool:
        """Read the token if it is this text; return whether it was."""
        if self.done or self.next.text != text:
            return False
        self._next += 1
        return True

    def expect(self, text: str) -> None:
        """Read this text; GraphError if something else stands there."""
        if not self.skip(text):
            raise self.wrong(f"{text!r} is expected")

    def wrong(self, problem: str) -> GraphError:
        """Return the error for the next token."""
        found = "the text ends" if self.done else f"{excerpt(self.next.text)} stands there"
        return unreadable(self.language, self.next.line, f"{found} where {problem}")


def unreadable(language: str, line: int, problem: str) -> GraphError:
    """Return the error for a line that does not follow the format."""
    return GraphError(
        "E214", f"line {line} of the {language} text cannot be read: {problem}.", "Correct it, or write it with Graph."
    )


def excerpt(text: str) -> str:
    """Return the start of a text's first line, quoted."""
    first = text.split("\n", 1)[0]
    return repr(first if len(first) <= 40 else first[:37] + "...")


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {"n": "\n", "r": "\r", "\n": ""}


def quote(name: str) -> str:
    r"""Return a name between double quotes, with ``\"``, ``\\``, ``\n`` and ``\r`` for what would end it or a line."""
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in name) + '"'


def unquote(text: str) -> str:
    """Return the name that `quote` wrote, or an unquoted one as it is."""
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", lambda match: _UNESCAPES.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)


def kind_of(edges: Iterable[Edge]) -> Kind:
    """Return the narrowest kind that holds the edges, for formats that do not say it.

    Undirected beside bidirected edges come out of a search with hidden causes and selection far more often than they
    are written as one model: they are read as a PAG, which need not be ancestral.
    """
    listed = list(edges)
    circles = any(Mark.CIRCLE in (edge.mark_source, edge.mark_target) for edge in listed)
    undirected = any(edge.is_undirected for edge in listed)
    bidirected = any(edge.is_bidirected for edge in listed)
    if circles or (undirected and bidirected):
        return "PAG"
    return "ADMG" if bidirected else "PDAG" if undirected else "DAG"
