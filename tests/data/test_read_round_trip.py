"""Whatever a table holds, every reader finds the same in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whence.data import read, sql_reading
from whence.errors import DataError

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 3))
# Letters that no format takes for a number, a date, a truth value or an absent value.
WORDS = st.text(alphabet="ghkß 🚀\"',;|[]{}", min_size=1, max_size=6).filter(lambda word: word == word.strip())
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(" ,;'\"[]"), min_size=1, max_size=12
).filter(lambda name: name == name.strip())


@st.composite
def tables(draw):
    rows = draw(st.integers(3, 12))
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique_by=lambda name: name.casefold()))
    columns = {}
    for name in names:
        values = draw(st.sampled_from([NUMBERS, st.integers(-50, 50), st.integers(0, 1), WORDS]))
        gaps = draw(st.booleans())
        listed = draw(st.lists(st.none() | values if gaps else values, min_size=rows, max_size=rows))
        if all(value is None for value in listed):
            listed[0] = draw(values)
        columns[name] = listed
    return columns


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(columns=tables(), sample=st.sampled_from([2, 10_000]))
def test_any_table_through_any_reader_is_the_same(constructor, columns, sample):
    expected = read(columns)
    numeric = [name for name in expected.names if _takes(expected.numeric, name)]
    discrete = [name for name in expected.names if _takes(expected.codes, name)][:2]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_reading, "SAMPLE_ROWS", sample)  # with two first rows the queries over all rows decide
        source, own = constructor(columns, Path(folder))
        table = read(source, **own)
        assert table.names == expected.names
        assert table.kinds() == expected.kinds()
        for name, column in expected.columns.items():
            assert (table.columns[name].missing, table.columns[name].levels) == (column.missing, column.levels)
        _same_moments(table.moments(numeric), expected.moments(numeric))
        assert table.counts(discrete).levels == expected.counts(discrete).levels
        np.testing.assert_array_equal(table.counts(discrete).table, expected.counts(discrete).table)
        if discrete and numeric:
            groups, wanted = (one.moments(numeric, by=discrete[0]) for one in (table, expected))
            assert list(groups) == list(wanted)
            for level, moments in wanted.items():
                _same_moments(groups[level], moments)


def _takes(ask, name) -> bool:
    try:
        ask([name])
    except DataError:
        return False
    return True


def _same_moments(found, expected) -> None:
    assert (found.names, found.n, found.rows) == (expected.names, expected.n, expected.rows)
    scale = np.maximum(np.abs(expected.mean), np.sqrt(np.abs(np.diag(expected.covariance)))) + 1e-100
    np.testing.assert_allclose(found.mean / scale, expected.mean / scale, atol=1e-12)
    near = np.outer(scale, scale)
    np.testing.assert_allclose(found.covariance / near, expected.covariance / near, atol=1e-12)
