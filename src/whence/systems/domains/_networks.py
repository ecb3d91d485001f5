"""Networks behind domain counterfactuals: an invertible mixing of triangular mechanisms, and a convolutional one.

Axes: n rows, m latent variables, C channels, H by W pixels. Arrays go in and come out; tensors stay inside.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from whence.nn import GroupedTriangular, InvertibleBlock, InvertibleLinear, InvertibleSequence, LeakyRectifier, real_nvp

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
PART = 2048


class DomainNetwork(nn.Module):
    """What both networks answer, in arrays: `encode`, `decode`, `counterfactual`, `nll`."""

    width: int

    def noise(self, rows: Tensor, group: Tensor) -> Tensor:
        """Return the noise (n, m) behind rows."""
        raise NotImplementedError

    def observed(self, noise: Tensor, group: Tensor) -> Tensor:
        """Return the rows that noise makes."""
        raise NotImplementedError

    def losses(self, rows: Tensor, group: Tensor) -> Tensor:
        """Return the loss of each row (n,): the negative log-likelihood or its bound."""
        raise NotImplementedError

    def encode(self, rows: NDArray[Any], domains: Labels | int) -> Floats:
        """Return the noise of each row as an array."""
        return self._by_parts(self.noise, rows, domains)

    def decode(self, noise: NDArray[Any], domains: Labels | int) -> Floats:
        """Return the rows of noise as an array."""
        return self._by_parts(self.observed, noise, domains)

    def counterfactual(self, rows: NDArray[Any], domains: Labels | int, to: Labels | int) -> Floats:
        """Return the rows with the same noise in another domain."""
        return self.decode(self.encode(rows, domains), to)

    def nll(self, rows: NDArray[Any], domains: Labels | int) -> Floats:
        """Return the loss of each row as an array."""
        return self._by_parts(self.losses, rows, domains)

    def _by_parts(self, function: Any, rows: NDArray[Any], domains: Labels | int) -> Floats:
        like = next(self.parameters())
        labels = torch.as_tensor(np.broadcast_to(np.asarray(domains), len(rows)).copy())
        results = []
        with torch.no_grad():
            for start in range(0, len(rows), PART):
                part = torch.as_tensor(np.asarray(rows[start : start + PART]), dtype=like.dtype, device=like.device)
                results.append(function(part, labels[start : start + PART].to(like.device)).cpu())
        joined = torch.cat(results).numpy()
        return joined.astype(np.float64) if joined.dtype == np.float64 or joined.ndim < 3 else joined


class InvertibleNetwork(DomainNetwork):
    """``x = g(f_d(eps))`` with an invertible g, trained by its exact likelihood (Zhou et al. 2024, section 4).

    Rows are centred and divided by the pooled standard deviations first.
    """

    def __init__(self, mixing: InvertibleBlock, mechanisms: GroupedTriangular, center: Floats, scale: Floats) -> None:
        super().__init__()
        self.width = mechanisms.width
        self.mixing, self.mechanisms = mixing, mechanisms
        self.register_buffer("center", torch.as_tensor(center, dtype=torch.float32))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))

    center: Tensor
    scale: Tensor

    def noise(self, rows: Tensor, group: Tensor) -> Tensor:
        """Return the noise (n, m) behind rows (n, m)."""
        return self._back(rows, group)[0]

    def observed(self, noise: Tensor, group: Tensor) -> Tensor:
        """Return the rows (n, m) of noise."""
        rows: Tensor = self.mixing(self.mechanisms(noise, group)[0], group)[0]
        return rows * self.scale + self.center

    def losses(self, rows: Tensor, group: Tensor) -> Tensor:
        """Return the negative log-likelihood (n,) in nats."""
        noise, stretch = self._back(rows, group)
        return 0.5 * noise.square().sum(-1) + 0.5 * self.width * math.log(2 * math.pi) - stretch

    def _back(self, rows: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        latents, first = self.mixing.inverse((rows - self.center) / self.scale, group)
        noise, second = self.mechanisms.inverse(latents, group)
        return noise, first + second - self.scale.log().sum()


class ImageNetwork(DomainNetwork):
    """A convolutional autoencoder whose code goes through three tables of triangular maps by domain.

    ``eps | x, d ~ N(F_mean,d e(x), exp(F_variance,d e(x)))`` and ``x = decoder(F_d(eps))``, pixels in [0, 1]. The
    mechanisms F_mean, F_variance and F share their first m - k rows over domains. The loss is the squared error summed
    over pixels plus ``weight`` times the divergence from the standard normal; the log-variance is one.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int,
        tables: Mapping[str, GroupedTriangular],
        weight: float,
        convolutions: tuple[int, ...] = (32, 64, 64),
    ) -> None:
        super().__init__()
        self.width, self.shape, self.weight = width, shape, weight
        channels, height, breadth = shape
        self.block = 2 ** len(convolutions)
        self.small = (-(-height // self.block), -(-breadth // self.block))
        cells = convolutions[-1] * self.small[0] * self.small[1]
        steps = list(zip((channels, *convolutions[:-1]), convolutions))
        down = [part for a, b in steps for part in (nn.Conv2d(a, b, 4, 2, 1), nn.GELU())]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(cells, width))
        up = [part for a, b in reversed(steps) for part in (nn.ConvTranspose2d(b, a, 4, 2, 1), nn.GELU())]
        self.decoder = nn.Sequential(
            nn.Linear(width, cells), nn.GELU(), nn.Unflatten(1, (convolutions[-1], *self.small)), *up[:-1], nn.Sigmoid()
        )
        self.mean, self.variance, self.mechanisms = tables["mean"], tables["variance"], tables["decode"]

    def noise(self, rows: Tensor, group: Tensor) -> Tensor:
        """Return the mean of the noise (n, m) given images (n, C, H, W)."""
        mean: Tensor = self.mean(self._code(rows), group)[0]
        return mean

    def observed(self, noise: Tensor, group: Tensor) -> Tensor:
        """Return the images (n, C, H, W) of noise."""
        images: Tensor = self.decoder(self.mechanisms(noise, group)[0])
        return images[:, :, : self.shape[1], : self.shape[2]]

    def losses(self, rows: Tensor, group: Tensor) -> Tensor:
        """Return the loss (n,): with drawn noise in training, at its mean otherwise."""
        code = self._code(rows)
        mean, log_variance = self.mean(code, group)[0], self.variance(code, group)[0].clamp(-12.0, 8.0)
        drawn = mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else mean
        error = (self.observed(drawn, group) - rows).square().flatten(1).sum(-1)
        divergence: Tensor = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1)
        return error + self.weight * divergence

    def _code(self, rows: Tensor) -> Tensor:
        padding = (0, self.block * self.small[1] - self.shape[2], 0, self.block * self.small[0] - self.shape[1])
        code: Tensor = self.encoder(nn.functional.pad(rows, padding))
        return code


