"""Random directed acyclic graphs as plain adjacency matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError
from whence.parallel import RandomState, generator

DagKind = Literal["erdos-renyi", "scale-free", "bipartite", "hubs"]
Edges = Sequence[tuple[str, str]]


def random_dag(
    n_nodes: int,
    *,
    degree: float = 2.0,
    edge_probability: float | None = None,
    kind: DagKind = "erdos-renyi",
    random_state: RandomState = None,
) -> NDArray[np.bool_]:
    """Draw a random directed acyclic graph.

    Parameters
    ----------
    n_nodes : int
        Number of nodes, p.
    degree : float
        Expected number of edges at a node, incoming and outgoing together.
    edge_probability : float, optional
        Share of the p(p-1)/2 pairs that carry an edge; replaces ``degree``.
    kind : str
        ``"erdos-renyi"``: every pair alike. ``"scale-free"``: every new node receives edges from earlier
        nodes in proportion to their degree, so that a few causes have many effects (Barabasi and Albert
        1999). ``"bipartite"``: causes in one half, effects in the other. ``"hubs"``: one node in twenty is
        a hub, and half of all edges leave a hub.
    random_state : int or Generator, optional
        Seed.

    Returns
    -------
    ndarray of bool, shape (p, p)
        Entry ``[i, j]`` is True where i causes j. The columns are in random order, not in causal order.

    Raises
    ------
    DataError
        E150 if the number of nodes, the degree or the probability is out of range.

    Examples
    --------
    >>> adjacency = random_dag(6, degree=2, random_state=0)
    >>> adjacency.shape, bool(np.trace(adjacency))
    ((6, 6), False)
    """
    rng = generator(random_state)
    density = _edge_probability(n_nodes, degree, edge_probability)
    draw = {
        "erdos-renyi": _erdos_renyi,
        "scale-free": _scale_free,
        "bipartite": _bipartite,
        "hubs": _hubs,
    }.get(kind)
    if draw is None:
        raise DataError(
            "E150",
            f"there is no kind of random graph {kind!r}.",
            "Choose erdos-renyi, scale-free, bipartite or hubs.",
        )
    ordered = draw(n_nodes, density, rng)
    shuffle = rng.permutation(n_nodes)
    adjacency = np.zeros_like(ordered)
    adjacency[np.ix_(shuffle, shuffle)] = ordered
    return adjacency


def _edge_probability(n_nodes: int, degree: float, edge_probability: float | None) -> float:
    if n_nodes < 1:
        raise DataError("E150", f"a graph needs at least one node, got {n_nodes}.", "Give a positive number of nodes.")
    if edge_probability is None:
        if degree < 0:
            raise DataError("E150", f"the degree is {degree}.", "Give an expected degree of zero or more.")
        return min(1.0, degree / max(n_nodes - 1, 1))
    if not 0 <= edge_probability <= 1:
        raise DataError("E150", f"the edge probability is {edge_probability}.", "Give a number from 0 to 1.")
    return edge_probability


def _erdos_renyi(n_nodes: int, density: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    return np.triu(rng.random((n_nodes, n_nodes)) < density, 1)


def _scale_free(n_nodes: int, density: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Each new node gets, on average, half the degree in edges from earlier nodes, drawn by degree + 1."""
    adjacency = np.zeros((n_nodes, n_nodes), dtype=bool)
    attraction = np.ones(n_nodes)
    arrivals = density * (n_nodes - 1) / 2
    for node in range(1, n_nodes):
        count = min(node, int(arrivals) + int(rng.random() < arrivals % 1))
        if count == 0:
            continue
        # The smallest of Exponential(rate) draws are a weighted sample without replacement.
        waiting = rng.exponential(size=node) / attraction[:node]
        parents = np.argpartition(waiting, count - 1)[:count]
        adjacency[parents, node] = True
        attraction[parents] += 1
        attraction[node] += count
    return adjacency


def _bipartite(n_nodes: int, density: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    half = n_nodes // 2
    pairs = half * (n_nodes - half)
    within = min(1.0, density * n_nodes * (n_nodes - 1) / 2 / max(pairs, 1))
    adjacency = np.zeros((n_nodes, n_nodes), dtype=bool)
    adjacency[:half, half:] = rng.random((half, n_nodes - half)) < within
    return adjacency


def _hubs(n_nodes: int, density: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    hubs = max(1, n_nodes // 20)
    wanted = density * n_nodes * (n_nodes - 1) / 2
    hub_pairs = hubs * n_nodes - hubs * (hubs + 1) / 2
    other_pairs = n_nodes * (n_nodes - 1) / 2 - hub_pairs
    from_hubs = min(1.0, wanted / 2 / max(hub_pairs, 1))
    from_others = min(1.0, (wanted - from_hubs * hub_pairs) / max(other_pairs, 1))
    chance = np.full((n_nodes, 1), from_others)
    chance[:hubs] = from_hubs
    return np.triu(rng.random((n_nodes, n_nodes)) < chance, 1)


def node_names(n_nodes: int) -> tuple[str, ...]:
    """Return the default names ``X1 .. Xp``.

    >>> node_names(3)
    ('X1', 'X2', 'X3')
    """
    return tuple(f"X{number}" for number in range(1, n_nodes + 1))


def causal_order(adjacency: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the nodes in an order in which causes come first.

    Raises
    ------
    DataError
        E151 if the matrix has a cycle.

    Examples
    --------
    >>> causal_order(np.array([[0, 0], [1, 0]], dtype=bool)).tolist()
    [1, 0]
    """
    waiting = adjacency.sum(axis=0).astype(np.int64)
    order: list[int] = []
    ready = list(np.flatnonzero(waiting == 0))
    while ready:
        node = ready.pop()
        order.append(int(node))
        children = np.flatnonzero(adjacency[node])
        waiting[children] -= 1
        ready.extend(children[waiting[children] == 0])
    if len(order) < len(adjacency):
        raise DataError("E151", "the edges contain a cycle.", "Remove an edge of each cycle.")
    return np.array(order, dtype=np.intp)


def as_structure(
    structure: int | NDArray[np.bool_] | Edges, degree: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Turn a number of nodes, an adjacency matrix or a list of (parent, child) into a matrix and names."""
    if isinstance(structure, (int, np.integer)):
        adjacency = random_dag(int(structure), degree=degree, random_state=rng)
        return adjacency, node_names(int(structure))
    if isinstance(structure, np.ndarray):
        if structure.ndim != 2 or structure.shape[0] != structure.shape[1]:
            raise DataError(
                "E151",
                f"the adjacency matrix has shape {structure.shape}.",
                "Give a square matrix.",
            )
        return structure != 0, node_names(len(structure))
    names = tuple(dict.fromkeys(name for edge in structure for name in edge))
    position = {name: index for index, name in enumerate(names)}
    adjacency = np.zeros((len(names), len(names)), dtype=bool)
    for parent, child in structure:
        adjacency[position[parent], position[child]] = True
    return adjacency, names
