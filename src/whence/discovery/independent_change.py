"""The direction between two columns from changes: those of the cause and of its mechanism are independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from whence.discovery._cd_nod_directions import FEW_SWINGS, verdict
from whence.discovery._cd_nod_mechanisms import FEWEST_DOMAINS, seed_of
from whence.discovery._cd_nod_rows import IndexKind, read_indexed
from whence.discovery.driving_force import KINDS, PAPER, Tuning, check_tuning, mechanisms_of
from whence.errors import ParameterError, suggest
from whence.parallel import RandomState
from whence.registry import Card, register
from whence.results import to_jsonable

LEVEL = 0.1
"""Of the p-value of a difference between the two ways round, below which it decides."""

_CARD = Card(
    name="independent-changes",
    family="system",
    answers="Which of two columns causes the other, where both change over time or between domains?",
    assumes=frozenset({"acyclic", "no-hidden-causes"}),
    kinds=KINDS,
    output="direction",
    missing="complete-rows",
    paper=PAPER,
)


@dataclass(frozen=True)
class ChangeDirection:
    """What the changes of two columns say about which of them is the cause.

    Attributes
    ----------
    x, y : str
    forward, backward : float
        How much the changes of the cause and of the mechanism depend on each other if x causes y, and if y causes x:
        the normalised Hilbert-Schmidt criterion, 0 to 1. The true way round has the smaller one.
    margin : float
        The larger over the smaller, from 1 up.
    p_value : float
        How often a difference as large comes up when one of the two changes is moved along the index.
    verdict : str
        ``"x -> y"``, ``"y -> x"`` with their names, or ``"undecided"``.
    leaning : str
        The way round with the smaller dependence, whether or not it is clear.
    swings : int
        The fewest times that a driver behind the comparison crosses its mean; -1 for domains.
    warnings : tuple of str
    """

    x: str
    y: str
    forward: float
    backward: float
    margin: float
    p_value: float
    verdict: str
    leaning: str
    swings: int
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain JSON values."""
        return {name: to_jsonable(getattr(self, name)) for name in self.__dataclass_fields__}


@register(_CARD)
def independent_change_direction(
    data: Any,
    x: str,
    y: str,
    *,
    index: str | None = None,
    index_kind: IndexKind = "auto",
    level: float = LEVEL,
    tune: Tuning = "gp",
    random_state: RandomState = 0,
) -> ChangeDirection:
    """Tell cause from effect where both change along an index, each by itself.

    If x causes y and nothing ties the two changes together, how P(x) changes says nothing about how P(y | x) changes;
    the other way round the changes of P(y) and P(x | y) are two views of the same and depend on each other.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
        At most 2000 rows enter, evenly along the index.
    x, y : str
        Two columns that depend on each other.
    index, index_kind, tune
        As in `estimate_driving_force`.
    level : float
        The verdict is undecided where the p-value of the difference is above it.
    random_state : int or Generator
        Seed of the permutations of domains.

    Returns
    -------
    ChangeDirection

    Raises
    ------
    DataError
        For an index or columns that do not allow it.

    Notes
    -----
    Not every change tells. Where both drivers shift linear Gaussian columns by amounts in a certain proportion, both
    ways round are independent: the verdict is then undecided. A cause that moves so much that it covers little of its
    range within any window, while the slope of the effect on it changes, misleads the estimate: that is tested, and the
    verdict is undecided. Drivers with few swings go together by chance; below four a warning says so.

    References
    ----------
    Huang et al. (2020), section 4.2.

    Examples
    --------
    >>> from whence.data import simulate
    >>> drawn = simulate.changing_pair("coefficient", 300, random_state=2)
    >>> independent_change_direction(drawn.data, "x", "y", index="time").verdict
    'x -> y'
    """
    if not 0 < level < 1:
        raise ParameterError("E311", f"the level is {level}.", "Give a number between 0 and 1.")
    check_tuning(tune)
    rows = read_indexed(data, index, index_kind, _CARD)
    for name in (x, y):
        if name not in rows.names:
            raise ParameterError("E309", f"there is no column {name!r} beside the index.", suggest(name, rows.names))
    if x == y:
        raise ParameterError("E309", f"{x!r} is named twice.", "Give two different columns.")
    mechanisms = mechanisms_of(rows, tune, seed_of(random_state))
    found = mechanisms.compare((y, (x,)), (x, (y,)))
    forward, backward = found.score, found.other
    enough = rows.timed or len(rows.values) >= FEWEST_DOMAINS
    decided, reason = verdict(found, level, enough)
    leaning = f"{x} -> {y}" if forward <= backward else f"{y} -> {x}"
    warnings = list(rows.warnings)
    if reason:
        warnings.append(f"Undecided: {reason}.")
    if 0 <= found.swings < FEW_SWINGS:
        warnings.append(few_swings(found.swings, rows.index))
    low, high = sorted((forward, backward))
    return ChangeDirection(
        x=x,
        y=y,
        forward=forward,
        backward=backward,
        margin=high / low if low > 0.0 else float("inf"),
        p_value=found.p_value,
        verdict=leaning if decided else "undecided",
        leaning=leaning,
        swings=found.swings,
        warnings=tuple(warnings),
    )


def few_swings(swings: int, index: str) -> str:
    """Return the warning for a driver with few swings."""
    return (
        f"A driver crosses its mean {swings} times along {index!r}: changes this slow go together by chance, and "
        "directions from them are weak."
    )
