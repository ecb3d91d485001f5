"""Truths from outside the searches: populations known exactly, all graphs on a few nodes, GES by its definition."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from whence.data import Dataset, Moments, read, simulate
from whence.graph import Graph, Knowledge
from whence.graph.orientation import cpdag_of_dag
from whence.scores import LocalScore


def names(p: int) -> tuple[str, ...]:
    return tuple(f"X{k:03d}" for k in range(p))


class ExactTable:
    """A table of which only the moments are known."""

    in_memory = True

    def __init__(self, covariance: np.ndarray, n_rows: int, names: tuple[str, ...]) -> None:
        self.covariance, self.n_rows, self.names = covariance, n_rows, names

    def moments(self, columns) -> Moments:
        order = [self.names.index(column.name) for column in columns]
        covariance = self.covariance[np.ix_(order, order)]
        return Moments(tuple(column.name for column in columns), self.n_rows, np.zeros(len(order)), covariance, 0)


def with_covariance(covariance: np.ndarray, n: int) -> Dataset:
    """Return a dataset whose n rows have exactly this covariance."""
    p = len(covariance)
    columns = read(np.random.default_rng(0).normal(size=(20, p)), names=names(p)).columns.values()
    return Dataset(ExactTable(covariance, n, names(p)), columns, source="the population")


def linear_population(adjacency: np.ndarray, rng: np.random.Generator, n: int = 10**10) -> Dataset:
    """Return a dataset with the population covariance of a random linear model on a DAG: chance plays no part."""
    p = len(adjacency)
    weights = np.where(adjacency, rng.uniform(0.4, 1.2, (p, p)) * rng.choice([-1, 1], (p, p)), 0.0)
    spread = np.linalg.inv(np.eye(p) - weights)
    return with_covariance(spread.T @ np.diag(rng.uniform(0.5, 1.5, p)) @ spread, n)


def linear_rows(p: int, n: int, seed: int, degree: float = 2.0) -> tuple[Graph, Dataset]:
    """Return a random DAG and rows of a linear Gaussian model on it."""
    adjacency = simulate.random_dag(p, degree=degree, random_state=seed)
    values = simulate.linear_scm(adjacency, n, weights=(0.3, 0.9), noise_scale=(0.7, 1.3), random_state=seed).values
    return Graph.from_adjacency(names(p), adjacency), read(values, names=names(p))


def categories(p: int, n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return a table of categories drawn from a random network, its codes, shape (p, n), and how many each has."""
    values = simulate.discrete_scm(p, n, degree=2.5, levels=(2, 3), random_state=seed).values.astype(int)
    values[:2] = [[0], [1]]  # so that none is constant
    codes = np.array([np.unique(column, return_inverse=True)[1] for column in values.T], dtype=np.int32)
    table = {name: np.array([f"v{value}" for value in column]) for name, column in zip(names(p), codes)}
    return table, codes, codes.max(axis=1).astype(np.int64) + 1


def all_dags(p: int) -> np.ndarray:
    """Return the adjacency of every DAG on p nodes: 25 on 3, 543 on 4, 29,281 on 5."""
    i, j = np.triu_indices(p, 1)
    directions = np.array(list(product((0, 1, 2), repeat=len(i))), dtype=np.int8)
    graphs = np.zeros((len(directions), p, p), dtype=np.int8)
    graphs[:, i, j], graphs[:, j, i] = directions == 1, directions == 2
    walks = graphs
    for _ in range(p - 1):
        walks = ((walks @ graphs) > 0).astype(np.int8)
    return graphs[~walks.any(axis=(1, 2))].astype(bool)  # without a walk of p steps there is no cycle


@cache
def _class_of(p: int) -> dict[bytes, bytes]:
    """Return for every DAG its class, both as bytes."""
    return {dag.tobytes(): cpdag_of_dag(dag).tobytes() for dag in all_dags(p)}


