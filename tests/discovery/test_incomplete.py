"""Searches by tests on incomplete tables use every row that has a test's columns, unless complete rows are named."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import FCI, GES, GFCI, IAMB, PC, discover, markov_blanket
from whence.discovery._incomplete import pairwise_correlation
from whence.errors import DataError
from whence.graph import Graph, metrics
from whence.independence import FisherZ, TestwiseDeletion


def with_gaps(p: int = 10, n: int = 400, share: float = 0.1, seed: int = 0):
    """Return a table that lacks a share of its cells, and its true graph."""
    drawn = simulate.linear_scm(p, n, degree=2.0, weights=(0.4, 0.9), random_state=seed)
    values = np.where(np.random.default_rng(seed).random((n, p)) < share, np.nan, drawn.values)
    return read(values, names=drawn.observed), Graph.from_adjacency(drawn.observed, drawn.adjacency)


def test_pairwise_correlation_is_that_of_the_rows_that_have_both():
    values = with_gaps(5, 60, 0.3)[0].numeric()
    found = pairwise_correlation(values)
    for i in range(5):
        for j in range(5):
            both = ~np.isnan(values[:, [i, j]]).any(axis=1)
            assert found[i, j] == pytest.approx(np.corrcoef(values[both][:, [i, j]], rowvar=False)[0, 1], abs=1e-12)


@pytest.mark.parametrize("given", [(), ("X2",), ("X2", "X5", "X3")])
def test_a_test_is_fishers_z_on_the_rows_that_have_its_columns(given):
    data = with_gaps()[0]
    names = ["X4", "X1", *given]
    found = TestwiseDeletion(data, dropouts=False)("X4", "X1", given)
    kept = data.select(names).complete()
    assert found.rows_used == kept.n_rows
    assert found.p_value == pytest.approx(FisherZ(kept)("X4", "X1", given).p_value, rel=1e-9)


def test_far_fewer_edges_are_wrong_than_on_complete_rows():
    test_wise, complete = [], []
    for seed in range(6):
        data, truth = with_gaps(16, 300, 0.15, seed=seed)
        test_wise.append(metrics.shd(truth.to_cpdag(), PC().fit(data).graph))
        complete.append(metrics.shd(truth.to_cpdag(), PC(test="fisher-z").fit(data).graph))
    assert np.mean(test_wise) < 0.7 * np.mean(complete)


@pytest.mark.parametrize("search", [PC, FCI, IAMB])
def test_what_was_done_is_on_record_and_said(search):
    data, _ = with_gaps()
    found = search().fit(data)
    assert found.parameters["test"] == "testwise-deletion"
    assert "all rows that have its columns" in found.parameters["test_rule"]
    assert found.rows_used == 400
    complete = data.complete().n_rows
    assert f"{400 - complete} of 400 rows" in " ".join(found.warnings)
    assert f"the {complete} complete ones" in " ".join(found.warnings)


def test_complete_rows_are_used_where_a_test_is_named_and_by_scores():
    data, _ = with_gaps()
    complete = data.complete().n_rows
    for search in (PC(test="fisher-z"), GES(), GFCI()):
        found = search.fit(data)
        assert found.rows_used == complete
        said = " ".join(found.warnings)
        assert "Most are missing in 'X" in said
        assert "'pc' and 'fci' use every row" in said


@pytest.mark.parametrize(
    ("simulated", "named", "share"),
    [(simulate.discrete_scm, "g-square", 0.12), (simulate.mixed_scm, "degenerate-gaussian", 0.2)],
)
def test_categories_too_are_tested_on_all_rows_that_have_them(simulated, named, share):
    test_wise, complete = [], []
    for seed in range(4):
        drawn = simulated(14, 2000, degree=2.0, random_state=seed)
        data = simulate.lose_cells(drawn, share, random_state=seed).data
        truth = Graph.from_adjacency(drawn.observed, drawn.adjacency).to_cpdag()
        found = PC().fit(data)
        assert (found.parameters["test"], found.rows_used) == (named, 2000)
        assert f'test="{named}"' in " ".join(found.warnings)
        test_wise.append(metrics.shd(truth, found.graph))
        try:
            complete.append(metrics.shd(truth, PC(test=named).fit(data).graph))
        except DataError:  # a column has one value left in the complete rows: nothing is found
            complete.append(len(truth.edges()))
    assert np.mean(test_wise) < np.mean(complete)
    assert discover(data, confidence=False).method == "pc"


def test_categories_that_are_the_same_wherever_both_were_seen_are_refused():
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 300)
    code = {"red": "r", "green": "g", "blue": "b"}
    data = {
        "colour": [None if rng.random() < 0.2 else value for value in colour],
        "code": [None if rng.random() < 0.2 else code[value] for value in colour],
        "size": rng.choice(["s", "m"], 300),
    }
    with pytest.raises(DataError, match="'code' and 'colour' are the same up to the names"):
        PC().fit(data)


def test_a_table_without_a_complete_row_is_searched():
    data, _ = with_gaps(20, 300, 0.4)
    assert data.complete().n_rows == 0
    assert PC().fit(data).graph.names == data.names
    with pytest.raises(DataError, match="0 complete rows"):
        GES().fit(data)


def test_a_blanket_uses_every_row():
    data, _ = with_gaps()
    assert markov_blanket(data, "X3").rows_used == 400


def test_columns_that_are_the_same_wherever_both_were_seen_are_refused():
    values = with_gaps()[0].numeric().copy()
    values[:, 4] = 3.0 - 2.0 * values[:, 1]
    values[np.random.default_rng(1).random(400) < 0.2, 4] = np.nan
    with pytest.raises(DataError, match="'X2' and 'X5' are the same"):
        PC().fit(read(values, names=[f"X{k + 1}" for k in range(10)]))


def test_a_complete_table_is_searched_as_before():
    data, _ = with_gaps(share=0.0)
    assert PC().fit(data).parameters["test"] == "fisher-z"


def test_discover_takes_pc_where_few_rows_are_complete():
    few, many = (discover(with_gaps(share=share)[0], confidence=False) for share in (0.2, 0.02))
    assert few.method == "pc"
    assert "complete" in few.parameters["method_rule"]
    assert many.method == "boss"
