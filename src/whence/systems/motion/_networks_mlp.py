"""The forecaster made of perceptrons: invariant encoder, modulator, decoder (section 4 of the paper).

Axes: A agents, k neighbours, F future steps, d latent, c style numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whence.nn import ConcatResidual, mlp
from whence.systems.motion._networks_inputs import Inputs


class PerceptronBackbone(nn.Module):
    """phi and g: latent from an agent's and its neighbours' observed places, future displacements from the latent.

    Each neighbour is read together with the agent; the mean over neighbours does not depend on their order or number.
    The modulator changes the latent, and the hidden values of the decoder once more.
    """

    def __init__(
        self,
        observed: int,
        future: int,
        channels: int,
        neighbours: int,
        width: int,
        depth: int,
        style_dim: int,
        activation: str,
        in_steps: bool,
    ) -> None:
        super().__init__()
        self.future, self.neighbours, self.in_steps = future, neighbours, in_steps
        own = (2 + channels) * observed
        latent = max(width // 2, 8) if depth > 1 else width
        inner = [width] * depth
        self.encoder = mlp([own + (2 * observed + 1 if neighbours else 0), *inner], activation, out=activation)
        self.latent = nn.Linear(width, latent) if depth > 1 else nn.Identity()
        before = mlp([latent, *inner], activation, out=activation)
        self.decoder = nn.ModuleList([before, mlp([*inner, 2 * future], activation)])
        self.modulator = nn.ModuleList(
            [ConcatResidual(size, style_dim) for size in (latent, width)] if style_dim else []
        )

    def encode(self, inputs: Inputs) -> Tensor:
        """Return the latent (A, d)."""
        own = torch.diff(inputs.own, dim=1, prepend=inputs.own[:, :1]) if self.in_steps else inputs.own
        mine = torch.cat([own.flatten(1), inputs.channels.flatten(1)], dim=-1)
        if not self.neighbours:
            return self.latent(self.encoder(mine))  # type: ignore[no-any-return]
        seen = inputs.seen.to(mine.dtype)[..., None]  # (A, k, 1)
        pairs = torch.cat([mine[:, None].expand(-1, self.neighbours, -1), inputs.others.flatten(2), seen], dim=-1)
        alone = 1.0 - seen[:, :1]  # one without neighbours counts an empty first one
        weight = torch.cat([seen[:, :1] + alone, seen[:, 1:]], dim=1)
        hidden = (self.encoder(pairs) * weight).sum(dim=1) / weight.sum(dim=1)
        return self.latent(hidden)  # type: ignore[no-any-return]

    def decode(
        self, inputs: Inputs, latent: Tensor, code: Tensor | None, noise: torch.Generator | None = None
    ) -> Tensor:
        """Return displacements (A, F, 2) under the style codes (A, c)."""
        first, second = self.decoder
        if code is None or not len(self.modulator):
            return second(first(latent)).unflatten(-1, (self.future, 2))  # type: ignore[no-any-return]
        on_latent, on_hidden = self.modulator
        hidden = on_hidden(first(on_latent(latent, code)), code)
        return second(hidden).unflatten(-1, (self.future, 2))  # type: ignore[no-any-return]
