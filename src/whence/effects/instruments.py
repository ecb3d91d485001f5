"""Instruments, also conditional ones: variables that move the outcome through the treatment alone.

Brito & Pearl (2002), Generalized instrumental variables; van der Zander, Textor & Liskiewicz (2015), Efficiently
finding conditional instruments for causal inference: where a conditional instrument exists there is an ancestral one,
and the separator nearest to the outcome finds it.
"""

from __future__ import annotations

from dataclasses import dataclass

from whence.effects.identify_frame import Frame
from whence.effects.identify_model import DirectedModel, Nodes
from whence.registry import Card, Paper, register


@dataclass(frozen=True, slots=True)
class Instruments:
    """Variables that each are an instrument given the same conditioning set."""

    instruments: Nodes
    conditioning: Nodes


@register(
    Card(
        name="instrument",
        family="identifier",
        answers="Which measured variables move the outcome through the treatment alone, given which others?",
        assumes=frozenset({"linear"}),
        output="instruments and covariates",
        paper=Paper(
            "van der Zander, Textor & Liskiewicz",
            "Efficiently finding conditional instruments for causal inference",
            2015,
            "IJCAI",
        ),
    )
)
def find_instruments(frame: Frame) -> Instruments | None:
    """Return the instruments of one treatment that share the smallest conditioning set, or None."""
    if not frame.single or len(frame.x) != 1:
        return None
    (x,), y, model = frame.x, frame.y, frame.member
    before = model.observed - model.descendants([x]) - {y}
    without_effect = model.cut_out_of([x])
    conditionings: set[Nodes] = set()
    for candidate in sorted(before):
        nearest = without_effect.nearest_separator([candidate], [y], before - {candidate})
        if nearest is not None and not model.separated([candidate], [x], nearest):
            conditionings.add(_drop_needless(model, without_effect, candidate, x, y, nearest))
    if not conditionings:
        return None
    chosen = min(conditionings, key=lambda nodes: (len(nodes), sorted(nodes)))
    valid = {node for node in before - chosen if is_instrument(model, x, y, node, chosen)}
    return Instruments(frozenset(valid), chosen)


def is_instrument(model: DirectedModel, x: int, y: int, candidate: int, conditioning: Nodes) -> bool:
    """Decide whether ``candidate`` is an instrument for the total effect of ``x`` on ``y`` given ``conditioning``.

    It moves ``x``; once the edges out of ``x`` are cut it is separated from ``y``; and ``x`` affects neither it nor the
    conditioning set.

    >>> model = DirectedModel.build(3, [(0, 1), (1, 2)], [(1, 2)])
    >>> is_instrument(model, 1, 2, 0, frozenset())
    True
    """
    return (
        model.descendants([x]).isdisjoint({candidate, *conditioning})
        and model.cut_out_of([x]).separated([candidate], [y], conditioning)
        and not model.separated([candidate], [x], conditioning)
    )


def _drop_needless(
    model: DirectedModel, without_effect: DirectedModel, candidate: int, x: int, y: int, conditioning: set[int]
) -> Nodes:
    """Drop members of a conditioning set one by one as long as the candidate stays an instrument."""
    kept = frozenset(conditioning)
    for node in sorted(conditioning):
        fewer = kept - {node}
        if without_effect.separated([candidate], [y], fewer) and not model.separated([candidate], [x], fewer):
            kept = fewer
    return kept
