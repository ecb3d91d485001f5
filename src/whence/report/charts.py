"""Small charts as inline SVG: readable on a phone, in print, in dark mode and without colour.

Every chart is 380 units wide and is shown at about that size, one below another on a phone and two abreast on a desk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from whence.effects.wording import number, percent
from whence.report.units import Units

WIDTH = 380.0
SIDE = 14.0
TOP = 8.0
LANE = 38.0
FOOT = 42.0
LETTER = 6.3
_MOST_LANES = 40


class Axis:
    """A horizontal scale with round ticks.

    >>> Axis(0.0, 10.0).ticks
    [0.0, 2.5, 5.0, 7.5, 10.0]
    """

    def __init__(self, low: float, high: float, left: float = SIDE) -> None:
        if not high > low:
            low, high = low - 0.5, high + 0.5
        step = _round_step((high - low) / 4)
        self.low, self.high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        self.low, self.high = min(self.low, low), max(self.high, high)  # rounding may fall short by a last digit
        count = round((self.high - self.low) / step)
        self.ticks = [self.low + k * step for k in range(count + 1)]
        self.left = left

    def x(self, value: float) -> float:
        """Return the position of a value; values beyond the ends lie on them."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (WIDTH - self.left - SIDE)

    def draw(self, top: float, bottom: float, title: str) -> str:
        """Return grid lines from top to bottom, ticks below them and the title."""
        parts = []
        for k, tick in enumerate(self.ticks):
            x, text = self.x(tick), number(round(tick, 12) + 0.0)
            anchor = ""
            if k in (0, len(self.ticks) - 1) and len(text) > 4:  # long numbers at the ends stay inside the frame
                anchor = f' style="text-anchor:{"start" if k == 0 else "end"}"'
                x += -SIDE + 1 if k == 0 else SIDE - 1
            at = self.x(tick)
            parts.append(f'<line class="grid" x1="{at:.1f}" y1="{top:.1f}" x2="{at:.1f}" y2="{bottom:.1f}"/>')
            parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 14:.1f}"{anchor}>{escape(text)}</text>')
        words = escape(_cut(title, 60))
        parts.append(f'<text class="axis" x="{WIDTH / 2}" y="{bottom + 32:.1f}">{words}</text>')
        return "".join(parts)


def intervals(figure: Mapping[str, Any], units: Units) -> str:
    """Return estimates with their intervals, one lane each, and a line at zero; open ends carry an arrowhead."""
    columns = [[units.factor * value for value in figure[name]] for name in ("estimate", "low", "high")]
    axis = Axis(*_reach([0.0, *(value for column in columns for value in column)]))
    body = []
    for k, (label, value, low, high) in enumerate(zip(figure["label"], *columns)):
        y = _lane(k)
        ends = "".join(
            f'<path class="end" d="M{axis.x(end):.1f} {y:.1f}l{-turn * 8} -5v10z"/>'
            for end, turn in ((low, -1), (high, 1))
            if math.isinf(end)
        )
        dot = f'<circle class="dot" cx="{axis.x(value):.1f}" cy="{y:.1f}" r="5.5"/>' if math.isfinite(value) else ""
        body.append(
            f"{_label(label, y, f'{number(value)} ({number(low)} to {number(high)})')}"
            f'<line class="interval" x1="{axis.x(low):.1f}" y1="{y:.1f}" x2="{axis.x(high):.1f}" y2="{y:.1f}"/>'
            f"{ends}{dot}"
        )
    return _lanes(axis, body, units.name, "Estimates with their intervals", zero=True)


def balance(figure: Mapping[str, Any]) -> str:
    """Return the love plot: standardised differences before (hollow) and after (filled) weighting."""
    rows = list(zip(figure["covariate"], figure["before"], figure["after"]))[:_MOST_LANES]
    threshold = float(figure["threshold"])
    most = max([1.3 * threshold, *(abs(value) for row in rows for value in row[1:] if math.isfinite(value))])
    axis = Axis(-most, most)
    bottom = _bottom(len(rows))
    band = axis.x(threshold) - axis.x(-threshold)
    body = [f'<rect class="band" x="{axis.x(-threshold):.1f}" y="{TOP}" width="{band:.1f}" height="{bottom - TOP}"/>']
    for k, (name, before, after) in enumerate(rows):
        y = _lane(k)
        body.append(f"{_label(name, y, f'{number(before)} → {number(after)}')}{_pair(axis, before, after, y)}")
    title = "difference between the arms, in standard deviations"
    return _lanes(axis, body, title, "Balance of the adjusted columns before and after weighting", zero=True)


