"""A recurrent forecaster: one state per agent, a summary of its neighbours, a decoder that feeds on its own steps.

Axes: A agents, k neighbours, T observed steps, F future steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whence.nn import ConcatResidual, mlp
from whence.systems.motion._networks_common import rolled
from whence.systems.motion._networks_inputs import Inputs


class RecurrentBackbone(nn.Module):
    """phi and g with memory: LSTM over the observed steps, mean over neighbours, LSTM over the future steps."""

    def __init__(self, observed: int, future: int, channels: int, neighbours: int, width: int, style_dim: int) -> None:
        super().__init__()
        self.future, self.neighbours = future, neighbours
        self.path = nn.LSTM(2 + channels, width, batch_first=True)
        self.meeting = mlp([8, width, width]) if neighbours else None
        self.latent = nn.Linear(2 * width if neighbours else width, width)
        self.decoder = nn.LSTMCell(2, width)
        self.step = nn.Linear(width, 2)
        self.modulator = nn.ModuleList([ConcatResidual(width, style_dim)] if style_dim else [])

    def encode(self, inputs: Inputs) -> Tensor:
        """Return the latent (A, width)."""
        steps = torch.diff(inputs.own, dim=1, prepend=inputs.own[:, :1])
        state = self.path(torch.cat([steps, inputs.channels], dim=-1))[0][:, -1]
        if self.meeting is None:
            return self.latent(state)  # type: ignore[no-any-return]
        own = inputs.own[:, None, -2:]  # (A, 1, 2, 2)
        place, way = inputs.others[:, :, -2:] - own, torch.diff(inputs.others[:, :, -2:], dim=2)
        mine = torch.diff(own, dim=2).expand_as(way)
        features = torch.cat([place.flatten(2), way.flatten(2), mine.flatten(2)], dim=-1)  # (A, k, 8)
        seen = inputs.seen.to(state.dtype)[..., None]
        met = (self.meeting(features) * seen).sum(dim=1) / seen.sum(dim=1).clamp(min=1.0)
        return self.latent(torch.cat([state, met], dim=-1))  # type: ignore[no-any-return]

    def decode(
        self, inputs: Inputs, latent: Tensor, code: Tensor | None, noise: torch.Generator | None = None
    ) -> Tensor:
        """Return displacements from step to step (A, F, 2) under the style codes (A, c)."""
        if code is not None and len(self.modulator):
            latent = self.modulator[0](latent, code)
        return rolled(self.decoder, self.step, inputs.pace, latent, self.future)
