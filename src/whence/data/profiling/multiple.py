"""Many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def benjamini_yekutieli(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted for the false discovery rate under any dependence (Benjamini and Yekutieli 2001).

    NaN entries are no tests and stay NaN.

    >>> benjamini_yekutieli([0.01, 0.5]).round(3).tolist()
    [0.03, 0.75]
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = ~np.isnan(values)
    count = int(tested.sum())
    if count == 0:
        return adjusted
    order = np.argsort(values[tested])
    ranks = np.arange(1, count + 1)
    scaled = values[tested][order] * count / ranks * (1.0 / ranks).sum()
    monotone = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    restored = np.empty(count)
    restored[order] = monotone
    adjusted[tested] = restored
    return adjusted
