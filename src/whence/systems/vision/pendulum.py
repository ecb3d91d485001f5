"""The pendulum scene: a lamp and a pendulum cast a shadow, so that two factors cause two others.

Geometry of the public generator of CausalVAE (Yang et al. 2021, arXiv 2004.08697): the floor lies at height -0.5, the
pivot at (10, 10.5), the lamp at height 20.5 on the line of light through the pivot. The angle of the pendulum and the
direction of the light cause the shadow's length and position. Images are drawn by distances to discs and segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import ParameterError
from whence.graph import Graph
from whence.models import Intervention
from whence.parallel import RandomState, generator

Array = NDArray[np.float64]

VARIABLES = ("angle", "light", "shadow_length", "shadow_position")
GRAPH = Graph.from_edges([(cause, effect) for effect in VARIABLES[2:] for cause in VARIABLES[:2]], names=VARIABLES)
UNITS = {"angle": "pi/200", "light": "pi/200", "shadow_length": "cm", "shadow_position": "cm"}
_PIVOT = (10.0, 10.5)
_FLOOR, _LAMP_HEIGHT = -0.5, 20.5
_SHORTEST_SHADOW = 3.0
_LAMP, _PENDULUM, _SHADOW = 0.6, 1.0, 0.4  # brightness


@dataclass(frozen=True, eq=False)
class Scenes:
    """Rows with their labels.

    Attributes
    ----------
    X : ndarray
        Images (n, 1, size, size) in [0, 1], or vectors (n, d).
    labels : ndarray, shape (n, 4)
        In the order of ``VARIABLES``.
    """

    X: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.X)


def shadow(angle: ArrayLike, light: ArrayLike) -> tuple[Array, Array]:
    """Return the shadow's length and position for angles of pendulum and light in units of pi / 200."""
    theta, phi = np.asarray(angle, float) * np.pi / 200, np.asarray(light, float) * np.pi / 200
    ends = []
    for x, y in (_PIVOT, (_PIVOT[0] + 9.5 * np.sin(theta), _PIVOT[1] - 9.5 * np.cos(theta))):
        ends.append(x + (_FLOOR - y) * np.cos(phi) / np.sin(phi))
    return np.maximum(_SHORTEST_SHADOW, np.abs(ends[1] - ends[0])), (ends[0] + ends[1]) / 2


def with_shadow(angle: ArrayLike, light: ArrayLike) -> Array:
    """Return labels (n, 4) of angles and light, the shadow as these two cast it."""
    length, position = shadow(angle, light)
    return np.column_stack([np.broadcast_to(np.asarray(angle, float), length.shape), light, length, position])


def all_labels() -> Array:
    """Return the labels of the published grid: angles -40 .. 43, light 60 .. 147 without 100; shape (7308, 4)."""
    light = np.array([value for value in range(60, 148) if value != 100], dtype=float)
    angle, light = (part.ravel() for part in np.meshgrid(np.arange(-40.0, 44.0), light, indexing="ij"))
    return with_shadow(angle, light)


def truth(labels: Array, do: Intervention | Mapping[str, Any]) -> Array:
    """Return what the labels (n, 4) would have been under an intervention, by the generator itself.

    What a label deviates from what its causes would make of it is kept.
    """
    asked = Intervention.of(do).check(VARIABLES)
    changed = np.array(labels, dtype=float)
    extra = changed[:, 2:] - np.column_stack(shadow(changed[:, 0], changed[:, 1]))
    for j, name in enumerate(VARIABLES[:2]):
        changed[:, j] = asked.apply(name, changed[:, j])
    changed[:, 2:] = np.column_stack(shadow(changed[:, 0], changed[:, 1])) + extra
    for j, name in enumerate(VARIABLES[2:], start=2):
        changed[:, j] = asked.apply(name, changed[:, j])
    return changed


