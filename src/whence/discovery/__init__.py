"""Searches for causal structure: one class per algorithm with ``fit(data) -> DiscoveryResult``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.discovery.boss import BOSS
    from whence.discovery.confidence import Confidence, EdgeConfidence
    from whence.discovery.definetti import CausalDeFinetti, ExchangeableTest
    from whence.discovery.direct_lingam import DirectLiNGAM
    from whence.discovery.dropout_check import dropout_model_check
    from whence.discovery.dropouts import DropoutSearch
    from whence.discovery.fci import FCI, RFCI
    from whence.discovery.ges import GES
    from whence.discovery.grasp import GRaSP
    from whence.discovery.pc import PC
    from whence.discovery.resampling import bootstrap
    from whence.discovery.result import DiscoveryResult, EdgeEvidence
    from whence.discovery.verb import discover

_HOME = {
    "BOSS": "boss",
    "CausalDeFinetti": "definetti",
    "DirectLiNGAM": "direct_lingam",
    "DropoutSearch": "dropouts",
    "FCI": "fci",
    "GES": "ges",
    "GRaSP": "grasp",
    "PC": "pc",
    "RFCI": "fci",
    "Confidence": "confidence",
    "DiscoveryResult": "result",
    "EdgeConfidence": "confidence",
    "EdgeEvidence": "result",
    "ExchangeableTest": "definetti",
    "bootstrap": "resampling",
    "discover": "verb",
    "dropout_model_check": "dropout_check",
}

__all__ = [
    "BOSS",
    "FCI",
    "GES",
    "PC",
    "RFCI",
    "CausalDeFinetti",
    "Confidence",
    "DirectLiNGAM",
    "DiscoveryResult",
    "DropoutSearch",
    "EdgeConfidence",
    "EdgeEvidence",
    "ExchangeableTest",
    "GRaSP",
    "bootstrap",
    "discover",
    "dropout_model_check",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'whence.discovery' has no attribute {name!r}")
    value = getattr(import_module(f"whence.discovery.{_HOME[name]}"), name)
    globals()[name] = value
    return value
