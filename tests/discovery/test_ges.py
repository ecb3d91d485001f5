"""GES against its definition on all graphs of a few nodes, the large-sample limit, and awkward tables."""

from __future__ import annotations

import numpy as np
import pytest

from tests.discovery.truth import (
    allowed,
    categories,
    classes,
    climb,
    linear_population,
    linear_rows,
    marks_over,
    names,
    scores_of_classes,
    some_knowledge,
    with_covariance,
)
from whence.data import read, simulate
from whence.discovery import GES, DiscoveryResult
from whence.errors import DataError, ParameterError
from whence.graph import Graph, Knowledge
from whence.graph.orientation import cpdag_of_dag, extension
from whence.scores import LocalScore, bdeu, discrete_bic, gaussian_bic


def class_of(result: DiscoveryResult) -> bytes:
    return cpdag_of_dag(extension(result.graph.marks)).tobytes()


def plain_bic(data) -> LocalScore:
    return gaussian_bic(data.moments().correlation, data.n_rows, per_edge=0.0)


def test_every_step_is_the_best_by_definition_on_all_graphs_of_five_nodes():
    optimal = 0
    for seed in range(40):
        _, data = linear_rows(5, 40 + 5 * seed, seed, degree=3.0)
        values = scores_of_classes(plain_bic(data))
        found = GES(per_edge=0).fit(data)
        assert class_of(found) == climb(values, 5)
        assert found.details["score"] == pytest.approx(values[class_of(found)])
        optimal += values[class_of(found)] >= max(values.values()) - 1e-9
    # On so few rows it is often not the best of all classes: the steps by definition end in the same local optimum.
    assert len(classes(5)) == 8782
    assert 10 <= optimal < 40


@pytest.mark.parametrize("kind", ["bic", "bdeu"])
def test_on_categories_every_step_is_the_best_by_definition(kind):
    for seed in range(25):
        table, codes, sizes = categories(4, 150 + 10 * seed, seed)
        score = bdeu(codes, sizes, ess=2.0) if kind == "bdeu" else discrete_bic(codes, sizes)
        assert class_of(GES(score=kind, ess=2.0).fit(table)) == climb(scores_of_classes(score), 4)


def test_with_knowledge_every_step_is_the_best_by_definition_among_the_classes_that_keep_to_it():
    for seed in range(90):
        _, data = linear_rows(4, 100 + 5 * seed, seed, degree=2.5)
        knowledge = some_knowledge(seed, data.names)
        required, forbidden = knowledge.for_names(data.names)
        found = GES(per_edge=0, knowledge=knowledge).fit(data)
        expected = climb(scores_of_classes(plain_bic(data)), 4, required, forbidden)
        assert class_of(found) == expected
        members = allowed(classes(4)[expected], required, forbidden)
        np.testing.assert_array_equal(found.graph.marks, marks_over(members))
        assert found.graph.kind == ("CPDAG" if found.graph.marks.tobytes() == expected else "PDAG")


def test_where_the_sample_is_the_population_the_true_class_is_found():
    rng = np.random.default_rng(0)
    for case in range(150):
        p = int(rng.integers(2, 16))
        adjacency = simulate.random_dag(p, degree=min(float(rng.uniform(1, 4.5)), p - 1), random_state=case)
        found = GES().fit(linear_population(adjacency, rng))
        np.testing.assert_array_equal(found.graph.marks, Graph.from_adjacency(names(p), adjacency).to_cpdag().marks)
        assert found.details["deletions"] <= found.details["insertions"]


def test_with_true_knowledge_the_population_gives_the_class_with_that_knowledge():
    rng = np.random.default_rng(1)
    for case in range(60):
        p = int(rng.integers(4, 11))
        adjacency = simulate.random_dag(p, degree=2.5, random_state=case)
        order = simulate.causal_order(adjacency)
        tiers = [[names(p)[k] for k in part] for part in np.array_split(order, 3)]
        edges = [(names(p)[i], names(p)[j]) for i, j in np.argwhere(adjacency)[:2]]
        found = GES(knowledge=Knowledge(required=edges, tiers=tiers)).fit(linear_population(adjacency, rng))
        marks = found.graph.marks
        assert cpdag_of_dag(extension(marks)).tobytes() == cpdag_of_dag(adjacency).tobytes()
        assert not ((marks == 2) & adjacency.T).any()
        assert all(found.graph.edge(*edge).connector == "->" for edge in edges)


