"""Questions that make no sense, names that change, and the answer as a record."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effects.truth import random_admg, random_dag
from whence.effects import Identification, identify, is_valid_adjustment
from whence.errors import GraphError, ParameterError
from whence.graph import Graph

GRAPH = Graph.from_edges(["age -> dose", "age -> pain", "dose -> pain"])


@pytest.mark.parametrize(
    ("arguments", "settings_", "error", "message"),
    [
        (("does", "pain"), {}, GraphError, "there is no node 'does'.*'dose'"),
        (("dose", "pian"), {}, GraphError, "there is no node 'pian'.*'pain'"),
        (("dose", "dose"), {}, ParameterError, "'dose' is given as treatment and as outcome"),
        ((["dose", "dose"], "pain"), {}, ParameterError, "each once"),
        (([], "pain"), {}, ParameterError, "at least one"),
        (("dose", "pain"), {"observed": ["dose"]}, ParameterError, "'pain' is not among the observed"),
        (("dose", "pain"), {"observed": ["dose", "pain", "ages"]}, GraphError, "there is no node 'ages'"),
        (("dose", "pain"), {"strategy": "backdoor"}, ParameterError, "no strategy 'backdoor'.*'adjustment'"),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error_that_names_the_thing(arguments, settings_, error, message):
    with pytest.raises(error, match=message):
        identify(GRAPH, *arguments, **settings_)


def test_something_that_is_not_a_graph_is_refused_and_a_search_result_is_taken_for_its_graph():
    with pytest.raises(GraphError, match="the graph is of type list"):
        identify(["age -> dose"], "age", "dose")
    assert identify(SimpleNamespace(graph=GRAPH), "dose", "pain").adjustment == ("age",)
    assert is_valid_adjustment(SimpleNamespace(graph=GRAPH), "dose", "pain", ["age"])


@pytest.mark.parametrize("strategy", ["no-effect", "front-door", "instrument", "class-range"])
def test_a_strategy_that_does_not_apply_is_a_no_with_a_reason(strategy):
    found = identify(GRAPH, "dose", "pain", strategy=strategy)
    assert (found.identified, found.strategy) == (False, None)
    assert found.reason.endswith(".")
    assert found.assumptions == ()


def test_the_answer_is_a_record_that_turns_into_json():
    found = identify(GRAPH, "dose", "pain")
    record = json.loads(json.dumps(found.to_dict()))
    assert record["adjustment"] == ["age"]
    assert record["schema_version"] == 1
    assert record["identified"] is True
    assert str(found) == (
        "effect of dose on pain: by adjustment. "
        "Adjusting for 'age' blocks every path between 'dose' and 'pain' that is not causal."
    )
    with pytest.raises(AttributeError):
        found.reason = ""
    joint = identify(GRAPH, ["age", "dose"], "pain")
    assert (joint.treatment, joint.treatments) == ("age and dose", ("age", "dose"))


def test_every_answer_ends_in_a_sentence_and_says_what_it_rests_on():
    for kind, edges in [
        ("DAG", ["x -> y"]),
        ("ADMG", ["x -> y", "x <-> y"]),
        ("CPDAG", ["x --- y"]),
        ("MAG", ["x -> y"]),
        ("PAG", ["x o-o y"]),
    ]:
        found = identify(Graph.from_edges(edges, kind=kind), "x", "y")
        assert found.reason.endswith(".")
        assert bool(found.assumptions) == found.estimable


def _comparable(found: Identification, rename: dict[str, str]) -> tuple:
    def names(values):
        return None if values is None else frozenset(rename[value] for value in values)

    over = frozenset(names(one) for one in found.adjustment_sets_over_class)
    return (found.identified, found.strategy, found.functional, names(found.optimal), over)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["DAG", "CPDAG", "ADMG"]), data=st.data())
def test_names_and_their_order_do_not_matter(seed, kind, data):
    rng = np.random.default_rng(seed)
    graph = random_admg(6, 0.4, 0.2, rng) if kind == "ADMG" else random_dag(6, 0.4, rng)
    graph = graph.to_cpdag() if kind == "CPDAG" else graph
    order = data.draw(st.permutations(graph.names))
    rename = {name: f"a column, {name[::-1]}" for name in graph.names}
    other = graph.subgraph(order).renamed(rename)
    other = other.with_kind(graph.kind)
    x, y = data.draw(st.permutations(graph.names))[:2]
    observed = {*data.draw(st.sets(st.sampled_from(graph.names))), x, y}
    first = identify(graph, x, y, observed=observed)
    second = identify(other, rename[x], rename[y], observed=[rename[name] for name in observed])
    assert _comparable(first, rename) == _comparable(second, {name: name for name in rename.values()})


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_measuring_more_never_loses_an_answer(seed):
    rng = np.random.default_rng(seed)
    graph = random_dag(7, 0.4, rng)
    x, y, *rest = rng.permutation(graph.names).tolist()
    answered = False
    for count in range(len(rest) + 1):
        found = identify(graph, x, y, observed=[x, y, *rest[:count]], strategy="adjustment")
        assert found.identified or not answered
        answered = found.identified
    assert answered or y in graph.ancestors(x)  # with everything measured only a reversed question has no set


def test_a_graph_of_five_hundred_variables_is_no_obstacle():
    graph = random_dag(500, 8 / 500, np.random.default_rng(0))
    cpdag = graph.to_cpdag()
    pairs = [(x, y) for x in graph.names for y in graph.descendants(x)[-1:]][:20]
    assert pairs
    for x, y in pairs:
        assert identify(graph, x, y).identified
        assert identify(cpdag, x, y).estimable
