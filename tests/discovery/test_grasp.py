"""GRaSP against the best of all graphs, the large-sample limit, a plain tuck, knowledge and small stores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.discovery.truth import (
    allowed,
    classes,
    linear_population,
    linear_rows,
    marks_over,
    names,
    scores_of_classes,
    some_knowledge,
)
from whence.data import simulate
from whence.data.examples import network
from whence.discovery import BOSS, GES, ExactSearch, GRaSP
from whence.errors import ParameterError
from whence.graph import Graph
from whence.graph.orientation import cpdag_of_dag, extension
from whence.scores import gaussian_bic


def scores(data):
    return scores_of_classes(gaussian_bic(data.moments().correlation, data.n_rows, per_edge=0.0))


def class_of(result):
    return cpdag_of_dag(extension(result.graph.marks)).tobytes()


def test_the_best_of_all_graphs_of_four_and_five_nodes_is_found_with_restarts():
    first = 0
    for seed in range(40):
        _, data = linear_rows(4 + seed % 2, 40 + 5 * seed, seed, degree=3.0)
        values = scores(data)
        best = max(values.values())
        found = GRaSP(per_edge=0, restarts=0).fit(data)
        assert found.details["score"] == pytest.approx(values[class_of(found)])
        first += found.details["score"] > best - 1e-8
        assert GRaSP(per_edge=0, restarts=20).fit(data).details["score"] == pytest.approx(best)
    assert first >= 20  # few rows, and no restart


@pytest.mark.parametrize("depth", [1, 3])
def test_where_the_sample_is_the_population_the_true_class_is_found(depth):
    rng = np.random.default_rng(0)
    missed = 0
    for case in range(100):
        p = int(rng.integers(2, 16))
        adjacency = simulate.random_dag(p, degree=min(float(rng.uniform(1, 4.5)), p - 1), random_state=case)
        found = GRaSP(depth=depth, restarts=0).fit(linear_population(adjacency, rng))
        missed += not np.array_equal(found.graph.marks, Graph.from_adjacency(names(p), adjacency).to_cpdag().marks)
    assert missed == 0


def test_with_knowledge_the_best_of_all_graphs_that_keep_to_it_is_found():
    for seed in range(60):
        _, data = linear_rows(4, 100 + 5 * seed, seed, degree=2.5)
        knowledge = some_knowledge(seed, data.names)
        required, forbidden = knowledge.for_names(data.names)
        kept = {key: allowed(members, required, forbidden) for key, members in classes(4).items()}
        values = scores(data)
        found = GRaSP(per_edge=0, knowledge=knowledge, restarts=10).fit(data)
        assert values[class_of(found)] == pytest.approx(max(values[key] for key, members in kept.items() if members))
        np.testing.assert_array_equal(found.graph.marks, marks_over(kept[class_of(found)]))


def test_on_denser_graphs_the_score_is_as_high_as_that_of_boss_and_higher_than_that_of_ges():
    behind = higher = lower = 0
    for seed in range(20):
        _, data = linear_rows(25, 500, seed, degree=5.0)
        mine, boss, ges = (search.fit(data).details["score"] for search in (GRaSP(), BOSS(), GES()))
        behind += mine < boss - 1e-6
        higher += mine > ges + 1e-6
        lower += mine < ges - 1e-6
    assert behind <= 10
    assert higher >= 3 * lower


def test_longer_sequences_of_tucks_do_not_lower_the_score():
    raised = 0
    for seed in range(20):
        _, data = linear_rows(15, 200, seed, degree=5.0)
        searches = (GRaSP(depth=depth, restarts=0, per_edge=math.log(15)) for depth in (1, 3))
        one, three = (search.fit(data).details["score"] for search in searches)
        raised += three > one + 1e-6
        assert three >= one - 0.01 * abs(one)
    assert raised >= 3


@pytest.mark.parametrize("store", [1, 3, 40])
def test_trees_that_do_not_fit_are_forgotten_and_grown_again(monkeypatch, store):
    _, data = linear_rows(9, 300, 1, degree=3.0)
    whole = GRaSP(restarts=0).fit(data)
    monkeypatch.setattr("whence.discovery._orders._STORE", store)
    small = GRaSP(restarts=0).fit(data)
    assert small.details["score"] == pytest.approx(whole.details["score"])
    assert small.details["tree_nodes"] > whole.details["tree_nodes"]


def test_where_an_effect_has_no_noise_the_best_class_is_found_from_another_order():
    """In asia one column is the logical or of two others: one order ends 20 to 40 below the best class of all."""
    data = network("asia").sample(10_000, 0)
    best = ExactSearch().fit(data).details["score"]
    assert GRaSP(restarts=0).fit(data).details["score"] < best - 20
    found = GRaSP().fit(data)
    assert found.details["score"] == pytest.approx(best)
    assert found.parameters["restarts"] == 5
    assert "up to 20 columns" in found.parameters["restarts_rule"]
    assert GRaSP().fit(linear_rows(21, 100, 0)[1]).parameters["restarts"] == 0


def test_seeds_are_followed():
    _, data = linear_rows(20, 200, 3, degree=5.0)
    one, again = (GRaSP(restarts=3, random_state=5).fit(data) for _ in range(2))
    assert one.graph == again.graph
    assert one.parameters["depth"] == 3


@pytest.mark.parametrize("settings", [{"depth": 0}, {"restarts": -1}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ParameterError, match=next(iter(settings))):
        GRaSP(**settings)
