"""Ways to let a condition, such as a style or a domain, change the values inside a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whence.errors import DataError, ParameterError
from whence.nn.layers import Activation, mlp


class ConcatResidual(nn.Module):
    """Add to values what a small network makes of them and a condition: v + MLP([v ; c]).

    Parameters
    ----------
    width : int
        Length of the values.
    condition : int
        Length of the condition.
    hidden : int or None
        Width of the hidden layer; as the values' without it.
    activation : str or callable
        Of `mlp`.

    Examples
    --------
    >>> block = ConcatResidual(width=16, condition=8)
    >>> block(torch.zeros(5, 16), torch.zeros(8)).shape
    torch.Size([5, 16])
    """

    def __init__(self, width: int, condition: int, hidden: int | None = None, activation: Activation = "relu") -> None:
        super().__init__()
        self.width, self.condition = width, condition
        self.change = mlp([width + condition, hidden or width, width], activation)

    def forward(self, values: Tensor, condition: Tensor) -> Tensor:
        """Return the changed values.

        Parameters
        ----------
        values : Tensor (..., width)
        condition : Tensor (condition,), or (..., condition) with axes that broadcast to those of the values

        Returns
        -------
        Tensor (..., width)
        """
        _check_last("values", values, self.width)
        _check_last("condition", condition, self.condition)
        spread = condition.expand(*values.shape[:-1], self.condition)
        change: Tensor = self.change(torch.cat([values, spread], dim=-1))
        return values + change


class FiLM(nn.Module):
    """Scale and shift each channel by linear functions of a condition; the identity before training.

    Parameters
    ----------
    width : int
        Number of channels.
    condition : int
        Length of the condition.
    axis : int
        The values' axis of channels: -1 for (N, ..., width), 1 for images (N, width, height, breadth).

    References
    ----------
    Perez, E. et al. (2018). FiLM: visual reasoning with a general conditioning layer. AAAI, equation (2); the scale is
    written as 1 + gamma.

    Examples
    --------
    >>> block, images = FiLM(width=4, condition=3, axis=1), torch.randn(2, 4, 8, 8)
    >>> torch.equal(block(images, torch.randn(2, 3)), images)
    True
    """

    def __init__(self, width: int, condition: int, axis: int = -1) -> None:
        super().__init__()
        if axis not in (-1, 1):
            raise ParameterError("E602", f"axis={axis!r} is no axis of channels.", "Give -1 (last) or 1 (images).")
        self.width, self.condition, self.axis = width, condition, axis
        self.scale_shift = nn.Linear(condition, 2 * width)
        nn.init.zeros_(self.scale_shift.weight)
        nn.init.zeros_(self.scale_shift.bias)

    def forward(self, values: Tensor, condition: Tensor) -> Tensor:
        """Return the scaled and shifted values.

        Parameters
        ----------
        values : Tensor (N, ..., width), or (N, width, ...) with ``axis=1``
        condition : Tensor (condition,) for all rows, or (N, condition)

        Returns
        -------
        Tensor of the values' shape
        """
        _check_last("condition", condition, self.condition)
        if values.shape[self.axis] != self.width or condition.ndim > 2:
            raise DataError(
                "E610",
                f"values have shape {tuple(values.shape)}, the condition {tuple(condition.shape)}; the block was built "
                f"for {self.width} channels on axis {self.axis}.",
                "Give one condition for all rows or one per row.",
            )
        scale, shift = self.scale_shift(condition).chunk(2, dim=-1)
        shape = [1] * values.ndim
        shape[0], shape[self.axis] = (1 if condition.ndim == 1 else len(condition)), self.width
        changed: Tensor = values * (1.0 + scale.reshape(shape)) + shift.reshape(shape)
        return changed


def _check_last(name: str, tensor: Tensor, width: int) -> None:
    if tensor.ndim == 0 or tensor.shape[-1] != width:
        raise DataError(
            "E610",
            f"{name} have shape {tuple(tensor.shape)}.",
            f"The block was built for a last axis of {width}.",
        )
