"""Diagnostics: figures by hand, loud where the data cannot carry the answer, silent where they can."""

from __future__ import annotations

import numpy as np
import pytest

import whence as wh
from whence.data import simulate
from whence.effects import estimate
from whence.effects.balance import standardised_differences
from whence.effects.estimation import sample_of
from whence.effects.influence import rows_to_flip
from whence.effects.overlap import effective_rows, population_weights, separable_by_chance, share_outside
from whence.effects.residuals import residual_check
from whence.graph import Graph


def answer(table, **settings):
    return estimate(table.data, None, "T", "Y", adjustment=table.covariates, **settings)


# ---- overlap and balance ---------------------------------------------------------------------------------------------


def test_weights_by_hand():
    propensity = np.array([[0.75, 0.25], [0.75, 0.25], [0.5, 0.5]])
    codes = np.array([0, 1, 0])
    for population, weights in {
        "all": [1 / 0.75, 1 / 0.25, 1 / 0.5],
        "treated": [0.25 / 0.75, 1, 1],
        "overlap": [0.25, 0.75, 0.5],
    }.items():
        assert population_weights(propensity, codes, 1, population) == pytest.approx(weights)
    assert effective_rows(np.array([1.0, 1, 1, 1])) == pytest.approx(4)
    assert effective_rows(np.array([3.0, 1])) == pytest.approx(16 / 10)


def test_rows_without_counterpart_by_hand():
    propensity = np.array([[0.995, 0.005], [0.5, 0.5], [0.005, 0.995], [0.5, 0.5]])
    codes = np.array([0, 1, 1, 1])
    assert share_outside(propensity, codes, "all") == pytest.approx(2 / 4)
    assert share_outside(propensity, codes, "treated") == pytest.approx(1 / 3)
    assert share_outside(propensity, codes, "overlap") == 0


def test_weighting_by_the_true_shares_balances_exactly():
    x = np.repeat([0.0, 1.0], [10, 20])
    d = np.r_[np.repeat([0, 1], [8, 2]), np.repeat([0, 1], [5, 15])]
    data = {"x": x, "d": d, "y": x + d}
    graph = Graph.from_edges(["x -> d", "x -> y", "d -> y"])
    sample = sample_of(wh.read(data), wh.identify(graph, "d", "y"))
    e = np.where(x == 0, 0.2, 0.75)
    weights = population_weights(np.column_stack([1 - e, e]), sample.codes, 1, "all")
    assert standardised_differences(sample, weights, 1) == pytest.approx([0], abs=1e-12)
    shares = 15 / 17, 5 / 13
    spread = np.sqrt(sum(p * (1 - p) * n / (n - 1) for p, n in zip(shares, (17, 13))) / 2)
    assert standardised_differences(sample, np.ones(30), 1) == pytest.approx([(shares[0] - shares[1]) / spread])


@pytest.mark.parametrize("method", ["regression", "aipw"])
def test_overlap_and_balance_hold_where_everybody_could_go_either_way(method):
    effect = answer(simulate.treatment_outcome(1000, confounding=0.5, random_state=0), method=method)
    assert effect.check("overlap").passed
    assert effect.check("balance").passed
    assert effect.failed_comparisons == ()


@pytest.mark.parametrize("method", ["regression", "aipw"])
def test_overlap_fails_where_the_covariates_decide(method):
    table = simulate.treatment_outcome(1500, confounding=6.0, n_covariates=2, random_state=0)
    effect = answer(table, method=method)
    assert effect.check("overlap").passed is False
    assert effect.check("overlap").sentence in effect.warnings
    assert "population='treated' or 'overlap'" in effect.check("overlap").sentence
    assert answer(table, method=method, population="overlap").check("overlap").passed


def test_the_picture_of_overlap_counts_every_row():
    effect = answer(simulate.treatment_outcome(700, treatment="categorical", n_arms=3, random_state=1))
    figure = effect.figures["overlap"]
    assert [panel["arm"] for panel in figure["panels"]] == ["1", "2"]
    for panel in figure["panels"]:
        assert sum(map(sum, panel["counts"].values())) == 700


