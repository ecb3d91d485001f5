"""The ID algorithm's verdict against hedges searched by brute force, formulas evaluated, and published verdicts."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest

from tests.effects.truth import BinaryModel, random_admg, random_dag
from whence.effects.identify_frame import member_of
from whence.effects.identify_functional import blocking_district
from whence.graph import Graph


def test_the_formula_of_the_napkin_gives_the_effect():
    """Pearl & Mackenzie (2018): P(y | do(x)) = sum_w P(x, y | w, z) P(w) / sum_w P(x | w, z) P(w) for any z."""
    graph = Graph.from_edges(IDENTIFIED["napkin (Pearl & Mackenzie 2018)"], kind="ADMG")
    model = BinaryModel(graph, np.random.default_rng(1))
    for x, z in product((0, 1), repeat=2):
        both, alone = (
            sum(model.conditional(values, {"w": w, "z": z}) * model.probability({"w": w}) for w in (0, 1))
            for values in ({"x": x, "y": 1}, {"x": x})
        )
        assert both / alone == pytest.approx(model.probability({"y": 1}, do={"x": x}))


def _identified(graph: Graph, treatments: list[str], outcome: str, observed: list[str] | None = None) -> bool:
    model = member_of(graph, graph.indices(observed or graph.names))
    return blocking_district(model, graph.indices(treatments), graph.index(outcome)) is None


def _has_hedge(graph: Graph, treatments: set[str], outcome: str) -> bool:
    """Search two sets F' within F, each tied together by bidirected edges, as in Shpitser & Pearl (2006), theorem 4.

    F meets the treatments and F' does not; within F every node has a directed path to F'; and F' lies among the
    ancestors of the outcome once the edges into the treatments are gone.
    """
    arrows = {(e.source, e.target) for e in graph.edges() if e.is_directed}
    shared = {frozenset((e.source, e.target)) for e in graph.edges() if e.is_bidirected}

    def tied(nodes: frozenset[str]) -> bool:
        reached, stack = set(), [next(iter(nodes))]
        while stack:
            node = stack.pop()
            reached.add(node)
            stack += [other for other in nodes - reached if frozenset((node, other)) in shared]
        return reached == nodes

    def sources(nodes: set[str], within: set[str]) -> set[str]:
        while True:
            more = nodes | {a for a, b in arrows if b in nodes and a in within}
            if more == nodes:
                return nodes
            nodes = more

    kept = {(a, b) for a, b in arrows if b not in treatments}
    leading = {outcome}
    while (more := leading | {a for a, b in kept if b in leading}) != leading:
        leading = more
    groups = [
        frozenset(nodes)
        for k in range(1, graph.n_nodes + 1)
        for nodes in combinations(graph.names, k)
        if tied(frozenset(nodes))
    ]
    return any(
        inner < outer
        and not inner & treatments
        and outer & treatments
        and inner <= leading
        and sources(set(inner), set(outer)) == outer
        for inner in groups
        for outer in groups
    )


@pytest.mark.parametrize("seed", range(60))
def test_an_effect_is_not_identified_exactly_if_there_is_a_hedge(seed):
    rng = np.random.default_rng([5, seed])
    graph = random_admg(int(rng.integers(3, 7)), rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.4), rng)
    for x, y in permutations(graph.names, 2):
        assert _identified(graph, [x], y) != _has_hedge(graph, {x}, y), (graph, x, y)
    for x1, x2, y in list(permutations(graph.names, 3))[:20]:
        assert _identified(graph, [x1, x2], y) != _has_hedge(graph, {x1, x2}, y), (graph, x1, x2, y)


@pytest.mark.parametrize("seed", range(20))
def test_hidden_nodes_and_their_projection_give_the_same_verdict(seed):
    rng = np.random.default_rng([6, seed])
    graph = random_dag(8, 0.35, rng)
    observed = sorted(rng.choice(graph.names, 5, replace=False).tolist())
    projected = graph.latent_projection(observed)
    for x, y in permutations(observed, 2):
        assert _identified(graph, [x], y, observed) == _identified(projected, [x], y)


IDENTIFIED = {
    "front door": ["x -> m", "m -> y", "x <-> y"],
    "back door": ["w -> x", "w -> y", "x -> y"],
    "napkin (Pearl & Mackenzie 2018)": ["w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y"],
    "Verma graph (Verma & Pearl 1990)": ["x -> b", "b -> c", "c -> y", "b <-> y"],
    "M graph": ["x -> y", "x <-> m", "m <-> y"],
    "no hidden cause ties the treatment to its child (Tian & Pearl 2002)": [
        "z -> x", "x -> m", "m -> y", "z -> y", "x <-> z", "z <-> y", "x <-> y",
    ],
}  # fmt: skip
NOT_IDENTIFIED = {
    "bow": ["x -> y", "x <-> y"],
    "bow before a mediator": ["x -> m", "m -> y", "x <-> m"],
    "instrument": ["z -> x", "x -> y", "x <-> y"],
    "covariate between hidden causes": ["z -> y", "x -> y", "x <-> z", "z <-> y", "z -> x"],
    "hidden cause of mediator and treatment, of mediator and outcome": ["x -> m", "m -> y", "x <-> y", "m <-> y"],
}


@pytest.mark.parametrize("edges", IDENTIFIED.values(), ids=IDENTIFIED)
def test_published_graphs_that_are_identified(edges):
    graph = Graph.from_edges(edges, kind="ADMG")
    assert _identified(graph, ["x"], "y")
    assert not _has_hedge(graph, {"x"}, "y")


@pytest.mark.parametrize("edges", NOT_IDENTIFIED.values(), ids=NOT_IDENTIFIED)
def test_published_graphs_that_are_not_identified(edges):
    graph = Graph.from_edges(edges, kind="ADMG")
    assert not _identified(graph, ["x"], "y")
    assert _has_hedge(graph, {"x"}, "y")
