"""Background knowledge: what it allows, what contradicts, how tiers are read."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph import truth
from whence.errors import GraphError
from whence.graph import Knowledge

NAMES = ("age", "dose", "pain", "site")
# knowledge: the direct edges that it does not allow
FORBIDS = {
    "an edge": ({"forbidden": ["age -> pain"]}, {("age", "pain")}),
    "an edge written from its end": ({"forbidden": ["pain <- age"]}, {("age", "pain")}),
    "a pair": ({"forbidden": [("age", "pain"), ["pain", "age"]]}, {("age", "pain"), ("pain", "age")}),
    "the reverse of what is there": ({"required": ["age -> pain"]}, {("pain", "age")}),
    "back in time": (
        {"tiers": [["age", "site"], ["dose"], ["pain"]]},
        {("dose", "age"), ("dose", "site"), ("pain", "age"), ("pain", "site"), ("pain", "dose")},
    ),
    "back in time, as text": ({"tiers": "age < dose"}, {("dose", "age")}),
    "causes of a root": ({"roots": ["age"]}, {("dose", "age"), ("pain", "age"), ("site", "age")}),
    "causes of a root, other word": ({"no_parents": "age"}, {("dose", "age"), ("pain", "age"), ("site", "age")}),
    "effects of a leaf": ({"leaves": "pain"}, {("pain", "age"), ("pain", "dose"), ("pain", "site")}),
}


@pytest.mark.parametrize("case", FORBIDS)
def test_knowledge_forbids_exactly_what_it_says(case):
    said, expected = FORBIDS[case]
    known = Knowledge(**said)
    required, forbidden = known.for_names(NAMES)
    off = {(a, b) for a, b in product(NAMES, NAMES) if forbidden[NAMES.index(a), NAMES.index(b)]}
    assert off == expected | {(name, name) for name in NAMES}
    assert {(a, b) for a, b in product(NAMES, NAMES) if required[NAMES.index(a), NAMES.index(b)]} == set(known.required)
    for a, b in product(NAMES, NAMES):
        assert known.allows(a, b) is ((a, b) not in off)


CONTRADICTIONS = {
    "two required edges": ({"required": ["age -> dose", "dose -> age"]}, "cyclic: .*age -> dose|dose -> age"),
    "a longer cycle": ({"required": ["a -> b", "b -> c", "c -> a"]}, "cyclic: (a -> b -> c|b -> c -> a|c -> a -> b)"),
    "an edge to itself": ({"required": [("age", "age")]}, "age -> age leads back"),
    "required and forbidden": (
        {"required": ["age -> dose"], "forbidden": [("age", "dose")]},
        "age -> dose is required, and forbidden by name",
    ),
    "against time": ({"required": ["pain -> dose"], "tiers": "dose < pain"}, "pain -> dose .* by the tiers"),
    "against time, the long way": (
        {"required": ["pain -> visit", "visit -> dose"], "tiers": "dose < pain"},
        "lead from 'pain' to 'dose', which stands in an earlier tier",
    ),
    "a cause of a root": ({"required": ["age -> dose"], "roots": ["dose"]}, "by 'dose' being a root"),
    "an effect of a leaf": ({"required": ["age -> dose"], "leaves": ["age"]}, "by 'age' being a leaf"),
    "two tiers": ({"tiers": [["age"], ["dose", "age"]]}, "'age' stands in two tiers"),
    "an undirected edge": ({"forbidden": ["age --- dose"]}, "directed edges, not 'age --- dose'"),
    "half an edge": ({"required": ["age"]}, "the edge 'age' holds no connector"),
    "three ends": ({"required": [("age", "dose", "pain")]}, "does not have two ends"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions_name_the_columns(case):
    said, message = CONTRADICTIONS[case]
    with pytest.raises(GraphError, match=message):
        Knowledge(**said)


def test_absent_columns_are_named_with_the_closest():
    with pytest.raises(GraphError, match=r"names 'doze', which is not a column\. Closest: 'dose'"):
        Knowledge(required=["age -> doze"]).for_names(NAMES)
    with pytest.raises(GraphError, match="names 'x', 'y', which are not columns"):
        Knowledge(tiers=[["x"], ["y"]]).for_names(NAMES)


TIERS = {
    "age, sex < dose < cure": (("age", "sex"), ("dose",), ("cure",)),
    " age ": (("age",),),
    '"a,b" < c': (("a,b",), ("c",)),
    "'a < b', \"it's\" < c's": (("a < b", "it's"), ("c's",)),
    r'"say \"hi\"" < "back\\slash"': (('say "hi"',), ("back\\slash",)),
    '"say ""hi""" < """"': (('say "hi"',), ('"',)),
    '" spaces kept " < tidy one ': ((" spaces kept ",), ("tidy one",)),
    "größe,😀<体重": (("größe", "😀"), ("体重",)),
    "two\nlines < x": (("two\nlines",), ("x",)),
}


@pytest.mark.parametrize("text", TIERS)
def test_tiers_are_read_from_text(text):
    assert Knowledge.parse_tiers(text) == TIERS[text]


@pytest.mark.parametrize("text", ["", "a <", "< a", "a < < b", "a,,b", "a,", '"a < b', '"a" "b"', '"a"b'])
def test_tiers_that_cannot_be_read_say_where(text):
    with pytest.raises(GraphError, match=r"empty name or an open quote at position \d"):
        Knowledge.parse_tiers(text)


NAMED = {
    "age,sex": ("age", "sex"),
    "a < b, c": ("a < b", "c"),
    '"age, y", dose': ("age, y", "dose"),
    '"the ""old"" one"': ('the "old" one',),
    "'age, y'": ("age, y",),
}


@pytest.mark.parametrize("text", NAMED)
def test_names_are_read_from_text(text):
    assert Knowledge.parse_names(text) == NAMED[text]


@pytest.mark.parametrize("text", ["", ",", "a,,b", "a,", '"a, b'])
def test_names_that_cannot_be_read_say_how_to_write_them(text):
    with pytest.raises(GraphError, match=r'open quote at position \d.*"dose, mg"; a quote inside is written ""'):
        Knowledge.parse_names(text)


def test_knowledge_of_anything_a_verb_takes():
    known = Knowledge(["a -> b"], tiers="a < b")
    assert Knowledge.of(known) is known
    assert Knowledge.of("a < b") == Knowledge(tiers=[["a"], ["b"]])
    assert Knowledge.of(known.to_dict()) == known
    for nothing in (None, "", " "):
        assert not Knowledge.of(nothing)
    for wrong in (["a", "b"], 3, {"tier": []}):
        with pytest.raises(GraphError, match="knowledge cannot be read"):
            Knowledge.of(wrong)


names = st.text(min_size=1, max_size=8).filter(str.strip)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(names, min_size=1, max_size=3), min_size=1, max_size=4))
def test_any_names_survive_as_quoted_tiers(tiers):
    def quoted(name):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = " < ".join(", ".join(quoted(name) for name in tier) for tier in tiers)
    assert Knowledge.parse_tiers(text) == tuple(tuple(tier) for tier in tiers)


def test_knowledge_survives_json_and_tells_its_forms():
    known = Knowledge(["a -> b"], [("b", "c")], [["a"], ["b"]], roots=["a"], leaves=["c"])
    assert Knowledge(**json.loads(json.dumps(known.to_dict()))) == known
    assert hash(Knowledge(**known.to_dict())) == hash(known)
    assert known.forms() == {"required", "forbidden", "tiers", "roots", "leaves"}
    assert known.names() == ("a", "b", "c")
    assert known
    assert not Knowledge()


def test_parts_of_knowledge_are_kept_and_joined():
    known = Knowledge(["a -> b"], ["b -> c"], [["a"], ["c", "b"]], roots=["a"], leaves=["c"])
    assert known.restrict(["a", "b"]) == Knowledge(["a -> b"], tiers=[["a"], ["b"]], roots=["a"])
    assert known.restrict([]) == Knowledge()
    assert known.merge(Knowledge(required=["a -> c"], tiers="b < c")) == Knowledge(
        ["a -> b", "a -> c"], ["b -> c"], [["b"], ["c"]], roots=["a"], leaves=["c"]
    )
    with pytest.raises(GraphError, match="cyclic"):
        known.merge(Knowledge(required=["b -> a"]))


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10**6))
def test_true_knowledge_of_a_graph_never_contradicts_itself(seed):
    rng = np.random.default_rng(seed)
    dag = truth.random_dag(6, 0.5, rng)
    edges = [(e.source, e.target) for e in dag.edges()]
    order = dag.topological_order()
    cut = int(rng.integers(1, 6))
    known = Knowledge(
        required=edges[:3],
        forbidden=[(b, a) for a, b in edges],
        tiers=[order[:cut], order[cut:]],
        roots=[name for name in order if not dag.parents(name)],
        leaves=[name for name in order if not dag.children(name)],
    )
    required, forbidden = known.for_names(dag.names)
    assert not (required & forbidden).any()
    assert all(known.allows(a, b) for a, b in edges)
