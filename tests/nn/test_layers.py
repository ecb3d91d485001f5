"""Stacks of linear layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import whence as wh
from whence.nn import mlp, parameter_count


def test_a_stack_computes_what_its_layers_do():
    stack = mlp([3, 5, 4, 2], "gelu", out="tanh")
    x = torch.randn(7, 6, 3)
    first, second, third = (layer for layer in stack if isinstance(layer, nn.Linear))
    gelu = nn.functional.gelu
    assert torch.allclose(stack(x), torch.tanh(third(gelu(second(gelu(first(x)))))))


def test_activations_are_made_anew_and_may_be_functions():
    stack = mlp([2, 2, 2, 2], nn.PReLU, dropout=0.3)
    slopes = [layer for layer in stack if isinstance(layer, nn.PReLU)]
    assert len(slopes) == 2
    assert slopes[0].weight is not slopes[1].weight
    assert sum(isinstance(layer, nn.Dropout) for layer in stack) == 2


def test_parameters_are_counted():
    stack = mlp([3, 5, 2])
    assert parameter_count(stack) == 3 * 5 + 5 + 5 * 2 + 2
    stack[0].requires_grad_(False)
    assert parameter_count(stack, trained_only=True) == 5 * 2 + 2


@pytest.mark.parametrize("sizes", [[3], [3, 0, 2], []])
def test_impossible_sizes_are_named(sizes: list[int]):
    with pytest.raises(wh.ParameterError, match="are no layers"):
        mlp(sizes)


def test_unknown_activations_are_listed():
    with pytest.raises(wh.ParameterError, match=r"'swish' is not known\. Known: .*'silu'.*'identity'"):
        mlp([1, 2], out="swish")
