"""RESIT: simulated graphs with curved relations, its two stages one by one, and knowledge."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import RESIT
from whence.discovery.resit import _Columns
from whence.errors import ParameterError
from whence.graph import Graph, Knowledge


def names(p: int) -> list[str]:
    return [f"X{k}" for k in range(p)]


def curved_chain(n: int, seed: int) -> dict[str, np.ndarray]:
    """Return a -> b -> c with curved functions and Gaussian noise."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(-2, 2, size=n)
    b = a**2 + 0.5 * rng.normal(size=n)
    return {"c": np.sin(b) + 0.3 * rng.normal(size=n), "a": a, "b": b}


@pytest.mark.parametrize("mechanism", ["gp", "additive"])
def test_simulated_graphs_are_found(mechanism):
    shared, claimed, true = 0, 0, 0
    for seed in range(5):
        drawn = simulate.nonlinear_scm(5, 800, mechanism=mechanism, random_state=seed)
        found = {(edge.source, edge.target) for edge in RESIT().fit(read(drawn.values, names=names(5))).graph.edges()}
        truth = {(f"X{i}", f"X{j}") for i, j in np.argwhere(drawn.adjacency)}
        shared, claimed, true = shared + len(found & truth), claimed + len(found), true + len(truth)
    assert 2 * shared / (claimed + true) > 0.8


def test_the_order_is_recovered_as_rows_come_in():
    right = dict.fromkeys((60, 1000), 0)
    for n in right:
        for seed in range(8):
            right[n] += RESIT().fit(curved_chain(n, seed)).details["causal_order"] == ["a", "b", "c"]
    assert right[1000] >= 7
    assert right[60] < right[1000]


def test_the_last_column_is_the_one_whose_residual_depends_least_on_the_others():
    table = curved_chain(1000, 0)
    columns = _Columns(np.column_stack([table[name] for name in "abc"]))
    fits = [columns._fit(node, [k for k in range(3) if k != node]) for node in range(3)]
    assert int(np.argmax(fits)) == 2
    assert fits[2] > math.log(0.05) > fits[0]
    assert columns.order(np.zeros((3, 3), dtype=bool)) == [0, 1, 2]
    held = np.zeros((3, 3), dtype=bool)
    held[2, 1] = True
    assert columns.order(held).index(2) < columns.order(held).index(1)


def test_parents_are_given_up_unless_the_evidence_or_the_knowledge_wants_them():
    table = curved_chain(400, 1)
    columns = _Columns(np.column_stack([table[name] for name in "abc"]))
    free = np.zeros(3, dtype=bool)
    parents, lost = columns.prune(2, [0, 1], free, 1.0)
    assert parents == [1]
    assert lost[0] == pytest.approx(columns.regress(2, [1]).evidence)
    assert columns.prune(2, [0, 1], np.array([True, False, False]), 1.0)[0] == [0, 1]
    assert columns.prune(2, [0, 1], free, 1e9)[0] == []
    assert columns.independence(2, [1]) > 0.05 > columns.independence(0, [1])
    assert columns.independence(0, []) == 1.0


def test_columns_that_the_model_does_not_fit_are_named():
    rng = np.random.default_rng(0)
    a = rng.uniform(1, 3, size=600)
    found = RESIT(knowledge=Knowledge(tiers=[["a"], ["b"]])).fit({"a": a, "b": a * rng.normal(size=600) + a})
    assert found.details["p_values"]["b"] < 0.05
    assert "does not fit 'b'" in found.warnings[0]
    assert not RESIT().fit(curved_chain(300, 0)).warnings


def test_knowledge_decides_order_and_parents():
    table = curved_chain(200, 0)
    found = RESIT(knowledge=Knowledge(tiers=[["c"], ["b"], ["a"]])).fit(table)
    assert found.details["causal_order"] == ["c", "b", "a"]
    found = RESIT(knowledge=Knowledge(required=["a -> c"], forbidden=["a -> b"])).fit(table)
    assert found.graph.edge("a", "c").connector == "->"
    assert "a" not in found.graph.parents("b")


def test_names_units_and_order_change_nothing():
    table = curved_chain(200, 2)
    one = RESIT().fit(table).graph
    moved = {f"{'zyx'['abc'.index(name)]}": 1e3 * table[name] - 5 for name in "bca"}
    other = RESIT().fit(moved).graph.renamed({"z": "a", "y": "b", "x": "c"})
    assert other.subgraph(one.names) == one


def test_evidence_is_lost_without_an_edge():
    found = RESIT().fit(curved_chain(300, 0))
    assert [(item.source, item.target) for item in found.evidence] == [("b", "c"), ("a", "b")]
    assert all(item.score_difference > 20 for item in found.evidence)
    assert found.graph == Graph.from_edges(["a -> b", "b -> c"], names=["c", "a", "b"])


def test_a_level_out_of_range_is_named():
    with pytest.raises(ParameterError, match="alpha is 0"):
        RESIT(alpha=0).fit(curved_chain(50, 0))
