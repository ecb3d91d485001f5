"""Tables: reading, kinds and roles, moments and counts, profile, simulators, bundled data. Imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.data import examples, simulate
    from whence.data.dataset import Dataset
    from whence.data.kinds import Column, Kind
    from whence.data.profiling import Profile, profile
    from whence.data.reading import as_dataset, read
    from whence.data.statistics import Codes, Counts, Moments

_HOME = {
    "Codes": "statistics",
    "Column": "kinds",
    "Counts": "statistics",
    "Dataset": "dataset",
    "Kind": "kinds",
    "Moments": "statistics",
    "Profile": "profiling",
    "as_dataset": "reading",
    "profile": "profiling",
    "read": "reading",
}
_MODULES = ("examples", "simulate")

__all__ = [
    "Codes",
    "Column",
    "Counts",
    "Dataset",
    "Kind",
    "Moments",
    "Profile",
    "as_dataset",
    "examples",
    "profile",
    "read",
    "simulate",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name in _MODULES:
        return import_module(f"whence.data.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'whence.data' has no attribute {name!r}")
    value = getattr(import_module(f"whence.data.{_HOME[name]}"), name)
    globals()[name] = value
    return value
