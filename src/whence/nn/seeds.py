"""Random numbers of PyTorch from the library's seeds, and the device to compute on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from whence.errors import ParameterError
from whence.parallel import RandomState, child_seeds

Device = str | torch.device
"""A device of PyTorch, its name, or ``"auto"``."""


def seeded(random_state: RandomState = 0, device: Device = "cpu") -> torch.Generator:
    """Return a generator of PyTorch that a seed of the library determines.

    Parameters
    ----------
    random_state : int, numpy.random.Generator or None
        None takes a seed from the operating system.
    device : str or torch.device
        Where the generator draws; a GPU draws other numbers than the processor.

    Raises
    ------
    ParameterError
        If ``random_state`` is no seed or the device is not there.

    Examples
    --------
    >>> torch.equal(torch.rand(2, generator=seeded(3)), torch.rand(2, generator=seeded(3)))
    True
    """
    return torch.Generator(resolve_device(device)).manual_seed(_number(child_seeds(random_state, 1)[0]))


@contextmanager
def reproducible(random_state: RandomState = 0, device: Device = "cpu") -> Iterator[torch.Generator]:
    """Seed PyTorch's own random numbers inside a block, and leave them afterwards as they were found.

    Weights are drawn and dropout is applied from the global generator. Inside the block it depends on ``random_state``
    alone; outside, nobody notices that the block ran. There is one such generator in a process: blocks that run side by
    side in threads disturb each other, blocks in processes do not.

    Parameters
    ----------
    random_state : int, numpy.random.Generator or None
        As in `seeded`.
    device : str or torch.device
        The global generator of this device is seeded and restored too.

    Yields
    ------
    torch.Generator
        One on the processor, independent of the global one, for the order of rows and the like.

    Examples
    --------
    >>> with reproducible(0):
    ...     first = torch.nn.Linear(2, 1)
    >>> with reproducible(0):
    ...     second = torch.nn.Linear(2, 1)
    >>> torch.equal(first.weight, second.weight)
    True
    """
    place = resolve_device(device)
    for_global, for_rows = child_seeds(random_state, 2)
    before = global_state(place)
    try:
        torch.default_generator.manual_seed(_number(for_global))
        if place.type == "cuda":
            with torch.cuda.device(place):
                torch.cuda.manual_seed(_number(for_global))
        yield torch.Generator().manual_seed(_number(for_rows))
    finally:
        restore_global_state(before, place)


def global_state(device: torch.device) -> list[torch.Tensor]:
    """Return the states of PyTorch's global generators: the processor's and, for a GPU, that GPU's."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def restore_global_state(states: list[torch.Tensor], device: torch.device) -> None:
    """Put the states of `global_state` back."""
    torch.set_rng_state(states[0])
    if device.type == "cuda" and len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)


def resolve_device(device: Device = "auto") -> torch.device:
    """Return the device that is meant; ``"auto"`` is a GPU of CUDA where there is one, else the processor.

    Raises
    ------
    ParameterError
        If there is no such device here.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise _no_device(device, "that is no name of a device") from error
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise _no_device(device, f"this computer shows {torch.cuda.device_count()} GPUs of CUDA")
    return place


def _number(seed: np.random.SeedSequence) -> int:
    return int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _no_device(device: object, reason: str) -> ParameterError:
    return ParameterError(
        "E608", f"device={str(device)!r}: {reason}.", "Use device='cpu', or 'auto' for what is there."
    )
