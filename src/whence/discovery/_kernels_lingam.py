"""DirectLiNGAM, compiled: entropies of residuals for all pairs, with an exponential that vectorises."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel

# Hyvärinen (1998): the entropy of a standardised variable is that of the Gaussian less these two terms.
_K1 = 79.047
_K2 = 7.4129
_GAMMA = 0.37457
_GAUSSIAN = 0.5 * (1.0 + math.log(2.0 * math.pi))
_BLOCK = 256
_LEAST = -60.0


@kernel("float64(float64)", inline=True)
def _exponential(x):  # type: ignore[no-untyped-def]
    """Return exp(x) for x <= 0 to ten digits without branches: a polynomial at x / 128, squared seven times."""
    y = max(x, _LEAST) * 0.0078125
    value = 1.0 + y * (1.0 / 9.0)
    value = 1.0 + y * (1.0 / 8.0) * value
    value = 1.0 + y * (1.0 / 7.0) * value
    value = 1.0 + y * (1.0 / 6.0) * value
    value = 1.0 + y * (1.0 / 5.0) * value
    value = 1.0 + y * (1.0 / 4.0) * value
    value = 1.0 + y * (1.0 / 3.0) * value
    value = 1.0 + y * 0.5 * value
    value = 1.0 + y * value
    value *= value
    value *= value
    value *= value
    value *= value
    value *= value
    value *= value
    return value * value


@kernel("float64(float64[::1], float64[::1], float64, float64)", reassociate=True)
def residual_entropy(values, other, slope, scale):  # type: ignore[no-untyped-def]
    """Return the entropy of ``(values - slope * other) * scale``, which has mean zero and variance one.

    log cosh u = |u| + log(1 + exp(-2 |u|)) - log 2; the logarithms of a block are taken of one product.
    """
    n = len(values)
    size, odd, logarithms = 0.0, 0.0, 0.0
    start = 0
    while start < n:
        stop = min(start + _BLOCK, n)
        product = 1.0
        for row in range(start, stop):
            u = (values[row] - slope * other[row]) * scale
            length = abs(u)
            product *= 1.0 + _exponential(-2.0 * length)
            size += length
            odd += u * _exponential(-0.5 * u * u)
        logarithms += math.log(product)
        start = stop
    cosh = (size + logarithms) / n - math.log(2.0)
    return _GAUSSIAN - _K1 * (cosh - _GAMMA) ** 2 - _K2 * (odd / n) ** 2


@kernel("void(float64[:,::1], int64[::1], float64[:,::1], float64[::1], float64[:,::1], int64, int64)")
def compare_pairs(values, left, correlation, entropy, gains, first, step):  # type: ignore[no-untyped-def]
    """Write for every pair of the columns left how much likelier the first causes the second than the reverse.

    ``gains[i, j] = (H(j) + H(i on j)) - (H(i) + H(j on i))``: positive where i comes before j. Shimizu et al. (2011)
    with the pairwise measure of Hyvärinen and Smith (2013). Rows ``first, first + step, ...`` of the pairs are done.
    """
    count = len(left)
    for a in range(first, count, step):
        i = left[a]
        for b in range(a + 1, count):
            j = left[b]
            slope = correlation[i, j]
            scale = 1.0 / math.sqrt(max(1.0 - slope * slope, 1e-12))
            of_i = residual_entropy(values[i], values[j], slope, scale)
            of_j = residual_entropy(values[j], values[i], slope, scale)
            gain = (entropy[j] + of_i) - (entropy[i] + of_j)
            gains[i, j] = gain
            gains[j, i] = -gain


@kernel("void(float64[:,::1], int64[::1], int64, float64[:,::1], float64[::1])", reassociate=True)
def take_out(values, left, chosen, correlation, entropy):  # type: ignore[no-untyped-def]
    """Replace every column left by its standardised residual on the chosen one; update correlations and entropies."""
    n = values.shape[1]
    nothing = np.zeros(n)
    for i in left:
        slope = correlation[i, chosen]
        total = 0.0
        for row in range(n):
            values[i, row] -= slope * values[chosen, row]
            total += values[i, row] * values[i, row]
        scale = 1.0 / math.sqrt(max(total / n, 1e-300))
        for row in range(n):
            values[i, row] *= scale
        entropy[i] = residual_entropy(values[i], nothing, 0.0, 1.0)
    for i in left:
        for j in left:
            if i != j:
                given = (1.0 - correlation[i, chosen] ** 2) * (1.0 - correlation[j, chosen] ** 2)
                joint = correlation[i, j] - correlation[i, chosen] * correlation[j, chosen]
                correlation[i, j] = min(1.0, max(-1.0, joint / math.sqrt(max(given, 1e-12))))
