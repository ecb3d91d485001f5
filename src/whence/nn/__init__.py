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
    from whence.nn.denoisers import MLPDenoiser, UNet2d
    from whence.nn.diffusion import GaussianDiffusion, NoiseSchedule, guided
    from whence.nn.latent_scm import LatentSCM
    from whence.nn.layers import mlp, parameter_count
    from whence.nn.seeds import reproducible, resolve_device, seeded
    from whence.nn.train import TrainingLog, fit
    from whence.nn.weights import load, load_into, save

for _package in ("torch", "safetensors"):
    if find_spec(_package) is None:
        raise MissingExtra.of(_package, "nn", "a neural network")

# Public name -> module that holds it, imported on first use. A name stands here, in `__all__` and in the imports above.
_HOME: dict[str, str] = {
    "GaussianDiffusion": "diffusion",
    "NoiseSchedule": "diffusion",
    "guided": "diffusion",
    "MLPDenoiser": "denoisers",
    "UNet2d": "denoisers",
    "LatentSCM": "latent_scm",
    "mlp": "layers",
    "parameter_count": "layers",
    "reproducible": "seeds",
    "resolve_device": "seeds",
    "seeded": "seeds",
    "TrainingLog": "train",
    "fit": "train",
    "load": "weights",
    "load_into": "weights",
    "save": "weights",
}

__all__ = [
    "GaussianDiffusion",
    "LatentSCM",
    "MLPDenoiser",
    "NoiseSchedule",
    "TrainingLog",
    "UNet2d",
    "fit",
    "guided",
    "load",
    "load_into",
    "mlp",
    "parameter_count",
    "reproducible",
    "resolve_device",
    "save",
    "seeded",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'whence.nn' has no attribute {name!r}")
    return getattr(import_module(f"whence.nn.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_HOME, *(name for name in globals() if name.startswith("__"))])
