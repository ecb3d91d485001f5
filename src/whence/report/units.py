"""In which units a report shows an effect: as the sentences do, probabilities in percentage points."""

from __future__ import annotations

from dataclasses import dataclass

from whence.effects import Effect
from whence.effects.wording import number


@dataclass(frozen=True, slots=True)
class Units:
    """A factor from the effect's own numbers to those shown, and the name of what is shown.

    >>> Units(100.0, "percentage points").amount(0.034)
    '3.4 percentage points'
    """

    factor: float
    name: str

    def value(self, value: float) -> str:
        """Return a number in these units, without their name."""
        return number(self.factor * value)

    def amount(self, value: float) -> str:
        """Return a number with its unit."""
        return f"{self.value(value)} {self.name}".rstrip()

    def span(self, interval: tuple[float, float]) -> str:
        """Return an interval without its unit."""
        return f"{self.value(interval[0])} to {self.value(interval[1])}"


def units_of(effect: Effect) -> Units:
    """Return the units in which an effect's sentence speaks."""
    if effect.parameters.get("outcome_event") is not None:
        return Units(100.0, effect.units.replace("probability", "percentage points", 1))
    return Units(1.0, effect.units)