def test_evidence_and_score_are_those_of_the_graph():
    _, data = linear_rows(12, 300, 3, degree=3.0)
    score = gaussian_bic(data.moments().correlation, 300)
    found = GES().fit(data)
    dag = extension(found.graph.marks)
    assert found.details["score"] == pytest.approx(score.total(dag))
    index = {name: k for k, name in enumerate(data.names)}
    for item in found.evidence:
        i, j = index[item.source], index[item.target]
        child, parent = (j, i) if dag[i, j] else (i, j)
        smaller = dag.copy()
        smaller[parent, child] = False
        assert item.score_difference == pytest.approx(score.total(dag) - score.total(smaller))
        assert item.score_difference > 0


def test_the_price_of_an_edge_keeps_false_edges_few_as_columns_are_added():
    false = {}
    for p in (10, 40, 120):
        values = np.random.default_rng(p).normal(size=(500, p))
        data = read(values, names=names(p))
        false[p] = [len(GES(per_edge=price).fit(data).graph.edges()) for price in (0.0, None)]
    plain, priced = zip(*false.values())
    assert plain[2] > 40 > 5 > max(priced)


def test_more_columns_than_rows_are_searched_with_a_warning():
    truth, data = linear_rows(80, 60, 0, degree=1.0)
    found = GES().fit(data)
    assert "60 rows for 80 columns" in found.warnings[0]
    hits = ((found.graph.marks != 0) & (truth.marks != 0)).sum() / 2
    assert hits >= 0.8 * len(found.graph.edges()) >= 15


@pytest.mark.parametrize("leaves", [30, 90])
def test_a_hub_with_many_effects_is_found_whole(leaves):
    rng = np.random.default_rng(0)
    hub = rng.normal(size=2000)
    values = np.column_stack([0.8 * hub[:, None] + rng.normal(size=(2000, leaves)), hub])
    found = GES().fit(read(values, names=names(leaves + 1)))
    marks = np.zeros((leaves + 1, leaves + 1), dtype=int)
    marks[-1, :-1] = marks[:-1, -1] = 1
    np.testing.assert_array_equal(found.graph.marks, marks)


def test_ties_go_by_name_and_not_by_the_order_of_the_columns():
    p = 6
    covariance = np.full((p, p), 0.5) + 0.5 * np.eye(p)  # every column alike: all directions of growth tie
    data = with_covariance(covariance, 200)
    found = GES().fit(data)
    shuffled = GES().fit(data.select([data.names[k] for k in (3, 0, 5, 1, 4, 2)]))
    np.testing.assert_array_equal(shuffled.graph.subgraph(data.names).marks, found.graph.marks)


def test_a_limit_of_parents_is_kept():
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(1000, 6))
    data = read(np.column_stack([causes, causes.sum(axis=1) + rng.normal(size=1000)]), names=names(7))
    assert len(GES().fit(data).graph.parents("X006")) == 6
    dag = extension(GES(most_parents=2).fit(data).graph.marks)
    assert dag.sum(axis=0).max() == 2


def test_columns_that_follow_from_others_are_refused_by_name():
    values = np.random.default_rng(0).normal(size=(100, 3))
    data = read(np.column_stack([values, values.sum(axis=1)]), names=list("abcd"))
    with pytest.raises(DataError, match=r"'[abcd]' follows exactly"):
        GES().fit(data)


@pytest.mark.parametrize(
    ("settings", "wrong"), [({"score": "aic"}, "'aic'"), ({"most_parents": 0}, "most_parents is 0")]
)
def test_bad_settings_are_refused(settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        GES(**settings)


def test_bdeu_on_numbers_is_refused():
    with pytest.raises(DataError, match="takes discrete columns"):
        GES(score="bdeu").fit(linear_rows(3, 50, 0)[1])
