"""Cross-products: all that linear estimators, their cross-fitting and their refutation read of the rows.

One pass in chunks that stay in the processor's cache; the rows themselves are never copied as a whole. With sums for
each fold, the model that has not seen a fold follows from subtraction; with sums for each random block, subsets and
bootstrap draws follow from weighted addition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

Array = NDArray[np.float64]
Labels = NDArray[np.integer]

CHUNK = 8192
_PENALTIES = np.array([0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def chunks(parts: Sequence[Array], shift: Array | None = None) -> Iterator[tuple[slice, Array]]:
    """Yield ``(rows, block)``: blocks of the columns ``[1, *parts]``, shifted, each valid until the next one."""
    n = len(parts[0])
    width = sum(_width(part) for part in parts)
    buffer = np.ones((min(CHUNK, n), 1 + width))
    for start in range(0, n, CHUNK):
        rows = slice(start, min(start + CHUNK, n))
        block = buffer[: rows.stop - start]
        column = 1
        for part in parts:
            stop = column + _width(part)
            block[:, column:stop] = part[rows] if part.ndim == 2 else part[rows, None]
            column = stop
        if shift is not None:
            block[:, 1:] -= shift
        yield rows, block


def column_means(parts: Sequence[Array]) -> Array:
    """Return the mean of each column of the parts, shape (q,)."""
    return np.concatenate([np.atleast_1d(part.mean(axis=0)) for part in parts])


def cross_products(
    parts: Sequence[Array], *, groups: Labels | None = None, n_groups: int = 1, shift: Array | None = None
) -> Array:
    """Return the cross-products of ``[1, *parts]`` within each group of rows.

    Parameters
    ----------
    parts : sequence of ndarray, shapes (n,) or (n, k)
    groups : int array, shape (n,), optional
        Group of each row, from 0 to ``n_groups - 1``; -1 leaves the row out.
    shift : ndarray, shape (q,), optional
        Subtracted from the columns first; near their means it keeps the sums exact.

    Returns
    -------
    ndarray, shape (n_groups, 1 + q, 1 + q)

    Examples
    --------
    >>> cross_products([np.array([1.0, 2.0, 4.0])], groups=np.array([0, 0, 1]), n_groups=2)[:, 0, 1]
    array([3., 4.])
    """
    width = 1 + sum(_width(part) for part in parts)
    totals = np.zeros((n_groups, width, width))
    for rows, block in chunks(parts, shift):
        if groups is None:
            totals[0] += block.T @ block
            continue
        labels = groups[rows]
        order = np.argsort(labels, kind="stable")
        ordered, labels = block[order], labels[order]
        present, starts = np.unique(labels, return_index=True)
        for group, start, stop in zip(present, starts, [*starts[1:], len(labels)]):
            if group >= 0:
                totals[group] += ordered[start:stop].T @ ordered[start:stop]
    return totals


def solve(gram: Array, right: Array) -> Array:
    """Solve the normal equations ``gram @ b = right``; columns are brought to one scale first.

    Raises
    ------
    LinAlgError
        If the columns are linearly dependent.
    """
    scale = _scale(gram)
    factor = cho_factor(gram / np.outer(scale, scale), lower=True)
    return (cho_solve(factor, (right.T / scale).T).T / scale).T  # type: ignore[no-any-return]


def inverse(gram: Array) -> Array:
    """Return the inverse of a cross-product matrix, columns brought to one scale first."""
    return solve(gram, np.eye(len(gram)))


def ridge(gram: Array, right: Array, squares: Array) -> Array:
    """Return ridge coefficients of standardised columns, the penalty by generalised cross-validation.

    Golub, Heath and Wahba (1979): the penalty that minimises ``n RSS / (n - df)^2``, here from the sums alone.

    Parameters
    ----------
    gram : ndarray, shape (1 + q, 1 + q)
        Cross-products of ``[1, X]``.
    right : ndarray, shape (1 + q, t)
        Cross-products of ``[1, X]`` with t targets.
    squares : ndarray, shape (t,)
        Sums of squares of the targets.

    Returns
    -------
    ndarray, shape (1 + q, t)
    """
    n = gram[0, 0]
    mean = gram[0, 1:] / n
    covariance = gram[1:, 1:] / n - np.outer(mean, mean)
    scale = _scale(covariance)
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    values = np.clip(values, 0.0, None)
    target_mean = right[0] / n
    rotated = vectors.T @ ((right[1:] / n - np.outer(mean, target_mean)) / scale[:, None])
    variance = squares / n - target_mean**2
    shrunk = values[:, None] + np.maximum(_PENALTIES, 1e-10)  # (q, penalties)
    df = 1 + (values[:, None] / shrunk).sum(axis=0)
    explained = np.einsum("qt,qp->tp", rotated**2, (2 * shrunk - values[:, None]) / shrunk**2)
    criterion = np.maximum(variance[:, None] - explained, 0.0) / np.maximum(1 - df / n, 1e-6) ** 2
    best = np.argmin(criterion, axis=1)
    slopes = vectors @ (rotated / shrunk[:, best]) / scale[:, None]
    return np.vstack([target_mean - mean @ slopes, slopes])


def dependent_columns(parts: Sequence[Array], tolerance: float = 1e-8) -> NDArray[np.bool_]:
    """Return which columns are constant or an exact linear combination of earlier ones, shape (q,).

    A column counts as dependent when less than ``tolerance`` of its variance is left after regression on those before.
    """
    shift = column_means(parts)
    covariance = cross_products(parts, shift=shift)[0][1:, 1:] / len(parts[0])
    largest = np.maximum(np.abs(shift), 1.0) * 1e-12
    constant = np.sqrt(np.diag(covariance)) <= largest * (shift != 0) + 1e-150
    scale = np.where(constant, 1.0, np.sqrt(np.diag(covariance)))
    left = covariance / np.outer(scale, scale)
    dependent = constant.copy()
    for column in range(len(left)):
        if dependent[column] or left[column, column] < tolerance:
            dependent[column] = True
            continue
        ratio = left[column + 1 :, column] / left[column, column]
        left[column + 1 :, column + 1 :] -= np.outer(ratio, left[column, column + 1 :])
    return dependent  # type: ignore[no-any-return]


def _width(part: Array) -> int:
    return part.shape[1] if part.ndim == 2 else 1


def _scale(gram: Array) -> Array:
    diagonal = np.sqrt(np.clip(np.diag(gram), 0.0, None))
    return np.where(diagonal > 0, diagonal, 1.0)


__all__ = [
    "CHUNK",
    "Array",
    "Labels",
    "LinAlgError",
    "chunks",
    "column_means",
    "cross_products",
    "dependent_columns",
    "inverse",
    "ridge",
    "solve",
]
