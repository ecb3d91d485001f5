"""Domain models in closed form: linear mechanisms, mixed by a linear map behind leaky rectifiers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whence.errors import ParameterError
from whence.parallel import RandomState, generator
from whence.systems.domains.mechanisms import Affine, DomainMechanisms, Domains, Floats


@dataclass(frozen=True, eq=False)
class LinearDomainModel:
    """An invertible latent domain model without a network: ``x = G leaky(inner(f_d(eps))) + b``.

    Attributes
    ----------
    mechanisms : DomainMechanisms
        ``f_d``, one map a domain.
    mixing : ndarray (m, m)
        ``G``, invertible.
    intercept : ndarray (m,)
        ``b``.
    slope : float
        Of the leaky rectifier below zero; 1 makes the mixing linear.
    inner : Affine, optional
        A further part of the mixing, in front of the rectifiers; nothing by default. Equivalent models differ by it.

    Examples
    --------
    >>> mechanisms = DomainMechanisms(np.zeros((2, 2, 2)), np.ones((2, 2)), np.array([[0.0, 0.0], [0.0, 4.0]]))
    >>> model = LinearDomainModel(mechanisms, np.eye(2), np.zeros(2))
    >>> model.counterfactual(np.array([[1.0, -1.0]]), 0, 1)
    array([[1., 2.]])
    """

    mechanisms: DomainMechanisms
    mixing: Floats
    intercept: Floats
    slope: float = 0.5
    inner: Affine | None = None

    def __post_init__(self) -> None:
        m = self.mechanisms.width
        if np.shape(self.mixing) != (m, m) or np.shape(self.intercept) != (m,):
            raise ParameterError(
                "E661",
                f"mixing {np.shape(self.mixing)} and intercept {np.shape(self.intercept)} do not fit {m} latents.",
                f"Give ({m}, {m}) and ({m},).",
            )
        if not 0 < self.slope <= 1:
            raise ParameterError("E660", f"slope={self.slope} is impossible.", "Give a number above 0, at most 1.")
        if not np.isfinite(np.linalg.cond(self.mixing)):
            raise ParameterError("E661", "the mixing cannot be inverted.", "Its columns must be independent.")

    def decode(self, noise: Floats, domains: Domains | int) -> Floats:
        """Return the observations (n, m) of noise in the domain of each row."""
        return self._mix(self.mechanisms.forward(noise, domains))

    def encode(self, rows: Floats, domains: Domains | int) -> Floats:
        """Return the noise (n, m) behind observations."""
        return self.mechanisms.inverse(self._unmix(rows), domains)

    def counterfactual(self, rows: Floats, domains: Domains | int, to: Domains | int) -> Floats:
        """Return ``g f_d' f_d^-1 g^-1 (x)``: the same noise in another domain."""
        return self._mix(self.mechanisms.move(self._unmix(rows), domains, to))

    def nll(self, rows: Floats, domains: Domains | int) -> Floats:
        """Return the negative log-likelihood of each row, in nats, for standard normal noise."""
        latents = self._unmix(rows)
        noise = self.mechanisms.inverse(latents, domains)
        before = latents if self.inner is None else self.inner(latents)
        scales = np.log(np.abs(self.mechanisms.scales)).sum(axis=1)[domains]
        stretch = scales + np.linalg.slogdet(self.mixing)[1] + (before < 0).sum(axis=1) * math.log(self.slope)
        if self.inner is not None:
            stretch = stretch + self.inner.log_determinant
        result: Floats = 0.5 * (noise**2).sum(axis=1) + 0.5 * noise.shape[1] * math.log(2 * math.pi) + stretch
        return result

    def sample(self, n: int, domains: Domains | int, random_state: RandomState = None) -> Floats:
        """Draw n rows, in one domain or in the domain of each row."""
        return self.decode(generator(random_state).standard_normal((n, self.mechanisms.width)), domains)

    def transformed(self, outer: Affine, inner: Affine) -> LinearDomainModel:
        """Return the equivalent model ``(g outer^-1, outer f_d inner)``: other latent variables, same counterfactuals.

        ``outer`` and ``inner`` are invertible and lower triangular. Observations keep their distribution only if
        ``inner`` keeps standard normal noise as it is.
        """
        return self._seen_through(self.mechanisms.transformed(outer, inner), outer.inverse())

    def canonicalise(self) -> LinearDomainModel:
        """Return the canonical member of this model's class: the intervention set last, domain 0 the identity.

        Counterfactuals and the distribution of the observations are those of this model.
        """
        return self._seen_through(*self.mechanisms.canonical())

    def _seen_through(self, mechanisms: DomainMechanisms, back: Affine) -> LinearDomainModel:
        inner = back if self.inner is None else self.inner.after(back)
        return replace(self, mechanisms=mechanisms, inner=inner)

    def _mix(self, latents: Floats) -> Floats:
        before = latents if self.inner is None else self.inner(latents)
        return leaky(before, self.slope) @ self.mixing.T + self.intercept

    def _unmix(self, rows: Floats) -> Floats:
        before = unleaky(np.linalg.solve(self.mixing, (rows - self.intercept).T).T, self.slope)
        return before if self.inner is None else self.inner.inverse()(before)


def leaky(values: Floats, slope: float) -> Floats:
    """Return the leaky rectifier of each value."""
    return np.where(values > 0, values, slope * values)


def unleaky(values: Floats, slope: float) -> Floats:
    """Return what `leaky` was taken of."""
    return np.where(values > 0, values, values / slope)


def counterfactually_equivalent(
    first: LinearDomainModel,
    second: LinearDomainModel,
    rows: NDArray[np.floating],
    domains: Domains,
    tolerance: float = 1e-6,
) -> bool:
    """Tell whether two models give the same counterfactuals of given rows in every domain.

    The largest difference may be ``tolerance`` times the standard deviation of the rows.

    Examples
    --------
    >>> mechanisms = DomainMechanisms(np.zeros((2, 2, 2)), np.ones((2, 2)), np.array([[0.0, 0.0], [4.0, 0.0]]))
    >>> model = LinearDomainModel(mechanisms, np.eye(2), np.zeros(2))
    >>> rows = np.random.default_rng(0).normal(size=(10, 2))
    >>> counterfactually_equivalent(model, model.canonicalise(), rows, np.zeros(10, dtype=int))
    True
    """
    rows = np.asarray(rows, dtype=np.float64)
    allowed = tolerance * float(rows.std())
    return all(
        np.abs(first.counterfactual(rows, domains, to) - second.counterfactual(rows, domains, to)).max() <= allowed
        for to in range(first.mechanisms.n_domains)
    )
