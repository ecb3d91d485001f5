"""Two ways from a loss and a measure of cycles to a model without cycles: multipliers, and a path inside a barrier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.discovery._continuous_cycles import log_determinant, trace_exponential
from whence.discovery._continuous_models import Model
from whence.discovery._continuous_optimiser import minimise
from whence.parallel import Progress, silent

Array = NDArray[np.float64]

# The weight of the squared measure grows by this factor where a round did not shrink the measure enough.
_GROWTH = 10.0
_SHRINK = 0.25
_HEAVIEST = 1e16
# Two columns may be joined both ways with equal strength at a saddle; starting each round this share beside the last
# solution leaves it.
_JITTER = 0.01
# Rounds that leave cycles above this need not be solved as well as the last.
_EARLY = 1e-3
_ROUGH = {"value_tolerance": 1e-4, "slope_tolerance": 1e-2}
_FINE = {"value_tolerance": 1e-6, "slope_tolerance": 1e-4}


@dataclass(frozen=True)
class Solution:
    """Parameters of a model on which the cycles have (nearly) vanished.

    Attributes
    ----------
    x : float array
    cycles : float
        The measure of cycles that is left.
    evaluations : int
        Of the loss and its gradient.
    converged : bool
        Whether the measure reached its tolerance and the last minimisation did not run out of steps.
    """

    x: Array
    cycles: float
    evaluations: int
    converged: bool


def augmented_lagrangian(
    model: Model,
    *,
    tolerance: float,
    most_rounds: int,
    most_steps: int,
    random_state: int = 0,
    progress: Progress = silent,
) -> Solution:
    """Minimise loss and price where the trace of the exponential is 0: Zheng et al. (2018), algorithm 1.

    Each round minimises ``loss + a h + r h^2 / 2``, then a grows by ``r h``; r grows where h did not shrink to a
    quarter.
    """
    rng = np.random.default_rng(random_state)
    x, weight, multiplier, cycles = model.start, 1.0, 0.0, math.inf
    evaluations, converged = 0, False
    for done in range(most_rounds):
        progress("rounds", done, most_rounds)

        def smooth(y: Array, weight: float = weight, multiplier: float = multiplier) -> tuple[float, Array]:
            measure, gradient = trace_exponential(model.strengths(y))
            if not math.isfinite(measure):
                return math.inf, y
            value, slope = model.loss(y)
            push = multiplier + weight * measure
            return value + measure * (multiplier + 0.5 * weight * measure), slope + model.pull(y, push * gradient)

        start = x * (1.0 + _JITTER * rng.uniform(-1.0, 1.0, len(x)))
        how = _ROUGH if cycles > _EARLY else _FINE
        found = minimise(smooth, start, model.price, most_steps=most_steps, **how)
        evaluations += found.evaluations
        left = trace_exponential(model.strengths(found.x))[0]
        if left > _SHRINK * cycles and weight < _HEAVIEST:
            weight *= _GROWTH
            continue
        x, cycles, converged = found.x, left, found.converged
        multiplier += weight * cycles
        if cycles <= tolerance or weight >= _HEAVIEST:
            break
    return Solution(x, cycles, evaluations, converged and cycles <= tolerance)


def central_path(
    model: Model,
    *,
    weights: Sequence[float],
    scales: Sequence[float],
    most_steps: int,
    random_state: int = 0,
    progress: Progress = silent,
) -> Solution:
    """Minimise ``weight * (loss + price) + h`` for falling weights, h the log-determinant: Bello et al. (2022), alg. 1.

    Each solution is where the next begins, with the scale of h as given or, where it lies outside, as large as needed.
    """
    rng = np.random.default_rng(random_state)
    x, evaluations, converged, measure = model.start, 0, True, math.inf
    for done, (weight, scale) in enumerate(zip(weights, scales)):
        progress("path", done, len(weights))
        start = x * (1.0 + _JITTER * rng.uniform(-1.0, 1.0, len(x)))
        room = scale
        while not math.isfinite(log_determinant(model.strengths(start), room)[0]):
            start, room = (x, room) if start is not x else (x, room + 0.1)

        def smooth(y: Array, weight: float = weight, scale: float = room) -> tuple[float, Array]:
            measure, gradient = log_determinant(model.strengths(y), scale)
            if not math.isfinite(measure):
                return math.inf, y
            value, slope = model.loss(y)
            return value + measure / weight, slope + model.pull(y, gradient / weight)

        found = minimise(smooth, start, model.price, most_steps=most_steps, **_FINE)
        x, evaluations, converged = found.x, evaluations + found.evaluations, found.converged
        measure = log_determinant(model.strengths(x), room)[0]
    return Solution(x, measure, evaluations, converged)


def penalised(
    model: Model, *, penalty: float, most_steps: int, random_state: int = 0, progress: Progress = silent
) -> Solution:
    """Minimise ``loss + price + penalty * h`` once, h the trace of the exponential: Ng et al. (2020), equation 5."""
    progress("minimisation", 0, 1)

    def smooth(y: Array) -> tuple[float, Array]:
        measure, gradient = trace_exponential(model.strengths(y))
        if not math.isfinite(measure):
            return math.inf, y
        value, slope = model.loss(y)
        return value + penalty * measure, slope + model.pull(y, penalty * gradient)

    rng = np.random.default_rng(random_state)
    start = model.start + 1e-3 * rng.uniform(-1.0, 1.0, len(model.start))
    found = minimise(smooth, start, model.price, value_tolerance=1e-8, most_steps=most_steps)
    cycles = trace_exponential(model.strengths(found.x))[0]
    return Solution(found.x, cycles, found.evaluations, found.converged)
