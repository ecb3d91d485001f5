"""Cross-fitting: every row's nuisances come from models that have not seen the row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from whence.effects.fitted import Fitted, Nuisances
from whence.effects.nuisance import (
    LEARNERS,
    Choice,
    Learner,
    basis,
    choose,
    fold_labels,
    log_loss,
    predict_means,
    predict_probabilities,
    squared_loss,
)
from whence.effects.sample import Sample
from whence.effects.sums import Array, Labels
from whence.errors import DataError, ParameterError, quote_names
from whence.parallel import Progress, RandomState, child_seeds, fan_out, silent

FOLDS = 5
FLOOR = 0.01
_REPEATED_BELOW = 5000
_REPEATS = 3


def cross_fit(
    sample: Sample,
    *,
    learner: str | Mapping[str, str] = "auto",
    folds: int = FOLDS,
    repeats: int | None = None,
    labels: Labels | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress = silent,
) -> tuple[tuple[Nuisances, ...], dict[str, Any]]:
    """Return the nuisances of one or several splits into folds, and what was decided on the way.

    Parameters
    ----------
    learner : str or mapping
        One for both nuisances, or ``{"outcome": ..., "treatment": ...}``: ``"linear"`` (least squares, logistic
        regression), ``"splines"``, ``"boosting"``, or ``"auto"``: by cross-validation among those that the number of
        rows allows, see `nuisance.choose`.
    repeats : int, optional
        Splits to repeat it with: 3 below 5,000 rows, else 1.
    labels : int array, shape (n,), optional
        The fold of each row, for one split that is settled already.

    Raises
    ------
    ParameterError
        E439 for an unknown learner.
    DataError
        E434 if an arm has fewer than two rows for each fold.
    """
    wanted = learner if isinstance(learner, Mapping) else {"outcome": learner, "treatment": learner}
    _check_learners(wanted)
    _check_folds(sample, folds)
    if labels is not None:
        repeats = 1
    repeats = repeats if repeats is not None else _REPEATS if sample.size < _REPEATED_BELOW else 1
    seeds = child_seeds(random_state, 2 + repeats)
    chosen = {
        "outcome": _choose_outcome(sample, wanted["outcome"], seeds[0], n_jobs),
        "treatment": _choose_treatment(sample, wanted["treatment"], seeds[1], n_jobs),
    }
    columns = {choice.learner: basis(sample.covariates, choice.learner) for choice in chosen.values()}

    def split(seed: np.random.SeedSequence) -> Nuisances:
        drawn = fold_labels(sample.size, folds, np.random.default_rng(seed), _strata(sample))
        fold_of = drawn if labels is None else labels
        outcome, treatment = chosen["outcome"].learner, chosen["treatment"].learner
        return Nuisances(
            fold_of,
            predict_outcome(sample, outcome, columns[outcome], fold_of, n_jobs),
            predict_treatment(sample, treatment, columns[treatment], fold_of, n_jobs),
        )

    found = tuple(fan_out(split, seeds[2:], n_jobs=1, stage="nuisances", progress=progress))
    record = {
        "folds": folds,
        "repeats": repeats,
        "learners": {name: _record(choice) for name, choice in chosen.items()},
    }
    return found, record


def predict_outcome(
    sample: Sample, learner: Learner, columns: Array, folds: Labels, n_jobs: int | None = None
) -> Array:
    """Return the expected outcome at each arm or, for a continuous treatment, given the covariates alone."""
    arms = None if sample.arms is None else sample.codes
    n_arms = 1 if sample.arms is None else len(sample.arms)
    if sample.outcome_event is None:
        return predict_means(learner, columns, sample.outcome, folds, arms, n_arms, n_jobs)
    event = sample.outcome.astype(np.int64)
    if arms is None:
        return predict_probabilities(learner, columns, event, 2, folds, n_jobs=n_jobs)[:, 1:]
    return predict_probabilities(learner, columns, event, 2, folds, arms, n_arms, n_jobs)


def predict_treatment(
    sample: Sample, learner: Learner, columns: Array, folds: Labels, n_jobs: int | None = None
) -> Array:
    """Return the probability of each arm or, for a continuous treatment, its expected value."""
    if sample.arms is None:
        return predict_means(learner, columns, sample.treatment, folds, n_jobs=n_jobs)
    return predict_probabilities(learner, columns, sample.codes, len(sample.arms), folds, n_jobs=n_jobs)


def floored(probabilities: Array) -> Array:
    """Return propensities raised to at least 0.01, so that no row weighs more than a hundred."""
    return np.maximum(probabilities, FLOOR)


def own_arm(sample: Sample, nuisances: Sequence[Nuisances]) -> Array:
    """Return each row's expected outcome at the arm it is in, averaged over splits, shape (n,)."""
    predicted = np.mean([split.outcome for split in nuisances], axis=0)
    return predicted[np.arange(sample.size), sample.codes]  # type: ignore[no-any-return]


