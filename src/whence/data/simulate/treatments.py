"""Tables with a treatment and an outcome whose average effects are known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whence.data.simulate.dags import node_names
from whence.data.simulate.discrete import softmax
from whence.data.simulate.noise import Noise, draw_noise
from whence.errors import DataError
from whence.parallel import RandomState, generator

if TYPE_CHECKING:
    from whence.data.dataset import Dataset

TreatmentKind = Literal["binary", "categorical", "continuous"]
_KINDS = ("binary", "categorical", "continuous")


@dataclass(frozen=True)
class TreatmentSimulation:
    """A simulated table with treatment ``T``, outcome ``Y``, covariates ``X1 .. Xk``, and its true effects.

    Attributes
    ----------
    columns : mapping of str to ndarray, shape (n,)
        The observed columns, in the units in which the effects are given.
    kinds : mapping of str to str
        Column kinds other than continuous.
    edges : list of (parent, child)
        The true edges, those of the hidden ``U`` included.
    ate, att, ato : float or None
        Average effect of T = 1 against T = 0 over all units, over the treated, and over the overlap
        population (weights e(1 - e)), of the population the table was drawn from. For a continuous
        treatment ``ate`` is the effect of one unit more, averaged over all units. ``att`` and ``ato`` are
        known for a binary treatment only.
    contrasts : mapping of int to float
        The average effect of every arm against arm 0.
    unit_effects : ndarray, shape (n,)
        The effect on every row (of arm 1, or of one unit more).
    propensity : ndarray, shape (n, arms), or None
        The true probability of every arm; None for a continuous treatment.
    """

    columns: Mapping[str, NDArray[np.float64]]
    kinds: Mapping[str, str]
    edges: list[tuple[str, str]]
    ate: float
    att: float | None
    ato: float | None
    contrasts: Mapping[int, float]
    unit_effects: NDArray[np.float64]
    propensity: NDArray[np.float64] | None
    treatment: str = "T"
    outcome: str = "Y"
    covariates: tuple[str, ...] = field(default=())

    @cached_property
    def data(self) -> Dataset:
        """The observed columns as a Dataset with the roles treatment, outcome and, if any, instrument."""
        from whence.data.simulate.tables import as_table

        roles = {"treatment": self.treatment, "outcome": self.outcome}
        if "Z" in self.columns:
            roles["instrument"] = "Z"
        return as_table(np.column_stack(list(self.columns.values())), tuple(self.columns), self.kinds, roles=roles)

    def __repr__(self) -> str:
        size = f"{len(self.unit_effects):,} rows, {len(self.columns)} columns"
        return f"TreatmentSimulation({size}, ate {self.ate:g})"


def treatment_outcome(
    n_rows: int = 1000,
    *,
    treatment: TreatmentKind = "binary",
    effect: float = 1.0,
    n_covariates: int = 5,
    confounding: float = 1.0,
    heterogeneity: float = 0.0,
    n_arms: int = 3,
    nonlinear: bool = False,
    collider: bool = False,
    instrument: float = 0.0,
    hidden: float = 0.0,
    share_treated: float = 0.5,
    noise: Noise = "gaussian",
    random_state: RandomState = None,
) -> TreatmentSimulation:
    """Draw covariates, a treatment that depends on them, and an outcome that depends on both.

    With independent standard normal X, s = X a and m = X b for unit vectors a, b of correlation 0.5::

        binary       logit P(T = 1) = offset + confounding * s + instrument * Z + hidden * U
        categorical  softmax with scores k * (confounding * s + instrument * Z + hidden * U) / (arms - 1)
        continuous   T = confounding * s + instrument * Z + hidden * U + noise
        outcome      Y = T (effect + heterogeneity * s) + confounding * m + hidden * U + noise

    A categorical arm k enters the outcome as k * (effect + heterogeneity * s), so its contrast with arm 0 is
    k * effect. The averages over the treated and the overlap population are integrals over the normal index,
    computed by Gauss-Hermite quadrature.

    Parameters
    ----------
    n_rows : int
        Number of rows, n.
    treatment : str
        ``"binary"``, ``"categorical"`` (arms 0, 1, ...) or ``"continuous"``.
    effect : float
        Average effect of treatment (or of one unit more).
    n_covariates : int
        Number of covariates k, at least one.
    confounding : float
        How strongly the covariates drive both treatment and outcome; 0 is an experiment.
    heterogeneity : float
        Change of the effect per standard deviation of the index s that also drives the treatment.
    n_arms : int
        Number of arms of a categorical treatment.
    nonlinear : bool
        Add a square and a product of covariates to the outcome.
    collider : bool
        Add a column ``C`` caused by treatment and outcome, which must not be adjusted for.
    instrument : float
        Strength of an instrument ``Z``, standard normal; 0 leaves it out.
    hidden : float
        Strength of an unobserved common cause ``U`` of treatment and outcome.
    share_treated : float
        Share of the treated of a binary treatment.
    noise : str
        Noise family of the outcome and of a continuous treatment.

    Raises
    ------
    DataError
        E152 if a setting is out of range.

    Examples
    --------
    >>> simulation = treatment_outcome(500, heterogeneity=0.5, random_state=0)
    >>> simulation.ate, simulation.att > simulation.ate
    (1.0, True)
    """
    if n_rows < 1 or n_covariates < 1 or n_arms < 2 or not 0 < share_treated < 1:
        raise DataError(
            "E152",
            f"{n_rows} rows, {n_covariates} covariates, {n_arms} arms, a share treated of {share_treated}.",
            "Give positive counts, at least two arms and a share between 0 and 1.",
        )
    rng = generator(random_state)
    covariates = rng.standard_normal((n_rows, n_covariates))
    index, prognosis = _two_indices(covariates, rng)
    instrumental, unseen = rng.standard_normal((2, n_rows))
    score = confounding * index + instrument * instrumental + hidden * unseen
    variance = confounding**2 + instrument**2 + hidden**2
    att = ato = propensity = None
    contrasts = {1: effect}
    if treatment == "binary":
        offset = _offset(share_treated, variance)
        propensity = softmax(np.column_stack([np.zeros(n_rows), offset + score]))
        # The index is normal given the score, so that its mean moves by this much per unit of the score.
        slope = heterogeneity * confounding / variance if variance else 0.0
        att, ato = (effect + slope * mean for mean in _weighted_means(offset, variance))
    elif treatment == "categorical":
        propensity = softmax(np.outer(score, np.arange(n_arms)) / (n_arms - 1))
        contrasts = {arm: arm * effect for arm in range(1, n_arms)}
    elif treatment != "continuous":
        raise DataError("E152", f"there is no treatment {treatment!r}.", f"Choose one of {', '.join(_KINDS)}.")
    if propensity is None:
        treated = score + draw_noise(noise, (n_rows,), rng)
    else:
        thresholds = np.cumsum(propensity, axis=1)[:, :-1]
        treated = (rng.random((n_rows, 1)) >= thresholds).sum(axis=1).astype(np.float64)
    unit_effects = effect + heterogeneity * index
    outcome = treated * unit_effects + confounding * prognosis + hidden * unseen
    if nonlinear:
        outcome += confounding * (covariates[:, 0] ** 2 - 1 + covariates[:, 0] * covariates[:, -1])
    outcome += draw_noise(noise, (n_rows,), rng)

    names = node_names(n_covariates)
    columns = {**dict(zip(names, covariates.T)), "T": treated, "Y": outcome}
    edges = [("T", "Y"), *((name, child) for name in names for child in ("T", "Y") if confounding)]
    if instrument:
        columns["Z"] = instrumental
        edges.append(("Z", "T"))
    if hidden:
        edges += [("U", "T"), ("U", "Y")]
    if collider:
        columns["C"] = treated + outcome + rng.standard_normal(n_rows)
        edges += [("T", "C"), ("Y", "C")]
    return TreatmentSimulation(
        columns=columns,
        kinds={} if treatment == "continuous" else {"T": treatment if n_arms > 2 else "binary"},
        edges=edges,
        ate=effect,
        att=att,
        ato=ato,
        contrasts=contrasts,
        unit_effects=unit_effects,
        propensity=propensity,
        covariates=names,
    )


def _two_indices(
    covariates: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return X a and X b for random unit vectors of correlation 0.5; with one covariate both are that one."""
    k = covariates.shape[1]
    if k == 1:
        return covariates[:, 0], covariates[:, 0]
    basis = np.linalg.qr(rng.standard_normal((k, 2)))[0]
    return covariates @ basis[:, 0], covariates @ (basis @ np.array([0.5, np.sqrt(0.75)]))


def _offset(share: float, variance: float) -> float:
    """Return the logistic offset at which the share of the treated is as asked."""
    from scipy.optimize import brentq

    nodes, weights = _quadrature(variance)
    return float(brentq(lambda offset: float(weights @ expit(offset + nodes)) - share, -60, 60))


def _weighted_means(offset: float, variance: float) -> tuple[float, float]:
    """Return the mean of the score among the treated, and under weights e(1 - e)."""
    nodes, weights = _quadrature(variance)
    chance = expit(offset + nodes)
    overlap = chance * (1 - chance)
    treated_mean = weights @ (chance * nodes) / (weights @ chance)
    overlap_mean = weights @ (overlap * nodes) / (weights @ overlap)
    return float(treated_mean), float(overlap_mean)


def _quadrature(variance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return nodes * np.sqrt(variance), weights / weights.sum()
