"""Equivalence classes: what holds for the class is what holds in every one of its members, listed one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests.effects.truth import LinearModel, random_dag, subsets
from whence.effects import identify, is_valid_adjustment
from whence.errors import GraphError
from whence.graph import Graph, Knowledge


def _random_class(seed: int) -> tuple[Graph, Graph, Knowledge, list[Graph]]:
    """Return a DAG, its class, knowledge that is true of the DAG, and the members that agree with the knowledge."""
    rng = np.random.default_rng([11, seed])
    dag = random_dag(int(rng.integers(4, 6)), rng.uniform(0.4, 0.9), rng)
    required = [(e.source, e.target) for e in dag.edges() if rng.random() < (0.0, 0.2, 0.4)[seed % 3]]
    knowledge = Knowledge(required=required)
    cpdag = dag.to_cpdag()
    members = [member for member in cpdag.members() if all(a in member.parents(b) for a, b in required)]
    return dag, cpdag, knowledge, members


@pytest.mark.parametrize("seed", range(60))
def test_a_set_is_valid_in_a_class_exactly_if_it_is_valid_in_every_member(seed):
    _, cpdag, knowledge, members = _random_class(seed)
    names = cpdag.names
    questions = [([x], y) for x in names for y in names if x != y]
    questions += [([x1, x2], y) for x1, x2 in combinations(names, 2) for y in names if y not in (x1, x2)]
    for treatments, outcome in questions:
        rest = [name for name in names if name not in (*treatments, outcome)]
        valid = []
        for adjustment in subsets(rest):
            expected = all(is_valid_adjustment(member, treatments, outcome, adjustment) for member in members)
            got = is_valid_adjustment(cpdag, treatments, outcome, adjustment, knowledge=knowledge)
            assert got == expected, (treatments, outcome, adjustment)
            if expected:
                valid.append(set(adjustment))
        found = identify(cpdag, treatments, outcome, knowledge=knowledge, strategy="adjustment")
        assert found.identified == bool(valid)
        if found.identified:
            assert not any(one < set(found.minimal) for one in valid)
            assert set(found.minimal) in valid
        none = identify(cpdag, treatments, outcome, knowledge=knowledge, strategy="no-effect")
        assert none.identified == all(not set(treatments) & set(m.ancestors(outcome)) for m in members)


@pytest.mark.parametrize("seed", range(60))
def test_the_effects_over_a_class_are_the_effects_in_its_members(seed):
    """IDA by enumeration: each member's effect is the slope of the treatment given its parents in that member."""
    dag, cpdag, knowledge, members = _random_class(seed)
    model = LinearModel.on(dag, np.random.default_rng(seed))
    for x in cpdag.names:
        for y in cpdag.names:
            if x == y:
                continue
            expected = {
                0.0 if y in member.parents(x) else round(float(model.adjusted([x], y, member.parents(x))[0]), 7) + 0.0
                for member in members
            }
            found = identify(cpdag, x, y, knowledge=knowledge)
            if found.strategy == "class-range":
                sets = found.adjustment_sets_over_class
                assert len(set(sets)) == len(sets) > 1
            else:
                sets = (None if found.strategy == "no-effect" else found.adjustment,)
            got = {0.0 if one is None else round(float(model.adjusted([x], y, one)[0]), 7) + 0.0 for one in sets}
            assert got == expected, (x, y, found)


@pytest.mark.parametrize("seed", range(40))
def test_joint_effects_over_a_class_are_the_effects_in_its_members(seed):
    dag, cpdag, knowledge, members = _random_class(seed)
    model = LinearModel.on(dag, np.random.default_rng(seed))
    for x1, x2 in combinations(cpdag.names, 2):
        for y in set(cpdag.names) - {x1, x2}:
            found = identify(cpdag, [x1, x2], y, knowledge=knowledge)
            if found.strategy is None:
                assert any(identify(member, [x1, x2], y).strategy is None for member in members)
                continue
            inner = [identify(member, [x1, x2], y) for member in members]
            expected = {_slopes(model, [x1, x2], y, one.adjustment) for one in inner}
            over = found.adjustment_sets_over_class if found.strategy == "class-range" else (found.adjustment,)
            assert {_slopes(model, [x1, x2], y, one) for one in over} == expected


