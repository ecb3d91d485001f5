"""XGES against a plain version of itself on all graphs of four nodes, GES, the large-sample limit, and knowledge."""

from __future__ import annotations

import numpy as np
import pytest

from tests.discovery.truth import (
    allowed,
    categories,
    classes,
    linear_population,
    linear_rows,
    marks_over,
    names,
    neighbours,
    scores_of_classes,
    some_knowledge,
    with_covariance,
)
from whence.data import read, simulate
from whence.discovery import GES, XGES, DiscoveryResult, xges
from whence.graph import Graph, Knowledge
from whence.graph.orientation import cpdag_of_dag, extension
from whence.scores import LocalScore, bdeu, discrete_bic, gaussian_bic


def class_of(result: DiscoveryResult) -> bytes:
    return cpdag_of_dag(extension(result.graph.marks)).tobytes()


def plain_bic(data) -> LocalScore:
    return gaussian_bic(data.moments().correlation, data.n_rows, per_edge=0.0)


def climb_greedily(values: dict[bytes, float], p: int, here: bytes) -> bytes:
    """Go to the best class with an edge less while that is better, else to the best with one more."""
    more, less = neighbours(p)
    while True:
        for steps in (less, more):
            best = max(steps[here], key=values.__getitem__, default=here)
            if values[best] > values[here]:
                here = best
                break
        else:
            return here


@pytest.mark.parametrize("kind", ["numbers", "bic", "bdeu"])
def test_the_first_climb_is_the_best_by_definition_on_all_graphs_of_four_nodes(kind, monkeypatch):
    monkeypatch.setattr(xges._Climb, "try_every_edge", lambda self: None)
    for seed in range(30):
        if kind == "numbers":
            _, table = linear_rows(4, 40 + 5 * seed, seed, degree=2.5)
            score, found = plain_bic(table), XGES(per_edge=0).fit(table)
        else:
            table, codes, sizes = categories(4, 150 + 10 * seed, seed)
            score = bdeu(codes, sizes, ess=2.0) if kind == "bdeu" else discrete_bic(codes, sizes)
            found = XGES(score=kind, ess=2.0).fit(table)
        values = scores_of_classes(score)
        expected = climb_greedily(values, 4, cpdag_of_dag(np.zeros((4, 4), dtype=bool)).tobytes())
        assert class_of(found) == expected
        assert found.details["score"] == pytest.approx(values[expected])


def test_trials_raise_the_score_of_the_first_climb_and_end_where_no_step_does(monkeypatch):
    raised = best_of_all = 0
    for seed in range(40):
        _, data = linear_rows(5, 40 + 5 * seed, seed, degree=3.0)
        values = scores_of_classes(plain_bic(data))
        found = XGES(per_edge=0).fit(data)
        more, less = neighbours(5)
        here = class_of(found)
        assert found.details["score"] == pytest.approx(values[here])
        assert all(values[other] <= values[here] + 1e-8 for other in more[here] | less[here])
        with monkeypatch.context() as patch:
            patch.setattr(xges._Climb, "try_every_edge", lambda self: None)
            first = XGES(per_edge=0).fit(data).details["score"]
        assert (found.details["score"] > first + 1e-6) == (found.details["trials_kept"] > 0)
        raised += found.details["trials_kept"] > 0
        best_of_all += values[here] > max(values.values()) - 1e-8
    assert raised >= 5
    assert best_of_all >= 25


@pytest.mark.parametrize(("p", "n", "degree"), [(10, 100, 3.0), (25, 500, 5.0), (40, 300, 2.0)])
def test_the_score_is_never_lower_than_that_of_ges_and_often_higher(p, n, degree):
    higher = 0
    for seed in range(20):
        _, data = linear_rows(p, n, seed, degree=degree)
        mine, other = (search.fit(data).details["score"] for search in (XGES(), GES()))
        assert mine >= other - 1e-6
        higher += mine > other + 1e-6
    assert higher >= 5


def test_where_the_sample_is_the_population_the_true_class_is_found():
    rng = np.random.default_rng(0)
    for case in range(150):
        p = int(rng.integers(2, 16))
        adjacency = simulate.random_dag(p, degree=min(float(rng.uniform(1, 4.5)), p - 1), random_state=case)
        found = XGES().fit(linear_population(adjacency, rng))
        np.testing.assert_array_equal(found.graph.marks, Graph.from_adjacency(names(p), adjacency).to_cpdag().marks)


def test_with_knowledge_it_is_kept_and_mostly_the_best_of_all_graphs_is_found():
    best_of_all = 0
    for seed in range(60):
        _, data = linear_rows(4, 100 + 5 * seed, seed, degree=2.5)
        knowledge = some_knowledge(seed, data.names)
        required, forbidden = knowledge.for_names(data.names)
        kept = {key: allowed(members, required, forbidden) for key, members in classes(4).items()}
        values = scores_of_classes(plain_bic(data))
        found = XGES(per_edge=0, knowledge=knowledge).fit(data)
        members = kept[class_of(found)]
        assert members
        np.testing.assert_array_equal(found.graph.marks, marks_over(members))
        best = max(values[key] for key, members in kept.items() if members)
        best_of_all += values[class_of(found)] > best - 1e-8
    assert best_of_all >= 50


def test_required_edges_are_never_tried():
    _, data = linear_rows(8, 200, 3, degree=3.0)
    edges = [("X000", "X005"), ("X001", "X006")]
    found = XGES(knowledge=Knowledge(required=edges)).fit(data)
    assert all(found.graph.edge(*edge).connector == "->" for edge in edges)


def test_steps_are_counted_on_the_way_to_the_class():
    for seed in range(10):
        _, data = linear_rows(20, 200, seed, degree=4.0)
        found = XGES().fit(data)
        assert found.details["insertions"] - found.details["deletions"] == len(found.graph.edges())


def test_ties_go_by_name_and_not_by_the_order_of_the_columns():
    p = 6
    data = with_covariance(np.full((p, p), 0.5) + 0.5 * np.eye(p), 200)
    found = XGES().fit(data)
    shuffled = XGES().fit(data.select([data.names[k] for k in (3, 0, 5, 1, 4, 2)]))
    np.testing.assert_array_equal(shuffled.graph.subgraph(data.names).marks, found.graph.marks)


def test_a_limit_of_parents_is_kept():
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(1000, 6))
    data = read(np.column_stack([causes, causes.sum(axis=1) + rng.normal(size=1000)]), names=names(7))
    assert len(XGES().fit(data).graph.parents("X006")) == 6
    assert extension(XGES(most_parents=2).fit(data).graph.marks).sum(axis=0).max() == 2


@pytest.mark.parametrize("at", [2, 8])
def test_an_interrupt_keeps_what_was_found(monkeypatch, at):
    _, data = linear_rows(30, 200, 1, degree=4.0)
    whole = XGES().fit(data)
    monkeypatch.setattr(xges, "_STEPS_AT_ONCE", 150)
    kernel, calls = ("climb_greedily" if at == 2 else "try_deletions"), []
    compiled = getattr(xges._kernels, kernel)

    def interrupted(*arguments):
        calls.append(kernel)
        if len(calls) == at:
            raise KeyboardInterrupt
        return compiled(*arguments)

    monkeypatch.setitem(xges._kernels.__dict__, kernel, interrupted)
    found = XGES().fit(data)
    assert found.interrupted
    assert "interrupted" in found.warnings[-1]
    assert found.graph.edges()
    assert found.details["score"] <= whole.details["score"]
