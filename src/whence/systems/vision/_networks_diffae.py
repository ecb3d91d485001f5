"""The networks of CausalDiffAE and its loss. Axes: B rows, k variables, d entries of a variable's block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from whence.graph import Graph
from whence.nn.denoisers import MLPDenoiser, UNet2d
from whence.nn.diffusion import Field, GaussianDiffusion, NoiseSchedule
from whence.nn.latent_scm import LatentSCM
from whence.nn.layers import mlp

# The code's sample is drawn with this share of the encoder's variance, as in the published code.
_SAMPLED_VARIANCE = 1e-3


@dataclass(frozen=True)
class Plan:
    """What is needed to build the networks again."""

    shape: tuple[int, ...]
    block: int
    mechanism: str
    parents: str
    levels: int
    schedule: str
    prediction: str
    hidden: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    patch: int
    prior: str
    drop: float
    noise_weight: float


class DiffusionAutoencoder(nn.Module):
    """Encoder to noises, structural model to factors, denoiser told the factors.

    Parameters
    ----------
    graph : Graph
        Over the k variables, in the order of the labels' columns.
    plan : Plan
    """

    def __init__(self, graph: Graph, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        variables, code = graph.n_nodes, graph.n_nodes * plan.block
        self.diffusion = GaussianDiffusion(
            NoiseSchedule(plan.schedule, plan.levels),  # type: ignore[arg-type]
            plan.prediction,  # type: ignore[arg-type]
        )
        self.denoiser: nn.Module
        if len(plan.shape) == 1:
            blocks = [_Residual(plan.hidden) for _ in range(2)]
            self.features = nn.Sequential(nn.Linear(plan.shape[0], plan.hidden), *blocks, nn.SiLU())
            features = plan.hidden
            self.denoiser = MLPDenoiser(plan.shape[0], code, plan.hidden)
        else:
            self.features, features = convolutions(plan.shape)
            self.denoiser = UNet2d(plan.shape[0], code, plan.widths, plan.blocks, plan.attention, patch=plan.patch)
        self.mean, self.spread = nn.Linear(features, code), nn.Linear(features, code)
        self.scm = LatentSCM(graph, plan.block, plan.mechanism, parents=plan.parents)  # type: ignore[arg-type]
        self.prior = nn.Parameter(torch.stack([torch.ones(variables), torch.zeros(variables)]))
        self.prior.requires_grad_(plan.prior == "learned")

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the noises behind rows, each (B, k, d)."""
        hidden = self.features(x)
        shape = (len(x), -1, self.plan.block)
        variance = functional.softplus(self.spread(hidden)) + 1e-8
        return self.mean(hidden).reshape(shape), variance.reshape(shape)

    def field(self, z: Tensor | None) -> Field:
        """Return the denoiser told factors (B, k, d), or told nothing."""
        code = None if z is None else z.flatten(1)
        return lambda x, level: self.denoiser(x, level, code)

    def expected(self, labels: Tensor) -> Tensor:
        """Return where the prior expects every entry of a block for standardised labels (B, k)."""
        return self.prior[0] * labels + self.prior[1]

    def loss(self, batch: Mapping[str, Tensor], weight: float) -> dict[str, Tensor]:
        """Return the training loss and its parts.

        Parameters
        ----------
        batch : mapping
            ``x`` (B, ...), standardised ``labels`` (B, k), their mask ``known`` (B, k), and what chance decides:
            ``level`` (B,), ``noise`` like x, ``jitter`` (B, k, d), ``keep`` (B,).
        weight : float
            Of the two divergences, rising during training.
        """
        mean, variance = self.encode(batch["x"])
        z = self.scm(mean)
        sampled = z + (_SAMPLED_VARIANCE * variance).sqrt() * batch["jitter"]
        code, keep = sampled.flatten(1), batch["keep"]
        mistake = self.diffusion.loss(
            lambda x, level: self.denoiser(x, level, code, keep), batch["x"], batch["level"], batch["noise"]
        ).mean()
        to_noise = 0.5 * (mean.square() + variance - variance.log() - 1).sum(dim=(1, 2)).mean()
        # A label that is unknown drops out of its own column's mean and out of nothing else.
        known = batch["known"].to(z.dtype)
        off = 0.5 * (z - self.expected(batch["labels"])[:, :, None]).square().sum(dim=2)  # (B, k)
        to_label = ((known * off).sum(dim=0) / known.sum(dim=0).clamp(min=1.0)).sum()
        # The whole of the noises' divergence reaches the mechanisms and a small part of it the encoder: so the
        # mechanisms explain what they can, and the code is not drawn away from the labels.
        unexplained = self.scm.surprise(z.detach()).mean()
        total = mistake + weight * (self.plan.noise_weight * to_noise + to_label + unexplained)
        parts = {"noise divergence": to_noise, "label divergence": to_label, "unexplained": unexplained}
        return {"loss": total, "denoising": mistake, **parts}


class _Residual(nn.Module):
    """Normalise, two layers, add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), mlp([width, width, width], "silu"))

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.layers(hidden)  # type: ignore[no-any-return]


def convolutions(shape: Sequence[int]) -> tuple[nn.Sequential, int]:
    """Return an encoder for images (C, H, W) and the width of its output.

    Four convolutions of stride 2 as in the paper, with group instead of batch normalisation, so that a row is encoded
    by itself and in the same way in training and afterwards.
    """
    layers: list[nn.Module] = []
    channels, height, width = shape
    for wider in (16, 32, 64, 128):
        layers += [nn.Conv2d(channels, wider, 3, stride=2, padding=1), nn.GroupNorm(8, wider), nn.LeakyReLU()]
        channels, height, width = wider, (height + 1) // 2, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten()), channels * height * width


class Rows:
    """Draws batches with all that chance decides about them, from the trainer's generator."""

    def __init__(self, model: DiffusionAutoencoder, x: Tensor, labels: Tensor, known: Tensor, size: int) -> None:
        self.model, self.x, self.labels, self.known = model, x, labels, known
        self.size = min(size, len(x))

    def __call__(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return one batch."""
        plan = self.model.plan
        chosen = torch.randint(len(self.x), (self.size,), generator=generator)
        x = self.x[chosen]
        return {
            "x": x,
            "labels": self.labels[chosen],
            "known": self.known[chosen],
            "level": self.model.diffusion.draw_levels(self.size, generator),
            "noise": torch.randn(x.shape, generator=generator),
            "jitter": torch.randn(self.size, self.labels.shape[1], plan.block, generator=generator),
            "keep": torch.rand(self.size, generator=generator) >= plan.drop,
        }


def training_loss(ramp: int) -> Any:
    """Return the loss for the trainer; the divergences' weight rises from 0 to 1 over ``ramp`` steps."""

    def loss(model: nn.Module, batch: Any, step: int) -> dict[str, Tensor]:
        assert isinstance(model, DiffusionAutoencoder)
        return model.loss(batch, min(1.0, step / max(ramp, 1)))

    return loss
