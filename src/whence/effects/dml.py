"""Double/debiased machine learning: the partially linear and the interactive model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whence.effects.aipw import from_nuisances
from whence.effects.crossfit import cross_fit, mean_propensity, normal_intervals, own_arm
from whence.effects.fitted import ContrastFit, Fitted, Nuisances, Score, median_score
from whence.effects.orthogonal import partialling_out
from whence.effects.regression import Population, determined_treatment
from whence.effects.sample import Sample
from whence.effects.sums import Array
from whence.registry import Card, Paper, register

_PAPER = Paper(
    "Chernozhukov, V., Chetverikov, D., Demirer, M., Duflo, E., Hansen, C., Newey, W. and Robins, J.",
    "Double/debiased machine learning for treatment and structural parameters",
    2018,
    "The Econometrics Journal 21(1), C1-C68",
)
_LEAST_LEFT = 1e-8


@register(
    Card(
        name="dml-plr",
        family="estimator",
        answers="How much does the outcome change for each unit of treatment, whatever curve the covariates act by?",
        assumes=frozenset({"iid", "no-hidden-causes"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
        output="effect",
        missing="complete-rows",
        paper=_PAPER,
    )
)
def dml_plr(sample: Sample, **settings: Any) -> Fitted:
    """Estimate the slope in the partially linear model ``Y = theta D + g(X) + error``.

    What the covariates predict is taken out of outcome and treatment, by models that have not seen the row, and the
    residuals are regressed on each other. For a binary treatment whose effect varies the answer is that of the overlap
    population, weights e(1 - e).

    Parameters
    ----------
    sample : Sample
        With a continuous or binary treatment.
    **settings
        Of `crossfit.cross_fit`.

    Raises
    ------
    DataError
        E437 if the covariates determine the treatment.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=400)
    >>> d = x + rng.normal(size=400)
    >>> rows = Sample(3 * d + x + rng.normal(size=400), d, x[:, None], ("x",), ("x",), None, np.arange(400), 400)
    >>> bool(abs(dml_plr(rows).primary.value - 3) < 0.2)
    True
    """
    nuisances, record = cross_fit(sample, **settings)
    return plr_from_nuisances(sample, nuisances, record)


def plr_from_nuisances(sample: Sample, nuisances: tuple[Nuisances, ...], record: Mapping[str, Any]) -> Fitted:
    """Return the partially linear estimate that given nuisances imply."""
    scores = [partial_score(sample, split) for split in nuisances]
    discrete = sample.arms is not None
    difference = median_score(scores)
    return normal_intervals(
        "dml-plr",
        "ATO" if discrete else "slope",
        contrasts=(ContrastFit(difference, 1, 0) if discrete else ContrastFit(difference),),
        outcome_fitted=own_arm(sample, nuisances) if discrete else _fitted(sample, nuisances, difference),
        propensity=mean_propensity(nuisances) if discrete else None,
        nuisances=nuisances,
        parameters=record,
    )


def partial_score(sample: Sample, split: Nuisances) -> Score:
    """Return the partialling-out estimate from one split."""
    expected_outcome, expected_treatment = expectations(split)
    left = np.mean((sample.treatment - expected_treatment) ** 2)
    if left < _LEAST_LEFT * np.var(sample.treatment):
        raise determined_treatment()
    return partialling_out(sample.outcome, sample.treatment, expected_outcome, expected_treatment)


def expectations(split: Nuisances) -> tuple[Array, Array]:
    """Return the expected outcome and treatment given the covariates alone, shape (n,) each.

    For discrete treatments the first is the mean over arms: ``l(X) = sum of e_a mu_a``.
    """
    if split.treatment.shape[1] == 1:
        return split.outcome[:, 0], split.treatment[:, 0]
    return (split.outcome * split.treatment).sum(axis=1), split.treatment[:, 1]


def _fitted(sample: Sample, nuisances: tuple[Nuisances, ...], slope: Score) -> Array:
    pairs = [expectations(split) for split in nuisances]
    outcome, treatment = (np.mean([pair[k] for pair in pairs], axis=0) for k in (0, 1))
    return outcome + slope.value * (sample.treatment - treatment)  # type: ignore[no-any-return]


@register(
    Card(
        name="dml-irm",
        family="estimator",
        answers="What is the average effect of an arm when it may act differently on everybody?",
        assumes=frozenset({"iid", "no-hidden-causes", "overlap"}),
        kinds=frozenset({"binary", "categorical"}),
        output="effect",
        missing="complete-rows",
        paper=_PAPER,
    )
)
def dml_irm(sample: Sample, *, population: Population = "all", **settings: Any) -> Fitted:
    """Estimate contrasts of arms in the interactive model ``Y = g(D, X) + error``.

    The scores are those of `aipw` without normalised weights, as in the paper's equations 5.3 and 5.4.

    Parameters
    ----------
    sample : Sample
        With a binary or categorical treatment.
    population : str
        ``"all"``, ``"treated"``, ``"overlap"``.
    **settings
        Of `crossfit.cross_fit`.
    """
    nuisances, record = cross_fit(sample, **settings)
    return from_nuisances("dml-irm", sample, nuisances, population, record, normalise=False)
