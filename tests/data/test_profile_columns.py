"""Repeated rows, codes for missing and values beyond belief: seen where they are, and not where they are not."""

from __future__ import annotations

import numpy as np
import pytest

import whence as wh
from whence.data import examples


def columns(n=400, seed=0, **more):
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(size=n), "b": rng.normal(size=n), **more}


# ---- repeated rows ---------------------------------------------------------------------------------------------------


def test_copies_of_continuous_rows_are_suspect():
    found = wh.profile({name: np.tile(values, 5) for name, values in columns().items()})
    assert found.facts["repeated_rows_share"] == 0.8
    assert found.facts["repeated_rows_suspect"]
    assert found.check("repeated-rows").passed is False
    assert "80% of the rows repeat another row." in found.warnings


def test_rows_drawn_again_are_suspect():
    drawn = np.random.default_rng(1).integers(0, 2000, 2000)
    found = wh.profile({name: values[drawn] for name, values in columns(2000).items()})
    assert found.facts["repeated_rows_share"] == pytest.approx(np.exp(-1), abs=0.02)
    assert found.facts["repeated_rows_suspect"]


@pytest.mark.parametrize("decimals", [0, 1])
def test_coarse_values_repeat_without_suspicion(decimals):
    celsius = np.round(15 + 5 * np.random.default_rng(2).normal(size=3000), decimals)
    found = wh.profile({"celsius": celsius, "fahrenheit": celsius * 1.8 + 32})
    assert found.facts["repeated_rows_share"] > 0.9
    assert not found.facts["repeated_rows_suspect"]


# ---- codes for missing and values beyond belief ----------------------------------------------------------------------


@pytest.mark.parametrize("code", [-999, -99, 9999, 99999])
def test_a_code_for_missing_is_named(code):
    values = np.random.default_rng(3).normal(50, 5, size=500)
    values[::60] = code
    found = wh.profile(columns(500, weight=values))
    assert found.facts["missing_codes"] == {"weight": [code]}
    assert f"In weight, {code} looks like a code for missing; declare it with missing=[{code}]." in found.warnings


@pytest.mark.parametrize(("centre", "is_code"), [(50.0, True), (0.0, False)])
def test_minus_one_is_a_code_only_far_from_the_rest(centre, is_code):
    values = np.random.default_rng(4).normal(centre, 2, size=500)
    values[:10] = -1
    assert ("weight" in wh.profile(columns(500, weight=values)).facts["missing_codes"]) is is_code


def test_the_only_negative_value_of_a_wide_column_is_a_code():
    income = np.round(np.random.default_rng(5).lognormal(10, 1, size=600))
    income[:8] = -99
    income[8:16] = -999
    assert wh.profile(columns(600, income=income)).facts["missing_codes"] == {"income": [-999, -99]}


def test_sound_columns_hold_no_code():
    rng = np.random.default_rng(6)
    sound = {
        "earnings": np.where(rng.random(800) < 0.4, 0, rng.lognormal(9, 1, 800)).round(),
        "capped": np.minimum(rng.lognormal(0, 1, 800), 4.0),
        "events": rng.poisson(3, 800),
        "age": rng.integers(18, 100, 800),
        "change": rng.integers(-120, 120, 800),
        "grade": rng.integers(1, 6, 800),
    }
    assert wh.profile(sound).facts["missing_codes"] == {}


def test_a_value_beyond_belief_reaches_the_warnings():
    table = columns(500)
    assert wh.profile(table).facts["absurd_values"] == {}
    table["a"][3] = 1e9
    found = wh.profile(table)
    assert list(found.facts["absurd_values"]) == ["a"]
    assert any(warning.startswith("a holds a value") for warning in found.warnings)


@pytest.mark.parametrize("name", ["nsw_mixtape", "sachs", "nhefs", "castle"])
def test_published_tables(name):
    found = wh.profile(examples.load(name))
    assert found.facts["missing_codes"] == {}
    assert not found.facts["repeated_rows_suspect"]
