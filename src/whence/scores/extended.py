"""The extended BIC: any BIC of this room with the price of an edge that the number of columns asks for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from whence.errors import ParameterError
from whence.registry import Card, Paper, register
from whence.scores.local import LocalScore

_Score = TypeVar("_Score", bound=LocalScore)


@register(
    Card(
        name="extended-bic",
        family="score",
        answers="how well a BIC rates a graph once it allows for how many graphs of that many edges there are",
        assumes=frozenset({"iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
        output="local score",
        missing="complete-rows",
        moments_only=True,
        paper=Paper(
            "Foygel and Drton",
            "Extended Bayesian information criteria for Gaussian graphical models",
            2010,
            "Advances in Neural Information Processing Systems 23",
        ),
    )
)
def extended_bic(score: _Score, gamma: float | None = None) -> _Score:
    """Return a BIC in which an edge costs ``2 gamma log p`` beside its parameters.

    Chen and Chen (2008) give all models of one size the same prior weight together, so that one of many columns needs
    more evidence. For graphs this is a price by edge (Foygel and Drton 2010, equation 2), under which equivalent graphs
    keep one score; it takes the place of the default price, which is gamma = 1/2 and, for many numbers, the default
    gamma once that is more (`gaussian_price`).

    Parameters
    ----------
    score : LocalScore
        From `gaussian_bic`, `discrete_bic`, `degenerate_gaussian_bic` or `conditional_gaussian_bic`.
    gamma : float, optional
        From 0, the plain BIC, to 1; by default `default_gamma`.

    Raises
    ------
    ParameterError
        If gamma is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from whence.scores import gaussian_bic
    >>> plain = gaussian_bic(np.array([[1.0, 0.5], [0.5, 1.0]]), 100, per_edge=0.0)
    >>> round(plain.local(1, [0]), 3), round(extended_bic(plain, gamma=1.0).local(1, [0]), 3)
    (12.082, 10.695)
    """
    if gamma is not None and gamma < 0:
        raise ParameterError("E316", f"gamma is {gamma}.", "Give 0, the plain BIC, to 1.")
    p = score.n_columns
    used = default_gamma(int(score.n), p) if gamma is None else gamma
    return replace(score, edge=2.0 * used * math.log(p))


def default_gamma(n: int, p: int) -> float:
    """Return ``max(0, 1 - log n / (4 log p))``: the least gamma that finds the graph as n and p grow together.

    Foygel and Drton (2010), theorem 2, for p that grows like a power of n.

    >>> default_gamma(10_000, 10), round(default_gamma(1000, 100), 3), round(default_gamma(100, 1000), 3)
    (0.0, 0.625, 0.833)
    """
    return max(0.0, 1.0 - math.log(n) / (4.0 * math.log(p)))