@pytest.mark.parametrize(("noise", "passed"), [(1.0, True), (0.1, False)])
def test_a_number_needs_variation_of_its_own(noise, passed):
    rng = np.random.default_rng(2)
    x = rng.normal(size=400)
    d = x + noise * rng.normal(size=400)
    check = estimate({"x": x, "d": d, "y": d + x + rng.normal(size=400)}, None, "d", "y", adjustment=["x"]).check(
        "overlap"
    )
    assert check.passed is passed
    assert check.statistic == pytest.approx(noise**2 / (1 + noise**2), rel=0.2)


def test_no_overlap_at_all_is_an_error_unless_chance_explains_it():
    rng = np.random.default_rng(3)
    age = rng.uniform(0, 80, 200)
    data = {"age": age, "d": (age >= 40).astype(int), "y": rng.normal(size=200)}
    with pytest.raises(wh.DataError, match="'age' alone does") as refused:
        estimate(data, None, "d", "y", adjustment=["age"])
    assert refused.value.code == "E436"
    few = {"age": [1.0, 2, 3, 4, 5, 6], "d": [0, 0, 0, 1, 1, 1], "y": [1.0, 3, 2, 5, 4, 6]}
    assert estimate(few, None, "d", "y", adjustment=["age"]).check("overlap") is not None


def test_chance_of_separation_bounds_what_is_seen():
    rng = np.random.default_rng(4)
    apart = 0
    for _ in range(2000):
        x = rng.normal(size=8)
        apart += x[:4].min() > x[4:].max() or x[:4].max() < x[4:].min()
    assert apart / 2000 == pytest.approx(2 / 70, abs=0.015)  # exactly 2 of the 70 ways to choose 4 of 8
    assert separable_by_chance(1, 4, 4) >= 2 / 70


# ---- influence -------------------------------------------------------------------------------------------------------


def test_influence_is_what_leaving_the_row_out_does():
    table = simulate.treatment_outcome(150, treatment="continuous", n_covariates=2, random_state=5)
    effect = answer(table, method="regression")
    figure = effect.figures["influence"]
    for row, change in list(zip(figure["row"], figure["change"]))[:3]:
        rest = {name: np.delete(column, row) for name, column in table.columns.items()}
        without = estimate(rest, None, "T", "Y", adjustment=table.covariates, method="regression")
        assert without.estimate - effect.estimate == pytest.approx(change, rel=0.02)


