"""What scenes, labels and references must be, and what is said where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import DataError
from whence.systems.motion.settings import MotionSettings

if TYPE_CHECKING:
    from whence.systems.motion.scenes import Scenes

Floats = NDArray[np.float64]


# ---- arrays that scenes are made of ----------------------------------------------------------------------------------


def labels_of(domains: Sequence[Any] | str | None, count: int) -> NDArray[Any]:
    """Return one label per scene as text."""
    if domains is None or isinstance(domains, str):
        return np.full(count, domains or "all")
    labels = np.array([str(one) for one in domains])
    if len(labels) != count:
        raise DataError(
            "E625", f"{len(labels)} domains were given for {count} scenes.", "Give one label per scene, or one for all."
        )
    return labels


def finite(positions: Floats) -> Floats:
    """Return positions (A, T, 2), all of them numbers."""
    bad = np.argwhere(~np.isfinite(positions))
    if len(bad):
        agent, step, axis = bad[0]
        raise DataError(
            "E620",
            f"{'xy'[axis]} of agent {agent} at step {step} is {positions[agent, step, axis]}; "
            f"{len(bad)} coordinate{'' if len(bad) == 1 else 's'} in all are no numbers.",
            "Leave those agents out, or fill the gap before the tracks are cut.",
        )
    return positions


def positive(dt: float) -> float:
    """Return a time step that is one."""
    if not (np.isfinite(dt) and dt > 0):
        raise DataError("E623", f"dt={dt!r} is no time step.", "Give the seconds between two rows of an agent.")
    return float(dt)


def checked_channels(channels: Floats, agents: int, observed: int) -> Floats:
    """Return channels (A, observed, C), all of them numbers."""
    if channels.ndim != 3 or channels.shape[:2] != (agents, observed):
        raise DataError(
            "E625",
            f"channels have shape {channels.shape}; there are {agents} agents with {observed} observed steps.",
            "Give an array of shape (agents, observed, channels).",
        )
    if not np.isfinite(channels).all():
        raise DataError("E620", "a channel holds a value that is no number.", "Fill it before the scenes are made.")
    return channels


# ---- scenes that a forecaster is shown -------------------------------------------------------------------------------


def check_training(scenes: Scenes, settings: MotionSettings) -> None:
    """Raise DataError where nothing, or not what is asked for, can be learned from scenes."""
    if scenes.steps_ahead < 1:
        raise DataError("E627", "the scenes hold no future to learn from.", "Cut windows with future steps.")
    names, counts = np.unique(scenes.domains, return_counts=True)
    if counts.min() < 2:
        raise DataError(
            "E628",
            f"domain {names[counts.argmin()]!r} has a single scene.",
            "Leave it out, or merge it with a place that is alike.",
        )
    wanted = "an invariance" if settings.invariance else "a style" if settings.style_dim else ""
    if wanted and len(names) < 2:
        raise DataError(
            "E628",
            f"all scenes are of domain {names[0]!r}, and {wanted} is learned from differences between domains.",
            "Label the scenes' places with env=, or give style_dim=0 and invariance=None.",
        )
    if settings.style_dim and scenes.counts.max() < 2:
        raise DataError(
            "E626",
            "style is read from how agents keep away from one another, and every scene has a single agent.",
            "Give scenes of several agents, or style_dim=0.",
        )


def check_scenes(scenes: Scenes, observed: int, channels: int, dt: float, future: int | None) -> None:
    """Raise DataError for scenes unlike those a forecaster was fitted on; ``future`` are the steps they must hold."""
    seen = int(scenes.channels.shape[2])
    if scenes.observed != observed or seen != channels:
        raise DataError(
            "E625",
            f"scenes have {scenes.observed} observed steps and {seen} channels; this forecaster was fitted "
            f"on {observed} and {channels}.",
            "Cut them as those were cut.",
        )
    if abs(scenes.dt - dt) > 1e-6 * dt:
        raise DataError(
            "E623",
            f"scenes have a time step of {scenes.dt:g} s; this forecaster was fitted on {dt:g} s.",
            "Resample the tracks to that step.",
        )
    if future is not None and scenes.steps_ahead != future:
        raise DataError(
            "E627",
            f"scenes hold {scenes.steps_ahead} future steps, and {future} are needed here.",
            "Give recorded scenes with their futures.",
        )


def checked_code(code: ArrayLike, style_dim: int) -> Floats:
    """Return a style code of shape (style_dim,)."""
    given = np.asarray(code, dtype=np.float64)
    if given.shape != (style_dim,) or not np.isfinite(given).all():
        raise DataError(
            "E630",
            f"a style code of shape {given.shape} was given; this forecaster's have {style_dim} finite numbers.",
            "Take model.style(scenes).mean(axis=0), or give reference scenes.",
        )
    return given


def refuse_leak(scenes: Scenes, reference: Scenes) -> None:
    """Refuse reference scenes that are among those to be forecast: their style would tell the answer."""
    if scenes.positions.shape[1] != reference.positions.shape[1]:
        return
    keys = [
        {one.positions[a:b].tobytes() for a, b in zip(one.starts[:-1], one.starts[1:])} for one in (scenes, reference)
    ]
    shared = len(keys[0] & keys[1])
    if shared:
        raise DataError(
            "E630",
            f"{shared} of the scenes to be forecast are among the reference, futures included.",
            "Give other scenes of the place; style must not be read from the answer.",
        )
