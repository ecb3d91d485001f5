"""Modules of kernels that are compiled when first used, so that an analysis waits for none that it does not need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Kernels:
    """The kernels of a module as attributes; the module is imported, and so compiled, at the first look.

    Examples
    --------
    >>> graph = Kernels("whence.graph._kernels")
    >>> graph.meek_lists.__name__
    'meek_lists'
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self._module), name)
        setattr(self, name, found)
        return found
