"""Small charts as inline SVG: readable at 360 pixels, in print, in dark mode and without colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from whence.effects.wording import number

WIDTH = 640.0
LEFT, RIGHT, TOP = 190.0, 18.0, 12.0
ROW = 26.0
AXIS = 40.0
_LONGEST = 26


class Axis:
    """A horizontal scale with round ticks.

    >>> Axis(0.0, 10.0).ticks
    [0.0, 2.5, 5.0, 7.5, 10.0]
    """

    def __init__(self, low: float, high: float, left: float = LEFT) -> None:
        if not high > low:
            low, high = low - 0.5, high + 0.5
        step = _round_step((high - low) / 4)
        self.low, self.high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        count = round((self.high - self.low) / step)
        self.ticks = [self.low + k * step for k in range(count + 1)]
        self.left = left

    def x(self, value: float) -> float:
        """Return the position of a value; values beyond the ends lie on them."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (WIDTH - self.left - RIGHT)

    def draw(self, bottom: float, title: str) -> str:
        """Return the axis with its ticks, grid lines and title."""
        parts = []
        for tick in self.ticks:
            x = self.x(tick)
            parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom:.1f}"/>')
            parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 15:.1f}">{escape(number(tick + 0.0))}</text>')
        centre = (self.left + WIDTH - RIGHT) / 2
        parts.append(f'<text class="axis" x="{centre:.1f}" y="{bottom + 33:.1f}">{escape(title)}</text>')
        return "".join(parts)


def intervals(figure: Mapping[str, Any], unit: str) -> str:
    """Return estimates with their intervals, one row each, and a line at zero."""
    labels, estimates = figure["label"], figure["estimate"]
    finite = [v for name in ("low", "high", "estimate") for v in figure[name] if math.isfinite(v)]
    axis = Axis(min([0.0, *finite]), max([0.0, *finite]))
    bottom = TOP + ROW * len(labels) + 4
    body = [_zero(axis, bottom)]
    for k, (label, value, low, high) in enumerate(zip(labels, estimates, figure["low"], figure["high"])):
        y = TOP + ROW * (k + 0.5)
        words = f"{label}: {number(value)} ({number(low)} to {number(high)}) {unit}"
        body.append(
            f"<g><title>{escape(words)}</title>{_label(label, y)}"
            f'<line class="interval" x1="{axis.x(low):.1f}" y1="{y:.1f}" x2="{axis.x(high):.1f}" y2="{y:.1f}"/>'
            f'<circle class="dot" cx="{axis.x(value):.1f}" cy="{y:.1f}" r="5"/></g>'
        )
    return _frame(axis.draw(bottom, unit), body, bottom + AXIS, "Estimates with their intervals")


def balance(figure: Mapping[str, Any]) -> str:
    """Return the love plot: standardised differences before (hollow) and after (filled) weighting."""
    names = figure["covariate"]
    values = [*figure["before"], *figure["after"]]
    threshold = float(figure["threshold"])
    reach = max([1.5 * threshold, *(abs(v) for v in values)])
    axis = Axis(-reach, reach)
    bottom = TOP + ROW * len(names) + 4
    band = axis.x(threshold) - axis.x(-threshold)
    body = [
        f'<rect class="band" x="{axis.x(-threshold):.1f}" y="{TOP}" width="{band:.1f}" height="{bottom - TOP:.1f}"/>',
        _zero(axis, bottom),
    ]
    for k, (name, before, after) in enumerate(zip(names, figure["before"], figure["after"])):
        y = TOP + ROW * (k + 0.5)
        words = f"{name}: {number(before)} before, {number(after)} after"
        body.append(
            f"<g><title>{escape(words)}</title>{_label(name, y)}"
            f'<line class="thin" x1="{axis.x(before):.1f}" y1="{y:.1f}" x2="{axis.x(after):.1f}" y2="{y:.1f}"/>'
            f'<circle class="hollow" cx="{axis.x(before):.1f}" cy="{y:.1f}" r="5"/>'
            f'<circle class="dot" cx="{axis.x(after):.1f}" cy="{y:.1f}" r="4.5"/></g>'
        )
    title = "difference between the arms in standard deviations"
    return _frame(axis.draw(bottom, title), body, bottom + AXIS, "Balance of the adjusted columns")


