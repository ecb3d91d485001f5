"""Every bad input: an error of the library that names the thing, with its documented code and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import whence as wh
from whence.data import simulate
from whence.effects import estimate, identify
from whence.errors import WhenceError, error_codes
from whence.graph import Graph


def table(**columns):
    rng = np.random.default_rng(0)
    base = {"d": rng.integers(0, 2, 60), "x": rng.normal(size=60), "y": rng.normal(size=60)}
    return {**base, **columns}


def ask(data, treatment="d", outcome="y", adjustment=("x",), **settings):
    return estimate(data, None, treatment, outcome, adjustment=adjustment, **settings)


WORDS = np.array(["a", "b", "c"])[np.arange(60) % 3]
DIRECT = Graph.from_edges(["d -> y", "d <-> y", "z -> d"], kind="ADMG")
GIVEN = Graph.from_edges(["d -> y", "d <-> y", "z -> d", "x -> z", "x -> y"], kind="ADMG")
FRONT = Graph.from_edges(["d -> m", "m -> y", "d <-> y"], kind="ADMG")
CASES = {
    "treatment that does not vary": ("E431", ["'d'", "0"], lambda: ask(table(d=np.zeros(60)))),
    "treatment that does not vary where rows are complete": (
        "E431",
        ["'d'"],
        lambda: ask(table(x=np.where(np.arange(60) < 30, np.nan, 1.0) * np.arange(60), d=np.arange(60) // 30)),
    ),
    "outcome that does not vary": ("E432", ["'y'"], lambda: ask(table(y=np.ones(60)))),
    "treatment for outcome": ("E433", ["'d'"], lambda: ask(table(), "d", "d")),
    "treatment adjusted for": ("E433", ["'d'"], lambda: ask(table(), adjustment=["x", "d"])),
    "outcome a copy of the treatment": (
        "E433",
        ["'x'", "'copy'"],
        lambda: ask(table(copy=table()["x"]), "x", "copy", ()),
    ),
    "arm with two rows": ("E434", ["'1' 2"], lambda: ask(table(d=(np.arange(60) < 2).astype(int)))),
    "too few rows in an arm for folds": (
        "E434",
        ["6", "10"],
        lambda: ask(table(d=(np.arange(60) % 10 == 0).astype(int)), method="aipw"),
    ),
    "outcome whose squares overflow": ("E104", ["'y'", "e+300"], lambda: ask(table(y=1e300 * table()["y"]))),
    "covariate whose powers overflow": ("E104", ["'x'"], lambda: ask(table(x=1e120 * table()["x"]))),
    "treatment with one huge value": (
        "E104",
        ["'x'", "1e+200"],
        lambda: ask(table(x=np.where(np.arange(60) == 7, 1e200, table()["x"])), "x", adjustment=()),
    ),
    "two huge outcomes": (
        "E104",
        ["'y'"],
        lambda: ask(wh.read(table(y=1e300 * table()["d"][::-1]), units={"y": "mg"})),
    ),
    "data and effect of refute swapped": (
        "E447",
        ["other way round"],
        lambda: wh.refute(table(), ask(table(), method="regression")),
    ),
    "more columns than rows": (
        "E435",
        ["80", "60"],
        lambda: ask(
            table(**{f"z{k}": np.random.default_rng(k).normal(size=60) for k in range(80)}),
            adjustment=[f"z{k}" for k in range(80)],
        ),
    ),
    "covariate that restates the treatment": ("E436", ["overlap", "'x'"], lambda: ask(table(x=3 * table()["d"] + 1))),
    "covariate that determines a number": (
        "E437",
        ["determine"],
        lambda: ask(table(d=2 * table()["x"] + 1)),
    ),
    "outcome of three words": ("E438", ["'y'", "categorical"], lambda: ask(table(y=WORDS))),
    "identifiers adjusted for": (
        "E438",
        ["'x'", "id"],
        lambda: ask(table(x=[f"person-{k:04d}" for k in range(60)])),
    ),
    "method that does not exist": ("E439", ["'magic'", "'aipw'"], lambda: ask(table(), method="magic")),
    "weighting a number": ("E439", ["'aipw'", "continuous"], lambda: ask(table(), "x", adjustment=(), method="aipw")),
    "instrument without a graph": ("E439", ["'iv'", "graph"], lambda: ask(table(), method="iv")),
    "level that does not exist": ("E440", ["'d'", "2"], lambda: ask(table(), contrast=(2, 0))),
    "level against itself": ("E440", ["1"], lambda: ask(table(), contrast=(1, 1))),
    "contrast of a number that is no pair of numbers": (
        "E440",
        ["two different numbers"],
        lambda: ask(table(), "x", adjustment=(), contrast=("low", "high")),
    ),
    "population that does not exist": ("E441", ["'women'"], lambda: ask(table(), population="women")),
    "the treated of a number": ("E441", ["'treated'"], lambda: ask(table(), "x", adjustment=(), population="treated")),
    "level of confidence of 95": ("E441", ["95"], lambda: ask(table(), level=95)),
    "no treatment": ("E442", ["treatment"], lambda: estimate(table(), None, None, "y", adjustment=[])),
    "neither graph nor adjustment": ("E442", ["graph"], lambda: estimate(table(), None, "d", "y")),
    "a list for a graph": ("E442", ["list"], lambda: estimate(table(), ["d -> y"], "d", "y")),
    "an identification of something else": (
        "E442",
        ["'d'", "'x'"],
        lambda: estimate(table(), None, "x", "y", identification=identify(Graph.from_edges(["d -> y"]), "d", "y")),
    ),
    "no complete row": ("E443", ["'x'", "missing"], lambda: ask(table(x=[np.nan] * 60))),
    "infinite values": ("E104", ["'x'"], lambda: ask(table(x=np.r_[np.inf, np.arange(59.0)]))),
    "instrument that does not vary": (
        "E445",
        ["instruments"],
        lambda: estimate(table(z=np.ones(60)), DIRECT, "d", "y"),
    ),
    "instrument that follows from the rest": (
        "E445",
        ["instruments"],
        lambda: estimate(table(z=2 * table()["x"] + 1), GIVEN, "d", "y"),
    ),
    "mediator that does not vary": ("E445", ["mediators"], lambda: estimate(table(m=np.ones(60)), FRONT, "d", "y")),
    "adjusting against the graph": (
        "E446",
        ["'x'"],
        lambda: estimate(table(), Graph.from_edges(["d -> x", "x -> y"]), "d", "y", adjustment=["x"]),
    ),
    "effect that is not identified": (
        "E430",
        ["'d'", "'y'"],
        lambda: estimate(table(), Graph.from_edges(["d -> y", "d <-> y"], kind="ADMG"), "d", "y"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_error_that_names_the_thing(case):
    code, words, call = CASES[case]
    with pytest.raises(WhenceError) as refused:
        call()
    message = str(refused.value)
    assert refused.value.code == code, message
    assert code in error_codes()
    for word in words:
        assert word in message, message
    assert "np." not in message


def test_columns_that_do_not_exist_are_named():
    for call in (
        lambda: ask(table(), "dose"),
        lambda: ask(table(), "d", "pain"),
        lambda: ask(table(), adjustment=["age"]),
        lambda: estimate(table(), Graph.from_edges(["d -> y"]), "d", "x"),
        lambda: estimate(table(), Graph.from_edges(["dose -> y"]), "dose", "y"),
    ):
        with pytest.raises(WhenceError) as refused:
            call()
        assert any(f"'{name}'" in str(refused.value) for name in ("dose", "pain", "age", "x"))


def test_every_code_of_this_room_is_raised_here_or_next_door():
    here = {code for code, _, _ in CASES.values()} - {"E104"}
    elsewhere = {"E447", "E448", "E449"}
    assert here | elsewhere == {code for code in error_codes() if "E430" <= code <= "E459"}


def test_constant_and_missing_covariates_are_no_error():
    effect = ask(table(x=np.ones(60)))
    assert effect.adjustment == ("x",)
    assert effect.parameters["columns_adjusted"] == []


def test_extreme_values_do_not_break_the_numbers():
    rng = np.random.default_rng(1)
    for scale in (1e-9, 1e9):
        data = {"d": rng.integers(0, 2, 200), "x": scale * rng.normal(size=200)}
        data["y"] = scale * (3.0 * data["d"] + rng.normal(size=200)) + data["x"]
        effect = ask(data)
        assert abs(effect.estimate / scale - 3) < 4 * effect.standard_error / scale


def test_joint_treatments_are_refused_by_name():
    simulation = simulate.treatment_outcome(100, random_state=0)
    graph = Graph.from_edges(["X1 -> T", "X1 -> Y", "T -> Y", "X2 -> Y"])
    found = identify(graph, ["T", "X2"], "Y")
    with pytest.raises(wh.ParameterError, match="E439"):
        estimate(simulation.data, None, identification=found)
