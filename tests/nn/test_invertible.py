"""Invertible blocks: the way back is exact, and log-determinants are those of the Jacobian that autograd computes."""

from __future__ import annotations

import pytest
import torch
from torch.func import jacrev, vmap

from whence.errors import ParameterError
from whence.nn import reproducible
from whence.nn.invertible import (
    AffineCoupling,
    GroupedTriangular,
    InvertibleLinear,
    InvertibleSequence,
    LeakyRectifier,
    real_nvp,
)

WIDTH, ROWS, GROUPS = 5, 7, 3


def disturbed(block):
    """Move a block away from the identity it may start from."""
    with torch.no_grad():
        for parameter in block.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return block.double()


def make(name: str):
    with reproducible(3):
        return disturbed(
            {
                "leaky": lambda: LeakyRectifier(0.3),
                "linear": lambda: InvertibleLinear(WIDTH),
                "coupling": lambda: AffineCoupling(WIDTH, 16),
                "coupling-flipped": lambda: AffineCoupling(WIDTH, 16, flip=True),
                "triangular": lambda: GroupedTriangular(WIDTH, GROUPS, 2),
                "triangular-signed": lambda: GroupedTriangular(WIDTH, GROUPS, WIDTH, signed=True, spread=1.0),
                "triangular-anchored": lambda: GroupedTriangular(WIDTH, GROUPS, 2, anchored=True),
                "flow": lambda: real_nvp(WIDTH, 4, 16),
                "sequence": lambda: InvertibleSequence([GroupedTriangular(WIDTH, GROUPS, 2), LeakyRectifier()]),
            }[name]()
        )


NAMES = [
    "leaky",
    "linear",
    "coupling",
    "coupling-flipped",
    "triangular",
    "triangular-signed",
    "triangular-anchored",
    "flow",
    "sequence",
]


@pytest.fixture
def rows():
    with reproducible(1):
        return torch.randn(ROWS, WIDTH, dtype=torch.float64), torch.arange(ROWS) % GROUPS


@pytest.mark.parametrize("name", NAMES)
def test_the_way_back_is_exact_and_cancels_the_log_determinant(name, rows):
    block, (x, group) = make(name), rows
    y, forth = block(x, group)
    again, back = block.inverse(y, group)
    torch.testing.assert_close(again, x, rtol=0, atol=1e-9)
    torch.testing.assert_close(forth + back, torch.zeros_like(forth), rtol=0, atol=1e-9)
    torch.testing.assert_close(block(block.inverse(x, group)[0], group)[0], x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_log_determinants_are_those_of_the_jacobian(name, rows):
    block, (x, group) = make(name), rows
    for way in (block.forward, block.inverse):

        def one(row, label, way=way):
            return way(row[None], label[None])[0][0]

        jacobians = (
            vmap(jacrev(one))(x, group)
            if "triangular" not in name
            else torch.stack([jacrev(one)(row, label) for row, label in zip(x, group)])
        )
        torch.testing.assert_close(way(x, group)[1], torch.linalg.slogdet(jacobians)[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_alone_is_a_row_of_the_batch(name, rows):
    block, (x, group) = make(name), rows
    y, stretch = block(x, group)
    alone, alone_stretch = block(x[2:3], group[2:3])
    torch.testing.assert_close(alone[0], y[2])
    torch.testing.assert_close(alone_stretch[0], stretch[2])


def test_shared_rows_are_shared_and_own_rows_differ():
    block = make("triangular")
    weights, scales, offsets = block.parts()
    for part in (weights, scales, offsets):
        torch.testing.assert_close(part[:, :3], part[:1, :3].expand_as(part[:, :3]))
        assert (part[0, 3:] != part[1, 3:]).any()
    assert (scales > 0).all()
    assert not weights.triu().any()


def test_an_anchored_map_leaves_group_zero_alone_and_the_shared_entries_of_all(rows):
    block, (x, _) = make("triangular-anchored"), rows
    torch.testing.assert_close(block(x, torch.zeros(ROWS, dtype=torch.long))[0], x)
    moved = block(x, torch.ones(ROWS, dtype=torch.long))[0]
    torch.testing.assert_close(moved[:, :3], x[:, :3])
    assert (moved[:, 3:] != x[:, 3:]).any()


def test_gradients_are_exact():
    block = make("sequence")
    x = torch.randn(3, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    group = torch.tensor([0, 1, 2])
    assert torch.autograd.gradcheck(lambda rows: block(rows, group), (x,))


@pytest.mark.parametrize(
    "build",
    [
        lambda: LeakyRectifier(0.0),
        lambda: AffineCoupling(1),
        lambda: GroupedTriangular(3, 2, 4),
        lambda: GroupedTriangular(3, 0, 1),
    ],
)
def test_impossible_sizes_are_named(build):
    with pytest.raises(ParameterError, match="E602"):
        build()
