"""MAGs and PAGs against all models with hidden common causes that they stand for.

Every ADMG over three and over four nodes is drawn as a linear model. Vanishing partial covariances sort the models into
Markov classes, ancestry gives their marks, slopes and total effects say which adjustment sets are valid: no graphical
criterion is used on this side.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product

import numpy as np
import pytest

from tests.effects.truth import subsets
from whence.effects import identify, is_valid_adjustment
from whence.graph import Graph, Mark

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Models:
    """Linear models on ADMGs over p nodes, and what is true of them. Arrays are indexed by model first."""

    names: tuple[str, ...]
    weights: np.ndarray
    covariance: np.ndarray
    ancestor: np.ndarray  # [m, i, j]: i is an ancestor of j
    independent: np.ndarray  # [m, k]: the k-th statement
    statements: list[tuple[int, int, tuple[int, ...]]]

    @classmethod
    def on(cls, arrows: np.ndarray, shared: np.ndarray) -> Models:
        """Draw weights for directed edges ``arrows`` and bidirected edges ``shared``, both of shape (m, p, p)."""
        p = arrows.shape[1]
        rng = np.random.default_rng(p)
        weights = arrows * rng.uniform(0.4, 1.2, arrows.shape) * rng.choice([-1, 1], arrows.shape)
        upper = np.triu(rng.uniform(0.2, 0.9, arrows.shape))
        noise = shared * (upper + upper.transpose(0, 2, 1)) + np.eye(p) * rng.uniform(p, p + 2, (len(arrows), 1, 1))
        total = np.linalg.inv(np.eye(p) - weights)
        covariance = total.transpose(0, 2, 1) @ noise @ total
        statements = [
            (i, j, given) for i, j in combinations(range(p), 2) for given in subsets(_without(range(p), i, j))
        ]
        apart = np.stack([abs(_slope(covariance, (i, *given), j)[:, 0]) < TOLERANCE for i, j, given in statements], 1)
        ancestor = np.linalg.inv(np.eye(p) - 0.1 * arrows) > TOLERANCE
        return cls(tuple("abcdef"[:p]), weights, covariance, ancestor, apart, statements)

    def valid(self, treatments: tuple[int, ...], outcome: int, adjustment: tuple[int, ...]) -> np.ndarray:
        """Return for each model whether regression on treatments and adjustment set gives the true effect."""
        k = len(treatments)
        slopes = _slope(self.covariance, (*treatments, *adjustment), outcome)[:, :k]
        mutilated = self.weights.copy()
        mutilated[:, :, treatments] = 0
        effect = np.linalg.inv(np.eye(len(self.names)) - mutilated)[:, treatments, outcome]
        return (abs(slopes - effect) < TOLERANCE).all(axis=1)

    def mag(self, m: int) -> np.ndarray:
        """Return the marks of a model's MAG: adjacent if never independent, a tail at an ancestor."""
        marks = np.zeros((len(self.names),) * 2, dtype=np.int8)
        apart = {self.statements[k][:2] for k in np.flatnonzero(self.independent[m])}
        for i, j in combinations(range(len(self.names)), 2):
            if (i, j) not in apart:
                marks[i, j] = Mark.TAIL if self.ancestor[m, j, i] else Mark.ARROW
                marks[j, i] = Mark.TAIL if self.ancestor[m, i, j] else Mark.ARROW
        return marks


def _without(nodes, *left_out):
    return [node for node in nodes if node not in left_out]


def _slope(covariance: np.ndarray, regressors: tuple[int, ...], outcome: int) -> np.ndarray:
    """Return the coefficients of a regression in every model, shape (m, number of regressors)."""
    inner = covariance[np.ix_(range(len(covariance)), regressors, regressors)]
    return np.linalg.solve(inner, covariance[:, regressors, outcome][..., None])[..., 0]


def _questions(p: int):
    """Yield treatments, outcome and the other nodes: every single treatment and every pair."""
    for k in (1, 2):
        for treatments in combinations(range(p), k):
            for outcome in _without(range(p), *treatments):
                yield treatments, outcome, _without(range(p), *treatments, outcome)


@cache
def all_models(p: int) -> Models:
    """Return a model on each of the ADMGs over p nodes."""
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
    return Models.on(np.array(directed), np.array(bidirected))


