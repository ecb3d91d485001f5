"""Compiled kernels: one decorator, so that every hot loop is built the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(
    signature: Any = None, *, parallel: bool = False, inline: bool = False, reassociate: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function to machine code, cached on disk, without the interpreter lock.

    An explicit signature keeps each kernel to one compiled version: callers pass C-contiguous arrays of that type.
    With ``reassociate`` sums may be reordered, so that loops over rows use the processor's vector units.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
    if parallel:
        options["parallel"] = True
    if reassociate:
        options["fastmath"] = {"reassoc", "contract", "nsz"}
    if inline:
        options["inline"] = "always"
    return numba.njit(signature, **options) if signature is not None else numba.njit(**options)  # type: ignore[no-any-return]
