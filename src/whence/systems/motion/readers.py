"""Readers of the formats in which tracks of people are published.

The recordings themselves are not part of the library: give the files you have. Every reader ends in `Scenes`, cut as
the benchmarks do it: 8 observed and 12 future steps of 0.4 s, windows at every frame, agents visible throughout.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError, ParameterError
from whence.systems.motion.resample import resample_tracks
from whence.systems.motion.scenes import Scenes

Floats = NDArray[np.float64]
Format = Literal["auto", "table", "eth-ucy", "trajnet", "sdd"]
Bands = Sequence[tuple[float, float]]

# The bands of mean speed, in pixels a frame, that the paper takes as domains of SDD; the last one is for adaptation.
SDD_BANDS: tuple[tuple[float, float], ...] = ((0.25, 0.75), (1.25, 1.75), (2.25, 2.75), (3.25, 3.75))
_ETH_STRETCH = 10 / 6  # the file counts 10 video frames where 6 were annotated


def read_scenes(path: str | Path, format: Format = "auto", **settings: Any) -> Scenes:
    """Read a file of tracks and cut it into scenes.

    Parameters
    ----------
    path : path
        ``.csv`` and ``.parquet`` are tables with the columns frame, agent, x, y (others by `Scenes.from_dataframe`'s
        settings); ``.txt`` is ETH-UCY, ``.ndjson`` TrajNet++, ``annotations.txt`` SDD.
    format : {"auto", "table", "eth-ucy", "trajnet", "sdd"}
        By the file's name if "auto".
    **settings
        Of the reader.

    Raises
    ------
    DataError
        E106 if there is no such file, E624 if it does not follow its format, and what `Scenes.from_dataframe` raises.
    ParameterError
        E301 for a format that does not exist.
    """
    source = _existing(path)
    readers = {"table": _read_table, "eth-ucy": read_eth_ucy, "trajnet": read_trajnet, "sdd": read_sdd}
    chosen = _format_of(source) if format == "auto" else format
    if chosen not in readers:
        raise ParameterError("E301", f"there is no format of tracks named {format!r}.", f"Known: {', '.join(readers)}.")
    return readers[chosen](source, **settings)


def read_eth_ucy(
    path: str | Path | Sequence[str | Path],
    *,
    domain: str | None = None,
    eth_time_fix: bool = False,
    dt: float = 0.4,
    **settings: Any,
) -> Scenes:
    """Read ETH-UCY text files: rows of frame, agent, x, y, parted by blanks or tabs.

    Parameters
    ----------
    path : path or sequence of paths
        One file is one recording; several are joined.
    domain : str, optional
        The place; the file's name if not given.
    eth_time_fix : bool
        The file ``biwi_eth`` carries a wrong time step: its rows are 10 video frames apart where 6 were annotated, so
        that people seem to walk 2.3 m/s. True resamples it to the time step it claims; False leaves it as every
        published figure has it, with a warning.
    dt : float
        Seconds between rows.
    **settings
        ``observed``, ``future``, ``stride``, ``min_agents`` and others of `Scenes.from_dataframe`.

    Warns
    -----
    UserWarning
        For ``biwi_eth`` without the fix.
    """
    if not isinstance(path, (str, Path)):
        parts = [read_eth_ucy(one, domain=domain, eth_time_fix=eth_time_fix, dt=dt, **settings) for one in path]
        return Scenes.concatenate(parts)
    source = _existing(path)
    rows = _numbers(source, 4)
    frame, agent, places = rows[:, 0], _whole(rows[:, 1]), rows[:, 2:4]
    eth = "biwi_eth" in source.stem
    if eth and eth_time_fix:
        frame, agent, places = resample_tracks(frame, agent, places, dt=dt * _ETH_STRETCH, new_dt=dt)
    scenes = _cut(frame, agent, places, domain or source.stem, dt=dt, **settings)
    if not eth or eth_time_fix:
        return scenes
    text = (
        f"{source.name} has a wrong time step: its rows lie 10 video frames apart where 6 were annotated, so that "
        "time is stretched by 5/3 and people seem to walk 2.3 m/s. Read it with eth_time_fix=True unless you compare "
        "with published figures, all of which contain the fault."
    )
    warnings.warn(text, UserWarning, stacklevel=2)
    return replace(scenes, warnings=(text,))


def read_trajnet(path: str | Path, *, domain: str | None = None, dt: float = 0.4, **settings: Any) -> Scenes:
    """Read a TrajNet++ file: one JSON object a line, ``{"track": {"f": frame, "p": agent, "x": ..., "y": ...}}``.

    Lines ``{"scene": ...}`` are passed over: windows are cut anew, so that every agent counts and not only the primary
    one. Rows that carry a ``prediction_number`` are a forecaster's and left out.

    Parameters
    ----------
    path, domain, dt, **settings
        As in `read_eth_ucy`.
    """
    source = _existing(path)
    rows: list[tuple[float, float, float, float]] = []
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            track = json.loads(line).get("track")
            if track is not None and track.get("prediction_number") is None:
                rows.append((float(track["f"]), float(track["p"]), float(track["x"]), float(track["y"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _bad_format(source, number, "a TrajNet++ object with f, p, x and y", line) from error
    if not rows:
        raise DataError("E624", f"{source.name} holds no line with a track.", "Is it a TrajNet++ file?")
    array = np.array(rows)
    return _cut(array[:, 0], _whole(array[:, 1]), array[:, 2:], domain or source.stem, dt=dt, **settings)


def read_sdd(
    path: str | Path,
    *,
    every: int = 12,
    scale: float | None = None,
    bands: Bands | None = SDD_BANDS,
    observed: int = 8,
    future: int = 12,
    **settings: Any,
) -> Scenes:
    """Read the annotations of a Stanford Drone video, each track alone, in domains by mean speed.

    Rows are ``track xmin ymin xmax ymax frame lost occluded generated label``; the box's centre is the position. Lost
    boxes are dropped, tracks split where frames are missing, and windows do not overlap.

    Parameters
    ----------
    path : path
        ``annotations.txt``.
    every : int
        Keep every so many frames of the 30 a second; 12 gives 2.5 a second.
    scale : float, optional
        Metres per pixel; positions stay in pixels without it.
    bands : sequence of (low, high), optional
        Domains by mean speed in pixels per video frame; windows in none of them are left out. None keeps all in one
        domain.
    observed, future, **settings
        As in `Scenes.from_dataframe`.
    """
    source = _existing(path)
    try:
        rows = np.loadtxt(source, usecols=(0, 1, 2, 3, 4, 5, 6), ndmin=2)
    except ValueError as error:
        raise DataError("E624", f"{source.name} does not follow the format of SDD: {error}.", _SDD_REMEDY) from error
    if not len(rows):
        raise DataError("E624", f"{source.name} is empty.", _SDD_REMEDY)
    rows = rows[(rows[:, 6] == 0) & (rows[:, 5] % every == 0)]
    centre = np.column_stack([rows[:, 1] + rows[:, 3], rows[:, 2] + rows[:, 4]]) / 2
    own: dict[str, Any] = {"stride": observed + future, "min_agents": 1, "each_agent_alone": True, "frame_step": every}
    own |= {"observed": observed, "future": future, "metres": False} | settings
    scenes = _cut(rows[:, 5], _whole(rows[:, 0]), centre, source.parent.name or source.stem, dt=every / 30, **own)
    steps = np.linalg.norm(np.diff(scenes.positions, axis=1), axis=2).mean(axis=1)
    speed = np.add.reduceat(steps, scenes.starts[:-1]) / scenes.counts / every
    if scale is not None:
        scenes = scenes.with_positions(scenes.positions * scale)
    if bands is None:
        return scenes
    names = np.array([f"{low:g}-{high:g} px/frame" for low, high in bands])
    inside = np.array([(speed >= low) & (speed <= high) for low, high in bands])  # (bands, scenes)
    kept = inside.any(axis=0)
    if not kept.any():
        raise DataError(
            "E622",
            f"no window of {source.name} has a mean speed within the bands {', '.join(names)}; "
            f"speeds reach from {speed.min():.2f} to {speed.max():.2f} pixels a frame.",
            "Give other bands=, or None for all windows.",
        )
    return scenes.with_domains(names[inside.argmax(axis=0)].tolist())[kept]


_SDD_REMEDY = "Rows are: track xmin ymin xmax ymax frame lost occluded generated label."


def _cut(frame: Floats, agent: NDArray[Any], places: Floats, domain: str, *, dt: float, **settings: Any) -> Scenes:
    labels = np.full(len(frame), domain)
    return Scenes._from_columns(
        frame, agent, places, np.zeros(len(frame)), labels, np.zeros((len(frame), 0)), dt=dt, **settings
    )


def _read_table(path: Path, **settings: Any) -> Scenes:
    import pyarrow.csv
    import pyarrow.parquet

    read = pyarrow.parquet.read_table if path.suffix == ".parquet" else pyarrow.csv.read_csv
    try:
        table = read(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        problem = f"{path.name} is no table: {str(error).splitlines()[0]}."
        raise DataError("E624", problem, "Give a CSV or Parquet file.") from error
    return Scenes.from_dataframe(table, **settings)


def _format_of(path: Path) -> str:
    if path.suffix in (".csv", ".parquet"):
        return "table"
    if path.suffix == ".ndjson":
        return "trajnet"
    return "sdd" if path.name == "annotations.txt" else "eth-ucy"


def _existing(path: str | Path) -> Path:
    source = Path(path)
    if not source.is_file():
        raise DataError("E106", f"there is no file {str(path)!r}.", "Check the path.")
    return source


def _numbers(path: Path, columns: int) -> Floats:
    try:
        rows = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise DataError("E624", f"{path.name} does not follow the format of ETH-UCY: {error}.", _ETH_REMEDY) from error
    if not len(rows):
        raise DataError("E624", f"{path.name} is empty.", _ETH_REMEDY)
    if rows.shape[1] != columns:
        raise DataError("E624", f"{path.name} has {rows.shape[1]} columns instead of {columns}.", _ETH_REMEDY)
    return rows


_ETH_REMEDY = "Rows are: frame agent x y, parted by blanks or tabs, without a heading."


def _whole(values: Floats) -> NDArray[Any]:
    return np.rint(values).astype(np.int64)


def _bad_format(path: Path, number: int, wanted: str, line: str) -> DataError:
    shown = line if len(line) <= 80 else line[:77] + "..."
    return DataError("E624", f"line {number} of {path.name} is not {wanted}: {shown}", "Correct or remove the line.")
