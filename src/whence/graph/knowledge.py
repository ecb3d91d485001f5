"""What is known before looking at the data: edges that must or must not be there, and an order in time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError, quote_names, suggest
from whence.graph.marks import Edge, Mark, as_edge
from whence.graph.orientation import is_acyclic
from whence.graph.scanner import unquote
from whence.graph.validation import find_cycle

Pair = tuple[str, str]
_QUOTED = r"""(?:"(?P<double>(?:[^"\\]|\\.|"")*)"|'(?P<single>[^']*)')"""
# A name and what stands behind it, by the signs that part names.
_NAME = {
    signs: re.compile(
        rf"""\s*(?:{_QUOTED}|(?P<plain>[^\s{signs}"'](?:[^{signs}]*[^\s{signs}])?))\s*(?P<after>[{signs}]|\Z)""",
        re.DOTALL,
    )
    for signs in (",", ",<")
}
_HOW_TO_QUOTE = 'Quote a name that holds commas, \'<\' or quotes: "dose, mg"; a quote inside is written "".'


@dataclass(frozen=True, init=False)
class Knowledge:
    """Background knowledge that every search keeps to.

    Parameters
    ----------
    required : iterable of ``"A -> B"`` or (A, B)
        Edges that are there.
    forbidden : iterable of ``"A -> B"`` or (A, B)
        Directions that are not: A does not cause B directly.
    tiers : sequence of sequences of str, or text
        An order in time, earliest first: nothing in a later tier causes anything in an earlier one. Text is read by
        `parse_tiers`.
    roots : iterable of str
        Columns without a cause in the table.
    leaves : iterable of str
        Columns without an effect in the table.
    no_parents : iterable of str
        Another word for ``roots``.

    Raises
    ------
    GraphError
        If the required edges make a cycle, or two statements contradict each other: a required edge that is forbidden,
        or required edges that lead from a later tier to an earlier one.

    Examples
    --------
    >>> known = Knowledge(tiers=[["age"], ["dose"], ["cure"]], forbidden=["age -> cure"])
    >>> known.allows("cure", "dose")
    False
    """

    required: tuple[Pair, ...]
    forbidden: tuple[Pair, ...]
    tiers: tuple[tuple[str, ...], ...]
    roots: tuple[str, ...]
    leaves: tuple[str, ...]

    def __init__(
        self,
        required: str | Iterable[str | Edge | Sequence[str]] = (),
        forbidden: str | Iterable[str | Edge | Sequence[str]] = (),
        tiers: str | Iterable[str | Iterable[str]] = (),
        roots: str | Iterable[str] = (),
        leaves: str | Iterable[str] = (),
        no_parents: str | Iterable[str] = (),
    ) -> None:
        def fix(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        fix("required", _pairs(required))
        fix("forbidden", _pairs(forbidden))
        fix("tiers", self.parse_tiers(tiers) if isinstance(tiers, str) else tuple(_listed(tier) for tier in tiers))
        fix("roots", tuple(dict.fromkeys((*_listed(roots), *_listed(no_parents)))))
        fix("leaves", tuple(dict.fromkeys(_listed(leaves))))
        self._check()

    def names(self) -> tuple[str, ...]:
        """Return every name that is mentioned."""
        pairs = (name for pair in (*self.required, *self.forbidden) for name in pair)
        tiered = (name for tier in self.tiers for name in tier)
        return tuple(dict.fromkeys((*pairs, *tiered, *self.roots, *self.leaves)))

    @property
    def tier_of(self) -> dict[str, int]:
        """The tier of each node that has one, from 0 for the earliest."""
        return {name: k for k, tier in enumerate(self.tiers) for name in tier}

    def forms(self) -> frozenset[str]:
        """Return which forms are used: ``required``, ``forbidden``, ``tiers``, ``roots``, ``leaves``."""
        return frozenset(form for form in ("required", "forbidden", "tiers", "roots", "leaves") if getattr(self, form))

    def __bool__(self) -> bool:
        return bool(self.forms())

    def allows(self, cause: str, effect: str) -> bool:
        """Return whether a direct edge from ``cause`` to ``effect`` is compatible with the knowledge."""
        known = tuple(dict.fromkeys((*self.names(), cause, effect)))
        return not bool(self.for_names(known)[1][known.index(cause), known.index(effect)])

    def for_names(self, names: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return what is required and forbidden as matrices, ``[i, j]`` for an edge ``i -> j``, shape (p, p) each.

        Raises
        ------
        GraphError
            If the knowledge names a column that is not among ``names``.
        """
        index = {name: k for k, name in enumerate(names)}
        absent = [name for name in self.names() if name not in index]
        if absent:
            verdict = "is not a column" if len(absent) == 1 else "are not columns"
            raise GraphError(
                "E250",
                f"the knowledge names {quote_names(absent)}, which {verdict}.",
                suggest(absent[0], names),
            )
        p = len(names)
        required, forbidden = np.zeros((p, p), dtype=bool), np.zeros((p, p), dtype=bool)
        if not self:
            return required, forbidden
        for cause, effect in self.required:
            required[index[cause], index[effect]] = True
        for cause, effect in self.forbidden:
            forbidden[index[cause], index[effect]] = True
        tier = np.full(p, -1)
        for name, k in self.tier_of.items():
            tier[index[name]] = k
        placed = tier >= 0
        forbidden |= (tier[:, None] > tier[None, :]) & placed[:, None] & placed[None, :]
        forbidden[:, [index[name] for name in self.roots]] = True
        forbidden[[index[name] for name in self.leaves], :] = True
        forbidden |= required.T
        np.fill_diagonal(forbidden, val=True)
        return required, forbidden

    def restrict(self, names: Collection[str]) -> Knowledge:
        """Return what concerns only the given columns."""
        keep = set(names)
        return Knowledge(
            required=[pair for pair in self.required if keep.issuperset(pair)],
            forbidden=[pair for pair in self.forbidden if keep.issuperset(pair)],
            tiers=[kept for tier in self.tiers if (kept := [name for name in tier if name in keep])],
            roots=[name for name in self.roots if name in keep],
            leaves=[name for name in self.leaves if name in keep],
        )

    def merge(self, other: Knowledge) -> Knowledge:
        """Return both together; the tiers of ``other`` take the place of these if it has any.

        Raises
        ------
        GraphError
            If the two contradict each other.
        """
        return Knowledge(
            required=(*self.required, *other.required),
            forbidden=(*self.forbidden, *other.forbidden),
            tiers=other.tiers or self.tiers,
            roots=(*self.roots, *other.roots),
            leaves=(*self.leaves, *other.leaves),
        )

    @classmethod
    def of(cls, value: Any) -> Knowledge:
        """Return knowledge from what a verb was given: knowledge, tiers as text, what `to_dict` wrote, or nothing.

        Raises
        ------
        GraphError
            For anything else, and for text that cannot be read as tiers.

        Examples
        --------
        >>> Knowledge.of("age < dose").tiers
        (('age',), ('dose',))
        >>> bool(Knowledge.of(""))
        False
        """
        if isinstance(value, Knowledge):
            return value
        if value is None or (isinstance(value, str) and not value.strip()):
            return cls()
        if isinstance(value, str):
            return cls(tiers=value)
        if isinstance(value, Mapping) and set(value) <= {"required", "forbidden", "tiers", "roots", "leaves"}:
            return cls(**value)
        raise GraphError(
            "E256",
            f"knowledge cannot be read from {value!r:.80}.",
            "Write an order in time as text, 'age < dose < cure', or wh.Knowledge(tiers=[['age'], ['dose', 'cure']]).",
        )

    @staticmethod
    def parse_tiers(text: str) -> tuple[tuple[str, ...], ...]:
        """Read tiers from text: names separated by commas, tiers by ``<``; names may be quoted.

        >>> Knowledge.parse_tiers("age, sex < dose < 'blood, after'")
        (('age', 'sex'), ('dose',), ('blood, after',))
        """
        tiers: list[list[str]] = [[]]
        for name, after in _parts(text, ",<", "tiers"):
            tiers[-1].append(name)
            if after == "<":
                tiers.append([])
        return tuple(tuple(tier) for tier in tiers)

    @staticmethod
    def parse_names(text: str) -> tuple[str, ...]:
        """Read names separated by commas, quoted as in `parse_tiers`.

        >>> Knowledge.parse_names('age, "dose, mg", "the ""old"" one"')
        ('age', 'dose, mg', 'the "old" one')
        """
        return tuple(name for name, _ in _parts(text, ",", "names"))

    def to_dict(self) -> dict[str, Any]:
        """Return the knowledge as plain JSON values; ``Knowledge(**...)`` takes them back."""
        return {
            "required": [list(pair) for pair in self.required],
            "forbidden": [list(pair) for pair in self.forbidden],
            "tiers": [list(tier) for tier in self.tiers],
            "roots": list(self.roots),
            "leaves": list(self.leaves),
        }

    def _check(self) -> None:
        if not self:
            return
        tiered = [name for tier in self.tiers for name in tier]
        if len(set(tiered)) < len(tiered):
            twice = [name for name in dict.fromkeys(tiered) if tiered.count(name) > 1]
            raise GraphError("E252", f"{quote_names(twice)} stands in two tiers.", "Name it once.")
        names = self.names()
        index = {name: k for k, name in enumerate(names)}
        required = np.zeros((len(names), len(names)), dtype=bool)
        for cause, effect in self.required:
            required[index[cause], index[effect]] = True
        if not is_acyclic(required):
            cycle = " -> ".join(find_cycle(names, required))
            raise GraphError("E253", f"the required edges are cyclic: {cycle}.", "Drop one of them.")
        _, forbidden = self.for_names(names)
        clash = np.argwhere(required & forbidden)
        if clash.size:
            cause, effect = (names[k] for k in clash[0])
            raise GraphError(
                "E254",
                f"the edge {cause} -> {effect} is required, and forbidden by {self._why(cause, effect)}.",
                "Drop one of the two.",
            )
        tier = {name: k for k, members in enumerate(self.tiers) for name in members}
        for cause, place in tier.items():  # a way round over columns without a tier
            for effect in _following(cause, self.required):
                if tier.get(effect, place) < place:
                    raise GraphError(
                        "E254",
                        f"required edges lead from {cause!r} to {effect!r}, which stands in an earlier tier.",
                        "Drop one of the edges, or move one of the two.",
                    )

    def _why(self, cause: str, effect: str) -> str:
        if (cause, effect) in self.forbidden:
            return "name"
        if effect in self.roots:
            return f"{effect!r} being a root"
        if cause in self.leaves:
            return f"{cause!r} being a leaf"
        return "the tiers"


def _parts(text: str, signs: str, what: str) -> Iterator[tuple[str, str]]:
    """Yield every name of a text with the sign behind it, which is empty at the end."""
    position, after = 0, ","
    while after:
        match = _NAME[signs].match(text, position)
        if match is None:
            form = "Write 'a,b < c < d'. " if "<" in signs else "Write 'a,b,c'. "
            raise GraphError(
                "E251",
                f"the {what} {text!r} hold an empty name or an open quote at position {position + 1}.",
                form + _HOW_TO_QUOTE,
            )
        position, after = match.end(), match["after"]
        double = re.sub(
            r'\\.|""', lambda sign: '\\"' if sign[0] == '""' else sign[0], match["double"] or "", flags=re.DOTALL
        )
        yield match["plain"] or match["single"] or unquote(f'"{double}"'), after


def _listed(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _following(start: str, edges: Collection[Pair]) -> list[str]:
    """Return what directed edges lead to from a name, in the order found."""
    found = {start: None}
    for name in (walk := [start]):
        for cause, effect in edges:
            if cause == name and effect not in found:
                found[effect] = None
                walk.append(effect)
    return walk[1:]


def _pairs(edges: str | Iterable[str | Edge | Sequence[str]]) -> tuple[Pair, ...]:
    pairs = []
    for item in [edges] if isinstance(edges, str) else edges:
        edge = as_edge(item)
        if edge.source == edge.target:
            raise GraphError("E253", f"the edge {edge} leads back to its start: that is cyclic.", "Name two columns.")
        if edge.is_directed:
            pairs.append((edge.source, edge.target))
        elif (edge.mark_source, edge.mark_target) == (Mark.ARROW, Mark.TAIL):
            pairs.append((edge.target, edge.source))
        else:
            raise GraphError("E255", f"knowledge takes directed edges, not {str(edge)!r}.", "Write 'A -> B'.")
    return tuple(dict.fromkeys(pairs))
