"""The likelihood of a post-nonlinear model with its gradient, compiled: one pass over the rows, each in a few terms."""

from __future__ import annotations

import math

import numpy as np

from whence.compile import kernel

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@kernel(
    "float64(float64[::1], int64[::1], float64[::1], float64, int64[::1], float64[:,::1], int64[::1], float64[::1])"
)
def post_nonlinear_loss(parameters, place, share, step, first, basis, sizes, gradient):  # type: ignore[no-untyped-def]
    """Return the mean negative log-likelihood; write its gradient.

    The slope of g runs straight between its values at the knots, the exponentials of the first parameters; row i lies
    ``share[i]`` of the way from knot ``place[i]`` to the next, ``step`` apart. f has the splines ``first[i], ...`` with
    values ``basis[i]``. ``sizes`` counts the parameters of g, of f and the parts of the noise, whose logarithms of
    weights, means and logarithms of widths follow.
    """
    knots, splines, parts = sizes
    n, near = basis.shape
    weights, means, widths = knots + splines, knots + splines + parts, knots + splines + 2 * parts
    slopes = np.exp(parameters[:knots])
    risen = np.zeros(knots)
    for k in range(1, knots):
        risen[k] = risen[k - 1] + 0.5 * step * (slopes[k - 1] + slopes[k])
    chance = np.exp(parameters[weights:means] - parameters[weights:means].max())
    chance /= chance.sum()
    heights = np.log(chance) - parameters[widths:]
    precision = np.exp(-parameters[widths:])
    by_slope = np.zeros(knots)
    by_risen = np.zeros(knots)
    by_start = np.zeros(knots)  # of g between two knots, by the slopes at both ends
    by_end = np.zeros(knots)
    z, height = np.empty(parts), np.empty(parts)
    gradient[:] = 0.0
    total = 0.0
    for i in range(n):
        k, t = place[i], share[i]
        left, right = slopes[k], slopes[k + 1]
        slope = left + (right - left) * t
        noise = risen[k] + step * (left * t + 0.5 * (right - left) * t * t)
        for j in range(near):
            noise -= basis[i, j] * parameters[knots + first[i] + j]
        top = -math.inf
        for j in range(parts):
            z[j] = (noise - parameters[means + j]) * precision[j]
            height[j] = heights[j] - 0.5 * z[j] * z[j]
            top = max(top, height[j])
        mass = 0.0
        for j in range(parts):
            height[j] = math.exp(height[j] - top)
            mass += height[j]
        total += top + math.log(mass) + math.log(slope)
        pull = 0.0
        for j in range(parts):
            member = height[j] / mass
            force = member * z[j] * precision[j]
            pull += force
            gradient[weights + j] -= member
            gradient[means + j] -= force
            gradient[widths + j] += member * (1.0 - z[j] * z[j])
        for j in range(near):
            gradient[knots + first[i] + j] -= pull * basis[i, j]
        by_risen[k] += pull
        by_start[k] += pull * step * (t - 0.5 * t * t)
        by_end[k + 1] += pull * step * 0.5 * t * t
        by_slope[k] -= (1.0 - t) / slope
        by_slope[k + 1] -= t / slope
    above = 0.0  # rows beyond a knot move with the slopes before it
    for k in range(knots - 1, -1, -1):
        by_slope[k] += 0.5 * step * above
        above += by_risen[k]
        if k > 0:
            by_slope[k] += 0.5 * step * above
    for k in range(knots):
        gradient[k] = (by_slope[k] + by_start[k] + by_end[k]) * slopes[k]
    for j in range(parts):
        gradient[weights + j] += n * chance[j]
    gradient /= n
    return _HALF_LOG_TWO_PI - total / n