@cache
def _classes(p: int, kind: str) -> list[tuple[Graph, np.ndarray]]:
    """Return the graphs of a kind over p nodes, each with the models it stands for."""
    models = all_models(p)
    mags = [models.mag(m) for m in range(len(models.independent))]
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
    [
        (3, "MAG", 1),
        (3, "PAG", 1),
        (4, "PAG", 4),
        (4, "MAG", 40),
        *(pytest.param(4, kind, 1, marks=pytest.mark.slow) for kind in ("PAG", "MAG")),
    ],
)
def test_a_set_is_valid_exactly_if_it_is_valid_in_every_model_that_the_graph_stands_for(p, kind, step):
    models = all_models(p)
    for treatments, y, rest in _questions(p):
        valid = {given: models.valid(treatments, y, given) for given in subsets(rest)}
        affected = models.ancestor[:, treatments, y].any(axis=1)
        for graph, members in _classes(p, kind)[::step]:
            x, outcome = [models.names[node] for node in treatments], models.names[y]
            exists = False
            for given, held in valid.items():
                expected = bool(held[members].all())
                got = is_valid_adjustment(graph, x, outcome, [models.names[node] for node in given])
                assert got == expected, (graph, x, outcome, given)
                exists |= expected
            found = identify(graph, x, outcome)
            assert (found.strategy == "no-effect") == (not affected[members].any())
            assert found.identified == exists or found.strategy == "no-effect"


def test_where_a_pag_gives_no_answer_some_model_of_it_has_no_valid_set():
    """So that a range over the class could not be complete: the reason why none is given."""
    models = all_models(4)
    for treatments, y, rest in _questions(4):
        if treatments > (0,):
            continue  # the classes of four nodes come with all their renamings: one treatment stands for all
        any_valid = np.stack([models.valid(treatments, y, given) for given in subsets(rest)]).any(axis=0)
        for graph, members in _classes(4, "PAG"):
            if not identify(graph, [models.names[node] for node in treatments], models.names[y]).estimable:
                assert not any_valid[members].all()


def _random_class(seed: int, p: int) -> list[Graph]:
    """Return the MAGs of a random class: all ancestral graphs on its adjacencies with its independences."""
    rng = np.random.default_rng([13, seed])
    upper = np.triu(np.ones((p, p), dtype=bool), k=1)
    edges = np.ones((9, 2))
    while len(edges) > 8:
        arrows, hidden = upper & (rng.random((p, p)) < 0.5), upper & (rng.random((p, p)) < 0.15)
        truth = Models.on(arrows[None], (hidden | hidden.T)[None])
        edges = np.argwhere(np.triu(truth.mag(0) != 0))
    directed, bidirected = [], []
    for ends in product((0, 1, 2), repeat=len(edges)):
        arrows, shared = np.zeros((p, p), dtype=bool), np.zeros((p, p), dtype=bool)
        for (i, j), end in zip(edges, ends):
            arrows[i, j], arrows[j, i] = end == 0, end == 1
            shared[i, j] = shared[j, i] = end == 2
        reach = np.linalg.matrix_power(np.eye(p) + arrows, p) > 0
        if not (reach & reach.T & ~np.eye(p, dtype=bool)).any() and not (reach & shared).any():
            directed.append(arrows)
            bidirected.append(shared)
    models = Models.on(np.array(directed), np.array(bidirected))
    return [
        Graph(models.names, models.mag(m), "MAG")
        for m in np.flatnonzero((models.independent == truth.independent[0]).all(axis=1))
    ]


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 80))])
def test_a_set_is_valid_in_a_larger_pag_exactly_if_it_is_valid_in_every_mag_of_the_class(seed):
    members = _random_class(seed, 5 + seed % 2)
    marks = np.stack([member.marks for member in members])
    pag = Graph(members[0].names, np.where((marks == marks[0]).all(axis=0), marks[0], Mark.CIRCLE), "PAG")
    for treatments, y, rest in _questions(pag.n_nodes):
        x, outcome = [pag.names[node] for node in treatments], pag.names[y]
        exists = False
        for given in subsets([pag.names[node] for node in rest]):
            expected = all(is_valid_adjustment(member, x, outcome, given) for member in members)
            assert is_valid_adjustment(pag, x, outcome, given) == expected, (pag, x, outcome, given)
            exists |= expected
        assert identify(pag, x, outcome, strategy="adjustment").identified == exists


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