@cache
def classes(p: int) -> dict[bytes, list[np.ndarray]]:
    """Return all equivalence classes on p nodes: the bytes of the marks, to the DAGs that are its members."""
    found: dict[bytes, list[np.ndarray]] = {}
    for dag, key in _class_of(p).items():
        found.setdefault(key, []).append(np.frombuffer(dag, dtype=bool).reshape(p, p))
    return found


@cache
def neighbours(p: int) -> tuple[dict[bytes, set[bytes]], dict[bytes, set[bytes]]]:
    """Return for every class those a step of GES may go to: some member with one edge more, or one less.

    Chickering (2002), section 4: the definition, of which the operators on marks are the efficient form.
    """
    more: dict[bytes, set[bytes]] = {key: set() for key in classes(p)}
    less: dict[bytes, set[bytes]] = {key: set() for key in classes(p)}
    for key, members in classes(p).items():
        for dag in members:
            for i, j in np.argwhere(dag):
                smaller = dag.copy()
                smaller[i, j] = False
                other = _class_of(p)[smaller.tobytes()]
                less[key].add(other)
                more[other].add(key)
    return more, less


@cache
def _parents_of_classes(p: int) -> np.ndarray:
    """Return for one member of every class the parents of each node as bits, shape (classes, p)."""
    return np.array([(1 << np.arange(p)) @ members[0] for members in classes(p).values()])


def scores_of_classes(score: LocalScore) -> dict[bytes, float]:
    """Return the score of every class."""
    p = score.n_columns
    local = np.full((p, 2**p), np.nan)
    for target in range(p):
        for bits in range(2**p):
            if not bits >> target & 1:
                local[target, bits] = score.local(target, [k for k in range(p) if bits >> k & 1])
    values = local[np.arange(p), _parents_of_classes(p)].sum(axis=1)
    return dict(zip(classes(p), values.tolist()))


def climb(
    values: dict[bytes, float], p: int, required: np.ndarray | None = None, forbidden: np.ndarray | None = None
) -> bytes:
    """Return where GES by its definition ends: up by the best neighbour with more edges, then with fewer.

    With knowledge it starts from the required edges and goes only to classes with a member that keeps to it.
    """
    nothing = np.zeros((p, p), dtype=bool)
    open_to, required = set(classes(p)), nothing if required is None else required
    if forbidden is not None:
        open_to = {key for key, members in classes(p).items() if allowed(members, required, forbidden)}
    here = cpdag_of_dag(required).tobytes()
    for steps in neighbours(p):
        while steps[here] & open_to:
            best = max(steps[here] & open_to, key=values.__getitem__)
            if not values[best] > values[here]:
                break
            here = best
    return here


def allowed(members: list[np.ndarray], required: np.ndarray, forbidden: np.ndarray) -> list[np.ndarray]:
    """Return the members of a class that keep to what is required and forbidden."""
    return [dag for dag in members if not (dag & forbidden).any() and not (required & ~dag).any()]


def marks_over(members: list[np.ndarray]) -> np.ndarray:
    """Return the marks that DAGs on one skeleton agree on; a tail at both ends where they do not."""
    ever = np.any(members, axis=0)
    return np.where(ever & ever.T, 1, np.where(ever, 2, np.where(ever.T, 1, 0)))


def some_knowledge(seed: int, names: tuple[str, ...]) -> Knowledge:
    """Return knowledge of changing forms on four columns that does not contradict itself."""
    a, b, c, d = np.random.default_rng(seed).permutation(names).tolist()
    return (
        Knowledge(forbidden=[(a, b), (c, b), (d, a)]),
        Knowledge(required=[(a, b)], forbidden=[(c, d)]),
        Knowledge(tiers=[[a, b], [c, d]]),
        Knowledge(roots=[a], leaves=[d]),
        Knowledge(forbidden=[(a, b), (b, a)], tiers=[[a], [c]]),
        Knowledge(required=[(a, b), (b, c)], leaves=[d]),
    )[seed % 6]
