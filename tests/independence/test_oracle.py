"""The oracle answers what separation in its graph says."""

from __future__ import annotations

from whence.graph import Graph
from whence.independence import Oracle


def test_chain_fork_and_collider():
    test = Oracle(Graph.from_edges(["a -> b", "b -> c", "b -> d", "e -> d"]))
    assert test("a", "c").p_value == 0
    assert test("a", "c", ["b"]).p_value == 1
    assert test("b", "e").p_value == 1
    assert test("b", "e", ["d"]).p_value == 0
    assert list(test.batch([("c", "d", ()), ("c", "d", ("b",))])) == [0, 1]


def test_hidden_nodes_are_not_among_the_names():
    test = Oracle(Graph.from_edges(["h -> a", "h -> b"]), names=["a", "b"])
    assert test.names == ("a", "b")
    assert test("a", "b").p_value == 0
