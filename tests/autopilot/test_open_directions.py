"""What resampling leaves open around a treatment makes several answers, and what it settles leaves one."""

from __future__ import annotations

import numpy as np
import pytest

import whence as wh
from whence.autopilot.open_directions import settle, shares_of_answers
from whence.discovery import Confidence
from whence.effects import identify
from whence.graph import Graph

NAMES = ("age", "dose", "cure")


def confidence(*drawn):
    """Return the confidence of draws given as edges, an undirected one as 'a --- b'."""
    graphs = []
    for edges in drawn:
        kind = "PDAG" if any("---" in edge for edge in edges) else "DAG"
        graphs.append(Graph.from_edges(edges, names=NAMES, kind=kind).marks)
    marks = np.array(graphs)
    shares = [(marks != 0).mean(0), ((marks == 2) & (marks.transpose(0, 2, 1) == 1)).mean(0)]
    undirected = ((marks == 1) & (marks.transpose(0, 2, 1) == 1)).mean(0)
    return Confidence(NAMES, *shares, undirected, draws=len(drawn), graphs=marks)


FORWARD = ("age -> dose", "dose -> cure", "age -> cure")
BACKWARD = ("age -> dose", "cure -> dose", "age -> cure")


def test_draws_that_agree_leave_the_answer_as_it_is():
    graph = Graph.from_edges(FORWARD, names=NAMES)
    shares = shares_of_answers(graph, confidence(*[FORWARD] * 10), "dose", "cure")
    assert shares == pytest.approx({("age",): 1.0})
    found = identify(graph, "dose", "cure")
    assert settle(found, shares) is found


@pytest.mark.parametrize("judged", [FORWARD, BACKWARD])
def test_an_arrow_that_draws_reverse_is_no_fact_whichever_way_the_search_put_it(judged):
    graph = Graph.from_edges(judged, names=NAMES)
    shares = shares_of_answers(graph, confidence(*[FORWARD] * 6, *[BACKWARD] * 4), "dose", "cure")
    assert shares == pytest.approx({("age",): 0.6, None: 0.4})
    found = settle(identify(graph, "dose", "cure"), shares)
    assert found.strategy == "class-range"
    assert not found.identified
    assert set(found.adjustment_sets_over_class) == {("age",), None}
    assert "no effect in 40%" in found.reason


def test_an_effect_of_zero_needs_draws_that_agree_on_it():
    graph = Graph.from_edges(BACKWARD, names=NAMES)
    shares = shares_of_answers(graph, confidence(*[BACKWARD] * 10), "dose", "cure")
    found = identify(graph, "dose", "cure")
    assert found.strategy == "no-effect"
    assert settle(found, shares) is found


def test_open_edges_of_a_draw_count_for_each_way_equally_and_missing_ones_as_judged():
    graph = Graph.from_edges(FORWARD, names=NAMES)
    shares = shares_of_answers(graph, confidence(("age -> cure", "dose -> cure")), "dose", "cure")
    assert shares == pytest.approx({("age",): 1.0})
    chain = Graph.from_edges(["dose --- cure"], names=NAMES, kind="CPDAG")
    shares = shares_of_answers(chain, confidence(("dose --- cure",)), "dose", "cure")
    assert shares == pytest.approx({(): 0.5, None: 0.5})


def test_without_kept_draws_nothing_changes():
    graph = Graph.from_edges(FORWARD, names=NAMES)
    found = identify(graph, "dose", "cure")
    assert settle(found, {}) is found


@pytest.mark.slow
def test_answers_without_knowledge_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = []
    for k in range(60):
        p, n = 7, 300
        weights = np.triu(rng.random((p, p)) < 0.4, 1) * rng.uniform(0.2, 0.7, (p, p)) * rng.choice([-1, 1], (p, p))
        total = np.linalg.inv(np.eye(p) - weights)
        values = rng.normal(size=(n, p)) @ total
        ends = [(i, j) for i in range(p) for j in range(i + 1, p) if abs(total[i, j]) > 0.1]
        if not ends:
            continue
        i, j = ends[rng.integers(len(ends))]
        order = rng.permutation(p)
        table = wh.read(values[:, order], names=[f"v{q}" for q in order])
        study = wh.analyze(table, f"v{i}", f"v{j}", budget="3s", random_state=k)
        low, high = study.effect.interval
        held.append(low <= total[i, j] <= high)
    assert np.mean(held) >= 0.9
