"""The forecaster of the paper on real scenes: recurrent over time, with attention over the crowd at every step.

Huang, Y. et al. (2019). STGAT: modeling spatial-temporal interactions for human trajectory prediction. ICCV. With the
counterfactual of Chen, G. et al. (2021), "Human trajectory prediction via counterfactual analysis", ICCV, as a variant.

Axes: S scenes, A agents, T observed steps, N places in a scene, F future steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whence.nn import ConcatResidual
from whence.systems.motion._networks_common import rolled
from whence.systems.motion._networks_crowd import Crowd, GraphAttention
from whence.systems.motion._networks_inputs import Inputs

_NOISE = 16


class GraphAttentionBackbone(nn.Module):
    """Encoder over each path, attention over the scene at every step, a second encoder over what was attended to.

    Trained in three stages (`whence.systems.motion._networks_training`): ``stage`` 1 reconstructs the observed steps
    from the paths, 2 from paths and crowd, 3 forecasts.
    """

    def __init__(
        self, observed: int, future: int, channels: int, width: int, style_dim: int, counterfactual: bool
    ) -> None:
        super().__init__()
        self.future, self.width, self.counterfactual = future, width, counterfactual
        self.stage = 3
        self.path = nn.LSTM(2 + channels, width, batch_first=True)
        self.first = GraphAttention(width, max(width // 2, 4), heads=4)
        self.second = GraphAttention(4 * max(width // 2, 4), width, heads=1)
        self.crowd = nn.LSTM(width, width, batch_first=True)
        self.observed_steps = nn.ModuleList([nn.Linear(width, 2), nn.Linear(2 * width, 2)])
        self.decoder = nn.LSTMCell(2, 2 * width + _NOISE)
        self.step = nn.Linear(2 * width + _NOISE, 2)
        self.modulator = nn.ModuleList([ConcatResidual(2 * width, style_dim)] if style_dim else [])

    def encode(self, inputs: Inputs) -> Tensor:
        """Return the latent (A, 2 width): the last states over the path and over the crowd."""
        path, crowd = self._observe(inputs)
        return torch.cat([path[:, -1], crowd[:, -1]], dim=-1)

    def decode(
        self, inputs: Inputs, latent: Tensor, code: Tensor | None, noise: torch.Generator | None = None
    ) -> Tensor:
        """Return displacements from step to step (A, F, 2); the noise is one draw per scene."""
        if code is not None and len(self.modulator):
            latent = self.modulator[0](latent, code)
        drawn = torch.randn(inputs.scenes, _NOISE, generator=noise, device=noise.device if noise else latent.device)
        extra = drawn.to(latent.device)[inputs.scene]
        at = torch.diff(inputs.own[:, -2:], dim=1)[:, 0]  # the last observed step
        state = torch.cat([latent, extra], dim=-1)
        if self.counterfactual:
            without = torch.cat([torch.zeros_like(latent[:, : self.width]), latent[:, self.width :], extra], dim=-1)
            return self._compared(at, state, without)
        return rolled(self.decoder, self.step, at, state, self.future)

    def _compared(self, at: Tensor, state: Tensor, without: Tensor) -> Tensor:
        """Return the steps that a path makes beyond an empty one: both are decoded, fed with the difference."""
        states = [(state, torch.zeros_like(state)), (without, torch.zeros_like(without))]
        steps = []
        for _ in range(self.future):
            states = [self.decoder(at, one) for one in states]
            at = self.step(states[0][0] - states[1][0])
            steps.append(at)
        return torch.stack(steps, dim=1)

    def reconstruct(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Return the observed steps as reconstructed in stage 1 or 2, and as they were: (A, T - 1, 2) each."""
        truth = torch.diff(inputs.own, dim=1)
        if self.stage == 1:
            found = self.observed_steps[0](self._paths(inputs))
        else:
            found = self.observed_steps[1](torch.cat(self._observe(inputs), dim=-1))
        return found[:, 1:], truth

    def stages(self, steps: int) -> list[tuple[int, int, list[tuple[nn.Module, float]]]]:
        """Return stage, steps and learning rates as in the paper: 150, 100 and 150 of 400 epochs."""
        one, two = round(steps * 150 / 400), round(steps * 100 / 400)
        recurrent = [(self.path, 1e-2)]
        attended = [(self.first, 3e-2), (self.second, 3e-2), (self.crowd, 1e-2)]
        heads = [(part, 1e-3) for part in self.observed_steps]
        return [
            (1, one, [*recurrent, heads[0]]),
            (2, two, [*recurrent, *attended, heads[1]]),
            (3, steps - one - two, [(self, 5e-3)]),
        ]

    def _paths(self, inputs: Inputs) -> Tensor:
        """Return the states over each path (A, T, width)."""
        steps = torch.diff(inputs.own, dim=1, prepend=inputs.own[:, :1])
        begin = torch.zeros(1, len(steps), self.width, device=steps.device)
        if self.training:  # as published; in use the state begins at zero, so that a forecast depends on its scene
            begin = torch.randn_like(begin)
        states: Tensor = self.path(torch.cat([steps, inputs.channels], dim=-1), (begin, torch.zeros_like(begin)))[0]
        return states

    def _observe(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Return the states over each path and over its crowd, (A, T, width) each."""
        paths, crowd = self._paths(inputs), Crowd(inputs)
        values = nn.functional.elu(self.first(crowd.normalise(paths), crowd))  # (A, T, 4 heads)
        values = self.second(crowd.normalise(values), crowd)  # (A, T, width)
        states: Tensor = self.crowd(values)[0]
        return paths, states
