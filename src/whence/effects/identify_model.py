"""The ground on which identification is decided: an acyclic directed model, some of whose variables are hidden.

Every graph that stands for one model is brought to this form (a bidirected edge becomes a hidden common cause), so that
separation, separating sets and descendants are written once. Nodes are integers; names return at the surface.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

Nodes = frozenset[int]


@dataclass(frozen=True, slots=True)
class DirectedModel:
    """Parents and children of every node, hidden ones included.

    Attributes
    ----------
    parents, children : tuple of tuple of int
        For each node. Nodes beyond the graph's own are hidden common causes that stand for a bidirected edge.
    observed : frozenset of int
        The measured nodes.
    """

    parents: tuple[tuple[int, ...], ...]
    children: tuple[tuple[int, ...], ...]
    observed: Nodes

    @classmethod
    def build(
        cls,
        n_nodes: int,
        directed: Iterable[tuple[int, int]],
        bidirected: Iterable[tuple[int, int]] = (),
        observed: Iterable[int] | None = None,
    ) -> DirectedModel:
        """Build a model from edges; each bidirected edge adds a hidden common cause behind the ``n_nodes`` nodes.

        >>> DirectedModel.build(3, [(0, 1)], [(1, 2)]).children
        ((1,), (), (), (1, 2))
        """
        pairs = list(bidirected)
        parents: list[list[int]] = [[] for _ in range(n_nodes + len(pairs))]
        children: list[list[int]] = [[] for _ in range(n_nodes + len(pairs))]
        hidden = [(n_nodes + k, end) for k, pair in enumerate(pairs) for end in pair]
        for source, target in [*directed, *hidden]:
            parents[target].append(source)
            children[source].append(target)
        measured = frozenset(range(n_nodes) if observed is None else observed)
        return cls(tuple(map(tuple, parents)), tuple(map(tuple, children)), measured)

    def cut(self, edges: Collection[tuple[int, int]]) -> DirectedModel:
        """Return the model without the given edges ``(source, target)``."""
        parents, children = list(self.parents), list(self.children)
        for target in {target for _, target in edges}:
            parents[target] = tuple(node for node in parents[target] if (node, target) not in edges)
        for source in {source for source, _ in edges}:
            children[source] = tuple(node for node in children[source] if (source, node) not in edges)
        return DirectedModel(tuple(parents), tuple(children), self.observed)

    def cut_out_of(self, nodes: Iterable[int]) -> DirectedModel:
        """Return the model without the edges out of ``nodes``."""
        return self.cut({(node, child) for node in nodes for child in self.children[node]})

    def ancestors(self, nodes: Iterable[int], *, avoiding: Nodes = frozenset()) -> set[int]:
        """Return ``nodes`` and all nodes with a directed path to them that does not pass ``avoiding``."""
        return _closure(self.parents, nodes, avoiding)

    def descendants(self, nodes: Iterable[int], *, avoiding: Nodes = frozenset()) -> set[int]:
        """Return ``nodes`` and all nodes with a directed path from them that does not pass ``avoiding``."""
        return _closure(self.children, nodes, avoiding)

    def separated(self, x: Collection[int], y: Collection[int], given: Collection[int] = ()) -> bool:
        """Decide whether ``given`` d-separates ``x`` from ``y``; nodes of ``given`` count as removed from both.

        Lauritzen, Dawid, Larsen & Leimer (1990): separation in the moral graph of the smallest ancestral set.
        """
        start, blockers = set(x) - set(given), frozenset(given)
        visited, _ = self.reach(start, blockers, self.ancestors({*x, *y, *given}))
        return visited.isdisjoint(set(y) - blockers)

    def nearest_separator(self, x: Collection[int], y: Collection[int], allowed: Collection[int]) -> set[int] | None:
        """Return the nodes of ``allowed`` that are met first on the way from ``y``, if they separate ``x`` from ``y``.

        None says that no subset of ``allowed`` separates them (van der Zander, Liskiewicz & Textor 2019, section 5).
        """
        within = self.ancestors({*x, *y})
        blockers = frozenset(allowed) & within - {*x, *y}
        visited, touched = self.reach(y, blockers, within)
        return touched if visited.isdisjoint(x) else None

    def minimal_separator(self, x: Collection[int], y: Collection[int], allowed: Collection[int]) -> set[int] | None:
        """Return a separator within ``allowed`` of which no member can be dropped, as near to ``y`` as there is.

        Two walks, so linear in the number of edges (van der Zander & Liskiewicz 2020, Finding minimal d-separators
        in linear time and applications). None says that there is no separator.
        """
        nearest = self.nearest_separator(x, y, allowed)
        if nearest is None:
            return None
        return self.reach(x, frozenset(nearest), self.ancestors({*x, *y}))[1]

    def minimal_separators(
        self, x: Collection[int], y: Collection[int], allowed: Collection[int], limit: int
    ) -> Iterator[frozenset[int]]:
        """Yield distinct minimal separators, the nearest to ``y`` first, after at most ``limit`` constructions.

        A minimal separator other than Z lacks some member of Z. Leaving out each member in turn therefore reaches
        all of them, were there no limit.
        """
        waiting, seen, found = [frozenset[int]()], {frozenset[int]()}, set()
        for left_out in waiting:
            if len(seen) > limit:
                return
            separator = self.minimal_separator(x, y, set(allowed) - left_out)
            if separator is None:
                continue
            if frozenset(separator) not in found:
                found.add(frozenset(separator))
                yield frozenset(separator)
            fresh = [left_out | {node} for node in sorted(separator) if left_out | {node} not in seen]
            seen.update(fresh)
            waiting.extend(fresh)

    def reach(self, start: Collection[int], blockers: Nodes, within: Collection[int]) -> tuple[set[int], set[int]]:
        """Walk the moral graph of the ancestral set ``within`` from ``start`` and stop at ``blockers``.

        Returns
        -------
        visited, touched : set of int
            The nodes walked on and the blockers met. The moral graph is never built: the parents of a child are
            joined when the child is first met, once.
        """
        visited, touched, joined = set(start), set[int](), set[int]()
        stack = list(visited)
        while stack:
            node = stack.pop()
            near = list(self.parents[node])
            for child in self.children[node]:
                if child in within and child not in joined:
                    joined.add(child)
                    near.append(child)
                    near.extend(self.parents[child])
            for neighbour in near:
                if neighbour in blockers:
                    touched.add(neighbour)
                elif neighbour not in visited:
                    visited.add(neighbour)
                    stack.append(neighbour)
        return visited, touched


def _closure(steps: tuple[tuple[int, ...], ...], nodes: Iterable[int], avoiding: Nodes) -> set[int]:
    """Return ``nodes`` and what is reached from them by ``steps`` without entering ``avoiding``."""
    found = set(nodes)
    stack = list(found)
    while stack:
        for neighbour in steps[stack.pop()]:
            if neighbour not in found and neighbour not in avoiding:
                found.add(neighbour)
                stack.append(neighbour)
    return found
