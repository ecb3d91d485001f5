"""Tables from several domains with a known model behind them, so with known counterfactuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whence.errors import ParameterError
from whence.parallel import RandomState, child_seeds
from whence.systems.domains.linear import LinearDomainModel, leaky
from whence.systems.domains.mechanisms import DomainMechanisms, Domains, Floats

SLOPE = 0.5


@dataclass(frozen=True, eq=False)
class DomainWorld:
    """Rows drawn from a known model of several domains.

    Attributes
    ----------
    rows : ndarray (D n, m)
        Observations, domain by domain.
    domain : ndarray (D n,)
        The domain of each row, 0 to D - 1.
    noise : ndarray (D n, m)
        The noise behind each row.
    model : LinearDomainModel
        The truth.
    """

    rows: Floats
    domain: Domains
    noise: Floats
    model: LinearDomainModel

    def counterfactual(self, rows: Floats, domains: Domains | int, to: Domains | int) -> Floats:
        """Return what rows would have been in another domain, by the true model."""
        return self.model.counterfactual(rows, domains, to)

    def draw(self, n: int, random_state: RandomState = None) -> tuple[Floats, Domains]:
        """Return n further rows of every domain, and their domains."""
        domains = np.repeat(np.arange(self.model.mechanisms.n_domains), n)
        return self.model.sample(len(domains), domains, random_state), domains


def simulate_domains(
    n_rows: int = 1000,
    *,
    n_latents: int = 6,
    n_domains: int = 3,
    intervened: Sequence[int] = (4, 5),
    random_state: RandomState = 0,
) -> DomainWorld:
    """Draw the simulated worlds of Zhou et al. (2024): ``x = G leaky((I - L_d)^-1 eps + b_d) / sd``.

    The entries of the lower triangular ``L`` are standard normal, and rows of intervened variables are drawn anew for
    each domain. ``b_d`` is one uniform draw from (-2, 2) a domain times ``sqrt(m / k)``, added to the k intervened
    variables. ``G`` is standard normal with determinant 1; ``sd`` are the deviations of the pooled latent variables.

    Parameters
    ----------
    n_rows : int
        Rows of each domain.
    n_latents : int
        Number m of latent variables, and so of columns.
    n_domains : int
        Number D of domains.
    intervened : sequence of int
        Places, from 0, of the variables whose mechanisms differ. The offset of such a variable is not passed on to
        later ones, whose intercepts differ for it: a set that is not last has a larger intervention set in the sense
        of the theorem (`DomainMechanisms.changed`).

    Raises
    ------
    ParameterError
        E660 for sizes that are too small, or intervened places outside the latent variables.

    Examples
    --------
    >>> world = simulate_domains(100, random_state=1)
    >>> world.rows.shape, world.model.mechanisms.changed()
    ((300, 6), (4, 5))
    >>> moved = world.counterfactual(world.rows, world.domain, 2)
    >>> bool(np.allclose(moved[world.domain == 2], world.rows[world.domain == 2]))
    True
    """
    places = sorted({int(place) for place in intervened})
    if n_rows < 2 or n_latents < 1 or n_domains < 2 or not places or not 0 <= places[0] <= places[-1] < n_latents:
        raise ParameterError(
            "E660",
            f"n_rows={n_rows}, n_latents={n_latents}, n_domains={n_domains}, intervened={list(intervened)} are no "
            "world of several domains.",
            "Give two rows and two domains at least, and intervened places from 0 to n_latents - 1.",
        )
    seeds = child_seeds(random_state, 2 + n_domains)
    rng = np.random.default_rng(seeds[0])
    mixing = rng.standard_normal((n_latents, n_latents))
    mixing[0] *= np.sign(np.linalg.det(mixing))
    mixing /= np.linalg.det(mixing) ** (1 / n_latents)
    weights = np.repeat(np.tril(rng.standard_normal((n_latents, n_latents)), -1)[None], n_domains, axis=0)
    offsets = np.zeros((n_domains, n_latents))
    for d, seed in enumerate(seeds[2:]):
        own = np.random.default_rng(seed)
        weights[d, places] = np.tril(own.standard_normal((n_latents, n_latents)), -1)[places]
        offsets[d, places] = own.uniform(-2.0, 2.0) * np.sqrt(n_latents / len(places))
    mechanisms = DomainMechanisms(weights, np.ones((n_domains, n_latents)), offsets)
    domain = np.repeat(np.arange(n_domains), n_rows)
    noise = np.random.default_rng(seeds[1]).standard_normal((len(domain), n_latents))
    deviations = leaky(mechanisms.forward(noise, domain), SLOPE).std(axis=0)
    model = LinearDomainModel(mechanisms, mixing / deviations, np.zeros(n_latents), SLOPE)
    return DomainWorld(model.decode(noise, domain), domain, noise, model)
