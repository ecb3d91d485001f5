"""Conditions that change values inside a network."""

from __future__ import annotations

import pytest
import torch

import whence as wh
from whence.nn import ConcatResidual, FiLM, reproducible, seeded


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=seeded(sum(shape)))


def test_a_residual_block_adds_what_two_layers_make_of_both():
    with reproducible(0):
        block = ConcatResidual(4, 3, hidden=6).double()
    values, condition = drawn(5, 4), drawn(5, 3)
    first, last = block.change[0], block.change[2]
    expected = values + last(torch.relu(first(torch.cat([values, condition], dim=1))))
    assert torch.allclose(block(values, condition), expected)


def test_one_condition_serves_all_rows():
    with reproducible(0):
        block = ConcatResidual(4, 3, activation="tanh").double()
    condition = drawn(3)
    values = drawn(2, 5, 4)
    assert torch.equal(block(values, condition), block(values, condition.expand(2, 5, 3)))
    rows = drawn(2, 1, 3)
    assert torch.allclose(block(values, rows)[1], block(values[1], rows[1]))


@pytest.mark.parametrize(("axis", "shape"), [(-1, (5, 4)), (-1, (5, 7, 4)), (1, (5, 4, 6, 3))])
def test_film_scales_and_shifts_each_channel(axis: int, shape: tuple[int, ...]):
    block = FiLM(4, 3, axis=axis).double()
    values, condition = drawn(*shape), drawn(5, 3)
    assert torch.equal(block(values, condition), values)
    with torch.no_grad():
        block.scale_shift.weight.copy_(drawn(8, 3))
        block.scale_shift.bias.copy_(drawn(8))
    changed = block(values, condition)
    for row in range(5):
        both = block.scale_shift(condition[row])
        for channel in range(4):
            expected = values[row].select(axis if axis < 0 else 0, channel) * (1 + both[channel]) + both[4 + channel]
            assert torch.allclose(changed[row].select(axis if axis < 0 else 0, channel), expected)
    assert torch.allclose(block(values, condition[0])[1], block(values[1:2], condition[:1])[0])


def test_what_does_not_fit_is_named():
    with pytest.raises(wh.DataError, match=r"condition have shape \(2,\).*last axis of 3"):
        ConcatResidual(4, 3)(torch.zeros(5, 4), torch.zeros(2))
    with pytest.raises(wh.DataError, match=r"values have shape \(5, 3\)"):
        ConcatResidual(4, 3)(torch.zeros(5, 3), torch.zeros(3))
    with pytest.raises(wh.DataError, match=r"values have shape \(5, 3, 2\).*4 channels on axis 1"):
        FiLM(4, 3, axis=1)(torch.zeros(5, 3, 2), torch.zeros(3))
    with pytest.raises(wh.ParameterError, match="axis=2"):
        FiLM(4, 3, axis=2)
