"""Compiled local scores. One call answers for one target and all candidate parents, so that they share their work.

A score is one tuple: ``mode`` (0 Gaussian BIC, 1 discrete BIC, 2 BDeu), ``correlation`` (p, p), ``codes`` (p, n),
``sizes`` (p,), ``sets``, ``first``, ``n``, ``unit``, ``edge``, ``ess``. What a mode does not use is empty. Bit r of
``sets[first[x] + v]`` says whether row r has value v of column x; columns of many values have no sets.

Tables of few cells are counted as intersections of sets, 64 rows a step; larger ones row by row; those with more cells
than rows by numbering the cells that occur.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import count_bits, kernel

GAUSSIAN = 0
DISCRETE_BIC = 1
BDEU = 2
# A conditional variance below this share of the column's own is taken for zero: the column is determined by the others.
_DETERMINED = 1e-10
SCORE = (
    "Tuple((int64, float64[:,::1], int32[:,::1], int64[::1], uint64[:,::1], int64[::1], float64, float64, float64, "
    "float64))"
)
# What `local_gains` and `local_losses` are to kernels that take them as arguments.
GAINS = f"FunctionType(void({SCORE}, int64, int64[::1], int64, boolean[::1], float64[::1]))"
LOSSES = f"FunctionType(float64({SCORE}, int64, int64[::1], int64, float64[::1]))"
# With more cells than this, counting rows one by one is faster than intersecting sets of them.
_MOST_SETS = 200


@kernel("boolean(float64[:,::1], int64[::1], int64, float64[:,::1])")
def factorise(correlation, given, count, factor):  # type: ignore[no-untyped-def]
    """Write the Cholesky factor of the correlation of ``given[:count]``; False if it is singular."""
    for i in range(count):
        for j in range(i + 1):
            total = correlation[given[i], given[j]]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if total <= _DETERMINED:
                    return False
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    return True


@kernel("void(float64[:,::1], float64, float64, int64, int64[::1], int64, float64[::1])")
def gaussian_gains(correlation, n, unit, target, given, count, gains):  # type: ignore[no-untyped-def]
    """Write for every column by how much the score of ``target`` rises if it joins ``given[:count]`` as a parent.

    The rise is ``-n/2 log(1 - r^2) - unit`` with r the partial correlation given the set (Chickering 2002).
    """
    p = correlation.shape[0]
    gains[:] = -np.inf
    factor = np.empty((count, count))
    if not factorise(correlation, given, count, factor):
        return
    reduced = np.empty((count, p))
    for i in range(count):
        for x in range(p):
            reduced[i, x] = correlation[given[i], x]
        for j in range(i):
            scale = factor[i, j]
            for x in range(p):
                reduced[i, x] -= scale * reduced[j, x]
        scale = 1.0 / factor[i, i]
        for x in range(p):
            reduced[i, x] *= scale
    between, variance = np.empty(p), np.empty(p)
    for x in range(p):
        between[x], variance[x] = correlation[target, x], 1.0
    for i in range(count):
        scale = reduced[i, target]
        for x in range(p):
            between[x] -= scale * reduced[i, x]
            variance[x] -= reduced[i, x] * reduced[i, x]
    own = variance[target]
    if own <= _DETERMINED:
        return
    for x in range(p):
        if variance[x] > _DETERMINED:
            share = between[x] * between[x] / (own * variance[x])
            gains[x] = -0.5 * n * math.log1p(-min(share, 1.0 - 1e-15)) - unit
    gains[target] = -np.inf
    for i in range(count):
        gains[given[i]] = -np.inf


@kernel("float64(float64[:,::1], int64, int64[::1], int64)")
def residual_variance(correlation, target, given, count):  # type: ignore[no-untyped-def]
    """Return the variance of a column given others, as a share of its own; -1 if the others are collinear."""
    factor = np.empty((count, count))
    if not factorise(correlation, given, count, factor):
        return -1.0
    solved = np.empty(count)
    left = 1.0
    for i in range(count):
        total = correlation[given[i], target]
        for j in range(i):
            total -= factor[i, j] * solved[j]
        solved[i] = total / factor[i, i]
        left -= solved[i] * solved[i]
    return left


@kernel("int64(int64[::1])")
def close_up(cells):  # type: ignore[no-untyped-def]
    """Replace values by their number in order of appearance, from 0, in place; return how many there are."""
    room = 16
    while room < 2 * len(cells):
        room *= 2
    slots = np.full(room, -1)
    numbers = np.empty(room, np.int64)
    seen = 0
    for row in range(len(cells)):
        value = cells[row]
        slot = (value * 0x9E3779B97F4A7C1 ^ value >> 17) & (room - 1)
        while slots[slot] >= 0 and slots[slot] != value:
            slot = (slot + 1) & (room - 1)
        if slots[slot] < 0:
            slots[slot], numbers[slot] = value, seen
            seen += 1
        cells[row] = numbers[slot]
    return seen


@kernel("int64(int32[:,::1], int64[::1], int64[::1], int64, int64[::1])")
def strata(codes, sizes, given, count, cells):  # type: ignore[no-untyped-def]
    """Write the number of each row's combination of values of ``given[:count]``; return how many numbers there are.

    Numbers are closed up whenever they would outgrow the rows, so that tables stay small.
    """
    n = codes.shape[1]
    cells[:] = 0
    total = 1
    for k in range(count):
        column = given[k]
        size = sizes[column]
        for row in range(n):
            cells[row] = cells[row] * size + codes[column, row]
        total *= size
        if total > 2 * n + 64:
            total = close_up(cells)
    return total


@kernel("void(int32[::1], uint64[:,::1], int64)")
def mark_rows(values, sets, first):  # type: ignore[no-untyped-def]
    """Set bit r of ``sets[first + values[r]]`` for every row r."""
    for row in range(len(values)):
        sets[first + values[row], row >> 6] |= np.uint64(1) << np.uint64(row & 63)


@kernel(f"float64({SCORE}, int64[::1], int64, int64, float64)")
def table_score(score, counts, total, size, configurations):  # type: ignore[no-untyped-def]
    """Return the score of a target with ``size`` values from its counts in ``total`` strata, those of one together.

    ``configurations`` is the number of combinations the parents can take, seen or not. BIC: Schwarz (1978); BDeu:
    Heckerman, Geiger and Chickering (1995), equation 28, with equivalent sample size ``ess``.
    """
    mode, _, _, _, _, _, _, unit, _, ess = score
    value = 0.0
    whole, part = ess / configurations, ess / (configurations * size)
    whole_constant, part_constant = math.lgamma(whole), math.lgamma(part)
    for stratum in range(total):
        margin = 0
        for k in range(stratum * size, (stratum + 1) * size):
            count = counts[k]
            if count > 0:
                margin += count
                if mode == BDEU:
                    value += math.lgamma(part + count) - part_constant
                else:
                    value += count * math.log(count)
        if margin > 0:
            if mode == BDEU:
                value += whole_constant - math.lgamma(whole + margin)
            else:
                value -= margin * math.log(margin)
    if mode != BDEU:
        value -= unit * configurations * (size - 1)
    return value


@kernel(f"float64({SCORE}, int64, int64[::1], int64, float64)")
def cells_score(score, target, cells, total, configurations):  # type: ignore[no-untyped-def]
    """Return the score of a target in strata given by row. Strata in which no row lies are passed over."""
    _, _, codes, sizes, _, _, _, _, _, _ = score
    n, size = codes.shape[1], sizes[target]
    if total > 2 * n + 64:
        cells = cells.copy()
        total = close_up(cells)
    counts = np.zeros(total * size, np.int64)
    for row in range(n):
        counts[cells[row] * size + codes[target, row]] += 1
    return table_score(score, counts, total, size, configurations)


@kernel("void(uint64[:,::1], int64, int64, uint64[:,::1], int64[::1], int64[::1])")
def count_sets(sets, first, size, joint, margin, counts):  # type: ignore[no-untyped-def]
    """Write how many rows each of the joint cells shares with each value of a column; the last value has the rest."""
    cells, words = joint.shape
    for cell in range(cells):
        rest = margin[cell]
        for value in range(size - 1):
            shared = 0
            if rest > 0:
                for word in range(words):
                    shared += count_bits(joint[cell, word] & sets[first + value, word])
            counts[value * cells + cell] = shared
            rest -= shared
        counts[(size - 1) * cells + cell] = rest


@kernel("void(int32[:,::1], int64, int32[::1], int64, int64[::1], int64[::1])")
def count_rows(codes, column, joint, cells, counts, second):  # type: ignore[no-untyped-def]
    """Count like `count_sets`, row by row, in two tables by turns: one need not wait for the other's last write."""
    n = len(joint)
    used = len(second)
    for k in range(used):
        counts[k] = second[k] = 0
    for row in range(0, n - 1, 2):
        counts[codes[column, row] * cells + joint[row]] += 1
        second[codes[column, row + 1] * cells + joint[row + 1]] += 1
    if n % 2:
        counts[codes[column, n - 1] * cells + joint[n - 1]] += 1
    for k in range(used):
        counts[k] += second[k]


