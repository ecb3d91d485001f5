"""The effect of a report: key figures, charts with their numbers, the same question asked otherwise, ranked effects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from whence.effects.wording import names_in_words, number, p_words, percent
from whence.report import charts
from whence.report.pieces import Figure, KeyFigure, Table
from whence.report.protocol import StudyLike
from whence.report.units import Units, units_of

if TYPE_CHECKING:
    from whence.effects import Effect

_POPULATIONS = {
    "all": "all rows",
    "treated": "those who received it",
    "overlap": "rows that could have gone either way",
}


def key_figures(study: StudyLike) -> tuple[KeyFigure, ...]:
    """Return the numbers to see first; none where the figure is not to be used."""
    effect = study.effect
    if effect is None or effect.failed_comparisons or effect.identification.strategy == "no-effect":
        return ()
    units = units_of(effect)
    level = f"{percent(effect.level)} interval"
    rows = KeyFigure("rows used", f"{effect.rows_used:,}", f"of {study.data.n_rows:,}")
    if effect.range is not None:
        spread = KeyFigure("possible effects", units.span(effect.range), units.name)
        return spread, KeyFigure(f"{level} over all", units.span(effect.interval), units.name), rows
    found = [KeyFigure("effect", units.value(effect.estimate), units.name)]
    found.append(KeyFigure(level, units.span(effect.interval), units.name))
    if effect.naive is not None and effect.adjustment:
        found.append(KeyFigure("without adjustment", units.value(effect.naive), units.name))
    return (*found, rows)


def overturn_figures(effect: Effect | None) -> tuple[KeyFigure, ...]:
    """Return the key figures of robustness: checks that hold, the strength a hidden cause needs."""
    if effect is None:
        return ()
    run = [check for check in (*effect.diagnostics, *effect.refutations) if check.passed is not None]
    found = []
    if run:
        held = sum(check.passed is True for check in run)
        found.append(KeyFigure("checks that hold", f"{held} of {len(run)}"))
    for check in effect.refutations:
        if check.statistic is not None and check.name == "hidden-confounding":
            note = "of what is left of treatment and of outcome, each, a hidden cause must explain"
            found.append(KeyFigure("robustness value", percent(check.statistic), note))
        if check.statistic is not None and check.name == "e-value":
            note = "risk ratio by which a hidden cause must go with treatment and outcome, each"
            found.append(KeyFigure("E-value", number(check.statistic), note))
    return tuple(found)


def how_estimated(effect: Effect) -> str:
    """Return what was estimated, how and on which rows, in a sentence."""
    estimand = {"ATE": "average effect", "ATT": "average effect on the treated", "slope": "average slope"}
    what = estimand.get(effect.estimand, effect.estimand)
    why = effect.parameters.get("method_reason")
    text = f"The {what} by {effect.estimator}{f' ({why})' if why else ''}, from {effect.rows_used:,} rows"
    if effect.adjustment:
        text += f", adjusting for {names_in_words(effect.adjustment)}"
    return f"{text}."


def figures(effect: Effect) -> tuple[Figure, ...]:
    """Return the charts that the effect has data for, in the order in which they are read."""
    units, data = units_of(effect), effect.figures
    drawn = []
    if "comparison" in data:
        drawn.append(_comparison(effect, units))
    drawn += [_overlap(effect, panel) for panel in data.get("overlap", {}).get("panels", ())[:4]]
    if data.get("balance", {}).get("covariate"):
        drawn.append(_balance(effect))
    if data.get("sensitivity", {}).get("robustness_value") is not None:
        drawn.append(_strengths(effect))
    if data.get("placebo", {}).get("estimates"):
        drawn.append(_placebo(effect, units))
    if data.get("influence", {}).get("row"):
        drawn.append(_influence(effect, units))
    return tuple(drawn)


def _comparison(effect: Effect, units: Units) -> Figure:
    data = effect.figures["comparison"]
    if effect.range is not None:
        title, caption = "Every possibility", "One estimate for each set of directions that the graph leaves open."
    else:
        title = "The effect beside the plain difference"
        caption = f"Dots: estimates. Bars: {percent(effect.level)} intervals. Dashed: no effect at all."
    rows = tuple(
        (str(label), *(units.value(value) for value in values))
        for label, *values in zip(data["label"], data["estimate"], data["low"], data["high"])
    )
    table = Table(("", units.name or "estimate", "low", "high"), rows, frozenset({1, 2, 3}))
    return Figure(title, charts.intervals(data, units), caption, table)


def _overlap(effect: Effect, panel: dict[str, dict[str, list[int]]]) -> Figure:
    edges = effect.figures["overlap"]["edges"]
    caption = (
        "Rows can be compared where both halves are filled at the same place; heights are square roots of rows, "
        "each half on its own scale."
    )
    levels = list(panel["counts"])
    rows = tuple(
        (f"{number(low)} to {number(high)}", *(f"{count:,}" for count in counts))
        for low, high, *counts in zip(edges, edges[1:], *panel["counts"].values())
        if any(counts)
    )
    heads = ("probability", *(f"{effect.treatment} = {level}" for level in levels))
    svg = charts.overlap(panel, edges, effect.treatment)
    return Figure("Overlap: who could be compared", svg, caption, Table(heads, rows, frozenset(range(1, len(heads)))))


def _balance(effect: Effect) -> Figure:
    data = effect.figures["balance"]
    threshold = number(data["threshold"])
    caption = f"○ before, ● after weighting. In the band, up to {threshold}, the arms are alike in that column."
    rows = tuple(
        (str(name), number(before), number(after))
        for name, before, after in zip(data["covariate"], data["before"], data["after"])
    )
    table = Table(("column", "before", "after"), rows, frozenset({1, 2}))
    return Figure("Balance: are the arms alike", charts.balance(data), caption, table)


def _strengths(effect: Effect) -> Figure:
    data = effect.figures["sensitivity"]
    caption = (
        "◆ what a hidden common cause would have to explain of treatment and outcome. ○ treatment, ● outcome: what one "
        "as strong as an observed column would explain."
    )
    needed = percent(float(data["robustness_value"]))
    observed = tuple((str(n), percent(pair[0]), percent(pair[1])) for n, pair in data["observed"].items())
    rows = (("what is needed", needed, needed), *observed)
    table = Table(("as strong as", "of the treatment", "of the outcome"), rows, frozenset({1, 2}))
    return Figure("How strong a hidden cause must be", charts.strengths(data), caption, table)


def _placebo(effect: Effect, units: Units) -> Figure:
    data = effect.figures["placebo"]
    caption = "With a column permuted there is nothing to find: those estimates should scatter around zero."
    rows = tuple((str(k), units.value(value)) for k, value in enumerate(data["estimates"], start=1))
    table = Table(("permutation", units.name or "estimate"), rows, frozenset({1}))
    return Figure("Placebo", charts.placebo(data, units), caption, table)


def _influence(effect: Effect, units: Units) -> Figure:
    data = effect.figures["influence"]
    caption = (
        f"The rows that move the estimate most, counted from 1; the estimate's standard error is "
        f"{units.value(data['standard_error'])}."
    )
    rows = tuple((f"{row + 1:,}", units.value(change)) for row, change in zip(data["row"], data["change"]))
    table = Table(("row", f"change, {units.name}"), rows, frozenset({0, 1}))
    return Figure("Single rows", charts.influence(data, units), caption, table)


def contrasts(effect: Effect) -> Table | None:
    """Return all contrasts of a treatment with more than two values."""
    if len(effect.contrasts) < 2:
        return None
    units = units_of(effect)
    rows = tuple(
        (
            f"{contrast.to} instead of {contrast.reference}",
            units.value(contrast.estimate),
            units.span(contrast.interval),
            p_words(contrast.p_value) if contrast.p_value is not None else "",
        )
        for contrast in effect.contrasts
    )
    return Table((effect.treatment, units.name or "estimate", "interval", "no effect"), rows, frozenset({1}))


def alternatives(study: StudyLike) -> Table | None:
    """Return the same effect under other defensible choices, the one chosen first."""
    if study.effect is None or not study.other_effects:
        return None
    rows = []
    for effect in (study.effect, *study.other_effects):
        units = units_of(effect)
        failed = names_in_words([check.title.lower() for check in effect.failed_comparisons])
        rows.append(
            (
                _POPULATIONS.get(effect.population, effect.population),
                names_in_words(effect.adjustment) if effect.adjustment else "nothing",
                units.amount(effect.estimate),
                units.span(effect.interval),
                f"✗ {failed}" if failed else "✓ comparable",
            )
        )
    return Table(("population", "adjusting for", "estimate", "interval", "comparison"), tuple(rows))


def ranked(study: StudyLike) -> tuple[Table | None, tuple[Figure, ...]]:
    """Return the strongest effects of the graph, as a table and as a chart in standard deviations."""
    if not study.effects:
        return None, ()
    rows = tuple(
        (
            f"{row.treatment} → {row.outcome}",
            f"{number(row.estimate)} {row.units}",
            f"{number(row.interval[0])} to {number(row.interval[1])}",
            number(round(row.standardised, 3)),
            names_in_words(row.adjustment) if row.adjustment else "nothing",
            f"{row.confidence:.0%}",
        )
        for row in study.effects
    )
    heads = ("effect", "estimate", "interval", "in standard deviations", "adjusting for", "edge joined in")
    table = Table(heads, rows, frozenset({3, 5}))
    shown = [row for row in study.effects[:12] if row.estimate and math.isfinite(row.standardised)]
    if not shown:
        return table, ()
    scale = [row.standardised / row.estimate for row in shown]
    data = {
        "label": [f"{row.treatment} → {row.outcome}" for row in shown],
        "estimate": [row.standardised for row in shown],
        "low": [row.interval[0] * factor for row, factor in zip(shown, scale)],
        "high": [row.interval[1] * factor for row, factor in zip(shown, scale)],
    }
    numbers = Table(
        ("effect", "estimate", "low", "high"),
        tuple((n, *(number(v) for v in vs)) for n, *vs in zip(*data.values())),
        frozenset({1, 2, 3}),
    )
    name = "standard deviations per standard deviation"
    caption = "Effects on one scale: standard deviations of the second column for one of the first."
    return table, (Figure("Effects compared", charts.intervals(data, Units(1.0, name)), caption, numbers),)
