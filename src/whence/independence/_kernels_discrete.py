"""Contingency tables from sets of rows or row by row, their statistics, and the upper tail of chi-square."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import count_bits, kernel

# With more cells than this, counting rows one by one is faster than intersecting sets of them.
MOST_SET_CELLS = 300

# Up to so many degrees of freedom the tail is a short sum; 1 / k for its terms.
MOST_SUMMED = 60
INVERSES = 1.0 / np.maximum(np.arange(MOST_SUMMED + 2.0), 1.0)

# Codes (p, n) and sizes (p,); the sets of rows with each value and where a column's begin (`whence.counting.row_sets`);
# of each count c what the statistic needs, 1 / c for Pearson's and c log c for the likelihood ratio; whether Pearson's
# is wanted; cells that a test may have given one column and given more; for each column 1 if its last value stands for
# values that are missing, else 0; the rows that each two sets share (`shared_rows`), or none where they were not
# counted.
TABLES = (
    "Tuple((int32[:,::1], int64[::1], uint64[:,::1], int64[::1], float64[::1], boolean, UniTuple(float64, 2),"
    " int64[::1], int32[:,::1]))"
)
# For each number of columns given: the strata as sets of rows, their sizes and number; the stratum of each row; and
# room for the table of one stratum.
STRATA = "Tuple((uint64[:,:,::1], int64[:,::1], int64[::1], int32[:,::1], int64[:,::1]))"


@kernel("float64(float64, int64)", allocates=False)
def tail_by_sum(x, freedom):  # type: ignore[no-untyped-def]
    """Return P(chi-square > 2 x) as a sum of ``freedom / 2`` terms."""
    if x > 745.0:  # the exponential of -x is zero
        return 0.0
    even = freedom % 2 == 0
    term = 1.0 if even else 2.0 * math.sqrt(x / math.pi)
    total = term if even or freedom > 1 else 0.0
    for k in range(1, freedom // 2):
        term *= x * INVERSES[2 * k if even else 2 * k + 1] * 2.0
        total += term
    found = math.exp(-x) * total
    return found if even else found + math.erfc(math.sqrt(x))


@kernel("float64(float64, float64)", allocates=False)
def chi_square_tail(statistic, freedom):  # type: ignore[no-untyped-def]
    """Return P(chi-square with ``freedom`` degrees > statistic): the regularised upper incomplete gamma function.

    The finite sum for few whole degrees (Abramowitz and Stegun 26.4.4 and 26.4.5); else a power series below the mean
    and a continued fraction above it (6.5.29 and 6.5.31).
    """
    a = 0.5 * freedom
    x = 0.5 * statistic
    if x <= 0.0:
        return 1.0
    if freedom <= MOST_SUMMED and freedom == math.floor(freedom):
        return tail_by_sum(x, int(freedom))
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if scale == 0.0:
        return 0.0 if x > a else 1.0
    if x < a + 1.0:
        term = 1.0 / a
        total = term
        k = a
        while abs(term) > abs(total) * 1e-16:
            k += 1.0
            term *= x / k
            total += term
        return max(0.0, 1.0 - total * scale)
    tiny = 1e-300
    b = x + 1.0 - a
    c = 1.0 / tiny
    d = 1.0 / b
    fraction = d
    for k in range(1, 10_000):
        numerator = -k * (k - a)
        b += 2.0
        d = numerator * d + b
        d = 1.0 / (d if abs(d) > tiny else tiny)
        c = b + numerator / c
        c = c if abs(c) > tiny else tiny
        step = c * d
        fraction *= step
        if abs(step - 1.0) < 1e-15:
            break
    return scale * fraction


@kernel("boolean(float64, float64, float64)", allocates=False, forceinline=True)
def tail_is_below(statistic, freedom, log_level):  # type: ignore[no-untyped-def]
    """Return True only if log P(chi-square > statistic) is below a level, by Chernoff's bound: cheap, never wrong."""
    above = statistic / freedom - 1.0
    if above <= 0.0 or 0.25 * freedom * above * above < -log_level:  # log(1 + a) - a is no less than -a^2 / 2
        return False
    return 0.5 * freedom * (math.log1p(above) - above) < log_level


@kernel(
    "int64(uint64[:,::1], int64[::1], int64, uint64[:,::1], int64, int64, uint64[:,::1], int64[::1])",
    allocates=False,
    forceinline=True,
)
def split_sets(outer, margin, count, sets, first, size, inner, inner_margin):  # type: ignore[no-untyped-def]
    """Cut each of the first ``count`` outer sets by the values of a column; return how many parts are not empty."""
    filled = 0
    for s in range(count):
        left = margin[s]
        for value in range(size):
            if left == 0:
                break
            shared = 0
            for word in range(outer.shape[1]):
                both = outer[s, word] & sets[first + value, word]
                inner[filled, word] = both
                shared += count_bits(both)
            if shared > 0:
                inner_margin[filled] = shared
                filled += 1
                left -= shared
    return filled


