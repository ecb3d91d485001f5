"""One door to every estimator: fit a sample by name, and fit it again with what was decided the first time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whence.effects.aipw import aipw, from_nuisances
from whence.effects.crossfit import FOLDS
from whence.effects.dml import dml_irm, dml_plr, plr_from_nuisances
from whence.effects.fitted import Fitted
from whence.effects.iv import two_stage_least_squares
from whence.effects.mediation import front_door
from whence.effects.regression import Population, regression
from whence.effects.sample import Sample
from whence.effects.sums import Labels
from whence.parallel import Progress, RandomState, silent

CROSS_FITTED = frozenset({"aipw", "dml-plr", "dml-irm"})


def fit(
    method: str,
    sample: Sample,
    *,
    population: Population = "all",
    level: float = 0.95,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress = silent,
    learners: Mapping[str, str] | None = None,
    repeats: int | None = None,
    folds: int = FOLDS,
    labels: Labels | None = None,
) -> Fitted:
    """Run an estimator by the name on its card.

    Parameters
    ----------
    learners : mapping, optional
        ``{"outcome": ..., "treatment": ...}``: the learners settled before, so that they are not chosen again.
    repeats, folds, labels : optional
        Splits of a cross-fitted estimator, see `crossfit.cross_fit`.
    """
    if method == "regression":
        return regression(sample, population=population)
    if method == "iv":
        return two_stage_least_squares(sample, level=level)
    if method == "front-door":
        return front_door(sample)
    settings: dict[str, Any] = {"random_state": random_state, "n_jobs": n_jobs, "progress": progress}
    settings |= {"learner": learners or "auto", "repeats": repeats, "folds": folds, "labels": labels}
    if method == "dml-plr":
        return dml_plr(sample, **settings)
    return (aipw if method == "aipw" else dml_irm)(sample, population=population, **settings)


def fit_again(
    fitted: Fitted,
    sample: Sample,
    population: Population,
    random_state: RandomState = 0,
    *,
    folds: int = FOLDS,
    labels: Labels | None = None,
) -> Fitted:
    """Fit a changed sample by the same estimator with the same learners, on one split: what refutations need."""
    if fitted.estimator not in CROSS_FITTED:
        return fit(fitted.estimator, sample, population=population)
    return fit(
        fitted.estimator,
        sample,
        population=population,
        random_state=random_state,
        n_jobs=1,
        learners=learners_of(fitted),
        repeats=1,
        folds=folds,
        labels=labels,
    )


def learners_of(fitted: Fitted) -> dict[str, str]:
    """Return the learner of each nuisance of a cross-fitted estimator; empty for the others."""
    return {part: record["learner"] for part, record in fitted.parameters.get("learners", {}).items()}


def on_first_split(fitted: Fitted, sample: Sample, population: Population) -> Fitted:
    """Return what a cross-fitted estimator says on its first split alone, for comparison with refits on that split."""
    if not fitted.nuisances:
        return fitted
    first = fitted.nuisances[:1]
    if fitted.estimator == "dml-plr":
        return plr_from_nuisances(sample, first, fitted.parameters)
    record = dict(fitted.parameters)
    return from_nuisances(fitted.estimator, sample, first, population, record, normalise=fitted.estimator == "aipw")
