"""Tables for the nonparametric tests: nulls of several kinds, and dependence that no correlation shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import kstest

GIVEN = ("z0", "z1", "z2")


def table(kind: str, n: int, size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return x and y that are independent given ``size`` columns, or for a kind of dependence are not."""
    draw = rng.standard_normal if kind != "heavy" else lambda shape: rng.standard_t(2, size=shape)
    z, (a, b) = draw((n, size)), draw((2, n))
    if kind == "mixed":  # two categories that move place and spread, and y is one too
        level = rng.integers(0, 4, n) if size else np.zeros(n, dtype=int)
        place, spread = np.array([0.0, 1.0, -1.0, 0.5])[level], np.array([1.0, 0.5, 2.0, 1.0])[level]
        rest = z[:, 1:].sum(axis=1)
        x, y = place + rest + spread * a, np.where(place - rest + b > 0, "yes", "no")
        named = {"z0": np.array(list("abcd"))[level], **{f"z{k}": z[:, k] for k in range(1, size)}}
        return {"x": x, "y": y, **(named if size else {})}
    total = z.sum(axis=1)
    x, y = total + a, total + b
    if kind == "curved":
        x, y = np.sin(1.5 * z).sum(axis=1) + a, np.tanh(z).sum(axis=1) + 0.5 * (z**2).sum(axis=1) / max(size, 1) + b
    elif kind == "quadratic":
        y = y + a**2
    elif kind == "noise":
        y = total + np.exp(0.7 * a) * b
    return {"x": x, "y": y, **{f"z{k}": z[:, k] for k in range(size)}}


def p_values(make: Callable[[Any], Any], kind: str, n: int, size: int, draws: int) -> np.ndarray:
    """Return the p-values of ``draws`` new tables."""
    rng = np.random.default_rng([n, size, draws])
    return np.array([make(table(kind, n, size, rng))("x", "y", GIVEN[:size]).p_value for _ in range(draws)])


def uniform(p_values: np.ndarray) -> float:
    """Return the p-value of Kolmogorov and Smirnov's test of uniformity."""
    return float(kstest(p_values, "uniform").pvalue)
