"""What every test of conditional independence returns, and how all of them are called."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Query = tuple[str, str, Collection[str]]
"""Two columns and those given: ``("dose", "cure", ("age",))``."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """The outcome of one test of independence.

    Attributes
    ----------
    p_value : float
        How often data this dependent or more would come up if the two were independent given the rest. NaN where the
        data cannot tell: the columns given determine one of the two, or hold too few rows for each of their values.
    statistic : float
        The test's own statistic; larger speaks for dependence.
    rows_used : int
        Complete rows.
    degrees_of_freedom : int or None
        For tests on counts, after adjustment for values that do not occur.
    """

    __test__: ClassVar[bool] = False  # not a test case of pytest

    p_value: float
    statistic: float
    rows_used: int
    degrees_of_freedom: int | None = None


class IndependenceTest(Protocol):
    """The one call signature of all tests: two columns and those given, by name."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that can be tested."""

    @property
    def rows_used(self) -> int:
        """Complete rows behind every test."""

    def __call__(self, x: str, y: str, given: Collection[str] = ()) -> TestResult:
        """Test whether x and y are independent given the rest."""

    def batch(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Return the p-value of many tests at once, shape (number of queries,)."""
