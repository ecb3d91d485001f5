"""Ranks and median gaps against scipy's and against all pairs written out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from whence.independence._kernels_ranks import doubled_ranks, median_gap

VALUES = st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), min_size=2, max_size=40)


@given(VALUES)
def test_doubled_ranks_are_those_of_scipy(values: list[float]) -> None:
    column = np.array(values)
    assert (doubled_ranks(column, np.argsort(column)) == 2 * rankdata(column)).all()


@given(VALUES)
def test_median_gap_is_the_median_over_all_pairs_that_differ(values: list[float]) -> None:
    ordered = np.sort(values)
    gaps = np.abs(np.subtract.outer(ordered, ordered))
    if gaps.any():
        assert median_gap(ordered) == np.median(gaps[gaps > 0])
