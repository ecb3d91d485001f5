"""Equivalence classes of DAGs and MAGs, Meek's rules and extensions against listing every graph."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest

from tests.graph import truth
from whence.errors import GraphError
from whence.graph import Edge, Graph, Knowledge, Mark
from whence.graph.orientation import meek
from whence.graph.projection import maximal_ancestral, member_of_pag


def classes_of(dags):
    """Group DAGs by skeleton and v-structures (Verma and Pearl 1990)."""
    groups = defaultdict(list)
    for dag in dags:
        groups[truth.skeleton(dag), truth.v_structures(dag)].append(dag)
    return list(groups.values())


def union(dags):
    """Return the graph in which an edge is directed if all DAGs agree on it."""
    common = frozenset.intersection(*(truth.arrows(dag) for dag in dags))
    edges = []
    for pair in truth.skeleton(dags[0]):
        a, b = sorted(pair)
        directed = [(x, y) for x, y in ((a, b), (b, a)) if (x, y) in common]
        edges.append(directed[0] if directed else Edge(a, b, Mark.TAIL, Mark.TAIL))
    return Graph.from_edges(edges, names=dags[0].names, kind="CPDAG")


# Numbers of classes: Gillispie and Perlman (2001), table 1.
@pytest.mark.parametrize(("p", "classes"), [(2, 2), (3, 11), (4, 185)])
def test_the_class_of_every_small_dag_is_what_its_members_share(p, classes):
    groups = classes_of(truth.all_dags(p))
    assert len(groups) == classes
    for group in groups:
        shared = union(group)
        for dag in group:
            assert dag.to_cpdag() == shared
        assert set(shared.members()) == set(group)
        assert shared.extension() in group
        assert shared.to_cpdag() == shared


def test_dags_of_a_class_are_equivalent_and_no_others():
    groups = classes_of(truth.all_dags(3))
    for (k, one), (m, other) in combinations(enumerate(groups), 2):
        assert k != m
        assert not one[0].equivalent_to(other[-1])
    for group in groups:
        assert all(group[0].equivalent_to(dag) and dag.equivalent_to(group[0].to_cpdag()) for dag in group)
        assert len({truth.separations(dag) for dag in group}) == 1


@pytest.mark.parametrize("seed", range(15))
def test_the_class_of_a_random_dag_is_what_its_members_share(seed):
    rng = np.random.default_rng(seed)
    dag = truth.random_dag(int(rng.integers(5, 7)), rng.uniform(0.2, 0.7), rng)
    undirected = [Edge(e.source, e.target, Mark.TAIL, Mark.TAIL) for e in dag.edges()]
    heads = {(a, c) for pair, c in truth.v_structures(dag) for a in pair}
    pattern = [e for e in undirected if not {(e.source, e.target), (e.target, e.source)} & heads] + sorted(heads)
    members = truth.consistent_extensions(Graph.from_edges(pattern, names=dag.names, kind="PDAG"))
    assert dag.to_cpdag() == union(members)
    assert set(dag.to_cpdag().members()) == set(members)


@pytest.mark.parametrize("seed", range(40))
def test_knowledge_and_meeks_rules_direct_all_that_follows_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    dag = truth.random_dag(5, rng.uniform(0.5, 0.95), rng)
    marks = np.array(dag.to_cpdag().marks)
    for edge in dag.edges():  # some true directions are known
        if rng.random() < 0.3:
            i, j = dag.indices([edge.source, edge.target])
            marks[i, j], marks[j, i] = Mark.ARROW, Mark.TAIL
    known = Graph(dag.names, marks, "PDAG")
    members = [member for member in dag.to_cpdag().members() if truth.arrows(known) <= truth.arrows(member)]
    assert Graph(dag.names, meek(marks), "CPDAG") == union(members)
    assert set(Graph(dag.names, meek(marks), "PDAG").members()) == set(members)


def test_each_of_meeks_rules_by_hand():
    cases = {
        "R1": (["a -> b", "b --- c"], "b -> c"),
        "R2": (["a -> b", "b -> c", "a --- c"], "a -> c"),
        "R3": (["a --- b", "a --- c", "a --- d", "c -> b", "d -> b"], "a -> b"),
        "R4": (["a --- b", "a --- c", "a --- d", "c -> d", "d -> b"], "a -> b"),
    }
    for edges, forced in cases.values():
        graph = Graph.from_edges(edges, kind="PDAG")
        closed = {str(edge) for edge in Graph(graph.names, meek(graph.marks), "PDAG").edges()}
        assert forced in closed
        assert len(closed) == len(edges)


def every_pdag(p):
    """Yield partly directed graphs: every mixture of no edge, ->, <-, --- that has no directed cycle."""
    names = truth.letters(p)
    pairs = list(combinations(names, 2))
    for code in range(4 ** len(pairs)):
        edges = []
        for k, (a, b) in enumerate(pairs):
            choice = code // 4**k % 4
            if choice:
                edges.append([(a, b), (b, a), Edge(a, b, Mark.TAIL, Mark.TAIL)][choice - 1])
        if truth.acyclic(names, [edge for edge in edges if not isinstance(edge, Edge)]):
            yield Graph.from_edges(edges, names=names, kind="PDAG")


def test_every_small_partly_directed_graph_is_extended_if_it_can_be():
    seen = {True: 0, False: 0}
    for graph in [*every_pdag(3), *list(every_pdag(4))[::8]]:
        expected = truth.consistent_extensions(graph)
        seen[bool(expected)] += 1
        assert set(graph.members()) == set(expected), graph
        if expected:
            assert graph.extension() in expected
        else:
            with pytest.raises(GraphError, match="no consistent extension"):
                graph.extension()
    assert min(seen.values()) > 30


def test_members_are_listed_one_by_one_and_no_more_than_asked():
    complete = Graph.from_edges([f"X{a} --- X{b}" for a, b in combinations(range(20), 2)], kind="CPDAG")
    assert len(list(complete.members(limit=3))) == 3
    triangle = Graph.from_edges(["a --- b", "b --- c", "a --- c"], kind="CPDAG")
    assert len(set(triangle.members())) == 6
    with pytest.raises(GraphError, match="listing members needs a DAG or CPDAG or PDAG, not a MAG"):
        Graph.from_edges(["a <-> b"], kind="MAG").members()


def test_a_dag_is_the_member_of_itself():
    dag = Graph.from_edges(["a -> b"])
    assert list(dag.members()) == [dag]
    assert dag.extension() is dag


def test_mags_are_equivalent_if_they_have_the_same_separations():
    # On three nodes with undirected edges, on four without: enough for discriminating paths.
    rng = np.random.default_rng(0)
    for mags in (truth.all_mags(3, undirected=True), truth.all_mags(4)):
        groups, alike = defaultdict(list), defaultdict(list)
        for mag in mags:
            groups[truth.separations(mag)].append(mag)
        same = [pair for group in groups.values() for pair in combinations(group, 2)]
        for group in groups.values():
            alike[truth.skeleton(group[0])].append(group[-1])
        apart = [pair for firsts in alike.values() for pair in combinations(firsts, 2)]
        for pairs, expected in ((same, True), (apart, False)):
            for k in rng.permutation(len(pairs))[:250]:
                assert pairs[k][0].equivalent_to(pairs[k][1]) is expected


def test_a_discriminating_path_tells_two_mags_apart():
    # Ali, Richardson and Spirtes (2009), figure 1: x -> q <-> b, q -> y; b is a collider there or not.
    shared = ["x -> q", "q -> y"]
    collider = Graph.from_edges([*shared, "q <-> b", "b <-> y"], kind="MAG")
    other = Graph.from_edges([*shared, "q <-> b", "b -> y"], kind="MAG")
    assert truth.skeleton(collider) == truth.skeleton(other)
    assert not collider.equivalent_to(other)


def test_graphs_of_different_kinds_are_compared_by_their_separations():
    dag = Graph.from_edges(["a -> b", "b -> c"])
    for text, kind, alike in [
        (["a <-> b", "b -> c"], "ADMG", True),
        (["a <-> b", "b <-> c"], "MAG", False),
        (["a --- b", "b --- c"], "MAG", True),
        (["a o-o b", "b o-o c"], "PAG", True),
        (["a o-> b", "c o-> b"], "PAG", False),
        (["a -> b", "a <-> b", "b -> c"], "ADMG", True),
    ]:
        other = Graph.from_edges(text, kind=kind)
        assert dag.equivalent_to(other) is alike
        assert other.equivalent_to(dag) is alike
        assert dag.to_cpdag().equivalent_to(other) is alike
    assert not dag.equivalent_to(Graph.from_edges(["a -> b", "b -> d"]))


@pytest.mark.parametrize("seed", range(25))
def test_the_mag_of_a_mixed_graph_has_its_separations_and_ancestors(seed):
    graph = truth.random_admg(5, 0.4, np.random.default_rng(seed))
    mag = maximal_ancestral(graph)
    assert truth.separations(mag) == truth.separations(graph)
    for edge in mag.edges():
        assert edge.is_directed is (edge.source in graph.ancestors(edge.target))
    assert mag.equivalent_to(graph)


def test_a_mag_of_a_class_has_the_separations_of_all_its_members():
    groups = defaultdict(list)
    for mag in truth.all_mags(4):
        groups[truth.separations(mag)].append(mag)
    for shown, group in groups.items():
        marks = np.array([mag.marks for mag in group])
        pag = Graph(group[0].names, np.where((marks == marks[0]).all(axis=0), marks[0], Mark.CIRCLE), "PAG")
        member = member_of_pag(pag)
        assert truth.separations(member) == shown
        assert pag.equivalent_to(group[-1])
        assert pag.separated("a", "b", ["c"]) == (("a", "b", frozenset("c")) in shown)


def test_knowledge_as_required_edges_leaves_the_members_that_keep_it():
    line = Graph.from_edges(["a --- b", "b --- c"], kind="CPDAG")
    required, _ = Knowledge(required=["a -> b"]).for_names(line.names)
    marks = np.array(line.marks)
    marks[required] = Mark.ARROW
    assert [str(e) for e in Graph(line.names, meek(marks), "PDAG").edges()] == ["a -> b", "b -> c"]
