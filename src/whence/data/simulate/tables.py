"""From simulated arrays to a Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from whence.data.dataset import Dataset


def as_table(
    values: NDArray[np.float64],
    names: Sequence[str],
    kinds: Mapping[str, str],
    *,
    roles: Mapping[str, str] | None = None,
) -> Dataset:
    """Return a Dataset of float columns, with whole numbers for the kinds that count or name levels."""
    import pyarrow as pa

    from whence.data import read

    columns: dict[str, Any] = {}
    for index, name in enumerate(names):
        column = values[:, index]
        if name in kinds:
            blank = np.isnan(column)
            columns[name] = pa.array(np.where(blank, 0, column).astype(np.int64), mask=blank)
        else:
            columns[name] = pa.array(np.ascontiguousarray(column), mask=np.isnan(column))
    declared = {**dict.fromkeys(names, "continuous"), **kinds}
    return read(pa.table(columns), kinds=declared, roles=dict(roles or {}))
