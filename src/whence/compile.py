"""Compiled kernels: one decorator, so that every hot loop is built the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.extending import intrinsic


def kernel(
    signature: Any = None,
    *,
    parallel: bool = False,
    inline: bool = False,
    reassociate: bool = False,
    as_argument: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function to machine code, cached on disk, without the interpreter lock.

    An explicit signature keeps each kernel to one compiled version: callers pass C-contiguous arrays of that type.
    With ``reassociate`` sums may be reordered, so that loops over rows use the processor's vector units. With
    ``as_argument`` kernels can be handed to others, as ``FunctionType(signature)``: those are then compiled without the
    body of these, which costs a call some 0.1 microseconds and spares seconds of compilation.
    """
    options: dict[str, Any] = {
        "cache": True,
        "nogil": True,
        "error_model": "numpy",
        "no_cfunc_wrapper": not as_argument,
    }
    if parallel:
        options["parallel"] = True
    if reassociate:
        options["fastmath"] = {"reassoc", "contract", "nsz"}
    if inline:
        options["inline"] = "always"
    return numba.njit(signature, **options) if signature is not None else numba.njit(**options)  # type: ignore[no-any-return]


@intrinsic  # type: ignore[untyped-decorator]
def count_bits(typing: Any, word: Any) -> Any:
    """Return how many bits of a uint64 are set, as one machine instruction; for use inside kernels."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.int64(numba.uint64), emit
