"""Searches for causal structure: one class per algorithm with ``fit(data) -> DiscoveryResult``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.discovery.blankets import IAMB, Blanket, markov_blanket
    from whence.discovery.boss import BOSS
    from whence.discovery.cd_nod import CDNOD, ChangeEvidence, ChangingResult
    from whence.discovery.confidence import Confidence, EdgeConfidence
    from whence.discovery.dagma import DAGMA, NonlinearDAGMA
    from whence.discovery.definetti import CausalDeFinetti, ExchangeableTest
    from whence.discovery.direct_lingam import DirectLiNGAM
    from whence.discovery.driving_force import DrivingForce, estimate_driving_force
    from whence.discovery.dropout_check import dropout_model_check
    from whence.discovery.dropouts import DropoutSearch
    from whence.discovery.exact import ExactSearch
    from whence.discovery.fci import FCI, RFCI
    from whence.discovery.ges import GES
    from whence.discovery.gfci import GFCI
    from whence.discovery.golem import GOLEM
    from whence.discovery.grasp import GRaSP
    from whence.discovery.ica_lingam import ICALiNGAM
    from whence.discovery.independent_change import ChangeDirection, independent_change_direction
    from whence.discovery.lim import LiM
    from whence.discovery.notears import NOTEARS, NonlinearNOTEARS
    from whence.discovery.pairs import IGCI, RECI, AdditiveNoise, PostNonlinear, direction
    from whence.discovery.pc import PC
    from whence.discovery.rcd import RCD
    from whence.discovery.resampling import bootstrap
    from whence.discovery.resit import RESIT
    from whence.discovery.result import DiscoveryResult, EdgeEvidence
    from whence.discovery.stability import StableEdges, stability_selection
    from whence.discovery.verb import discover
    from whence.discovery.xges import XGES

_HOME = {
    "AdditiveNoise": "pairs",
    "BOSS": "boss",
    "CDNOD": "cd_nod",
    "CausalDeFinetti": "definetti",
    "DAGMA": "dagma",
    "ChangeDirection": "independent_change",
    "ChangeEvidence": "cd_nod",
    "ChangingResult": "cd_nod",
    "DirectLiNGAM": "direct_lingam",
    "DrivingForce": "driving_force",
    "DropoutSearch": "dropouts",
    "ExactSearch": "exact",
    "FCI": "fci",
    "GOLEM": "golem",
    "GES": "ges",
    "GFCI": "gfci",
    "GRaSP": "grasp",
    "ICALiNGAM": "ica_lingam",
    "IGCI": "pairs",
    "LiM": "lim",
    "NOTEARS": "notears",
    "NonlinearDAGMA": "dagma",
    "NonlinearNOTEARS": "notears",
    "PC": "pc",
    "PostNonlinear": "pairs",
    "RCD": "rcd",
    "RECI": "pairs",
    "RESIT": "resit",
    "RFCI": "fci",
    "XGES": "xges",
    "IAMB": "blankets",
    "Blanket": "blankets",
    "markov_blanket": "blankets",
    "Confidence": "confidence",
    "DiscoveryResult": "result",
    "EdgeConfidence": "confidence",
    "EdgeEvidence": "result",
    "ExchangeableTest": "definetti",
    "bootstrap": "resampling",
    "direction": "pairs",
    "discover": "verb",
    "estimate_driving_force": "driving_force",
    "dropout_model_check": "dropout_check",
    "StableEdges": "stability",
    "stability_selection": "stability",
    "independent_change_direction": "independent_change",
}

__all__ = [
    "BOSS",
    "CDNOD",
    "DAGMA",
    "FCI",
    "GES",
    "GFCI",
    "GOLEM",
    "IAMB",
    "IGCI",
    "NOTEARS",
    "PC",
    "RCD",
    "RECI",
    "RESIT",
    "RFCI",
    "XGES",
    "AdditiveNoise",
    "Blanket",
    "CausalDeFinetti",
    "ChangeDirection",
    "ChangeEvidence",
    "ChangingResult",
    "Confidence",
    "DirectLiNGAM",
    "DiscoveryResult",
    "DrivingForce",
    "DropoutSearch",
    "EdgeConfidence",
    "EdgeEvidence",
    "ExactSearch",
    "ExchangeableTest",
    "GRaSP",
    "ICALiNGAM",
    "LiM",
    "NonlinearDAGMA",
    "NonlinearNOTEARS",
    "PostNonlinear",
    "StableEdges",
    "bootstrap",
    "direction",
    "discover",
    "dropout_model_check",
    "estimate_driving_force",
    "independent_change_direction",
    "markov_blanket",
    "stability_selection",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'whence.discovery' has no attribute {name!r}")
    value = getattr(import_module(f"whence.discovery.{_HOME[name]}"), name)
    globals()[name] = value
    return value
