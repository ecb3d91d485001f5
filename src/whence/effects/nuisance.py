"""Learners of the nuisances (expected outcome, treatment probability), and the rule that chooses among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

import numpy as np

from whence.effects.splines import spline_columns, spline_width
from whence.effects.sums import Array, Labels, chunks, column_means, cross_products, ridge, solve
from whence.parallel import fan_out

Learner = Literal["linear", "splines", "boosting"]
LEARNERS: tuple[Learner, ...] = ("linear", "splines", "boosting")

SPLINES_FROM = 200
BOOSTING_FROM = 2000
CHOICE_ROWS = 10_000
CHOICE_FOLDS = 5
# Least squares without a penalty needs this many rows for each column.
ROWS_PER_COLUMN = 10
_LARGEST_BASIS = 5e7


@dataclass(frozen=True, slots=True)
class Choice:
    """Which learner was taken for a nuisance, with the cross-validated losses it was judged by."""

    learner: Learner
    losses: dict[str, float]
    reason: str


def basis(covariates: Array, learner: Learner) -> Array:
    """Return the columns that a learner works on: the covariates, or with splines."""
    return spline_columns(covariates) if learner == "splines" else covariates


def candidates(covariates: Array) -> tuple[Learner, ...]:
    """Return the learners worth trying: splines from 200 rows, boosting from 2,000."""
    n, k = covariates.shape
    if not k:
        return ("linear",)
    found: list[Learner] = ["linear"]
    if n >= SPLINES_FROM:
        width = spline_width(covariates)
        if k < width <= n / 5 and n * width <= _LARGEST_BASIS:
            found.append("splines")
    if n >= BOOSTING_FROM:
        found.append("boosting")
    return tuple(found)


def choose(
    fit: Callable[[Learner, Array, Array, Labels, Labels], Array],
    covariates: Array,
    target: Array,
    strata: Labels | None,
    loss: Callable[[Array, Array], Array],
    seed: np.random.SeedSequence,
    among: Iterable[Learner] | None = None,
) -> Choice:
    """Choose a learner by cross-validation on at most 10,000 rows.

    A more flexible learner (linear < splines < boosting) is taken over a simpler one only if its loss is smaller by
    more than one standard error of the difference, row by row.

    Parameters
    ----------
    fit : callable
        ``fit(learner, basis, target, folds, rows)``: predictions for all rows, each by a model that has not seen it.
    loss : callable
        ``loss(target, prediction)``: one number for each row.
    """
    tried = tuple(among) if among is not None else candidates(covariates)
    if len(tried) == 1:
        return Choice(tried[0], {}, "the only candidate at this size")
    rng = np.random.default_rng(seed)
    rows = np.arange(len(target))
    if len(rows) > CHOICE_ROWS:
        rows = np.sort(rng.choice(rows, CHOICE_ROWS, replace=False))
    x, y = covariates[rows], target[rows]
    labels = fold_labels(len(rows), CHOICE_FOLDS, rng, None if strata is None else strata[rows])
    losses = {learner: loss(y, fit(learner, basis(x, learner), y, labels, rows)) for learner in tried}
    best = tried[0]
    for learner in tried[1:]:
        gain = losses[best] - losses[learner]
        if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
            best = learner
    better = "its cross-validated loss is smaller than every simpler learner's by more than a standard error"
    reason = "no other learner is better by more than a standard error" if best == tried[0] else better
    return Choice(best, {name: float(values.mean()) for name, values in losses.items()}, reason)


def fold_labels(n: int, folds: int, rng: np.random.Generator, strata: Labels | None = None) -> Labels:
    """Return a random fold for each row, sizes as equal as can be, within each stratum if there are strata."""
    if strata is None:
        return rng.permuted((np.arange(n) % folds).astype(np.int16))
    labels = np.empty(n, dtype=np.int16)
    order = np.lexsort((rng.random(n), strata))
    labels[order] = np.arange(n) % folds
    return labels


# ---- expected values ------------------------------------------------------------------------------------------------


def predict_means(
    learner: Learner,
    columns: Array,
    target: Array,
    folds: Labels,
    arms: Labels | None = None,
    n_arms: int = 1,
    n_jobs: int | None = None,
) -> Array:
    """Return the expected target at each arm for every row, by models that have not seen the row's fold.

    Parameters
    ----------
    columns : ndarray, shape (n, q)
        The learner's basis.
    folds : int array, shape (n,)
    arms : int array, shape (n,), optional
        Arm of each row: arm a's model is fitted on arm a's rows. Without arms one model is fitted on all.

    Returns
    -------
    ndarray, shape (n, n_arms)
    """
    if learner == "boosting":
        return _one_by_one(_boosted_mean, columns, target, folds, arms, n_arms, n_jobs)
    return _linear_means(learner, columns, target, folds, arms, n_arms)


def _linear_means(
    learner: Learner, columns: Array, target: Array, folds: Labels, arms: Labels | None, n_arms: int
) -> Array:
    n_folds = int(folds.max()) + 1
    groups = folds.astype(np.int64) * n_arms + (0 if arms is None else arms)
    shift = column_means([columns, target])
    sums = cross_products([columns, target], groups=groups, n_groups=n_folds * n_arms, shift=shift)
    sums = sums.reshape(n_folds, n_arms, *sums.shape[1:])
    left_out = sums.sum(axis=0) - sums  # (folds, arms, q, q): everything but the fold
    models = np.array([[_fit_sums(left_out[f, a], learner) for a in range(n_arms)] for f in range(n_folds)])
    predictions = np.empty((len(target), n_arms))
    flat = models.reshape(n_folds * n_arms, -1).T
    for rows, block in chunks([columns], shift[:-1]):
        every = (block @ flat).reshape(len(block), n_folds, n_arms)
        predictions[rows] = np.take_along_axis(every, folds[rows].astype(np.int64)[:, None, None], axis=1)[:, 0]
    return predictions + shift[-1]  # type: ignore[no-any-return]


def _fit_sums(sums: Array, learner: Learner) -> Array:
    gram, right = sums[:-1, :-1], sums[:-1, -1]
    if learner == "linear" and gram[0, 0] >= ROWS_PER_COLUMN * len(gram):
        try:
            return solve(gram, right[:, None])[:, 0]
        except np.linalg.LinAlgError:  # a column that does not vary within these rows
            pass
    return ridge(gram, right[:, None], sums[-1:, -1])[:, 0]


# ---- probabilities --------------------------------------------------------------------------------------------------


def predict_probabilities(
    learner: Learner,
    columns: Array,
    target: Labels,
    n_levels: int,
    folds: Labels,
    arms: Labels | None = None,
    n_arms: int = 1,
    n_jobs: int | None = None,
) -> Array:
    """Return the probability of each level for every row, by models that have not seen the row's fold.

    With ``arms`` the target must be 0 or 1, and the result is the probability of 1 at each arm, shape (n, n_arms);
    otherwise the shape is (n, n_levels).
    """
    if arms is not None:
        make = _boosted_event if learner == "boosting" else _logistic_event
        return _one_by_one(make, columns, target, folds, arms, n_arms, n_jobs)
    if not columns.shape[1]:
        return shares_outside_fold(target, n_levels, folds)

    def of_fold(fold: int) -> tuple[Labels, Array]:
        inside = folds == fold
        found = np.zeros((int(inside.sum()), n_levels))
        with _single_threaded():
            model = _classifier(learner).fit(columns[~inside], target[~inside])
            found[:, model.classes_] = model.predict_proba(columns[inside])
        return np.flatnonzero(inside), found

    probabilities = np.empty((len(target), n_levels))
    for rows, found in fan_out(of_fold, range(int(folds.max()) + 1), n_jobs=n_jobs):
        probabilities[rows] = found
    return probabilities


def shares_outside_fold(target: Labels, n_levels: int, folds: Labels) -> Array:
    """Return the share of each level among the rows outside a row's fold, shape (n, n_levels)."""
    n_folds = int(folds.max()) + 1
    counts = np.zeros((n_folds, n_levels))
    np.add.at(counts, (folds, target), 1.0)
    outside = counts.sum(axis=0) - counts
    return (outside / outside.sum(axis=1, keepdims=True))[folds]  # type: ignore[no-any-return]


