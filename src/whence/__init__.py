"""Causal questions answered from a table, a graph or a model.

The verbs live at the top (`read`, `profile`, `discover`, `identify`, `estimate`, `refute`, `analyze`) and are imported
on first use, so that `import whence` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.autopilot import Study, analyze
    from whence.data import Dataset, examples, profile, read, simulate
    from whence.discovery import DiscoveryResult, discover
    from whence.effects import Effect, Identification, estimate, identify, refute
    from whence.errors import (
        DataError,
        GraphError,
        MissingExtra,
        NotConverged,
        NotIdentified,
        ParameterError,
        WhenceError,
    )
    from whence.graph import Graph, Knowledge
    from whence.models import Intervention, LinearSCM, clamp_to, intervene, set_to, shift_by, transform_by
    from whence.registry import methods

__version__ = "0.1.0"

_HOME = {
    "Dataset": "data",
    "examples": "data",
    "profile": "data",
    "read": "data",
    "simulate": "data",
    "Graph": "graph",
    "Knowledge": "graph",
    "DiscoveryResult": "discovery",
    "discover": "discovery",
    "Effect": "effects",
    "Identification": "effects",
    "estimate": "effects",
    "identify": "effects",
    "refute": "effects",
    "Study": "autopilot",
    "analyze": "autopilot",
    "Intervention": "models",
    "LinearSCM": "models",
    "clamp_to": "models",
    "intervene": "models",
    "set_to": "models",
    "shift_by": "models",
    "transform_by": "models",
    "methods": "registry",
    "DataError": "errors",
    "GraphError": "errors",
    "MissingExtra": "errors",
    "NotConverged": "errors",
    "NotIdentified": "errors",
    "ParameterError": "errors",
    "WhenceError": "errors",
}

__all__ = [
    "DataError",
    "Dataset",
    "DiscoveryResult",
    "Effect",
    "Graph",
    "GraphError",
    "Identification",
    "Intervention",
    "Knowledge",
    "LinearSCM",
    "MissingExtra",
    "NotConverged",
    "NotIdentified",
    "ParameterError",
    "Study",
    "WhenceError",
    "analyze",
    "clamp_to",
    "discover",
    "estimate",
    "examples",
    "identify",
    "intervene",
    "methods",
    "profile",
    "read",
    "refute",
    "set_to",
    "shift_by",
    "simulate",
    "transform_by",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its room on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'whence' has no attribute {name!r}")
    value = getattr(import_module(f"whence.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
