"""One door to every estimator: fit a sample by name, and fit it again with what was decided the first time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whence.effects.aipw import aipw
from whence.effects.dml import dml_irm, dml_plr
from whence.effects.fitted import Fitted
from whence.effects.iv import two_stage_least_squares
from whence.effects.mediation import front_door
from whence.effects.regression import Population, regression
from whence.effects.sample import Sample
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
) -> Fitted:
    """Run an estimator by the name on its card.

    Parameters
    ----------
    learners : mapping, optional
        ``{"outcome": ..., "treatment": ...}``: the learners settled before, so that they are not chosen again.
    repeats : int, optional
        Splits of a cross-fitted estimator.
    """
    if method == "regression":
        return regression(sample, population=population)
    if method == "iv":
        return two_stage_least_squares(sample, level=level)
    if method == "front-door":
        return front_door(sample)
    settings: dict[str, Any] = {"random_state": random_state, "n_jobs": n_jobs, "progress": progress}
    settings |= {"learner": learners or "auto", "repeats": repeats}
    if method == "dml-plr":
        return dml_plr(sample, **settings)
    return (aipw if method == "aipw" else dml_irm)(sample, population=population, **settings)


def fit_again(fitted: Fitted, sample: Sample, population: Population, random_state: RandomState = 0) -> Fitted:
    """Fit a changed sample by the same estimator with the same learners, on one split: what refutations need."""
    if fitted.estimator not in CROSS_FITTED:
        return fit(fitted.estimator, sample, population=population)
    learners = {part: record["learner"] for part, record in fitted.parameters["learners"].items()}
    return fit(
        fitted.estimator,
        sample,
        population=population,
        random_state=random_state,
        n_jobs=1,
        learners=learners,
        repeats=1,
    )
