"""What every result shares: a check's outcome, conversion to JSON, tables in the user's own library."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from whence.errors import DataError

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of a diagnostic, a refutation or a model check.

    Attributes
    ----------
    name : str
        Stable identifier such as ``"placebo-treatment"``.
    title : str
        For people: "Placebo treatment".
    passed : bool or None
        None where the check informs and does not judge.
    sentence : str
        One plain sentence with the numbers it rests on.
    statistic, p_value : float or None
        Where the check is a test.
    table : mapping of str to sequence
        Column-oriented details.
    """

    name: str
    title: str
    passed: bool | None
    sentence: str
    statistic: float | None = None
    p_value: float | None = None
    table: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain JSON values."""
        return to_jsonable(self)  # type: ignore[no-any-return]


def to_jsonable(value: Any) -> Any:
    """Turn results into plain JSON values; NaN and infinities become None, arrays become lists.

    >>> to_jsonable({"a": np.float64(1.5), "b": float("nan"), "c": (1, 2)})
    {'a': 1.5, 'b': None, 'c': [1, 2]}
    """
    if hasattr(value, "to_dict") and not isinstance(value, CheckResult):
        return to_jsonable(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_jsonable(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return to_jsonable(value.value)
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_jsonable(value.tolist())
    if isinstance(value, (set, frozenset)):
        return [to_jsonable(item) for item in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return [to_jsonable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def make_frame(columns: Mapping[str, Sequence[Any]], library: str = "pyarrow") -> Any:
    """Return column-oriented data as a table of the user's library (``pandas``, ``polars`` or ``pyarrow``)."""
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame(dict(columns))
    if library == "polars":
        import polars as pl

        return pl.DataFrame(dict(columns), strict=False)
    import pyarrow as pa

    return pa.table({name: list(values) for name, values in columns.items()})


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """Write a file whole or not at all: into a temporary neighbour, flushed, then renamed over the target.

    Raises
    ------
    DataError
        If the folder cannot be written or the disk is full; nothing half-written is left behind.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise _unwritable(target, error) from error
    return target


def write_json(path: str | Path, value: Any) -> Path:
    """Write a result as indented JSON, atomically."""
    return write_atomically(path, json.dumps(to_jsonable(value), indent=2, ensure_ascii=False) + "\n")


def _unwritable(target: Path, error: OSError) -> DataError:
    return DataError(
        "E110",
        f"cannot write {str(target)!r}: {error.strerror or error}.",
        "Nothing was written. Free some space or choose another path.",
    )
