"""From names to the arrays that compiled tests take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whence.errors import ParameterError, quote_names

if TYPE_CHECKING:
    from whence.independence.result import Query

Arrays = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def as_arrays(names: tuple[str, ...], queries: Sequence[Query]) -> Arrays:
    """Return first, second (k,), start (k + 1,) and given: the columns given to query q are given[start[q]:start[q+1]].

    Raises
    ------
    ParameterError
        If a name is not a column, or a query names one twice.
    """
    index = {name: position for position, name in enumerate(names)}
    first, second, start, flat = [], [], [0], []
    for x, y, given in queries:
        chosen = [x, y, *([given] if isinstance(given, str) else given)]
        absent = [name for name in chosen if name not in index]
        if absent:
            raise ParameterError(
                "E309",
                f"the test was asked about {quote_names(absent)}, which is not among its columns.",
                f"Columns: {quote_names(names)}.",
            )
        if len(set(chosen)) < len(chosen):
            raise ParameterError(
                "E309",
                f"a test of {x!r} and {y!r} given {quote_names(chosen[2:]) or 'nothing'} names a column twice.",
                "Give two different columns and others beside them.",
            )
        first.append(index[x])
        second.append(index[y])
        flat += [index[name] for name in chosen[2:]]
        start.append(len(flat))
    return tuple(np.array(part, dtype=np.int64) for part in (first, second, start, flat))  # type: ignore[return-value]