def mean_propensity(nuisances: Sequence[Nuisances]) -> Array:
    """Return the propensities averaged over splits, shape (n, arms)."""
    return np.mean([split.treatment for split in nuisances], axis=0)  # type: ignore[no-any-return]


def normal_intervals(estimator: str, estimand: str, **parts: Any) -> Fitted:
    """Build the result of a cross-fitted estimator: its intervals are normal."""
    return Fitted(estimator, estimand, degrees_of_freedom=math.inf, **parts)


def _check_learners(wanted: Mapping[str, str]) -> None:
    known = ("auto", *LEARNERS)
    for name in wanted.values():
        if name not in known:
            raise ParameterError("E439", f"there is no learner {name!r}.", f"Choose {quote_names(known)}.")


def _check_folds(sample: Sample, folds: int) -> None:
    if folds < 2:
        raise ParameterError("E439", f"cross-fitting needs at least 2 folds; got {folds}.", "Five is usual.")
    if sample.arms is None:
        return
    smallest = int(sample.arm_sizes.min())
    if smallest < 2 * folds:
        arm = sample.arms[int(sample.arm_sizes.argmin())]
        raise DataError(
            "E434",
            f"level {arm!r} of the treatment has {smallest} complete rows; cross-fitting in {folds} folds needs "
            f"{2 * folds}.",
            "Use method='regression', or merge rare levels.",
        )


def _strata(sample: Sample) -> Labels | None:
    if sample.arms is None:
        return None if sample.outcome_event is None else sample.outcome.astype(np.int64)
    if sample.outcome_event is None:
        return sample.codes
    return 2 * sample.codes + sample.outcome.astype(np.int64)


def _choose_outcome(sample: Sample, learner: str, seed: np.random.SeedSequence, n_jobs: int | None) -> Choice:
    if learner != "auto":
        return _given(learner)

    def fit(name: Learner, columns: Array, _: Array, folds: Labels, rows: Labels) -> Array:
        part = sample.take(rows)
        predicted = predict_outcome(part, name, columns, folds, n_jobs)
        return predicted[:, 0] if sample.arms is None else predicted[np.arange(len(rows)), part.codes]

    loss = squared_loss if sample.outcome_event is None else _event_loss
    return choose(fit, sample.covariates, sample.outcome, _strata(sample), loss, seed)


def _choose_treatment(sample: Sample, learner: str, seed: np.random.SeedSequence, n_jobs: int | None) -> Choice:
    if learner != "auto":
        return _given(learner)

    def fit(name: Learner, columns: Array, _: Array, folds: Labels, rows: Labels) -> Array:
        return predict_treatment(sample.take(rows), name, columns, folds, n_jobs)

    loss: Callable[[Array, Array], Array] = squared_loss if sample.arms is None else log_loss
    return choose(fit, sample.covariates, sample.treatment, _strata(sample), loss, seed)


def _event_loss(target: Array, prediction: Array) -> Array:
    return log_loss(target, np.column_stack([1 - prediction, prediction]))


def _given(learner: str) -> Choice:
    return Choice(learner, {}, "asked for")  # type: ignore[arg-type]


def _record(choice: Choice) -> dict[str, Any]:
    return {"learner": choice.learner, "losses": choice.losses, "reason": choice.reason}
