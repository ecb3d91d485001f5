"""A training run on disk: written whole, read without running code, refused where it belongs to another run."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from whence.errors import DataError, ParameterError
from whence.results import write_atomically

FORMAT = 1


def write(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write tensors, numbers, text and nested lists, tuples and mappings of these."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **content}, buffer)
    write_atomically(path, buffer.getvalue())


def read(path: str | Path) -> dict[str, Any] | None:
    """Return what `write` wrote, on the processor, or None if there is no file yet.

    Raises
    ------
    DataError
        If the file is no checkpoint of this version.
    """
    place = Path(path)
    if not place.exists():
        return None
    try:
        content = torch.load(place, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise unreadable(place, str(error).partition("\n")[0]) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise unreadable(place, "it is of another format")
    return content


def check_settings(path: str | Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ParameterError if a run's settings are not those its checkpoint was made with."""
    changed = [
        f"{name}={before.get(name)!r}, now {value!r}" for name, value in now.items() if before.get(name) != value
    ]
    if changed:
        raise ParameterError(
            "E604",
            f"the checkpoint {str(path)!r} belongs to a run with {'; '.join(changed)}.",
            "Give another path, delete the file to start afresh, or go on with the settings it was made with.",
        )


def unreadable(path: str | Path, reason: str) -> DataError:
    """Return the error for a checkpoint that this run cannot go on from."""
    return DataError(
        "E604", f"the checkpoint {str(path)!r} cannot be read: {reason}.", "Delete it to start afresh, or give another."
    )
