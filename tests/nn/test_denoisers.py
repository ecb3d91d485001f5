"""Denoisers: shapes, what the code and the level do, and the null code."""

from __future__ import annotations

import pytest
import torch

from whence.errors import ParameterError
from whence.nn.denoisers import Conditioning, MLPDenoiser, UNet2d, sinusoidal
from whence.nn.seeds import reproducible, seeded

torch.set_num_threads(1)


def nets():
    with reproducible(0):
        return [
            (MLPDenoiser(6, code=3, width=16, blocks=2), (6,)),
            (UNet2d(2, code=3, widths=(8, 16), blocks=1), (2, 8, 8)),
            (UNet2d(1, code=3, widths=(8, 8), patch=2), (1, 8, 12)),
            (UNet2d(1, code=3, widths=(8, 8, 8), blocks=2, attention=(1, 2), heads=2), (1, 8, 12)),
        ]


@pytest.mark.parametrize("case", range(4))
def test_every_row_is_computed_by_itself(case):
    net, shape = nets()[case]
    net = net.double()
    x, code = torch.randn(5, *shape, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    level = torch.tensor([1, 5, 9, 20, 33])
    whole = net(x, level, code)
    assert whole.shape == x.shape
    torch.testing.assert_close(net(x[2:3], level[2:3], code[2:3]), whole[2:3])


@pytest.mark.parametrize("case", range(4))
def test_a_kept_back_code_is_no_code_and_not_a_code_of_zeros(case):
    net, shape = nets()[case]
    with torch.no_grad():
        for part in net.parameters():  # blocks start as the identity; move off that point
            part.add_(0.05 * torch.randn(part.shape, generator=seeded(1)))
    net.requires_grad_(False)
    x, code, level = torch.randn(2, *shape, generator=seeded(2)), torch.ones(2, 3), torch.tensor([3, 3])
    kept_back = net(x, level, code, torch.tensor([False, False]))
    torch.testing.assert_close(kept_back, net(x, level))
    assert float((net(x, level, torch.zeros(2, 3)) - kept_back).abs().max()) > 1e-6
    assert float((net(x, level, code) - kept_back).abs().max()) > 1e-4
    mixed = net(x, level, code, torch.tensor([True, False]))
    torch.testing.assert_close(mixed, torch.cat([net(x, level, code)[:1], kept_back[1:]]))


def test_levels_are_told_apart():
    embedded = sinusoidal(torch.arange(1, 1001), 32)
    distance = torch.cdist(embedded.double(), embedded.double()) + torch.eye(1000)
    assert float(distance.min()) > 0.05


@pytest.mark.parametrize("case", range(4))
def test_gradients_are_right(case):
    net, shape = nets()[case]
    net = net.double()
    x = torch.randn(2, *shape, dtype=torch.float64, generator=seeded(3))
    code = torch.randn(2, 3, dtype=torch.float64, generator=seeded(4), requires_grad=True)
    with torch.no_grad():
        for part in net.parameters():
            part.add_(0.1 * torch.randn(part.shape, generator=seeded(5)))
    assert torch.autograd.gradcheck(
        lambda code: net(x, torch.tensor([2, 7]), code).square().sum(), code, eps=1e-5, atol=1e-4
    )


def test_a_denoiser_without_a_code_and_what_is_refused():
    assert Conditioning(8, 0)(torch.tensor([1, 2])).shape == (2, 8)
    with pytest.raises(ParameterError, match="halved"):
        UNet2d(1, widths=(4, 4, 4))(torch.zeros(1, 1, 10, 10), torch.tensor([1]))
    with pytest.raises(ParameterError, match="heads"):
        UNet2d(1, widths=(6, 6), attention=(1,), heads=4)