@kernel("void(uint64[:,::1], int32[:,::1])")
def shared_rows(sets, shared):  # type: ignore[no-untyped-def]
    """Count the rows that each two sets share, shape (s, s)."""
    for a in range(len(sets)):
        for b in range(a + 1):
            count = 0
            for word in range(sets.shape[1]):
                count += count_bits(sets[a, word] & sets[b, word])
            shared[a, b] = count
            shared[b, a] = count


@kernel("void(uint64[::1], int64, uint64[:,::1], int64, int64, int64[:])", allocates=False, forceinline=True)
def margin_in_set(inside, margin, sets, first, size, counts):  # type: ignore[no-untyped-def]
    """Count the values of a column among the rows of a set; the last is what the others leave."""
    rest = margin
    for value in range(size - 1):
        shared = 0
        for word in range(len(inside)):
            shared += count_bits(inside[word] & sets[first + value, word])
        counts[value] = shared
        rest -= shared
    counts[size - 1] = rest


@kernel("void(uint64[::1], uint64[:,::1], int64, int64, int64, int64, int64[:,::1])", allocates=False, forceinline=True)
def count_set(inside, sets, first_x, size_x, first_y, size_y, cells):  # type: ignore[no-untyped-def]
    """Count the values of x and y among the rows of a set; the last row and column are what the others leave.

    ``cells`` has shape (size_x + 1, size_y + 1), the last places for margins, which are there already.
    """
    for j in range(size_y):
        cells[size_x - 1, j] = cells[size_x, j]
    for i in range(size_x - 1):
        here = cells[i, size_y]
        for j in range(size_y - 1):
            shared = 0
            if here > 0 and cells[size_x - 1, j] > 0:
                for word in range(len(inside)):
                    shared += count_bits(inside[word] & sets[first_x + i, word] & sets[first_y + j, word])
            cells[i, j] = shared
            cells[size_x - 1, j] -= shared
            here -= shared
        cells[i, size_y - 1] = here
        cells[size_x - 1, size_y - 1] -= here


@kernel("void(int32[::1], int32[::1], int64, int32[::1])", allocates=False)
def refine_strata(strata, codes, size, refined):  # type: ignore[no-untyped-def]
    """Write into ``refined`` the stratum of each row once a column of ``size`` values is added to the set.

    Rows that miss a value of the set are in stratum -1.
    """
    for row in range(len(codes)):
        seen = strata[row] >= 0 and codes[row] < size
        refined[row] = strata[row] * size + codes[row] if seen else -1


@kernel("void(int32[::1], int32[::1], int32[::1], int64, int64, int64, int64[:,:,::1])")
def count_rows(x, y, strata, count, size_x, size_y, table):  # type: ignore[no-untyped-def]
    """Count the values of x and y in each of ``count`` strata row by row, as `count_set` does in one."""
    table[:count] = 0
    for row in range(len(x)):
        if strata[row] >= 0:
            table[strata[row], x[row], y[row]] += 1
    for s in range(count):
        cells = table[s]
        for i in range(size_x):
            for j in range(size_y):
                cells[i, size_y] += cells[i, j]
                cells[size_x, j] += cells[i, j]


@kernel("int64(int64[:,::1], int64, int64, int64, int64)", allocates=False)
def leave_missing(cells, rows, columns, row_gap, column_gap):  # type: ignore[no-untyped-def]
    """Move the margins over the last row or column, if it is of missing values; return how many rows are left."""
    if row_gap:
        for j in range(columns - column_gap):
            cells[rows - 1, j] = cells[rows, j] - cells[rows - 1, j]
    if column_gap:
        for i in range(rows - row_gap):
            cells[i, columns - 1] = cells[i, columns] - cells[i, columns - 1]
    left = 0
    for i in range(rows - row_gap):
        left += cells[i, columns - column_gap]
    return left


@kernel("float64(int64, boolean, float64[::1])", allocates=False, inline=True)
def of_count(count, pearson, ready):  # type: ignore[no-untyped-def]
    """Return 1 / c of a count for Pearson's statistic, else c log c, from the table as far as it goes; 0 of 0."""
    if count < len(ready):
        return ready[count]
    return 1.0 / count if pearson else count * math.log(count)


