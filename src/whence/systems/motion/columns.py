"""The columns of a table of tracks as arrays, whatever library the table is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError, suggest


@dataclass(frozen=True, slots=True)
class TrackColumns:
    """Frames (R,), agents (R,), places (R, 2), recordings (R,), domains (R,) and channels (R, C)."""

    frame: NDArray[np.float64]
    agent: NDArray[Any]
    places: NDArray[np.float64]
    recording: NDArray[Any]
    domain: NDArray[Any]
    channels: NDArray[np.float64]


def columns_of(
    table: Any,
    *,
    frame: str,
    agent: str,
    x: str,
    y: str,
    scene: str | None,
    domain: str | None,
    channels: Sequence[str],
) -> TrackColumns:
    """Return the columns named.

    Raises
    ------
    DataError
        E105 for what is no table, E123 for a column that is not there, E103 for one that does not hold numbers.
    """
    try:
        rows = nw.from_native(table, eager_only=True)
    except TypeError as error:
        raise DataError(
            "E105",
            f"tracks were given as {type(table).__name__}, which is no table.",
            "Give a DataFrame of pandas, polars or pyarrow, or use Scenes.from_tracks for arrays.",
        ) from error
    wanted = [frame, agent, x, y, *channels, *(name for name in (scene, domain) if name)]
    for name in wanted:
        if name not in rows.columns:
            raise DataError("E123", f"the table of tracks has no column {name!r}.", suggest(name, rows.columns))
    recording = _texts(rows, scene) if scene else np.full(len(rows), "all")
    return TrackColumns(
        frame=_numbers(rows, frame),
        agent=_labels(rows, agent),
        places=np.column_stack([_numbers(rows, x), _numbers(rows, y)]),
        recording=recording,
        domain=_texts(rows, domain) if domain else recording,
        channels=np.column_stack([_numbers(rows, name) for name in channels]) if channels else np.zeros((len(rows), 0)),
    )


def _labels(rows: Any, name: str) -> NDArray[Any]:
    values = rows[name]
    if bool(values.is_null().any()):
        raise DataError(
            "E620", f"column {name!r} holds rows without an agent.", "Drop these rows, or give every track a name."
        )
    listed = values.to_numpy()
    return listed if listed.dtype.kind in "iuf" else np.array([str(value) for value in listed])


def _numbers(rows: Any, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(rows[name].cast(nw.Float64).to_numpy(), dtype=np.float64)
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        raise _no_number(name, error) from error
    except Exception as error:
        if "invalid" in type(error).__name__.lower() or "compute" in type(error).__name__.lower():  # polars, pyarrow
            raise _no_number(name, error) from error
        raise


def _no_number(name: str, error: Exception) -> DataError:
    first = str(error).splitlines()[0][:120]
    return DataError("E103", f"column {name!r} does not hold numbers: {first}.", "Convert it, or name another column.")


def _texts(rows: Any, name: str) -> NDArray[Any]:
    return np.array([str(value) for value in rows[name].to_list()])
