"""Decomposable local scores of a node given its parents, behind one signature."""

from whence.scores.local import LocalScore, bdeu, discrete_bic, gaussian_bic

__all__ = ["LocalScore", "bdeu", "discrete_bic", "gaussian_bic"]
