"""Ridge regression on features of the columns given, shared by the tests that compare residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

DETERMINED = 1e-3
"""Share of what residuals of noise would keep, below which the columns given determine a column."""


@dataclass(frozen=True, slots=True)
class Smoother:
    """What the columns given explain, as a projection that shrinks.

    Attributes
    ----------
    basis : float array, shape (n, r)
        Fitted values are ``basis @ basis.T @ response``.
    inflation : float
        What the null of a sum of squared covariances of residuals is multiplied by for the freedom that they lost.
    noise_left : float
        Share of the variance of pure noise that its residuals keep.
    """

    basis: NDArray[np.float64]
    inflation: float
    noise_left: float

    def residuals(self, of: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return centred columns less what the columns given explain, shape (n, m)."""
        return of - self.basis @ (self.basis.T @ of)


def ridge_smoother(features: NDArray[np.float64], ridge: float) -> Smoother:
    """Prepare the regression on centred features of shape (n, r) with a penalty on the squared coefficients.

    With R the residual maker, covariances of residuals of independent noise of one variance add up to a variance of
    ``trace(R**4)``, while the squares of their products promise ``sum(diag(R**2)**2)``: the ratio is the inflation.
    """
    n, r = features.shape
    gram = features.T @ features
    gram[np.diag_indices(r)] += ridge
    root = cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    basis = np.ascontiguousarray(solve_triangular(root, features.T, lower=True, check_finite=False).T)
    inner = basis.T @ basis  # has the eigenvalues of the smoother H
    square = inner @ inner
    powers = np.trace(inner), np.trace(square), (square * inner).sum(), (square * square).sum()
    fourth = n - 1 - 4 * powers[0] + 6 * powers[1] - 4 * powers[2] + powers[3]
    # diag(R @ R) = 1 - 1 / n - 2 diag(H) + diag(H @ H); centring takes the 1 / n
    diagonal = 1.0 - 1.0 / n - np.einsum("ij,ij->i", basis @ (2.0 * np.eye(r) - inner), basis)
    return Smoother(basis, float(fourth / (diagonal @ diagonal)), float(diagonal.mean()))
