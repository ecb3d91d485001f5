"""Scenes of moving agents: what was observed, what followed, and where; ragged, immutable and free of loops.

Axes: S scenes, A agents of all scenes together, T steps (the observed ones first), C extra channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import DataError
from whence.systems.motion.checks import checked_channels, finite, labels_of, positive
from whence.systems.motion.windows import cut_windows

Floats = NDArray[np.float64]
_FASTEST_WALK = 2.0  # metres a second; people walk at 1.2 to 1.5, and whole recordings never average more than this


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scenes:
    """Windows of tracks, each a scene of one or more agents seen for the same steps.

    Attributes
    ----------
    positions : ndarray of shape (A, T, 2)
        Places in metres (or another unit of length), agents of one scene in consecutive rows.
    starts : ndarray of shape (S + 1,)
        Scene ``s`` holds the agents ``starts[s]`` up to, not including, ``starts[s + 1]``.
    domains : ndarray of shape (S,)
        The place, recording or style each scene comes from: the environments of training.
    dt : float
        Seconds from one step to the next.
    observed : int
        How many steps are observed; the rest is the future.
    agents : ndarray of shape (A,)
        The agents' names in their recording.
    frames : ndarray of shape (S,)
        First frame of each scene.
    channels : ndarray of shape (A, observed, C)
        Further observations of each agent at each observed step, such as a tracker's confidence; C may be 0.
    warnings : tuple of str
        What a reader of the result should know of the recording.

    Examples
    --------
    >>> walk = np.cumsum(np.full((1, 2, 20, 2), 0.5), axis=2)
    >>> scenes = Scenes.from_tracks(walk, domains=["hall"])
    >>> scenes
    Scenes(1 scene, 2 agents, 8 observed + 12 future steps of 0.4 s, domains: hall)
    >>> scenes.past.shape, scenes.future.shape
    ((2, 8, 2), (2, 12, 2))
    """

    positions: Floats
    starts: NDArray[np.int64]
    domains: NDArray[Any]
    dt: float
    observed: int
    agents: NDArray[Any]
    frames: NDArray[np.int64]
    channels: Floats
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for array in (self.positions, self.starts, self.domains, self.agents, self.frames, self.channels):
            array.setflags(write=False)

    # ---- making ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_tracks(
        cls,
        tracks: NDArray[Any] | Sequence[Any],
        *,
        domains: Sequence[Any] | str | None = None,
        dt: float = 0.4,
        observed: int = 8,
        channels: ArrayLike | None = None,
    ) -> Scenes:
        """Make scenes of positions that are already cut into windows.

        Parameters
        ----------
        tracks : array of shape (scenes, agents, steps, 2), or a sequence of arrays of shape (agents, steps, 2)
            Positions; in the sequence the number of agents may differ.
        domains : sequence of labels, one per scene, or one label for all
            Where each scene comes from.
        dt : float
            Seconds between steps.
        observed : int
            Steps that are observed; more may follow, the future.
        channels : array of shape (A, observed, C), optional
            Further observations.

        Raises
        ------
        DataError
            E620 for a position that is not a finite number, E625 for shapes or labels that do not fit together.
        """
        parts = [np.asarray(part, dtype=np.float64) for part in tracks]
        if not parts:
            raise DataError("E622", "there is no scene: the sequence of tracks is empty.", "Give at least one scene.")
        wrong = [k for k, part in enumerate(parts) if part.ndim != 3 or part.shape[2] != 2 or not part.size]
        if wrong:
            raise DataError(
                "E625",
                f"scene {wrong[0]} has shape {parts[wrong[0]].shape}, not (agents, steps, 2).",
                "Give positions as arrays of shape (agents, steps, 2), one per scene.",
            )
        lengths = {part.shape[1] for part in parts}
        if len(lengths) > 1 or min(lengths) < observed or observed < 2:
            raise DataError(
                "E625",
                f"scenes have {' and '.join(map(str, sorted(lengths)))} steps, of which {observed} are to be observed.",
                "All scenes need the same number of steps, and at least 2 observed ones.",
            )
        counts = np.array([len(part) for part in parts])
        positions = np.concatenate(parts)
        extra = np.zeros((len(positions), observed, 0)) if channels is None else np.asarray(channels, dtype=np.float64)
        return cls(
            positions=finite(positions),
            starts=_starts(counts),
            domains=labels_of(domains, len(parts)),
            dt=positive(dt),
            observed=int(observed),
            agents=np.concatenate([np.arange(count) for count in counts]),
            frames=np.zeros(len(parts), dtype=np.int64),
            channels=checked_channels(extra, len(positions), observed),
        )

    @classmethod
    def from_dataframe(
        cls,
        table: Any,
        *,
        frame: str = "frame",
        agent: str = "agent",
        x: str = "x",
        y: str = "y",
        scene: str | None = None,
        domain: str | None = None,
        channels: Sequence[str] = (),
        dt: float = 0.4,
        observed: int = 8,
        future: int = 12,
        frame_step: float | None = None,
        stride: int = 1,
        min_agents: int = 2,
        each_agent_alone: bool = False,
    ) -> Scenes:
        """Cut a table of tracks, one row per agent and frame, into windows.

        A window holds the agents that are seen in each of its ``observed + future`` consecutive frames; windows start
        every ``stride`` frames. Rows may stand in any order.

        Parameters
        ----------
        table : DataFrame of pandas, polars or pyarrow
            Rows of tracks.
        frame, agent, x, y : str
            Columns.
        scene : str, optional
            Column of the recording: no window crosses two recordings, and agents of two are never the same.
        domain : str, optional
            Column of the place or style; the recording's name if there is none.
        channels : sequence of str
            Columns of further observations, kept for the observed steps.
        dt : float
            Seconds between consecutive frames of the table (of an agent).
        frame_step : float, optional
            Difference of frame numbers between consecutive rows of an agent; the median difference if not given.
        min_agents : int
            Windows with fewer fully visible agents are left out.
        each_agent_alone : bool
            Make a scene of every single track instead; windows then start at the track's own beginning.

        Raises
        ------
        DataError
            E123 for a column that is not there, E620 for missing positions, E621 for an agent that stands twice in one
            frame, E622 where no window is long enough, E623 for frames that are not evenly spaced, E626 where no
            window holds enough agents.

        Examples
        --------
        >>> import pandas as pd
        >>> rows = [(f, a, 0.4 * f + a, float(a)) for f in range(21) for a in range(2)]
        >>> Scenes.from_dataframe(pd.DataFrame(rows, columns=["frame", "agent", "x", "y"]))
        Scenes(2 scenes, 4 agents, 8 observed + 12 future steps of 0.4 s, domains: all)
        """
        from whence.systems.motion.columns import columns_of

        found = columns_of(table, frame=frame, agent=agent, x=x, y=y, scene=scene, domain=domain, channels=channels)
        return cls._from_columns(
            found.frame,
            found.agent,
            found.places,
            found.recording,
            found.domain,
            found.channels,
            dt=dt,
            observed=observed,
            future=future,
            frame_step=frame_step,
            stride=stride,
            min_agents=min_agents,
            each_agent_alone=each_agent_alone,
        )

    @classmethod
    def _from_columns(
        cls,
        frame: Floats,
        agent: NDArray[Any],
        places: Floats,
        recording: NDArray[Any],
        domain: NDArray[Any],
        channels: Floats,
        *,
        dt: float,
        observed: int = 8,
        future: int = 12,
        frame_step: float | None = None,
        stride: int = 1,
        min_agents: int = 2,
        each_agent_alone: bool = False,
        metres: bool = True,
    ) -> Scenes:
        """Cut columns into windows; every reader ends here."""
        if observed < 2 or future < 0 or stride < 1:
            raise DataError(
                "E625",
                f"observed={observed}, future={future}, stride={stride} make no windows.",
                "At least 2 steps must be observed, the future must not be negative and the stride be at least 1.",
            )
        cut = cut_windows(
            frame,
            agent,
            np.column_stack([places, channels]),
            recording,
            length=observed + future,
            frame_step=frame_step,
            stride=stride,
            min_agents=min_agents,
            each_agent_alone=each_agent_alone,
        )
        made = cls(
            positions=np.ascontiguousarray(cut.values[..., :2]),
            starts=cut.starts,
            domains=domain[cut.rows[cut.starts[:-1]]].astype(str),
            dt=positive(dt),
            observed=observed,
            agents=agent[cut.rows],
            frames=np.rint(frame[cut.rows[cut.starts[:-1]]]).astype(np.int64),
            channels=np.ascontiguousarray(cut.values[:, :observed, 2:]),
        )
        return made._with_speed_warning() if metres else made

    @classmethod
    def concatenate(cls, parts: Iterable[Scenes]) -> Scenes:
        """Join scenes of several recordings; they must agree in steps, time step and channels."""
        listed = list(parts)
        if not listed:
            raise DataError("E622", "there is no scene to join.", "Give at least one set of scenes.")
        shapes = {(one.positions.shape[1], one.observed, round(one.dt, 6), one.channels.shape[2]) for one in listed}
        if len(shapes) > 1:
            raise DataError(
                "E625",
                "scenes to be joined differ in their (steps, observed steps, dt, channels): "
                f"{', '.join(map(str, sorted(shapes)))}.",
                "Read them with the same settings.",
            )
        return cls(
            positions=np.concatenate([one.positions for one in listed]),
            starts=_starts(np.concatenate([one.counts for one in listed])),
            domains=np.concatenate([one.domains for one in listed]),
            dt=listed[0].dt,
            observed=listed[0].observed,
            agents=np.concatenate([one.agents for one in listed]),
            frames=np.concatenate([one.frames for one in listed]),
            channels=np.concatenate([one.channels for one in listed]),
            warnings=tuple(dict.fromkeys(text for one in listed for text in one.warnings)),
        )

    # ---- looking ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[Scenes]:
        return (self[k] for k in range(len(self)))

    @property
    def n_agents(self) -> int:
        """Agents of all scenes together."""
        return len(self.positions)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Agents of each scene, shape (S,)."""
        return np.diff(self.starts)

    @property
    def scene_of_agent(self) -> NDArray[np.int64]:
        """The scene each agent stands in, shape (A,)."""
        return np.repeat(np.arange(len(self)), self.counts)

    @property
    def steps_ahead(self) -> int:
        """How many future steps the scenes hold; 0 for scenes that are only observed."""
        return int(self.positions.shape[1]) - self.observed

    @property
    def past(self) -> Floats:
        """Observed positions, shape (A, observed, 2)."""
        return self.positions[:, : self.observed]

    @property
    def future(self) -> Floats:
        """Positions after the observed ones, shape (A, T - observed, 2)."""
        return self.positions[:, self.observed :]

    def __repr__(self) -> str:
        named = sorted(set(self.domains.tolist()))
        shown = ", ".join(map(str, named[:6])) + (f" and {len(named) - 6} more" if len(named) > 6 else "")
        count, agents = len(self), self.n_agents
        return (
            f"Scenes({count:,} scene{'' if count == 1 else 's'}, {agents:,} agent{'' if agents == 1 else 's'}, "
            f"{self.observed} observed + {self.steps_ahead} future steps of {self.dt:g} s, domains: {shown})"
        )

    def table(self, library: str = "pandas") -> Any:
        """Return one row per scene, agent and step as a DataFrame of ``library``."""
        from whence.results import make_frame

        agents, steps = self.positions.shape[:2]
        scene = np.repeat(self.scene_of_agent, steps)
        columns: dict[str, Any] = {
            "scene": scene,
            "domain": self.domains[scene],
            "agent": np.repeat(self.agents, steps),
            "step": np.tile(np.arange(steps), agents),
            "x": self.positions[..., 0].ravel(),
            "y": self.positions[..., 1].ravel(),
        }
        return make_frame(columns, library)

    # ---- choosing --------------------------------------------------------------------------------------------------

    def __getitem__(self, picked: int | slice | ArrayLike) -> Scenes:
        """Return some of the scenes: by number, slice, mask or array of numbers."""
        scene = np.atleast_1d(np.arange(len(self))[picked])  # type: ignore[index]
        counts = self.counts[scene]
        starts = _starts(counts)
        row = np.arange(starts[-1]) + np.repeat(self.starts[scene] - starts[:-1], counts)
        return replace(
            self,
            positions=self.positions[row],
            starts=starts,
            domains=self.domains[scene],
            agents=self.agents[row],
            frames=self.frames[scene],
            channels=self.channels[row],
        )

    def of(self, *domains: Any) -> Scenes:
        """Return the scenes of the domains named."""
        wanted = [str(one) for one in domains]
        missing = sorted(set(wanted) - set(self.domains.tolist()))
        if missing:
            raise DataError(
                "E628",
                f"there is no scene of domain {missing[0]!r}.",
                f"Domains: {', '.join(sorted(set(self.domains.tolist())))}.",
            )
        return self[np.isin(self.domains, wanted)]

    def only_past(self) -> Scenes:
        """Return the scenes without their future."""
        return replace(self, positions=self.past.copy())

    def each_agent(self) -> Scenes:
        """Return a scene for every agent alone, for forecasters that look at nobody else."""
        scene = self.scene_of_agent
        return replace(
            self, starts=np.arange(self.n_agents + 1), domains=self.domains[scene], frames=self.frames[scene]
        )

    def with_domains(self, domains: Sequence[Any] | str) -> Scenes:
        """Return the scenes under other labels, one per scene or one for all."""
        return replace(self, domains=labels_of(domains, len(self)))

    def with_channels(self, channels: ArrayLike) -> Scenes:
        """Return the scenes with further observations, shape (A, observed, C)."""
        extra = np.array(channels, dtype=np.float64)
        return replace(self, channels=checked_channels(extra, self.n_agents, self.observed))

    def with_positions(self, positions: ArrayLike) -> Scenes:
        """Return the scenes with other positions of the same shape but for the number of future steps."""
        places = np.array(positions, dtype=np.float64)
        if places.ndim != 3 or len(places) != self.n_agents or places.shape[1] < self.observed:
            raise DataError(
                "E625",
                f"positions of shape {places.shape} were given for {self.n_agents} agents with {self.observed} "
                "observed steps.",
                "Give an array of shape (agents, steps, 2).",
            )
        return replace(self, positions=finite(places))

    def _with_speed_warning(self) -> Scenes:
        """Note where the mean speed is none at which people walk: the usual sign of a wrong time step."""
        speed = float(np.linalg.norm(np.diff(self.past, axis=1), axis=2).mean()) / self.dt
        if speed <= _FASTEST_WALK:
            return self
        text = (
            f"agents move {speed:.2f} m/s on average, faster than people walk (about 1.4): is the time between rows "
            f"really {self.dt:g} s, and are positions in metres?"
        )
        return replace(self, warnings=(*self.warnings, text))


def _starts(counts: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
