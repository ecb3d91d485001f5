"""What a graph says that data can contradict: the independences it implies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations, islice
from typing import NamedTuple

from whence.effects.identify_frame import has_selection, member_of
from whence.effects.identify_knowledge import is_consistent
from whence.errors import GraphError
from whence.graph import Graph


class Independence(NamedTuple):
    """Two variables that are independent given others, if the graph is right.

    >>> str(Independence("age", "pain", ("dose",)))
    'age ⫫ pain | dose'
    """

    x: str
    y: str
    given: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.x} ⫫ {self.y}" + (f" | {', '.join(self.given)}" if self.given else "")


def implied_independencies(
    graph: Graph, *, observed: Collection[str] | None = None, limit: int | None = None
) -> tuple[Independence, ...]:
    """Return one testable independence for every pair of measured variables that some measured set separates.

    Parameters
    ----------
    graph : Graph
        Of any kind; the members of a class imply the same independences.
    observed : collection of str, optional
        The measured variables; all by default.
    limit : int, optional
        Return at most so many, in the order of the graph's nodes.

    Returns
    -------
    tuple of Independence
        ``(x, y, given)`` with a ``given`` of which no member can be dropped.

    Raises
    ------
    GraphError
        If a name is not in the graph, or no model without selection has the graph's edges.

    Examples
    --------
    >>> chain = Graph.from_edges(["age -> dose", "dose -> pain"])
    >>> [str(one) for one in implied_independencies(chain)]
    ['age ⫫ pain | dose']
    """
    if not is_consistent(graph) or has_selection(graph):
        raise GraphError(
            "E405",
            "no model without selection has all edges and directions of the graph.",
            "Take a graph that is consistent and has no edge with two tails or a tail opposite a circle.",
        )
    measured = graph.indices(graph.names if observed is None else tuple(observed))
    model = member_of(graph, measured)

    def found() -> Iterator[Independence]:
        for x, y in combinations(sorted(measured), 2):
            if (given := model.minimal_separator([x], [y], model.observed - {x, y})) is not None:
                yield Independence(graph.names[x], graph.names[y], tuple(graph.names[node] for node in sorted(given)))

    return tuple(islice(found(), limit))
