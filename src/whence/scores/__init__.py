"""Decomposable local scores of a node given its parents, behind one signature."""

from whence.scores.extended import extended_bic
from whence.scores.kernel import kernel_score
from whence.scores.local import LocalScore, bdeu, discrete_bic, gaussian_bic
from whence.scores.mixed import conditional_gaussian_bic, degenerate_gaussian_bic

__all__ = [
    "LocalScore",
    "bdeu",
    "conditional_gaussian_bic",
    "degenerate_gaussian_bic",
    "discrete_bic",
    "extended_bic",
    "gaussian_bic",
    "kernel_score",
]
