"""Adjustment sets against numbers: a set is valid exactly when regression on it gives the true effect."""

from __future__ import annotations

import numpy as np
import pytest

from tests.effects.truth import LinearModel, gives_the_effect, random_admg, random_dag, subsets
from whence.effects import identify, is_valid_adjustment
from whence.graph import Graph


def _random_graph(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    if seed % 2:
        return random_dag(int(rng.integers(3, 7)), rng.uniform(0.3, 0.8), rng)
    return random_admg(int(rng.integers(3, 6)), rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.4), rng)


@pytest.mark.parametrize("seed", range(60))
def test_valid_sets_are_those_that_give_the_true_effect_in_random_linear_models(seed):
    graph = _random_graph(seed)
    rng = np.random.default_rng(seed)
    models = [LinearModel.on(graph, rng) for _ in range(3)]
    names = list(rng.permutation(graph.names))
    treatments, outcome = (names[:1], names[1]) if seed % 3 else (names[:2], names[2])
    rest = [name for name in graph.names if name not in (*treatments, outcome)]
    observed = [name for name in rest if rng.random() < 0.8]
    valid = []
    for adjustment in subsets(rest):
        expected = gives_the_effect(models, treatments, outcome, adjustment)
        assert is_valid_adjustment(graph, treatments, outcome, adjustment) == expected, adjustment
        if expected and set(adjustment) <= set(observed):
            valid.append(set(adjustment))

    found = identify(graph, treatments, outcome, observed=[*treatments, outcome, *observed], strategy="adjustment")
    assert found.identified == bool(valid)
    if not found.identified:
        return
    minimal = [one for one in valid if not any(other < one for other in valid)]
    for chosen in (found.minimal, *found.alternatives):
        assert set(chosen) in minimal
    assert len({frozenset(one) for one in (found.minimal, *found.alternatives)}) == min(len(minimal), 6)
    assert set(found.adjustment) in valid


@pytest.mark.parametrize("seed", range(40))
def test_the_optimal_set_has_the_smallest_asymptotic_variance_of_all_valid_sets(seed):
    rng = np.random.default_rng([7, seed])
    graph = random_dag(6, rng.uniform(0.3, 0.7), rng)
    for treatment, outcome in [(a, b) for a in graph.names for b in graph.descendants(a)]:
        found = identify(graph, treatment, outcome)
        rest = [name for name in graph.names if name not in (treatment, outcome)]
        valid = [one for one in subsets(rest) if is_valid_adjustment(graph, treatment, outcome, one)]
        for model in (LinearModel.on(graph, rng) for _ in range(2)):
            best = model.asymptotic_variance(treatment, outcome, found.optimal)
            assert all(best <= model.asymptotic_variance(treatment, outcome, one) + 1e-9 for one in valid)
            assert model.adjusted([treatment], outcome, found.minimal)[0] == pytest.approx(
                model.effect([treatment], outcome)[0]
            )


@pytest.mark.parametrize("seed", range(30))
def test_with_hidden_variables_an_optimal_set_is_reported_only_where_it_is_best(seed):
    rng = np.random.default_rng([8, seed])
    graph = random_admg(5, 0.5, 0.25, rng)
    for treatment, outcome in [(a, b) for a in graph.names for b in graph.descendants(a)]:
        found = identify(graph, treatment, outcome)
        if found.optimal is None:
            continue
        rest = [name for name in graph.names if name not in (treatment, outcome)]
        model = LinearModel.on(graph, rng)
        best = model.asymptotic_variance(treatment, outcome, found.optimal)
        for one in subsets(rest):
            if is_valid_adjustment(graph, treatment, outcome, one):
                assert best <= model.asymptotic_variance(treatment, outcome, one) + 1e-9


def test_m_bias_is_left_alone():
    """The collider of the M graph opens a path once it is adjusted for (Greenland, Pearl & Robins 1999)."""
    graph = Graph.from_edges(["a -> m", "b -> m", "a -> x", "b -> y", "x -> y"])
    found = identify(graph, "x", "y", observed=["x", "y", "m"])
    assert found.adjustment == ()
    assert not is_valid_adjustment(graph, "x", "y", ["m"])


def test_mediators_and_their_descendants_are_never_adjusted_for():
    graph = Graph.from_edges(["c -> x", "c -> y", "x -> m", "m -> y", "m -> d", "x -> e", "y -> f"])
    found = identify(graph, "x", "y")
    assert found.adjustment == ("c",)
    for name in ("m", "d", "f"):
        assert not is_valid_adjustment(graph, "x", "y", ["c", name])
    assert is_valid_adjustment(graph, "x", "y", ["c", "e"])  # an effect of x that is off the causal path does no harm


def test_the_butterfly_needs_the_collider_and_one_of_its_causes():
    """Pearl (2009), Causality, section 3.3: C is a confounder and a collider at once."""
    graph = Graph.from_edges(["a -> c", "b -> c", "a -> x", "b -> y", "c -> x", "c -> y", "x -> y"])
    found = identify(graph, "x", "y")
    assert {frozenset(one) for one in (found.minimal, *found.alternatives)} == {frozenset("ac"), frozenset("bc")}
    assert set(found.optimal) == {"b", "c"}


def test_shrier_and_platt_warming_up():
    """Shrier & Platt (2008), the sports-injury graph: adjusting for team motivation and fitness is enough."""
    graph = Graph.from_edges(
        [
            "coach -> motivation",
            "coach -> fitness",
            "genetics -> fitness",
            "genetics -> neuromuscular fatigue",
            "genetics -> connective tissue",
            "motivation -> warm-up",
            "motivation -> previous injury",
            "fitness -> pre-game proprioception",
            "fitness -> neuromuscular fatigue",
            "pre-game proprioception -> warm-up",
            "warm-up -> intra-game proprioception",
            "contact sport -> previous injury",
            "contact sport -> intra-game proprioception",
            "neuromuscular fatigue -> intra-game proprioception",
            "connective tissue -> neuromuscular fatigue",
            "connective tissue -> tissue weakness",
            "tissue weakness -> injury",
            "intra-game proprioception -> injury",
            "neuromuscular fatigue -> injury",
        ]
    )
    assert is_valid_adjustment(graph, "warm-up", "injury", ["neuromuscular fatigue", "tissue weakness"])
    assert is_valid_adjustment(graph, "warm-up", "injury", ["coach", "fitness"])
    assert is_valid_adjustment(graph, "warm-up", "injury", ["motivation", "fitness"])
    assert not is_valid_adjustment(graph, "warm-up", "injury", ["previous injury"])


def test_joint_treatments_on_one_another():
    graph = Graph.from_edges(["a -> b", "b -> y", "a -> y", "c -> b", "c -> y"])
    assert identify(graph, ["a", "b"], "y").adjustment == ("c",)
    confounded = Graph.from_edges(["a -> l", "u -> l", "u -> y", "l -> b", "a -> y", "b -> y"])
    found = identify(confounded, ["a", "b"], "y", observed=["a", "b", "l", "y"])
    assert found.strategy is None  # time-varying confounding: no single adjustment set ...
    assert found.functional  # ... but the g-formula
