"""The check of the dropout model: what it implies, how often it errs, and which violations it can see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from whence.data import simulate
from whence.discovery import dropout_model_check
from whence.discovery.dropout_check import _implied, _most_ratio, holm
from whence.errors import DataError, GraphError, ParameterError
from whence.graph import Graph
from whence.independence._dropouts import cells_of

EDGES = [("a", "b"), ("b", "c"), ("d", "c")]


def cells(seed: int, n: int = 3000) -> simulate.Simulation:
    return simulate.expression_scm(EDGES, n, random_state=seed)


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.09, 0.09, 0.5])
    assert holm(np.array([])).shape == (0,)


def test_the_implications_are_separations_of_the_graph():
    graph = Graph.from_edges([f"{a} -> {b}" for a, b in EDGES])
    seen = simulate.drop_out(cells(0), columns=["a", "c"], random_state=0).data.select("abcd")
    found = list(_implied(graph, seen.names, cells_of(seen, True), 3))
    assert ("a", "c", ("b", "d")) in found
    assert ("c", "a", ("b", "d")) in found
    assert ("a", "d", ()) in found
    assert all(zeros in "ac" for zeros, _, _ in found)
    assert all(graph.separated(zeros, other, given) for zeros, other, given in found)
    assert ("a", "c", ("b", "d")) not in list(_implied(graph, seen.names, cells_of(seen, True), 1))


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_the_factor_is_that_of_a_truncated_normal_variable(rate):
    cut = norm.ppf(rate)
    spread = truncnorm(cut, np.inf).std()
    values = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    carried = abs(np.corrcoef(values, values < cut)[0, 1])
    assert _most_ratio(rate) == pytest.approx(carried / spread, rel=1e-3)


@pytest.mark.parametrize("mechanism", [simulate.Constant(), simulate.Logistic(), simulate.Truncation()])
def test_a_table_that_obeys_the_model_passes(mechanism):
    flagged = 0
    for seed in range(10):
        flagged += (
            dropout_model_check(simulate.drop_out(cells(seed), mechanism, random_state=seed).data).passed is False
        )
    assert flagged <= 1


def test_zeros_that_follow_another_gene_are_found_and_named():
    named = 0
    for seed in range(10):
        broken = simulate.drop_out(cells(seed), simulate.Logistic(), drivers={"d": "a"}, random_state=seed)
        found = dropout_model_check(broken.data)
        named += found.passed is False and found.table["zeros_of"][0] == "d" and "'d'" in found.sentence
    assert named >= 8


def test_the_table_has_a_line_for_each_implication():
    found = dropout_model_check(simulate.drop_out(cells(1), simulate.Logistic(), random_state=1).data)
    assert len({len(column) for column in found.table.values()}) == 1
    assert found.table["p_value"] == sorted(found.table["p_value"])
    np.testing.assert_allclose(found.table["adjusted"], holm(np.array(found.table["p_value"])))
    assert found.to_dict()["passed"] in (True, False)


def test_a_graph_that_joins_everything_implies_nothing():
    seen = simulate.drop_out(cells(0), random_state=0).data
    complete = Graph.from_edges(["a -> b", "a -> c", "a -> d", "b -> c", "b -> d", "c -> d"])
    assert dropout_model_check(seen, complete).passed is None


def test_bad_questions_are_refused():
    seen = simulate.drop_out(cells(0), random_state=0).data
    with pytest.raises(DataError, match="no column of") as caught:
        dropout_model_check(cells(0).data)
    assert caught.value.code == "E321"
    with pytest.raises(GraphError, match="lacks the column"):
        dropout_model_check(seen, Graph.from_edges(["a -> b"]))
    with pytest.raises(ParameterError, match="alpha"):
        dropout_model_check(seen, alpha=2.0)


def test_powers_of_a_gene_with_few_values_span_as_many_directions_as_it_has():
    from whence.discovery.dropout_check import _basis

    few = np.repeat([1.0, 2.0, 4.0], 40)
    columns = np.column_stack([few, few**2, few**3])
    assert _basis(columns - columns.mean(axis=0)).shape == (120, 2)