def _one_by_one(
    make: Callable[[Array, Array, Array], Array],
    columns: Array,
    target: Array | Labels,
    folds: Labels,
    arms: Labels | None,
    n_arms: int,
    n_jobs: int | None,
) -> Array:
    """Fit one model for each fold and arm with ``make(columns, target, new columns)`` and predict the fold's rows."""

    def of_part(part: tuple[int, int]) -> tuple[Labels, int, Array]:
        fold, arm = part
        inside = folds == fold
        train = ~inside if arms is None else ~inside & (arms == arm)
        with _single_threaded():
            return np.flatnonzero(inside), arm, make(columns[train], target[train], columns[inside])

    predictions = np.empty((len(target), n_arms))
    parts = [(fold, arm) for fold in range(int(folds.max()) + 1) for arm in range(n_arms)]
    for rows, arm, found in fan_out(of_part, parts, n_jobs=n_jobs):
        predictions[rows, arm] = found
    return predictions


@cache
def _thread_pools() -> Any:
    import_module("sklearn.ensemble")  # the controller knows only the OpenMP libraries that are loaded when it is made
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _single_threaded() -> Any:
    """Keep one model to one thread: models run side by side, and spinning threads would fight over processors."""
    return _thread_pools().limit(limits=1, user_api="openmp")


