"""Searches of tables that mix numbers and categories: from end to end, and closer to the truth than cut numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import whence as wh
from whence.data import read, simulate
from whence.discovery import BOSS, FCI, GES, PC, GRaSP
from whence.discovery._scan import MixedScanner, Neighbours, PlainScanner, scanner_of
from whence.errors import DataError, ParameterError
from whence.graph import Graph, Knowledge
from whence.graph.metrics import shd, skeleton_scores
from whence.graph.orientation import cpdag_of_dag
from whence.independence import ConditionalGaussian, DegenerateGaussian

SEARCHES = [BOSS, GES, GRaSP, PC, FCI]


def simulated(p: int, n: int, seed: int) -> tuple[dict[str, np.ndarray], Graph]:
    """Return a table of numbers and words, and the class of the graph behind it."""
    drawn = simulate.mixed_scm(p, n, degree=2.5, random_state=seed)
    columns = {
        name: np.array(list("abcd"))[values.astype(int)] if name in drawn.kinds else values
        for name, values in zip(drawn.names, drawn.values.T)
    }
    return columns, Graph(drawn.names, cpdag_of_dag(drawn.adjacency), "CPDAG")


def in_thirds(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the table with numbers cut into thirds, as words."""
    return {
        name: values if values.dtype.kind == "U" else np.array(["low", "middle", "high"])[_third(values)]
        for name, values in columns.items()
    }


