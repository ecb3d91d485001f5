"""GFCI: true in the limit where FCI is, better on few rows, and never more than the score proposed."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import BOSS, FCI, GFCI
from whence.errors import ParameterError
from whence.graph import Graph, Knowledge
from whence.graph.metrics import skeleton_scores
from whence.independence import Oracle


def hidden(p: int, n: int, seed: int, *, weights=(0.5, 0.9)):
    """Return a table without a tenth of the columns or more, and the true PAG of the rest."""
    rng = np.random.default_rng(seed)
    structure = simulate.random_dag(p, degree=2.0, random_state=seed)
    values = simulate.linear_scm(structure, n, weights=weights, random_state=seed).values
    names = [f"X{k}" for k in range(p)]
    kept = sorted(rng.choice(p, p - max(1, p // 8), replace=False).tolist())
    dag = Graph.from_adjacency(names, structure)
    seen = [names[k] for k in kept]
    return read(values[:, kept], names=seen), FCI(test=Oracle(dag, seen)).fit().graph


@pytest.mark.parametrize("proposal", ["boss", "ges", "grasp"])
def test_on_many_rows_the_class_is_true(proposal):
    right = 0
    for seed in range(10):
        data, true = hidden(8, 50_000, seed)
        found = GFCI(proposal=proposal, alpha=1e-4).fit(data).graph
        right += found == true
        assert skeleton_scores(true, found).f1 > 0.85
    assert right >= 8


def test_on_few_rows_fewer_edges_are_lost_than_by_fci():
    scores = []
    for seed in range(12):
        data, true = hidden(20, 200, seed, weights=(0.3, 0.8))
        scores.append([skeleton_scores(true, search.fit(data).graph).recall for search in (GFCI(), FCI())])
    ours, fci = np.mean(scores, axis=0)
    assert ours > fci


def test_edges_are_among_those_that_the_score_proposed():
    data, _ = hidden(15, 500, 3)
    found, proposed = GFCI().fit(data), BOSS().fit(data)
    assert {frozenset((e.source, e.target)) for e in found.graph.edges()} <= {
        frozenset((e.source, e.target)) for e in proposed.graph.edges()
    }
    assert found.details["proposed_edges"] == len(proposed.graph.edges())


def test_a_hidden_cause_takes_the_edge_out_that_the_score_put_in():
    rng = np.random.default_rng(0)
    a, b, hidden_cause = rng.normal(size=(3, 5000))
    c, d = (cause + hidden_cause + 0.5 * rng.normal(size=5000) for cause in (a, b))
    data = read({"a": a, "b": b, "c": c, "d": d})
    assert len(BOSS().fit(data).graph.edges()) > 3  # no graph without hidden causes has these three edges
    assert [str(e) for e in GFCI().fit(data).graph.edges()] == ["a o-> c", "b o-> d", "c <-> d"]


def test_knowledge_is_kept_and_settings_are_checked():
    data, _ = hidden(10, 500, 1)
    first, last = data.names[0], data.names[-1]
    found = GFCI(knowledge=Knowledge(tiers=[list(data.names[:-1]), [last]])).fit(data).graph
    assert last not in found.parents(first)
    for edge in found.edges():
        if last in (edge.source, edge.target):
            assert str(edge).endswith(f"> {last}")
    with pytest.raises(ParameterError, match="no proposal 'pc'"):
        GFCI(proposal="pc")
    with pytest.raises(ParameterError, match="max_path_length is 2"):
        GFCI(max_path_length=2)
