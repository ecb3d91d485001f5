"""The generalised score, compiled: marginal likelihoods of regressions on waves of the parents.

The tuple of `whence.scores._kernels` holds rows of length n in ``correlation``: the block of column x, itself or its
indicators, is ``first[x]`` to ``first[x + 1] - 1``; then follow as many rows of angles for each column as there are
waves. ``sizes[x]`` is 1 for a number and 0 for a category.
"""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel
from whence.scores._kernels import GAINS_OF, LOSSES_OF, SCORE

# Variance of the noise as a multiple of the signal's, tried in turn; the best counts.
_NOISES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@kernel(f"float64[:,::1]({SCORE}, int64[::1], int64)")
def parent_features(score, given, count):  # type: ignore[no-untyped-def]
    """Return centred features of some columns together, shape (q, n): each by itself, and waves of all of them.

    Inner products of the waves approach a Gaussian kernel (Rahimi and Recht 2007) whose squared width is the sum of the
    numbers' own.
    """
    rows, sizes, first = score[1], score[3], score[5]
    p, n = len(sizes), rows.shape[1]
    waves = (len(rows) - first[p]) // p
    own = numbers = 0
    for k in range(count):
        own += first[given[k] + 1] - first[given[k]]
        numbers += sizes[given[k]]
    features = np.empty((own + 2 * waves, n))
    place = 0
    for k in range(count):
        for source in range(first[given[k]], first[given[k] + 1]):
            for row in range(n):
                features[place, row] = rows[source, row]
            place += 1
    narrow = 1.0 / math.sqrt(max(numbers, 1))
    height = 1.0 / math.sqrt(waves)
    angle = np.empty(n)
    for wave in range(waves):
        for row in range(n):
            angle[row] = 0.0
        for k in range(count):
            scale = narrow if sizes[given[k]] == 1 else 1.0
            source = first[p] + given[k] * waves + wave
            for row in range(n):
                angle[row] += scale * rows[source, row]
        one, other = own + 2 * wave, own + 2 * wave + 1
        cosines = sines = 0.0
        for row in range(n):
            features[one, row] = height * math.cos(angle[row])
            features[other, row] = height * math.sin(angle[row])
            cosines += features[one, row]
            sines += features[other, row]
        for row in range(n):
            features[one, row] -= cosines / n
            features[other, row] -= sines / n
    return features


@kernel("boolean(float64[:,::1], float64, float64[:,::1])")
def factorise_ridge(gram, ridge, factor):  # type: ignore[no-untyped-def]
    """Write the Cholesky factor of ``gram + ridge I``; False if it is singular."""
    for i in range(len(gram)):
        for j in range(i + 1):
            total = gram[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i > j:
                factor[i, j] = total / factor[j, j]
            else:
                total += ridge
                if total <= 0.0:
                    return False
                factor[i, i] = math.sqrt(total)
    return True


@kernel(f"float64({SCORE}, int64, int64[::1], int64)")
def regression_score(score, target, given, count):  # type: ignore[no-untyped-def]
    """Return the log marginal likelihood of a column's block given parents, more than given none.

    Row y given waves F: ``-1/2 log |I + F F' / noise| - n/2 log (y' (I + F F' / noise)^-1 y / n)``, the variance of
    the noise being put at its best value.
    """
    rows, first, edge = score[1], score[5], score[8]
    if count == 0:
        return 0.0
    n = rows.shape[1]
    features = parent_features(score, given, count)
    q, d = len(features), first[target + 1] - first[target]
    gram = np.dot(features, features.T)
    across = np.dot(features, rows[first[target] : first[target + 1]].T)
    best = np.zeros(d)
    factor = np.empty((q, q))
    solved = np.empty(q)
    for noise in _NOISES:
        if not factorise_ridge(gram, noise, factor):
            continue
        size = -q * math.log(noise)
        for i in range(q):
            size += 2.0 * math.log(factor[i, i])
        for feature in range(d):
            left = float(n)
            for i in range(q):
                total = across[i, feature]
                for k in range(i):
                    total -= factor[i, k] * solved[k]
                solved[i] = total / factor[i, i]
                left -= solved[i] * solved[i]
            best[feature] = max(best[feature], -0.5 * size - 0.5 * n * math.log(max(left / n, 1e-15)))
    total = -edge * count
    for feature in range(d):
        total += best[feature]
    return total


@kernel(GAINS_OF, as_argument=True)
def regression_gains(score, target, given, count, wanted, gains):  # type: ignore[no-untyped-def]
    """Write for every wanted column by how much the score of ``target`` rises if it joins ``given[:count]``."""
    p = len(score[3])
    members = np.empty(count + 1, np.int64)
    taken = np.zeros(p, np.bool_)
    taken[target] = True
    for k in range(count):
        members[k] = given[k]
        taken[given[k]] = True
    here = regression_score(score, target, given, count)
    for x in range(p):
        gains[x] = -np.inf
        if wanted[x] and not taken[x]:
            members[count] = x
            gains[x] = regression_score(score, target, members, count + 1) - here


@kernel(LOSSES_OF, as_argument=True)
def regression_losses(score, target, given, count, losses):  # type: ignore[no-untyped-def]
    """Write by how much the score of ``target`` falls for each of ``given[:count]`` that leaves; return the score."""
    here = regression_score(score, target, given, count)
    others = np.empty(count + 1, np.int64)
    for out in range(count):
        for k in range(count - 1):
            others[k] = given[k] if k < out else given[k + 1]
        losses[out] = here - regression_score(score, target, others, count - 1)
    return here