def _boosted_mean(columns: Array, target: Array, new: Array) -> Array:
    from sklearn.ensemble import HistGradientBoostingRegressor

    centre, spread = target.mean(), target.std() or 1.0
    model = HistGradientBoostingRegressor(**_BOOSTING).fit(columns, (target - centre) / spread)
    return centre + spread * model.predict(new)  # type: ignore[no-any-return]


def _boosted_event(columns: Array, target: Array, new: Array) -> Array:
    return _event_probability(_classifier("boosting"), columns, target, new)


def _logistic_event(columns: Array, target: Array, new: Array) -> Array:
    return _event_probability(_classifier("linear"), columns, target, new)


def _event_probability(model: Any, columns: Array, target: Array, new: Array) -> Array:
    share = float(target.mean())
    if share in (0.0, 1.0) or not columns.shape[1]:
        return np.full(len(new), share)
    return model.fit(columns, target.astype(int)).predict_proba(new)[:, 1]  # type: ignore[no-any-return]


# Rounds stop where held-out rows gain nothing more: trees that go on fit noise, and noise in the prediction of a
# treatment pulls the estimated slope towards zero.
_BOOSTING: dict[str, Any] = {
    "max_iter": 300,
    "learning_rate": 0.08,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 60,
    "early_stopping": True,
    "validation_fraction": 0.15,
    "n_iter_no_change": 15,
    "random_state": 0,
}


def _classifier(learner: Learner) -> Any:
    if learner == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(**_BOOSTING)
    return logistic_model()


def logistic_model() -> Any:
    """Return an unfitted (multinomial) logistic regression with a weak penalty on standardised columns."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8, max_iter=200))


def squared_loss(target: Array, prediction: Array) -> Array:
    """Return the squared error of each row."""
    return (target - prediction.reshape(len(target))) ** 2


def log_loss(target: Array, probabilities: Array) -> Array:
    """Return minus the log probability that was given to what happened, for each row."""
    given = probabilities[np.arange(len(target)), target.astype(int)] if probabilities.ndim == 2 else probabilities
    return -np.log(np.clip(given, 1e-6, None))
