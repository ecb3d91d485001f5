"""Forecasts and styles from a trained network, and the gated refinement of scenes that look unlike their reference.

Axes: K samples, S scenes, A agents, k neighbours, F future steps, c style numbers, R reference scenes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from whence.errors import ParameterError
from whence.nn import GatedRefiner, seeded
from whence.systems.motion._networks_common import MotionNetwork
from whence.systems.motion._networks_inputs import Inputs
from whence.systems.motion.scenes import Scenes
from whence.systems.motion.views import Views, nearest_neighbours

Floats = NDArray[np.float64]
_QUANTILE = 0.1  # of the similarity of real reference scenes: the gate, and the alarm
_STEPS, _RATE = 5, 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """Displacements in the agents' frames (K, A, F, 2), similarity (S,), its threshold, and which were refined (S,)."""

    displacements: Floats
    similarity: Floats | None
    threshold: float | None
    refined: NDArray[np.bool_] | None


def styles(network: MotionNetwork, inputs: Inputs) -> tuple[Floats, Tensor]:
    """Return the embeddings (S, c) of scenes, and the unit vectors (S, c) that are compared."""
    assert network.style is not None
    with torch.no_grad():
        embedding = network.embed(inputs)
        return embedding.numpy().astype(np.float64), network.style.project(embedding)


def answer(
    network: MotionNetwork,
    inputs: Inputs,
    views: Views,
    scenes: Scenes,
    code: Floats | None,
    reference: Tensor | None,
    refine: str,
    samples: int,
    random_state: int | None,
) -> Answer:
    """Forecast scenes under a style code (c,); ``reference`` are unit vectors (R, c) of reference scenes."""
    codes = None if code is None else torch.from_numpy(code.astype(np.float32)).expand(len(inputs.own), -1)
    noise = seeded(random_state)
    with torch.no_grad():
        latent = network.backbone.encode(inputs)  # type: ignore[operator]
        found = torch.stack([network.finish(inputs, latent, codes, noise) for _ in range(samples)])
    whole = network.style is not None and network.style.steps > inputs.own.shape[1]
    if refine == "gated":
        _check_refinable(reference is not None, whole, samples)
    if reference is None or not whole:
        return Answer(_array(found), None, None, None)
    compare = _Similarity(network, inputs, views, scenes, codes, reference)
    gate = float(torch.quantile(compare.of_reference, _QUANTILE))
    with torch.no_grad():
        similarity = compare.of_paths(found[0])
    refined = np.zeros(inputs.scenes, dtype=bool)
    if refine == "gated" and bool((similarity < gate).any()):
        refined = (similarity < gate).numpy()
        found = compare.refined(latent, gate)[None]
    return Answer(_array(found), _array(similarity), gate, refined)


def _check_refinable(referred: bool, whole: bool, samples: int) -> None:
    reasons = {
        "no reference scenes were given": not referred,
        "this forecaster reads style from the past only": not whole,
        "this forecaster draws several samples": samples > 1,
    }
    for reason, holds in reasons.items():
        if holds:
            raise ParameterError(
                "E631",
                f"refine='gated' compares a whole scene with a reference, and {reason}.",
                "Give reference scenes to a forecaster with style_frames='all' and samples=1.",
            )


class _Similarity:
    """How alike scenes with their forecasts are to reference scenes: the cosine of their styles."""

    def __init__(
        self,
        network: MotionNetwork,
        inputs: Inputs,
        views: Views,
        scenes: Scenes,
        codes: Tensor | None,
        reference: Tensor,
    ) -> None:
        self.network, self.inputs, self.codes = network, inputs, codes
        self.centre = torch.nn.functional.normalize(reference.mean(dim=0), dim=0)
        self.of_reference = reference @ self.centre
        k = inputs.gaps.shape[1]
        near = nearest_neighbours(scenes.past[:, -1], scenes.starts, k)[0]
        self.near = torch.from_numpy(near)
        self.axis = _tensor(views.frames.axis)  # (A, 2)
        gap = scenes.past[:, None, -1] - scenes.past[near][:, :, -1]  # (A, k, 2)
        self.last_gap = _tensor(gap)
        length = np.linalg.norm(gap, axis=-1, keepdims=True)
        self.gap_axis = _tensor(np.where(length > 1e-9, gap / np.maximum(length, 1e-9), np.array([1.0, 0.0])))

    def of_paths(self, displacements: Tensor) -> Tensor:
        """Return the similarity (S,) of scenes whose agents go on by the displacements (A, F, 2) in their frames."""
        world = _turn(displacements, self.axis[:, None], back=True)
        gap = self.last_gap[:, :, None] + world[:, None] - world[self.near]  # (A, k, F, 2)
        ahead = _turn(gap, self.gap_axis[:, :, None]) * self.inputs.paired[..., None, None]
        gaps = torch.cat([self.inputs.gaps[:, :, : self.inputs.own.shape[1]], ahead], dim=2)
        style = self.network.style
        assert style is not None
        unit = style.project(style(gaps, self.inputs.paired, self.inputs.scene, self.inputs.scenes))
        return unit @ self.centre

    def refined(self, latent: Tensor, gate: float) -> Tensor:
        """Return displacements (A, F, 2) with the latents of scenes below the gate improved by a few plain steps."""

        def score(codes: Tensor, rows: Tensor) -> Tensor:
            whole = latent.index_put((rows,), codes)
            return self.of_paths(self.network.finish(self.inputs, whole, self.codes))[self.inputs.scene[rows]]

        better = GatedRefiner(score, gate, steps=_STEPS, rate=_RATE).refine(latent).codes
        with torch.no_grad():
            return self.network.finish(self.inputs, better, self.codes)


def _turn(vectors: Tensor, axis: Tensor, back: bool = False) -> Tensor:
    """Return vectors (..., 2) turned into the frames with the x axis given (..., 2), or back into the world."""
    cos, sin = axis[..., 0], -axis[..., 1] if back else axis[..., 1]
    x, y = vectors[..., 0], vectors[..., 1]
    return torch.stack([cos * x + sin * y, cos * y - sin * x], dim=-1)


def _tensor(values: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _array(values: Tensor) -> Floats:
    return values.numpy().astype(np.float64)
