"""A forecaster by endpoints: where one wants to be at the end, drawn from what was observed, then the way there.

Mangalam, K. et al. (2020). It is not the journey but the destination: endpoint conditioned trajectory prediction. ECCV.

Axes: S scenes, A agents, N places in a scene, F future steps, z latent of the endpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whence.nn import ConcatResidual, mlp
from whence.systems.motion._networks_crowd import NEVER, Crowd, shares
from whence.systems.motion._networks_inputs import Inputs

_LATENT = 16
_SIGMA = 1.3  # of the endpoint's prior when several samples are drawn; the standard normal is cut off at this many


class EndpointBackbone(nn.Module):
    """A conditional variational autoencoder of the endpoint, non-local pooling over the scene, and the rest of the way.

    `learn` takes the endpoint's latent from the true endpoint; `decode` draws it, and reads no future.
    """

    def __init__(self, observed: int, future: int, channels: int, width: int, style_dim: int) -> None:
        super().__init__()
        self.future = future
        wide, middle, narrow = 8 * width, 4 * width, 16
        self.past = mlp([(2 + channels) * observed, wide, middle, narrow])
        self.endpoint = mlp([2, width, narrow])
        self.posterior = mlp([2 * narrow, width, 2 * _LATENT])
        self.draw = mlp([narrow + _LATENT, wide, middle, 2])
        self.query, self.key, self.value = (mlp([2 * narrow, width, 2 * narrow]) for _ in range(3))
        self.way = mlp([2 * narrow, wide, middle, 2 * (future - 1)]) if future > 1 else None
        self.modulator = nn.ModuleList([ConcatResidual(narrow, style_dim)] if style_dim else [])

    def encode(self, inputs: Inputs) -> Tensor:
        """Return the latent (A, 16) of the observed path."""
        return self.past(torch.cat([inputs.own.flatten(1), inputs.channels.flatten(1)], dim=-1))  # type: ignore[no-any-return]

    def decode(
        self, inputs: Inputs, latent: Tensor, code: Tensor | None, noise: torch.Generator | None = None
    ) -> Tensor:
        """Return displacements from the last observed place (A, F, 2), with drawn endpoints."""
        latent = self._modulated(latent, code)
        where = noise.device if noise else latent.device
        z = torch.randn(len(latent), _LATENT, generator=noise, device=where).to(latent.device)
        end = self.draw(torch.cat([latent, (_SIGMA * z).clamp(-_SIGMA, _SIGMA)], dim=-1))
        return self._go(inputs, latent, end, end)

    def learn(self, inputs: Inputs, latent: Tensor, code: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return displacements (A, F, 2) on the way to the true endpoint, and what the endpoint itself costs.

        That is its latent's divergence from the prior and the squared distance from the endpoint it stands for.
        """
        latent, truth = self._modulated(latent, code), inputs.target[:, -1]
        z, divergence = self._from_truth(latent, truth)
        end = self.draw(torch.cat([latent, z], dim=-1))
        return self._go(inputs, latent, truth, end), divergence + (end - truth).square().sum(dim=-1).mean()

    def _modulated(self, latent: Tensor, code: Tensor | None) -> Tensor:
        if code is None or not len(self.modulator):
            return latent
        found: Tensor = self.modulator[0](latent, code)
        return found

    def _go(self, inputs: Inputs, latent: Tensor, aim: Tensor, end: Tensor) -> Tensor:
        """Return the way to an aim (A, 2) and the endpoint after it, (A, F, 2)."""
        if self.way is None:
            return end[:, None]
        joined = self._pool(torch.cat([latent, self.endpoint(aim)], dim=-1), Crowd(inputs))
        return torch.cat([self.way(joined).unflatten(-1, (self.future - 1, 2)), end[:, None]], dim=1)

    def _from_truth(self, latent: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        """Return the endpoint's latent (A, z) drawn from the true endpoint (A, 2), and its divergence from normal."""
        mean, log_variance = self.posterior(torch.cat([latent, self.endpoint(end)], dim=-1)).chunk(2, dim=-1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=-1).mean()
        return z, divergence

    def _pool(self, features: Tensor, crowd: Crowd) -> Tensor:
        """Return features (A, d) with what the others of the scene add: attention over all of them."""
        found = []
        for group, (query, key, value) in crowd.laid(self.query(features), self.key(features), self.value(features)):
            score = (query @ key.transpose(1, 2)).masked_fill(~group.taken[:, None], NEVER)  # (S, N, N)
            found.append(shares(score) @ value)
        return features + crowd.gathered(found)
