"""What every registered estimator must do, by itself, where the effect is identified the way it needs."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from tests.conformance.conftest import ODD_NAMES
from whence.data import read
from whence.effects import estimate, refute
from whence.errors import DataError
from whence.graph import Graph
from whence.registry import methods

CARDS = [pytest.param(card, id=card.name) for card in methods("estimator")]
TRUTH = 2.0
# Each estimator's own question; the hidden cause is what the others are not asked to cope with.
EDGES = {
    "iv": ["push -> dose", "age -> dose", "age -> cure", "dose -> cure", "dose <-> cure"],
    "front-door": ["dose -> push", "push -> cure", "dose <-> cure"],
}
OBSERVED = ["age -> dose", "age -> cure", "dose -> cure", "push -> cure"]


def graph(card):
    return Graph.from_edges(EDGES.get(card.name, OBSERVED), kind="ADMG" if card.name in EDGES else "DAG")


def columns(card, n=600, seed=0):
    """Return a table in which a dose of one changes the cure by two."""
    rng = np.random.default_rng(seed)
    age, hidden, push = rng.normal(size=(3, n))
    noise = rng.normal(size=(3, n))
    unseen = hidden if card.name in EDGES else 0.0
    moved = 1.5 * push if card.name == "iv" else 0.0
    dose = age * (card.name != "front-door") + moved + unseen + noise[0]
    if "continuous" not in card.kinds:
        dose = (dose > 0).astype(int)
    if card.name == "front-door":
        push = dose + noise[1]
        cure = TRUTH * push + unseen + noise[2]
    else:
        cure = TRUTH * dose + age + unseen + noise[2] + 0.5 * push * (card.name != "iv")
    return {"age": age, "dose": dose, "push": push, "cure": cure}


def ask(card, data, **settings):
    return estimate(data, graph(card), "dose", "cure", method=card.name, **settings)


def record(effect):
    return replace(effect, library="", fitted=None).to_dict()


@pytest.mark.parametrize("card", CARDS)
def test_the_interval_holds_the_truth_and_the_result_says_what_it_is(card):
    effect = ask(card, columns(card), level=0.999)
    assert effect.interval[0] < TRUTH < effect.interval[1]
    assert effect.interval[1] - effect.interval[0] < 2
    assert (effect.estimator, effect.rows_used, effect.treatment, effect.outcome) == (card.name, 600, "dose", "cure")
    assert effect.sentence().count("dose") == 1
    assert effect.identification.assumptions
    assert effect.parameters


@pytest.mark.parametrize("card", CARDS)
def test_the_same_seed_gives_the_same_result_whatever_the_number_of_workers(card):
    data = read(columns(card))
    one, two = (refute(ask(card, data, n_jobs=jobs, random_state=7), data, random_state=7) for jobs in (1, 2))
    assert record(one) == record(two)


@pytest.mark.parametrize("card", CARDS)
def test_the_result_is_json_and_survives_pickling(card):
    effect = ask(card, columns(card))
    assert json.loads(json.dumps(effect.to_dict(), allow_nan=False)) == effect.to_dict()
    assert pickle.loads(pickle.dumps(effect)).to_dict() == effect.to_dict()
    assert card.name in repr(effect)
    assert "<strong>" in effect._repr_html_()


@pytest.mark.parametrize("card", CARDS)
def test_every_source_of_a_table_gives_the_same_estimate_and_tables_of_its_own_library(card, constructor, tmp_path):
    given = {name: values.tolist() for name, values in columns(card).items()}
    source, settings = constructor(given, tmp_path)
    data = read(source, **settings)
    expected, found = ask(card, given), ask(card, data)
    assert found.estimate == pytest.approx(expected.estimate, rel=1e-9)
    assert found.interval == pytest.approx(expected.interval, rel=1e-9)
    if constructor.library in ("pandas", "polars"):
        assert type(found.table()).__module__.startswith(constructor.library)


@pytest.mark.parametrize("card", CARDS)
def test_the_order_of_columns_and_odd_names_do_not_matter(card):
    given = columns(card)
    expected = ask(card, given).estimate
    assert ask(card, dict(reversed(given.items()))).estimate == pytest.approx(expected, rel=1e-6)
    # Names with spaces cannot be written as edges in text, so the graph is renamed as a whole.
    names = dict(zip(given, ODD_NAMES))
    plain = graph(card)
    renamed = Graph([names[name] for name in plain.names], plain.marks, plain.kind, plain.bows)
    odd = {names[name]: values for name, values in given.items()}
    found = estimate(odd, renamed, names["dose"], names["cure"], method=card.name)
    assert found.estimate == pytest.approx(expected, rel=1e-6)
    assert names["dose"] in found.sentence()


@pytest.mark.parametrize("card", CARDS)
def test_units_are_kept(card):
    given = columns(card)
    plain = ask(card, given)
    thousand = ask(card, {**given, "cure": 1000 * given["cure"]})
    assert thousand.estimate == pytest.approx(1000 * plain.estimate, rel=1e-6)
    assert thousand.interval == pytest.approx([1000 * end for end in plain.interval], rel=1e-5)
    if plain.estimand == "slope":
        finer = ask(card, {**given, "dose": 1000 * given["dose"]})
        assert finer.estimate == pytest.approx(plain.estimate / 1000, rel=1e-5)
    moved = ask(card, {**given, "age": 1e4 * given["age"] - 5, "cure": given["cure"] + 50})
    assert moved.estimate == pytest.approx(plain.estimate, rel=1e-4)


@pytest.mark.parametrize("card", CARDS)
def test_the_input_is_not_changed(card):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(columns(card))
    before = frame.copy(deep=True)
    refute(ask(card, frame), frame)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("card", CARDS)
def test_missing_values_are_left_out_and_counted(card):
    given = columns(card)
    hole = np.arange(600) < 40
    effect = ask(card, {**given, "cure": np.where(hole, np.nan, given["cure"])})
    assert effect.rows_used == 560
    assert any("40" in warning for warning in effect.warnings)
    assert effect.estimate == pytest.approx(
        ask(card, {name: values[40:] for name, values in given.items()}).estimate, rel=1e-6
    )


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("column", ["dose", "cure"])
def test_a_column_that_does_not_vary_holds_infinities_or_nothing_is_an_error_that_names_it(card, column):
    given = columns(card)
    for values in (np.ones(600), np.full(600, np.nan), np.where(np.arange(600) == 3, np.inf, given[column])):
        with pytest.raises(DataError, match=f"'{column}'"):
            ask(card, {**given, column: values})
