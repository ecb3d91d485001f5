"""How far a table gives away its causal order by scale alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Relative differences below this are rounding.
_TIE = 1e-9


def var_sortability(values: NDArray[np.float64], adjacency: NDArray[np.bool_]) -> float:
    """Return the share of directed paths along which the variance grows (Reisach, Seiler and Weichwald 2021).

    At 1 a search that merely sorts columns by variance finds the causal order; at 0.5 variances say nothing.
    Standardised columns have ties only and score 0.5. NaN if there is no edge.

    Parameters
    ----------
    values : ndarray, shape (n, p)
    adjacency : ndarray of bool, shape (p, p)
        Entry ``[i, j]`` is True where i causes j.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.normal(size=500)
    >>> effect = 2 * cause + rng.normal(size=500)
    >>> var_sortability(np.column_stack([cause, effect]), np.array([[0, 1], [0, 0]], dtype=bool))
    1.0
    """
    return _order_agreement(np.nanvar(values, axis=0), adjacency)


def r2_sortability(values: NDArray[np.float64], adjacency: NDArray[np.bool_]) -> float:
    """Return the share of directed paths along which the predictability R² grows (Reisach et al. 2023).

    R² of a column is the share of its variance that all other columns explain; it survives standardisation.
    NaN if there is no edge or there are too few complete rows (n <= p + 1) for R² to mean anything.

    Parameters
    ----------
    values : ndarray, shape (n, p)
    adjacency : ndarray of bool, shape (p, p)
        Entry ``[i, j]`` is True where i causes j.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 500))
    >>> collider = a + b + rng.normal(size=500)
    >>> adjacency = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)
    >>> r2_sortability(np.column_stack([a, b, collider]), adjacency)
    1.0
    """
    complete = values[~np.isnan(values).any(axis=1)]
    if complete.shape[0] <= complete.shape[1] + 1:
        return float("nan")
    correlation = np.corrcoef(complete, rowvar=False).reshape(len(adjacency), -1)
    inverse = np.linalg.pinv(correlation, hermitian=True)
    return _order_agreement(1.0 - 1.0 / np.diag(inverse), adjacency)


def _order_agreement(criterion: NDArray[np.float64], adjacency: NDArray[np.bool_]) -> float:
    """Compare a criterion at both ends of every directed path; a pair counts once per path length."""
    step = sparse.csr_array(adjacency.astype(np.float32))
    paths = step.copy()
    total, agreeing = 0, 0.0
    while paths.nnz:
        start, end = paths.nonzero()
        difference = criterion[end] - criterion[start]
        scale = _TIE * np.maximum(np.abs(criterion[end]), np.abs(criterion[start]))
        total += len(start)
        agreeing += float((difference > scale).sum() + 0.5 * (np.abs(difference) <= scale).sum())
        paths = paths @ step
        paths.data[:] = 1.0
    return agreeing / total if total else float("nan")
