"""Whole studies on tables whose truth is known: right answers, honest refusals, reproducible records."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import whence as wh
from whence.data import simulate
from whence.errors import DataError, NotConverged

BUDGET = "10s"


def trial(rows=400, seed=0, scale=1.0):
    """Age confounds dose and cure; side follows from both, so that adjusting for it would bias; the effect is 2."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=rows)
    dose = 0.8 * age + rng.normal(size=rows)
    cure = scale * (2.0 * dose - 1.5 * age + rng.normal(size=rows))
    side = dose + cure / scale + rng.normal(size=rows)
    return {"side": side, "dose": dose, "cure": cure, "age": age}


KNOWN = wh.Knowledge(tiers=[["age"], ["dose"], ["cure"], ["side"]])


@pytest.fixture(scope="module")
def study():
    return wh.analyze(trial(), "dose", "cure", knowledge=KNOWN, budget=BUDGET, random_state=3)


def test_the_effect_is_right_and_the_collider_left_out(study):
    low, high = study.effect.interval
    assert low < 2.0 < high
    assert study.effect.adjustment == ("age",)
    assert "dose" in study.answer
    assert study.identification.identified


@pytest.mark.slow
def test_estimates_lie_within_two_standard_errors_of_the_truth():
    hits = 0
    for seed in range(20):
        effect = wh.analyze(trial(seed=seed), "dose", "cure", knowledge=KNOWN, budget="3s", random_state=seed).effect
        hits += abs(effect.estimate - 2.0) <= 2 * effect.standard_error
        assert "side" not in effect.adjustment
    assert hits >= 18


def test_scaling_a_column_scales_the_effect(study):
    scaled = wh.analyze(trial(scale=1000.0), "dose", "cure", knowledge=KNOWN, budget=BUDGET, random_state=3)
    assert scaled.effect.estimate == pytest.approx(1000 * study.effect.estimate, rel=1e-6)
    assert scaled.graph.edges() == study.graph.edges()


def test_same_seed_same_record_bit_for_bit(study):
    again = wh.analyze(trial(), "dose", "cure", knowledge=KNOWN, budget=BUDGET, random_state=3, n_jobs=1)
    assert again.digest == study.digest
    assert json.dumps(again.record(), sort_keys=True) == json.dumps(study.record(), sort_keys=True)


def test_save_load_and_replay(study, tmp_path):
    loaded = wh.Study.load(study.save(tmp_path / "trial.whence"))
    assert loaded.digest == study.digest
    assert repr(loaded) == repr(study)
    assert loaded.replay().digest == study.digest


def test_a_changed_file_is_refused(study, tmp_path):
    path = study.save(tmp_path / "trial.whence")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = parts["study.json"].decode()
    parts["study.json"] = text.replace('"random_state", 3]', '"random_state", 4]').encode()
    assert parts["study.json"] != text.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match="changed after it was saved"):
        wh.Study.load(path)


def test_a_file_that_is_no_study_is_refused(tmp_path):
    path = tmp_path / "other.whence"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not a saved study"):
        wh.Study.load(path)
    with pytest.raises(DataError, match="not a saved study"):
        wh.Study.load(tmp_path / "absent.whence")


def test_a_replay_that_differs_names_the_part(study):
    with pytest.raises(NotConverged, match="settings"):
        replace(study, settings={**study.settings, "unused": 1}).replay()


def test_revise_runs_again_only_what_depends_on_the_knowledge(study):
    revised = study.revise(forbid=["age -> cure"])
    assert "profile" in revised.reused
    assert revised.graph.edge("age", "cure") is None
    same = study.revise()
    assert set(same.reused) == {"profile", "search"}
    assert same.effect.estimate == study.effect.estimate


def test_required_edges_are_in_the_graph():
    known = wh.Knowledge(required=["age -> side"])
    study = wh.analyze(trial(), "dose", "cure", knowledge=known, budget="3s")
    assert str(study.graph.edge("age", "side")) == "age -> side"


def test_what_is_not_identified_gets_no_number():
    rng = np.random.default_rng(1)
    dose = rng.normal(size=300)
    study = wh.analyze({"dose": dose, "cure": dose + rng.normal(size=300)}, "dose", "cure", budget="3s")
    assert not study.identification.identified
    assert study.effect is None or study.effect.range is not None
    assert study.effect is None or np.isnan(study.effect.estimate)
    assert "not" in study.answer