def _slopes(model: LinearModel, treatments: list[str], outcome: str, adjustment: tuple[str, ...] | None) -> tuple:
    if adjustment is None:
        return (0.0,) * len(treatments)
    return tuple(np.round(model.adjusted(treatments, outcome, adjustment), 6) + 0.0)


def test_knowledge_narrows_the_range_and_settles_it():
    chain = Graph.from_edges(["x --- v", "v --- y"], kind="CPDAG")
    open_ = identify(chain, "x", "y")
    assert (open_.strategy, open_.identified, open_.estimable) == ("class-range", False, True)
    assert set(open_.adjustment_sets_over_class) == {(), None}
    assert "'x --- v' has no direction" in open_.reason
    assert identify(chain, "x", "y", knowledge=Knowledge(required=["x -> v"])).adjustment == ()
    assert identify(chain, "x", "y", knowledge=Knowledge(tiers=[["y"], ["x"]])).strategy == "no-effect"


def test_knowledge_that_the_graph_excludes_is_an_error_that_names_the_edge():
    graph = Graph.from_edges(["a -> c", "b -> c", "c -> d", "d --- e"], kind="CPDAG")
    with pytest.raises(GraphError, match="'a -> c', which the knowledge excludes"):
        identify(graph, "a", "d", knowledge=Knowledge(forbidden=["a -> c"]))
    with pytest.raises(GraphError, match="E404"):
        identify(graph, "a", "d", knowledge=Knowledge(required=["e -> d"]))
    with pytest.raises(GraphError, match="'d --- e', which the knowledge excludes"):
        identify(graph, "a", "d", knowledge=Knowledge(forbidden=["e -> d", "d -> e"]))


def test_a_class_without_a_member_is_an_answer_with_a_reason():
    """Searches on few rows return such graphs: a four-cycle without a collider."""
    square = Graph.from_edges(["a --- b", "b --- c", "c --- d", "d --- a"], kind="CPDAG")
    found = identify(square, "a", "c")
    assert not found.estimable
    assert "contradict each other" in found.reason


def test_tiers_rule_out_an_effect_in_a_pag_too():
    pag = Graph.from_edges(["x o-o y"], kind="PAG")
    assert identify(pag, "x", "y", knowledge=Knowledge(tiers=[["y"], ["x"]])).strategy == "no-effect"
    graph = Graph.from_edges(["x -> m", "m -> y"])
    with pytest.raises(GraphError, match="which the knowledge puts before"):
        identify(graph, "x", "y", knowledge=Knowledge(tiers=[["y"], ["x"]]))


def test_a_possibility_that_is_not_identified_makes_the_range_an_honest_no():
    graph = Graph.from_edges(["x --- v", "u -> y", "x -> y"], kind="PDAG")
    confounded = Graph.from_edges(["x --- v", "x --- u", "v --- u", "u -> y", "v -> y", "x -> y"], kind="PDAG")
    assert identify(graph, "x", "y", observed=["x", "v", "y"]).identified
    found = identify(confounded, "x", "y", observed=["x", "v", "y"])
    assert found.strategy is None
    assert (
        "In one of the possibilities: No adjustment for measured variables closes the path 'x <- u -> y'"
        in found.reason
    )


def test_a_star_of_many_open_edges_is_cut_off_with_a_reason():
    names = [f"v{k}" for k in range(11)]
    marks = np.ones((11, 11), dtype=np.int8) - np.eye(11, dtype=np.int8)
    complete = Graph(names, marks, "CPDAG")
    found = identify(complete, "v0", "v1")
    assert found.strategy is None
    assert "more than" in found.reason