@kernel(f"void({SCORE}, int64, int64[::1], int64, boolean[::1], float64[::1])")
def discrete_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write for the wanted columns by how much the discrete score of ``target`` rises if each joins the parents."""
    _, _, codes, sizes, sets, first, _, _, edge, _ = score
    rows, size = codes.shape[1], sizes[target]
    cells = np.empty(rows, np.int64)
    total = strata(codes, sizes, given, count, cells)
    configurations = 1.0
    for k in range(count):
        configurations *= sizes[given[k]]
    before = cells_score(score, target, cells, total, configurations)
    n_joint = total * size
    joint = np.empty(rows, np.int32)
    for row in range(rows):
        joint[row] = cells[row] * size + codes[target, row]
    margin = np.zeros(n_joint, np.int64)
    joint_sets = np.zeros((n_joint if n_joint <= _MOST_SETS else 0, (rows + 63) // 64), np.uint64)
    if n_joint <= _MOST_SETS:
        mark_rows(joint, joint_sets, 0)
        for row in range(rows):
            margin[joint[row]] += 1
    for x in range(len(sizes)):
        gains[x] = -np.inf
        inside = x == target or not wanted[x]
        for k in range(count):
            inside = inside or given[k] == x
        if inside:
            continue
        if total * sizes[x] > 2 * rows + 64:
            joined = np.empty(rows, np.int64)
            for row in range(rows):
                joined[row] = cells[row] * sizes[x] + codes[x, row]
            after = cells_score(score, target, joined, total * sizes[x], configurations * sizes[x])
        else:
            counts = np.empty(n_joint * sizes[x], np.int64)
            if n_joint * (sizes[x] - 1) <= _MOST_SETS and first[x] >= 0:
                count_sets(sets, first[x], sizes[x], joint_sets, margin, counts)
            else:
                count_rows(codes, x, joint, n_joint, counts, np.empty(len(counts), np.int64))
            after = table_score(score, counts, total * sizes[x], size, configurations * sizes[x])
        gains[x] = after - before - edge


@kernel(f"void({SCORE}, int64, int64[::1], int64, boolean[::1], float64[::1])", as_argument=True)
def local_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write the rise of the target's score for every wanted column that joins ``given[:count]``.

    ``unit`` is the price of a parameter, ``edge`` that of a parent.
    """
    if score[0] == GAUSSIAN:
        gaussian_gains(score[1], score[6], score[7] + score[8], target, given, count, gains)
    else:
        discrete_gains(score, target, given, count, wanted, gains)


