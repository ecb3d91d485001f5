"""Augmented inverse-propensity weighting with cross-fitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whence.effects.crossfit import FLOOR, cross_fit, mean_propensity, normal_intervals, own_arm
from whence.effects.fitted import ContrastFit, Fitted, Nuisances, median_score
from whence.effects.orthogonal import augmented_contrast
from whence.effects.regression import Population
from whence.effects.sample import Sample
from whence.registry import Card, Paper, register

ESTIMANDS: dict[str, str] = {"all": "ATE", "treated": "ATT", "overlap": "ATO"}


@register(
    Card(
        name="aipw",
        family="estimator",
        answers="What would the average outcome be in each arm, right if either the outcome or the treatment model is?",
        assumes=frozenset({"iid", "no-hidden-causes", "overlap"}),
        kinds=frozenset({"binary", "categorical"}),
        output="effect",
        missing="complete-rows",
        paper=Paper(
            "Robins, J., Rotnitzky, A. and Zhao, L.",
            "Estimation of regression coefficients when some regressors are not always observed",
            1994,
            "Journal of the American Statistical Association 89(427), 846-866",
        ),
    )
)
def aipw(sample: Sample, *, population: Population = "all", **settings: Any) -> Fitted:
    """Estimate contrasts of arms by augmented inverse-propensity weighting.

    Nuisances are cross-fitted, propensities below 0.01 raised to it, weights normalised to sum to one within each arm
    (Hajek), repeated splits combined by their median.

    Parameters
    ----------
    sample : Sample
        With a binary or categorical treatment.
    population : str
        ``"all"``, ``"treated"`` (for each contrast the rows of its arm), ``"overlap"``.
    **settings
        Of `crossfit.cross_fit`: ``learner``, ``folds``, ``repeats``, ``random_state``, ``n_jobs``, ``progress``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=600)
    >>> d = (rng.random(600) < 1 / (1 + np.exp(-x))).astype(float)
    >>> rows = Sample(2 * d + x + rng.normal(size=600), d, x[:, None], ("x",), ("x",), (0, 1), np.arange(600), 600)
    >>> bool(abs(aipw(rows).primary.value - 2) < 0.3)
    True
    """
    nuisances, record = cross_fit(sample, **settings)
    return from_nuisances("aipw", sample, nuisances, population, record, normalise=True)


def from_nuisances(
    estimator: str,
    sample: Sample,
    nuisances: tuple[Nuisances, ...],
    population: Population,
    record: Mapping[str, Any],
    *,
    normalise: bool,
) -> Fitted:
    """Return the estimate that given nuisances imply."""
    contrasts = []
    for arm in range(1, len(sample.arms or ())):
        splits = [
            augmented_contrast(sample.outcome, sample.codes, split, arm, population, normalise=normalise)
            for split in nuisances
        ]
        contrasts.append(_combine(splits))
    return normal_intervals(
        estimator,
        ESTIMANDS[population],
        contrasts=tuple(contrasts),
        outcome_fitted=own_arm(sample, nuisances),
        propensity=mean_propensity(nuisances),
        nuisances=nuisances,
        parameters={**record, "propensity_floor": FLOOR},
    )


def _combine(splits: list[ContrastFit]) -> ContrastFit:
    first = splits[0]
    difference = median_score([split.difference for split in splits])
    if first.mean is None:
        return ContrastFit(difference, first.to, first.reference)
    means = median_score([split.mean for split in splits if split.mean is not None])
    references = median_score([split.reference_mean for split in splits if split.reference_mean is not None])
    return ContrastFit(difference, first.to, first.reference, means, references)
