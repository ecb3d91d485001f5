"""One registry tells the whole library what it can do.

Every algorithm, test, score, estimator, check and system carries a `Card` next to its class or function. The
autopilot's choice, `whence methods`, the methods table in the docs and the message when data and method do not fit are
all read from these cards. A third party adds a method through the entry-point group ``whence.methods``.
"""

from __future__ import annotations

import json
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any, Literal, TypeVar

from whence.errors import ParameterError, quote_names

Family = Literal["search", "test", "score", "identifier", "estimator", "check", "system"]

# Rooms whose modules may carry cards; each is walked once when the registry is first read.
_ROOMS = ("independence", "scores", "discovery", "effects", "systems")


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a method was published."""

    authors: str
    title: str
    year: int
    where: str = ""

    def __str__(self) -> str:
        where = f" {self.where}." if self.where else ""
        return f"{self.authors} ({self.year}). {self.title}.{where}"


@dataclass(frozen=True, slots=True)
class Cost:
    """Run time in seconds as ``exp(intercept) * n**rows * p**columns``, fitted on measured runs.

    The coefficients are written by ``benchmarks/measure_methods.py`` into ``registry_measured.json``.
    """

    intercept: float
    rows: float
    columns: float

    def predict(self, n: int, p: int) -> float:
        """Return the predicted seconds on one processor for ``n`` rows and ``p`` columns."""
        return math.exp(self.intercept + self.rows * math.log(max(n, 1)) + self.columns * math.log(max(p, 1)))


@dataclass(frozen=True, slots=True)
class Card:
    """What a method answers, assumes, takes and costs.

    Attributes
    ----------
    name : str
        Stable identifier, lower case with hyphens: ``"pc"``, ``"direct-lingam"``.
    family : str
        ``search``, ``test``, ``score``, ``identifier``, ``estimator``, ``check`` or ``system``.
    answers : str
        One plain sentence: what question it answers.
    assumes : frozenset of str
        Among ``linear, gaussian, non-gaussian, equal-variances, additive-noise, acyclic, faithful, no-hidden-causes,
        iid, overlap, discrete``.
    kinds : frozenset of str
        Column kinds it takes, of `whence.data.Kind`.
    output : str
        What comes back: ``"CPDAG"``, ``"DAG"``, ``"effect"``, ``"p-value"``.
    missing : str
        What it does with missing values: ``complete-rows``, ``pairwise``, ``test-wise``, ``refuses``,
        ``not-applicable``.
    knowledge : frozenset of str
        Forms of background knowledge it respects: ``required, forbidden, tiers, roots, leaves``.
    moments_only : bool
        True if it reads nothing but `Dataset.moments` or `Dataset.counts` and so runs beyond memory.
    paper : Paper or None
        The source.
    number : int or None
        For a system whose acceptance list holds whole, its number in the catalogue of published systems.
    columns : int or None
        How many columns it takes, where that is a fixed number: 2 for searches that tell the direction of a pair.
    most_columns : int or None
        With how many columns a plan considers it, where time or memory doubles with each.
    """

    name: str
    family: Family
    answers: str
    assumes: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    output: str = ""
    missing: str = "not-applicable"
    knowledge: frozenset[str] = frozenset()
    moments_only: bool = False
    paper: Paper | None = None
    number: int | None = None
    columns: int | None = None
    most_columns: int | None = None

    @property
    def cost(self) -> Cost | None:
        """The measured run-time model, or None where none was fitted."""
        fitted = _measured().get(self.name, {}).get("cost")
        return Cost(**fitted) if fitted is not None else None

    @property
    def accuracy(self) -> dict[str, float]:
        """Measured scores by scenario, each between 0 and 1; empty where none was measured."""
        found: dict[str, float] = _measured().get(self.name, {}).get("accuracy", {})
        return found


@cache
def _measured() -> dict[str, dict[str, Any]]:
    measured: dict[str, dict[str, Any]] = json.loads((files("whence") / "registry_measured.json").read_text())
    return measured


@dataclass(slots=True)
class _Registry:
    cards: dict[tuple[str, str], tuple[Card, Any]] = field(default_factory=dict)


_REGISTRY = _Registry()
_T = TypeVar("_T")


def register(card: Card) -> Callable[[_T], _T]:
    """Class or function decorator: put the object on the registry and its card on the object as ``.card``."""

    def add(target: _T) -> _T:
        key = (card.family, card.name)
        known = _REGISTRY.cards.get(key)
        if known is not None and known[1].__qualname__ != getattr(target, "__qualname__", None):
            raise ParameterError("E302", f"two methods of family {card.family!r} are named {card.name!r}.")
        _REGISTRY.cards[key] = (card, target)
        target.card = card  # type: ignore[attr-defined]
        return target

    return add


@cache
def _load() -> None:
    """Import every module of the rooms that may carry cards, then the installed plug-ins."""
    for room in _ROOMS:
        package = import_module(f"whence.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"whence.{room}."):
            if "._" not in module.name:
                import_module(module.name)
    for plugin in entry_points(group="whence.methods"):
        plugin.load()


def methods(family: Family | None = None) -> tuple[Card, ...]:
    """Return the cards of all registered methods, sorted by family and name.

    >>> [card.name for card in methods("search")][:2]
    ['anm', 'boss']
    """
    _load()
    keys = sorted(key for key in _REGISTRY.cards if family is None or key[0] == family)
    return tuple(_REGISTRY.cards[key][0] for key in keys)


def lookup(family: Family, name: str) -> Any:
    """Return the class or function registered under a name; raise ParameterError naming the known ones."""
    _load()
    found = _REGISTRY.cards.get((family, name))
    if found is None:
        known = [card.name for card in methods(family)]
        raise ParameterError("E301", f"there is no {family} named {name!r}.", f"Known: {quote_names(known, 40)}.")
    return found[1]
