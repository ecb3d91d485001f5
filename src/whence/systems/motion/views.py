"""What a network sees of each agent: its own past and its neighbours', in a frame in which all places look alike.

Axes: S scenes, A agents of all scenes, k neighbours, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whence.systems.motion.frame import Frames, heading_frames, pair_frames
from whence.systems.motion.scenes import Scenes

Floats = NDArray[np.float64]
FrameName = Literal["pair", "heading", "shift"]


@dataclass(frozen=True, slots=True)
class Views:
    """One view per agent.

    Attributes
    ----------
    own : ndarray of shape (A, observed, 2)
        Its observed positions, in its frame.
    others : ndarray of shape (A, k, observed, 2)
        Those of its nearest neighbours at the last observed step, nearest first, in the same frame; 0 where there is
        none.
    seen : ndarray of bool, shape (A, k)
        Where there is a neighbour.
    pace : ndarray of shape (A, 2)
        The last observed displacement, in the frame.
    channels : ndarray of shape (A, observed, C)
        Further observations.
    frames : Frames
        To bring forecasts back into the world.
    gaps : ndarray of shape (A, k, T, 2)
        The way from the neighbour to the agent at every step there is, future included, turned so that it points along
        the x axis at the last observed step: what style is read from. Never an input of the forecast itself.
    paired : ndarray of bool, shape (A, k)
        Where there is such a gap; k is at least 1 here.
    starts : ndarray of shape (S + 1,)
        Borders of the scenes.
    """

    own: Floats
    others: Floats
    seen: NDArray[np.bool_]
    pace: Floats
    channels: Floats
    frames: Frames
    gaps: Floats
    paired: NDArray[np.bool_]
    starts: NDArray[np.int64]


def views_of(scenes: Scenes, frame: FrameName, neighbours: int) -> Views:
    """Return the view of every agent.

    Parameters
    ----------
    scenes : Scenes
        Any number of agents each.
    frame : {"pair", "heading", "shift"}
        Midway to the nearest neighbour with the x axis towards it; the agent's place and heading; or only shifted to
        its place.
    neighbours : int
        How many neighbours are looked at, k; 0 for none.
    """
    past, positions = scenes.past, scenes.positions
    near, seen = nearest_neighbours(past[:, -1], scenes.starts, max(neighbours, 1))
    if frame == "pair":
        alone = ~seen[:, 0]
        frames = pair_frames(past, past[near[:, 0]])
        own_frames = heading_frames(past)
        frames = Frames(
            np.where(alone[:, None], own_frames.origin, frames.origin),
            np.where(alone[:, None], own_frames.axis, frames.axis),
        )
    elif frame == "heading":
        frames = heading_frames(past)
    else:
        frames = Frames(past[:, -1].copy(), np.tile([1.0, 0.0], (len(past), 1)))
    shown = near[:, :neighbours]
    others = frames.enter(past[shown]) if neighbours else np.zeros((len(past), 0, *past.shape[1:]))
    return Views(
        own=frames.enter(past),
        others=np.where(seen[:, :neighbours, None, None], others, 0.0),
        seen=seen[:, :neighbours],
        pace=frames.turn(past[:, -1] - past[:, -2]),
        channels=scenes.channels,
        frames=frames,
        gaps=_gaps(positions, near, seen, scenes.observed),
        paired=seen,
        starts=scenes.starts,
    )


def _gaps(positions: Floats, near: NDArray[np.int64], seen: NDArray[np.bool_], observed: int) -> Floats:
    """Return the way from every neighbour to the agent, turned to point along x at the last observed step."""
    gap = positions[:, None] - positions[near]  # (A, k, T, 2)
    flat = gap.reshape(-1, *gap.shape[2:])
    axis = flat[:, observed - 1]
    length = np.hypot(axis[:, 0], axis[:, 1])
    unit = np.where((length > 1e-9)[:, None], axis / np.maximum(length, 1e-9)[:, None], np.array([1.0, 0.0]))
    turned = Frames(np.zeros_like(unit), unit).turn(flat).reshape(gap.shape)
    return np.where(seen[:, :, None, None], turned, 0.0)


def nearest_neighbours(
    places: Floats, starts: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each agent's ``k`` nearest others of its scene as rows of shape (A, k), and where there are so many.

    An agent stands for itself where there are fewer.

    Examples
    --------
    >>> near, seen = nearest_neighbours(np.array([[0.0, 0], [3, 0], [1, 0]]), np.array([0, 3]), 1)
    >>> near.ravel().tolist(), seen.all()
    ([2, 2, 0], np.True_)
    """
    near = np.repeat(np.arange(len(places))[:, None], k, axis=1)
    seen = np.zeros((len(places), k), dtype=bool)
    counts = np.diff(starts)
    for size in np.unique(counts[counts > 1]):
        found = min(k, int(size) - 1)
        groups = starts[:-1][counts == size]
        for part in np.array_split(groups, max(1, len(groups) * int(size) ** 2 // 2_000_000)):
            row = part[:, None] + np.arange(size)  # (G, size)
            at = places[row]
            distance = ((at[:, :, None] - at[:, None]) ** 2).sum(axis=-1)
            distance[:, np.arange(size), np.arange(size)] = np.inf
            order = np.argsort(distance, axis=-1, kind="stable")[:, :, :found]
            near[row.ravel(), :found] = (part[:, None, None] + order).reshape(-1, found)
            seen[row.ravel(), :found] = True
    return near, seen