@kernel("UniTuple(float64, 2)(int64[:,::1], int64, int64, boolean, float64[::1])", allocates=False, forceinline=True)
def table_statistic(cells, size_x, size_y, pearson, ready):  # type: ignore[no-untyped-def]
    """Return the statistic of one table (Pearson's, else the likelihood ratio G2) and its degrees of freedom.

    Values that do not occur take no degree of freedom; a table in which one of the two does not vary has none at all.
    """
    total = 0
    rows = 0
    columns = 0
    for i in range(size_x):
        total += cells[i, size_y]
        rows += cells[i, size_y] > 0
    for j in range(size_y):
        columns += cells[size_x, j] > 0
    if rows < 2 or columns < 2:
        return 0.0, 0.0
    # Cells that are empty add nothing: to ask which are would cost more than to add them.
    statistic = 0.0
    for i in range(size_x):
        row = 0.0
        for j in range(size_y):
            if pearson:  # the sum of (o - e)^2 / e is N times the sum of o^2 / (r c), less N
                observed = float(cells[i, j])
                row += observed * observed * of_count(cells[size_x, j], pearson, ready)
            else:
                row += of_count(cells[i, j], pearson, ready)
        margin = of_count(cells[i, size_y], pearson, ready)
        statistic += row * margin if pearson else row - margin
    if pearson:
        statistic = total * (statistic - 1.0)
    else:
        for j in range(size_y):
            statistic -= of_count(cells[size_x, j], pearson, ready)
        statistic = 2.0 * (statistic + of_count(total, pearson, ready))
    return max(statistic, 0.0), float((rows - 1) * (columns - 1))


@kernel(f"{STRATA}({TABLES}, int64)")
def strata_room(tables, largest):  # type: ignore[no-untyped-def]
    """Return room for the strata of up to ``largest`` columns; with none given all rows are in one."""
    n, words = tables[0].shape[1], tables[2].shape[1]
    sets = np.empty((largest + 1, MOST_SET_CELLS, words), np.uint64)
    margin = np.empty((largest + 1, MOST_SET_CELLS), np.int64)
    number = np.ones(largest + 1, np.int64)
    for word in range(words):
        sets[0, 0, word] = ~np.uint64(0)
    if n % 64 and words:
        sets[0, 0, words - 1] = (np.uint64(1) << np.uint64(n % 64)) - np.uint64(1)
    margin[0, 0] = n
    by_row = np.empty((largest + 1, n), np.int32)
    by_row[0, :] = 0
    widest = 1
    for k in range(len(tables[1])):
        if tables[3][k] >= 0:
            widest = max(widest, tables[1][k])
    return sets, margin, number, by_row, np.empty((widest + 1, widest + 1), np.int64)


@kernel("float64(float64, float64)", allocates=False)
def p_value_of(statistic, freedom):  # type: ignore[no-untyped-def]
    """Return the p-value, NaN where there was nothing to compare."""
    return chi_square_tail(statistic, freedom) if freedom > 0.0 else math.nan


@kernel(f"UniTuple(float64, 3)({TABLES}, int32[::1], int64, int64, int64, float64)")
def test_by_rows(tables, strata, count, x, y, most_cells):  # type: ignore[no-untyped-def]
    """Return what `contingency_test` does, from the stratum of each row."""
    codes, sizes, _, _, of_counts, pearson, _, gaps, _ = tables
    rows, columns = sizes[x], sizes[y]
    table = np.empty((count, rows + 1, columns + 1), np.int64)
    count_rows(codes[x], codes[y], strata, count, rows, columns, table)
    statistic = 0.0
    freedom = 0.0
    kept = 0
    for s in range(count):
        kept += leave_missing(table[s], rows, columns, gaps[x], gaps[y])
        more, degrees = table_statistic(table[s], rows - gaps[x], columns - gaps[y], pearson, of_counts)
        statistic += more
        freedom += degrees
    if count * (rows - gaps[x]) * (columns - gaps[y]) * len(strata) > most_cells * kept:
        return math.nan, 0.0, 0.0
    return p_value_of(statistic, freedom), statistic, freedom


