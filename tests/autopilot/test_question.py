"""The question: argument over sentence over role; clear errors for what is not there."""

from __future__ import annotations

import numpy as np
import pytest

import whence as wh
from whence.autopilot.pipeline import parse_budget
from whence.autopilot.question import ask, read_sentence

NAMES = ("training", "re78", "age", "site", "years of schooling", "a|b (c)")


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Does training raise re78?", {"treatment": "training", "outcome": "re78"}),
        ("What is the effect of age on re78", {"treatment": "age", "outcome": "re78"}),
        ("does 'years of schooling' really increase re78?", {"treatment": "years of schooling", "outcome": "re78"}),
        ("what happens to re78 if we change training?", {"treatment": "training", "outcome": "re78"}),
        ("TRAINING -> RE78", {"treatment": "training", "outcome": "re78"}),
        ("effect of a|b (c) on age", {"treatment": "a|b (c)", "outcome": "age"}),
        ("does training affect re78? domain is site", {"treatment": "training", "outcome": "re78", "domain": "site"}),
        ("tell me something", {}),
    ],
)
def test_sentences_are_read(sentence, expected):
    assert read_sentence(sentence, NAMES) == expected


def table(**roles):
    values = {name: [float(k + j * j % 7) for k in range(12)] for j, name in enumerate(NAMES)}
    return wh.read(values, roles=roles or None)


def test_argument_wins_over_query_and_query_over_role():
    data = table(treatment="age", outcome="re78")
    asked = ask(data, "training", None, None, "does 'years of schooling' raise age?")
    assert (asked.treatment, asked.outcome) == ("training", "age")
    assert asked.source == {"treatment": "argument", "outcome": "query"}
    assert ask(data, None, None, None, None).source == {"treatment": "role", "outcome": "role"}


def test_errors_name_the_column_and_the_closest():
    with pytest.raises(wh.DataError, match=r"'trainig'.*'training'.*E332"):
        ask(table(), "trainig", "re78", None, None)
    with pytest.raises(wh.DataError, match="same column, 'age'"):
        ask(table(), "age", "age", None, None)
    with pytest.raises(wh.ParameterError, match="could be read from the query"):
        ask(table(), None, None, None, "hello")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("2min", 120), ("1h", 3600), (5, 5), ("1.5 m", 90)])
def test_budget(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-3s", "0", "", "5 parsecs"])
def test_bad_budget(text):
    with pytest.raises(wh.ParameterError, match="not a positive time"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"knowledge": ["dose", "cure"]}, "knowledge cannot be read"),
        ({"treatment": 1}, "1 is not a column"),
        ({"treatment": "DOSE"}, "Did you mean 'dose'"),
        ({"random_state": "a"}, "no seed"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_a_remedy(settings, said):
    table = {"dose": np.arange(20.0), "cure": np.arange(20.0) ** 2}
    with pytest.raises(wh.WhenceError, match=said):
        wh.analyze(table, **{"treatment": "dose", "outcome": "cure", **settings})


def test_empty_knowledge_is_none():
    rng = np.random.default_rng(0)
    table = {"dose": rng.normal(size=60), "cure": rng.normal(size=60)}
    assert not wh.analyze(table, "dose", "cure", knowledge="", budget="3s").knowledge
