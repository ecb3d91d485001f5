"""Tables that every search must cope with, and the cards it declares itself by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from whence.data import Dataset, read, simulate
from whence.registry import Card, lookup, methods

ODD_NAMES = (
    "a, b",
    'say "so"',
    "it's [here] {now}",
    "-> cause",
    "select",
    "größe 🚀",
    "x" * 300,
    "  spaced  ",
)


@dataclass(frozen=True)
class Case:
    """A search and a sort of table that its card takes."""

    card: Card
    discrete: bool

    @property
    def width(self) -> int:
        """How many columns its tables have: six, or as many as the search takes."""
        return self.card.columns or 6

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"X{k}" for k in range(self.width))

    def search(self, **settings: Any) -> Any:
        return lookup("search", self.card.name)(**settings)

    def columns(self, n: int = 400, p: int | None = None, seed: int = 0) -> dict[str, np.ndarray]:
        """Return columns with some structure, as text for a search on categories."""
        p = self.width if p is None else p
        names = [f"X{k}" for k in range(p)]
        if not self.discrete:
            values = simulate.linear_scm(p, n, degree=2.0, noise="laplace", random_state=seed).values
            return {name: values[:, k] for k, name in enumerate(names)}
        values = simulate.discrete_scm(p, n, degree=2.0, levels=(2, 3), random_state=seed).values
        return {name: np.array([f"v{int(value)}" for value in values[:, k]]) for k, name in enumerate(names)}

    def table(self, n: int = 400, p: int | None = None, seed: int = 0) -> Dataset:
        return read(self.columns(n, p, seed))


# A search that takes longer than this on the suite's tables, as its card was measured, runs in `make test-all`.
SLOW_SECONDS = 0.03


def search_cases() -> Iterator[Any]:
    for card in methods("search"):
        cost = card.cost.predict(400, card.columns or 6) if card.cost is not None else 0.0
        slow = [pytest.mark.slow] if cost > SLOW_SECONDS else []
        if "continuous" in card.kinds:
            yield pytest.param(Case(card, discrete=False), id=f"{card.name}-numbers", marks=slow)
        if "categorical" in card.kinds:
            yield pytest.param(Case(card, discrete=True), id=f"{card.name}-categories", marks=slow)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", list(search_cases()))
