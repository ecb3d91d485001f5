"""The report on a motion forecaster: how it fares as the style shifts, with fewer references, after adaptation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from whence.effects.wording import number, percent
from whence.errors import DataError
from whence.report.charts import SIDE, TOP, WIDTH, Axis
from whence.report.pieces import Figure, KeyFigure, Table
from whence.report.render import render_page
from whence.results import write_atomically
from whence.systems.motion import CausalMotionForecaster, Scenes, ade, constant_velocity, draw_scene

_REFERENCES = 64
_HEIGHT = 150.0
_KINDS = ("first", "second", "third")  # classes of lines, in order
_CSS = """
.line{fill:none;stroke-width:2.2}.line.first{stroke:var(--blue)}.line.second{stroke:var(--orange);stroke-dasharray:7 3}
.line.third{stroke:var(--soft);stroke-dasharray:2 4}.mark.first{fill:var(--blue)}.mark.second{fill:var(--orange)}
.mark.third{fill:var(--soft)}.legend{font-size:11px;fill:var(--soft)}
"""


@dataclass(frozen=True, slots=True)
class MotionPage:
    """What the report says, in the order in which it is read."""

    title: str
    facts: str
    key_figures: tuple[KeyFigure, ...]
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]
    errors: Table
    scenes: tuple[Figure, ...]
    notes: tuple[str, ...]


def write_motion_report(
    model: CausalMotionForecaster,
    scenes: Scenes,
    path: str | Path,
    *,
    references: int = _REFERENCES,
    adaptation: Sequence[int] = (8, 32, 64),
    steps: int = 150,
) -> Path:
    """Write what a forecaster does on scenes of several domains as one self-contained HTML page.

    Of each domain the first ``references`` scenes, at most half, serve as reference; the rest is forecast.

    Parameters
    ----------
    model : CausalMotionForecaster
        Fitted.
    scenes : Scenes
        With their futures; not those the model was fitted on.
    path : str or Path
        Ends in ``.html``.
    references : int
        Reference scenes of each domain.
    adaptation : sequence of int
        Numbers of scenes to adapt with, in the domain that is forecast worst; more than its references are left out.
    steps : int
        Steps of each adaptation.

    Raises
    ------
    DataError
        E627 for scenes without their future, E634 for a domain of fewer than four scenes, E110 if the file cannot be
        written.
    """
    return write_atomically(path, render_motion_report(model, scenes, references, adaptation, steps))


def render_motion_report(
    model: CausalMotionForecaster, scenes: Scenes, references: int, adaptation: Sequence[int], steps: int
) -> str:
    """Return the page of `write_motion_report` as text."""
    page = _build(model, scenes, references, adaptation, steps)
    return render_page("motion.html", page, _CSS)


def _build(
    model: CausalMotionForecaster, scenes: Scenes, references: int, adaptation: Sequence[int], steps: int
) -> MotionPage:
    domains = sorted(set(scenes.domains.tolist()))
    parts = {name: _split(scenes.of(name), references) for name in domains}
    styled = model.style_ is not None
    walk = {name: ade(constant_velocity(test), test.future) for name, (_, test) in parts.items()}
    mean = {name: model.score(test, metrics=("ade",))["ade"] for name, (_, test) in parts.items()}
    own = {n: model.score(t, r if styled else None, ("ade", "fde", "collision")) for n, (r, t) in parts.items()}
    unit = "in the unit of the positions"
    curves = {"own style": [own[n]["ade"] for n in domains]} if styled else {}
    curves |= {"mean style": [mean[n] for n in domains], "walking on": [walk[n] for n in domains]}
    heads = ("domain", "scenes", "walking on", "mean style", "own style", "at the end", "collisions", "unusual")
    rows = []
    for name, (reference, test) in parts.items():
        found = model.predict(test, reference if styled else None)
        figures = (walk[name], mean[name], own[name]["ade"], own[name]["fde"])
        shares = (percent(own[name]["collision"]), percent(float(found.unusual.mean())))
        rows.append((name, f"{len(test):,}", *(number(value) for value in figures), *shares))
    worst = max(domains, key=lambda name: own[name]["ade"])
    figures_ = [
        Figure(
            "Error as the domain shifts",
            _curves(domains, curves, "domain"),
            f"Mean distance from what happened, {unit}. The nearer the blue line to the axis, the better.",
            _behind("domain", domains, curves),
        )
    ]
    if styled:
        figures_ += [
            _by_references(model, parts[worst], worst),
            _by_adaptation(model, parts[worst], worst, adaptation, steps),
        ]
    average = float(np.mean([own[name]["ade"] for name in domains]))
    return MotionPage(
        title="How the forecaster fares where it was not trained",
        facts=f"{model!r}; {len(scenes):,} scenes, {scenes.steps_ahead * scenes.dt:g} s ahead",
        key_figures=(
            KeyFigure("mean error", number(average), "over domains"),
            KeyFigure("walking on as before", number(float(np.mean(list(walk.values())))), "the baseline"),
            KeyFigure("hardest domain", worst, f"error {number(own[worst]['ade'])}"),
        ),
        warnings=tuple(dict.fromkeys(scenes.warnings)),
        figures=tuple(figures_),
        errors=Table(heads, tuple(rows), frozenset(range(1, len(heads)))),
        scenes=_drawn(model, parts, worst, domains) if styled else (),
        notes=(
            "Errors are of one sample where the forecaster draws several, averaged over the samples.",
            "Unusual scenes look less like their reference than nine tenths of its own scenes: look at them again.",
        ),
    )


def _split(scenes: Scenes, references: int) -> tuple[Scenes, Scenes]:
    if len(scenes) < 4:
        raise DataError(
            "E634",
            f"domain {scenes.domains[0]!r} has {len(scenes)} scenes; a report needs four of each.",
            "Leave it out, or give more of it.",
        )
    count = min(references, len(scenes) // 2)
    return scenes[:count], scenes[count:]


def _by_references(model: CausalMotionForecaster, part: tuple[Scenes, Scenes], name: str) -> Figure:
    reference, test = part
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= len(reference)]
    errors = [model.score(test, reference[:n], ("ade",))["ade"] for n in counts]
    return Figure(
        "Error by the number of reference scenes",
        _curves([str(n) for n in counts], {"own style": errors}, "reference scenes"),
        f"In domain {name}: how many scenes it takes to read its style.",
        _behind("reference scenes", counts, {"error": errors}),
    )


def _behind(by: str, at: Sequence[Any], curves: Mapping[str, Sequence[float]]) -> Table:
    """Return the numbers behind lines, one column each."""
    rows = tuple((str(name), *(number(line[k]) for line in curves.values())) for k, name in enumerate(at))
    return Table((by, *curves), rows, frozenset(range(1, len(curves) + 1)))


def _by_adaptation(
    model: CausalMotionForecaster, part: tuple[Scenes, Scenes], name: str, sizes: Sequence[int], steps: int
) -> Figure:
    reference, test = part
    counts = [n for n in sizes if 2 <= n <= len(reference)]
    curves: dict[str, list[float]] = {"modulator": [], "everything": []}
    before = model.score(test, reference, ("ade",))["ade"]
    for update, kept in (("modulator", curves["modulator"]), ("all", curves["everything"])):
        kept.append(before)
        for count in counts:
            new = model.adapt(reference[:count], update, steps=steps, progress=False)  # type: ignore[arg-type]
            kept.append(new.score(test, reference[:count], ("ade",))["ade"])
    labels = ["0", *map(str, counts)]
    return Figure(
        "Error after adaptation",
        _curves(labels, curves, "scenes of the new place"),
        f"In domain {name}: what is learned from few scenes, if only the modulator changes or everything.",
        _behind("scenes", labels, curves),
    )


def _drawn(
    model: CausalMotionForecaster, parts: Mapping[str, tuple[Scenes, Scenes]], worst: str, domains: Sequence[str]
) -> tuple[Figure, ...]:
    """Draw the scenes of the hardest domain that look most and least like it, with a what-if under another style."""
    reference, test = parts[worst]
    other = next((name for name in domains if name != worst), worst)
    plain = model.predict(test, reference)
    asked = model.what_if(test, parts[other][0])
    order = np.arange(len(test)) if plain.similarity is None else np.argsort(plain.similarity)
    chosen = {"a usual scene": int(order[len(order) // 2]), "the least usual scene": int(order[0])}
    return tuple(
        Figure(
            f"Domain {worst}: {words}",
            draw_scene(
                test[k], {"forecast": plain.of(k), f"in the style of {other}": asked.of(k)}, f"Domain {worst}, {words}"
            ).svg,
            f"Observed, what happened (dotted), the forecast, and what if everybody moved in the style of {other}.",
            Table((), ()),
        )
        for words, k in chosen.items()
    )


def _curves(labels: Sequence[str], curves: Mapping[str, Sequence[float]], title: str) -> str:
    """Return curves over named places on the x axis as SVG; errors from zero up."""
    top, bottom = TOP + 6, TOP + 6 + _HEIGHT
    most = max(max(values) for values in curves.values())
    ticks = Axis(0.0, most).ticks
    left = SIDE + 34

    def x(k: int) -> float:
        return left + (k + 0.5) * (WIDTH - left - SIDE) / len(labels)

    def y(value: float) -> float:
        return bottom - value / ticks[-1] * (bottom - top)

    body = []
    for tick in ticks:
        body.append(f'<line class="grid" x1="{left}" y1="{y(tick):.1f}" x2="{WIDTH - SIDE}" y2="{y(tick):.1f}"/>')
        body.append(
            f'<text class="tick" x="{left - 6}" y="{y(tick) + 4:.1f}" style="text-anchor:end">{number(tick)}</text>'
        )
    skip = -(-len(labels) // 10)
    for k, label in enumerate(labels):
        if k % skip == 0:
            shown = label if len(label) <= 9 else label[:8] + "…"
            body.append(f'<text class="tick" x="{x(k):.1f}" y="{bottom + 15:.1f}">{escape(shown)}</text>')
    at = left
    for kind, (name, values) in zip(_KINDS, curves.items()):
        points = " ".join(f"{x(k):.1f},{y(value):.1f}" for k, value in enumerate(values))
        body.append(f'<polyline class="line {kind}" points="{points}"/>')
        body += [f'<circle class="mark {kind}" cx="{x(k):.1f}" cy="{y(v):.1f}" r="3.5"/>' for k, v in enumerate(values)]
        body.append(f'<line class="line {kind}" x1="{at}" y1="{bottom + 49}" x2="{at + 22}" y2="{bottom + 49}"/>')
        body.append(f'<text class="legend" x="{at + 27}" y="{bottom + 53}">{escape(name)}</text>')
        at += 42 + 6.2 * len(name)
    body.append(f'<text class="axis" x="{(left + WIDTH) / 2:.0f}" y="{bottom + 33:.1f}">{escape(title)}</text>')
    words = f"Error by {title}: " + "; ".join(f"{name} {', '.join(map(number, v))}" for name, v in curves.items())
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {bottom + 62:.0f}" role="img" '
        f'aria-label="{escape(words, quote=True)}">{"".join(body)}</svg>'
    )