def overlap(panel: Mapping[str, Any], edges: Sequence[float], treatment: str) -> str:
    """Return mirrored histograms of the probability of one arm: that arm above the line, the others below."""
    arm = panel["arm"]
    below = [level for level in panel["counts"] if level != arm]
    axis = Axis(0.0, 1.0)
    height, middle = 74.0, TOP + 94.0
    body = [f'<line class="zero" x1="{SIDE}" y1="{middle}" x2="{WIDTH - SIDE}" y2="{middle}"/>']
    halves = (
        ([arm], "up", -1.0, f"{treatment} = {arm}"),
        (below, "down", 1.0, f"{treatment} = {' or '.join(map(str, below))}"),
    )
    for levels, kind, sign, label in halves:
        counts = [sum(column) for column in zip(*(panel["counts"][level] for level in levels))]
        most = max([*counts, 1])
        for low, high, count in zip(edges, edges[1:], counts):
            if count:
                size = max(1.5, height * math.sqrt(count / most))
                words = f"{label}: {count:,} rows between {number(low)} and {number(high)}"
                body.append(
                    f'<rect class="{kind}" x="{axis.x(low):.1f}" y="{middle - size if sign < 0 else middle:.1f}" '
                    f'height="{size:.1f}" width="{max(0.8, axis.x(high) - axis.x(low) - 0.6):.1f}">'
                    f"<title>{escape(words)}</title></rect>"
                )
        at = TOP + 8 if sign < 0 else middle + height + 16
        words = f"{_cut(label, 36)}, {sum(counts):,} rows"
        body.append(f'<text class="side" x="{WIDTH - SIDE:.0f}" y="{at:.1f}">{escape(words)}</text>')
    bottom = middle + height + 22
    return _frame(
        axis.draw(TOP + 14, bottom, f"probability of {treatment} = {arm}"), body, bottom, "Overlap of the arms"
    )


def placebo(figure: Mapping[str, Any], units: Units) -> str:
    """Return the estimates under permutation as ticks, and the estimate itself as a dot."""
    values = [units.factor * value for value in figure["estimates"]]
    own = units.factor * float(figure["estimate"])
    axis = Axis(*_reach([0.0, own, *values]))
    marks = "".join(
        f'<line class="permuted" x1="{axis.x(v):.1f}" y1="{_lane(0) - 9:.1f}" x2="{axis.x(v):.1f}" '
        f'y2="{_lane(0) + 9:.1f}"/>'
        for v in values
    )
    rows = [
        f"{_label(f'with a column permuted, {len(values)} times', _lane(0))}{marks}",
        f"{_label('the estimate', _lane(1), number(own))}"
        f'<circle class="dot" cx="{axis.x(own):.1f}" cy="{_lane(1):.1f}" r="5.5"/>',
    ]
    return _lanes(axis, rows, units.name, "Placebo estimates beside the estimate", zero=True)


def strengths(figure: Mapping[str, Any]) -> str:
    """Return how strong a hidden cause must be, beside confounders as strong as each observed column."""
    value = float(figure["robustness_value"])
    observed = sorted(figure["observed"].items(), key=lambda item: -max(item[1]))[:8]
    axis = Axis(0.0, min(100.0, 100 * max(0.02, value, *(max(pair) for _, pair in observed))))
    y = _lane(0)
    body = [
        f"{_label('needed, of both, to bring the estimate to zero', y, percent(value))}"
        f'<path class="needed" d="M{axis.x(100 * value):.1f} {y - 7}l7 7l-7 7l-7 -7z"/>'
    ]
    for k, (name, (treatment, outcome)) in enumerate(observed, start=1):
        y = _lane(k)
        words = f"{percent(treatment)}, {percent(outcome)}"
        body.append(f"{_label(f'like {name}', y, words)}{_pair(axis, 100 * treatment, 100 * outcome, y)}")
    title = "share explained of what the other columns leave, in %"
    return _lanes(axis, body, title, "Strength of a hidden common cause", zero=False)


