"""From a search and its bootstrap to the judged graph: hand-made confidences with one right answer each."""

from __future__ import annotations

import numpy as np
import pytest

from whence.autopilot.judge import judge
from whence.discovery import Confidence, DiscoveryResult
from whence.graph import Graph, Knowledge

NAMES = ("a", "b", "c")


def searched(edges, kind="CPDAG", **shares):
    """Return a result whose pair ``ab`` was joined, directed forward and backward in the given shares of draws."""
    size = len(NAMES)
    adjacency, forward, undirected = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    for pair, (joined, ahead, back) in shares.items():
        i, j = NAMES.index(pair[0]), NAMES.index(pair[1])
        adjacency[i, j] = adjacency[j, i] = joined
        forward[i, j], forward[j, i] = ahead, back
        undirected[i, j] = undirected[j, i] = joined - ahead - back
    graph = Graph.from_edges(edges, names=NAMES, kind=kind)
    return DiscoveryResult(graph, "pc", confidence=Confidence(NAMES, adjacency, forward, undirected, 100))


def decisions(judgements):
    return {(item.source, item.target): item.decision for item in judgements}


def test_a_stable_undirected_edge_stays_undirected():
    result, judgements = judge(searched(["a --- b"], ab=(1.0, 0.3, 0.3)), Knowledge())
    assert [str(edge) for edge in result.graph.edges()] == ["a --- b"]
    assert decisions(judgements) == {("a", "b"): "undecided"}


def test_an_edge_hardly_ever_seen_again_goes_unless_it_is_required():
    found = searched(["a -> b", "b -> c"], "DAG", ab=(0.05, 0.05, 0), bc=(1.0, 1.0, 0))
    result, judgements = judge(found, Knowledge())
    assert [str(edge) for edge in result.graph.edges()] == ["b -> c"]
    assert decisions(judgements)["a", "b"] == "removed"
    kept, _ = judge(found, Knowledge(required=["a -> b"]))
    assert len(kept.graph.edges()) == 2


def test_a_settled_direction_is_taken_and_closed_under_meek():
    found = searched(["a --- b", "b --- c"], ab=(1.0, 0.95, 0.0), bc=(1.0, 0.0, 0.0))
    result, judgements = judge(found, Knowledge())
    assert {str(edge) for edge in result.graph.edges()} == {"a -> b", "b -> c"}
    assert decisions(judgements)["a", "b"] == "oriented"


@pytest.mark.parametrize("knowledge", [Knowledge(forbidden=["a -> b"]), Knowledge(tiers=[["b"], ["a", "c"]])])
def test_no_direction_against_knowledge(knowledge):
    result, _ = judge(searched(["a --- b"], ab=(1.0, 0.95, 0.0)), knowledge)
    assert [str(edge) for edge in result.graph.edges()] == ["a --- b"]


def test_directions_never_close_a_cycle():
    shares = {"ab": (1.0, 0.95, 0), "bc": (1.0, 0.94, 0), "ac": (1.0, 0.0, 0.93)}
    result, _ = judge(searched(["a --- b", "b --- c", "a --- c"], **shares), Knowledge())
    assert result.graph.extension().kind == "DAG"


def test_pairs_that_only_the_draws_join_are_named_not_added():
    result, judgements = judge(searched(["a -> b"], "DAG", ab=(1.0, 1.0, 0), bc=(0.97, 0.5, 0.4)), Knowledge())
    assert len(result.graph.edges()) == 1
    assert decisions(judgements)["b", "c"] == "not added"


def test_without_a_bootstrap_nothing_is_judged():
    found = DiscoveryResult(Graph.from_edges(["a --- b"], names=NAMES, kind="CPDAG"), "pc")
    assert judge(found, Knowledge()) == (found, ())
