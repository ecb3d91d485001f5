"""RCD: models with hidden causes whose answer is known, its steps one by one, knowledge, and Gaussian noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from whence.data import read
from whence.discovery import RCD
from whence.discovery._rcd_ancestors import Levels, correlation_p, find_ancestors, gaussian_p, left_over
from whence.discovery.rcd import find_parents, shared_causes
from whence.errors import DataError, ParameterError
from whence.graph import Knowledge

LEVELS = Levels(0.01, 0.01, 0.01)


def standard(columns: dict[str, np.ndarray]) -> np.ndarray:
    values = np.column_stack(list(columns.values()))
    return (values - values.mean(axis=0)) / values.std(axis=0)


def chain_with_hidden_cause(n: int, seed: int) -> dict[str, np.ndarray]:
    """Return a -> b -> c and d -> c, b and d with a hidden cause in common: a model that RCD can tell in full."""
    rng = np.random.default_rng(seed)
    hidden, a, b, c, d = rng.exponential(size=(5, n))
    a = 1.5 * a
    b = b + a + 1.5 * hidden
    d = d + 1.5 * hidden
    return {"a": a, "b": b, "c": b + d + 1.5 * c, "d": d}


def edges(found) -> set[str]:
    return {str(edge) for edge in found.graph.edges()}


def test_a_hidden_cause_becomes_a_bidirected_edge_more_often_as_rows_come_in():
    truth = {"a -> b", "b -> c", "d -> c", "b <-> d"}
    exact = {
        n: sum(edges(RCD().fit(chain_with_hidden_cause(n, seed))) == truth for seed in range(8)) for n in (200, 1000)
    }
    assert exact[1000] >= 6
    assert exact[1000] > exact[200]


def test_without_hidden_causes_it_is_a_dag():
    exact = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        a, b, c = rng.exponential(size=(3, 1000))
        found = RCD().fit({"c": c + 0.8 * (b + 0.7 * a), "a": a, "b": b + 0.7 * a})
        exact += edges(found) == {"a -> b", "b -> c"}
        assert found.graph.kind == "ADMG"
    assert found.details["ancestors"] == {"c": ["a", "b"], "a": [], "b": ["a"]}
    assert exact >= 7


def test_weights_are_in_units_of_the_columns_and_hidden_pairs_have_a_p_value():
    table = chain_with_hidden_cause(3000, 1)
    found = RCD().fit({**table, "a": 100 * table["a"], "c": 0.1 * table["c"]})
    evidence = {(item.source, item.target): item for item in found.evidence}
    assert evidence["a", "b"].weight == pytest.approx(0.01, rel=0.1)
    assert evidence["b", "c"].weight == pytest.approx(0.1, rel=0.1)
    hidden = evidence["b", "d"]
    assert hidden.weight is None
    assert hidden.p_value < 0.01


def test_units_names_and_the_order_of_columns_change_nothing():
    table = chain_with_hidden_cause(500, 2)
    one = edges(RCD().fit(table))
    moved = {f"{name}!": 10.0**k * column + 3 for k, (name, column) in enumerate(reversed(table.items()))}
    found = RCD().fit(moved).graph.renamed({f"{name}!": name for name in table})
    other = {
        str(edge) if edge.is_directed else " <-> ".join(sorted((edge.source, edge.target))) for edge in found.edges()
    }
    assert other == one


def test_residuals_and_p_values_are_those_of_least_squares_and_pearson():
    rng = np.random.default_rng(0)
    values = standard({"a": rng.normal(size=80), "b": rng.normal(size=80), "c": rng.normal(size=80)})
    left = left_over(values[:, 0], values[:, 1:])
    np.testing.assert_allclose(values[:, 1:].T @ left, 0.0, atol=1e-10)
    assert correlation_p(values[:, 0], values[:, 1]) == pytest.approx(pearsonr(values[:, 0], values[:, 1])[1])
    assert correlation_p(values[:, 0], np.zeros(80)) == 1.0
    assert gaussian_p(rng.normal(size=200)) > 0.01 > gaussian_p(rng.exponential(size=200))
    assert gaussian_p(rng.uniform(size=6000)) < 0.01


def test_ancestors_come_from_pairs_and_then_from_what_they_leave():
    rng = np.random.default_rng(1)
    a, b, c = rng.exponential(size=(3, 2000))
    b = b + a
    values = standard({"a": a, "b": b, "c": c + b + a})
    nothing = np.zeros((3, 3), dtype=bool)
    found = find_ancestors(values, nothing, nothing, LEVELS, most_causes=2)
    assert found.tolist() == [[False, True, True], [False, False, True], [False, False, False]]
    assert find_parents(values, found, 0.01).tolist() == found.tolist()


def test_an_ancestor_by_way_of_others_is_no_parent():
    rng = np.random.default_rng(2)
    a, b, c = rng.exponential(size=(3, 2000))
    values = standard({"a": a, "b": b + a, "c": c + b + a})
    ancestors = np.triu(np.ones((3, 3), dtype=bool), k=1)
    parents = find_parents(values, ancestors, 0.01)
    assert parents.tolist() == [[False, True, False], [False, False, True], [False, False, False]]
    assert shared_causes(values, parents)[0, 1] == 1.0  # joined already
    assert shared_causes(values, parents)[0, 2] < 1e-6


def test_knowledge_keeps_claims_from_contradicting_it():
    table = chain_with_hidden_cause(800, 3)
    assert "a -> b" in edges(RCD().fit(table))
    assert not {"a -> b", "a -> c"} & edges(RCD(knowledge=Knowledge(tiers=[["b", "c", "d"], ["a"]])).fit(table))
    assert "a <-> b" in edges(RCD(knowledge=Knowledge(forbidden=["a -> b"])).fit(table))
    required = RCD(knowledge=Knowledge(required=["c -> a"])).fit(table)
    assert "c -> a" in edges(required)
    assert required.details["ancestors"]["a"] == ["c"]
    assert RCD(knowledge=Knowledge(roots=["c"])).fit(table).graph.parents("c") == ()


def test_gaussian_columns_get_no_direction_and_are_named():
    rng = np.random.default_rng(0)
    a = rng.normal(size=1000)
    found = RCD().fit({"a": a, "b": a + rng.normal(size=1000)})
    assert edges(found) == {"a <-> b"}
    assert "'a', 'b' cannot be told from Gaussian" in found.warnings[0]


def test_random_tables_never_close_a_cycle():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        values = rng.exponential(size=(60, 5)) @ rng.normal(size=(5, 5))
        levels = RCD(alpha=0.4, independence_alpha=0.001, gaussian_alpha=0.5, most_causes=3)
        assert levels.fit(read(values, names=list("abcde"))).graph.is_acyclic()


@pytest.mark.parametrize(
    "setting", [{"alpha": 0}, {"independence_alpha": 1}, {"gaussian_alpha": -0.1}, {"most_causes": 0}]
)
def test_settings_out_of_range_are_named(setting):
    with pytest.raises(ParameterError, match=next(iter(setting))):
        RCD(**setting).fit(chain_with_hidden_cause(50, 0))


def test_determined_columns_are_refused():
    table = chain_with_hidden_cause(100, 0)
    with pytest.raises(DataError, match="leaves no noise"):
        RCD().fit({**table, "sum": table["a"] + table["d"]})
