"""The base: errors and their pages, the registry, check results and JSON, atomic writing, fan-out and seeds."""

from __future__ import annotations

import json
import math
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

import whence as wh
from whence.errors import MissingExtra, WorkerLost, error_codes, explain, quote_names, suggest
from whence.parallel import child_seeds, fan_out, generator
from whence.registry import Card, Cost, lookup, methods, register
from whence.results import CheckResult, make_frame, to_jsonable, write_atomically, write_json
from whence.systems import catalogue


def test_an_error_has_three_parts_and_survives_pickling():
    error = wh.DataError("E103", "column 'dose' has 3 values that are not numeric.", "Declare them missing.")
    assert str(error) == "column 'dose' has 3 values that are not numeric. Declare them missing. [E103]"
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.problem, again.remedy) == (error.code, error.problem, error.remedy)
    assert isinstance(error, ValueError)


def test_every_code_has_a_page_that_says_more_than_its_title():
    assert len(error_codes()) > 50
    for code in error_codes():
        title, _, body = explain(code.lower()).partition("\n")
        assert title.startswith(f"# {code}: ")
        assert len(body.split()) >= 8, code


def test_unknown_code_and_missing_extra():
    with pytest.raises(wh.ParameterError, match="no error code 'E000'"):
        explain("E000")
    assert "pip install 'whence[nn]'" in str(MissingExtra.of("torch", "nn", "This block"))


def test_quote_names_shortens():
    assert quote_names(["a"] * 10, limit=2) == "'a', 'a' and 8 more"
    assert len(quote_names(["x" * 300])) < 70


def test_names_that_are_nearly_right_are_suggested():
    assert suggest("PKA", ["pka", "age"]) == "Did you mean 'pka'?"
    assert suggest("pkaa", ["pka", "age"]) == "Closest: 'pka'."
    assert suggest(1, ["pka", "age"]) == "Columns: 'pka', 'age'."


@pytest.mark.parametrize("seed", ["a", -1, 1.5])
def test_what_is_no_seed_is_refused(seed):
    for take in (generator, lambda given: child_seeds(given, 2)):
        with pytest.raises(wh.ParameterError, match="no seed"):
            take(seed)


def test_the_package_shows_its_own_names_only():
    assert {name for name in dir(wh) if not name.startswith("__")} == set(wh.__all__)


def test_cards_are_complete_and_unique():
    cards = methods()
    assert len({(card.family, card.name) for card in cards}) == len(cards)
    for card in cards:
        assert card.answers
        assert card.output, card.name
        if card.family == "search":
            assert card.cost is not None, f"{card.name}: run benchmarks/measure_methods.py"
            assert card.cost.predict(1000, 10) > 0
            assert card.accuracy
    with pytest.raises(wh.ParameterError, match=r"Known: .*'pc'"):
        lookup("search", "pcc")


def test_two_methods_cannot_share_a_name():
    class Other:
        pass

    with pytest.raises(wh.ParameterError, match="are named 'pc'"):
        register(Card(name="pc", family="search", answers="?"))(Other)


def test_cost_grows_with_rows_and_columns():
    cost = Cost(intercept=-5.0, rows=1.0, columns=2.0)
    assert cost.predict(2000, 10) == pytest.approx(2 * cost.predict(1000, 10))
    assert cost.predict(1000, 20) == pytest.approx(4 * cost.predict(1000, 10))


def test_the_catalogue_counts_what_works_from_the_cards():
    listed = catalogue()
    assert [system.number for system in listed] == list(range(1, 54))
    assert len({system.slug for system in listed}) == 53
    working = {card.number for card in methods("system")} - {None}  # without a number: short of its acceptance
    assert {system.number for system in listed if system.state == "works"} == working


def test_jsonable_is_json():
    check = CheckResult("a", "A", None, "s", table={"x": np.array([1.0, math.nan])})
    value = {"check": check, 3: {"b", "a"}, "inf": math.inf, "kind": wh.Graph.from_edges(["a -> b"])}
    text = json.dumps(to_jsonable(value), allow_nan=False)
    assert json.loads(text)["check"]["table"]["x"] == [1.0, None]
    assert json.loads(text)["3"] == ["a", "b"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_come_in_the_users_library(library):
    frame = make_frame({"a": [1, 2], "b": ["x", None]}, library)
    assert type(frame).__module__.split(".")[0] == library
    assert frame.shape == (2, 2)


def test_writing_is_whole_or_not_at_all(tmp_path):
    path = write_atomically(tmp_path / "deep" / "file.txt", "one")
    write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
    with pytest.raises(wh.DataError, match="cannot write"):
        write_atomically(tmp_path / "deep" / "file.txt" / "below", "x")


def _killed_at_three(k: int) -> int:
    if k == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return k


def test_a_killed_worker_is_said_and_does_not_hang():
    seen = []
    with pytest.raises(WorkerLost, match=r"killed after \d of 6 steps of draws"):
        seen.extend(fan_out(_killed_at_three, range(6), n_jobs=2, threads=False, stage="draws"))
    assert seen == list(range(len(seen)))


def test_fan_out_keeps_order_and_reports_progress():
    seen = []
    found = list(fan_out(lambda k: k * k, range(6), n_jobs=2, stage="s", progress=lambda *step: seen.append(step)))
    assert found == [0, 1, 4, 9, 16, 25]
    assert seen == [("s", k, 6) for k in range(1, 7)]


def test_seeds_do_not_depend_on_workers():
    draws = [[generator(np.random.default_rng(seed)).normal() for seed in child_seeds(3, 4)] for _ in range(2)]
    assert draws[0] == draws[1]
    assert len(set(draws[0])) == 4


def test_import_takes_nothing_heavy_along():
    code = "import sys, whence; print(sorted({'torch','sklearn','duckdb','numba','pandas','numpy'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert finished.stdout.strip() == "[]"


def test_public_names_are_all_there():
    for name in wh.__all__:
        assert getattr(wh, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        wh.nonsense  # noqa: B018
