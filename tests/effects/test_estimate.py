"""The verb: real data with known answers, units, strategies, ranges, and what a result can do."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

import whence as wh
from whence.data import examples, simulate
from whence.effects import Effect, Identification, estimate, identify
from whence.effects.wording import number
from whence.graph import Graph

PERSONAL = ("age", "black", "educ", "hisp", "marr", "nodegree", "re74", "re75")


@pytest.fixture(scope="module")
def experiment():
    return examples.load("nsw_mixtape")


@pytest.fixture(scope="module")
def confounded():
    return simulate.treatment_outcome(600, effect=2.0, n_covariates=3, random_state=0)


# ---- job training: the experiment, and the same trainees beside people who never applied -----------------------------


def test_the_experiment_by_difference_of_means(experiment):
    effect = estimate(experiment, adjustment=[])
    assert effect.estimate == pytest.approx(1794.34, abs=0.005)
    assert effect.naive == pytest.approx(effect.estimate)
    assert effect.units == "US dollars of 1982"
    assert "raises re78 by 1,794 US dollars of 1982 on average" in effect.sentence()


@pytest.mark.parametrize("method", ["auto", "regression", "aipw", "dml-irm"])
def test_adjusting_the_experiment_keeps_its_answer(experiment, method):
    effect = estimate(experiment, adjustment=PERSONAL, method=method)
    assert effect.interval[0] < 1794.34 < effect.interval[1]
    assert effect.failed_comparisons == ()


def test_people_who_never_applied_are_no_comparison():
    table = examples.load("lalonde_cps")
    effect = estimate(table, adjustment=PERSONAL)
    assert effect.naive == pytest.approx(-8497.52, abs=0.005)
    assert [check.name for check in effect.failed_comparisons] == ["overlap", "balance"]
    for check in effect.failed_comparisons:
        assert check.sentence in effect.warnings
    for population in ("treated", "overlap"):
        other = estimate(table, adjustment=PERSONAL, population=population, method="dml-irm")
        assert other.failed_comparisons == ()
        assert other.interval[0] < 1794.34 < other.interval[1]


# ---- what is asked and what is answered ------------------------------------------------------------------------------


def test_roles_stand_in_for_names(confounded):
    assert estimate(confounded.data, adjustment=["X1"]).treatment == "T"
    found = Identification("T", "Y", True, "adjustment", "", adjustment=("X1",), minimal=("X1",))
    by_role = estimate(confounded.data, adjustment=["X1"])
    assert estimate(confounded.columns, identification=found).estimate == by_role.estimate


def test_the_graph_decides_what_is_adjusted_for(confounded):
    graph = Graph.from_edges(confounded.edges)
    effect = estimate(confounded.data, graph, "T", "Y")
    assert set(effect.adjustment) == set(confounded.covariates)
    assert abs(effect.estimate - 2) < 4 * effect.standard_error
    assert abs(effect.naive - 2) > 4 * effect.standard_error
    assert effect.parameters["method_reason"]


def test_a_valid_set_is_taken_and_an_invalid_one_refused():
    table = simulate.treatment_outcome(300, n_covariates=2, collider=True, random_state=0)
    graph = Graph.from_edges(table.edges)
    assert estimate(table.data, graph, "T", "Y", adjustment=["X2", "X1"]).adjustment == ("X2", "X1")
    with pytest.raises(wh.NotIdentified, match="E446") as refused:
        estimate(table.data, graph, "T", "Y", adjustment=["X1", "X2", "C"])
    assert "'X1', 'X2'" in str(refused.value)


def test_nodes_without_a_column_are_unobserved(confounded):
    graph = Graph.from_edges([*confounded.edges, ("age", "T"), ("age", "Y")])
    with pytest.raises(wh.NotIdentified) as refused:
        estimate(confounded.data, graph, "T", "Y")
    assert refused.value.code == "E430"
    assert identify(graph, "T", "Y", observed=confounded.data.names).reason in str(refused.value)


def test_a_node_that_misspells_a_column_is_pointed_out():
    rng = np.random.default_rng(0)
    c, noise, error = rng.normal(size=(3, 200))
    data = {"c": c, "t": c + noise, "y": 2 * (c + noise) + 3 * c + error, "blood pressure": error}
    warned = estimate(data, Graph.from_edges(["t -> y", "c -> t", "C -> y"]), "t", "y").warnings[0]
    assert "'C' is no column and counts as unobserved. For 'C', did you mean the column 'c'?" in warned
    graph = Graph.from_edges(["t -> y", "c -> t", "c -> y", "blood_pressure -> y", "U -> y"])
    warned = estimate(data, graph, "t", "y").warnings[0]
    assert "'U'" in warned
    assert warned.count("did you mean") == 1
    assert "did you mean the column 'blood pressure'?" in warned
    assert estimate(data, Graph.from_edges(["t -> y", "c -> t", "c -> y"]), "t", "y").warnings == ()


def test_no_effect_needs_no_estimate(confounded):
    graph = Graph.from_edges(["X1 -> T", "X1 -> Y"])
    effect = estimate(confounded.data, graph, "T", "Y")
    assert (effect.estimate, effect.interval, effect.estimator) == (0.0, (0.0, 0.0), "none")
    assert effect.sentence() == "By the graph, T has no effect on Y."


def test_a_range_over_the_graphs_that_are_possible(confounded):
    data = confounded.data
    graph = Graph.from_edges(["T --- X1", "X1 -> Y", "T -> Y"], kind="PDAG")
    assert identify(graph, "T", "Y").adjustment_sets_over_class == ((), ("X1",))
    single = [estimate(data, None, "T", "Y", adjustment=given, method="regression") for given in ((), ("X1",))]
    effect = estimate(data, graph, "T", "Y")
    assert effect.range == pytest.approx(tuple(sorted(one.estimate for one in single)))
    assert effect.interval[0] == pytest.approx(min(one.interval[0] for one in single))
    assert effect.interval[1] == pytest.approx(max(one.interval[1] for one in single))
    assert np.isnan(effect.estimate)
    assert "does not settle" in effect.sentence()
    assert effect.table().num_rows == 2


def test_no_effect_can_be_one_end_of_a_range(confounded):
    graph = Graph.from_edges(["X1 --- T", "X1 --- Y"], kind="CPDAG")
    found = identify(graph, "T", "Y")
    assert None in found.adjustment_sets_over_class
    effect = estimate(confounded.data, graph, "T", "Y")
    assert 0.0 in effect.range
    assert "no effect" in effect.figures["comparison"]["label"]


@pytest.mark.parametrize("cut", [False, True])
def test_instruments_and_front_doors_bring_their_estimator(cut):
    rng = np.random.default_rng(7)
    hidden, z = rng.normal(size=(2, 3000))
    treatment = hidden + z + rng.normal(size=3000)
    treatment = (treatment > 0).astype(int) if cut else treatment
    through = 1.5 * treatment + rng.normal(size=3000)
    data = {"z": z, "d": treatment, "m": through, "y": 2 * through + 3 * hidden + rng.normal(size=3000)}
    for edges, estimator in (
        (["z -> d", "d -> y", "d <-> y"], "iv"),
        (["d -> m", "m -> y", "d <-> y"], "front-door"),
    ):
        effect = estimate(data, Graph.from_edges(edges, kind="ADMG"), "d", "y")
        assert effect.estimator == estimator
        assert abs(effect.estimate - 3) < 4 * effect.standard_error
        assert abs(effect.naive - 3) > 4 * effect.standard_error


def test_the_rule_of_auto():
    def chosen(rows, **settings):
        table = simulate.treatment_outcome(rows, random_state=0, n_covariates=2, **settings)
        return estimate(table.data, None, "T", "Y", adjustment=table.covariates).estimator

    assert chosen(400) == "regression"
    assert chosen(600) == "aipw"
    assert chosen(600, treatment="continuous") == "dml-plr"
    assert chosen(600, share_treated=0.08, confounding=0.3) == "regression"


def test_the_partially_linear_model_says_whom_it_answers_for(confounded):
    effect = estimate(confounded.data, None, "T", "Y", adjustment=["X1"], method="dml-plr")
    assert (effect.estimand, effect.population) == ("ATO", "overlap")


# ---- kinds and gaps --------------------------------------------------------------------------------------------------


def test_levels_may_be_words_and_categories_are_adjusted_for():
    rng = np.random.default_rng(1)
    region = rng.choice(["north", "south", "west"], size=900)
    treated = rng.random(900) < np.where(region == "north", 0.7, 0.3)
    outcome = 2.0 * treated + 3.0 * (region == "north") + rng.normal(size=900)
    data = {"drug": np.where(treated, "yes", "no"), "region": region, "y": outcome}
    effect = estimate(data, None, "drug", "y", adjustment=["region"], method="regression")
    assert abs(effect.estimate - 2) < 4 * effect.standard_error
    assert (effect.contrasts[0].to, effect.contrasts[0].reference) == ("yes", "no")
    assert effect.parameters["columns_adjusted"] == ["region = south", "region = west"]
    turned = estimate(data, None, "drug", "y", adjustment=["region"], method="regression", contrast=("no", "yes"))
    assert turned.estimate == pytest.approx(-effect.estimate)
    assert "Setting drug from yes to no lowers y" in turned.sentence()


def test_a_binary_outcome_is_a_probability():
    data = {"d": [0] * 40 + [1] * 40, "y": [0] * 30 + [1] * 10 + [0] * 20 + [1] * 20}
    effect = estimate(data, None, "d", "y", adjustment=[])
    assert effect.units == "probability"
    assert effect.estimate == pytest.approx(0.25)
    assert effect.contrasts[0].ratio == pytest.approx(2.0)
    # The delta method on the log: each arm adds (1 - p) / (p n), and HC3 enlarges that by (n / (n - 1)) squared.
    error = np.sqrt((0.5 / 0.5 + 0.75 / 0.25) / 40) * 40 / 39
    reach = 1.959964 * error
    assert np.log(effect.contrasts[0].ratio_interval) == pytest.approx((np.log(2) - reach, np.log(2) + reach))
    assert "raises the probability of y = 1 by 25 percentage points" in effect.sentence()


@pytest.mark.parametrize("levels", [(1, 2), (1.0, 2.0), (-1, 2)])
def test_two_values_are_a_probability_however_they_are_coded(levels):
    y = np.array(levels)[[0] * 30 + [1] * 10 + [0] * 20 + [1] * 20]
    effect = estimate({"d": [0] * 40 + [1] * 40, "y": y}, None, "d", "y", adjustment=[])
    assert effect.units == "probability"
    assert "raises the probability of y = 2 by 25 percentage points" in effect.sentence()


def test_two_values_with_a_unit_are_amounts():
    data = {"d": [0] * 40 + [1] * 40, "y": [0] * 30 + [1000] * 10 + [0] * 20 + [1000] * 20}
    effect = estimate(wh.read(data, units={"y": "dollars"}), None, "d", "y", adjustment=[])
    assert "raises y by 250 dollars" in effect.sentence()


def test_no_direction_is_claimed_that_the_interval_leaves_open():
    d = np.arange(200) % 2
    noise = np.random.default_rng(2).normal(size=200)
    for turned in (1, -1):
        effect = estimate({"d": d, "y": turned * noise}, None, "d", "y", adjustment=[])
        assert effect.interval[0] < 0 < effect.interval[1]
        assert effect.sentence().startswith(f"Setting d from 0 to 1 changes y by {number(effect.estimate)} on average")
        assert "; neither direction is ruled out)" in effect.sentence()


def test_an_interval_without_ends_is_said_to_have_none(confounded):
    effect = estimate(confounded.data, None, "T", "Y", adjustment=["X1"], method="regression")
    open_ended = replace(effect, interval=(-np.inf, np.inf)).sentence()
    assert "(the data set no bound at 95 %; neither direction is ruled out)" in open_ended
    assert "to infinity; the data set no upper bound)" in replace(effect, interval=(1.0, np.inf)).sentence()


def test_a_range_names_what_is_compared_and_in_what_unit(confounded):
    columns = {**confounded.columns, "T": np.where(confounded.columns["T"] == 1, "I", "F")}
    graph = Graph.from_edges(["T --- X1", "X1 -> Y", "T -> Y"], kind="PDAG")
    effect = estimate(wh.read(columns, units={"Y": "kg"}), graph, "T", "Y", contrast=("I", "F"))
    low, high = map(number, effect.range)
    assert f"left open, setting T from F to I changes Y by between {low} and {high} kg (95 % int" in effect.sentence()


def test_incomplete_rows_are_left_out_and_counted(confounded):
    columns = {name: values.copy() for name, values in confounded.columns.items()}
    columns["X1"][:50] = np.nan
    columns["Y"][40:60] = np.nan
    effect = estimate(columns, None, "T", "Y", adjustment=["X1", "X2"], method="regression")
    kept = {name: values[60:] for name, values in columns.items()}
    assert effect.rows_used == 540
    assert any("60 of 600 rows" in warning for warning in effect.warnings)
    other = estimate(kept, None, "T", "Y", adjustment=["X1", "X2"], method="regression")
    assert effect.estimate == pytest.approx(other.estimate)


def test_copies_of_a_covariate_change_nothing(confounded):
    columns = {**confounded.columns, "copy": 3 * confounded.columns["X1"] + 1, "same": np.ones(600)}
    plain = estimate(columns, None, "T", "Y", adjustment=["X1"], method="regression")
    copied = estimate(columns, None, "T", "Y", adjustment=["X1", "copy", "same"], method="regression")
    assert copied.estimate == pytest.approx(plain.estimate)
    assert any("adds nothing" in warning for warning in copied.warnings)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_every_table_library_gives_the_same_answer_in_its_own_frame(library, confounded):
    made = pytest.importorskip(library)
    make = made.table if library == "pyarrow" else made.DataFrame
    effect = estimate(make(dict(confounded.columns)), None, "T", "Y", adjustment=["X1"], method="regression")
    plain = estimate(confounded.columns, None, "T", "Y", adjustment=["X1"], method="regression")
    assert effect.estimate == pytest.approx(plain.estimate, rel=1e-12)
    assert type(effect.table()).__module__.split(".")[0] == library


def test_level_sets_the_width(confounded):
    narrow, wide = (
        estimate(confounded.data, None, "T", "Y", adjustment=["X1"], method="regression", level=level)
        for level in (0.5, 0.99)
    )
    assert wide.interval[0] < narrow.interval[0] < narrow.estimate < narrow.interval[1] < wide.interval[1]


# ---- what a result can do --------------------------------------------------------------------------------------------


def test_a_result_survives_json_and_pickle(confounded):
    effect = estimate(confounded.data, None, "T", "Y", adjustment=confounded.covariates)
    record = json.loads(json.dumps(effect.to_dict(), allow_nan=False))
    assert record["estimate"] == effect.estimate
    assert record["sentence"] == effect.sentence()
    assert "fitted" not in record
    again = pickle.loads(pickle.dumps(effect))
    assert isinstance(again, Effect)
    assert again.to_dict() == effect.to_dict()


def test_names_from_data_cannot_break_the_page():
    bad = "<script>alert(1)</script>"
    rng = np.random.default_rng(0)
    data = {bad: rng.integers(0, 2, 60), "y": rng.normal(size=60)}
    page = estimate(data, None, bad, "y", adjustment=[])._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_figures_are_drawn_from_plain_data(confounded):
    from whence.effects.plots import draw

    effect = wh.refute(estimate(confounded.data, None, "T", "Y", adjustment=confounded.covariates), confounded.data)
    assert set(effect.figures) == {"comparison", "overlap", "balance", "sensitivity", "placebo", "influence"}
    assert len(effect.plot().to_dict()["vconcat"]) == 6
    with pytest.raises(wh.ParameterError, match="E448"):
        draw(effect, "map")


def test_progress_is_reported_to_the_end(confounded):
    seen: list[tuple[str, int, int]] = []
    estimate(
        confounded.data,
        None,
        "T",
        "Y",
        adjustment=confounded.covariates,
        progress=lambda *step: seen.append(step),
    )
    assert seen[-1] == ("nuisances", 3, 3)
