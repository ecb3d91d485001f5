"""Compiled kernels: one decorator, so that every hot loop is built the same way."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba.core import cgutils, sigutils, types
from numba.extending import intrinsic


def kernel(
    signature: Any = None,
    *,
    parallel: bool = False,
    inline: bool = False,
    forceinline: bool = False,
    reassociate: bool = False,
    as_argument: bool = False,
    allocates: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function to machine code, cached on disk, without the interpreter lock.

    An explicit signature keeps each kernel to one compiled version: callers pass C-contiguous arrays of that type.
    With ``inline`` its statements are compiled as its callers' own, under their settings; with ``forceinline`` its code
    is put into theirs once compiled, which spares handing over arrays of seven words each.
    With ``reassociate`` sums may be reordered, so that loops over rows use the processor's vector units. With
    ``as_argument`` kernels can be handed to others, as ``FunctionType(signature)``: those are then compiled without the
    body of these, which costs a call some 0.1 microseconds and spares seconds of compilation. With ``allocates=False``
    a kernel makes no arrays and does not count the references to those it is given, which spares a call up to 0.3
    microseconds: for the inner kernels of a search.
    """
    options: dict[str, Any] = {
        "cache": True,
        "nogil": True,
        "error_model": "numpy",
        "no_cfunc_wrapper": not as_argument,
    }
    if parallel:
        options["parallel"] = True
    if not allocates:
        options["_nrt"] = False
    if reassociate:
        options["fastmath"] = {"reassoc", "contract", "nsz"}
    if inline:
        options["inline"] = "always"
    if forceinline:
        options["forceinline"] = True
    return numba.njit(signature, **options) if signature is not None else numba.njit(**options)  # type: ignore[no-any-return]


@intrinsic  # type: ignore[untyped-decorator]
def count_bits(typing: Any, word: Any) -> Any:
    """Return how many bits of a uint64 are set, as one machine instruction; for use inside kernels."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.int64(numba.uint64), emit


@cache
def address_of(function: Any) -> int:
    """Return where the machine code of a kernel of one signature begins; `function_at` makes a function of it again.

    A call from Python costs some 3 microseconds with addresses among its arguments, and some 80 for each kernel.
    """
    (compiled,) = function.overloads.values()
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def function_at(signature: str) -> Any:
    """Return what turns an address into a function of a signature, for use inside kernels."""
    arguments, result = sigutils.normalize_signature(signature)
    kind = types.FunctionType(result(*arguments))

    @intrinsic  # type: ignore[untyped-decorator]
    def at(typing: Any, address: Any) -> Any:
        """Return the function whose machine code begins at an address."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            function = cgutils.create_struct_proxy(kind)(context, builder)
            function.c_addr = function.py_addr = context.get_constant_null(types.voidptr)
            function.jit_addr = builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))
            return function._getvalue()

        return kind(types.int64), emit

    return at
