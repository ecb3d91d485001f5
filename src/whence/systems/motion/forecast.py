"""Forecasts as results: places in the world, what each rests on, and how familiar each scene looked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.systems.motion.scenes import Scenes

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Forecast:
    """Where the agents of some scenes are expected to go.

    Attributes
    ----------
    positions : ndarray of shape (K, A, F, 2)
        K samples of the places of all agents at the F future steps; K is 1 for a network that forecasts one path.
    scenes : Scenes
        What was forecast.
    code : ndarray of shape (c,) or None
        The style it was made under.
    similarity : ndarray of shape (S,) or None
        How much each scene, observed part and forecast together, moves in the style of the reference, from -1 to 1;
        None where no reference scenes were given.
    threshold : float or None
        A tenth of real reference scenes lie below it: less similar scenes deserve a second look.
    refined : ndarray of bool, shape (S,)
        Which scenes were refined at test time.
    """

    positions: Floats
    scenes: Scenes
    code: Floats | None = None
    similarity: Floats | None = None
    threshold: float | None = None
    refined: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        self.positions.setflags(write=False)

    @property
    def path(self) -> Floats:
        """The mean over samples, shape (A, F, 2); the forecast itself if there is one sample."""
        mean: Floats = self.positions.mean(axis=0)
        return self.positions[0] if len(self.positions) == 1 else mean

    @property
    def unusual(self) -> NDArray[np.bool_]:
        """Scenes less similar to the reference than nine tenths of its own scenes, shape (S,): an alarm."""
        if self.similarity is None or self.threshold is None:
            return np.zeros(len(self.scenes), dtype=bool)
        return self.similarity < self.threshold

    def __repr__(self) -> str:
        samples, agents, steps = self.positions.shape[:3]
        words = f"{agents:,} agent{'' if agents == 1 else 's'} in {len(self.scenes):,} scenes, {steps} steps"
        words += f", {samples} samples" if samples > 1 else ""
        words += f", {int(self.unusual.sum())} unusual" if self.similarity is not None else ""
        return f"Forecast({words})"

    def table(self, library: str = "pandas") -> Any:
        """Return one row per sample, agent and step as a DataFrame of ``library``; time in seconds from now."""
        from whence.results import make_frame

        samples, agents, steps = self.positions.shape[:3]
        scene = np.tile(np.repeat(self.scenes.scene_of_agent, steps), samples)
        columns: dict[str, Any] = {
            "scene": scene,
            "domain": self.scenes.domains[scene],
            "agent": np.tile(np.repeat(self.scenes.agents, steps), samples),
            "sample": np.repeat(np.arange(samples), agents * steps),
            "time": np.tile((np.arange(steps) + 1) * self.scenes.dt, samples * agents),
            "x": self.positions[..., 0].ravel(),
            "y": self.positions[..., 1].ravel(),
        }
        return make_frame(columns, library)

    def plot(self, scene: int = 0, *, other: Forecast | None = None) -> Any:
        """Draw one scene: observed, forecast, what happened if known, and another forecast beside it.

        Returns
        -------
        Drawing
            Shown by a notebook; ``.save("scene.svg")`` writes it.
        """
        from whence.systems.motion.drawing import draw_scene

        paths = {"forecast": self} if other is None else {"forecast": self, "what if": other}
        return draw_scene(self.scenes[scene], {name: one.of(scene) for name, one in paths.items()})

    def of(self, scene: int) -> Floats:
        """Return the samples of one scene, shape (K, agents of the scene, F, 2)."""
        starts = self.scenes.starts
        return self.positions[:, starts[scene] : starts[scene + 1]]
