"""What searches ask of a whole table or graph at once, compiled, and how they call the kernels of a score.

Kernels that Python calls take the addresses of a score's two kernels, which costs far less than handing over the
kernels themselves; `gains_at` and `losses_at` make functions of them again.
"""

from __future__ import annotations

import numpy as np

from whence.compile import address_of, function_at, kernel
from whence.scores._kernels import GAINS_OF, LOSSES_OF, SCORE

__all__ = ["address_of", "gains_at", "losses_at", "single_gains", "worth_of_edges"]

gains_at = function_at(GAINS_OF)
losses_at = function_at(LOSSES_OF)


@kernel(f"void(int64, {SCORE}, int64, float64[:,::1])")
def single_gains(gains_address, score, first, gains):  # type: ignore[no-untyped-def]
    """Write by how much the scores of the targets from ``first`` on rise for each column as the only parent."""
    gains_of = gains_at(gains_address)
    wanted = np.ones(gains.shape[1], np.bool_)
    nothing = np.empty(0, np.int64)
    for k in range(len(gains)):
        gains_of(score, first + k, nothing, 0, wanted, gains[k])


@kernel(f"float64(int64, {SCORE}, boolean[:,::1], float64[:,::1])")
def worth_of_edges(losses_address, score, adjacency, worth):  # type: ignore[no-untyped-def]
    """Write by how much the score of a DAG falls without each of its edges, ``[i, j]`` for ``i -> j``; return it."""
    losses_of = losses_at(losses_address)
    p = len(adjacency)
    parents, losses = np.empty(p, np.int64), np.empty(p)
    total = 0.0
    for target in range(p):
        count = 0
        for column in range(p):
            if adjacency[column, target]:
                parents[count] = column
                count += 1
        total += losses_of(score, target, parents, count, losses)
        for k in range(count):
            worth[parents[k], target] = losses[k]
    return total