def influence(figure: Mapping[str, Any], units: Units) -> str:
    """Return by how much the estimate moves when one row is left out, for the rows that move it most."""
    rows = [(row, units.factor * change) for row, change in zip(figure["row"], figure["change"])][:10]
    axis = Axis(*_reach([0.0, *(change for _, change in rows)]), left=92.0)
    body, lane = [], 21.0
    for k, (row, change) in enumerate(rows):
        y = TOP + lane * k
        start, end = sorted((axis.x(0), axis.x(change)))
        body.append(
            f'<text class="label" x="{SIDE}" y="{y + 14:.1f}">row {int(row) + 1:,}</text>'
            f'<rect class="up" x="{start:.1f}" y="{y + 3:.1f}" width="{max(1.0, end - start):.1f}" height="{lane - 7}">'
            f"<title>{escape(number(change))}</title></rect>"
        )
    bottom = TOP + lane * len(rows) + 4
    zero = f'<line class="zero" x1="{axis.x(0):.1f}" y1="{TOP}" x2="{axis.x(0):.1f}" y2="{bottom}"/>'
    title = f"change without the row, {units.name}"
    return _frame(axis.draw(TOP, bottom, title), [*body, zero], bottom, "Influence of single rows")


def _round_step(raw: float) -> float:
    size = 10.0 ** math.floor(math.log10(raw))
    return next(step * size for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * size >= raw - 1e-12 * size)


def _reach(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    return min(finite), max(finite)


def _lane(k: int) -> float:
    """Return the height at which the k-th lane's marks lie, below its label."""
    return TOP + LANE * k + 27


def _bottom(lanes: int) -> float:
    return TOP + LANE * lanes + 4


def _lanes(axis: Axis, body: Sequence[str], title: str, words: str, *, zero: bool) -> str:
    lanes = sum("<text" in part for part in body)
    bottom = _bottom(lanes)
    # The line at zero is interrupted where the words of a lane stand.
    x = f"{axis.x(0):.1f}"
    line = "".join(
        f'<line class="zero" x1="{x}" y1="{_lane(k) - 9:.1f}" x2="{x}" y2="{_lane(k) + 11:.1f}"/>'
        for k in range(lanes if zero else 0)
    )
    return _frame(axis.draw(TOP, bottom, title) + line, body, bottom, words)


def _frame(axis: str, body: Sequence[str], bottom: float, words: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {bottom + FOOT:.0f}" role="img" '
        f'aria-label="{escape(words, quote=True)}">{axis}{"".join(body)}</svg>'
    )


def _pair(axis: Axis, first: float, second: float, y: float) -> str:
    """Return a hollow mark for the first value and a filled one for the second, joined."""
    return (
        f'<line class="thin" x1="{axis.x(first):.1f}" y1="{y:.1f}" x2="{axis.x(second):.1f}" y2="{y:.1f}"/>'
        f'<circle class="hollow" cx="{axis.x(first):.1f}" cy="{y:.1f}" r="5"/>'
        f'<circle class="dot" cx="{axis.x(second):.1f}" cy="{y:.1f}" r="5"/>'
    )


def _label(text: str, y: float, value: str = "") -> str:
    """Return a lane's label at the left and its value at the right, above the marks; the full text as a tooltip."""
    room = int((WIDTH - 2 * SIDE) / LETTER) - len(value) - 2
    right = f'<text class="value" x="{WIDTH - SIDE:.0f}" y="{y - 13:.1f}">{escape(value)}</text>' if value else ""
    words = f"<title>{escape(text)}</title>{escape(_cut(text, room))}"
    return f'<text class="label" x="{SIDE + 4}" y="{y - 13:.1f}">{words}</text>{right}'


def _cut(text: str, longest: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: max(longest - 1, 1)] + "…"
