"""Networks that tell data from noise, told the noise level and a code by scaling and shifting normalised features.

Axes: B rows, d entries of a vector, C channels, H and W pixels, k entries of a code, E entries of the embedding.

Level and code meet in one embedding, ``time(level) + keep * (W code + b)``, which scales and shifts every block's
normalised features (adaptive group normalisation; Dhariwal and Nichol 2021, section 3). A row whose code is kept from
the network, for classifier-free guidance, gets nothing of the second term; the bias b tells that apart from a code of
zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from whence.errors import ParameterError
from whence.nn.layers import mlp


def sinusoidal(level: Tensor, width: int, longest: float = 10_000.0) -> Tensor:
    """Return sines and cosines of levels (B,) at ``width / 2`` frequencies, shape (B, width), width even."""
    half = width // 2
    rates = torch.exp(-math.log(longest) * torch.arange(half, device=level.device) / half)
    angle = level.to(torch.float32)[:, None] * rates
    return torch.cat([angle.cos(), angle.sin()], dim=1)


class Conditioning(nn.Module):
    """The embedding of a noise level and an optional code, shape (B, embedding).

    Parameters
    ----------
    embedding : int
        E, even.
    code : int
        k; 0 for a network without a code.
    """

    def __init__(self, embedding: int, code: int) -> None:
        super().__init__()
        self.width = embedding
        self.time = mlp([embedding, embedding, embedding], "silu")
        self.code = nn.Linear(code, embedding) if code else None

    def forward(self, level: Tensor, code: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """Embed levels (B,), codes (B, k) and, per row, whether the code may be seen (B,)."""
        embedded: Tensor = self.time(sinusoidal(level, self.width).to(next(self.time.parameters()).dtype))
        if self.code is None or code is None:
            return embedded
        projected: Tensor = self.code(code)
        return embedded + (projected if keep is None else keep[:, None].to(projected.dtype) * projected)


class MLPDenoiser(nn.Module):
    """A residual network for vectors.

    Parameters
    ----------
    data : int
        d.
    code : int
        k, 0 for none.
    width, blocks : int
        Of the hidden layers, and how many residual blocks there are.

    Examples
    --------
    >>> net = MLPDenoiser(data=3, code=2, width=16, blocks=1)
    >>> net(torch.zeros(5, 3), torch.arange(1, 6), torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """

    def __init__(self, data: int, code: int = 0, width: int = 256, blocks: int = 3) -> None:
        super().__init__()
        self.conditioning = Conditioning(width, code)
        self.first = nn.Linear(data, width)
        self.blocks = nn.ModuleList([_VectorBlock(width) for _ in range(blocks)])
        self.last = nn.Linear(width, data)

    def forward(self, x: Tensor, level: Tensor, code: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """Return the output for rows (B, d) at levels (B,)."""
        embedded = self.conditioning(level, code, keep)
        hidden = self.first(x)
        for block in self.blocks:
            hidden = block(hidden, embedded)
        return self.last(functional.silu(hidden))  # type: ignore[no-any-return]


class _VectorBlock(nn.Module):
    """Normalise, scale and shift, two layers, add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        self.layers = mlp([width, width, width], "silu")

    def forward(self, hidden: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.modulate(functional.silu(embedded)).chunk(2, dim=1)
        return hidden + self.layers(self.norm(hidden) * (1 + scale) + shift)  # type: ignore[no-any-return]


class UNet2d(nn.Module):
    """A convolutional network for images that halves them, widens, and comes back with skip connections.

    Parameters
    ----------
    channels : int
        C of the image.
    code : int
        k, 0 for none.
    widths : sequence of int
        Channels at each resolution, from the image's own down; H and W must divide by ``2 ** (len(widths) - 1)``.
    blocks : int
        Residual blocks at each resolution, each way.
    attention : sequence of int
        Places in ``widths`` (0 is the image's own resolution) that also attend over all pixels.
    heads : int
        Of the attention.
    patch : int
        Squares of so many pixels a side enter and leave as one; 2 takes a quarter of the time.

    Examples
    --------
    >>> net = UNet2d(channels=1, code=2, widths=(8, 16))
    >>> net(torch.zeros(2, 1, 8, 8), torch.tensor([1, 5]), torch.zeros(2, 2)).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        channels: int,
        code: int = 0,
        widths: Sequence[int] = (24, 48),
        blocks: int = 1,
        attention: Sequence[int] = (),
        heads: int = 4,
        patch: int = 1,
    ) -> None:
        super().__init__()
        embedding = 4 * widths[0]
        self.patch = patch
        self.halvings = len(widths) - 1
        self.conditioning = Conditioning(embedding, code)
        self.first = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for place, wider in enumerate(widths):
            for _ in range(blocks):
                self.down.append(_Stage(width, wider, embedding, heads if place in attention else 0))
                skips.append(wider)
                width = wider
            if place < self.halvings:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                skips.append(width)
        self.middle = _Stage(width, width, embedding, heads if self.halvings in attention else 0)
        for place in reversed(range(len(widths))):
            for _ in range(blocks + 1):
                self.up.append(
                    _Stage(width + skips.pop(), widths[place], embedding, heads if place in attention else 0)
                )
                width = widths[place]
            if place > 0:
                self.up.append(_Upsample(width))
        self.last = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, channels * patch**2, 3, padding=1))

    def forward(self, x: Tensor, level: Tensor, code: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """Return the output for images (B, C, H, W) at levels (B,)."""
        factor = self.patch * 2**self.halvings
        if x.shape[-1] % factor or x.shape[-2] % factor:
            raise ParameterError(
                "E650",
                f"images of {x.shape[-2]} x {x.shape[-1]} pixels cannot be halved {self.halvings} times"
                f"{f' in patches of {self.patch}' if self.patch > 1 else ''}.",
                f"Pad them to a multiple of {factor}, or give the network fewer widths.",
            )
        embedded = self.conditioning(level, code, keep)
        hidden = self.first(functional.pixel_unshuffle(x, self.patch))
        skips = [hidden]
        for module in self.down:
            hidden = module(hidden, embedded) if isinstance(module, _Stage) else module(hidden)
            skips.append(hidden)
        hidden = self.middle(hidden, embedded)
        for module in self.up:
            if isinstance(module, _Stage):
                hidden = module(torch.cat([hidden, skips.pop()], dim=1), embedded)
            else:
                hidden = module(hidden)
        return functional.pixel_shuffle(self.last(hidden), self.patch)


class _Stage(nn.Module):
    """A residual block with scale and shift, and attention over pixels where ``heads`` says so."""

    def __init__(self, width: int, out: int, embedding: int, heads: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, out, 3, padding=1))
        self.modulate = nn.Linear(embedding, 2 * out)
        self.norm = _norm(out)
        self.leave = nn.Conv2d(out, out, 3, padding=1)
        self.past = nn.Conv2d(width, out, 1) if width != out else nn.Identity()
        self.attend = _Attention(out, heads) if heads else None
        nn.init.zeros_(self.leave.weight)  # a block starts as the identity
        nn.init.zeros_(self.leave.bias) if self.leave.bias is not None else None

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.modulate(functional.silu(embedded))[:, :, None, None].chunk(2, dim=1)
        hidden = self.norm(self.enter(x)) * (1 + scale) + shift
        out: Tensor = self.past(x) + self.leave(functional.silu(hidden))
        return out if self.attend is None else self.attend(out)


class _Attention(nn.Module):
    """Self-attention over the pixels of one image, added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ParameterError("E650", f"{width} channels do not divide into {heads} heads.", "Give another heads=.")
        self.heads = heads
        self.norm = _norm(width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        rows, width, height, breadth = x.shape
        parts = self.qkv(self.norm(x)).reshape(rows, 3, self.heads, width // self.heads, height * breadth)
        query, key, value = parts.transpose(-1, -2).unbind(1)  # (B, heads, H * W, width / heads)
        seen = functional.scaled_dot_product_attention(query, key, value)
        return x + self.out(seen.transpose(-1, -2).reshape(x.shape))  # type: ignore[no-any-return]


class _Upsample(nn.Module):
    """Each pixel four times, then smoothed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.smooth = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.smooth(functional.interpolate(x, scale_factor=2, mode="nearest"))  # type: ignore[no-any-return]


def _norm(width: int) -> nn.GroupNorm:
    """Return group normalisation with the most groups, at most 8, that divide the width."""
    return nn.GroupNorm(next(groups for groups in (8, 4, 2, 1) if width % groups == 0), width)
