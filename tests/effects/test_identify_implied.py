"""Implied independences hold in every model of the graph, and none is left out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests.effects.truth import LinearModel, random_admg, random_dag, subsets
from whence.effects import implied_independencies
from whence.errors import GraphError
from whence.graph import Graph


@pytest.mark.parametrize("seed", range(30))
def test_each_pair_that_can_be_separated_is_listed_once_with_a_minimal_set(seed):
    rng = np.random.default_rng([9, seed])
    graph = random_admg(5, 0.5, 0.2, rng) if seed % 2 else random_dag(6, 0.4, rng)
    observed = [name for name in graph.names if rng.random() < 0.85]
    model = LinearModel.on(graph, rng)

    def independent(x: str, y: str, given: tuple[str, ...]) -> bool:
        return abs(model.partial_covariance(x, y, given)) < 1e-9

    listed = implied_independencies(graph, observed=observed)
    assert len({(one.x, one.y) for one in listed}) == len(listed)
    for x, y, given in listed:
        assert independent(x, y, given)
        assert not any(independent(x, y, fewer) for fewer in subsets(given) if fewer != given)
    for x, y in combinations([name for name in graph.names if name in observed], 2):
        rest = [name for name in observed if name not in (x, y)]
        assert ((x, y) in {one[:2] for one in listed}) == any(independent(x, y, given) for given in subsets(rest))


def test_a_class_implies_what_its_members_imply_and_the_limit_holds():
    dag = random_dag(8, 0.3, np.random.default_rng(1))
    pairs = {one[:2] for one in implied_independencies(dag)}
    assert {one[:2] for one in implied_independencies(dag.to_cpdag())} == pairs
    assert len(implied_independencies(dag, limit=2)) == 2
    pag = Graph.from_edges(["a o-> c", "b o-> c", "c -> d"], kind="PAG")
    assert implied_independencies(pag) == (("a", "b", ()), ("a", "d", ("c",)), ("b", "d", ("c",)))


def test_graphs_without_a_member_are_refused():
    square = Graph.from_edges(["a --- b", "b --- c", "c --- d", "d --- a"], kind="CPDAG")
    with pytest.raises(GraphError, match="E405"):
        implied_independencies(square)
