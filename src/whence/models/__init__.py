"""Structural causal models, and the one description of an intervention that every model in the library answers to."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.models.intervention import (
        Change,
        ClampTo,
        Intervention,
        SetTo,
        ShiftBy,
        TransformBy,
        clamp_to,
        intervene,
        set_to,
        shift_by,
        transform_by,
    )
    from whence.models.linear import LinearSCM

_HOME = {
    "Change": "intervention",
    "ClampTo": "intervention",
    "Intervention": "intervention",
    "LinearSCM": "linear",
    "SetTo": "intervention",
    "ShiftBy": "intervention",
    "TransformBy": "intervention",
    "clamp_to": "intervention",
    "intervene": "intervention",
    "set_to": "intervention",
    "shift_by": "intervention",
    "transform_by": "intervention",
}

__all__ = [
    "Change",
    "ClampTo",
    "Intervention",
    "LinearSCM",
    "SetTo",
    "ShiftBy",
    "TransformBy",
    "clamp_to",
    "intervene",
    "set_to",
    "shift_by",
    "transform_by",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'whence.models' has no attribute {name!r}")
    value = getattr(import_module(f"whence.models.{_HOME[name]}"), name)
    globals()[name] = value
    return value