def overlap(figure: Mapping[str, Any], treatment: str) -> str:
    """Return mirrored histograms of the probability of treatment, one half for each arm."""
    panel = figure["panels"][0]
    arm = panel["arm"]
    other = next((level for level in panel["counts"] if level != arm), arm)
    edges = figure["edges"]
    axis = Axis(0.0, 1.0, left=60.0)
    middle, height = TOP + 80.0, 74.0
    body = [f'<line class="zero" x1="60" y1="{middle}" x2="{WIDTH - RIGHT}" y2="{middle}"/>']
    for level, kind, sign in ((arm, "up", -1.0), (other, "down", 1.0)):
        counts = panel["counts"][level]
        most = max([*counts, 1])
        for low, high, count in zip(edges, edges[1:], counts):
            if count:
                size = max(1.0, height * math.sqrt(count / most))
                y = middle - size if sign < 0 else middle
                words = f"{treatment} = {level}: {count:,} rows between {low:.3g} and {high:.3g}"
                body.append(
                    f'<rect class="{kind}" x="{axis.x(low):.1f}" y="{y:.1f}" height="{size:.1f}" '
                    f'width="{axis.x(high) - axis.x(low) - 0.6:.1f}"><title>{escape(words)}</title></rect>'
                )
        at = middle - height + 6 if sign < 0 else middle + height
        body.append(
            f'<text class="side" x="{WIDTH - RIGHT:.0f}" y="{at:.1f}">{escape(_short(f"{treatment} = {level}"))}</text>'
        )
    bottom = middle + height + 10
    title = _short(f"probability of {treatment} = {arm}", 60)
    return _frame(axis.draw(bottom, title), body, bottom + AXIS, "Overlap of the arms")


def placebo(figure: Mapping[str, Any], unit: str) -> str:
    """Return the estimates under permutation as ticks, and the estimate itself as a dot."""
    values, own = list(figure["estimates"]), float(figure["estimate"])
    axis = Axis(min([0.0, own, *values]), max([0.0, own, *values]), left=60.0)
    bottom = TOP + 44.0
    marks = "".join(
        f'<line class="permuted" x1="{axis.x(v):.1f}" y1="{TOP + 8:.1f}" x2="{axis.x(v):.1f}" y2="{TOP + 36:.1f}"/>'
        for v in values
    )
    dot = f'<circle class="dot" cx="{axis.x(own):.1f}" cy="{TOP + 22:.1f}" r="6"><title>{number(own)}</title></circle>'
    return _frame(axis.draw(bottom, unit), [_zero(axis, bottom), marks, dot], bottom + AXIS, "Placebo estimates")


def strengths(figure: Mapping[str, Any]) -> str:
    """Return how strong a hidden cause must be, beside confounders as strong as each observed column."""
    value = float(figure["robustness_value"])
    observed = sorted(figure["observed"].items(), key=lambda item: -max(item[1]))[:8]
    rows = [("needed to reach zero", value, value), *((f"as strong as {n}", *pair) for n, pair in observed)]
    top = max(0.02, *(max(a, b) for _, a, b in rows))
    axis = Axis(0.0, min(1.0, top))
    bottom = TOP + ROW * len(rows) + 4
    body = []
    for k, (label, treatment, outcome) in enumerate(rows):
        y = TOP + ROW * (k + 0.5)
        words = f"{label}: {number(100 * treatment)} % of the treatment, {number(100 * outcome)} % of the outcome"
        kind = "dot" if k else "needed"
        body.append(
            f"<g><title>{escape(words)}</title>{_label(label, y)}"
            f'<line class="thin" x1="{axis.x(treatment):.1f}" y1="{y:.1f}" x2="{axis.x(outcome):.1f}" y2="{y:.1f}"/>'
            f'<circle class="hollow" cx="{axis.x(treatment):.1f}" cy="{y:.1f}" r="5"/>'
            f'<circle class="{kind}" cx="{axis.x(outcome):.1f}" cy="{y:.1f}" r="4.5"/></g>'
        )
    title = "share explained of what the other columns leave"
    return _frame(axis.draw(bottom, title), body, bottom + AXIS, "Strength of a hidden common cause")


def _round_step(raw: float) -> float:
    size = 10.0 ** math.floor(math.log10(raw))
    return next(step * size for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * size >= raw - 1e-12 * size)


def _frame(axis: str, body: Sequence[str], height: float, label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{axis}{"".join(body)}</svg>'
    )


def _zero(axis: Axis, bottom: float) -> str:
    return f'<line class="zero" x1="{axis.x(0):.1f}" y1="{TOP}" x2="{axis.x(0):.1f}" y2="{bottom:.1f}"/>'


def _label(text: str, y: float) -> str:
    return f'<text class="label" x="{LEFT - 10:.0f}" y="{y + 4.5:.1f}">{escape(_short(text))}</text>'


def _short(text: str, longest: int = _LONGEST) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"
