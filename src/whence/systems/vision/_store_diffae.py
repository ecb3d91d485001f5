"""CausalDiffAE as a folder of settings and weights, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from whence.errors import DataError
from whence.graph import Graph
from whence.nn import load, load_into, resolve_device, save
from whence.systems.vision._inputs import Labels, Pixels
from whence.systems.vision.causal_diffae import CARD, CausalDiffAE

_SETTINGS = (
    *("width", "mechanism", "parents", "levels", "schedule", "prediction", "hidden", "channels", "blocks", "attention"),
    *("patch", "prior", "drop", "noise_weight", "ramp", "steps", "batch", "learning_rate", "average", "precision"),
)


def write(model: CausalDiffAE, folder: str | Path) -> Path:
    """Write a fitted model."""
    config = {
        "system": CARD.name,
        "graph": model.graph.to_dict(),
        "variables": list(model.variables),
        "settings": {name: getattr(model, name) for name in _SETTINGS},
        "pixels": model._pixels.to_dict(),
        "labels": {"center": model.label_center_, "scale": model.label_scale_, "known": model._labels.known},
        "calibration": {"slope": model.code_slope_, "offset": model.code_offset_},
        "warnings": list(model.warnings_),
    }
    return save(folder, model._model, config)


def read(folder: str | Path, device: str) -> CausalDiffAE:
    """Read what `write` wrote; DataError E655 if it is another system."""
    config, state = load(folder)
    if config.get("system") != CARD.name:
        raise DataError(
            "E655",
            f"{str(folder)!r} holds {config.get('system')!r}, not a CausalDiffAE.",
            "Load it with the class that saved it.",
        )
    model = CausalDiffAE(Graph.from_dict(config["graph"]), config["variables"], **config["settings"], device=device)
    model._pixels = Pixels.from_dict(config["pixels"])
    model._labels = Labels(*(np.array(config["labels"][key]) for key in ("center", "scale", "known")))
    model.label_center_, model.label_scale_ = model._labels.center, model._labels.scale
    model.code_slope_, model.code_offset_ = (np.array(config["calibration"][key]) for key in ("slope", "offset"))
    model.warnings_, model.log_ = tuple(config["warnings"]), None
    model._model = model._build()
    load_into(model._model, state)
    model._model.to(resolve_device(device)).eval()
    return model
