"""A study in one file: a zip of JSON, arrays and the table. No pickles: opening a file never runs code from it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whence.data import Dataset
from whence.data.memory import MemoryTable
from whence.errors import DataError
from whence.graph import Graph
from whence.results import write_atomically

if TYPE_CHECKING:
    from whence.autopilot.study import Study

FORMAT = 1


def save_study(study: Study, path: str | Path) -> Path:
    """Write the study to ``path``, whole or not at all.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    if not study.data.in_memory:
        raise DataError(
            "E337",
            f"the rows of {study.data.source} are not in memory, and a saved study holds them.",
            "Read the table with lazy=False, or keep study.to_dict() and the report.",
        )
    arrays: dict[str, np.ndarray] = {}
    document = {"format": FORMAT, "digest": study.digest, "study": _encode(study, arrays)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study.json", json.dumps(document, ensure_ascii=False))
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
        archive.writestr("arrays.npz", packed.getvalue())
        archive.writestr("data.parquet", study.data.to_parquet_bytes())
    return write_atomically(path, buffer.getvalue())


def load_study(path: str | Path) -> Study:
    """Read a study written by `save_study` and check its digest.

    Raises
    ------
    DataError
        If the file is not a saved study, is damaged, or was written in a format this version does not read.
    """
    source = Path(path)
    try:
        with zipfile.ZipFile(source) as archive:
            document = json.loads(archive.read("study.json"))
            arrays = dict(np.load(io.BytesIO(archive.read("arrays.npz")), allow_pickle=False))
            table = archive.read("data.parquet")
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(
            "E337", f"{str(source)!r} is not a saved study ({error}).", "Give a file that Study.save has written."
        ) from error
    if document.get("format") != FORMAT:
        raise DataError(
            "E337",
            f"{str(source)!r} is written in format {document.get('format')}; this version reads {FORMAT}.",
            "Open it with the version of whence that wrote it.",
        )
    study: Study = _decode(document["study"], arrays, table)
    if study.digest != document["digest"]:
        raise DataError("E337", f"{str(source)!r} was changed after it was saved.", "Use an unchanged copy.")
    return study


def _encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Turn a value into JSON; what JSON lacks becomes an object tagged ``$tuple``, ``$array``, ``$type`` and so on."""
    if isinstance(value, Enum):  # before text: the kinds of columns are both
        return {"$enum": _path(type(value)), "value": value.value}
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if isinstance(value, Dataset):
        return {"$data": _dataset_state(value, arrays)}
    if isinstance(value, Graph):
        return {"$graph": value.to_dict()}
    if isinstance(value, np.ndarray):
        key = f"a{len(arrays)}"
        arrays[key] = value
        return {"$array": key}
    if isinstance(value, np.generic):
        return _encode(value.item(), arrays)
    if isinstance(value, (tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        tag = {tuple: "$tuple", set: "$set", frozenset: "$frozenset"}.get(type(value), "$tuple")
        return {tag: [_encode(item, arrays) for item in items]}
    if isinstance(value, list):
        return [_encode(item, arrays) for item in value]
    if isinstance(value, dict) or hasattr(value, "items"):
        return {"$dict": [[_encode(key, arrays), _encode(item, arrays)] for key, item in value.items()]}
    if is_dataclass(value):
        return {"$type": _path(type(value)), "state": {k: _encode(v, arrays) for k, v in _state(value).items()}}
    raise TypeError(f"a study cannot hold a {type(value).__name__}")


def _decode(value: Any, arrays: dict[str, np.ndarray], table: bytes) -> Any:
    def inner(item: Any) -> Any:
        return _decode(item, arrays, table)

    if isinstance(value, list):
        return [inner(item) for item in value]
    if not isinstance(value, dict):
        return value
    sequences: dict[str, Callable[[Any], Any]] = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}
    for tag, build in sequences.items():
        if tag in value:
            return build(inner(item) for item in value[tag])
    if "$dict" in value:
        return {inner(key): inner(item) for key, item in value["$dict"]}
    if "$array" in value:
        return arrays[value["$array"]]
    if "$graph" in value:
        return Graph.from_dict(value["$graph"])
    if "$data" in value:
        state = {key: inner(item) for key, item in value["$data"].items()}
        return Dataset(MemoryTable(_rows_of(table)), state.pop("columns"), **state)
    if "$enum" in value:
        return _class(value["$enum"])(value["value"])
    cls = _class(value["$type"])
    return cls(**{name: inner(item) for name, item in value["state"].items()})


def _state(value: Any) -> dict[str, Any]:
    """Return a record's fields as it wants them stored: `__getstate__` may leave out what follows from the rest."""
    names = [item.name for item in fields(value)]
    state = value.__getstate__()
    listed = dict(zip(names, state)) if isinstance(state, list) else state
    return {name: listed[name] for name in names}


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _class(path: str) -> Any:
    """Return a dataclass or enumeration of whence by its path; nothing else can be named in a file."""
    module, _, name = path.partition(":")
    if module.split(".")[0] != "whence" or "." in name:
        raise DataError(
            "E337", f"the saved study names {path!r}, which is not part of whence.", "Do not trust this file."
        )
    found = getattr(import_module(module), name)
    if not (is_dataclass(found) or (isinstance(found, type) and issubclass(found, Enum))):
        raise DataError("E337", f"the saved study names {path!r}, which is no record.", "Do not trust this file.")
    return found


def _rows_of(table: bytes) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(io.BytesIO(table))


def _dataset_state(data: Dataset, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    state = {
        "source": data.source,
        "library": data.library,
        "roles": dict(data.roles),
        "notes": data.notes,
        "columns": tuple(data.columns.values()),
    }
    return {key: _encode(value, arrays) for key, value in state.items()}