def make_mixing(g: str | InvertibleBlock, width: int, settings: Mapping[str, Any]) -> InvertibleBlock:
    """Return the mixing of a name, or a copy of the module that was given, so that fitting twice starts twice."""
    if isinstance(g, InvertibleBlock):
        return copy.deepcopy(g)
    if g == "flow":
        return real_nvp(width, settings["depth"], settings["hidden"])
    return InvertibleSequence([LeakyRectifier(settings["slope"]), InvertibleLinear(width)])


def make_tables(width: int, n_domains: int, settings: Mapping[str, Any]) -> GroupedTriangular:
    """Return the mechanisms of the form that was asked for."""
    return GroupedTriangular(
        width,
        n_domains,
        settings["k"],
        anchored=settings["f"] == "can",
        signed=settings["signed"],
        spread=1.0 if settings["signed"] else 0.1,
    )


def make_network(settings: Mapping[str, Any], shape: tuple[int, ...], n_domains: int) -> DomainNetwork:
    """Return an untrained network for rows of a shape: (m,), or (C, H, W) for images."""
    width = settings["latent_dim"] or shape[0]
    if settings["g"] == "vae":
        tables = {name: make_tables(width, n_domains, settings) for name in ("mean", "variance", "decode")}
        channels, height, breadth = shape
        return ImageNetwork(
            (channels, height, breadth), width, tables, settings["kl_weight"], tuple(settings["channels"])
        )
    mixing = make_mixing(settings["g"], width, settings)
    return InvertibleNetwork(mixing, make_tables(width, n_domains, settings), np.zeros(width), np.ones(width))


def use_scale(network: DomainNetwork, rows: Floats) -> None:
    """Let an invertible network centre and scale by these rows."""
    if isinstance(network, InvertibleNetwork):
        network.center.copy_(torch.as_tensor(rows.mean(axis=0)))
        network.scale.copy_(torch.as_tensor(rows.std(axis=0)))