@kernel(f"float64({SCORE}, int64, int64[::1], int64)")
def local_score(score, target, given, count):  # type: ignore[no-untyped-def]
    """Return the local score of a target with parents ``given[:count]``; -inf if they are collinear."""
    mode, correlation, codes, sizes, _, _, n, unit, edge, _ = score
    if mode == GAUSSIAN:
        left = residual_variance(correlation, target, given, count)
        if left <= _DETERMINED:
            return -np.inf
        return -0.5 * n * math.log(left) - (unit + edge) * count
    cells = np.empty(codes.shape[1], np.int64)
    total = strata(codes, sizes, given, count, cells)
    configurations = 1.0
    for k in range(count):
        configurations *= sizes[given[k]]
    return cells_score(score, target, cells, total, configurations) - edge * count


@kernel("float64(float64[:,::1], float64, float64, int64, int64[::1], int64, float64[::1])")
def gaussian_losses(correlation, n, unit, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write by how much the score of ``target`` falls for each of ``given[:count]`` that leaves; return the score.

    If the columns are collinear, return -inf and write nothing.

    With M the inverse of the Cholesky factor of all of them and the target last, the squared partial correlation of
    parent j and the target given the others is ``M[-1, j]^2 / sum_i M[i, j]^2``.
    """
    members = np.empty(count + 1, np.int64)
    for k in range(count):
        members[k] = given[k]
    members[count] = target
    factor = np.empty((count + 1, count + 1))
    if not factorise(correlation, members, count + 1, factor):
        return -np.inf
    column = np.empty(count + 1)
    for j in range(count):
        column[j] = 1.0 / factor[j, j]
        square = column[j] * column[j]
        for i in range(j + 1, count + 1):
            total = 0.0
            for k in range(j, i):
                total -= factor[i, k] * column[k]
            column[i] = total / factor[i, i]
            square += column[i] * column[i]
        share = column[count] * column[count] / square
        losses[j] = -0.5 * n * math.log1p(-min(share, 1.0 - 1e-15)) - unit
    return -n * math.log(factor[count, count]) - unit * count


@kernel(f"float64({SCORE}, int64, int64[::1], int64, float64[::1])")
def table_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write the losses from one table of the target and all parents, summed over each, and return the score.

    If the table were too large, return -inf and write nothing.
    """
    _, _, codes, sizes, _, _, _, _, edge, _ = score
    rows, size = codes.shape[1], sizes[target]
    total = 1
    for k in range(count):
        total *= sizes[given[k]]
        if total > 2 * rows + 64:
            return -np.inf
    cells = np.empty(rows, np.int64)
    strata(codes, sizes, given, count, cells)
    counts = np.zeros(total * size, np.int64)
    for row in range(rows):
        counts[cells[row] * size + codes[target, row]] += 1
    here = table_score(score, counts, total, size, float(total))
    inner = size  # how far apart the values of a parent stand in the table
    for k in range(count - 1, -1, -1):
        values = sizes[given[k]]
        summed = np.zeros(len(counts) // values, np.int64)
        for cell in range(len(counts)):
            summed[cell // (inner * values) * inner + cell % inner] += counts[cell]
        fewer = total // values
        losses[k] = here - table_score(score, summed, fewer, size, float(fewer)) - edge
        inner *= values
    return here - edge * count


@kernel(f"float64({SCORE}, int64, int64[::1], int64, float64[::1])", as_argument=True)
def local_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write by how much the score falls for each of ``given[:count]`` that leaves, 0 where it stays at -inf.

    Returns the score itself.
    """
    if score[0] == GAUSSIAN:
        here = gaussian_losses(score[1], score[6], score[7] + score[8], target, given, count, losses)
    else:
        here = table_losses(score, target, given, count, losses)
    if here > -np.inf:
        return here
    here = local_score(score, target, given, count)
    others = np.empty(count, np.int64)
    for out in range(count):
        for k in range(count - 1):
            others[k] = given[k] if k < out else given[k + 1]
        value = local_score(score, target, others, count - 1)
        losses[out] = here - value if value > -np.inf else 0.0
    return here
