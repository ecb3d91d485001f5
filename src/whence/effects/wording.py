"""Numbers and results in words: the one place where estimates become sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.effects.effect import Effect

_MOST_NAMED = 8


def number(value: float) -> str:
    """Return a number as people write it: four significant digits, thousands grouped, no exponent in sight.

    >>> number(1794.34), number(0.04321), number(-8497.5), number(2.0), number(float("inf"))
    ('1,794', '0.0432', '-8,498', '2', 'infinity')
    """
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinity" if value > 0 else "minus infinity"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e9 or size < 1e-4:
        return f"{value:.3g}"
    decimals = max(0, (3 if size >= 1 else 2) - math.floor(math.log10(size)))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float) -> str:
    """Return a share in percent, never rounding something to nothing or nearly all to all.

    >>> percent(0.054), percent(0.0004), percent(0.9996)
    ('5.4 %', '0.04 %', '99.96 %')
    """
    value = 100 * share
    for decimals in (1, 2, 3):
        text = f"{value:.{decimals}f}"
        if float(text) not in (0.0, 100.0) or value in (0.0, 100.0):
            return text.rstrip("0").rstrip(".") + " %"
    return f"{value:.1g} %"


def p_words(p_value: float) -> str:
    """Return a p-value as ``p = 0.03``.

    >>> p_words(0.0312), p_words(1e-9)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def names_in_words(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Return names as an enumeration; beyond ``most`` only the number of the others.

    >>> names_in_words(["age", "sex", "dose"])
    'age, sex and dose'
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def one_of(unit: str) -> str:
    """Return a unit in the singular where that is one plain word.

    >>> one_of("years"), one_of("US dollars of 1982"), one_of("mg"), one_of("mass")
    ('year', 'US dollars of 1982', 'mg', 'mass')
    """
    plural = unit.isalpha() and unit.endswith("s") and not unit.endswith("ss") and len(unit) > 3
    return unit[:-1] if plural else unit


def level_words(value: Any) -> str:
    """Return a level of the treatment for a sentence: 1.0 as 1."""
    if isinstance(value, float):
        return number(value)
    return str(value)


def effect_sentence(effect: Effect) -> str:
    """Return the answer in one sentence, or two where the graph or the naive figure needs saying."""
    if effect.identification.strategy == "no-effect":
        return f"By the graph, {effect.treatment} has no effect on {effect.outcome}."
    if effect.range is not None:
        return _range_sentence(effect)
    low, high = effect.interval
    doubt = "; neither direction is ruled out" if low <= 0 <= high else ""
    return f"{_change(effect)} ({_interval(effect)}{doubt}){_means(effect)}."


def _interval(effect: Effect) -> str:
    low, high = effect.interval
    if math.isinf(low) and math.isinf(high):
        return f"the data set no bound at {percent(effect.level)}"
    words = f"{percent(effect.level)} interval {_amount(effect, low)} to {_amount(effect, high)}"
    if math.isinf(low) or math.isinf(high):
        words += f"; the data set no {'lower' if math.isinf(low) else 'upper'} bound"
    return words


def _change(effect: Effect) -> str:
    """Return "Setting treat from 0 to 1 raises re78 by 1,794 US dollars on average", no direction if both are open."""
    low, high = effect.interval
    open_ended = low <= 0 <= high
    verb = "changes" if open_ended else "raises" if effect.estimate > 0 else "lowers"
    size = effect.estimate if open_ended else abs(effect.estimate)
    amount = f"{_amount(effect, size)}{_amount_unit(effect)}"
    return f"{_intervention(effect)} {verb} {_outcome(effect)} by {amount} {_whom(effect)}"


def _intervention(effect: Effect) -> str:
    first = effect.contrasts[0] if effect.contrasts else None
    to, reference = (first.to, first.reference) if first else effect.parameters.get("contrast") or (None, None)
    if to is None:
        unit = one_of((effect.parameters.get("treatment_unit") or "").strip())
        return f"Raising {effect.treatment} by 1 {unit}".rstrip()
    return f"Setting {effect.treatment} from {level_words(reference)} to {level_words(to)}"


def _outcome(effect: Effect) -> str:
    event = effect.parameters.get("outcome_event")
    return f"the probability of {effect.outcome} = {level_words(event)}" if event is not None else effect.outcome


def _amount(effect: Effect, value: float) -> str:
    return number(100 * value) if effect.parameters.get("outcome_event") is not None else number(value)


def _amount_unit(effect: Effect) -> str:
    if effect.parameters.get("outcome_event") is not None:
        return " percentage points"
    unit = (effect.parameters.get("outcome_unit") or "").strip()
    return f" {unit}" if unit else ""


def _whom(effect: Effect) -> str:
    return {
        "ATT": "on average among those who received it",
        "ATO": "on average among the rows that could have gone either way",
        "LATE": "on average among those whose treatment follows the instrument",
    }.get(effect.estimand, "on average")


def _means(effect: Effect) -> str:
    """Return by what means: adjusting, through mediators or instruments."""
    found = effect.identification
    if found.strategy == "front-door":
        return f", followed through {names_in_words(found.mediators)}"
    if found.strategy == "instrument":
        given = f" given {names_in_words(found.conditioning)}" if found.conditioning else ""
        return f", with {names_in_words(found.instruments)} as instrument{given}"
    if effect.adjustment:
        return f", adjusting for {names_in_words(effect.adjustment)}"
    return ", without adjustment"


def _range_sentence(effect: Effect) -> str:
    low, high = effect.range or (math.nan, math.nan)
    intervention = _intervention(effect)
    return (
        f"The graph does not settle the effect of {effect.treatment} on {effect.outcome}: depending on the directions "
        f"left open, {intervention[0].lower()}{intervention[1:]} changes {_outcome(effect)} by between "
        f"{_amount(effect, low)} and {_amount(effect, high)}{_amount_unit(effect)} "
        f"({_interval(effect)}, over all of them)."
    )
