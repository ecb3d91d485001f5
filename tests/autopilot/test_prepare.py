"""Which columns are searched, and in what form."""

from __future__ import annotations

import numpy as np
import pytest

import whence as wh
from whence.autopilot.prepare import prepare
from whence.data import Kind
from whence.errors import DataError

NOTHING = {"near_duplicates": []}


def mixed(rows=90):
    rng = np.random.default_rng(0)
    return wh.read(
        {"colour": rng.choice(["red", "green", "blue"], rows), "size": rng.normal(size=rows), "sold": [0, 1] * 45}
    )


def test_numbers_beside_categories_are_searched_as_they_are_and_that_is_said():
    prepared = prepare(mixed(), NOTHING, ())
    assert prepared.search_data.kinds() == mixed().kinds()
    assert prepared.warnings == ()
    assert "'size'" in prepared.decisions[0].what
    assert "'colour'" in prepared.decisions[0].what


def test_numbers_alone_stay_numbers():
    data = mixed().select(["size", "sold"])
    assert prepare(data, NOTHING, ()).search_data.columns["size"].kind is Kind.CONTINUOUS


def test_of_two_copies_the_one_asked_about_stays():
    table = wh.read({"a": np.arange(50.0), "b": np.arange(50.0) * 2, "c": np.random.default_rng(1).normal(size=50)})
    prepared = prepare(table, {"near_duplicates": [["a", "b"]]}, ("b",))
    assert prepared.search_data.names == ("b", "c")
    assert any("'a'" in decision.what for decision in prepared.decisions)


def test_an_identifier_cannot_be_asked_about():
    table = wh.read({"patient": [f"p{k}" for k in range(50)], "cure": np.random.default_rng(1).normal(size=50)})
    with pytest.raises(DataError, match="'patient' cannot be treatment or outcome"):
        prepare(table, NOTHING, ("patient", "cure"))


def test_fewer_than_two_columns_left():
    table = wh.read({"place": ["Rome"] * 20, "cure": np.random.default_rng(1).normal(size=20)})
    with pytest.raises(DataError, match="1 column"):
        prepare(table, NOTHING, ())


def test_a_study_needs_more_complete_rows_than_columns():
    values = np.random.default_rng(0).normal(size=(12, 40))
    with pytest.raises(DataError, match="12 complete rows for 40 columns") as caught:
        prepare(wh.read(values), NOTHING, ())
    assert caught.value.code == "E308"
    holes = np.random.default_rng(0).normal(size=(60, 4))
    holes[:57, 2] = np.nan
    with pytest.raises(DataError, match="3 complete rows for 4 columns"):
        prepare(wh.read(holes), NOTHING, ())
    holes[:20, 2] = 0.5
    assert prepare(wh.read(holes), NOTHING, ()).search_data.names == ("x1", "x2", "x3", "x4")
