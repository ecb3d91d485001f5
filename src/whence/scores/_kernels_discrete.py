"""The discrete scores, compiled.

Tables of few cells are counted as intersections of sets of rows, 64 rows a step; larger ones row by row; those with
more cells than rows by numbering the cells that occur.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import count_bits, kernel
from whence.scores._kernels import BDEU, GAINS_OF, LOSSES_OF, SCORE

# With more cells than this, counting rows one by one is faster than intersecting sets of them.
_MOST_SETS = 300


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


@kernel(f"float64({SCORE}, int64[::1], int64, int64, float64)")
def table_score(score, counts, total, size, configurations):  # type: ignore[no-untyped-def]
    """Return the score of a target with ``size`` values from its counts in ``total`` strata, those of one together.

    ``configurations`` is the number of combinations the parents can take, seen or not. BIC: Schwarz (1978); BDeu:
    Heckerman, Geiger and Chickering (1995), equation 28, with equivalent sample size ``ess``.
    """
    mode, _, _, _, _, _, _, unit, _, ess, logs = score
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
                    value += logs[count] if count < len(logs) else count * math.log(count)
        if margin > 0:
            if mode == BDEU:
                value += whole_constant - math.lgamma(whole + margin)
            else:
                value -= logs[margin] if margin < len(logs) else margin * math.log(margin)
    if mode != BDEU:
        value -= unit * configurations * (size - 1)
    return value


@kernel(f"float64({SCORE}, int64, int64[::1], int64, float64)")
def cells_score(score, target, cells, total, configurations):  # type: ignore[no-untyped-def]
    """Return the score of a target in strata given by row. Strata in which no row lies are passed over."""
    codes, sizes = score[2], score[3]
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


@kernel(f"uint64[:,::1]({SCORE}, int64, int64[::1], int64)")
def joint_sets(score, target, given, count):  # type: ignore[no-untyped-def]
    """Return the sets of rows with each combination of values of ``given[:count]`` and the target, which varies first.

    The result is empty if some column has no sets or the combinations are more than `_MOST_SETS`.
    """
    sizes, sets, first = score[3], score[4], score[5]
    words = sets.shape[1]
    total = sizes[target]
    held = first[target] >= 0
    for k in range(count):
        total *= sizes[given[k]]
        held = held and first[given[k]] >= 0 and total <= _MOST_SETS
    if not held or total > _MOST_SETS:
        return np.empty((0, words), np.uint64)
    joint = np.empty((total, words), np.uint64)
    filled = sizes[target]
    for cell in range(filled):
        for word in range(words):
            joint[cell, word] = sets[first[target] + cell, word]
    for k in range(count - 1, -1, -1):  # the last parent varies next
        column = given[k]
        for value in range(sizes[column] - 1, -1, -1):  # value 0 last, over the sets that the others are made of
            for cell in range(filled):
                for word in range(words):
                    joint[value * filled + cell, word] = joint[cell, word] & sets[first[column] + value, word]
        filled *= sizes[column]
    return joint


@kernel("int64[::1](uint64[:,::1])")
def set_sizes(sets):  # type: ignore[no-untyped-def]
    """Return how many rows each set has."""
    found = np.empty(len(sets), np.int64)
    for cell in range(len(sets)):
        size = 0
        for word in range(sets.shape[1]):
            size += count_bits(sets[cell, word])
        found[cell] = size
    return found


@kernel(GAINS_OF, as_argument=True)
def discrete_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write for the wanted columns by how much the discrete score of ``target`` rises if each joins the parents."""
    codes, sizes, sets, first, edge = score[2], score[3], score[4], score[5], score[8]
    rows, size = codes.shape[1], sizes[target]
    left = np.zeros(len(sizes), np.bool_)
    for x in range(len(sizes)):
        gains[x] = -np.inf
        left[x] = wanted[x] and x != target
    configurations = 1.0
    for k in range(count):
        configurations *= sizes[given[k]]
        left[given[k]] = False
    joint_set = joint_sets(score, target, given, count)
    margin = set_sizes(joint_set)
    n_joint = len(margin)
    before = 0.0
    if n_joint > 0:
        before = table_score(score, margin, n_joint // size, size, configurations)
    by_rows = n_joint == 0
    for x in range(len(sizes)):
        if not left[x]:
            continue
        if n_joint == 0 or n_joint * (sizes[x] - 1) > _MOST_SETS or first[x] < 0:
            by_rows = True
            continue
        counts = np.empty(n_joint * sizes[x], np.int64)
        count_sets(sets, first[x], sizes[x], joint_set, margin, counts)
        after = table_score(score, counts, n_joint // size * sizes[x], size, configurations * sizes[x])
        gains[x] = after - before - edge
        left[x] = False
    if not by_rows:
        return
    cells = np.empty(rows, np.int64)
    total = strata(codes, sizes, given, count, cells)
    before = cells_score(score, target, cells, total, configurations)
    n_joint = total * size
    joint = np.empty(rows, np.int32)
    for row in range(rows):
        joint[row] = cells[row] * size + codes[target, row]
    joined = np.empty(rows, np.int64)
    for x in range(len(sizes)):
        if not left[x]:
            continue
        if total * sizes[x] > 2 * rows + 64:
            for row in range(rows):
                joined[row] = cells[row] * sizes[x] + codes[x, row]
            after = cells_score(score, target, joined, total * sizes[x], configurations * sizes[x])
        else:
            counts = np.empty(n_joint * sizes[x], np.int64)
            count_rows(codes, x, joint, n_joint, counts, np.empty(len(counts), np.int64))
            after = table_score(score, counts, total * sizes[x], size, configurations * sizes[x])
        gains[x] = after - before - edge


@kernel(f"float64({SCORE}, int64, int64[::1], int64)")
def rows_score(score, target, given, count):  # type: ignore[no-untyped-def]
    """Return the local score of a target, counted row by row."""
    codes, sizes = score[2], score[3]
    cells = np.empty(codes.shape[1], np.int64)
    total = strata(codes, sizes, given, count, cells)
    configurations = 1.0
    for k in range(count):
        configurations *= sizes[given[k]]
    return cells_score(score, target, cells, total, configurations) - score[8] * count


@kernel(LOSSES_OF, as_argument=True)
def discrete_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write by how much the discrete score falls for each of ``given[:count]`` that leaves; return the score.

    One table of the target and all parents is summed over each in turn, unless it were too large.
    """
    codes, sizes, edge = score[2], score[3], score[8]
    rows, size = codes.shape[1], sizes[target]
    total = 1
    for k in range(count):
        total *= sizes[given[k]]
        if total > 2 * rows + 64:
            break
    if total > 2 * rows + 64:
        here = rows_score(score, target, given, count)
        others = np.empty(count, np.int64)
        for out in range(count):
            for k in range(count - 1):
                others[k] = given[k] if k < out else given[k + 1]
            losses[out] = here - rows_score(score, target, others, count - 1)
        return here
    counts = set_sizes(joint_sets(score, target, given, count))
    if len(counts) == 0:
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
