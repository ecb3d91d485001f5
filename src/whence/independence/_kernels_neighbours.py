"""Conditional mutual information from distances to nearest neighbours, and permutations among neighbours."""

from __future__ import annotations

import numpy as np

from whence.compile import kernel


@kernel("void(int32[::1], boolean, int64, int32[::1])", reassociate=True)
def distances_from(values, nominal, row, found):  # type: ignore[no-untyped-def]
    """Write the distance of every value from that of a row: their gap, or for levels 2 n where they differ."""
    at = values[row]
    n = len(values)
    if nominal:
        for j in range(n):
            found[j] = 2 * n if values[j] != at else 0
    else:
        for j in range(n):
            found[j] = abs(values[j] - at)


@kernel("float64(int32[::1], boolean, int32[::1], boolean, int32[:,::1], int64, float64[::1])", reassociate=True)
def conditional_information(x, x_nominal, y, y_nominal, given, k, digamma):  # type: ignore[no-untyped-def]
    """Return the conditional mutual information of x and y in nats, from k nearest neighbours in the largest distance.

    Frenzel and Pompe (2007), equation 8. Where more rows than k lie within the distance of the k-th, all counts include
    those at that distance, and k grows to all of them (Mesner and Shalizi 2021).

    Distances are whole numbers up to 2 n, gaps of doubled ranks, so that the k-th is found by counting. ``given`` holds
    them between rows, shape (n, n), all zero where nothing is given; ``digamma[m]`` is the function's value at m.
    """
    n = len(x)
    across_x, across_y, joint = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    counts = np.zeros(2 * n + 1, np.int32)
    total = 0.0
    for row in range(n):
        distances_from(x, x_nominal, row, across_x)
        distances_from(y, y_nominal, row, across_y)
        apart = given[row]
        for j in range(n):
            across_x[j] = max(across_x[j], apart[j])
            across_y[j] = max(across_y[j], apart[j])
            joint[j] = max(across_x[j], across_y[j])
        for j in range(n):
            counts[joint[j]] += 1
        radius = -1
        within = 0
        while within <= k:  # the row itself is the nearest of all
            radius += 1
            within += counts[radius]
        counts[:] = 0
        limit, extra = (radius, 1) if within - 1 > k else (radius - 1, 0)
        near_x, near_y, near = -extra, -extra, -extra
        for j in range(n):
            near_x += across_x[j] <= limit
            near_y += across_y[j] <= limit
            near += apart[j] <= limit
        total += digamma[within - 1] - digamma[near_x] - digamma[near_y] + digamma[near]
    return total / n


@kernel("void(int64[:,::1], int64[::1], float64[::1], int64[::1])")
def permute_locally(neighbours, order, draws, permuted):  # type: ignore[no-untyped-def]
    """Write a permutation that gives each row the place of one of its neighbours, each used once if possible.

    Rows come in a random order; each takes the first unused place of its shuffled list, else the last looked at (Runge
    2018, algorithm 1). ``draws`` holds a uniform number for each entry of ``neighbours``, shape (n, m).
    """
    n, m = neighbours.shape
    used = np.zeros(n, np.bool_)
    listed = np.empty(m, np.int64)
    for step in range(n):
        row = order[step]
        for k in range(m):
            listed[k] = neighbours[row, k]
        for k in range(m - 1, 0, -1):
            other = int(draws[row * m + k] * (k + 1))
            listed[k], listed[other] = listed[other], listed[k]
        chosen = listed[m - 1]
        for k in range(m):
            if not used[listed[k]]:
                chosen = listed[k]
                break
        used[chosen] = True
        permuted[row] = chosen
