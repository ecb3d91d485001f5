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

    def search(self, **settings: Any) -> Any:
        return lookup("search", self.card.name)(**settings)

    def columns(self, n: int = 400, p: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
        """Return columns with some structure, as text for a search on categories."""
        names = [f"X{k}" for k in range(p)]
        if not self.discrete:
            values = simulate.linear_scm(p, n, degree=2.0, noise="laplace", random_state=seed).values
            return {name: values[:, k] for k, name in enumerate(names)}
        values = simulate.discrete_scm(p, n, degree=2.0, levels=(2, 3), random_state=seed).values
        return {name: np.array([f"v{int(value)}" for value in values[:, k]]) for k, name in enumerate(names)}

    def table(self, n: int = 400, p: int = 6, seed: int = 0) -> Dataset:
        return read(self.columns(n, p, seed))


def search_cases() -> Iterator[Any]:
    for card in methods("search"):
        if "continuous" in card.kinds:
            yield pytest.param(Case(card, discrete=False), id=f"{card.name}-numbers")
        if "categorical" in card.kinds:
            yield pytest.param(Case(card, discrete=True), id=f"{card.name}-categories")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", list(search_cases()))
