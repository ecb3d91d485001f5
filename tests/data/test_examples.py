"""Bundled examples: published numbers, roles and tiers that fit, clear errors where nothing is installed."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from whence.data import examples
from whence.errors import DataError, MissingExtra

needs_causaldata = pytest.mark.skipif(find_spec("causaldata") is None, reason="the tables come with causaldata")
needs_networks = pytest.mark.skipif(find_spec("pgmpy") is None, reason="the networks come with pgmpy")
TABLES = tuple(name for name in examples.names() if examples.card(name).package != "pgmpy")


@needs_causaldata
def test_the_training_experiment_has_its_published_difference():
    data = examples.load("nsw_mixtape")
    treated, earnings = data.numeric(["treat", "re78"]).T
    assert (data.n_rows, treated.sum()) == (445, 185)
    # Dehejia and Wahba (1999), table 3: the experimental contrast is 1,794 dollars.
    assert earnings[treated == 1].mean() - earnings[treated == 0].mean() == pytest.approx(1794, abs=1)
    assert data.roles == {"treatment": "treat", "outcome": "re78"}
    assert "dollars" in data.unit("re78")


@needs_causaldata
def test_survey_controls_give_the_published_bias():
    data = examples.load("lalonde_cps")
    treated, earnings = data.numeric(["treat", "re78"]).T
    assert (data.n_rows, treated.sum()) == (185 + 15992, 185)
    # The same table: against the survey's men the contrast is -8,498 dollars.
    assert earnings[treated == 1].mean() - earnings[treated == 0].mean() == pytest.approx(-8498, abs=1)


@needs_causaldata
def test_other_tables_have_their_published_contrasts():
    smoking = examples.load("nhefs").complete(["wt82_71"])
    quit_smoking, change = smoking.numeric(["qsmk", "wt82_71"]).T
    # Hernan and Robins (2020), section 12.1: 2.5 kg between quitters and others, 1,566 people.
    assert smoking.n_rows == 1566
    assert change[quit_smoking == 1].mean() - change[quit_smoking == 0].mean() == pytest.approx(2.54, abs=0.01)
    # The same book's table 12.1: of quitters and others 45.4 % and 53.4 % women, 91.1 % and 85.4 % White.
    sex, race = smoking.numeric(["sex", "race"]).T
    codes = examples.card("nhefs").columns
    assert "2 for women" in codes["sex"]
    assert "1 recorded as White" in codes["race"]
    for quit_, women, white in ((1, 0.454, 0.911), (0, 0.534, 0.854)):
        assert (sex[quit_smoking == quit_] == sex.max()).mean() == pytest.approx(women, abs=5e-4)
        assert (race[quit_smoking == quit_] == race.min()).mean() == pytest.approx(white, abs=5e-4)
    near, schooling = examples.load("close_college").numeric(["nearc4", "educ"]).T
    assert schooling[near == 1].mean() - schooling[near == 0].mean() == pytest.approx(0.83, abs=0.01)
    castle = examples.load("castle")
    assert castle.n_rows == 50 * 11
    assert len(set(castle.head(550)["sid"].to_pylist())) == 50


@pytest.mark.parametrize("name", TABLES)
def test_roles_tiers_and_units_name_columns_that_exist(name):
    if examples.card(name).package == "causaldata" and find_spec("causaldata") is None:
        pytest.skip("the tables come with causaldata")
    data, described = examples.load(name), examples.describe(name)
    tiered = [column for tier in described["tiers"] for column in tier]
    assert len(set(tiered)) == len(tiered)
    assert {*tiered, *described["units"], *described["columns"], *described["roles"].values()} <= set(data.names)
    assert not described["columns"] or set(described["columns"]) == set(data.names)
    roles = described["roles"]
    if {"treatment", "outcome"} <= set(roles) and tiered:
        place = {column: number for number, tier in enumerate(described["tiers"]) for column in tier}
        assert place[roles["treatment"]] < place[roles["outcome"]]
    assert described["citation"]
    assert described["question"].endswith(("?", ")"))
    assert examples.truth(name) is None


@pytest.mark.parametrize("name", TABLES)
def test_codes_that_a_description_names_occur(name):
    if examples.card(name).package == "causaldata" and find_spec("causaldata") is None:
        pytest.skip("the tables come with causaldata")
    data = examples.load(name)
    for column, text in examples.card(name).columns.items():
        scale = re.search(r"from (\d) \(.*\) to (\d) \(", text)
        if scale is not None:
            values = data.numeric([column])[:, 0]
            assert (np.nanmin(values), np.nanmax(values)) == tuple(map(float, scale.groups()))


@needs_networks
def test_a_network_is_sampled_with_its_true_edges():
    data = examples.load("asia")
    assert data.n_rows == 5000
    assert set(data.names) == {name for edge in examples.truth("asia") for name in edge}
    assert len(examples.truth("asia")) == 8
    assert data.fingerprint() == examples.load("asia", random_state=0).fingerprint()
    assert data.fingerprint() != examples.load("asia", random_state=1).fingerprint()
    assert examples.load("sachs", n=100).n_rows == 100


def test_a_part_of_a_table_is_a_part_of_its_rows():
    whole, part = examples.load("diabetes"), examples.load("diabetes", n=50, random_state=3)
    rows = {tuple(row) for row in whole.numeric()}
    assert part.n_rows == 50
    assert all(tuple(row) in rows for row in part.numeric())
    assert np.array_equal(part.numeric(), examples.load("diabetes", n=50, random_state=3).numeric())


def test_unknown_names_get_the_closest_ones():
    with pytest.raises(DataError, match="nsw_mixtape") as caught:
        examples.load("nsw_mixtap")
    assert caught.value.code == "E165"
    with pytest.raises(DataError, match="is a table"):
        examples.network("wine")


@pytest.mark.parametrize("n", [0, 443])
def test_impossible_sizes_are_refused(n):
    with pytest.raises(DataError) as caught:
        examples.load("diabetes", n=n)
    assert caught.value.code == "E166"


@pytest.mark.parametrize(("name", "package"), [("nsw_mixtape", "causaldata"), ("alarm", "pgmpy")])
def test_a_missing_package_is_named_with_its_extra(name, package, monkeypatch):
    monkeypatch.setattr(examples, "find_spec", lambda wanted: None if wanted == package else find_spec(wanted))
    examples._read_network.cache_clear()
    with pytest.raises(MissingExtra, match=r"whence\[examples\]"):
        examples.load(name)


@needs_causaldata
@needs_networks
def test_the_packages_of_the_examples_are_not_imported():
    examples.load("nsw_mixtape", n=5)
    examples.load("asia", n=5)
    assert "causaldata" not in sys.modules
    assert "pgmpy" not in sys.modules
