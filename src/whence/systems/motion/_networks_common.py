"""The parts that all forecasters share: what a backbone is, how style is read from scenes, the network as a whole.

Axes: S scenes, A agents, k neighbours, F future steps, d latent, c style numbers.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from whence.nn import mlp
from whence.systems.motion._networks_inputs import Inputs

_HIDDEN = 32  # one hidden layer: deeper encoders recognise styles as well, and go wrong sooner beyond those of training


class Backbone(Protocol):
    """phi and g: what is common to all places."""

    def encode(self, inputs: Inputs) -> Tensor:
        """Return the latent (A, d) of what was observed."""

    def decode(self, inputs: Inputs, latent: Tensor, code: Tensor | None, noise: torch.Generator | None) -> Tensor:
        """Return displacements (A, F, 2) under the agents' style codes (A, c)."""


def rolled(cell: nn.LSTMCell, step: nn.Linear, at: Tensor, state: Tensor, future: int) -> Tensor:
    """Return the steps (A, F, 2) that a recurrent decoder makes from a state (A, d), each fed with the one before.

    A step is linear in the state before it, so that its way into the gates is folded into that of the state: one
    product of matrices for each step instead of three. ``tanh(x) = 2 sigmoid(2 x) - 1`` takes a third of the time of
    PyTorch's tanh and lets one call serve all gates. ``at`` is the last observed step (A, 2).
    """
    into, width = cell.weight_ih, state.shape[1]
    twice = torch.ones(4 * width, dtype=state.dtype, device=state.device)
    twice[2 * width : 3 * width] = 2.0  # what is new passes through tanh, the three gates through the sigmoid
    weight = ((cell.weight_hh + into @ step.weight) * twice[:, None]).t()
    bias = cell.bias_ih + cell.bias_hh
    gates = (torch.addmm(bias, state, cell.weight_hh.t()) + at @ into.t()) * twice
    bias = (bias + into @ step.bias) * twice
    memory = torch.zeros_like(state)  # twice the cell's
    states: list[Tensor] = []
    for _ in range(future):
        if states:
            gates = torch.addmm(bias, states[-1], weight)
        enter, forget, new, leave = gates.sigmoid().chunk(4, dim=1)
        memory = torch.addcmul(forget * memory, enter, new - 0.5, value=4.0)
        states.append(leave * (2.0 * memory.sigmoid() - 1.0))
    steps: Tensor = step(torch.stack(states, dim=1))
    return steps


class StyleEncoder(nn.Module):
    """psi: one embedding per scene from how its agents keep away from one another, the mean over pairs of neighbours.

    Pairs enter as a set, so that any number of agents can be read. ``head`` is h of the paper, the projection whose
    direction the contrastive loss compares. ``steps`` says how many steps are read: all, or the observed ones.
    """

    def __init__(self, steps: int, style_dim: int) -> None:
        super().__init__()
        self.steps, self.dim = steps, style_dim
        self.pair = mlp([2 * steps, _HIDDEN, style_dim])
        self.head = mlp([style_dim, style_dim, style_dim])
        self.register_buffer("centre", torch.zeros(steps, 2))
        self.register_buffer("spread", torch.ones(steps, 2))

    def forward(self, gaps: Tensor, paired: Tensor, scene: Tensor, scenes: int) -> Tensor:
        """Return embeddings (S, c) from ``gaps`` (A, k, T, 2), ``paired`` (A, k) and the agents' scene (A,)."""
        weight = paired.to(gaps.dtype)
        scaled = (gaps[:, :, : self.steps] - self.get_buffer("centre")) / self.get_buffer("spread")
        each = (self.pair(scaled.flatten(2)) * weight[..., None]).sum(dim=1)  # (A, c)
        total = each.new_zeros(scenes, each.shape[1]).index_add(0, scene, each)
        count = each.new_zeros(scenes).index_add(0, scene, weight.sum(dim=1))
        mean: Tensor = total / count.clamp(min=1.0)[:, None]
        return mean

    def scale(self, gaps: Tensor, paired: Tensor) -> None:
        """Read gaps (A, k, T, 2) from now on in units of their own mean and spread at each step."""
        known = gaps[paired][:, : self.steps]
        self.get_buffer("centre").copy_(known.mean(dim=0))
        self.get_buffer("spread").copy_(known.std(dim=0).clamp(min=1e-3))

    def project(self, embedding: Tensor) -> Tensor:
        """Return the unit vectors (S, c) that the contrastive loss compares."""
        found: Tensor = nn.functional.normalize(self.head(embedding), dim=-1)
        return found


class MotionNetwork(nn.Module):
    """A backbone, and with a style the encoder that reads it; ``default_code`` is the mean style of training.

    With ``in_steps`` the backbone forecasts displacements from step to step, else from the last observed place; with
    ``residual`` what is to be added to walking on as before.
    """

    def __init__(
        self, backbone: nn.Module, style: StyleEncoder | None, *, future: int, in_steps: bool, residual: bool
    ) -> None:
        super().__init__()
        self.backbone, self.style = backbone, style
        self.future, self.in_steps, self.residual = future, in_steps, residual
        if style is not None:
            self.register_buffer("default_code", torch.zeros(style.dim))

    def default(self) -> Tensor:
        """Return the style code (c,) that is used where none is given."""
        return self.get_buffer("default_code")

    def set_default(self, code: Tensor) -> None:
        """Set the style code (c,) that is used where none is given."""
        self.get_buffer("default_code").copy_(code)

    def embed(self, inputs: Inputs) -> Tensor:
        """Return the style embedding of each scene, (S, c)."""
        assert self.style is not None
        found: Tensor = self.style(inputs.gaps, inputs.paired, inputs.scene, inputs.scenes)
        return found

    def finish(
        self, inputs: Inputs, latent: Tensor, code: Tensor | None, noise: torch.Generator | None = None
    ) -> Tensor:
        """Return displacements (A, F, 2) from the last observed place, given the latent."""
        return self.placed(inputs, self.backbone.decode(inputs, latent, code, noise))  # type: ignore[operator]

    def placed(self, inputs: Inputs, found: Tensor) -> Tensor:
        """Return what a backbone forecasts as displacements (A, F, 2) from the last observed place."""
        if self.in_steps:
            found = found.cumsum(dim=1)
        walk = self.walk(inputs)
        return found if walk is None else found + walk

    def walk(self, inputs: Inputs) -> Tensor | None:
        """Return the displacements (A, F, 2) of walking on, if the network forecasts what is to be added to them."""
        if not self.residual:
            return None
        ahead = torch.arange(1.0, self.future + 1.0, device=inputs.pace.device)[:, None]
        return ahead * inputs.pace[:, None]

    def forward(self, inputs: Inputs, code: Tensor | None = None, noise: torch.Generator | None = None) -> Tensor:
        """Return displacements (A, F, 2) under style codes (A, c)."""
        return self.finish(inputs, self.backbone.encode(inputs), code, noise)  # type: ignore[operator]