def test_as_few_rows_as_said_turn_the_sign():
    table = simulate.treatment_outcome(300, effect=0.3, treatment="continuous", n_covariates=1, random_state=6)
    effect = answer(table, method="regression")
    score = effect.fitted.primary
    count = rows_to_flip(score)
    gone = np.argsort(-np.sign(score.value) * score.influence)[: count + 2]
    rest = {name: np.delete(column, gone) for name, column in table.columns.items()}
    assert estimate(rest, None, "T", "Y", adjustment=table.covariates, method="regression").estimate < 0 < score.value
    gone = gone[: max(1, count // 2)]
    rest = {name: np.delete(column, gone) for name, column in table.columns.items()}
    assert estimate(rest, None, "T", "Y", adjustment=table.covariates, method="regression").estimate > 0


def test_one_row_that_carries_the_answer_is_named():
    table = simulate.treatment_outcome(200, treatment="continuous", n_covariates=1, random_state=7)
    columns = {name: column.copy() for name, column in table.columns.items()}
    columns["T"][42], columns["Y"][42] = 40.0, -500.0
    effect = estimate(columns, None, "T", "Y", adjustment=["X1"], method="regression")
    check = effect.check("influence")
    assert check.passed is False
    assert "row 43" in check.sentence
    assert check.sentence in effect.warnings


@pytest.mark.parametrize("method", ["regression", "dml-plr"])
def test_a_wild_outcome_does_not_hide_behind_the_error_it_makes(method):
    rng = np.random.default_rng(0)
    c = rng.normal(size=2000)
    t = 0.5 * c + rng.normal(size=2000)
    y = 2 * t + c + rng.normal(size=2000)
    t[0], y[0] = 1.5, 1e9
    check = estimate({"c": c, "t": t, "y": y}, None, "t", "y", adjustment=["c"], method=method).check("influence")
    assert check.passed is False
    assert "row 1" in check.sentence


@pytest.mark.parametrize("noise", ["normal", "laplace", "lognormal"])
def test_no_row_of_a_sound_table_is_accused(noise):
    rng = np.random.default_rng(1)
    failed = 0
    for _ in range(200):
        c, own = rng.normal(size=(2, 200))
        t = (0.7 * c + own > 0).astype(int)
        data = {"c": c, "t": t, "y": t + c + getattr(rng, noise)(size=200)}
        failed += not estimate(data, None, "t", "y", adjustment=["c"], method="regression").check("influence").passed
    assert failed <= 10


# ---- form and instruments --------------------------------------------------------------------------------------------


def test_a_missed_curve_is_seen_and_a_straight_line_left_alone():
    rng = np.random.default_rng(8)
    x = rng.uniform(-2, 2, 500)
    d = x + rng.normal(size=500)
    for outcome, passed in ((d + x, True), (d + x**2 + x, False)):
        data = {"x": x, "d": d, "y": outcome + 0.5 * rng.normal(size=500)}
        effect = estimate(data, None, "d", "y", adjustment=["x"], method="regression")
        assert effect.check("residuals").passed is passed


@pytest.mark.parametrize("method", ["regression", "dml-plr"])
def test_an_effect_that_turns_is_called_curved(method):
    rng = np.random.default_rng(11)
    c, noise, error = rng.normal(size=(3, 800))
    t = 0.5 * c + noise
    for outcome, passed in ((t**2 + c, False), (2 * t + c, True)):
        data = {"c": c, "t": t, "y": outcome + error}
        effect = estimate(data, None, "t", "y", adjustment=["c"], method=method)
        check = effect.check("curved-effect")
        assert check.passed is passed
        assert (check.sentence in effect.warnings) is not passed


@pytest.mark.parametrize("shape", ["normal", "lognormal", "spread grows with c"])
def test_a_straight_effect_is_called_curved_as_rarely_as_the_level_says(shape):
    rng = np.random.default_rng(12)
    p_values = []
    for _ in range(300):
        c, noise, error = rng.normal(size=(3, 300))
        own = {"normal": noise, "lognormal": np.exp(0.7 * noise)}.get(shape, noise * np.exp(0.3 * c))
        data = {"c": c, "t": 0.7 * c + own, "y": 0.7 * c + own + c + error}
        effect = estimate(data, None, "t", "y", adjustment=["c"], method="regression")
        p_values.append(effect.check("curved-effect").p_value)
    assert np.mean(np.array(p_values) < 0.05) < 0.09  # 300 draws at 5 %: three standard errors
    assert np.mean(np.array(p_values) < 0.01) < 0.03
    half = np.mean(np.array(p_values) < 0.5)  # robust errors are cautious where few rows lie far out
    assert half < 0.6
    assert half > 0.4 or shape == "lognormal"


def test_the_form_is_not_judged_where_nothing_is_left_to_judge():
    line = np.arange(20.0)
    assert residual_check(line, line, judge=True) is None
    assert residual_check(np.tile([0.0, 1.0], 10), np.tile([0.2, 0.8], 10), judge=True) is None


@pytest.mark.parametrize(("strength", "passed", "interval"), [(1.0, True, "normal"), (0.05, False, "Anderson-Rubin")])
def test_strength_of_instruments(strength, passed, interval):
    table = simulate.treatment_outcome(
        800, treatment="continuous", n_covariates=1, instrument=strength, hidden=1.0, random_state=9
    )
    graph = Graph.from_edges(["Z -> T", "T -> Y", "T <-> Y"], kind="ADMG")
    effect = estimate(table.data, graph, "T", "Y")
    assert effect.check("instrument-strength").passed is passed
    assert effect.parameters["interval"] == interval
    assert bool(effect.failed_comparisons) is not passed


@pytest.mark.parametrize(("direct", "passed"), [(0.0, True), (1.0, False)])
def test_instruments_of_one_mind(direct, passed):
    rng = np.random.default_rng(10)
    first, second, hidden = rng.normal(size=(3, 1500))
    d = first + second + hidden + rng.normal(size=1500)
    data = {"v": first, "w": second, "d": d, "y": 2 * d + direct * second + hidden + rng.normal(size=1500)}
    effect = estimate(data, Graph.from_edges(["v -> d", "w -> d", "d -> y", "d <-> y"], kind="ADMG"), "d", "y")
    assert effect.identification.instruments == ("v", "w")
    assert effect.check("overidentification").passed is passed
