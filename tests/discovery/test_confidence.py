"""Edge confidence: three numbers that add up, words by stated limits, calibration against repeated samples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.data import read, simulate
from whence.discovery import BOSS, PC, Confidence, bootstrap
from whence.discovery.confidence import HIGH, MODERATE, EdgeConfidence

SHARES = st.tuples(*[st.integers(0, 20)] * 4).filter(lambda shares: sum(shares) > 0)


@given(SHARES)
def test_word_and_direction_depend_on_the_shares_alone_and_not_on_the_side_one_looks_from(counts):
    forward, backward, undirected = (count / sum(counts) for count in counts[:3])
    adjacency = forward + backward + undirected
    seen = EdgeConfidence("a", "b", adjacency, forward, backward, undirected)
    other = EdgeConfidence("b", "a", adjacency, backward, forward, undirected)
    assert seen.word == other.word
    if adjacency > 0:
        assert seen.direction + other.direction == pytest.approx(1)
    expected = "low" if adjacency < MODERATE else "moderate" if adjacency < HIGH else {"high", "undetermined"}
    assert seen.word == expected or seen.word in expected


def three() -> Confidence:
    forward = np.array([[0, 0.9, 0], [0.05, 0, 0], [0, 0.2, 0]])
    undirected = np.zeros((3, 3))
    undirected[0, 1] = undirected[1, 0] = 0.05
    return Confidence(("a", "b", "c"), forward + forward.T + undirected, forward, undirected, 20, skipped=2)


def test_pairs_are_listed_with_the_surest_first():
    seen = three()
    assert [(edge.source, edge.target) for edge in seen.edges()] == [("a", "b"), ("b", "c")]
    assert seen.edge("b", "c").backward == 0.2
    rows = seen.table().to_pylist()
    assert rows[0] == {
        "source": "a",
        "target": "b",
        "adjacency": 1.0,
        "forward": 0.9,
        "backward": 0.05,
        "undirected": 0.05,
        "word": "high",
    }
    assert repr(seen) == "Confidence(3 columns, 2 pairs ever joined, 20 draws)"


def test_the_json_has_draws_and_every_pair_ever_joined():
    told = json.loads(json.dumps(three().to_dict(), allow_nan=False))
    assert (told["draws"], told["skipped"], told["names"]) == (20, 2, ["a", "b", "c"])
    assert [edge["word"] for edge in told["edges"]] == ["high", "low"]


def test_edges_that_are_surer_are_true_more_often():
    true, claimed = {"high": 0, "low": 0}, {"high": 0, "low": 0}
    for seed in range(12):
        simulated = simulate.linear_scm(8, 150, degree=2.0, weights=(0.2, 0.8), random_state=seed)
        seen = bootstrap(PC(alpha=0.05), simulated.data, draws=30, random_state=seed)
        for edge in seen.edges():
            i, j = (simulated.names.index(name) for name in (edge.source, edge.target))
            word = "high" if edge.adjacency >= HIGH else "low" if edge.adjacency < MODERATE else None
            if word:
                claimed[word] += 1
                true[word] += simulated.adjacency[i, j] or simulated.adjacency[j, i]
    assert true["high"] / claimed["high"] > 0.9
    assert true["low"] / claimed["low"] < 0.4


def test_a_direction_that_no_data_can_settle_is_never_high():
    rng = np.random.default_rng(0)
    dose = rng.normal(size=500)
    seen = bootstrap(BOSS(), read({"dose": dose, "cure": dose + rng.normal(size=500)}), draws=20)
    edge = seen.edge("dose", "cure")
    assert (edge.adjacency, edge.undirected, edge.word) == (1.0, 1.0, "undetermined")
    assert edge.direction == 0.5
