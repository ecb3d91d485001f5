"""The answer of `identify`: whether and how an effect follows from a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from whence.results import SCHEMA_VERSION, to_jsonable

Strategy = Literal["adjustment", "front-door", "instrument", "no-effect", "class-range"]
AdjustmentSet = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identification:
    """Whether the effect of a treatment on an outcome follows from a graph, how, and if not, why.

    Attributes
    ----------
    treatment : str
        The treatment; of a joint intervention the names joined by ``" and "``.
    outcome : str
        The outcome.
    identified : bool
        True where the graph determines the effect as one number. False for ``class-range``: several numbers.
    strategy : str or None
        ``adjustment``, ``front-door``, ``instrument``, ``no-effect`` (the effect is zero by the graph),
        ``class-range`` (one adjustment set per possibility that the graph leaves open) or None: no answer.
    reason : str
        One plain sentence: what makes the strategy valid or, where there is none, which edge or path blocks
        identification and what would settle it.
    assumptions : tuple of str
        What must hold for the answer, as plain sentences.
    treatments : tuple of str
        The treatments as a tuple, one or several.
    adjustment : tuple of str or None
        The set to adjust for, in the graph's order: ``optimal`` where there is one, else ``minimal``.
    minimal : tuple of str or None
        A valid set of which no member can be dropped.
    optimal : tuple of str or None
        The valid set of smallest asymptotic variance for least squares; None where none is known to be best.
    alternatives : tuple of tuple of str
        Further valid minimal sets, up to a limit.
    mediators : tuple of str
        Front-door: the variables that carry the whole effect.
    instruments : tuple of str
        Variables that each are an instrument given ``conditioning``.
    conditioning : tuple of str
        What to condition on for the instruments or the front door.
    adjustment_sets_over_class : tuple of (tuple of str or None)
        Class range: the distinct sets, one for each possibility; None stands for "no effect".
    functional : bool or None
        Whether some nonparametric formula in the observed distribution gives the effect (the ID algorithm's
        verdict), even where no estimator here covers it. None where the graph is not one model but a class.

    Examples
    --------
    >>> found = Identification("dose", "pain", True, "adjustment", "", adjustment=("age",), minimal=("age",))
    >>> found.estimable, found.treatments
    (True, ('dose',))
    """

    treatment: str
    outcome: str
    identified: bool
    strategy: Strategy | None
    reason: str
    assumptions: tuple[str, ...] = ()
    treatments: tuple[str, ...] = ()
    adjustment: AdjustmentSet | None = None
    minimal: AdjustmentSet | None = None
    optimal: AdjustmentSet | None = None
    alternatives: tuple[AdjustmentSet, ...] = ()
    mediators: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    conditioning: tuple[str, ...] = ()
    adjustment_sets_over_class: tuple[AdjustmentSet | None, ...] = ()
    functional: bool | None = None

    def __post_init__(self) -> None:
        if not self.treatments:
            object.__setattr__(self, "treatments", (self.treatment,))

    @property
    def estimable(self) -> bool:
        """True where there is something to estimate: one number or, for ``class-range``, several."""
        return self.strategy is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the identification as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {"schema_version": SCHEMA_VERSION, **to_jsonable(values)}

    def __str__(self) -> str:
        verdict = f"by {self.strategy}" if self.strategy else "not identified"
        return f"effect of {self.treatment} on {self.outcome}: {verdict}. {self.reason}"
