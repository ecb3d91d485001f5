"""MAGs and PAGs against all models with hidden common causes that they stand for.

Every ADMG over three and over four nodes is drawn as a linear model. Vanishing partial covariances sort the models into
Markov classes, ancestry gives their marks, slopes and total effects say which adjustment sets are valid: no graphical
criterion is used on this side.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations, product

import numpy as np
import pytest

from tests.effects.truth import subsets
from whence.effects import identify, is_valid_adjustment
from whence.graph import Graph, Mark

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Models:
    """All ADMGs over p nodes as linear models, and what is true of them. Arrays are indexed by model first."""

    names: tuple[str, ...]
    ancestor: np.ndarray  # [m, i, j]: i is an ancestor of j
    independent: np.ndarray  # [m, k]: the k-th statement (i, j, given)
    statements: list[tuple[int, int, tuple[int, ...]]]
    valid: dict[tuple[int, int, tuple[int, ...]], np.ndarray]  # (x, y, adjustment) -> [m]


def _partial(covariance: np.ndarray, i: int, j: int, given: tuple[int, ...]) -> np.ndarray:
    if not given:
        return covariance[:, i, j]
    inner = covariance[np.ix_(range(len(covariance)), given, given)]
    left, right = covariance[:, i, given], covariance[:, given, j]
    return covariance[:, i, j] - np.einsum("mk,mk->m", left, np.linalg.solve(inner, right[..., None])[..., 0])


@cache
def all_models(p: int) -> Models:
    pairs = list(combinations(range(p), 2))
    directed, bidirected = [], []
    for ends in product((0, 1, 2), repeat=len(pairs)):
        arrows = np.zeros((p, p), dtype=bool)
        for (i, j), end in zip(pairs, ends):
            arrows[i, j], arrows[j, i] = end == 1, end == 2
        if np.any(np.linalg.matrix_power(arrows.astype(int), p)):
            continue
        for hidden in product((False, True), repeat=len(pairs)):
            shared = np.zeros((p, p), dtype=bool)
            for (i, j), is_there in zip(pairs, hidden):
                shared[i, j] = shared[j, i] = is_there
            directed.append(arrows)
            bidirected.append(shared)
    rng = np.random.default_rng(p)
    arrows, shared = np.array(directed), np.array(bidirected)
    weights = arrows * rng.uniform(0.4, 1.2, arrows.shape) * rng.choice([-1, 1], arrows.shape)
    upper = np.triu(rng.uniform(0.2, 0.9, arrows.shape))
    noise = shared * (upper + upper.transpose(0, 2, 1)) + np.eye(p) * rng.uniform(p, p + 2, (len(arrows), 1, 1))
    total = np.linalg.inv(np.eye(p) - weights)
    covariance = total.transpose(0, 2, 1) @ noise @ total
    ancestor = np.linalg.inv(np.eye(p) - 0.1 * arrows) > TOLERANCE

    statements = [
        (i, j, given) for i, j in pairs for given in subsets([node for node in range(p) if node not in (i, j)])
    ]
    independent = np.stack([abs(_partial(covariance, *one)) < TOLERANCE for one in statements], axis=1)
    valid = {}
    for x, y in permutations(range(p), 2):
        for given in subsets([node for node in range(p) if node not in (x, y)]):
            slope = _partial(covariance, x, y, given) / _partial(covariance, x, x, given)
            valid[x, y, given] = abs(slope - total[:, x, y]) < TOLERANCE
    return Models(tuple("abcd"[:p]), ancestor, independent, statements, valid)


def _mag(models: Models, m: int) -> np.ndarray:
    """Return the marks of a model's MAG: adjacent if never independent, a tail at an ancestor."""
    marks = np.zeros((len(models.names),) * 2, dtype=np.int8)
    apart = {models.statements[k][:2] for k in np.flatnonzero(models.independent[m])}
    for i, j in combinations(range(len(models.names)), 2):
        if (i, j) not in apart:
            marks[i, j] = Mark.TAIL if models.ancestor[m, j, i] else Mark.ARROW
            marks[j, i] = Mark.TAIL if models.ancestor[m, i, j] else Mark.ARROW
    return marks


@cache
def _classes(p: int, kind: str) -> list[tuple[Graph, np.ndarray]]:
    """Return the graphs of a kind over p nodes, each with the models it stands for."""
    models = all_models(p)
    mags = [_mag(models, m) for m in range(len(models.independent))]
    groups = defaultdict(list)
    for m, marks in enumerate(mags):
        groups[models.independent[m].tobytes() if kind == "PAG" else marks.tobytes()].append(m)
    graphs = []
    for members in groups.values():
        stack = np.stack([mags[m] for m in members])
        agreed = (stack == stack[0]).all(axis=0)
        graphs.append((Graph(models.names, np.where(agreed, stack[0], Mark.CIRCLE), kind), np.array(members)))
    return graphs


@pytest.mark.parametrize(
    ("p", "kind", "step"),
    [(3, "MAG", 1), (3, "PAG", 1), (4, "PAG", 1), (4, "MAG", 10), pytest.param(4, "MAG", 1, marks=pytest.mark.slow)],
)
def test_a_set_is_valid_exactly_if_it_is_valid_in_every_model_that_the_graph_stands_for(p, kind, step):
    models = all_models(p)
    for graph, members in _classes(p, kind)[::step]:
        for x, y in permutations(range(p), 2):
            rest = [node for node in range(p) if node not in (x, y)]
            exists = False
            for given in subsets(rest):
                expected = bool(models.valid[x, y, given][members].all())
                names = [models.names[node] for node in given]
                got = is_valid_adjustment(graph, models.names[x], models.names[y], names)
                assert got == expected, (graph, x, y, given)
                exists |= expected
            found = identify(graph, models.names[x], models.names[y])
            assert found.identified == exists or found.strategy == "no-effect"
            assert (found.strategy == "no-effect") == (not models.ancestor[members, x, y].any())


def test_the_number_of_markov_classes_is_the_known_one():
    """Over three nodes 11 classes of DAGs, none more with hidden causes; over four 185 of DAGs alone (OEIS A007984)."""
    assert len(_classes(3, "PAG")) == 11
    assert len(_classes(4, "PAG")) > 185


def test_an_edge_that_may_hide_a_common_cause_is_named():
    mag = Graph.from_edges(["a -> b", "b -> c"], kind="MAG")
    found = identify(mag, "a", "c")
    assert not found.estimable
    assert "The edge 'a -> b' may hide a common cause of 'a' and 'b'" in found.reason
    assert identify(mag, "b", "c").adjustment == ()  # were there a hidden cause of b and c, a would be adjacent to c
    pag = Graph.from_edges(["age o-> dose", "season o-> dose", "dose -> pain"], kind="PAG")
    assert identify(pag, "dose", "pain").adjustment == ()
    blocked = identify(pag, "age", "pain")
    assert "The edge 'age o-> dose' may mean that 'age' causes 'dose' or that a hidden cause" in blocked.reason


def test_edges_that_stand_for_selection_are_refused_with_a_reason():
    found = identify(Graph.from_edges(["a --- b", "b -> c"], kind="MAG"), "b", "c")
    assert not found.estimable
    assert "selection" in found.reason