@kernel(
    f"UniTuple(float64, 3)({TABLES}, {STRATA}, int64[::1], int64, int64, int64[::1], int64, float64)",
    allocates=False,
    forceinline=True,
)
def contingency_test(tables, strata, ready, x, y, given, size, ignored):  # type: ignore[no-untyped-def]
    """Return p-value, statistic and degrees of freedom of one test, on the rows that have all its columns.

    The p-value is NaN where the set given is too fine for those rows or leaves nothing to compare.

    Parameters
    ----------
    ready : int64 array, shape (2,), written
        How many of the columns given are already cut in the sets and in the strata by row; the caller lowers it to
        what is the same as in the test before.
    ignored : float
        A p-value below this may be returned as -1, which spares computing it.
    """
    codes, sizes, sets, first, of_counts, pearson, (most_given_one, most_given_more), gaps, shared = tables
    cut, margin, number, by_row, cells = strata
    n = codes.shape[1]
    groups = 1
    in_sets = first[x] >= 0 and first[y] >= 0
    gap = gaps[x] + gaps[y]
    for k in range(size):
        groups = min(groups * (sizes[given[k]] - gaps[given[k]]), 2**40)
        in_sets = in_sets and first[given[k]] >= 0
        gap += gaps[given[k]]
    rows, columns = sizes[x], sizes[y]
    all_cells = groups * (rows - gaps[x]) * (columns - gaps[y])
    most_cells = math.inf if size == 0 else most_given_one if size == 1 else most_given_more
    if all_cells > most_cells:
        return math.nan, 0.0, 0.0
    if not in_sets or groups * rows * columns > MOST_SET_CELLS:
        for k in range(ready[1], size):
            refine_strata(by_row[k], codes[given[k]], sizes[given[k]] - gaps[given[k]], by_row[k + 1])
        ready[1] = max(ready[1], size)
        return test_by_rows(tables, by_row[size], groups, x, y, most_cells)
    statistic = 0.0
    freedom = 0.0
    log_ignored = math.log(ignored) if ignored > 0.0 else -math.inf
    most_degrees = (rows - gaps[x] - 1) * (columns - gaps[y] - 1)
    counted = size < 2 and len(shared) > 0
    if counted:
        strata_count = groups
    else:
        for k in range(ready[0], size):
            begin, levels = first[given[k]], sizes[given[k]] - gaps[given[k]]
            number[k + 1] = split_sets(cut[k], margin[k], number[k], sets, begin, levels, cut[k + 1], margin[k + 1])
        ready[0] = max(ready[0], size)
        strata_count = number[size]
    kept = 0
    for s in range(strata_count):
        if counted and size == 0:
            for i in range(rows):
                for j in range(columns):
                    cells[i, j] = shared[first[x] + i, first[y] + j]
                cells[i, columns] = shared[first[x] + i, first[x] + i]
            for j in range(columns):
                cells[rows, j] = shared[first[y] + j, first[y] + j]
        elif counted:
            among = first[given[0]] + s
            for i in range(rows):
                cells[i, columns] = shared[among, first[x] + i]
            for j in range(columns):
                cells[rows, j] = shared[among, first[y] + j]
            count_set(sets[among], sets, first[x], rows, first[y], columns, cells)
        else:
            margin_in_set(cut[size, s], margin[size, s], sets, first[x], rows, cells[:, columns])
            margin_in_set(cut[size, s], margin[size, s], sets, first[y], columns, cells[rows])
            count_set(cut[size, s], sets, first[x], rows, first[y], columns, cells)
        if gap:
            kept += leave_missing(cells, rows, columns, gaps[x], gaps[y])
        more, degrees = table_statistic(cells, rows - gaps[x], columns - gaps[y], pearson, of_counts)
        statistic += more
        freedom += degrees
        # What follows cannot lower the statistic, and there is a bound for the degrees of freedom.
        most_freedom = freedom + float((strata_count - s - 1) * most_degrees)
        if more > 0.0 and tail_is_below(statistic, most_freedom, log_ignored):
            return -1.0, statistic, freedom
    if gap and all_cells * n > most_cells * kept:
        return math.nan, 0.0, 0.0
    return p_value_of(statistic, freedom), statistic, freedom


@kernel(f"float64[:,::1]({TABLES}, int64[::1], int64[::1], int64[::1], int64[::1])")
def contingency_tests(tables, first, second, start, given):  # type: ignore[no-untyped-def]
    """Return statistic, degrees of freedom and p-value of each test, shape (k, 3); see `contingency_test`."""
    count = len(first)
    largest = 0
    for q in range(count):
        largest = max(largest, start[q + 1] - start[q])
    strata = strata_room(tables, largest)
    ready = np.empty(2, np.int64)
    found = np.empty((count, 3))
    for q in range(count):
        ready[:] = 0
        wanted = given[start[q] : start[q + 1]]
        found[q, 2], found[q, 0], found[q, 1] = contingency_test(
            tables, strata, ready, first[q], second[q], wanted, len(wanted), 0.0
        )
    return found
