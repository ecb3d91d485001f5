"""Synthetic crossings whose style is known: agents that avoid one another by a radius of their own.

The style of a scene is the ORCA radius, how much distance people keep. It is a cause of how they have moved and of how
they will, changes with the place, and can be set: the same start under another radius is the true counterfactual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import ParameterError
from whence.kernels import Kernels
from whence.parallel import RandomState, generator
from whence.systems.motion.scenes import Scenes

Floats = NDArray[np.float64]
_KERNELS = Kernels("whence.systems.motion._kernels_orca")
_CIRCLE = 5.0  # metres; with the noise and the least distance it gives the starts of the published set "v4"
_NOISE = 0.5  # metres, each coordinate of a start
_TICK = 0.01  # seconds; a tick of 0.1 moves paths by up to 8 cm
_SPEED = 1.0  # metres a second, preferred and highest
_NEAR = 10.0  # metres within which others are seen
_NEIGHBOURS = 10
_BATCH = 4096


def simulate_orca(
    n: int,
    radius: float | Sequence[float] = 0.3,
    *,
    agents: int = 2,
    horizon: float = 2.0,
    dt: float = 0.4,
    steps: int = 20,
    observed: int = 8,
    paired: bool = False,
    min_start: float | None = None,
    random_state: RandomState = None,
) -> Scenes:
    """Simulate agents that cross a circle to the opposite side, one domain per radius.

    Starts lie around a circle of 5 m; every agent prefers 1 m/s towards the point opposite to its start. The first
    recorded position is that after one step of ``dt``. Scenes with a turn sharper than 90 degrees are left out and
    drawn anew.

    Parameters
    ----------
    n : int
        Scenes per radius.
    radius : float or sequence of float
        Metres; each is a domain, named by its number. Two agents stay twice the radius apart.
    agents : int
        2 to 8.
    horizon : float
        Seconds ahead for which agents avoid one another.
    dt, steps, observed : float, int, int
        Time step in seconds, recorded steps and how many of them are observed.
    paired : bool
        The same starts under every radius: scene ``k`` of each domain is the counterfactual of the others' scene ``k``.
    min_start : float, optional
        Least distance between two starts; 8.3 m for two agents, so that they meet, and 10 m over the number of agents
        otherwise.
    random_state : int, Generator or None
        Seed.

    Raises
    ------
    ParameterError
        E633 for a setting out of range.

    Examples
    --------
    >>> scenes = simulate_orca(5, (0.1, 0.5), paired=True, random_state=0)
    >>> scenes
    Scenes(10 scenes, 20 agents, 8 observed + 12 future steps of 0.4 s, domains: 0.1, 0.5)
    >>> near, wide = scenes.of("0.1"), scenes.of("0.5")
    >>> bool(np.allclose(near.positions[:, 0], wide.positions[:, 0]))
    True
    """
    radii = _radii(radius)
    world = _World(agents, horizon, dt, steps, min_start)
    rng = generator(random_state)
    schedules = [np.full(steps, one) for one in radii]
    groups = [schedules] if paired else [[schedule] for schedule in schedules]
    tracks = [part for group in groups for part in world.draw(n, group, rng)]
    return Scenes.concatenate(
        Scenes.from_tracks(part, domains=f"{one:g}", dt=dt, observed=observed) for one, part in zip(radii, tracks)
    )


def simulate_switch(
    n: int,
    before: float,
    after: float,
    *,
    switch_at: int = 8,
    agents: int = 2,
    horizon: float = 2.0,
    dt: float = 0.4,
    steps: int = 20,
    observed: int = 8,
    min_start: float | None = None,
    random_state: RandomState = None,
) -> tuple[Scenes, Scenes]:
    """Simulate the same scenes twice: under one radius throughout, and under another from step ``switch_at`` on.

    The pairs agree exactly in the first ``switch_at`` steps, so that the second is what the first would have become.

    Parameters
    ----------
    before, after : float
        Radius in metres, until the switch and from then on.
    switch_at : int
        First step recorded under the new radius; 8 switches after the observed part of 8 steps.
    n, agents, horizon, dt, steps, observed, min_start, random_state
        As in `simulate_orca`.

    Returns
    -------
    factual, counterfactual : Scenes
        Of domains named by the radius of their future.

    Examples
    --------
    >>> factual, counterfactual = simulate_switch(3, 0.1, 0.5, random_state=0)
    >>> bool(np.array_equal(factual.past, counterfactual.past)), counterfactual.domains.tolist()
    (True, ['0.5', '0.5', '0.5'])
    """
    first, second = _radii((before, after))
    if not 1 <= switch_at < steps:
        raise ParameterError("E633", f"switch_at={switch_at} is no step of {steps}.", f"Choose 1 to {steps - 1}.")
    world = _World(agents, horizon, dt, steps, min_start)
    schedule = np.full(steps, first)
    switched = schedule.copy()
    switched[switch_at:] = second  # entry k is the radius on the way to record k
    tracks = world.draw(n, [schedule, switched], generator(random_state))
    made = [
        Scenes.from_tracks(part, domains=f"{one:g}", dt=dt, observed=observed)
        for one, part in zip((first, second), tracks)
    ]
    return made[0], made[1]


def run_orca(
    starts: ArrayLike,
    goals: ArrayLike,
    radius: float | ArrayLike,
    *,
    horizon: float = 2.0,
    dt: float = 0.4,
    steps: int = 20,
    tick: float = _TICK,
) -> Floats:
    """Simulate given starts and goals, from rest.

    Parameters
    ----------
    starts, goals : array of shape (scenes, agents, 2)
        Metres.
    radius : float, or array of shape (scenes, steps - 1)
        Metres, throughout or on the way to each record after the first.
    horizon, dt, steps, tick
        Seconds ahead, seconds between records, records (the first is the start), seconds of one update.

    Returns
    -------
    ndarray of shape (scenes, agents, steps, 2)

    Notes
    -----
    van den Berg, Guy, Lin and Manocha (2011), "Reciprocal n-body collision avoidance"; a linear program of two
    unknowns per agent and tick, solved exactly.

    Examples
    --------
    >>> path = run_orca([[[-4.0, 0.1], [4.0, -0.1]]], [[[4.0, 0.1], [-4.0, -0.1]]], 0.3)
    >>> gap = np.linalg.norm(path[0, 0] - path[0, 1], axis=1)
    >>> round(float(gap.min()), 1)
    0.6
    """
    begin, end = (np.ascontiguousarray(np.asarray(one, dtype=np.float64)) for one in (starts, goals))
    if begin.ndim != 3 or begin.shape[2] != 2 or begin.shape != end.shape:
        raise ParameterError(
            "E633", f"starts {begin.shape} and goals {end.shape} are not (scenes, agents, 2).", "Give equal shapes."
        )
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(begin), steps - 1))
    places = np.empty((*begin.shape[:2], steps, 2))
    _KERNELS.simulate(
        begin,
        end,
        np.ascontiguousarray(radii),
        float(horizon),
        float(tick),
        round(dt / tick),
        _SPEED,
        _NEAR,
        _NEIGHBOURS,
        places,
    )
    return places


@dataclass(frozen=True, slots=True)
class _World:
    """Checked settings of a simulation, and the drawing of scenes that fit."""

    agents: int
    horizon: float
    dt: float
    steps: int
    min_start: float | None

    def __post_init__(self) -> None:
        if not 2 <= self.agents <= 8:
            raise ParameterError("E633", f"agents={self.agents} is out of range.", "Choose 2 to 8.")
        if self.horizon <= 0 or round(self.dt / _TICK) < 1 or self.steps < 3:
            raise ParameterError(
                "E633",
                f"horizon={self.horizon}, dt={self.dt}, steps={self.steps} cannot be simulated.",
                f"The horizon must be positive, dt at least {_TICK} and steps at least 3.",
            )

    def draw(self, n: int, schedules: Sequence[Floats], rng: np.random.Generator) -> list[Floats]:
        """Return ``n`` scenes per schedule of radii (steps,), all from the same starts and all without sharp turns."""
        if n < 1:
            raise ParameterError("E633", f"n={n} scenes were asked for.", "Ask for at least one.")
        kept: list[list[Floats]] = [[] for _ in schedules]
        found = 0
        for _attempt in range(1000):
            starts = self._starts(min(max(n - found, 16), _BATCH), rng)
            tracks = [
                run_orca(starts, -starts, schedule[None], horizon=self.horizon, dt=self.dt, steps=self.steps + 1)
                for schedule in schedules
            ]
            smooth = np.logical_and.reduce([_smooth(part) for part in tracks])
            for store, part in zip(kept, tracks):
                store.append(part[smooth, :, 1:])
            found += int(smooth.sum())
            if found >= n:
                return [np.concatenate(store)[:n] for store in kept]
        raise ParameterError(
            "E633",
            f"after 1,000 attempts only {found} of {n} scenes have no sharp turn.",
            "Choose a smaller radius, fewer agents or starts further apart.",
        )

    def _starts(self, count: int, rng: np.random.Generator) -> Floats:
        """Return starts (count, agents, 2) around the circle, apart by the least distance."""
        apart = self.min_start if self.min_start is not None else 8.3 if self.agents == 2 else 10.0 / self.agents
        kept: list[Floats] = []
        for _attempt in range(2000):
            angle = rng.uniform(0.0, 2.0 * np.pi, (4 * count, self.agents))
            at = _CIRCLE * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
            at += rng.uniform(-_NOISE, _NOISE, at.shape)
            gap = np.linalg.norm(at[:, :, None] - at[:, None], axis=-1) + 1e9 * np.eye(self.agents)
            kept.append(at[gap.min(axis=(1, 2)) > apart])
            if sum(map(len, kept)) >= count:
                return np.concatenate(kept)[:count]
        raise ParameterError(
            "E633", f"{self.agents} starts around a circle of 5 m cannot be {apart:g} m apart.", "Lower min_start."
        )


def _smooth(tracks: Floats) -> NDArray[Any]:
    """Return which scenes have no turn sharper than 90 degrees between two steps."""
    way = np.diff(tracks, axis=2)
    ahead: NDArray[Any] = (way[:, :, 1:] * way[:, :, :-1]).sum(axis=-1) >= 0
    return np.asarray(ahead.all(axis=(1, 2)))


def _radii(radius: float | Sequence[float]) -> tuple[float, ...]:
    listed = tuple(float(one) for one in np.atleast_1d(np.asarray(radius, dtype=np.float64)))
    if not listed or min(listed) <= 0 or max(listed) > 1.5:
        raise ParameterError("E633", f"radius={radius!r} is out of range.", "Give metres above 0 and up to 1.5.")
    if len(set(listed)) < len(listed):
        raise ParameterError("E633", f"radius={radius!r} holds a radius twice.", "Each radius is one domain.")
    return listed
