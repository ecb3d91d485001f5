"""Searches for causal structure: one class per algorithm with ``fit(data) -> DiscoveryResult``."""

from __future__ import annotations

from whence.discovery.confidence import Confidence, EdgeConfidence
from whence.discovery.result import DiscoveryResult, EdgeEvidence

__all__ = ["Confidence", "DiscoveryResult", "EdgeConfidence", "EdgeEvidence"]
