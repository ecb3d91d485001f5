"""Counterfactual images from the command line: a saved model, an array of images, an intervention, a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from whence.errors import ParameterError
from whence.models import Intervention


def parse_do(given: list[str]) -> Intervention:
    """Return the intervention from 'NAME=VALUE' texts.

    Raises
    ------
    ParameterError
        E342 for a text that is none.
    """
    changes = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            changes[name.strip()] = float(value)
        except ValueError:
            name = ""
        if not name.strip():
            raise ParameterError("E342", f"--do {text!r} is not of the form NAME=NUMBER.", "Write --do angle=30.")
    return Intervention.of(changes)


def write_counterfactuals(model: str, images: str, do: list[str], report: str, strength: float, steps: int) -> str:
    """Draw the counterfactuals of the images in a ``.npy`` file and write the page; return where it is."""
    from whence.report.images import write_image_report
    from whence.systems.vision import CausalDiffAE

    try:
        X = np.load(Path(images), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ParameterError(
            "E658", f"{images!r} cannot be read as an array: {error}.", "Save the images with numpy.save."
        ) from error
    loaded = CausalDiffAE.load(model)
    return str(write_image_report(loaded, X, parse_do(do), report, strength=strength, steps=steps))
