"""Separation, blankets, moral graphs and latent projections against the definitions and networkx."""

from __future__ import annotations

from itertools import combinations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph import truth
from whence.errors import GraphError
from whence.graph import Graph

KINDS_OF_MODELS = {
    "chain": (["a -> b", "b -> c"], "DAG", True),
    "fork": (["b -> a", "b -> c"], "DAG", True),
    "collider": (["a -> b", "c -> b"], "DAG", False),
    "hidden cause": (["a <-> b", "b -> c"], "ADMG", True),
    "hidden collider": (["a <-> b", "b <-> c"], "ADMG", False),
    "bow": (["a -> b", "a <-> b", "b -> c"], "ADMG", True),
    "selection": (["a --- b", "b --- c"], "MAG", True),
    "class": (["a --- b", "b --- c"], "CPDAG", True),
    "class of mags": (["a o-o b", "b o-o c"], "PAG", True),
    "collider of mags": (["a o-> b", "c o-> b"], "PAG", False),
    "open tail": (["b --o a", "b --o c"], "PAG", True),
}


@pytest.mark.parametrize("case", KINDS_OF_MODELS)
def test_the_middle_of_three_blocks_or_opens_by_its_kind(case):
    edges, kind, blocks = KINDS_OF_MODELS[case]
    graph = Graph.from_edges(edges, kind=kind)
    assert graph.separated("a", "c", given="b") is blocks
    assert graph.separated("a", "c") is not blocks


@pytest.mark.parametrize("p", [2, 3, 4])
def test_separation_is_its_definition_on_every_small_dag(p):
    dags = truth.all_dags(p)
    assert len(dags) == {2: 3, 3: 25, 4: 543}[p]
    for dag in dags:
        assert {
            (x, y, frozenset(z))
            for x, y in combinations(dag.names, 2)
            for z in truth.subsets([n for n in dag.names if n not in (x, y)])
            if dag.separated(x, y, z)
        } == truth.separations(dag)


def test_separation_is_its_definition_on_every_small_mag():
    for mag in [*truth.all_mags(3, undirected=True), *truth.all_mags(4)[::7]]:
        for x, y in combinations(mag.names, 2):
            for z in truth.subsets([n for n in mag.names if n not in (x, y)]):
                assert mag.separated(x, y, z) != truth.open_path(mag, x, y, z)


@pytest.mark.parametrize("seed", range(12))
def test_separation_is_its_definition_on_random_mixed_graphs(seed):
    rng = np.random.default_rng(seed)
    graph = truth.random_admg(5, 0.45, rng)
    for x, y in combinations(graph.names, 2):
        for z in truth.subsets([n for n in graph.names if n not in (x, y)]):
            assert graph.separated(x, y, z) != truth.open_path(graph, x, y, z), (graph, x, y, z)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.integers(3, 30), st.data())
def test_networkx_agrees_on_sets_of_nodes(seed, p, data):
    rng = np.random.default_rng(seed)
    adjacency = np.triu(rng.random((p, p)) < rng.uniform(0.5, 3) / p, k=1)
    dag = Graph.from_adjacency([f"X{k}" for k in range(p)], adjacency)
    place = data.draw(st.lists(st.sampled_from("xyzo"), min_size=p, max_size=p))
    x, y, z = ({name for name, where in zip(dag.names, place) if where == letter} for letter in "xyz")
    if x and y:
        assert dag.separated(x, y, z) == networkx.is_d_separator(dag.to_networkx(), x, y, z)


@pytest.mark.parametrize("seed", range(30))
def test_the_moral_graph_of_the_ancestors_decides_separation(seed):
    rng = np.random.default_rng(seed)
    graph = truth.random_dag(6, 0.4, rng) if seed % 2 else truth.random_admg(6, 0.35, rng)
    for _ in range(40):
        x, y, *z = (graph.names[k] for k in rng.permutation(6)[: rng.integers(2, 6)])
        above = graph.ancestors([x, y, *z], include_self=True)
        moral = networkx.Graph(graph.subgraph(above).moral().to_networkx())
        moral.remove_nodes_from(z)
        assert graph.separated(x, y, z) != networkx.has_path(moral, x, y)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_the_moral_graph_joins_parents_and_drops_directions(p):
    for dag in truth.all_dags(p):
        moral = dag.moral()
        assert truth.skeleton(moral) == {
            frozenset(edge) for edge in networkx.moral_graph(networkx.DiGraph(dag.to_networkx())).edges
        }
        assert all(edge.is_undirected for edge in moral.edges())
        assert moral.names == dag.names


