"""Exact search, compiled: local scores of all sets of parents as bit masks, and the best order of the columns.

Sets of parents of a target are numbered by the bits of its candidates: bit k of a number stands for ``members[k]``.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import count_bits, kernel
from whence.scores._kernels import GAINS, SCORE

# As in the score: a column whose conditional variance is below this share of its own is determined by the others.
_DETERMINED = 1e-10


@kernel("void(float64[:,::1], float64[::1])")
def log_determinants(correlation, found):  # type: ignore[no-untyped-def]
    """Write the log-determinant of the correlation of every set of columns, by its mask; -inf where it is singular.

    Columns are decided from the last to the first; each decision leaves the others as they are or conditions them on
    the column. From one mask to the next only the decisions that change are made anew, six steps on average.
    """
    p = correlation.shape[0]
    left = np.empty((p + 1, p, p))  # left[k]: the first k columns given those decided to be in
    logs = np.zeros(p + 1)
    for i in range(p):
        for j in range(p):
            left[p, i, j] = correlation[i, j]
    for mask in range(len(found)):
        changed = mask ^ (mask - 1) if mask > 0 else len(found) - 1
        top = 0
        while changed >> top > 0:
            top += 1
        for k in range(top - 1, -1, -1):
            logs[k] = logs[k + 1]
            if mask >> k & 1:
                pivot = left[k + 1, k, k]
                if pivot <= _DETERMINED:
                    logs[k] = -np.inf
                    pivot = 1.0
                else:
                    logs[k] += math.log(pivot)
                for i in range(k):
                    scale = left[k + 1, i, k] / pivot
                    for j in range(k):
                        left[k, i, j] = left[k + 1, i, j] - scale * left[k + 1, k, j]
            else:
                for i in range(k):
                    for j in range(k):
                        left[k, i, j] = left[k + 1, i, j]
        found[mask] = logs[0]


@kernel("void(float64[::1], int64, int64, float64, float64, int64, float64[::1])")
def determinant_scores(logs, target, candidates, n, price, most_parents, scores):  # type: ignore[no-untyped-def]
    """Write the Gaussian score of a target given every subset of its candidates, a mask; -inf for larger ones."""
    mask = np.int64(0)
    own = np.int64(1) << target
    for subset in range(len(scores)):
        size = count_bits(np.uint64(mask))
        joint = logs[mask | own]
        scores[subset] = -np.inf
        if size <= most_parents and joint > -np.inf:
            scores[subset] = -0.5 * n * (joint - logs[mask]) - price * size
        mask = (mask - candidates) & candidates  # the next subset in the order of the numbers


@kernel(f"void({GAINS}, {SCORE}, int64, int64, int64[::1], int64, float64, float64[::1])")
def gain_scores(gains_of, score, p, target, members, most_parents, least, scores):  # type: ignore[no-untyped-def]
    """Write any score of a target given every subset of its candidates, each from the one without its last member.

    ``scores[0]`` is given. With ``least`` > -inf, for the discrete BIC, sets are left out, as -inf, whose parameters
    alone cost so much that neither they nor their supersets reach it: the likelihood of a table is at most 1.
    """
    sizes, unit, edge = score[3], score[7], score[8]
    k = len(members)
    bounded = least > -np.inf
    gains, wanted, given = np.empty(p), np.zeros(p, np.bool_), np.empty(k, np.int64)
    for subset in range(1, len(scores)):
        scores[subset] = -np.inf
    for subset in range(len(scores)):
        if scores[subset] == -np.inf:
            continue
        count, top, cells = 0, 0, 1.0
        for place in range(k):
            if subset >> place & 1:
                given[count] = members[place]
                count += 1
                top = place + 1
                if bounded:
                    cells *= sizes[members[place]]
        if count >= most_parents:
            continue
        any_wanted = False
        for place in range(top, k):
            cost = edge * (count + 1)
            if bounded:
                cost += unit * cells * sizes[members[place]] * (sizes[target] - 1)
            wanted[members[place]] = not bounded or -cost > least
            any_wanted = any_wanted or wanted[members[place]]
        if any_wanted:
            gains_of(score, target, given, count, wanted, gains)
        for place in range(top, k):
            if wanted[members[place]]:
                scores[subset | 1 << place] = scores[subset] + gains[members[place]]
                wanted[members[place]] = False


@kernel("void(float64[::1], int64, int64, boolean[::1])")
def mark_useful(scores, k, needed, useful):  # type: ignore[no-untyped-def]
    """Mark the sets that hold what is needed and beat all their subsets that do; scores become the best of subsets."""
    for subset in range(len(scores)):
        own = scores[subset] if subset & needed == needed else -np.inf
        best = -np.inf
        for place in range(k):
            if subset >> place & 1:
                best = max(best, scores[subset ^ 1 << place])
        useful[subset] = own > best
        scores[subset] = max(own, best)


@kernel("void(int64[::1], int64[::1], float64[::1], float64[::1], int8[::1])")
def best_sinks(first, masks, scores, totals, sinks):  # type: ignore[no-untyped-def]
    """Write for every set of columns the best score of a DAG on it, and a column that then has no effect in it.

    Silander and Myllymäki (2006), step 4. ``masks[first[v]:first[v + 1]]`` are the useful sets of parents of column v,
    best first with ``scores``; those after the first that lies within the set, or that cannot beat another column as
    the last, are not looked at.
    """
    k = len(first) - 1
    totals[0] = 0.0
    for columns in range(1, len(totals)):
        best, sink = -np.inf, -1
        for v in range(k):
            if not columns >> v & 1:
                continue
            rest = columns ^ np.int64(1) << v
            before = totals[rest]
            for place in range(first[v], first[v + 1]):
                reached = before + scores[place]
                if not reached > best:
                    break
                if masks[place] & rest == masks[place]:
                    best, sink = reached, v
                    break
        totals[columns] = best
        sinks[columns] = sink