def test_without_a_question_the_strongest_effects_are_ranked():
    simulation = simulate.linear_scm(6, 800, noise="laplace", random_state=4)
    study = wh.analyze(simulation.data, budget="5s")
    assert study.effects
    sizes = [abs(effect.standardised) for effect in study.effects]
    assert sizes == sorted(sizes, reverse=True)
    assert study.effect is None


def test_every_decision_says_why(study):
    assert {"plan"} <= {decision.step for decision in study.decisions}
    assert all(decision.what and decision.why for decision in study.decisions)


def test_another_question_on_the_same_graph(study):
    effect = study.effect_of("age", "cure")
    assert abs(effect.estimate - (2.0 * 0.8 - 1.5)) < 3 * effect.standard_error


def test_identifiers_and_constants_are_left_out_and_named():
    table = {**trial(), "patient": [f"p{k:04d}" for k in range(400)], "site": ["Rome"] * 400}
    study = wh.analyze(table, "dose", "cure", knowledge=KNOWN, budget="3s")
    left_out = " ".join(decision.what for decision in study.decisions if decision.step == "columns")
    assert "'patient'" in left_out
    assert "'site'" in left_out
    assert set(study.graph.names) == {"side", "dose", "cure", "age"}


@pytest.mark.parametrize("name", ["dose, mg", 'the "dose"', "dose: [a]", "select", "Dosis 💊", "x" * 300])
def test_odd_names(name, tmp_path):
    table = trial(200)
    table[name] = table.pop("dose")
    study = wh.analyze(table, name, "cure", budget="2s")
    assert name in study.graph.names
    assert study.report(tmp_path / "r.html").exists()


def test_what_comes_after_the_treatment_is_not_adjusted_for_though_the_search_missed_the_path():
    rng = np.random.default_rng(0)
    dose, noise = rng.normal(size=(2, 400))
    later = 0.05 * dose + rng.normal(size=400)  # too weak for any search
    table = {"dose": dose, "later": later, "cure": dose + later + noise}
    study = wh.analyze(table, "dose", "cure", knowledge="dose < later, cure", budget=BUDGET)
    assert study.effect.adjustment == ()


def test_sets_that_disagree_fail_the_answer():
    # z moves t and is wrongly said not to touch y; the hidden cause makes adjusting for it wrong as well.
    rng = np.random.default_rng(1)
    z, hidden = rng.normal(size=(2, 2000))
    t = z + hidden + rng.normal(size=2000)
    y = t + hidden + rng.normal(size=2000)
    known = wh.Knowledge(tiers="z < t < y", forbidden=["z -> y"])
    study = wh.analyze({"z": z, "t": t, "y": y}, "t", "y", knowledge=known, budget=BUDGET)
    check = study.effect.check("other-sets")
    assert check.passed is False
    assert check.statistic > 3


def test_a_column_with_the_role_instrument_gives_an_answer_of_its_own():
    rng = np.random.default_rng(2)
    z, hidden, age = rng.normal(size=(3, 1500))
    t = z + hidden + age + rng.normal(size=1500)
    y = t + 2 * hidden + age + rng.normal(size=1500)
    data = wh.read({"age": age, "z": z, "t": t, "y": y}, roles={"instrument": "z"})
    study = wh.analyze(data, "t", "y", knowledge="age, z < t < y", budget=BUDGET)
    (by_instrument,) = [other for other in study.other_effects if other.identification.strategy == "instrument"]
    assert by_instrument.interval[0] < 1 < by_instrument.interval[1]
    assert not study.effect.interval[0] < 1 < study.effect.interval[1]
    assert any("instrument z" in finding.sentence for finding in study.findings)


def test_what_is_taken_for_granted_and_what_is_left_out_is_said(study):
    kinds = [finding.kind for finding in study.findings]
    assert kinds[:2] == ["answer", "assumption"]
    assert "common cause" in study.findings[1].sentence
    holes = np.where(np.arange(400) < 300, np.nan, 1.0) * np.arange(400)
    table = {**trial(), "who": [f"person {k}" for k in range(400)], "holes": holes}
    found = wh.analyze(table, "dose", "cure", knowledge=KNOWN, budget=BUDGET)
    (left_out,) = [warning for warning in found.warnings if warning.startswith("Left out")]
    assert "'who'" in left_out
    assert "'holes'" in left_out
    assert found.effect.rows_used == 400
