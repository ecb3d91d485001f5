"""Front-door sets: measured mediators that carry the whole effect, with measured covariates where needed.

Pearl (1995), Causal diagrams for empirical research; with covariates, the three steps below are rules 2 and 3 of the
do-calculus under a set W of variables that the treatment does not affect:

    P(y | do(x)) = sum_w P(w) sum_m P(m | x, w) sum_x' P(x' | w) P(y | x', m, w)
"""

from __future__ import annotations

from dataclasses import dataclass

from whence.effects.identify_frame import Frame
from whence.effects.identify_model import DirectedModel, Nodes
from whence.registry import Card, Paper, register


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """Mediators and the covariates to condition on."""

    mediators: Nodes
    conditioning: Nodes


@register(
    Card(
        name="front-door",
        family="identifier",
        answers="Which measured mediators carry the whole effect and are free of the treatment's hidden causes?",
        output="mediators and covariates",
        paper=Paper("Pearl", "Causal diagrams for empirical research", 1995, "Biometrika 82(4)"),
    )
)
def find_front_door(frame: Frame) -> FrontDoor | None:
    """Return a front-door set for one treatment, or None where none is found.

    For given covariates the search is exact. Covariates are tried in three forms: none, the treatment's measured
    parents, all measured ancestors of treatment and outcome that the treatment does not affect.
    """
    if not frame.single or len(frame.x) != 1:
        return None
    (x,), y, model = frame.x, frame.y, frame.member
    before = model.observed - model.descendants([x]) - {y}
    for covariates in (set[int](), set(model.parents[x]) & before, model.ancestors([x, y]) & before):
        mediators = _largest(model, x, y, covariates)
        if _intercepts(model, x, y, mediators):
            return _smallest(model, x, y, mediators, covariates)
    return None


def is_front_door(model: DirectedModel, x: int, y: int, mediators: Nodes, covariates: Nodes) -> bool:
    """Decide whether mediators and covariates satisfy the front-door criterion.

    >>> model = DirectedModel.build(3, [(0, 1), (1, 2)], [(0, 2)])
    >>> is_front_door(model, 0, 2, frozenset({1}), frozenset())
    True
    """
    return (
        _intercepts(model, x, y, mediators)
        and covariates.isdisjoint(model.descendants([x]))
        and model.cut_out_of([x]).separated([x], mediators, covariates)
        and model.cut_out_of(mediators).separated(mediators, [y], {x, *covariates})
    )


def _intercepts(model: DirectedModel, x: int, y: int, mediators: Nodes) -> bool:
    """Tell whether every directed path from ``x`` to ``y`` passes a mediator."""
    return y not in model.descendants([x], avoiding=mediators)


def _largest(model: DirectedModel, x: int, y: int, covariates: set[int]) -> Nodes:
    """Return the largest set of mediators whose relations to ``x`` and to ``y`` are free of confounding.

    A node that fails against ``y`` fails in every smaller set too, as fewer cut edges leave more paths open; dropping
    the failing ones until none is left therefore ends at the largest set.
    """
    between = model.descendants([x]) & model.ancestors([y]) & model.observed - {x, y}
    without_effects = model.cut_out_of([x])
    kept = {node for node in between if without_effects.separated([x], [node], covariates)}
    while True:
        without = model.cut_out_of(kept)
        failing = {node for node in kept if not without.separated([node], [y], {x, *covariates})}
        if not failing:
            return frozenset(kept)
        kept -= failing


def _smallest(model: DirectedModel, x: int, y: int, mediators: Nodes, covariates: set[int]) -> FrontDoor:
    """Drop mediators, then covariates, one by one as long as the criterion holds."""
    for node in sorted(mediators):
        if is_front_door(model, x, y, mediators - {node}, frozenset(covariates)):
            mediators -= {node}
    kept = frozenset(covariates)
    for node in sorted(covariates):
        if is_front_door(model, x, y, mediators, kept - {node}):
            kept -= {node}
    return FrontDoor(mediators, kept)
