"""The orientation rules of Zhang (2008) one by one, by hand; what possible-d-sep reaches; contradictions refused."""

from __future__ import annotations

import numpy as np
import pytest

from whence.discovery._pag import PartialGraph, complete, discriminating_path, is_class
from whence.discovery._possible_d_sep import blocks, possible_d_sep
from whence.graph import Graph
from whence.graph.marks import as_edge, assemble

NODES = "abcdefgh"


def graph_of(edges: str) -> PartialGraph:
    """Return the marks of edges such as ``a o-> b, b o-o c``."""
    listed = [as_edge(text) for text in edges.split(", ")]
    names = sorted({name for edge in listed for name in (edge.source, edge.target)})
    marks, _ = assemble(listed, names, "PAG")
    graph = PartialGraph(marks != 0)
    for i, j in np.argwhere(marks):
        graph.at[i][j] = int(marks[i, j])
    return graph


def closed(edges: str, *, inside: bool | None = None, selection: bool = False, longest: int | None = None) -> set[str]:
    """Return the edges after all rules; ``inside`` answers every question of rule R4."""
    graph = graph_of(edges)
    complete(graph, lambda path: inside, selection=selection, longest=longest)
    names = NODES[: len(graph.at)]
    return {str(edge) for edge in Graph(names, graph.marks(), "PAG").edges()}


def test_rule_1_leads_away_from_an_arrowhead():
    assert closed("a o-> b, b o-o c") == {"a o-> b", "b -> c"}
    assert closed("a o-> b, b o-o c, a o-o c") == {"a o-> b", "b o-o c", "a o-o c"}


@pytest.mark.parametrize("way", ["a -> b, b o-> c", "a o-> b, b -> c"])
def test_rule_2_goes_over_an_ancestor(way):
    assert closed(f"{way}, a o-o c") & {"a o-> c", "a -> c"}


def test_rule_2_needs_one_tail():
    assert "a o-o c" in closed("a <-> b, b <-> c, a o-o c")


def test_rule_3_meets_a_collider():
    assert "d o-> b" in closed("a o-> b, c o-> b, a o-o d, c o-o d, d o-o b")
    assert "b o-o d" in closed("a o-> b, c o-> b, a o-o d, c o-o d, d o-o b, a o-o c")


# d *-> a is a collider and a parent of c; d and c are apart: the path d, a, b, c discriminates for b.
DISCRIMINATES = "d <-> a, a <-> b, a -> c, b o-o c"


def test_rule_4_asks_what_separates_the_ends():
    assert "b -> c" in closed(DISCRIMINATES, inside=True)
    assert "b <-> c" in closed(DISCRIMINATES, inside=False)
    assert "b o-> c" in closed(DISCRIMINATES, inside=None)  # by R2 alone


def test_the_shortest_discriminating_path_is_found_and_a_limit_is_noted():
    graph = graph_of("e o-> d, d <-> a, a <-> b, a -> c, d -> c, b o-o c")
    a, b, c, d, e = range(5)
    assert discriminating_path(graph, b, c) == (e, d, a, b, c)
    assert not graph.cut
    assert discriminating_path(graph, b, c, longest=3) is None
    assert graph.cut
    assert discriminating_path(graph_of(DISCRIMINATES), b, c, longest=3) == (d, a, b, c)


def test_rule_5_undirects_an_uncovered_circle():
    circle = "a o-o b, b o-o c, c o-o d, a o-o d"
    assert closed(circle, selection=True) == {"a --- b", "b --- c", "c --- d", "a --- d"}
    assert closed(circle) == {"a o-o b", "b o-o c", "c o-o d", "a o-o d"}
    shielded = f"{circle}, a o-o c"
    assert all("o-o" in edge for edge in closed(shielded, selection=True))


def test_rules_6_and_7_lead_away_from_selection():
    assert closed("a --- b, b o-> c, a o-> c", selection=True) == {"a --- b", "b -> c", "a -> c"}
    assert closed("a --o b, b o-> c", selection=True) == {"a --o b", "b -> c"}


def test_rule_8_closes_a_directed_path():
    assert "a -> c" in closed("a -> b, b -> c, a o-> c")
    assert "a -> c" in closed("a --o b, b -> c, a o-> c", selection=True)


def test_rule_9_follows_an_uncovered_path():
    assert "a -> d" in closed("a o-o b, b o-> c, c o-> d, a o-> d")
    # b is joined to d: the path is covered where it matters.
    assert "a o-> d" in closed("a o-o b, b o-> c, c o-> d, a o-> d, b o-o d")


def test_rule_10_takes_two_ways():
    assert "a -> c" in closed("b -> c, d -> c, a o-o b, a o-o d, a o-> c")
    assert "a o-> c" in closed("b -> c, d -> c, a o-o b, a o-o d, a o-> c, b o-o d")


def test_a_mark_that_closes_a_cycle_is_refused():
    graph = graph_of("a -> b, b -> c, a o-o c")
    assert not graph.direct(2, 0)
    assert not graph.put((2, 0, 2), (0, 2, 2))  # a <-> c, though a is an ancestor of c
    assert graph.at[0][2] == graph.at[2][0] == 3
    assert len(graph.refused) == 2
    assert graph.direct(0, 2)
    assert not graph.direct(0, 2)  # nothing new
    assert len(graph.refused) == 2


def test_a_directed_edge_may_not_make_an_ancestor_of_a_sibling():
    graph = graph_of("a -> b, b o-o c, c -> d, a <-> d")
    assert not graph.direct(1, 2)
    assert graph.refused


def test_marks_of_a_class_are_told_from_others():
    marks = graph_of("a o-> b, c o-> b, b -> d").marks()
    assert is_class(marks, selection=False, known=False)
    assert not is_class(graph_of("a o-> b, c o-> b, b o-o d").marks(), selection=False, known=False)
    # A circle of four without a chord is no class: every direction makes a collider.
    assert not is_class(graph_of("a o-o b, b o-o c, c o-o d, a o-o d").marks(), selection=False, known=False)
    directed = graph_of("a -> b").marks()
    assert not is_class(directed, selection=False, known=False)
    assert is_class(directed, selection=False, known=True)


def test_possible_d_sep_passes_colliders_and_triangles_only():
    a, b, c, d = range(4)
    assert possible_d_sep(graph_of("a o-> b, c o-> b, c o-o d"), a) == {b, c}
    assert possible_d_sep(graph_of("a o-o b, b o-o c, a o-o c, c o-o d"), a) == {b, c}
    assert possible_d_sep(graph_of("a o-o b, b o-o c"), a) == {b}
    assert possible_d_sep(graph_of("a o-> b, b <-> c, d o-> c"), a) == {b, c, d}


def test_blocks_are_the_biconnected_components():
    nx = pytest.importorskip("networkx")
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = int(rng.integers(2, 14))
        joined = np.triu(rng.random((p, p)) < rng.uniform(0.1, 0.4), 1)
        expected = {}
        for component in nx.biconnected_components(nx.from_numpy_array(joined | joined.T)):
            within = {(i, j): frozenset(component) for i, j in np.argwhere(joined) if {i, j} <= component}
            expected.update(within)
        assert blocks(PartialGraph(joined | joined.T)) == expected
