"""PyTorch building blocks that the published neural systems share; none of them knows a paper.

The room needs the optional extra ``nn``. Importing it without PyTorch raises `MissingExtra`, which says how to get it;
nothing outside this room and the networks of `whence.systems` imports it, so the rest of the library runs without.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from whence.errors import MissingExtra

if find_spec("torch") is None:
    raise MissingExtra.of("torch", "nn", "a neural network")

# Public name -> module that holds it, imported on first use.
_HOME: dict[str, str] = {}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'whence.nn' has no attribute {name!r}")
    return getattr(import_module(f"whence.nn.{_HOME[name]}"), name)
