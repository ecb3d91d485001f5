"""Tracks at another time step, by straight lines between the rows there are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def resample_tracks(
    frame: Floats, agent: NDArray[Any], places: Floats, *, dt: float, new_dt: float
) -> tuple[Floats, NDArray[Any], Floats]:
    """Return frame, agent and places of tracks at steps of ``new_dt`` where rows of an agent lay ``dt`` apart.

    New frames are numbered in steps of one on a clock that all agents share; a place between two rows lies on the line
    between them, and gaps of a track stay gaps.

    Parameters
    ----------
    frame : ndarray of shape (R,)
        Frame numbers; the median difference within agents counts as ``dt`` seconds.
    agent : ndarray of shape (R,)
        Labels.
    places : ndarray of shape (R, 2)
        Positions.

    Examples
    --------
    >>> frame, agent = np.array([0.0, 10.0, 20.0]), np.array(["a", "a", "a"])
    >>> times, _, places = resample_tracks(frame, agent, np.array([[0.0, 0], [1, 0], [2, 0]]), dt=0.8, new_dt=0.4)
    >>> times.tolist(), places[:, 0].tolist()
    ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 0.5, 1.0, 1.5, 2.0])
    """
    label = np.unique(agent, return_inverse=True)[1]
    order = np.lexsort((frame, label))
    frame, label, places, agent = frame[order], label[order], places[order], agent[order]
    same = label[1:] == label[:-1]
    step = float(np.median(np.diff(frame)[same]))
    clock = (frame - frame.min()) / step * dt / new_dt  # time of each row in new steps
    joined = same & (np.diff(frame) <= 1.05 * step)
    # Every pair of joined rows yields the new steps in (clock[k], clock[k + 1]]; a run's first row yields its own time.
    first = np.concatenate([[True], ~joined])
    whole = np.floor(clock + 1e-9)
    count = np.where(joined, whole[1:] - whole[:-1], 0).astype(np.int64)
    left = np.repeat(np.arange(len(count)), count)
    tick = whole[left] + 1 + np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count)
    share = (tick - clock[left]) / (clock[left + 1] - clock[left])
    inside = places[left] + share[:, None] * (places[left + 1] - places[left])
    exact = np.flatnonzero(first & (np.abs(clock - np.rint(clock)) < 1e-9))
    times = np.concatenate([np.rint(clock[exact]), tick])
    return times, np.concatenate([agent[exact], agent[left]]), np.concatenate([places[exact], inside])
