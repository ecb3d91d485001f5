"""Linear mechanisms of several domains over the same latent variables, and their canonical form (the theorem as code).

Axes: D domains, m latent variables, n rows. Rows of arrays are samples; matrices act on columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from whence.errors import ParameterError

Floats = NDArray[np.floating[Any]]
Domains = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Affine:
    """An invertible affine map ``u -> matrix u + shift``.

    Attributes
    ----------
    matrix : ndarray (m, m)
    shift : ndarray (m,)
    """

    matrix: Floats
    shift: Floats

    @classmethod
    def identity(cls, width: int) -> Affine:
        """Return the map that changes nothing."""
        return cls(np.eye(width), np.zeros(width))

    def __call__(self, rows: Floats) -> Floats:
        """Return the image of each row, (n, m)."""
        return rows @ self.matrix.T + self.shift

    def inverse(self) -> Affine:
        """Return the map back."""
        back = np.linalg.inv(self.matrix)
        return Affine(back, -back @ self.shift)

    def after(self, first: Affine) -> Affine:
        """Return this map of what ``first`` returns."""
        return Affine(self.matrix @ first.matrix, self.matrix @ first.shift + self.shift)

    @property
    def log_determinant(self) -> float:
        """Log of the absolute determinant."""
        return float(np.linalg.slogdet(self.matrix)[1])


@dataclass(frozen=True, eq=False)
class DomainMechanisms:
    """Latent variables of every domain as autoregressive functions of the same noise (Zhou et al. 2024, section 2).

    In domain d the latent variables are ``f_d(eps) = (I - L_d)^-1 S_d eps + b_d``.

    Attributes
    ----------
    weights : ndarray (D, m, m)
        ``L_d``, strictly lower triangular: entry (i, j) is the effect of latent variable j on i.
    scales : ndarray (D, m)
        The diagonal of ``S_d``, none of them zero.
    offsets : ndarray (D, m)
        ``b_d``, added to the solution, so not passed on from a variable to those that depend on it.

    Raises
    ------
    ParameterError
        E661 for shapes that do not fit, weights that are not strictly lower triangular, or a scale of zero.

    Examples
    --------
    >>> weights = np.zeros((2, 2, 2))
    >>> weights[1, 1, 0] = 3.0
    >>> mechanisms = DomainMechanisms(weights, np.ones((2, 2)), np.zeros((2, 2)))
    >>> mechanisms.changed()
    (1,)
    >>> mechanisms.move(np.array([[1.0, 0.5]]), 0, 1)
    array([[1. , 3.5]])
    """

    weights: Floats
    scales: Floats
    offsets: Floats

    def __post_init__(self) -> None:
        for name in ("weights", "scales", "offsets"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shape = self.scales.shape
        if len(shape) != 2 or self.weights.shape != (*shape, shape[-1]) or self.offsets.shape != shape:
            raise ParameterError(
                "E661",
                f"weights {self.weights.shape}, scales {shape} and offsets {self.offsets.shape} do not fit.",
                "For D domains and m latent variables give (D, m, m), (D, m) and (D, m).",
            )
        if np.triu(self.weights).any() or not self.scales.all() or not np.isfinite(self.scales).all():
            raise ParameterError(
                "E661",
                "a weight stands on or above the diagonal, or a scale is zero or not finite.",
                "Weights are strictly lower triangular: a variable depends on earlier ones only.",
            )

    @classmethod
    def structural(cls, weights: Floats, scales: Floats, intercepts: Floats) -> DomainMechanisms:
        """Return the mechanisms ``z = L_d z + S_d eps + c_d``, whose intercepts (D, m) are passed on like all else."""
        eye = np.eye(np.shape(scales)[-1])
        offsets = [solve_triangular(eye - one, c, lower=True) for one, c in zip(weights, intercepts)]
        return cls(weights, scales, np.stack(offsets))

    @classmethod
    def of_maps(cls, maps: list[Affine]) -> DomainMechanisms:
        """Return the mechanisms of given maps, one a domain, whose matrices are lower triangular."""
        matrices = np.stack([one.matrix for one in maps])
        above = np.abs(np.triu(matrices, 1)).max(initial=0.0)
        if above > 1e-9 * np.abs(matrices).max():
            raise ParameterError(
                "E661",
                f"a map is not autoregressive: {above:.3g} stands above the diagonal of its matrix.",
                "Compose with lower triangular maps only, or reorder the latent variables.",
            )
        matrices = np.tril(matrices)
        scales = np.diagonal(matrices, axis1=1, axis2=2).copy()
        eye = np.eye(matrices.shape[1])
        weights = [eye - np.diag(s) @ solve_triangular(one, eye, lower=True) for one, s in zip(matrices, scales)]
        return cls(np.tril(np.stack(weights), -1), scales, np.stack([one.shift for one in maps]))

    @property
    def n_domains(self) -> int:
        """Number of domains D."""
        return len(self.scales)

    @property
    def width(self) -> int:
        """Number of latent variables m."""
        return int(self.scales.shape[1])

    @cached_property
    def maps(self) -> list[Affine]:
        """Every domain's map from noise to latent variables; each triangular system is solved once."""
        eye = np.eye(self.width)
        solved = [solve_triangular(eye - one, np.diag(s), lower=True) for one, s in zip(self.weights, self.scales)]
        return [Affine(matrix, shift) for matrix, shift in zip(solved, self.offsets)]

    @cached_property
    def inverses(self) -> list[Affine]:
        """Every domain's map from latent variables to noise."""
        eye = np.eye(self.width)
        matrices = (eye - self.weights) / self.scales[:, :, None]
        return [Affine(matrix, -matrix @ shift) for matrix, shift in zip(matrices, self.offsets)]

    def forward(self, noise: Floats, domains: Domains | int) -> Floats:
        """Return the latent variables of noise (n, m) in the domain of each row."""
        return _by_domain(self.maps, noise, domains)

    def inverse(self, latents: Floats, domains: Domains | int) -> Floats:
        """Return the noise of latent variables (n, m) in the domain of each row."""
        return _by_domain(self.inverses, latents, domains)

    def move(self, latents: Floats, domains: Domains | int, to: Domains | int) -> Floats:
        """Return what latent variables become in another domain with the same noise."""
        return self.forward(self.inverse(latents, domains), to)

    def changed(self, tolerance: float = 1e-9) -> tuple[int, ...]:
        """Return the intervention set: latent variables whose mechanism differs between domains.

        A mechanism is ``z_i = sum_j L_ij z_j + S_ii eps_i + c_i`` with ``c = (I - L) b``: its weights, its scale and
        its intercept.
        """
        intercepts = self.offsets - np.einsum("dij,dj->di", self.weights, self.offsets)
        rows = np.concatenate([self.weights, self.scales[:, :, None], intercepts[:, :, None]], axis=2)
        differs = np.abs(rows - rows[:1]).max(axis=(0, 2)) > tolerance
        return tuple(int(place) for place in np.flatnonzero(differs))

    def with_signs(self, shared: int, rng: np.random.Generator) -> DomainMechanisms:
        """Return mechanisms whose scales, after the first ``shared``, have random signs: the same distribution."""
        scales = self.scales.copy()
        scales[:, shared:] *= np.sign(rng.standard_normal(scales[:, shared:].shape))
        return DomainMechanisms(self.weights, scales, self.offsets)

    def transformed(self, outer: Affine, inner: Affine) -> DomainMechanisms:
        """Return ``outer f_d inner`` for every domain: an equivalent member, seen through ``g outer^-1``.

        Raises
        ------
        ParameterError
            E661 if a result is not autoregressive.
        """
        return DomainMechanisms.of_maps([outer.after(one).after(inner) for one in self.maps])

    def canonical(self, tolerance: float = 1e-9) -> tuple[DomainMechanisms, Affine]:
        """Return the canonical member of this class, and the map from its latent variables to these.

        With P the permutation that puts the intervention set last and keeps order otherwise, the member is
        ``P f_0^-1 f_d P'`` and its variables map to these by ``f_0 P'``. The noise only changes places, so it stays
        standard normal; domain 0 is the identity; and in every domain only the last k variables differ from their
        noise, because ``f_0^-1`` undoes a mechanism that domain d shares.
        """
        changed = self.changed(tolerance)
        order = [place for place in range(self.width) if place not in changed] + list(changed)
        to_last = Affine(np.eye(self.width)[order], np.zeros(self.width))
        back = self.inverses[0]
        maps = [to_last.after(back).after(one).after(to_last.inverse()) for one in self.maps]
        first = self.width - len(changed)
        for one in maps:  # exact where the algebra says so
            one.matrix[:first], one.shift[:first] = np.eye(self.width)[:first], 0.0
        return DomainMechanisms.of_maps(maps), self.maps[0].after(to_last.inverse())


def _by_domain(maps: list[Affine], rows: Floats, domains: Domains | int) -> Floats:
    if isinstance(domains, (int, np.integer)):
        return maps[int(domains)](rows)
    result = np.empty(rows.shape)
    for domain in np.unique(domains):
        here = domains == domain
        result[here] = maps[int(domain)](rows[here])
    return result
