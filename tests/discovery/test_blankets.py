"""Markov blankets and the graphs from them: exact with an oracle, right in the limit, settings checked."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from whence.data import simulate
from whence.discovery import IAMB, PC, markov_blanket
from whence.discovery.blankets import BlanketMethod
from whence.errors import DataError, ParameterError
from whence.graph import Graph
from whence.independence import FisherZ, Oracle

METHODS = pytest.mark.parametrize("method", get_args(BlanketMethod))


def dag_of(p: int, degree: float, seed: int) -> Graph:
    names = [f"X{k}" for k in range(p)]
    return Graph.from_adjacency(names, simulate.random_dag(p, degree=degree, random_state=seed))


def true_blanket(dag: Graph, name: str) -> set[str]:
    children = dag.children(name)
    spouses = {parent for child in children for parent in dag.parents(child)}
    return {*dag.parents(name), *children, *spouses} - {name}


@METHODS
@pytest.mark.parametrize("seed", range(8))
def test_with_an_oracle_the_blanket_and_the_class_are_true(method, seed):
    dag = dag_of(9, 2.5, seed)
    for name in dag.names:
        assert set(markov_blanket(None, name, method=method, test=Oracle(dag)).members) == true_blanket(dag, name)
    found = IAMB(method=method, test=Oracle(dag)).fit()
    np.testing.assert_array_equal(found.graph.marks, dag.to_cpdag().marks)
    for (a, b), given in found.separating_sets.items():
        assert dag.separated(a, b, given)


@METHODS
def test_on_many_rows_the_blanket_is_true(method):
    dag = dag_of(10, 2.0, 4)
    values = simulate.linear_scm(dag.marks == 2, 20_000, weights=(0.5, 0.9), random_state=0).values
    data = dict(zip(dag.names, values.T))
    found = markov_blanket(data, "X3", method=method, alpha=1e-4)
    assert set(found.members) == true_blanket(dag, "X3")
    assert set(found.p_values) == set(found.members)
    assert max(found.p_values.values()) <= found.alpha
    assert found.to_dict()["rows_used"] == 20_000


def test_ties_of_vanishing_p_values_go_to_the_stronger_dependence():
    rng = np.random.default_rng(0)
    far = rng.normal(size=4000)
    near = far + 0.3 * rng.normal(size=4000)
    target = near + 0.3 * rng.normal(size=4000)
    found = markov_blanket({"far": far, "near": near, "target": target}, "target")
    assert found.members == ("near",)
    assert found.tests <= 2 + 2 + 1 + 1 + 1  # grow, compare, grow again, shrink, report


def test_it_agrees_with_pc_on_a_sparse_table():
    dag = dag_of(15, 2.0, 1)
    values = simulate.linear_scm(dag.marks == 2, 5000, weights=(0.5, 0.9), random_state=1).values
    data = dict(zip(dag.names, values.T))
    assert IAMB(alpha=0.001).fit(data).graph == PC(alpha=0.001).fit(data).graph


def test_wrong_settings_are_named():
    table = dict(zip("abc", np.random.default_rng(0).normal(size=(3, 50))))
    with pytest.raises(ParameterError, match="no column 'd'"):
        markov_blanket(table, "d")
    with pytest.raises(ParameterError, match="no way 'gs'"):
        IAMB(method="gs")
    with pytest.raises(DataError, match="does not vary"):
        markov_blanket({**table, "one": np.ones(50)}, "a")
    assert markov_blanket(None, "a", test=FisherZ(table)).members == ()