@pytest.mark.parametrize("seed", range(20))
def test_the_blanket_is_the_one_smallest_set_that_separates_from_all_else(seed):
    rng = np.random.default_rng(seed)
    graph = truth.random_dag(5, 0.5, rng) if seed % 2 else truth.random_admg(5, 0.4, rng)
    for name in graph.names:
        others = [other for other in graph.names if other != name]
        shielding = [z for z in truth.subsets(others) if all(
            not truth.open_path(graph, name, other, z) for other in others if other not in z
        )]  # fmt: skip
        smallest = [z for z in shielding if len(z) == len(shielding[0])]
        assert smallest == [graph.markov_blanket(name)]


def test_a_class_has_the_blanket_of_its_members():
    for dag in truth.all_dags(4)[::5]:
        cpdag = dag.to_cpdag()
        for name in dag.names:
            assert cpdag.markov_blanket(name) == dag.markov_blanket(name)
    assert Graph.from_edges(["a o-> b", "c o-> b"], kind="PAG").markov_blanket("a") == ("b", "c")


@pytest.mark.parametrize("seed", range(25))
def test_a_latent_projection_keeps_what_the_observed_show(seed):
    rng = np.random.default_rng(seed)
    graph = truth.random_dag(7, 0.4, rng) if seed % 2 else truth.random_admg(6, 0.4, rng)
    kept = [str(name) for name in rng.permutation(graph.names)[:4]]
    projected = graph.latent_projection(kept)
    assert projected.kind == "ADMG"
    assert projected.names == tuple(kept)
    for name in kept:
        assert set(projected.ancestors(name)) == set(graph.ancestors(name)) & set(kept)
    for x, y in combinations(kept, 2):
        for z in truth.subsets([n for n in kept if n not in (x, y)]):
            assert projected.separated(x, y, z) != truth.open_path(graph, x, y, z)


def test_latent_projections_by_hand():
    cases = {
        "hidden cause": (["u -> a", "u -> b"], ["a <-> b"]),
        "hidden mediator": (["a -> u", "u -> b"], ["a -> b"]),
        "confounded cause": (["a -> b", "u -> a", "u -> b"], ["a -> b", "a <-> b"]),
        "two hidden in a row": (["u -> v", "v -> a", "u -> b"], ["a <-> b"]),
        "a hidden collider shows nothing": (["a -> u", "b -> u"], []),
    }
    for edges, expected in cases.values():
        graph = Graph.from_edges(edges)
        projected = graph.latent_projection([name for name in ("a", "b") if name in graph.names])
        assert [str(edge) for edge in projected.edges()] == expected
    tied = Graph.from_edges(["a <-> u", "u -> b", "u -> c"], kind="ADMG").latent_projection(["a", "b", "c"])
    assert {str(edge) for edge in tied.edges()} == {"a <-> b", "a <-> c", "b <-> c"}
    assert tied.latent_projection("a").names == ("a",)


def test_an_order_of_projections_does_not_matter():
    for seed in range(20):
        graph = truth.random_admg(6, 0.4, np.random.default_rng(seed))
        twice = graph.latent_projection(["a", "b", "c", "d"]).latent_projection(["a", "b", "c"])
        assert twice == graph.latent_projection(["a", "b", "c"])


def test_separation_refuses_overlaps_and_unknown_names():
    graph = Graph.from_edges(["age -> dose", "dose -> pain"])
    with pytest.raises(GraphError, match="'dose' stands in two of the three sets"):
        graph.separated("dose", "pain", given=["dose"])
    with pytest.raises(GraphError, match=r"no node 'doze'.*'dose'"):
        graph.separated("age", "pain", given="doze")
    with pytest.raises(GraphError, match="latent projection needs a DAG or ADMG, not a CPDAG"):
        graph.to_cpdag().latent_projection(["age"])


def test_separation_in_a_class_that_has_no_member_is_refused():
    square = Graph.from_edges(["a --- b", "b --- c", "c --- d", "d --- a"], kind="CPDAG")
    with pytest.raises(GraphError, match="no consistent extension"):
        square.separated("a", "c", given="b")


def test_separation_takes_time_in_proportion_to_the_edges():
    # Listing paths or multiplying matrices would not come to an end here.
    p = 2000
    ladder = Graph.from_edges([(f"X{a}", f"X{b}") for a in range(p) for b in (a + 1, a + 2) if b < p])
    assert not ladder.separated("X0", f"X{p - 1}", given=f"X{p // 2}")
    assert ladder.separated("X0", f"X{p - 1}", given=[f"X{p // 2}", f"X{p // 2 + 1}"])
