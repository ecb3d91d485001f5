"""Independent component analysis: FastICA with all components at once, on columns whitened without turning them.

Whitening by the symmetric root keeps each column beside itself, so that the start, no rotation, does not depend on the
order of the columns and lies near the answer where noise is the larger part of every column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TOLERANCE = 1e-4
_LEAST_EIGENVALUE = 1e-12


@dataclass(frozen=True, slots=True)
class Components:
    """What was found.

    Attributes
    ----------
    unmixing : float array, shape (p, p)
        ``rows @ unmixing.T`` are the components, of variance one.
    steps : int
    converged : bool
        Whether the search came to rest within its steps.
    """

    unmixing: Array
    steps: int
    converged: bool


def independent_components(values: Array, *, most_steps: int = 300) -> Components:
    """Return the components of columns that are linearly independent, values of shape (n, p).

    Symmetric FastICA with the nonlinearity tanh: Hyvärinen (1999), equations 20 and 45. There is one start and no
    chance in it: further starts from random rotations reach the same point where there are rows enough, and with few
    rows for many columns less Gaussian ones, that fit the sample and not the model.
    """
    centred = values - values.mean(axis=0)
    n, p = centred.shape
    spectrum, vectors = np.linalg.eigh(centred.T @ centred / n)
    roots = 1.0 / np.sqrt(np.maximum(spectrum, _LEAST_EIGENVALUE * spectrum[-1]))
    whitening = (vectors * roots) @ vectors.T
    white = np.ascontiguousarray(whitening @ centred.T)
    turn = np.eye(p)
    for step in range(1, most_steps + 1):
        bent = np.tanh(turn @ white)
        slope = 1.0 - np.einsum("ij,ij->i", bent, bent) / n
        moved = _nearest_rotation(bent @ white.T / n - slope[:, None] * turn)
        change = float(np.max(np.abs(np.abs(np.einsum("ij,ij->i", moved, turn)) - 1.0)))
        turn = moved
        if change < _TOLERANCE:
            return Components(turn @ whitening, step, True)
    return Components(turn @ whitening, most_steps, False)


def _nearest_rotation(matrix: Array) -> Array:
    """Return ``(W W')**(-1/2) W``, the orthogonal matrix nearest to W."""
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)
