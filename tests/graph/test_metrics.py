"""Distances between graphs against hand counts and against the effects of linear models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph import truth
from whence.errors import GraphError
from whence.graph import Graph
from whence.graph.metrics import Scores, adjustment_distance, arrowhead_scores, shd, sid, skeleton_scores

TRUTH = ["a -> b", "b -> c", "a -> d"]
# found edges: strict distance, distance of the classes
DISTANCES = {
    "the same": (["a -> b", "b -> c", "a -> d"], 0, 0),
    "one turned within the class": (["b -> a", "b -> c", "a -> d"], 1, 0),
    "one turned out of the class": (["a -> b", "c -> b", "a -> d"], 1, 2),
    "one missing": (["a -> b", "b -> c"], 1, 1),
    "one too many": (["a -> b", "b -> c", "a -> d", "a -> c"], 1, 1),
    "one moved": (["a -> b", "a -> c", "a -> d"], 2, 2),
    "none": ([], 3, 3),
}


@pytest.mark.parametrize("case", DISTANCES)
def test_hamming_distance_counts_pairs_by_hand(case):
    edges, strict, classes = DISTANCES[case]
    one, other = Graph.from_edges(TRUTH, names="abcd"), Graph.from_edges(edges, names="dcba")
    assert shd(one, other) == shd(other, one) == strict
    assert shd(one, other, class_aware=True) == classes
    assert shd(one, other.to_cpdag(), class_aware=True) == classes


def test_hamming_distance_sees_marks_and_bows():
    pag = Graph.from_edges(["a o-> b", "b -> c"], kind="PAG")
    assert shd(pag, Graph.from_edges(["a -> b", "b -> c"], kind="PAG")) == 1
    assert shd(pag, Graph.from_edges(["b o-> a", "b -> c"], kind="PAG")) == 1
    bow = Graph.from_edges(["a -> b", "a <-> b", "b -> c"], kind="ADMG")
    assert shd(bow, Graph.from_edges(["a -> b", "b -> c"], kind="ADMG")) == 1
    assert shd(bow, Graph.from_edges(["a <-> b", "b -> c"], kind="ADMG")) == 1
    assert shd(bow, Graph.from_edges(["b -> a", "a <-> b", "b -> c"], kind="ADMG")) == 1
    assert shd(bow, Graph.from_edges(["c <- b", "b <-> a", "b <- a"], kind="ADMG")) == 0


def test_precision_and_recall_by_hand():
    one = Graph.from_edges(["a -> b", "b -> c", "c -> d", "a -> d"])
    other = Graph.from_edges(["a -> b", "c -> b", "b -> d"], names="abcd")
    # Adjacencies: claimed ab, bc, bd; there ab, bc, cd, ad.
    assert skeleton_scores(one, other) == Scores(2 / 3, 1 / 2, 4 / 7)
    # Arrowheads: claimed at b twice and at d from b; there at b from a, at c from b, at d twice.
    assert arrowhead_scores(one, other) == Scores(1 / 3, 1 / 4, 2 / 7)


def test_nothing_right_scores_nothing_even_where_as_much_is_claimed_as_there_is():
    one, other = Graph.from_edges(["a -> b"], names="abc"), Graph.from_edges(["b -> c"], names="abc")
    assert skeleton_scores(one, other) == Scores(0.0, 0.0, 0.0)
    assert arrowhead_scores(one, Graph.from_edges(["b -> a"], names="abc")) == Scores(0.0, 0.0, 0.0)


def test_empty_graphs_claim_nothing_wrong():
    nothing, something = Graph.from_edges([], names="ab"), Graph.from_edges(["a -> b"])
    assert skeleton_scores(nothing, nothing) == Scores(1.0, 1.0, 1.0)
    assert skeleton_scores(something, nothing) == Scores(1.0, 0.0, 0.0)
    assert skeleton_scores(nothing, something) == Scores(0.0, 1.0, 0.0)
    assert adjustment_distance(Graph.from_edges([], names="a"), Graph.from_edges([], names="a")) == 0


def test_class_aware_arrowheads_are_those_that_data_settle():
    one = Graph.from_edges(["a -> c", "b -> c", "c -> d", "e -> f"])
    other = Graph.from_edges(["a -> c", "b -> c", "c -> d", "f -> e"])
    assert arrowhead_scores(one, other).f1 == 3 / 4
    assert arrowhead_scores(one, other, class_aware=True) == Scores(1.0, 1.0, 1.0)
    bow = Graph.from_edges(["a -> b", "a <-> b"], kind="ADMG")
    # The bow has three arrowheads: at b twice and at a.
    assert arrowhead_scores(bow, Graph.from_edges(["a -> b"], kind="ADMG")).recall == 1 / 3


def effects(dag, rng):
    """Return covariance and total effects of a linear model with weights that cancel nowhere."""
    p = dag.n_nodes
    weights = np.zeros((p, p))
    for edge in dag.edges():
        i, j = dag.indices([edge.source, edge.target])
        weights[i, j] = rng.uniform(0.4, 1.5) * rng.choice([-1, 1])
    total = np.linalg.inv(np.eye(p) - weights)
    return total.T @ np.diag(rng.uniform(0.5, 2, p)) @ total, total


def parent_adjustment_fails(model, dag, x, y, parents):
    """Return whether regression on x and the claimed parents misses the effect of x on y."""
    covariance, total = model
    i, j, *rest = dag.indices([x, y, *parents])
    if y in parents:
        return abs(total[i, j]) > 1e-9
    rows = [i, *rest]
    slope = np.linalg.solve(covariance[np.ix_(rows, rows)], covariance[rows, j])[0]
    return abs(slope - total[i, j]) > 1e-9


def pairs(graph):
    return [(x, y) for x in graph.names for y in graph.names if x != y]


@pytest.mark.parametrize("p", [3, 4, 6])
def test_intervention_distance_counts_wrong_effects_of_linear_models(p):
    rng = np.random.default_rng(p)
    for _ in range(60):
        dag, claim = (truth.random_dag(p, rng.uniform(0.2, 0.9), rng) for _ in range(2))
        model = effects(dag, rng)
        wrong = sum(parent_adjustment_fails(model, dag, x, y, claim.parents(x)) for x, y in pairs(dag))
        assert sid(dag, claim) == wrong
        assert adjustment_distance(dag, claim) == pytest.approx(wrong / (p * (p - 1)))


def test_intervention_distance_by_hand():
    cause = Graph.from_edges(["a -> b"])
    nothing = Graph.from_edges([], names="ab")
    assert sid(cause, cause) == 0
    # Without an edge b is regressed on a, which is right, and a on b, which is not.
    assert sid(cause, nothing) == 1
    assert sid(cause, Graph.from_edges(["b -> a"])) == 2
    # No effect is there: any adjustment finds none.
    assert sid(nothing, cause) == 0


def test_a_graph_with_edges_too_many_in_the_right_order_gets_every_effect_right():
    # Peters and Bühlmann (2015): the distance is 0 exactly if the true graph is part of the found one.
    rng = np.random.default_rng(1)
    for _ in range(40):
        dag, claim = (truth.random_dag(4, 0.6, rng) for _ in range(2))
        assert (sid(dag, claim) == 0) is (truth.arrows(dag) <= truth.arrows(claim))


def test_adjustment_distance_between_classes_is_right_in_every_member():
    rng = np.random.default_rng(0)
    classes = sorted({dag.to_cpdag() for dag in truth.all_dags(4)}, key=repr)
    for _ in range(80):
        one = classes[rng.integers(len(classes))]
        other = classes[rng.integers(len(classes))]
        other = [other, other.extension()][rng.integers(2)]
        models = [(member, effects(member, rng)) for member in one.members()]
        wrong = 0
        for x, y in pairs(one):
            open_in_truth, open_in_claim = (starts_open(graph, x, y) for graph in (one, other))
            if y in other.parents(x) or not (open_in_truth or open_in_claim):
                wrong += any(parent_adjustment_fails(model, dag, x, y, other.parents(x)) for dag, model in models)
            else:
                wrong += open_in_truth != open_in_claim
        assert adjustment_distance(one, other) == pytest.approx(wrong / 12), (one, other)


def starts_open(graph, x, y):
    """Return whether in some member a causal path from x to y starts with an edge that the class leaves open."""
    return any(
        y in truth.directed_descendants(member, first)
        for member in graph.members()
        for first in member.children(x)
        if first in graph.neighbours(x)
    )


def test_nothing_is_completed_in_silence():
    line = Graph.from_edges(["a --- b", "b --- c"], kind="CPDAG")
    for member in line.members():
        assert adjustment_distance(member, line) == 1
    assert adjustment_distance(line, line) == 0
    with pytest.raises(GraphError, match="defined for DAGs, not a CPDAG"):
        sid(line, line)
    with pytest.raises(GraphError, match="DAGs and their classes, not a PAG"):
        adjustment_distance(Graph.from_edges(["a o-o b"], kind="PAG"), line)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_the_order_of_the_nodes_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    one, other = (truth.random_dag(6, 0.4, rng) for _ in range(2))
    turned = other.subgraph([str(name) for name in rng.permutation(other.names)])
    for measure in (shd, sid, adjustment_distance, skeleton_scores, arrowhead_scores):
        assert measure(one, other) == measure(one, turned)
    for measure in (shd, arrowhead_scores):
        assert measure(one, other, class_aware=True) == measure(one, turned.to_cpdag(), class_aware=True)
    assert shd(one, other) == shd(other, one)


@pytest.mark.parametrize("measure", [shd, sid, adjustment_distance, skeleton_scores, arrowhead_scores])
def test_graphs_on_other_nodes_are_not_compared(measure):
    with pytest.raises(GraphError, match="differ in the node 'c'"):
        measure(Graph.from_edges(["a -> b"]), Graph.from_edges(["a -> b"], names="abc"))


def test_class_scores_take_what_a_search_on_few_rows_found():
    # A graph that calls itself a CPDAG and stands for no DAG is compared by its marks.
    square = Graph.from_edges(["a --- b", "b --- c", "c --- d", "d --- a"], kind="CPDAG")
    assert shd(Graph.from_edges(["a -> b", "b -> c"], names="abcd"), square, class_aware=True) == 2
