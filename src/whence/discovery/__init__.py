"""Searches for causal structure: one class per algorithm with ``fit(data) -> DiscoveryResult``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.discovery.confidence import Confidence, EdgeConfidence
    from whence.discovery.pc import PC
    from whence.discovery.result import DiscoveryResult, EdgeEvidence

_HOME = {
    "PC": "pc",
    "Confidence": "confidence",
    "DiscoveryResult": "result",
    "EdgeConfidence": "confidence",
    "EdgeEvidence": "result",
}

__all__ = ["PC", "Confidence", "DiscoveryResult", "EdgeConfidence", "EdgeEvidence"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'whence.discovery' has no attribute {name!r}")
    value = getattr(import_module(f"whence.discovery.{_HOME[name]}"), name)
    globals()[name] = value
    return value
