"""Tests of conditional independence behind one call: ``test(x, y, given) -> TestResult``."""

from __future__ import annotations

from whence.independence.contingency import ChiSquare, GSquare
from whence.independence.fisher_z import FisherZ
from whence.independence.oracle import Oracle
from whence.independence.result import IndependenceTest, TestResult

__all__ = ["ChiSquare", "FisherZ", "GSquare", "IndependenceTest", "Oracle", "TestResult"]
