"""Noise families, all with mean zero and unit variance."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError

Noise = Literal["gaussian", "laplace", "exponential", "gumbel", "uniform", "student"]
NOISES: tuple[Noise, ...] = ("gaussian", "laplace", "exponential", "gumbel", "uniform", "student")

_STUDENT_DEGREES = 5.0


def draw_noise(noise: Noise, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw independent noise of mean 0 and variance 1; ``"student"`` has 5 degrees of freedom.

    >>> draw_noise("uniform", (1000,), np.random.default_rng(0)).std().round(1)
    np.float64(1.0)
    """
    if noise == "gaussian":
        return rng.standard_normal(shape)
    if noise == "laplace":
        return rng.laplace(scale=np.sqrt(0.5), size=shape)
    if noise == "exponential":
        return rng.standard_exponential(shape) - 1.0
    if noise == "gumbel":
        return np.asarray((rng.gumbel(size=shape) - np.euler_gamma) * np.sqrt(6.0) / np.pi)
    if noise == "uniform":
        return rng.uniform(-np.sqrt(3.0), np.sqrt(3.0), shape)
    if noise == "student":
        return np.asarray(rng.standard_t(_STUDENT_DEGREES, shape) * np.sqrt(1.0 - 2.0 / _STUDENT_DEGREES))
    raise DataError("E152", f"there is no noise family {noise!r}.", f"Choose one of {', '.join(NOISES)}.")
