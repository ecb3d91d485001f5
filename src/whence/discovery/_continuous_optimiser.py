"""Minimising a smooth function plus a price on the size of each entry, by a quasi-Newton method that sets entries to 0.

The limited-memory quasi-Newton method of orthants (Andrew and Gao 2007, algorithm 1): the direction is that of L-BFGS
for the slope of the whole, kept to where that slope descends; a step ends where an entry would change its sign, which
leaves it exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Smooth = Callable[[Array], tuple[float, Array]]

# Pairs of steps and changes of slope that stand for the curvature.
MEMORY = 10
# Armijo's share of the promised fall that a step must bring, and how often it is shortened before it is given up.
_ENOUGH = 1e-4
_MOST_CUTS = 30


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended.

    Attributes
    ----------
    x : float array
    value : float
        Of the smooth part plus the price.
    evaluations : int
        Of the smooth part and its gradient.
    converged : bool
        False if it ran out of steps.
    """

    x: Array
    value: float
    evaluations: int
    converged: bool


def minimise(
    smooth: Smooth,
    start: Array,
    price: Array,
    *,
    value_tolerance: float = 1e-6,
    slope_tolerance: float = 1e-4,
    most_steps: int = 2000,
) -> Minimum:
    """Minimise ``smooth(x) + sum(price * abs(x))``.

    Parameters
    ----------
    smooth : callable
        From x, shape (k,), to the value and its gradient; the value is inf where x is not allowed.
    start : float array, shape (k,)
        Allowed.
    price : float array, shape (k,)
        None negative.
    value_tolerance : float
        Ends when a step lowers the value by less than this share of it.
    slope_tolerance : float
        Ends when no entry of the slope is larger.
    most_steps : int

    Examples
    --------
    >>> found = minimise(lambda x: (float(((x - 3) ** 2).sum()), 2 * (x - 3)), np.zeros(2), np.array([2.0, 7.0]))
    >>> found.x.round(3).tolist()
    [2.0, 0.0]
    """
    x = start
    value, gradient = smooth(x)
    value += float(price @ np.abs(x))
    evaluations, curvature = 1, _Curvature(len(x))
    for _ in range(most_steps):
        slope = steepest(x, gradient, price)
        if np.abs(slope).max(initial=0.0) <= slope_tolerance:
            return Minimum(x, value, evaluations, converged=True)
        direction = -curvature.solve(slope)
        direction[direction * slope >= 0] = 0.0
        orthant = np.where(x != 0, np.sign(x), -np.sign(slope))
        length = 1.0 if curvature.held else min(1.0, 1.0 / float(np.abs(slope).sum()))
        for _ in range(_MOST_CUTS):
            moved = x + length * direction
            moved[moved * orthant <= 0] = 0.0
            after, its_gradient = smooth(moved)
            evaluations += 1
            after += float(price @ np.abs(moved))
            if after <= value + _ENOUGH * float(slope @ (moved - x)):
                break
            length *= 0.5 if length > 0.4 else 0.2
        else:
            if not curvature.held:
                return Minimum(x, value, evaluations, converged=True)  # no descent that rounding does not drown
            curvature = _Curvature(len(x))
            continue
        curvature.learn(moved - x, its_gradient - gradient)
        fall = value - after
        x, value, gradient = moved, after, its_gradient
        if fall <= value_tolerance * max(abs(value), 1.0):
            return Minimum(x, value, evaluations, converged=True)
    return Minimum(x, value, evaluations, converged=False)


def steepest(x: Array, gradient: Array, price: Array) -> Array:
    """Return the slope of the whole in the direction of its steepest descent: Andrew and Gao (2007), equation 4."""
    away = np.where(x > 0, price, -price)
    at_zero = np.sign(gradient) * np.maximum(np.abs(gradient) - price, 0.0)
    return np.where(x != 0, gradient + away, at_zero)


class _Curvature:
    """The last steps and the changes of slope along them, as a ring: an approximate second derivative, inverted."""

    def __init__(self, size: int) -> None:
        self._steps, self._changes = np.empty((MEMORY, size)), np.empty((MEMORY, size))
        self._products = np.empty(MEMORY)
        self._learned = 0
        self._scale = 1.0

    @property
    def held(self) -> int:
        return min(self._learned, MEMORY)

    def learn(self, step: Array, change: Array) -> None:
        product, square = float(step @ change), float(change @ change)
        if product > 1e-10 * square:
            place = self._learned % MEMORY
            self._steps[place], self._changes[place], self._products[place] = step, change, product
            self._scale = product / square
            self._learned += 1

    def solve(self, slope: Array) -> Array:
        """Return the slope times the inverse: the two loops of Nocedal (1980)."""
        places = [k % MEMORY for k in range(self._learned - self.held, self._learned)]
        direction, shares = slope.copy(), np.empty(MEMORY)
        for k in reversed(places):
            shares[k] = self._steps[k] @ direction / self._products[k]
            direction -= shares[k] * self._changes[k]
        direction *= self._scale
        for k in places:
            direction += (shares[k] - self._changes[k] @ direction / self._products[k]) * self._steps[k]
        return direction
