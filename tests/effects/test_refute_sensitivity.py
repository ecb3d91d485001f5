"""Sensitivity against published figures and against what adjusting for the hidden cause really does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from whence.data import as_dataset, simulate
from whence.effects import estimate, refute
from whence.effects.estimation import sample_of
from whence.effects.sensitivity import Linear, bounds_from, e_value, linear_model, observed_strengths, robustness_value

# Cinelli and Hazlett (2020), table 1: attitudes towards peace in Darfur.
DARFUR = Linear(0.0972582, 0.0232428, 783)


def test_published_robustness_values():
    assert robustness_value(DARFUR.t, 783) == pytest.approx(0.139, abs=5e-4)
    assert robustness_value(DARFUR.t, 783, level=0.95) == pytest.approx(0.076, abs=5e-4)


def test_published_bound_for_a_cause_as_strong_as_being_female():
    estimate_left, error = DARFUR.adjusted(0.00916, 0.12464)
    assert estimate_left == pytest.approx(0.0752, abs=1e-4)
    assert estimate_left / error == pytest.approx(3.44, abs=0.01)


def test_published_e_values():
    assert e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert e_value(1.8) == pytest.approx(3.0)
    assert e_value(0.8) == pytest.approx(e_value(1.25))


def test_a_cause_as_strong_as_the_robustness_value_leaves_nothing():
    value = robustness_value(5.0, 400)
    assert Linear(2.0, 0.4, 400).adjusted(value, value)[0] == pytest.approx(0, abs=1e-12)
    value = robustness_value(5.0, 400, level=0.95)
    left, error = Linear(2.0, 0.4, 400).adjusted(value, value)
    assert left / error == pytest.approx(t.ppf(0.975, 399))
    assert robustness_value(1.0, 400, level=0.95) == 0


def test_the_bias_formula_is_exact():
    """Leaving a column out moves estimate and error just as the formula says of a hidden one of its strength."""
    table = simulate.treatment_outcome(500, treatment="continuous", n_covariates=3, random_state=1)
    full = estimate(table.data, None, "T", "Y", adjustment=["X1", "X2", "X3"], method="regression")
    short = estimate(table.data, None, "T", "Y", adjustment=["X1", "X2"], method="regression")
    whole = sample_of(table.data, full.identification)
    without, with_it = linear_model(sample_of(table.data, short.identification)), linear_model(whole)
    left, error = without.adjusted(*observed_strengths(whole)["X3"])
    moved = abs(with_it.estimate - without.estimate)
    assert without.estimate - left == pytest.approx(moved)  # always towards zero: the worst case
    assert error == pytest.approx(with_it.standard_error)


def test_the_bound_recovers_strengths_of_a_column_unrelated_to_the_others():
    # For k = 1 equation 22 is the odds of the partial R2.
    assert bounds_from((0.2, 0.1))[0] == pytest.approx(0.25)
    assert bounds_from((0.5, 0.1)) is None


@pytest.mark.parametrize(("effect", "survives"), [(3.0, True), (0.3, False)])
def test_it_says_what_a_cause_like_those_observed_would_leave(effect, survives):
    table = simulate.treatment_outcome(1000, effect=effect, n_covariates=2, random_state=2)
    found = estimate(table.data, None, "T", "Y", adjustment=table.covariates, method="regression")
    check = refute(found, table.data, checks=["hidden-confounding"]).check("hidden-confounding")
    assert "One as strong as X" in check.sentence
    assert ("zero cannot be told" not in check.sentence) is survives


def test_a_strong_cause_that_was_measured_is_not_held_against_the_estimate():
    rng = np.random.default_rng(4)
    for _ in range(10):
        c, noise, error = rng.normal(size=(3, 400))
        treated = 0.7 * c + noise
        data = {"c": c, "t": treated, "y": treated + c + error}
        effect = refute(estimate(data, None, "t", "y", adjustment=["c"]), data, checks=["hidden-confounding"])
        check = effect.check("hidden-confounding")
        assert check.passed is None
        assert "One as strong as c" in check.sentence


def test_the_contrast_asked_about_is_the_one_attacked():
    table = simulate.treatment_outcome(400, treatment="continuous", effect=1.0, random_state=3)
    one = refute(estimate(table.data, None, "T", "Y", adjustment=table.covariates), table.data)
    ten = refute(estimate(table.data, None, "T", "Y", adjustment=table.covariates, contrast=(10, 0)), table.data)
    values = [found.check("hidden-confounding").statistic for found in (one, ten)]
    assert values[0] == pytest.approx(values[1])
    surfaces = [np.array(found.figures["sensitivity"]["estimate"]) for found in (one, ten)]
    assert 10 * surfaces[0] == pytest.approx(surfaces[1])


def test_it_does_not_judge_an_estimate_that_the_linear_model_contradicts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1500)
    d = (rng.random(1500) < 1 / (1 + np.exp(-2 * np.abs(x) + 2))).astype(int)
    data = {"x": x, "d": d, "y": -0.5 * d + 3 * np.abs(x) + rng.normal(size=1500)}
    effect = refute(estimate(data, None, "d", "y", adjustment=["x"], method="aipw"), data)
    assert effect.estimate < 0 < linear_model(sample_of(as_dataset(data), effect.identification)).estimate
    check = effect.check("hidden-confounding")
    assert check.passed is None
    assert "is not known" in check.sentence
    assert "sensitivity" not in effect.figures


def test_e_value_of_a_risk_ratio():
    data = {"d": [0] * 200 + [1] * 200, "y": [0] * 180 + [1] * 20 + [0] * 122 + [1] * 78}
    effect = refute(estimate(data, None, "d", "y", adjustment=[]), data)
    assert effect.contrasts[0].ratio == pytest.approx(3.9)
    check = effect.check("e-value")
    assert check.statistic == pytest.approx(7.26, abs=0.005)
    assert check.passed is None
