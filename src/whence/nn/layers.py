"""Small parts of networks: stacks of linear layers and their size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from whence.errors import ParameterError, quote_names

Activation = str | Callable[[], nn.Module]
"""A name of `ACTIVATIONS`, or a function that makes a module."""

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


def activation_module(activation: Activation) -> nn.Module:
    """Return a new module for an activation given by name or as a function that makes one.

    Raises
    ------
    ParameterError
        If the name is not known.
    """
    if not isinstance(activation, str):
        return activation()
    if activation not in ACTIVATIONS:
        raise ParameterError(
            "E602",
            f"activation={activation!r} is not known.",
            f"Known: {quote_names(ACTIVATIONS, limit=len(ACTIVATIONS))}; or give a function such as torch.nn.Mish.",
        )
    return ACTIVATIONS[activation]()


def mlp(
    sizes: Sequence[int], activation: Activation = "relu", out: Activation | None = None, dropout: float = 0.0
) -> nn.Sequential:
    """Return linear layers with an activation between each two: a multilayer perceptron.

    Parameters
    ----------
    sizes : sequence of int
        Width of the input, of every hidden layer and of the output; at least two numbers.
    activation : str or callable
        Between layers: ``"relu"``, ``"leaky_relu"``, ``"elu"``, ``"gelu"``, ``"silu"``, ``"tanh"``, ``"sigmoid"``,
        ``"softplus"``, ``"identity"``, or a function that makes a module.
    out : str, callable or None
        The activation after the last layer; None for none.
    dropout : float
        Share of the hidden values set to zero in training.

    Returns
    -------
    torch.nn.Sequential
        Takes (..., sizes[0]), returns (..., sizes[-1]).

    Raises
    ------
    ParameterError
        If a size is not positive, there are fewer than two, or an activation is not known.

    Examples
    --------
    >>> mlp([4, 8, 2], "tanh")
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): Tanh()
      (2): Linear(in_features=8, out_features=2, bias=True)
    )
    """
    widths = list(sizes)
    if len(widths) < 2 or any(width < 1 for width in widths):
        raise ParameterError(
            "E602", f"sizes={widths} are no layers.", "Give the widths of input, hidden layers and output, from 1 up."
        )
    layers: list[nn.Module] = []
    for number, (width, following) in enumerate(pairwise(widths)):
        if number > 0:
            layers.append(activation_module(activation))
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(width, following))
    if out is not None:
        layers.append(activation_module(out))
    return nn.Sequential(*layers)


def parameter_count(module: nn.Module, *, trained_only: bool = False) -> int:
    """Return how many numbers the module learns; with ``trained_only`` those that are not frozen.

    Examples
    --------
    >>> parameter_count(mlp([4, 8, 2]))
    58
    """
    return sum(part.numel() for part in module.parameters() if part.requires_grad or not trained_only)
