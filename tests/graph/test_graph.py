"""The graph itself: marks, kinds and what they allow, reading edges, relatives, immutability."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph import truth
from whence.errors import GraphError, ParameterError
from whence.graph import Edge, Graph, Mark

TAIL, ARROW, CIRCLE = Mark.TAIL, Mark.ARROW, Mark.CIRCLE
# text: mark at a, mark at b, how it is printed
EDGES = {
    "a -> b": (TAIL, ARROW, "a -> b"),
    "a --> b": (TAIL, ARROW, "a -> b"),
    "a <- b": (ARROW, TAIL, "b -> a"),
    "a <-- b": (ARROW, TAIL, "b -> a"),
    "a --- b": (TAIL, TAIL, "a --- b"),
    "a -- b": (TAIL, TAIL, "a --- b"),
    "a <-> b": (ARROW, ARROW, "a <-> b"),
    "a o-> b": (CIRCLE, ARROW, "a o-> b"),
    "a <-o b": (ARROW, CIRCLE, "b o-> a"),
    "a o-o b": (CIRCLE, CIRCLE, "a o-o b"),
    "a o-- b": (CIRCLE, TAIL, "b --o a"),
    "a --o b": (TAIL, CIRCLE, "a --o b"),
    "  a   ->\tb ": (TAIL, ARROW, "a -> b"),
}


@pytest.mark.parametrize("text", EDGES)
def test_edges_are_read_and_printed_as_the_field_writes_them(text):
    at_a, at_b, printed = EDGES[text]
    graph = Graph.from_edges([text], names="ab", kind="PAG")
    assert graph.edge("a", "b") == Edge("a", "b", at_a, at_b)
    assert graph.edge("b", "a") == Edge("b", "a", at_b, at_a)
    assert [str(edge) for edge in graph.edges()] == [printed]
    assert Graph.from_edges([printed], names="ab", kind="PAG") == graph
    assert (graph.marks[1, 0], graph.marks[0, 1]) == (at_a, at_b)


@pytest.mark.parametrize("text", ["a b", "a->b", "a -> b -> c", "-> b", "a ->", "a ~> b", "", "a <-> b o-o c"])
def test_texts_that_are_no_edge_are_refused(text):
    with pytest.raises(GraphError, match=r"connector|lacks a name") as caught:
        Graph.from_edges([text])
    assert caught.value.code == "E201"


def test_names_with_connectors_are_given_as_pairs():
    graph = Graph.from_edges([("a -> b", "c--d"), Edge("c--d", "x o-o y", TAIL, ARROW), "well-being <- c--d"])
    assert graph.names == ("a -> b", "c--d", "x o-o y", "well-being")
    assert graph.children("c--d") == ("x o-o y", "well-being")
    assert Graph.from_edges("a -> b") == Graph.from_edges(["a -> b"])


# kind: the edges it holds, and one for every mark it does not
KINDS = {
    "DAG": (["->"], ["---", "<->", "o->"]),
    "CPDAG": (["->", "---"], ["<->", "o-o"]),
    "PDAG": (["->", "---"], ["<->", "--o"]),
    "ADMG": (["->", "<->"], ["---", "o->"]),
    "MAG": (["->", "<->", "---"], ["o->", "o-o", "--o"]),
    "PAG": (["->", "<->", "---", "o->", "o-o", "--o"], []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_holds_its_edges_and_refuses_others(kind):
    allowed, refused = KINDS[kind]
    for join in allowed:
        assert str(Graph.from_edges([f"a {join} b"], kind=kind).edges()[0]) == f"a {join} b"
    for join in refused:
        with pytest.raises(GraphError, match=f"a {kind} cannot hold the edge 'a {join} b'"):
            Graph.from_edges([f"a {join} b"], kind=kind)
    with pytest.raises(GraphError, match=r"directed cycle: .*(a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)"):
        Graph.from_edges(["a -> b", "b -> c", "c -> a", "c -> d", "e -> a"], kind=kind)


def test_a_mag_is_ancestral():
    for edges, message in [
        (["a -> b", "b -> c", "a <-> c"], "'a' is an ancestor of 'c' and yet a <-> c"),
        (["a -> b", "b --- c"], "'b' has both an undirected edge and an arrowhead"),
        (["a <-> b", "b --- c"], "'b' has both an undirected edge and an arrowhead"),
    ]:
        with pytest.raises(GraphError, match=message):
            Graph.from_edges(edges, kind="MAG")


def test_exactly_the_ancestral_graphs_are_mags():
    names, tested = truth.letters(3), {True: 0, False: 0}
    joins = [None, (TAIL, ARROW), (ARROW, TAIL), (ARROW, ARROW), (TAIL, TAIL)]
    for code in range(5**3):
        chosen = [joins[code // 5**k % 5] for k in range(3)]
        edges = [Edge(a, b, *c) for (a, b), c in zip([("a", "b"), ("a", "c"), ("b", "c")], chosen) if c]
        expected = truth.is_ancestral(names, edges)
        tested[expected] += 1
        try:
            Graph.from_edges(edges, names=names, kind="MAG")
        except GraphError:
            assert not expected
        else:
            assert expected
    assert min(tested.values()) > 20


def test_wrong_names_and_matrices_are_refused_by_name():
    marks = np.zeros((2, 2), np.int8)
    marks[0, 1], marks[1, 0] = ARROW, TAIL
    half, odd, loop = marks.copy(), marks.copy(), marks.copy()
    half[1, 0], odd[0, 1], loop[1, 1] = 0, 7, TAIL
    for names, matrix, message in [
        (("a", "a"), marks, "'a' occur more than once"),
        (("a", ""), marks, "non-empty text; found ''"),
        (("a", 3), marks, "non-empty text; found 3"),
        (("a", "b", "c"), marks, "need a 3 x 3 mark matrix"),
        (("a", "b"), half, "between 'a' and 'b' lacks a mark"),
        (("a", "b"), odd, "between 'a' and 'b' lacks a mark at one end or has an unknown one"),
        (("a", "b"), loop, "'b' is joined to itself"),
    ]:
        with pytest.raises(GraphError, match=message):
            Graph(names, matrix)
    with pytest.raises(ParameterError, match=r"no graph kind 'TREE'.*'DAG'"):
        Graph(("a", "b"), marks, "TREE")
    with pytest.raises(GraphError, match="name 'c', not among"):
        Graph.from_edges(["a -> c"], names="ab")
    with pytest.raises(GraphError, match="'a' is joined to itself"):
        Graph.from_edges([("a", "a")])


def test_two_edges_between_two_nodes_are_a_bow_or_a_mistake():
    bow = Graph.from_edges(["a -> b", "b <-> a"], kind="ADMG")
    assert bow == Graph.from_edges(["a <-> b", "a -> b"], names="ab", kind="ADMG")
    assert [str(edge) for edge in bow.edges()] == ["a -> b", "a <-> b"]
    assert (bow.parents("b"), bow.siblings("b"), bow.adjacent("b")) == (("a",), ("a",), ("a",))
    for kind, edges in [("DAG", ["a -> b", "b -> a"]), ("ADMG", ["a -> b", "b -> a"]), ("MAG", ["a -> b", "a <-> b"])]:
        with pytest.raises(GraphError, match="two edges join"):
            Graph.from_edges(edges, kind=kind)
    assert Graph.from_edges(["a -> b", "b <- a"]) == Graph.from_edges(["a -> b"])
    with pytest.raises(GraphError, match="a DAG has at most one edge"):
        Graph(bow.names, bow.marks, "DAG", bow.bows)
    for wrong in ([(0, 5)], [(-1, 0)], [(1, 2)], [(0, 0)]):
        with pytest.raises(GraphError, match="is not beside a directed edge"):
            Graph("abc", Graph.from_edges(["a -> b", "b <-> c"], kind="ADMG").marks, "ADMG", wrong)


def test_relatives_by_hand():
    graph = Graph.from_edges(
        ["age -> dose", "dose -> pain", "sex -> pain", "dose <-> pain", "pain -> cure"],
        names=["cure", "pain", "dose", "age", "sex"],
        kind="ADMG",
    )
    assert graph.parents("pain") == ("dose", "sex")
    assert graph.children("dose") == ("pain",)
    assert graph.siblings("dose") == ("pain",)
    assert graph.adjacent("pain") == ("cure", "dose", "sex")
    assert graph.ancestors("pain") == ("dose", "age", "sex")
    assert graph.ancestors(["pain", "age"], include_self=True) == ("pain", "dose", "age", "sex")
    assert graph.descendants("dose") == ("cure", "pain")
    order = graph.topological_order()
    assert all(order.index(e.source) < order.index(e.target) for e in graph.edges() if e.is_directed)
    pag = Graph.from_edges(["a o-> b", "b -> c", "d o-o a", "c <-> e", "f o-> d"], kind="PAG")
    assert pag.possible_descendants("d") == ("a", "b", "c")
    assert pag.possible_ancestors("c") == ("a", "b", "d", "f")
    assert (pag.ancestors("c"), pag.siblings("c")) == (("b",), ("e",))
    assert Graph.from_edges(["a --- b"], kind="CPDAG").neighbours("a") == ("b",)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_ancestors_descendants_and_order_tell_the_same(seed):
    graph = truth.random_admg(7, 0.4, np.random.default_rng(seed))
    order = graph.topological_order()
    assert sorted(order) == sorted(graph.names)
    for name in graph.names:
        below = truth.directed_descendants(graph, name)
        assert set(graph.descendants(name, include_self=True)) == below
        assert all(order.index(name) <= order.index(other) for other in below)
        assert all(name in graph.ancestors(other) for other in below - {name})
    assert graph.is_acyclic()


def test_unknown_names_are_answered_with_the_closest():
    graph = Graph.from_edges(["treatment -> outcome", "age -> treatment"])
    with pytest.raises(GraphError, match=r"no node 'tretment' .*Nodes: 'treatment'\."):
        graph.parents("tretment")
    with pytest.raises(GraphError, match="'treatment', 'outcome', 'age'"):
        graph.ancestors(["zzzzz"])
    with pytest.raises(GraphError, match=r"Nodes: 'x{57}\.\.\.'"):
        Graph.from_edges([("x" * 300, "b")]).index("x" * 299)


def test_a_graph_does_not_change():
    marks = np.array([[0, 2], [1, 0]], np.int8)
    graph = Graph(("a", "b"), marks)
    marks[:] = 0
    assert graph.edge("a", "b").is_directed
    with pytest.raises(ValueError, match="read-only"):
        graph.marks[0, 1] = 0
    for attribute in ("names", "marks", "kind", "bows", "n_nodes"):
        with pytest.raises(AttributeError):
            setattr(graph, attribute, None)


def test_equal_graphs_are_equal_and_hash_alike_after_any_journey():
    graph = Graph.from_edges(["a -> b", "a <-> b", "b -> c"], kind="ADMG")
    for again in (pickle.loads(pickle.dumps(graph)), copy.copy(graph), copy.deepcopy(graph), graph.with_kind("ADMG")):
        assert again == graph
        assert hash(again) == hash(graph)
        assert not again.marks.flags.writeable
    different = [
        graph.subgraph(["b", "a", "c"]),
        graph.renamed({"a": "x"}),
        Graph.from_edges(["a -> b", "b -> c"], kind="ADMG"),
        Graph.from_edges(["a -> b", "b -> c"]),
    ]
    assert len({graph, *different}) == 5
    assert graph != "a graph"


def test_parts_and_other_names():
    graph = Graph.from_edges(["a -> b", "a <-> b", "b -> c"], kind="ADMG")
    part = graph.subgraph(["b", "a"])
    assert (part.names, [str(e) for e in part.edges()]) == (("b", "a"), ["a -> b", "b <-> a"])
    assert graph.subgraph("a").names == ("a",)
    assert graph.renamed({"a": "x", "q": "r"}).names == ("x", "b", "c")
    cpdag = Graph.from_edges(["a --- b", "b --- c"], kind="CPDAG")
    assert cpdag.subgraph(["c", "b", "a"]).kind == "CPDAG"
    assert cpdag.subgraph(["a", "b"]).kind == "PDAG"
    with pytest.raises(GraphError, match="occur more than once"):
        graph.subgraph(["a", "a"])
    with pytest.raises(GraphError, match="cannot hold the edge 'a --- b'"):
        cpdag.with_kind("DAG")


def test_a_graph_says_what_it_is():
    graph = Graph.from_edges([f"X{k} -> X{k + 1}" for k in range(20)])
    assert repr(graph).startswith("DAG with 21 nodes and 20 edges: X0 -> X1, X1 -> X2")
    assert repr(graph).endswith("and 8 more")
    assert repr(Graph.from_edges([])) == "DAG with 0 nodes and 0 edges: "
