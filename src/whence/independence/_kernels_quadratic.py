"""The upper tail of a weighted sum of chi-square variables, to some eight digits even where it is very small."""

from __future__ import annotations

import cmath
import math

from whence.compile import kernel

# Weights below this share of the largest are left out: together they move the sum by less than its rounding.
NEGLIGIBLE = 1e-12
MOST_NODES = 1000


@kernel("float64(float64, float64[::1])")
def saddle_point(value, weights):  # type: ignore[no-untyped-def]
    """Return where the derivative of the log moment generating function equals the value: Newton inside a bracket."""
    low, high = -0.5 * len(weights) / value - 1.0, 0.5
    point = 0.0
    for _ in range(100):
        excess = -value
        slope = 0.0
        for weight in weights:
            left = weight / (1.0 - 2.0 * weight * point)
            excess += left
            slope += 2.0 * left * left
        if excess > 0.0:
            high = point
        else:
            low = point
        moved = point - excess / slope
        if not low < moved < high:
            moved = 0.5 * (low + high)
        if abs(moved - point) < 1e-7 * (0.5 - point):
            return moved
        point = moved
    return point


@kernel("float64(float64, float64[::1])")
def weighted_chi_square_tail(statistic, weights):  # type: ignore[no-untyped-def]
    """Return P(sum of weights[k] * Z[k]**2 > statistic) for independent standard normal Z and weights from zero up.

    The inversion integral of the moment generating function is taken along a parabola through the saddle point, where
    the integrand neither swings nor cancels, by the midpoint rule, which converges geometrically there (Rice 1980, SIAM
    Journal on Scientific and Statistical Computing 1, 438-448). Imhof's integral is the same one along the imaginary
    axis, where small tails drown in rounding.
    """
    largest = weights.max()
    if not largest > 0.0:
        return math.nan
    kept = weights[weights > NEGLIGIBLE * largest] / largest
    value = statistic / largest
    if value <= 0.0:
        return 1.0
    centre = saddle_point(value, kept)
    near = min(0.25 / math.sqrt(2.0 * (kept * kept).sum()), 0.1)  # keep away from the pole at zero
    if abs(centre) < near:
        centre = near
    second, third = 0.0, 0.0
    for weight in kept:
        left = weight / (1.0 - 2.0 * weight * centre)
        second += 2.0 * left * left
        third += 8.0 * left * left * left
    step = min(0.35 / math.sqrt(second + 1.0 / (centre * centre)), 0.5 * abs(centre))
    bend = third / (6.0 * second)
    total = 0.0
    for node in range(MOST_NODES):
        height = step * (node + 0.5)
        path = complex(centre + bend * height * height, height)
        moment = complex(-value * path.real, -value * path.imag)
        for weight in kept:
            moment -= 0.5 * cmath.log(1.0 - 2.0 * weight * path)
        term = (cmath.exp(moment) / path * complex(1.0, -2.0 * bend * height)).real
        total += term
        if abs(term) <= 1e-16 * abs(total) and node > 8:
            break
    tail = total * step / math.pi
    return min(1.0, max(0.0, tail if centre > 0.0 else 1.0 + tail))
