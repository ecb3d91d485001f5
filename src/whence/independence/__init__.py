"""Tests of conditional independence behind one call: ``test(x, y, given) -> TestResult``."""

from __future__ import annotations

from whence.independence.contingency import ChiSquare, GSquare
from whence.independence.deletion import TestwiseDeletion
from whence.independence.fisher_z import FisherZ
from whence.independence.kernel import KCI
from whence.independence.missing_value import MissingValueFisherZ
from whence.independence.mixed import ConditionalGaussian, DegenerateGaussian
from whence.independence.nearest_neighbours import CMIknn
from whence.independence.oracle import Oracle
from whence.independence.random_features import RCIT, RCoT
from whence.independence.rank import RankFisherZ
from whence.independence.residual_invariance import ResidualInvariance
from whence.independence.result import IndependenceTest, TestResult

__all__ = [
    "KCI",
    "RCIT",
    "CMIknn",
    "ChiSquare",
    "ConditionalGaussian",
    "DegenerateGaussian",
    "FisherZ",
    "GSquare",
    "IndependenceTest",
    "MissingValueFisherZ",
    "Oracle",
    "RCoT",
    "RankFisherZ",
    "ResidualInvariance",
    "TestResult",
    "TestwiseDeletion",
]
