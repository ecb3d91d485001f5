"""Searches for causal structure: one class per algorithm with ``fit(data) -> DiscoveryResult``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.discovery.boss import BOSS
    from whence.discovery.confidence import Confidence, EdgeConfidence
    from whence.discovery.direct_lingam import DirectLiNGAM
    from whence.discovery.ges import GES
    from whence.discovery.grasp import GRaSP
    from whence.discovery.pc import PC
    from whence.discovery.resampling import bootstrap
    from whence.discovery.result import DiscoveryResult, EdgeEvidence
    from whence.discovery.verb import discover

_HOME = {
    "BOSS": "boss",
    "DirectLiNGAM": "direct_lingam",
    "GES": "ges",
    "GRaSP": "grasp",
    "PC": "pc",
    "Confidence": "confidence",
    "DiscoveryResult": "result",
    "EdgeConfidence": "confidence",
    "EdgeEvidence": "result",
    "bootstrap": "resampling",
    "discover": "verb",
}

__all__ = [
    "BOSS",
    "GES",
    "PC",
    "Confidence",
    "DirectLiNGAM",
    "DiscoveryResult",
    "EdgeConfidence",
    "EdgeEvidence",
    "GRaSP",
    "bootstrap",
    "discover",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'whence.discovery' has no attribute {name!r}")
    value = getattr(import_module(f"whence.discovery.{_HOME[name]}"), name)
    globals()[name] = value
    return value
