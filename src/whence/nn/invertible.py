"""Invertible layers with exact inverses and log-determinants.

Every block is called as ``block(rows, group) -> (rows, log_determinant)`` and undone by ``block.inverse``, whose second
value is the log-determinant of the way back. Axes: n rows, m entries of a row, K groups of rows (domains, sites).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from whence.errors import ParameterError
from whence.nn.layers import mlp

Pair = tuple[Tensor, Tensor]


class InvertibleBlock(nn.Module):
    """What the blocks of this module have in common: a way forth, a way back, each with its log-determinant."""

    def forward(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the image of rows (n, m) and the log of the absolute determinant of the Jacobian at each (n,)."""
        raise NotImplementedError

    def inverse(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return what `forward` was called with, and the log-determinant of this way back (n,)."""
        raise NotImplementedError


class LeakyRectifier(InvertibleBlock):
    """Leaky rectifier of each entry, with a slope above zero for what is negative.

    Examples
    --------
    >>> LeakyRectifier(0.5)(torch.tensor([[2.0, -2.0]]))
    (tensor([[ 2., -1.]]), tensor([-0.6931]))
    """

    def __init__(self, slope: float = 0.5) -> None:
        super().__init__()
        if not slope > 0:
            raise ParameterError("E602", f"slope={slope} is impossible.", "Give a number above 0.")
        self.slope = slope

    def forward(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the rectified rows and their log-determinants."""
        below = rows < 0
        return torch.where(below, rows * self.slope, rows), below.sum(-1).to(rows.dtype) * math.log(self.slope)

    def inverse(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the rows before rectification."""
        below = rows < 0
        return torch.where(below, rows / self.slope, rows), below.sum(-1).to(rows.dtype) * -math.log(self.slope)


class InvertibleLinear(InvertibleBlock):
    """An affine map ``W x + b`` of square W, the identity at first.

    Examples
    --------
    >>> block = InvertibleLinear(3)
    >>> block(torch.ones(1, 3))[0]
    tensor([[1., 1., 1.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return ``W x + b``."""
        return rows @ self.weight.T + self.bias, torch.linalg.slogdet(self.weight)[1].expand(len(rows))

    def inverse(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return ``W^-1 (y - b)``."""
        back = torch.linalg.solve(self.weight, (rows - self.bias).T).T
        return back, -torch.linalg.slogdet(self.weight)[1].expand(len(rows))


class AffineCoupling(InvertibleBlock):
    """Half of the entries are scaled and shifted by a network of the other half (Dinh et al. 2017, equations 4 and 5).

    Parameters
    ----------
    width : int
        m, at least 2.
    hidden : int
        Width of the two hidden layers.
    flip : bool
        Which half is changed; alternate it along a flow.
    reach : float
        Log-scales stay between minus and plus this.
    """

    def __init__(self, width: int, hidden: int = 64, *, flip: bool = False, reach: float = 2.0) -> None:
        super().__init__()
        if width < 2:
            raise ParameterError("E602", f"width={width} cannot be coupled.", "A coupling needs two entries at least.")
        changed = torch.arange(width) % 2 == int(flip)
        self.reach = reach
        self.register_buffer("changed", changed.nonzero()[:, 0], persistent=False)
        self.register_buffer("kept", (~changed).nonzero()[:, 0], persistent=False)
        self.register_buffer("places", torch.argsort(torch.cat([self.kept, self.changed])), persistent=False)
        self.network = mlp([len(self.kept), hidden, hidden, 2 * len(self.changed)])
        last = self.network[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    kept: Tensor
    changed: Tensor
    places: Tensor

    def forward(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the coupled rows; the identity before training."""
        kept, changed = rows[:, self.kept], rows[:, self.changed]
        log_scale, shift = self._of(kept)
        return self._joined(kept, changed * log_scale.exp() + shift), log_scale.sum(-1)

    def inverse(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the rows before coupling."""
        kept, changed = rows[:, self.kept], rows[:, self.changed]
        log_scale, shift = self._of(kept)
        return self._joined(kept, (changed - shift) * (-log_scale).exp()), -log_scale.sum(-1)

    def _of(self, kept: Tensor) -> Pair:
        log_scale, shift = self.network(kept).chunk(2, dim=-1)
        return self.reach * torch.tanh(log_scale / self.reach), shift

    def _joined(self, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat([kept, changed], dim=-1)[:, self.places]


class GroupedTriangular(InvertibleBlock):
    """An autoregressive affine map for each group of rows: ``y = (I - L_g)^-1 S_g x + b_g``.

    The first m - own rows of (L, S, b) are shared by all groups, the last ``own`` are each group's. The triangular
    systems are solved once for each group, and the rows of a batch take theirs.

    Parameters
    ----------
    width : int
        m.
    groups : int
        K.
    own : int
        How many rows are each group's own: 0 for one map for all, m for a map of its own for every group.
    anchored : bool
        Group 0 is the identity, and the shared rows are those of the identity.
    signed : bool
        Scales may be negative: ``S`` is a free number. Otherwise it is an exponential. A sign never changes in
        training, so that negative scales drawn at random pair high noise in one group with low noise in another.
    spread : float
        Standard deviation of the numbers at first. Groups start alike unless ``signed``, where all are drawn.
    """

    def __init__(
        self,
        width: int,
        groups: int,
        own: int,
        *,
        anchored: bool = False,
        signed: bool = False,
        spread: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= own <= width or groups < 1:
            raise ParameterError(
                "E602",
                f"own={own} of width={width} rows for {groups} groups is impossible.",
                "Give own from 0 to width, and a group at least.",
            )
        self.width, self.groups, self.own, self.anchored, self.signed = width, groups, own, anchored, signed
        drawn = spread * torch.randn(1 if not signed else groups + 1, width, width + 2)
        shared = width - own
        self.shared = nn.Parameter(drawn[0, :shared].clone())
        self.tables = nn.Parameter(drawn[-groups:, shared:].expand(groups, own, width + 2).clone())
        if anchored:
            self.shared.requires_grad_(False).zero_()

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return L (K, m, m), the diagonal of S (K, m) and b (K, m)."""
        whole = torch.cat([self.shared.expand(self.groups, -1, -1), self.tables], dim=1)
        if self.anchored:
            whole = torch.cat([torch.zeros_like(whole[:1]), whole[1:]])
        weights, scales, offsets = whole[..., : self.width].tril(-1), whole[..., self.width], whole[..., -1]
        return weights, scales if self.signed and not self.anchored else scales.exp(), offsets

    def forward(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the rows (n, m) mapped by their groups' maps; ``group`` (n,) holds numbers from 0 to K - 1."""
        weights, scales, offsets = self.parts()
        eye = torch.eye(self.width, dtype=rows.dtype, device=rows.device)
        maps = torch.linalg.solve_triangular(eye - weights, torch.diag_embed(scales), upper=False)
        return self._gathered(maps, offsets, scales.abs().log().sum(-1), rows, group)

    def inverse(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return ``S^-1 (I - L) (y - b)`` of each row's group."""
        weights, scales, offsets = self.parts()
        eye = torch.eye(self.width, dtype=rows.dtype, device=rows.device)
        maps = (eye - weights) / scales[..., None]
        shifts = -(maps @ offsets[..., None])[..., 0]
        return self._gathered(maps, shifts, -scales.abs().log().sum(-1), rows, group)

    def _gathered(self, maps: Tensor, shifts: Tensor, logs: Tensor, rows: Tensor, group: Tensor | None) -> Pair:
        if group is None:
            group = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
        every = rows @ maps.transpose(-1, -2) + shifts[:, None]  # (K, n, m): one product for each group
        return every[group, torch.arange(len(rows), device=rows.device)], logs[group]


class InvertibleSequence(InvertibleBlock):
    """Blocks one after another.

    Examples
    --------
    >>> flow = InvertibleSequence([InvertibleLinear(2), LeakyRectifier(0.5)])
    >>> rows = torch.tensor([[1.0, -3.0]])
    >>> torch.equal(flow.inverse(flow(rows)[0])[0], rows)
    True
    """

    def __init__(self, blocks: Sequence[InvertibleBlock]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the rows after all blocks, and the sum of log-determinants."""
        total = rows.new_zeros(len(rows))
        for block in self.blocks:
            rows, stretch = block(rows, group)
            total = total + stretch
        return rows, total

    def inverse(self, rows: Tensor, group: Tensor | None = None) -> Pair:
        """Return the rows before all blocks."""
        total = rows.new_zeros(len(rows))
        for block in reversed(self.blocks):
            rows, stretch = block.inverse(rows, group)  # type: ignore[operator]
            total = total + stretch
        return rows, total


def real_nvp(width: int, depth: int = 4, hidden: int = 64) -> InvertibleSequence:
    """Return a flow of ``depth`` couplings that alternate, each behind a linear map; the identity before training.

    References
    ----------
    Dinh, Sohl-Dickstein and Bengio (2017). Density estimation using Real NVP. ICLR.

    Examples
    --------
    >>> rows = torch.randn(5, 3)
    >>> flow = real_nvp(3)
    >>> bool(torch.allclose(flow.inverse(flow(rows)[0])[0], rows, atol=1e-6))
    True
    """
    blocks: list[InvertibleBlock] = []
    for k in range(depth):
        blocks += [InvertibleLinear(width), AffineCoupling(width, hidden, flip=k % 2 == 1)]
    return InvertibleSequence([*blocks, InvertibleLinear(width)])
