"""The catalogue of the 53 published causal systems this library sets out to contain, and which of them work today.

`catalogue` reads one file of bibliographic facts. A system's state is not written there: it is 'works' exactly when a
card of family ``system`` with its number is on the registry, and 'planned' otherwise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from whence.registry import Paper, methods


@dataclass(frozen=True, slots=True)
class System:
    """One published system: what it answers, its paper, the room it belongs to and whether it works here."""

    number: int
    slug: str
    name: str
    answers: str
    paper: Paper
    room: str
    state: Literal["works", "planned"]


@cache
def _entries() -> tuple[dict[str, str | int], ...]:
    return tuple(json.loads((files("whence.systems") / "catalogue.json").read_text(encoding="utf-8")))


def catalogue() -> tuple[System, ...]:
    """Return all systems in order of their number, each with its state.

    >>> len(catalogue())
    53
    >>> catalogue()[3].slug
    'cd-nod'
    """
    working = {card.number for card in methods("system")}
    return tuple(
        System(
            number=int(entry["number"]),
            slug=str(entry["slug"]),
            name=str(entry["name"]),
            answers=str(entry["answers"]),
            paper=Paper(str(entry["authors"]), str(entry["title"]), int(entry["year"]), str(entry["where"])),
            room=str(entry["room"]),
            state="works" if int(entry["number"]) in working else "planned",
        )
        for entry in _entries()
    )
