"""What a training run was asked for: checked before the first step, recorded in its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whence.errors import ParameterError
from whence.nn._training import Schedule, rate_factor
from whence.parallel import RandomState

Rates = float | Sequence[tuple[nn.Module | Iterable[nn.Parameter], float]]
Optimiser = str | Callable[[list[dict[str, Any]]], torch.optim.Optimizer]

_OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
_PRECISIONS = ("float32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of `whence.nn.fit` that the loop reads."""

    steps: int
    learning_rate: Rates
    optimiser: Optimiser
    schedule: Schedule
    clip: float | None
    average: float | None
    precision: str
    validate_every: int
    patience: int | None
    checkpoint_every: int

    def check(self) -> None:
        """Raise ParameterError for the first setting that is impossible."""
        for name in ("steps", "validate_every", "patience", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, (int, np.integer)) or value < 1):
                raise _impossible(name, value, "a whole number from 1 up")
        try:
            rates = self.rates
        except (TypeError, ValueError) as error:
            wanted = "a positive number, or a list of (module or parameters, positive number)"
            raise _impossible("learning_rate", self.learning_rate, wanted) from error
        for rate in rates:
            if not (math.isfinite(rate) and rate > 0):
                raise _impossible("learning_rate", rate, "positive numbers")
        if self.clip is not None and not self.clip > 0:
            raise _impossible("clip", self.clip, "a positive number, or None")
        if self.average is not None and not 0 < self.average < 1:
            raise _impossible("average", self.average, "a decay between 0 and 1 such as 0.999, or None")
        if self.precision not in _PRECISIONS:
            raise _impossible("precision", self.precision, f"one of {', '.join(map(repr, _PRECISIONS))}")
        if not callable(self.optimiser) and self.optimiser not in _OPTIMISERS:
            raise _impossible("optimiser", self.optimiser, "'adam', 'adamw', 'sgd', or a function of parameter groups")
        rate_factor(self.schedule, self.steps)

    @property
    def rates(self) -> list[float]:
        """The learning rate of every group."""
        if isinstance(self.learning_rate, (int, float)):
            return [float(self.learning_rate)]
        return [float(rate) for _, rate in self.learning_rate]

    def record(self, random_state: RandomState) -> dict[str, Any]:
        """Return what a checkpoint must agree with: everything that changes the numbers of the next step."""
        return {
            "optimiser": self.optimiser if isinstance(self.optimiser, str) else "custom",
            "learning_rate": self.rates,
            "schedule": "custom" if callable(self.schedule) else self.schedule,
            "steps": self.steps if isinstance(self.schedule, str) else None,
            "clip": self.clip,
            "average": self.average,
            "precision": self.precision,
            "random_state": int(random_state) if isinstance(random_state, (int, np.integer)) else None,
        }


def make_optimiser(settings: Settings, model: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """Return the optimiser over all parameters of the groups that require a gradient."""
    rate = settings.learning_rate
    chosen = [(model, float(rate))] if isinstance(rate, (int, float)) else rate
    groups = []
    for part, value in chosen:
        parameters = part.parameters() if isinstance(part, nn.Module) else part
        groups.append({"params": [each for each in parameters if each.requires_grad], "lr": float(value)})
    groups = [group for group in groups if group["params"]]
    listed = [parameter for group in groups for parameter in group["params"]]  # type: ignore[attr-defined]
    if not listed:
        raise ParameterError(
            "E602",
            f"{type(model).__name__} has no parameter that requires a gradient.",
            "Unfreeze what is to be trained, or name it in learning_rate=[(module, rate), ...].",
        )
    if len({id(parameter) for parameter in listed}) < len(listed):
        raise ParameterError(
            "E602", "learning_rate names a parameter in two groups.", "Leave out of one module what another holds."
        )
    if callable(settings.optimiser):
        return settings.optimiser(groups)
    fused = device.type in ("cpu", "cuda") and all(parameter.is_floating_point() for parameter in listed)
    return _OPTIMISERS[settings.optimiser](groups, fused=fused)


def scalar_losses(returned: Tensor | Mapping[str, Tensor | float], step: int) -> dict[str, Tensor]:
    """Return what a loss function returned as named tensors of one number each, ``"loss"`` among them."""
    given = dict(returned) if isinstance(returned, Mapping) else {"loss": returned}
    if "loss" not in given:
        raise _no_loss(f"a mapping without 'loss' (it has {', '.join(map(repr, given))})", step)
    parts = {}
    for name, value in given.items():
        if not isinstance(value, (Tensor, int, float)):
            raise _no_loss(f"{name!r} as {type(value).__name__}", step)
        parts[name] = value if isinstance(value, Tensor) else torch.tensor(float(value))
        if parts[name].numel() != 1:
            raise _no_loss(f"{name!r} with shape {tuple(parts[name].shape)}", step)
    if not parts["loss"].requires_grad:
        raise _no_loss("a value that depends on no trained parameter", step)
    return parts


def _impossible(name: str, value: object, wanted: str) -> ParameterError:
    return ParameterError("E602", f"{name}={value!r} is impossible in training.", f"Give {wanted}.")


def _no_loss(found: str, step: int) -> ParameterError:
    return ParameterError(
        "E603",
        f"the loss function returned {found} at step {step}.",
        "Return a tensor of one number computed by the model, or a mapping of these with the name 'loss'.",
    )