def _third(values: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_mixed_table_is_searched_by_the_degenerate_gaussian_whatever_the_order_and_names_of_its_columns(search):
    columns, _ = simulated(7, 500, 2)
    found = search().fit(columns)
    setting = "test" if search in (PC, FCI) else "score"
    assert found.parameters[setting] == "degenerate-gaussian"
    assert found.parameters[f"{setting}_rule"] == "the table has numbers and categories"
    assert found.rows_used == 500
    assert len(found.graph.edges()) >= 5
    turned = search().fit(dict(reversed(columns.items())))
    np.testing.assert_array_equal(turned.graph.subgraph(found.graph.names).marks, found.graph.marks)
    words = {"a": "zinc", "b": "tin", "c": "iron", "d": "gold"}
    renamed = {
        name: np.array([words[v] for v in values]) if values.dtype.kind == "U" else 3.0 * values - 7.0
        for name, values in columns.items()
    }
    np.testing.assert_array_equal(search().fit(renamed).graph.marks, found.graph.marks)


@pytest.mark.parametrize("search", [BOSS, PC])
def test_it_is_closer_to_the_truth_than_numbers_cut_into_thirds(search):
    whole, cut = [], []
    for seed in range(12):
        columns, truth = simulated(8, 1000, seed)
        whole.append(shd(truth, search().fit(columns).graph))
        cut.append(shd(truth, search().fit(in_thirds(columns)).graph))
    assert np.mean(whole) < np.mean(cut)
    if search is BOSS:
        assert np.mean(whole) < 0.6 * np.mean(cut)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # ibis with the newest duckdb
def test_a_stored_table_gives_the_same_graph_from_aggregates(tmp_path):
    columns, _ = simulated(7, 500, 3)
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    stored = read(str(tmp_path / "table.parquet"), lazy=True)
    for search in (BOSS, PC):
        np.testing.assert_array_equal(search().fit(stored).graph.marks, search().fit(columns).graph.marks)


@pytest.mark.parametrize("score", ["degenerate-gaussian", "conditional-gaussian", "kernel", "extended-bic"])
def test_every_search_by_score_takes_every_score_by_name(score):
    columns, truth = simulated(6, 300, 7)
    for search in (BOSS, GES, GRaSP):
        found = search(score=score).fit(columns)
        assert found.parameters["score"] == ("degenerate-gaussian" if score == "extended-bic" else score)
        assert skeleton_scores(truth, found.graph).f1 > 0.75
    if score == "extended-bic":
        assert "gamma" in found.parameters["per_edge_rule"]


@pytest.mark.parametrize("make", [DegenerateGaussian, ConditionalGaussian])
def test_many_questions_at_once_find_what_one_call_at_a_time_finds(make):
    test = make(simulated(6, 300, 8)[0])
    pairs = np.array([(i, j) for i in range(6) for j in range(i)])
    near = Neighbours.of(~np.eye(6, dtype=bool))
    mids = Neighbours(np.arange(16) * 6, np.tile(np.arange(6), 15))
    assert isinstance(scanner_of(test), MixedScanner)
    found, expected = (scanner(test)(pairs, near, (0, 2), 0.05, 1e4, mids) for scanner in (MixedScanner, PlainScanner))
    for field in ("p_value", "statistic", "size", "members", "separating", "containing", "tests", "stopped"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


@pytest.mark.parametrize("test", ["conditional-gaussian", "rcot"])
def test_pc_and_fci_take_other_tests_of_mixed_tables_by_name(test):
    columns, _ = simulated(5, 400, 1)
    for search in (PC, FCI):
        assert search(test=test).fit(columns).parameters["test"] == test


def test_discover_runs_with_confidence_knowledge_and_missing_values():
    columns, _ = simulated(6, 400, 4)
    columns["X2"] = np.where(np.arange(400) < 20, None if columns["X2"].dtype.kind == "U" else np.nan, columns["X2"])
    found = wh.discover(columns, confidence=10, knowledge=Knowledge(roots=["X1"]))
    assert found.method == "boss"
    assert found.rows_used == 380
    assert found.confidence.draws == 10
    assert not found.graph.parents("X1")
    assert any("20 of 400 rows" in warning for warning in found.warnings)


def test_categories_that_settle_each_other_in_part_are_told_and_searched():
    columns, _ = simulated(6, 400, 5)
    town = np.random.default_rng(0).integers(0, 4, 400)
    columns |= {"town": np.array(list("wxyz"))[town], "region": np.where(town < 2, "north", "south")}
    for search in (BOSS, GES):
        found = search().fit(columns)
        assert any(edge.source in ("town", "region") for edge in found.graph.edges())
        assert any("'region' follows in part exactly" in warning for warning in found.warnings)


def test_what_cannot_be_searched_is_refused_with_its_name():
    columns, _ = simulated(5, 200, 6)
    number = next(name for name, values in columns.items() if values.dtype.kind != "U")
    category = np.random.default_rng(0).choice(list("pqr"), 200)
    columns["kind"] = category
    for search in (BOSS, PC):
        with pytest.raises(DataError, match="'copy'"):
            search().fit({**columns, "copy": np.char.add(category, "!")})
        with pytest.raises(DataError, match="'copy'"):
            search().fit({**columns, "copy": 2.0 * columns[number]})
        with pytest.raises(DataError, match="'flat'"):
            search().fit({**columns, "flat": np.full(200, "same")})
    with pytest.raises(DataError, match="bdeu"):
        BOSS(score="bdeu").fit(columns)
    numbers = np.random.default_rng(1).normal(size=(2, 200))
    with pytest.raises(DataError, match="follows exactly"):
        GES().fit({**columns, "one": numbers[0], "two": numbers[1], "sum": numbers.sum(axis=0)})
    with pytest.raises(ParameterError, match="per_edge"):
        BOSS(score="extended-bic", per_edge=1.0).fit(columns)
    with pytest.raises(ParameterError, match="'aic'"):
        BOSS(score="aic")


def test_curved_relations_need_the_kernel_score():
    rng = np.random.default_rng(0)
    a = rng.uniform(-2, 2, 500)
    columns = {"a": a, "b": a**2 + 0.3 * rng.normal(size=500), "c": rng.normal(size=500)}
    assert not BOSS().fit(columns).graph.edges()
    for search in (BOSS, GRaSP):
        (edge,) = search(score="kernel").fit(columns).graph.edges()
        assert {edge.source, edge.target} == {"a", "b"}
    assert any("'boss'" in warning for warning in GES(score="kernel").fit(columns).warnings)


def test_on_curved_relations_the_kernel_score_is_closer_to_the_truth():
    curved, straight = [], []
    for seed in range(5):
        drawn = simulate.nonlinear_scm(6, 400, degree=2.5, mechanism="gp", random_state=seed)
        truth = Graph(drawn.names, cpdag_of_dag(drawn.adjacency), "CPDAG")
        curved.append(shd(truth, BOSS(score="kernel").fit(drawn.data).graph))
        straight.append(shd(truth, BOSS().fit(drawn.data).graph))
    assert np.mean(curved) < 0.7 * np.mean(straight)
