"""What every registered test of independence must do, by itself, for the kinds of columns on its card."""

from __future__ import annotations

import pickle
from itertools import permutations

import numpy as np
import pytest

from tests.conformance.conftest import ODD_NAMES
from whence.data import read
from whence.errors import ParameterError
from whence.registry import lookup, methods

NAMES = ("cause", "left", "right", "other")
CARDS = [pytest.param(card, id=card.name) for card in methods("test") if card.kinds]
QUERIES = [("left", "right", ()), ("left", "right", ("cause",)), ("left", "other", ("cause", "right"))]


def columns(card, n=600, seed=0):
    """Return a cause with two effects and a column apart, as numbers or, for a test on counts, as words."""
    rng = np.random.default_rng(seed)
    cause, noise = rng.normal(size=n), rng.normal(size=(3, n))
    values = {"cause": cause, "left": cause + noise[0], "right": cause + noise[1], "other": noise[2]}
    if "discrete" not in card.assumes:
        return values
    cuts = {name: np.digitize(column, [-0.4, 0.4]) for name, column in values.items()}
    # The effects of a coarse cause itself, so that it still separates them.
    for name, noise_of in (("left", noise[0]), ("right", noise[1])):
        cuts[name] = np.digitize(cuts["cause"] - 1 + noise_of, [-0.4, 0.4])
    return {name: np.array(["low", "middle", "high"])[column] for name, column in cuts.items()}


def make(card, data):
    return lookup("test", card.name)(data)


def p_values(card, data):
    return make(card, data).batch(QUERIES)


@pytest.mark.parametrize("card", CARDS)
def test_a_common_cause_is_seen_and_separates(card):
    test = make(card, columns(card))
    assert test.names == NAMES
    assert test.rows_used == 600
    assert test("left", "right").p_value < 1e-6
    assert test("left", "right", ["cause"]).p_value > 0.01
    assert test("left", "other").p_value > 0.01
    assert test.card is card


@pytest.mark.parametrize("card", CARDS)
def test_single_calls_batches_and_every_order_agree(card):
    test = make(card, columns(card))
    np.testing.assert_array_equal(test.batch(QUERIES), [test(*query).p_value for query in QUERIES])
    for given in permutations(("cause", "other")):
        for ends in (("left", "right"), ("right", "left")):
            expected = test("left", "right", ("cause", "other")).p_value
            assert test(*ends, given).p_value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("card", CARDS)
def test_the_order_names_and_units_of_columns_do_not_matter(card):
    given = columns(card)
    expected = p_values(card, given)
    np.testing.assert_allclose(p_values(card, dict(reversed(given.items()))), expected, rtol=1e-9)
    if "discrete" in card.assumes:
        moved = {name: np.char.add(values, " of all") for name, values in given.items()}
    else:
        moved = {name: values * scale + 3 for (name, values), scale in zip(given.items(), (1e-3, 1e4, 7.0, 0.1))}
    np.testing.assert_allclose(p_values(card, moved), expected, rtol=1e-7)
    odd = dict(zip(ODD_NAMES, given.values()))
    test = make(card, odd)
    renamed = dict(zip(NAMES, ODD_NAMES))
    found = [test(renamed[x], renamed[y], [renamed[s] for s in given]).p_value for x, y, given in QUERIES]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("card", CARDS)
def test_every_source_of_a_table_gives_the_same_p_values(card, constructor, tmp_path):
    given = {name: values.tolist() for name, values in columns(card, n=200).items()}
    source, settings = constructor(given, tmp_path)
    np.testing.assert_allclose(p_values(card, read(source, **settings)), p_values(card, given), rtol=1e-6)


@pytest.mark.parametrize("card", CARDS)
def test_rows_with_a_missing_value_are_left_out(card):
    given = columns(card)
    holes = np.arange(600) < 50
    blank = None if "discrete" in card.assumes else np.nan
    test = make(card, {**given, "other": np.where(holes, blank, given["other"])})
    complete = make(card, {name: values[50:] for name, values in given.items()})
    if card.missing == "test-wise":  # only queries that read the column lose its rows
        assert test.rows_used == 600
        whole = make(card, given)
        expected = [(complete if "other" in (x, y, *s) else whole)(x, y, s).p_value for x, y, s in QUERIES]
        np.testing.assert_allclose(test.batch(QUERIES), expected, rtol=1e-9)
        return
    assert test.rows_used == 550
    np.testing.assert_allclose(test.batch(QUERIES), complete.batch(QUERIES), rtol=1e-9)


@pytest.mark.parametrize("card", CARDS)
def test_it_survives_pickling_and_leaves_the_input_alone(card):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(columns(card))
    before = frame.copy(deep=True)
    test = make(card, frame)
    again = pickle.loads(pickle.dumps(test))
    np.testing.assert_array_equal(again.batch(QUERIES), test.batch(QUERIES))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("card", CARDS)
def test_a_column_that_settles_one_of_the_two_says_nothing_and_one_that_does_not_vary_adds_nothing(card):
    given = columns(card)
    flat = np.full(600, "same") if "discrete" in card.assumes else np.full(600, 2.0)
    test = make(card, {**given, "flat": flat, "copy": given["left"]})
    assert np.isnan(test("left", "right", ["copy"]).p_value)
    found = test("left", "right", ["flat"]).p_value
    assert np.isnan(found) or found == pytest.approx(test("left", "right").p_value, rel=1e-6)


@pytest.mark.parametrize("card", CARDS)
def test_a_name_that_is_absent_or_given_twice_is_an_error_that_says_so(card):
    test = make(card, columns(card))
    with pytest.raises(ParameterError, match="'lift'"):
        test("lift", "right")
    with pytest.raises(ParameterError, match="twice"):
        test("left", "left")
