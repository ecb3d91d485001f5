"""The plan follows from cards, facts and budget alone."""

from __future__ import annotations

import pytest

import whence as wh
from whence.autopilot.plan import FEWEST_DRAWS, MOST_DRAWS, Candidate, _ranked, make_plan
from whence.data import simulate
from whence.graph import Knowledge

CONTINUOUS = {"linear": True, "share_nonlinear": 0.0, "share_nongaussian": 0.0, "discrete_share": 0.0}


def plan(data, facts=CONTINUOUS, knowledge=None, budget=60.0):
    return make_plan(data, facts, knowledge or Knowledge(), budget, 2)


@pytest.fixture(scope="module")
def data():
    return simulate.linear_scm(8, 500, random_state=1).data


def test_same_input_same_plan(data):
    assert plan(data) == plan(data)


def test_non_gaussian_noise_chooses_direct_lingam_and_gaussian_noise_does_not(data):
    assert plan(data, {**CONTINUOUS, "share_nongaussian": 1.0}).chosen.method == "direct-lingam"
    assert plan(data).chosen.method != "direct-lingam"


def test_curved_relations_do_not_choose_direct_lingam(data):
    facts = {**CONTINUOUS, "linear": False, "share_nonlinear": 0.6, "share_nongaussian": 1.0}
    assert plan(data, facts).chosen.method != "direct-lingam"


def test_discrete_columns_refuse_searches_for_numbers():
    discrete = simulate.discrete_scm(6, 500, random_state=1).data
    made = plan(discrete, {"discrete_share": 1.0, "linear": None})
    refused = {candidate.method for candidate in made.candidates if candidate.refused}
    assert "direct-lingam" in refused
    assert made.chosen.refused is None


def test_every_candidate_says_why(data):
    for candidate in plan(data).candidates:
        assert candidate.refused or candidate.reasons


def test_budget_sets_the_draws(data):
    assert plan(data, budget=600.0).draws == MOST_DRAWS
    assert plan(data, budget=1e-6).draws == FEWEST_DRAWS


def test_a_search_that_cannot_respect_the_knowledge_is_refused(data):
    known = Knowledge(tiers=[[data.names[0]], list(data.names[1:])])
    made = plan(data, knowledge=known)
    cards = {card.name: card for card in wh.methods("search")}
    for candidate in made.candidates:
        card = cards[candidate.method]
        by_itself = card.output in ("PAG", "ADMG") or card.columns is not None or "additive-noise" in card.assumes
        assert (candidate.refused is not None) == ("tiers" not in card.knowledge or by_itself)


def test_of_searches_that_score_alike_the_default_is_taken(data):
    made = plan(data)
    scores = {candidate.method: candidate.score for candidate in made.candidates}
    assert abs(scores["boss"] - scores["grasp"]) < 0.01
    assert made.chosen.method == "boss"


@pytest.mark.parametrize(
    ("boss", "grasp", "chosen"), [(0.849, 0.851, "boss"), (0.84, 0.86, "grasp"), (0.9, 0.8, "boss")]
)
def test_the_default_stands_until_it_is_beaten_clearly(boss, grasp, chosen):
    candidates = [Candidate(name, score, 1.0, {}, ()) for name, score in (("grasp", grasp), ("boss", boss))]
    assert _ranked(candidates)[0].method == chosen


def test_numbers_and_categories_together_are_searched_by_the_default():
    mixed = simulate.mixed_scm([("age", "dose"), ("sex", "dose"), ("dose", "cure")], 400, random_state=3).data
    made = plan(mixed.with_kinds(sex="categorical"), {"discrete_share": 0.25, "linear": None})
    assert made.chosen.method == "boss"
    assert {candidate.method for candidate in made.candidates if candidate.refused is None} >= {"ges", "grasp", "pc"}
