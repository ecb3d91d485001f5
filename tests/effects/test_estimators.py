"""Estimators against figures worked out by hand, exact invariances, and truths known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, t

from whence.data import simulate
from whence.effects import estimate
from whence.effects.crossfit import cross_fit
from whence.effects.fitted import Nuisances, Score, median_score
from whence.effects.iv import reduced_form, two_stage_least_squares
from whence.effects.mediation import front_door
from whence.effects.nuisance import fold_labels, predict_means
from whence.effects.orthogonal import augmented_contrast, partialling_out
from whence.effects.regression import regression
from whence.effects.sample import Sample


def sample(outcome, treatment, covariates=None, arms=(0, 1), **extra) -> Sample:
    outcome = np.asarray(outcome, dtype=float)
    n = len(outcome)
    x = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=float).reshape(n, -1)
    names = tuple(f"x{k}" for k in range(x.shape[1]))
    columns = {part: np.asarray(values, dtype=float).reshape(n, -1) for part, values in extra.items()}
    return Sample(outcome, np.asarray(treatment, dtype=float), x, names, names, arms, np.arange(n), n, extra=columns)


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_difference_of_means_with_its_interval_by_hand():
    effect = estimate({"d": [0, 0, 0, 1, 1, 1], "y": [1.5, 2.5, 3.5, 4.0, 6.5, 9.0]}, None, "d", "y", adjustment=[])
    # Residuals -1, 0, 1 and -2.5, 0, 2.5; each divided by 1 - 1/3, so the variances of the means are 0.5 and 3.125.
    error = np.sqrt(0.5 + 3.125)
    reach = t.ppf(0.975, 4) * error
    assert effect.estimate == pytest.approx(4)
    assert effect.standard_error == pytest.approx(error)
    assert effect.interval == pytest.approx((4 - reach, 4 + reach))
    assert effect.p_value == pytest.approx(2 * t.sf(4 / error, 4))
    assert (effect.contrasts[0].mean, effect.contrasts[0].reference_mean) == pytest.approx((6.5, 2.5))


def test_slope_with_hc3_error_by_hand():
    x, y = np.array([0.0, 1.0, 2.0, 5.0]), np.array([1.0, 2.0, 2.0, 5.0])
    fitted = regression(sample(y, x, arms=None))
    centred = x - 2
    slope = (centred @ y) / (centred @ centred)
    left = y - y.mean() - slope * centred
    leverage = 1 / 4 + centred**2 / (centred @ centred)
    variance = np.sum((centred * left / (1 - leverage)) ** 2) / (centred @ centred) ** 2
    assert fitted.primary.value == pytest.approx(slope)
    assert fitted.primary.variance == pytest.approx(variance)


def test_own_slopes_average_over_the_population_asked_about():
    # Without noise the effect is 1 + x, and the treated have larger x.
    x = np.array([0.0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 3, 4, 5, 6, 7])
    d = np.repeat([0.0, 1.0], 10)
    rows = sample(2 * x + d * (1 + x), d, x)
    assert regression(rows).primary.value == pytest.approx(1 + x.mean())
    assert regression(rows, population="treated").primary.value == pytest.approx(1 + x[d == 1].mean())


def test_augmented_means_by_hand():
    y, d = np.array([3.0, 1, 4, 2]), np.array([1, 0, 1, 0])
    outcome = np.array([[1.0, 2], [1, 2], [2, 4], [2, 4]])
    e = np.array([0.8, 0.2, 0.5, 0.5])
    split = Nuisances(np.zeros(4, dtype=int), outcome, np.column_stack([1 - e, e]))
    # Only row 0 has a residual, 1, and weighs 1 / 0.8; the weights of the treated add up to 3.25.
    plain = augmented_contrast(y, d, split, 1, "all", normalise=False)
    normalised = augmented_contrast(y, d, split, 1, "all", normalise=True)
    assert plain.difference.value == pytest.approx(3 + 1.25 / 4 - 1.5)
    assert normalised.difference.value == pytest.approx(3 + 1.25 / 3.25 - 1.5)
    # Among the treated (rows 0 and 2): mean outcome 3.5, expected without treatment 1.5, no residuals without it.
    treated = augmented_contrast(y, d, split, 1, "treated", normalise=False)
    assert treated.difference.value == pytest.approx(3.5 - 1.5)


def test_partialling_out_by_hand():
    moved, left = np.array([1.0, -1, 2, -2]), np.array([2.0, -2, 5, -5])
    score = partialling_out(left, moved, np.zeros(4), np.zeros(4))
    assert score.value == pytest.approx(24 / 10)
    errors = left - 2.4 * moved
    assert score.variance == pytest.approx(np.sum((moved * errors) ** 2) / 10**2)


def test_walds_ratio_by_hand():
    z = [0, 0, 0, 0, 1, 1, 1, 1]
    d = [0, 0, 0, 1, 0, 1, 1, 1]
    y = [1.0, 2, 3, 6, 2, 7, 8, 9]
    fitted = two_stage_least_squares(sample(y, d, instruments=z))
    assert fitted.estimand == "LATE"
    assert fitted.primary.value == pytest.approx((6.5 - 3) / (0.75 - 0.25))


def test_anderson_rubin_holds_exactly_the_effects_that_are_not_rejected():
    rng = np.random.default_rng(0)
    z, u = rng.normal(size=(2, 300))
    d = 0.3 * z + u + rng.normal(size=300)
    rows = sample(d + 2 * u + rng.normal(size=300), d, arms=None, instruments=z)
    fitted = two_stage_least_squares(rows)
    from whence.effects.iv import anderson_rubin_p_value

    assert fitted.interval is not None
    form = reduced_form(rows)
    for end in fitted.interval:
        assert anderson_rubin_p_value(form, end) == pytest.approx(0.05, abs=1e-6)
    assert fitted.p_value == pytest.approx(anderson_rubin_p_value(form, 0.0))


def test_useless_instruments_give_an_unbounded_interval():
    rng = np.random.default_rng(4)
    z, d, y = rng.normal(size=(3, 200))
    fitted = two_stage_least_squares(sample(y, d, arms=None, instruments=z))
    assert fitted.interval is not None
    assert np.isinf(fitted.interval).any()


def test_front_door_is_the_sum_of_products_over_mediators():
    rng = np.random.default_rng(1)
    d, noise, other = rng.normal(size=(3, 50))
    first, second = 2 * d + noise, -d + other
    y = 3 * first + second + 5 * d  # the direct part is confounding, not effect
    fitted = front_door(sample(y, d, arms=None, mediators=np.column_stack([first, second])))
    on = [np.polyfit(d, m, 1)[0] for m in (first, second)]
    assert fitted.primary.value == pytest.approx(3 * on[0] + on[1])


def test_median_score_adds_the_noise_of_splitting():
    scores = [Score(value, np.zeros(2), 1.0) for value in (1.0, 2.0, 5.0)]
    combined = median_score(scores)
    assert (combined.value, combined.variance) == (2.0, 2.0)  # variances 1 + 1, 1 + 0, 1 + 9


def test_every_row_is_predicted_by_models_that_have_not_seen_it():
    rng = np.random.default_rng(2)
    x, d = rng.normal(size=120), rng.integers(0, 2, 120)
    rows = sample(rng.normal(size=120), d, x)
    (before,), _ = cross_fit(rows, learner="linear", repeats=1, random_state=0)
    changed = rows.outcome.copy()
    changed[17] = 1e6
    (after,), _ = cross_fit(rows.with_parts(outcome=changed), learner="linear", repeats=1, random_state=0)
    own = before.folds == before.folds[17]
    assert np.allclose(before.outcome[own], after.outcome[own])
    assert not np.allclose(before.outcome[~own], after.outcome[~own])


# ---- exact invariances -----------------------------------------------------------------------------------------------

CASES = [("regression", "binary"), ("aipw", "binary"), ("dml-irm", "binary"), ("dml-plr", "continuous")]


def answer(table, columns, method, **more):
    return estimate(columns, None, "T", "Y", adjustment=table.covariates, method=method, **more)


@pytest.mark.parametrize(("method", "treatment"), CASES)
def test_scaling_the_outcome_scales_everything(method, treatment):
    table = simulate.treatment_outcome(400, treatment=treatment, random_state=3)
    plain = answer(table, table.columns, method)
    scaled = answer(table, {**table.columns, "Y": 1000 * table.columns["Y"] + 7}, method)
    assert scaled.estimate == pytest.approx(1000 * plain.estimate, rel=1e-6)
    assert scaled.standard_error == pytest.approx(1000 * plain.standard_error, rel=1e-6)
    assert np.array(scaled.interval) == pytest.approx(1000 * np.array(plain.interval), rel=1e-6)
    assert scaled.p_value == pytest.approx(plain.p_value, abs=1e-9)


@pytest.mark.parametrize("method", ["regression", "dml-plr"])
def test_a_slope_is_per_unit_of_the_treatment(method):
    table = simulate.treatment_outcome(400, treatment="continuous", random_state=3)
    plain = answer(table, table.columns, method)
    scaled = answer(table, {**table.columns, "T": table.columns["T"] / 1000}, method)
    assert scaled.estimate == pytest.approx(1000 * plain.estimate, rel=1e-6)
    asked = answer(table, table.columns, method, contrast=(5, 2))
    assert asked.estimate == pytest.approx(3 * plain.estimate)
    assert asked.interval == pytest.approx(tuple(3 * end for end in plain.interval))


@pytest.mark.parametrize(("method", "treatment"), CASES)
def test_units_of_covariates_do_not_matter(method, treatment):
    table = simulate.treatment_outcome(400, treatment=treatment, random_state=3)
    plain = answer(table, table.columns, method)
    moved = answer(table, {**table.columns, "X1": 1e6 * table.columns["X1"] + 5e7}, method)
    assert moved.estimate == pytest.approx(plain.estimate, rel=1e-6)
    assert moved.standard_error == pytest.approx(plain.standard_error, rel=1e-6)


@pytest.mark.parametrize("method", ["regression", "aipw"])
def test_swapping_the_levels_turns_the_sign(method):
    table = simulate.treatment_outcome(400, random_state=3)
    plain = answer(table, table.columns, method)
    turned = answer(table, table.columns, method, contrast=(0, 1))
    assert turned.estimate == pytest.approx(-plain.estimate, abs=0.1 * plain.standard_error)
    if method == "regression":  # the others split rows into folds by arm
        assert turned.estimate == pytest.approx(-plain.estimate)


def test_order_of_rows_does_not_matter_to_regression():
    table = simulate.treatment_outcome(400, random_state=3)
    order = np.random.default_rng(0).permutation(400)
    shuffled = {name: column[order] for name, column in table.columns.items()}
    plain, other = answer(table, table.columns, "regression"), answer(table, shuffled, "regression")
    assert other.estimate == pytest.approx(plain.estimate)
    assert other.standard_error == pytest.approx(plain.standard_error)


def test_answers_do_not_depend_on_the_number_of_workers():
    table = simulate.treatment_outcome(600, random_state=3)
    one, two = (answer(table, table.columns, "aipw", n_jobs=jobs) for jobs in (1, 2))
    assert (one.estimate, one.standard_error) == (two.estimate, two.standard_error)
    assert answer(table, table.columns, "aipw", random_state=1).estimate != one.estimate


# ---- truths by construction ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "population", "truth"),
    [
        (method, population, truth)
        for method in ("regression", "aipw", "dml-irm")
        for population, truth in (("all", "ate"), ("treated", "att"), ("overlap", "ato"))
    ]
    + [("dml-plr", "overlap", "ato")],
)
def test_each_population_gets_its_own_truth(method, population, truth):
    distances = []
    for seed in range(8):
        table = simulate.treatment_outcome(600, heterogeneity=1.0, confounding=1.0, n_covariates=3, random_state=seed)
        effect = answer(table, table.data, method, population=population)
        distances.append((effect.estimate - getattr(table, truth)) / effect.standard_error)
    assert chi2.sf(np.sum(np.square(distances)), len(distances)) > 1e-4, distances


@pytest.mark.parametrize("method", ["regression", "aipw", "dml-irm"])
def test_every_arm_of_a_categorical_treatment(method):
    table = simulate.treatment_outcome(1500, treatment="categorical", n_arms=3, effect=2.0, random_state=5)
    effect = answer(table, table.data, method)
    assert [(c.to, c.reference) for c in effect.contrasts] == [(1, 0), (2, 0)]
    for contrast in effect.contrasts:
        assert abs(contrast.estimate - table.contrasts[contrast.to]) < 4 * contrast.standard_error
    turned = answer(table, table.data, method, contrast=(2, 1))
    assert abs(turned.estimate - 2.0) < 4 * turned.standard_error


def test_a_curved_outcome_is_followed():
    table = simulate.treatment_outcome(2500, nonlinear=True, confounding=1.5, n_covariates=2, random_state=0)
    effect = answer(table, table.data, "aipw")
    assert effect.parameters["learners"]["outcome"]["learner"] != "linear"
    assert abs(effect.estimate - 1) < 4 * effect.standard_error
    assert effect.standard_error < answer(table, table.data, "regression").standard_error


def test_boosted_models_find_no_pattern_in_noise():
    rng = np.random.default_rng(0)
    columns, target = rng.normal(size=(2400, 4)), rng.normal(size=2400)
    folds = fold_labels(2400, 5, rng)
    predicted = predict_means("boosting", columns, target, folds)
    assert predicted.var() < 0.02  # of a target with variance one; trees that go on reach 0.05
    curve = 2 * np.sin(3 * columns[:, :1])
    predicted = predict_means("boosting", columns, curve[:, 0] + target, folds)
    assert np.mean((predicted - curve) ** 2) < 0.1 * curve.var()  # and still follow a curve
