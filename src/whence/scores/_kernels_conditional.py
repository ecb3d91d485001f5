"""The conditional Gaussian BIC, compiled: Gaussians within the cells of categories.

The tuple of `whence.scores._kernels` holds the numbers as rows in ``correlation``, the categories as rows in ``codes``
with their ``sizes``, and which is where in ``first``; see `whence.data._kernels_cells`.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.data._kernels_cells import set_score
from whence.scores._kernels import GAINS_OF, LOSSES_OF


@kernel(GAINS_OF, as_argument=True)
def conditional_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write for every wanted column what it adds to ``given[:count]`` as a parent of ``target``.

    With F the score of a set of columns, ``F(x, target, given) - F(x, given) - F(target, given) + F(given)``.
    """
    values, codes, sizes, place, unit, edge = score[1], score[2], score[3], score[5], score[7], score[8]
    gains[:] = -np.inf
    members = np.empty(count + 2, np.int64)
    for k in range(count):
        members[k] = given[k]
    members[count] = target
    before = set_score(values, codes, sizes, place, members, count + 1, unit)
    before -= set_score(values, codes, sizes, place, members, count, unit)
    if not math.isfinite(before):
        return
    taken = np.zeros(len(place), np.bool_)
    for k in range(count + 1):
        taken[members[k]] = True
    for x in range(len(place)):
        if not wanted[x] or taken[x]:
            continue
        members[count], members[count + 1] = x, target
        after = set_score(values, codes, sizes, place, members, count + 2, unit)
        after -= set_score(values, codes, sizes, place, members, count + 1, unit)
        if math.isfinite(after):
            gains[x] = after - before - edge


@kernel(LOSSES_OF, as_argument=True)
def conditional_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write by how much the score of ``target`` falls for each of ``given[:count]`` that leaves; return the score."""
    values, codes, sizes, place, unit, edge = score[1], score[2], score[3], score[5], score[7], score[8]
    members = np.empty(count + 1, np.int64)
    for k in range(count):
        members[k] = given[k]
    members[count] = target
    here = set_score(values, codes, sizes, place, members, count + 1, unit)
    here -= set_score(values, codes, sizes, place, members, count, unit)
    if not math.isfinite(here):
        here = -np.inf
    for out in range(count):
        for k in range(count - 1):
            members[k] = given[k] if k < out else given[k + 1]
        members[count - 1] = target
        there = set_score(values, codes, sizes, place, members, count, unit)
        there -= set_score(values, codes, sizes, place, members, count - 1, unit)
        if here == -np.inf or not math.isfinite(there):
            losses[out] = 0.0 if not math.isfinite(there) else -np.inf
        else:
            losses[out] = here - there - edge
    return here - edge * count
