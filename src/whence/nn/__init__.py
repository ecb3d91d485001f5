"""PyTorch building blocks that the published neural systems share; none of them knows a paper.

The room needs the optional extra ``nn``. Importing it without PyTorch raises `MissingExtra`, which says how to get it;
nothing outside this room and the networks of `whence.systems` imports it, so the rest of the library runs without.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from whence.errors import MissingExtra

if TYPE_CHECKING:
    from whence.nn.adapt import GatedRefiner, Refined, partial_finetune
    from whence.nn.contrastive import supervised_contrastive
    from whence.nn.denoisers import MLPDenoiser, UNet2d
    from whence.nn.diffusion import GaussianDiffusion, NoiseSchedule, guided
    from whence.nn.environments import EnvironmentSampler, environment_means
    from whence.nn.invariance import coral, fishr, irm_penalty, split_half_irm, vrex
    from whence.nn.invertible import (
        AffineCoupling,
        GroupedTriangular,
        InvertibleBlock,
        InvertibleLinear,
        InvertibleSequence,
        LeakyRectifier,
        real_nvp,
    )
    from whence.nn.latent_scm import LatentSCM
    from whence.nn.layers import mlp, parameter_count
    from whence.nn.modulate import ConcatResidual, FiLM
    from whence.nn.seeds import reproducible, resolve_device, seeded
    from whence.nn.train import TrainingLog, fit
    from whence.nn.weights import load, load_into, save

for _package in ("torch", "safetensors"):
    if find_spec(_package) is None:
        raise MissingExtra.of(_package, "nn", "a neural network")

# Public name -> module that holds it, imported on first use. A name stands here, in `__all__` and in the imports above.
_HOME: dict[str, str] = {
    "GatedRefiner": "adapt",
    "partial_finetune": "adapt",
    "Refined": "adapt",
    "supervised_contrastive": "contrastive",
    "MLPDenoiser": "denoisers",
    "UNet2d": "denoisers",
    "GaussianDiffusion": "diffusion",
    "guided": "diffusion",
    "NoiseSchedule": "diffusion",
    "environment_means": "environments",
    "EnvironmentSampler": "environments",
    "coral": "invariance",
    "fishr": "invariance",
    "irm_penalty": "invariance",
    "split_half_irm": "invariance",
    "vrex": "invariance",
    "AffineCoupling": "invertible",
    "GroupedTriangular": "invertible",
    "InvertibleBlock": "invertible",
    "InvertibleLinear": "invertible",
    "InvertibleSequence": "invertible",
    "LeakyRectifier": "invertible",
    "real_nvp": "invertible",
    "LatentSCM": "latent_scm",
    "mlp": "layers",
    "parameter_count": "layers",
    "ConcatResidual": "modulate",
    "FiLM": "modulate",
    "reproducible": "seeds",
    "resolve_device": "seeds",
    "seeded": "seeds",
    "fit": "train",
    "TrainingLog": "train",
    "load": "weights",
    "load_into": "weights",
    "save": "weights",
}

__all__ = [
    "AffineCoupling",
    "ConcatResidual",
    "EnvironmentSampler",
    "FiLM",
    "GatedRefiner",
    "GaussianDiffusion",
    "GroupedTriangular",
    "InvertibleBlock",
    "InvertibleLinear",
    "InvertibleSequence",
    "LatentSCM",
    "LeakyRectifier",
    "MLPDenoiser",
    "NoiseSchedule",
    "Refined",
    "TrainingLog",
    "UNet2d",
    "coral",
    "environment_means",
    "fishr",
    "fit",
    "guided",
    "irm_penalty",
    "load",
    "load_into",
    "mlp",
    "parameter_count",
    "partial_finetune",
    "real_nvp",
    "reproducible",
    "resolve_device",
    "save",
    "seeded",
    "split_half_irm",
    "supervised_contrastive",
    "vrex",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'whence.nn' has no attribute {name!r}")
    return getattr(import_module(f"whence.nn.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_HOME, *(name for name in globals() if name.startswith("__"))])
