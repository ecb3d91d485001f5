"""Cutting tracks into windows: every agent that is seen in each frame of a window, for all windows at once.

Axes: R rows of tracks (one agent in one frame), A agents of windows, T steps of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from whence.errors import DataError

Floats = NDArray[np.float64]
_DECIMALS = 4  # as in the protocol of ETH-UCY: tenths of a millimetre


@dataclass(frozen=True, slots=True)
class Windows:
    """Values of shape (A, T, columns), scene borders of shape (S + 1,) and the first row of each agent, shape (A,)."""

    values: Floats
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows in order of recording, agent and frame; a run is a track without gaps."""

    order: NDArray[np.int64]  # (R,) row numbers of the table
    index: NDArray[np.int64]  # (R,) frame number in steps
    recording: NDArray[np.int64]  # (R,)
    place: NDArray[np.int64]  # (R,) position in the run
    left: NDArray[np.int64]  # (R,) rows of the run from here on


def cut_windows(
    frame: Floats,
    agent: NDArray[Any],
    values: Floats,
    recording: NDArray[Any],
    *,
    length: int,
    frame_step: float | None = None,
    stride: int = 1,
    min_agents: int = 2,
    each_agent_alone: bool = False,
) -> Windows:
    """Return all windows of ``length`` consecutive frames with the agents that are visible in each of them.

    Parameters
    ----------
    frame : ndarray of shape (R,)
        Frame numbers or times, in any order.
    agent, recording : ndarray of shape (R,)
        Labels.
    values : ndarray of shape (R, columns)
        What is cut; rounded to 4 decimals.
    length, frame_step, stride, min_agents, each_agent_alone
        As in `Scenes.from_dataframe`.

    Raises
    ------
    DataError
        E620, E621, E622, E623 and E626, as in `Scenes.from_dataframe`.

    Examples
    --------
    >>> frame, agent = np.repeat(np.arange(4.0), 2), np.tile(["a", "b"], 4)
    >>> found = cut_windows(frame, agent, np.ones((8, 2)), np.zeros(8), length=3)
    >>> found.values.shape, found.starts.tolist()
    ((4, 3, 2), [0, 2, 4])
    """
    if not len(frame):
        raise DataError("E622", "the table of tracks has no rows.", "Give one row per agent and frame.")
    bad = np.flatnonzero(~(np.isfinite(values).all(axis=1) & np.isfinite(frame)))
    if len(bad):
        raise DataError(
            "E620",
            f"row {bad[0]} (agent {agent[bad[0]]}, frame {frame[bad[0]]:g}) holds a missing or infinite value; "
            f"{len(bad)} row{'' if len(bad) == 1 else 's'} in all.",
            "Drop these rows: windows across the gap are then left out.",
        )
    runs = _runs(frame, agent, recording, frame_step)
    begins = _begins(runs, length, stride, each_agent_alone)
    windows = sliding_window_view(np.round(values[runs.order], _DECIMALS), length, axis=0)  # (R - T + 1, columns, T)
    scene = np.arange(len(begins)) if each_agent_alone else _scene_of(runs, begins)
    order = np.argsort(scene, kind="stable")
    begins, scene = begins[order], scene[order]
    counts = np.bincount(scene)
    enough = counts >= (1 if each_agent_alone else min_agents)
    if not enough.any():
        raise DataError(
            "E626",
            f"no window of {length} frames holds {min_agents} agents that are visible throughout; "
            f"there are {len(counts):,} windows with {counts.max()} at most.",
            "Lower min_agents, or cut shorter windows.",
        )
    begins = begins[enough[scene]]
    return Windows(
        values=np.ascontiguousarray(windows[begins].transpose(0, 2, 1)),
        starts=np.concatenate([[0], np.cumsum(counts[enough])]).astype(np.int64),
        rows=runs.order[begins],
    )


def _runs(frame: Floats, agent: NDArray[Any], recording: NDArray[Any], frame_step: float | None) -> _Runs:
    agents = np.unique(agent, return_inverse=True)[1]
    recordings = np.unique(recording, return_inverse=True)[1]
    order = np.lexsort((frame, agents, recordings))
    agents, recordings, times = agents[order], recordings[order], frame[order]
    same = (agents[1:] == agents[:-1]) & (recordings[1:] == recordings[:-1])
    ahead = np.diff(times)[same]
    if len(ahead) and ahead.min() <= 0:
        first = np.flatnonzero(same & (np.diff(times) <= 0))[0]
        raise DataError(
            "E621",
            f"agent {agent[order[first]]} stands twice in frame {times[first]:g} (rows {order[first]} and "
            f"{order[first + 1]}).",
            "If the table joins several recordings, name their column: scene=...; else drop the doubled rows.",
        )
    step = _step(ahead, frame_step)
    steps = (times - times.min()) / step
    index = np.rint(steps).astype(np.int64)
    ragged = np.abs(steps - index) > 0.05
    if ragged.mean() > 0.01 and _uneven(ahead, step):
        raise DataError(
            "E623",
            f"frames are not evenly spaced: rows of an agent lie {ahead.min():g} to {ahead.max():g} apart, and "
            f"{_uneven_share(ahead, step):.0%} of the differences are no multiple of {step:g}.",
            "Resample the tracks to one time step, or give frame_step=.",
        )
    broken = np.concatenate([[True], ~(same & (np.abs(np.diff(times) - step) <= 0.05 * step))])
    run_start = np.maximum.accumulate(np.where(broken, np.arange(len(order)), 0))
    run_end = np.concatenate([np.flatnonzero(broken)[1:], [len(order)]])[np.cumsum(broken) - 1]
    rows = np.arange(len(order))
    return _Runs(order, index, recordings, rows - run_start, run_end - rows)


def _step(ahead: Floats, frame_step: float | None) -> float:
    if frame_step is not None:
        if not (np.isfinite(frame_step) and frame_step > 0):
            raise DataError("E623", f"frame_step={frame_step!r} is no difference of frames.", "Give a positive number.")
        return float(frame_step)
    if not len(ahead):
        raise DataError("E622", "every agent is seen in one frame only.", "Tracks need several rows per agent.")
    return float(np.median(ahead))


def _uneven_share(ahead: Floats, step: float) -> float:
    return float(np.mean(np.abs(ahead / step - np.rint(ahead / step)) > 0.05))


def _uneven(ahead: Floats, step: float) -> bool:
    return _uneven_share(ahead, step) > 0.01


def _begins(runs: _Runs, length: int, stride: int, each_agent_alone: bool) -> NDArray[np.int64]:
    """Return the rows, in sorted order, at which a window of one agent may begin."""
    fits = runs.left >= length
    if not fits.any():
        raise DataError(
            "E622",
            f"no agent is seen in {length} consecutive frames; the longest track without a gap has {runs.left.max()}.",
            "Cut shorter windows (observed=, future=), or fill the gaps in the tracks.",
        )
    if each_agent_alone:
        return np.flatnonzero(fits & (runs.place % stride == 0))
    if stride > 1:
        first = np.full(runs.recording.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, runs.recording, runs.index)
        fits &= (runs.index - first[runs.recording]) % stride == 0
    return np.flatnonzero(fits)


def _scene_of(runs: _Runs, begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the scene of every window: those that begin in the same frame of the same recording."""
    index, recording = runs.index[begins], runs.recording[begins]
    key = recording * (runs.index.max() + 1) + index
    return np.unique(key, return_inverse=True)[1].astype(np.int64)
