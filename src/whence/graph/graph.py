"""The one graph type: names, a mark at each end of each edge, and a kind that is checked."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import GraphError, quote_names
from whence.graph import classes, dot, formats, gml, orientation, projection, separation, tetrad, validation
from whence.graph.marks import Edge, Mark, as_edge, assemble
from whence.graph.scanner import Kind

Names = str | Collection[str]
_MARKS = tuple(Mark)
_REMEDY = "graph.with_kind(...) reads the same marks as another kind."


class Graph:
    """A causal graph on endpoint marks; immutable.

    Parameters
    ----------
    names : sequence of str
        The nodes, unique.
    marks : int8 array, shape (p, p)
        ``marks[i, j]`` is the mark at j's end of the edge between i and j, 0 where there is none; ``i -> j`` is
        ``marks[i, j] = ARROW`` with ``marks[j, i] = TAIL``.
    kind : str
        ``DAG``; ``CPDAG`` (an equivalence class of DAGs), ``PDAG`` (a class with knowledge); ``ADMG`` (bidirected edges
        are hidden common causes); ``MAG`` and ``PAG`` (ancestral graphs and their classes). The marks are checked.
    bows : sequence of (int, int)
        In an ADMG: pairs that carry a bidirected edge beside their directed one.

    Raises
    ------
    GraphError
        If names repeat, marks are not symmetric in presence, or the kind does not allow them.

    Examples
    --------
    >>> graph = Graph.from_edges(["age -> dose", "age -> cure", "dose -> cure"])
    >>> graph.parents("cure")
    ('age', 'dose')
    >>> graph.separated("age", "cure", given="dose")
    False
    """

    def __init__(
        self,
        names: Iterable[str],
        marks: NDArray[np.int8],
        kind: Kind = "DAG",
        bows: Iterable[tuple[int, int]] = (),
    ) -> None:
        self._names = tuple(names)
        matrix = np.array(marks, dtype=np.int8, order="C")
        self._bows = frozenset((min(pair), max(pair)) for pair in bows)
        self._kind: Kind = kind
        validation.check(self._names, matrix, kind, self._bows)
        matrix.flags.writeable = False
        self._marks = matrix

    # ---- construction -------------------------------------------------------------------------------------------

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[str | Edge | Sequence[str]],
        names: Iterable[str] | None = None,
        kind: Kind = "DAG",
    ) -> Graph:
        """Build a graph from edges: ``"A -> B"`` strings, `Edge` objects, or ``(A, B)`` pairs for directed edges.

        Names are taken in order of appearance unless given. A directed and a bidirected edge between the same two nodes
        are allowed in an ADMG.
        """
        listed = [as_edge(edge) for edge in ([edges] if isinstance(edges, str) else edges)]
        found = dict.fromkeys(name for edge in listed for name in (edge.source, edge.target))
        order = tuple(found) if names is None else tuple(names)
        marks, bows = assemble(listed, order, kind)
        return cls(order, marks, kind, bows)

    @classmethod
    def from_adjacency(cls, names: Iterable[str], adjacency: NDArray[np.bool_]) -> Graph:
        """Build a DAG from ``adjacency[i, j]``, True for ``i -> j``."""
        return cls(names, orientation.marks_of_dag(adjacency), "DAG")

    # ---- what it holds ------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes, in order."""
        return self._names

    @property
    def kind(self) -> Kind:
        """``DAG``, ``CPDAG``, ``PDAG``, ``ADMG``, ``MAG`` or ``PAG``."""
        return self._kind

    @property
    def marks(self) -> NDArray[np.int8]:
        """The mark matrix, read-only, shape (p, p)."""
        return self._marks

    @property
    def bows(self) -> frozenset[tuple[int, int]]:
        """Pairs of nodes with a bidirected edge beside a directed one (ADMG only)."""
        return self._bows

    @property
    def n_nodes(self) -> int:
        """The number of nodes."""
        return len(self._names)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self._names)}

    def index(self, name: str) -> int:
        """Return the position of a node; GraphError with the closest names if it is absent."""
        found = self._index.get(name)
        if found is None:
            close = get_close_matches(str(name), self._names, n=3, cutoff=0.5) or self._names
            raise GraphError("E204", f"there is no node {name!r} in the graph.", f"Nodes: {quote_names(close)}.")
        return found

    def indices(self, names: Names) -> list[int]:
        """Return the positions of one name or several."""
        return [self.index(name) for name in ([names] if isinstance(names, str) else names)]

    def edges(self) -> tuple[Edge, ...]:
        """Return every edge once, tails before arrowheads, in order of the nodes."""
        return self._edges

    @cached_property
    def _edges(self) -> tuple[Edge, ...]:
        i, j = np.divmod(np.flatnonzero(np.triu(self._marks, k=1)), max(self.n_nodes, 1))
        first, second = self._marks[j, i], self._marks[i, j]
        swap = ((first == Mark.ARROW) & (second != Mark.ARROW)) | ((first == Mark.CIRCLE) & (second == Mark.TAIL))
        found = []
        for pair in zip(*(ends.tolist() for ends in (i, j, first, second, swap))):
            a, b, here, there = self._names[pair[0]], self._names[pair[1]], _MARKS[pair[2]], _MARKS[pair[3]]
            found.append(Edge(b, a, there, here) if pair[4] else Edge(a, b, here, there))
            if pair[:2] in self._bows:
                found.append(Edge(a, b, Mark.ARROW, Mark.ARROW))
        return tuple(found)

    def edge(self, a: str, b: str) -> Edge | None:
        """Return the edge between two nodes as seen from ``a``, or None."""
        i, j = self.index(a), self.index(b)
        if not self._marks[i, j]:
            return None
        return Edge(a, b, Mark(int(self._marks[j, i])), Mark(int(self._marks[i, j])))

    @cached_property
    def _near(self) -> tuple[tuple[tuple[int, int, int], ...], ...]:
        """For each node its edges as (other node, mark here, mark there), bows twice."""
        near: list[list[tuple[int, int, int]]] = [[] for _ in self._names]
        for i, j in zip(*np.nonzero(self._marks)):
            near[i].append((int(j), int(self._marks[j, i]), int(self._marks[i, j])))
        for i, j in self._bows:
            near[i].append((j, Mark.ARROW, Mark.ARROW))
            near[j].append((i, Mark.ARROW, Mark.ARROW))
        return tuple(tuple(edges) for edges in near)

    def _named(self, nodes: Iterable[int]) -> tuple[str, ...]:
        return tuple(self._names[node] for node in sorted(nodes))

    def _ends(self, name: str, here: int, there: int) -> tuple[str, ...]:
        return self._named(
            {node for node, mine, other in self._near[self.index(name)] if (mine, other) == (here, there)}
        )

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the nodes with a directed edge into ``name``, in node order."""
        return self._ends(name, Mark.ARROW, Mark.TAIL)

    def children(self, name: str) -> tuple[str, ...]:
        """Return the nodes that ``name`` points to."""
        return self._ends(name, Mark.TAIL, Mark.ARROW)

    def neighbours(self, name: str) -> tuple[str, ...]:
        """Return the nodes joined by an undirected edge."""
        return self._ends(name, Mark.TAIL, Mark.TAIL)

    def siblings(self, name: str) -> tuple[str, ...]:
        """Return the nodes joined by a bidirected edge."""
        return self._ends(name, Mark.ARROW, Mark.ARROW)

    def adjacent(self, name: str) -> tuple[str, ...]:
        """Return all nodes joined to ``name``."""
        return self._named({node for node, _, _ in self._near[self.index(name)]})

    def ancestors(self, names: Names, *, include_self: bool = False) -> tuple[str, ...]:
        """Return the nodes with a directed path to ``names``."""
        return self._reach(names, include_self, lambda here, there: here == Mark.ARROW and there == Mark.TAIL)

    def descendants(self, names: Names, *, include_self: bool = False) -> tuple[str, ...]:
        """Return the nodes with a directed path from ``names``."""
        return self._reach(names, include_self, lambda here, there: here == Mark.TAIL and there == Mark.ARROW)

    def possible_ancestors(self, names: Names, *, include_self: bool = False) -> tuple[str, ...]:
        """Return the nodes with a path to ``names`` that no arrowhead speaks against."""
        return self._reach(names, include_self, lambda here, there: there != Mark.ARROW and here != Mark.NONE)

    def possible_descendants(self, names: Names, *, include_self: bool = False) -> tuple[str, ...]:
        """Return the nodes with a path from ``names`` that no arrowhead speaks against."""
        return self._reach(names, include_self, lambda here, there: here != Mark.ARROW)

    def _reach(self, names: Names, include_self: bool, passes: Any) -> tuple[str, ...]:
        start = self.indices(names)
        found = set(start)
        stack = list(start)
        while stack:
            for node, here, there in self._near[stack.pop()]:
                if node not in found and passes(here, there):
                    found.add(node)
                    stack.append(node)
        return self._named(found if include_self else found - set(start))

    def is_acyclic(self) -> bool:
        """Return whether no directed path leads back to its start."""
        return orientation.is_acyclic(self._directed())

    def topological_order(self) -> tuple[str, ...]:
        """Return the nodes so that every directed edge points forward."""
        order = orientation.topological_order(self._directed()) or []  # validation lets no cycle through
        return tuple(self._names[node] for node in order)

    def _directed(self) -> NDArray[np.bool_]:
        return (self._marks == Mark.ARROW) & (self._marks.T == Mark.TAIL)  # type: ignore[no-any-return]

    # ---- separation ---------------------------------------------------------------------------------------------

    def separated(self, x: Names, y: Names, given: Names = ()) -> bool:
        """Decide whether ``given`` separates ``x`` from ``y`` (d-separation, m-separation).

        In a class of graphs (CPDAG, PDAG, PAG) separation is the same in every member, so it is read off one of them.
        Linear in the number of edges.

        Raises
        ------
        GraphError
            If a name is absent or the sets overlap.
        """
        return separation.separated(self, x, y, given)

    def markov_blanket(self, name: str) -> tuple[str, ...]:
        """Return the smallest set that separates a node of a DAG from all others: parents, children, co-parents.

        In a graph with bidirected edges: everything reached along collider paths.
        """
        return separation.markov_blanket(self, name)

    def moral(self) -> Graph:
        """Return the moral graph, in which a node is joined to its Markov blanket: undirected edges, as a MAG.

        On the ancestors of x, y and z its paths decide separation: Lauritzen et al. (1990) for DAGs, Richardson (2003)
        for bidirected edges, where it is called augmented.
        """
        return separation.moral(self)

    # ---- classes ------------------------------------------------------------------------------------------------

    def to_cpdag(self) -> Graph:
        """Return the equivalence class of a DAG (or of any member of a CPDAG)."""
        return Graph(self._names, orientation.cpdag_of_dag(self.extension()._directed()), "CPDAG")

    def extension(self) -> Graph:
        """Return one DAG of the class.

        Raises
        ------
        GraphError
            If the graph stands for no DAG.
        """
        if self._kind == "DAG":
            return self
        self._require(("CPDAG", "PDAG"), "a DAG extension")
        return Graph.from_adjacency(self._names, orientation.extension(self._marks))

    def members(self, limit: int | None = None) -> Iterator[Graph]:
        """Yield the DAGs of the class, at most ``limit`` of them."""
        return classes.members(self, limit)

    def equivalent_to(self, other: Graph) -> bool:
        """Return whether two graphs over the same names, of any kinds, stand for the same independences."""
        return classes.equivalent(self, other)

    def latent_projection(self, observed: Names) -> Graph:
        """Return the ADMG over the observed nodes: hidden common causes become bidirected edges (Verma and Pearl)."""
        return projection.latent_projection(self, observed)

    def subgraph(self, names: Names) -> Graph:
        """Return the graph on some of its nodes, in the given order."""
        keep = self.indices(names)
        place = {node: k for k, node in enumerate(keep)}
        bows = [(place[i], place[j]) for i, j in self._bows if i in place and j in place]
        kind: Kind = "PDAG" if self._kind == "CPDAG" and len(place) < self.n_nodes else self._kind
        return Graph([self._names[node] for node in keep], self._marks[np.ix_(keep, keep)], kind, bows)

    def renamed(self, names: Mapping[str, str]) -> Graph:
        """Return the graph with other names."""
        return Graph([names.get(name, name) for name in self._names], self._marks, self._kind, self._bows)

    def with_kind(self, kind: Kind) -> Graph:
        """Return the same marks as another kind, if that kind allows them."""
        return Graph(self._names, self._marks, kind, self._bows)

    def _require(self, kinds: Sequence[str], what: str) -> None:
        if self._kind not in kinds:
            raise GraphError("E206", f"{what} needs a {' or '.join(kinds)}, not a {self._kind}.", _REMEDY)

    # ---- formats and looks --------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return kind, nodes and edges as plain JSON values; `from_dict` reads them back."""
        return formats.to_dict(self)

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Graph:
        """Read what `to_dict` wrote."""
        return Graph.from_edges(*formats.from_dict(document))

    def to_networkx(self) -> Any:
        """Return a networkx DiGraph (DAG) or, for other kinds, a MultiDiGraph with marks; nodes keep their names."""
        return formats.to_networkx(self)

    @staticmethod
    def from_networkx(graph: Any) -> Graph:
        """Read a networkx graph: a DiGraph as a DAG, or what `to_networkx` made."""
        return Graph.from_edges(*formats.from_networkx(graph))

    def to_dot(self) -> str:
        """Return the graph in Graphviz DOT."""
        return dot.to_dot(self)

    @staticmethod
    def from_dot(text: str) -> Graph:
        """Read a graph in Graphviz DOT; see `whence.graph.dot.from_dot` for what gives names and marks."""
        return Graph.from_edges(*dot.from_dot(text))

    def to_dagitty(self) -> str:
        """Return the graph in the DAGitty language."""
        return dot.to_dagitty(self)

    @staticmethod
    def from_dagitty(text: str) -> Graph:
        """Read a graph in the DAGitty language (``dag``, ``pdag``, ``mag``, ``pag``)."""
        return Graph.from_edges(*dot.from_dagitty(text))

    def to_gml(self) -> str:
        """Return the graph in GML."""
        return gml.to_gml(self)

    @staticmethod
    def from_gml(text: str) -> Graph:
        """Read a graph in GML."""
        return Graph.from_edges(*gml.from_gml(text))

    def to_tetrad(self) -> str:
        """Return the graph in Tetrad's text format."""
        return tetrad.to_tetrad(self)

    @staticmethod
    def from_tetrad(text: str) -> Graph:
        """Read a graph in Tetrad's text format."""
        return Graph.from_edges(*tetrad.from_tetrad(text))

    def to_svg(self, **options: Any) -> str:
        """Draw the graph as SVG; see `whence.graph.drawing.draw` for the options."""
        from whence.graph.drawing import draw

        return draw(self, **options)

    def _repr_html_(self) -> str:
        return self.to_svg() if self.n_nodes <= 80 else f"<p>{html.escape(repr(self))}</p>"

    def __repr__(self) -> str:
        edges = self.edges()
        shown = ", ".join(str(edge) for edge in edges[:12])
        more = f", and {len(edges) - 12} more" if len(edges) > 12 else ""
        return f"{self._kind} with {self.n_nodes} nodes and {len(edges)} edges: {shown}{more}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        same = self._names == other._names and self._kind == other._kind and self._bows == other._bows
        return same and np.array_equal(self._marks, other._marks)

    def __hash__(self) -> int:
        return hash((self._names, self._kind, self._marks.tobytes(), self._bows))

    def __reduce__(self) -> tuple[Any, ...]:
        return Graph, (self._names, np.array(self._marks), self._kind, tuple(self._bows))
