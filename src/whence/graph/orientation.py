"""Orientation on mark matrices: Meek's rules, the CPDAG of a DAG, a consistent extension. Arrays in, arrays out.

``marks[i, j]`` is the mark at j's end of the edge between i and j: ``i -> j`` is ``marks[i, j] = ARROW`` and
``marks[j, i] = TAIL``; zero on both sides means that the two are not adjacent. The compiled loops are imported where
they are used, so that a graph can be built and printed without them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError
from whence.graph.marks import Mark
from whence.kernels import Kernels

_kernels = Kernels("whence.graph._kernels")

Marks = NDArray[np.int8]


def meek(marks: Marks) -> Marks:
    """Return the marks closed under Meek's four rules (Meek 1995, figure 1).

    Parameters
    ----------
    marks : int8 array, shape (p, p)
        Directed and undirected edges only.
    """
    closed = np.array(marks, dtype=np.int8, order="C")
    _kernels.meek_lists(closed, *neighbour_lists(closed))
    return closed


def cpdag_of_dag(adjacency: NDArray[np.bool_]) -> Marks:
    """Return the marks of the completed partially directed graph of a DAG.

    Parameters
    ----------
    adjacency : bool array, shape (p, p)
        ``adjacency[i, j]`` is True for ``i -> j``.
    """
    dag = marks_of_dag(adjacency)
    marks = np.zeros_like(dag)
    _kernels.class_of_dag(dag, marks, *neighbour_lists(dag))
    return marks


def extension(marks: Marks) -> NDArray[np.bool_]:
    """Return one DAG of the class as adjacency: every undirected edge directed, no cycle, no new v-structure.

    Raises
    ------
    GraphError
        If there is none.
    """
    directed = np.array(marks, dtype=np.int8, order="C")
    if not _kernels.extend_lists(directed, *neighbour_lists(directed)):
        raise GraphError(
            "E210",
            "the graph has no consistent extension to a DAG: some directions contradict each other.",
            "Remove a direction or an edge; Graph.edges() lists them.",
        )
    return directed == Mark.ARROW  # type: ignore[no-any-return]


def neighbour_lists(marks: Marks) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the neighbours of every node, shape (p, largest degree), and how many each has, shape (p,)."""
    p = len(marks)
    widest = int(np.count_nonzero(marks, axis=1).max(initial=0))
    near, degree = np.empty((p, max(widest, 1)), dtype=np.int32), np.empty(p, dtype=np.int32)
    _kernels.list_neighbours(np.ascontiguousarray(marks, dtype=np.int8), near, degree)
    return near, degree


def marks_of_dag(adjacency: NDArray[np.bool_]) -> Marks:
    """Return the marks of a DAG given as adjacency."""
    arrows = np.asarray(adjacency, dtype=bool)
    marks = np.where(arrows, np.int8(Mark.ARROW), np.int8(0))
    marks[arrows.T] = Mark.TAIL
    return np.ascontiguousarray(marks)


def is_acyclic(adjacency: NDArray[np.bool_]) -> bool:
    """Return whether there is no directed cycle."""
    return topological_order(adjacency) is not None


def topological_order(adjacency: NDArray[np.bool_]) -> list[int] | None:
    """Return the nodes with parents first, or None if there is a directed cycle."""
    arrows = np.asarray(adjacency, dtype=bool)
    p = len(arrows)
    places = np.flatnonzero(arrows)
    begin = np.searchsorted(places, np.arange(p + 1) * p).tolist()
    children = (places % max(p, 1)).tolist()
    waiting = arrows.sum(axis=0).tolist()
    ready = [node for node in range(p - 1, -1, -1) if not waiting[node]]
    order = []
    while ready:
        node = ready.pop()
        order.append(node)
        for child in children[begin[node] : begin[node + 1]]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return order if len(order) == p else None
