"""Whether any formula in the observed distribution gives an interventional distribution: the ID algorithm's verdict.

Tian & Pearl (2002), A general identification condition for causal effects; Shpitser & Pearl (2006), Identification of
joint interventional distributions; completeness of the form used here: Huang & Valtorta (2006).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from whence.effects.identify_model import DirectedModel
from whence.registry import Card, Paper, register


@dataclass(frozen=True, slots=True)
class Projection:
    """A model over its observed nodes: directed edges, and the groups that share a hidden cause.

    Attributes
    ----------
    parents : dict of int to set of int
        Observed nodes with a directed path whose inner nodes are hidden.
    groups : tuple of frozenset of int
        For each hidden node the observed nodes it reaches through hidden ones; every pair in it is confounded.
    """

    parents: dict[int, set[int]]
    groups: tuple[frozenset[int], ...]

    def ancestors(self, nodes: Collection[int], within: Collection[int]) -> set[int]:
        """Return ``nodes`` and their ancestors in the subgraph of ``within``."""
        found, stack = set(nodes), list(nodes)
        while stack:
            fresh = (self.parents[stack.pop()] & set(within)) - found
            found |= fresh
            stack.extend(fresh)
        return found

    def districts(self, within: Collection[int]) -> list[set[int]]:
        """Return the c-components of the subgraph of ``within``: its parts that hidden causes connect."""
        parts: list[set[int]] = []
        for group in [*(self.groups), *({node} for node in within)]:
            members = set(group) & set(within)
            if members:
                touching = [part for part in parts if not part.isdisjoint(members)]
                parts = [part for part in parts if part.isdisjoint(members)]
                parts.append(members.union(*touching))
        return parts


def project(model: DirectedModel) -> Projection:
    """Return the latent projection of a model onto its observed nodes (Verma & Pearl 1990)."""
    n_nodes = len(model.parents)
    hidden = set(range(n_nodes)) - model.observed

    def first_observed(node: int) -> set[int]:
        reached = model.descendants([node], avoiding=model.observed)
        return {child for inner in reached for child in model.children[inner] if child in model.observed}

    parents: dict[int, set[int]] = {node: set() for node in model.observed}
    for node in model.observed:
        for child in first_observed(node):
            parents[child].add(node)
    groups = (frozenset(first_observed(node)) for node in hidden)
    return Projection(parents, tuple(group for group in groups if len(group) > 1))


@register(
    Card(
        name="id-algorithm",
        family="identifier",
        answers="Does any formula in the distribution of the measured variables give the effect?",
        output="a verdict",
        paper=Paper(
            "Huang & Valtorta",
            "Pearl's calculus of intervention is complete",
            2006,
            "Uncertainty in Artificial Intelligence",
        ),
    )
)
def blocking_district(model: DirectedModel, treatments: Iterable[int], outcome: int) -> set[int] | None:
    """Return None where P(outcome | do(treatments)) is identified, else the district that does not come apart.

    Parameters
    ----------
    model : DirectedModel
        Treatments and outcome are among its observed nodes.

    Examples
    --------
    >>> bow = DirectedModel.build(2, [(0, 1)], [(0, 1)])
    >>> sorted(blocking_district(bow, [0], 1))
    [0, 1]
    """
    projection = project(model)
    relevant = projection.ancestors([outcome], model.observed)
    causal = projection.ancestors([outcome], relevant - set(treatments))
    whole = projection.districts(relevant)
    for target in projection.districts(causal):
        district = next(part for part in whole if target <= part)
        if (stuck := _stuck_at(projection, target, district)) is not None:
            return stuck
    return None


def _stuck_at(projection: Projection, target: set[int], district: set[int]) -> set[int] | None:
    """Algorithm Identify of Tian & Pearl: compute Q[target] from Q[district], or return where it gets stuck."""
    while True:
        ancestral = projection.ancestors(target, district)
        if ancestral == target:
            return None
        if ancestral == district:
            return district
        district = next(part for part in projection.districts(ancestral) if target <= part)
