"""Adjustment sets by the generalised criterion: whether there is one, a minimal one, the most precise one.

Perković, Textor, Kalisch & Maathuis (2018), Complete graphical characterization and construction of adjustment sets in
Markov equivalence classes of ancestral graphs. Existence and minimal sets: van der Zander, Liskiewicz & Textor (2019).
Precision: Henckel, Perković & Maathuis (2022).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from whence.effects.identify_frame import Frame
from whence.effects.identify_model import Nodes
from whence.registry import Card, Paper, register

MOST_ALTERNATIVES = 5
_MOST_CONSTRUCTIONS = 60


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Valid adjustment sets of one question.

    Attributes
    ----------
    minimal : frozenset of int
        No member can be dropped; of the minimal sets the nearest to the outcome.
    optimal : frozenset of int or None
        Smallest asymptotic variance of least squares among all valid sets; None where hidden variables leave none
        that is known to be best.
    alternatives : tuple of frozenset of int
        Other minimal sets, at most `MOST_ALTERNATIVES`.
    """

    minimal: Nodes
    optimal: Nodes | None
    alternatives: tuple[Nodes, ...] = ()

    @property
    def preferred(self) -> Nodes:
        """The set to adjust for: the optimal one where there is one."""
        return self.minimal if self.optimal is None else self.optimal


@register(
    Card(
        name="adjustment",
        family="identifier",
        answers="Which measured variables, adjusted for, leave only the causal paths from treatment to outcome?",
        output="adjustment sets",
        paper=Paper(
            "Perković, Textor, Kalisch & Maathuis",
            "Complete graphical characterization and construction of adjustment sets in Markov equivalence classes of "
            "ancestral graphs",
            2018,
            "Journal of Machine Learning Research 18(220)",
        ),
    )
)
def find_adjustment(frame: Frame, *, alternatives: int = 0) -> Adjustment | None:
    """Return valid adjustment sets, or None where no set of measured variables is valid.

    Parameters
    ----------
    frame : Frame
        The question; its outcome is a possible descendant of the treatments.
    alternatives : int
        How many further minimal sets to list at most.
    """
    if frame.unsettled:
        return None
    back_door, allowed = frame.back_door, frame.allowed
    minimal = back_door.minimal_separator(frame.x, [frame.y], allowed)
    if minimal is None:
        return None
    others: tuple[Nodes, ...] = ()
    if alternatives:
        listed = back_door.minimal_separators(frame.x, [frame.y], allowed, _MOST_CONSTRUCTIONS)
        others = tuple(islice(listed, 1, 1 + alternatives))
    return Adjustment(frozenset(minimal), _optimal(frame), others)


def is_valid(frame: Frame, adjustment: Collection[int]) -> bool:
    """Decide whether a set satisfies the generalised adjustment criterion in every model of the graph."""
    if frame.unsettled or not frame.forbidden.isdisjoint(adjustment):
        return False
    return frame.back_door.separated(frame.x, [frame.y], adjustment)


def _optimal(frame: Frame) -> Nodes | None:
    """Return O = pa(cn) minus forb (Henckel et al. 2022, definition 3.4), the same in every member, if measured.

    With a hidden variable in it, no set need be best for all models of the graph, and None is returned.
    """
    if frame.graph.kind in ("MAG", "PAG"):
        return None
    parents = {parent for node in frame.member_causal for parent in frame.member.parents[node]}
    optimal = frozenset(parents - frame.forbidden)
    if not optimal <= frame.allowed or not is_valid(frame, optimal):
        return None
    return optimal
