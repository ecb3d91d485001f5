"""Scenes drawn as SVG: where everybody was, is expected, and went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whence.results import write_atomically
from whence.systems.motion.scenes import Scenes

Floats = NDArray[np.float64]
WIDTH, HEIGHT, MARGIN = 380.0, 300.0, 18.0
_STYLES = ("forecast", "other", "third")  # classes of the drawn paths, in order
_CSS = """
.seen{stroke:#444;fill:none;stroke-width:2.2}.true{stroke:#444;fill:none;stroke-width:1.4;stroke-dasharray:2 4}
.forecast{stroke:#0b62a4;fill:none;stroke-width:2.2}
.other{stroke:#c2410c;fill:none;stroke-width:2.2;stroke-dasharray:7 3}
.third{stroke:#15803d;fill:none;stroke-width:2.2;stroke-dasharray:1 3}
.now{fill:#444}.word{font:11px system-ui,sans-serif;fill:#444}.rule{stroke:#999;stroke-width:1}
@media(prefers-color-scheme:dark){.seen,.true{stroke:#ccc}.now,.word{fill:#ccc}.forecast{stroke:#6cb6f0}
.other{stroke:#f4915c}.third{stroke:#5fce8a}}
"""


@dataclass(frozen=True, slots=True, repr=False)
class Drawing:
    """A picture as SVG text."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({len(self.svg):,} characters of SVG)"

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file ending in ``.svg``."""
        return write_atomically(path, self.svg)


def draw_scene(scene: Scenes, paths: Mapping[str, Floats], title: str = "") -> Drawing:
    """Draw one scene.

    Parameters
    ----------
    scene : Scenes
        Of length one. Its future, if it holds one, is dotted.
    paths : mapping of str to ndarray of shape (K, A, F, 2)
        Forecasts by their name, at most three.
    title : str
        Said above, and to those who cannot see the picture.

    Examples
    --------
    >>> walk = np.cumsum(np.full((1, 1, 20, 2), 0.5), axis=2)
    >>> scene = Scenes.from_tracks(walk)
    >>> draw_scene(scene, {"forecast": scene.future[None]}).svg.startswith("<svg")
    True
    """
    points = [scene.positions.reshape(-1, 2), *(path.reshape(-1, 2) for path in paths.values())]
    place = _Paper(np.concatenate(points))
    body = []
    for agent in range(scene.n_agents):
        body.append(place.line(scene.past[agent], "seen"))
        if scene.steps_ahead:
            body.append(place.line(scene.positions[agent, scene.observed - 1 :], "true"))
    for kind, path in zip(_STYLES, paths.values()):
        for sample in path:
            lines = np.concatenate([scene.past[:, -1:], sample], axis=1)  # (A, F + 1, 2)
            body += [place.line(line, kind) for line in lines]
    body += [place.dot(scene.past[agent, -1]) for agent in range(scene.n_agents)]
    words = title or f"One scene of {scene.domains[0]}"
    names = {"seen": "observed", **({"true": "what happened"} if scene.steps_ahead else {})}
    names |= dict(zip(_STYLES, paths))
    legend, bottom = _legend(names)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {bottom:g}" role="img" '
        f'aria-label="{escape(words)}"><style>{_CSS}</style>'
        f'<text class="word" x="{MARGIN:g}" y="13">{escape(title)}</text>{"".join(body)}{place.scale()}{legend}</svg>'
    )
    return Drawing(svg)


class _Paper:
    """The map from metres to the page: one scale for both axes."""

    def __init__(self, points: Floats) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        self.middle = (low + high) / 2
        room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN - 10])
        self.factor = float((room / np.maximum(high - low, 0.5)).min())

    def at(self, points: Floats) -> Floats:
        moved: Floats = (points - self.middle) * self.factor * np.array([1.0, -1.0])
        moved += np.array([WIDTH / 2, HEIGHT / 2])
        return moved

    def line(self, points: Floats, kind: str) -> str:
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in self.at(points))
        return f'<polyline class="{kind}" points="{text}"/>'

    def dot(self, point: Floats) -> str:
        x, y = self.at(point)
        return f'<circle class="now" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'

    def scale(self) -> str:
        x, y, end = WIDTH - MARGIN, HEIGHT - 6, WIDTH - MARGIN - self.factor
        return (
            f'<line class="rule" x1="{end:.1f}" y1="{y:g}" x2="{x:g}" y2="{y:g}"/>'
            f'<text class="word" x="{(x + end) / 2:.1f}" y="{y - 4:g}" text-anchor="middle">1 m</text>'
        )


def _legend(names: Mapping[str, str]) -> tuple[str, float]:
    """Return the legend, in as many rows as it takes, and where it ends."""
    parts, x, y = [], MARGIN, HEIGHT + 12
    for kind, words in names.items():
        width = 37 + 6.2 * len(words)
        if x > MARGIN and x + width > WIDTH:
            x, y = MARGIN, y + 17
        parts.append(f'<line class="{kind}" x1="{x:.0f}" y1="{y:g}" x2="{x + 20:.0f}" y2="{y:g}"/>')
        parts.append(f'<text class="word" x="{x + 25:.0f}" y="{y + 4:g}">{escape(words)}</text>')
        x += width
    return "".join(parts), y + 12