def render(labels: Array, size: int = 24) -> Array:
    """Draw scenes from labels (n, 4) as grey images (n, 1, size, size) in [0, 1], edges smoothed over one pixel."""
    if size < 12:
        raise ParameterError("E651", f"{size} pixels are too few to draw a pendulum.", "Give size=12 or more.")
    angle, light, length, position = (column[:, None, None] for column in np.asarray(labels, float).T)
    pixel = 24.0 / size
    middle = pixel * (np.arange(size) + 0.5)
    x, y = np.meshgrid(middle - 2.0, middle[::-1] - 1.5)
    theta, phi = angle * np.pi / 200, light * np.pi / 200
    ball = _PIVOT[0] + 8 * np.sin(theta), _PIVOT[1] - 8 * np.cos(theta)
    lamp = _PIVOT[0] + (_LAMP_HEIGHT - _PIVOT[1]) * np.cos(phi) / np.sin(phi), _LAMP_HEIGHT
    floor = np.full_like(position, _FLOOR)

    def drawn(distance: Array, radius: float, brightness: float) -> Array:
        return brightness * np.clip(0.5 + (radius - distance) / pixel, 0.0, 1.0)

    parts = [
        drawn(np.hypot(x - lamp[0], y - lamp[1]), 2.0, _LAMP),
        drawn(np.hypot(x - ball[0], y - ball[1]), 1.5, _PENDULUM),
        drawn(_to_segment(x, y, _PIVOT, ball), 0.4, _PENDULUM),
        drawn(_to_segment(x, y, (position - length / 2, floor), (position + length / 2, floor)), 0.5, _SHADOW),
    ]
    return np.max(parts, axis=0)[:, None]  # type: ignore[no-any-return]


def scenes(rows: int, size: int = 24, *, random_state: RandomState = 0) -> Scenes:
    """Draw images of random scenes from the published grid, none twice.

    Examples
    --------
    >>> drawn = scenes(5, size=16)
    >>> drawn.X.shape, drawn.labels.shape
    ((5, 1, 16, 16), (5, 4))
    """
    grid = all_labels()
    if not 0 < rows <= len(grid):
        raise ParameterError("E651", f"there are {len(grid):,} scenes, not {rows:,}.", f"Ask for 1 to {len(grid):,}.")
    labels = grid[generator(random_state).permutation(len(grid))[:rows]]
    return Scenes(render(labels, size), labels)


def vectors(rows: int, *, nuisance: int = 12, width: int = 32, random_state: RandomState = 0) -> Scenes:
    """Mix the four labels with nuisances by a fixed random network: a quick stand-in for images.

    Two layers of tanh turn the labels, standardised, and ``nuisance`` normal variables into vectors. The network is the
    same for every ``random_state``, which draws the rows.

    Returns
    -------
    Scenes
        ``X`` of shape (rows, width).
    """
    grid = all_labels()
    rng = generator(random_state)
    labels = grid[rng.integers(len(grid), size=rows)]
    known = (labels - grid.mean(axis=0)) / grid.std(axis=0)
    return Scenes(_mixed(np.column_stack([known, rng.normal(size=(rows, nuisance))]), width), labels)


def _mixed(sources: Array, width: int) -> Array:
    fixed = np.random.default_rng(20_240)
    first = fixed.normal(size=(sources.shape[1], width)) / np.sqrt(sources.shape[1])
    second = fixed.normal(size=(width, width)) / np.sqrt(width)
    return np.tanh(np.tanh(sources @ first) @ second)  # type: ignore[no-any-return]


def _to_segment(x: Array, y: Array, start: tuple[Any, Any], end: tuple[Any, Any]) -> Array:
    """Return the distance of points to segments."""
    along = end[0] - start[0], end[1] - start[1]
    share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / np.maximum(along[0] ** 2 + along[1] ** 2, 1e-12)
    share = np.clip(share, 0.0, 1.0)
    return np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])  # type: ignore[no-any-return]
