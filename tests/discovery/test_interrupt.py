"""Ctrl-C in a long search: what was found until then is returned, said to be unfinished, and is never a draw."""

from __future__ import annotations

import _thread

import numpy as np
import pytest

import whence
from whence.data import read, simulate
from whence.discovery import BOSS, FCI, GES, PC, RFCI, GRaSP, _orders, bootstrap, discover
from whence.graph import Graph
from whence.independence import Oracle


class Interrupting:
    """A test that is interrupted at its n-th question."""

    def __init__(self, graph: Graph, at: int) -> None:
        self._oracle = Oracle(graph)
        self.names, self.rows_used = self._oracle.names, self._oracle.rows_used
        self.left = at

    def __call__(self, x: str, y: str, given=()):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self._oracle(x, y, given)


@pytest.fixture(scope="module")
def dag() -> Graph:
    names = [f"X{k}" for k in range(12)]
    return Graph.from_adjacency(names, simulate.random_dag(12, degree=3.0, random_state=3))


@pytest.fixture(scope="module")
def table():
    structure = simulate.random_dag(30, degree=3.0, random_state=1)
    return read(simulate.linear_scm(structure, 300, random_state=1).values)


@pytest.mark.parametrize("search", [PC, FCI, RFCI])
def test_a_search_by_tests_keeps_what_was_separated(search, dag):
    whole = PC(test=Oracle(dag)).fit()
    marginal = sum(not given for given in whole.separating_sets.values())
    found = search(test=Interrupting(dag, at=66 + 40)).fit()  # all 66 pairs given nothing, then some given one column
    assert found.interrupted
    assert "interrupted while sets of 1 column were tried" in found.warnings[0]
    assert marginal < len(found.separating_sets) < len(whole.separating_sets)
    assert not any("->" in edge.connector for edge in found.graph.edges())
    for (a, b), given in found.separating_sets.items():
        assert dag.separated(a, b, given)
    assert found.to_dict()["interrupted"]


@pytest.mark.parametrize(
    ("search", "module", "kernel"),
    [
        (GES(), "_score_search", "insert_edges"),
        (BOSS(), "_orders", "move_columns"),
        (GRaSP(), "_orders", "climb_often"),
    ],
)
def test_a_search_by_score_keeps_its_best_graph(search, module, kernel, table, monkeypatch):
    whole = search.fit(table)
    home = __import__(f"whence.discovery.{module}", fromlist=["_kernels"])
    monkeypatch.setattr(home, "_STEPS_AT_ONCE" if module == "_score_search" else "_COLUMNS_AT_ONCE", 60)
    kernels = home._grasp if kernel == "climb_often" else home._kernels
    compiled, calls = getattr(kernels, kernel), []

    def interrupted(*arguments):
        calls.append(kernel)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return compiled(*arguments)

    monkeypatch.setitem(kernels.__dict__, kernel, interrupted)
    found = search.fit(table)
    assert found.interrupted
    assert "interrupted" in found.warnings[-1]
    assert found.graph.edges()
    assert found.details["score"] < whole.details["score"]
    assert not whole.interrupted


def test_half_a_search_is_no_draw_and_the_draws_made_are_kept(table, monkeypatch):
    fits = []
    fit = PC.fit

    def interrupted(self, data=None):
        found = fit(self, data)
        fits.append(found)
        return found if len(fits) < 5 else type(found)(found.graph, "pc", interrupted=True)

    monkeypatch.setattr(PC, "fit", interrupted)
    seen = bootstrap(PC(), table, draws=20, n_jobs=1)
    assert (seen.draws, seen.interrupted) == (4, True)
    fits.clear()
    found = discover(table, "pc", confidence=20, n_jobs=1)
    assert found.confidence.draws == 3  # the first fit was the search itself
    assert "confidence rests on 3 draws instead of 20" in found.warnings[-1]


def test_an_interrupted_search_gets_no_bootstrap(table, monkeypatch):
    fit = PC.fit
    monkeypatch.setattr(
        PC, "fit", lambda self, data=None: type(found := fit(self, data))(found.graph, "pc", interrupted=True)
    )
    assert discover(table, "pc", confidence=20).confidence is None
    fit = BOSS.fit
    monkeypatch.setattr(
        BOSS, "fit", lambda self, data=None: type(found := fit(self, data))(found.graph, "boss", interrupted=True)
    )
    with pytest.raises(KeyboardInterrupt):
        whence.analyze(table, "x1", "x2", budget=5)


def test_a_real_interrupt_is_heard(table, monkeypatch):
    compiled, calls = _orders._kernels.move_columns, []

    def interrupted(*arguments):
        calls.append(len(calls))
        if len(calls) == 3:
            _thread.interrupt_main()  # as Ctrl-C does: heard in the main thread at its next step
        return compiled(*arguments)

    monkeypatch.setitem(_orders._kernels.__dict__, "move_columns", interrupted)
    found = BOSS(restarts=1000).fit(table)
    assert found.interrupted
    assert len(calls) < 1000
    assert np.isfinite(found.details["score"])
