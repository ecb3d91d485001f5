"""An intervention says what it does, does it on arrays, and is the same in any units."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import whence as wh
from whence.errors import ParameterError
from whence.models import ClampTo, Intervention, SetTo, clamp_to, intervene, set_to, shift_by, transform_by

NATURAL = np.array([-2.0, 0.5, 3.0])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_to(1.0), [1.0, 1.0, 1.0]),
        (set_to([1, 2, 3]), [1.0, 2.0, 3.0]),
        (shift_by(0.5), [-1.5, 1.0, 3.5]),
        (shift_by([1.0, 0.0, -1.0]), [-1.0, 0.5, 2.0]),
        (clamp_to(-1.0, 1.0), [-1.0, 0.5, 1.0]),
        (clamp_to(high=1.0), [-2.0, 0.5, 1.0]),
        (transform_by(np.square), [4.0, 0.25, 9.0]),
    ],
)
def test_changes_by_hand_and_in_other_units(change, expected):
    np.testing.assert_allclose(change(NATURAL), expected)
    # (x - 10) / 4 is another unit of the same variable: changing there and going back is the same change
    code = (NATURAL - 10.0) / 4.0
    np.testing.assert_allclose(change.rescaled(10.0, 4.0)(code) * 4.0 + 10.0, expected)
    wide = np.repeat(NATURAL[:, None], 2, axis=1)
    np.testing.assert_allclose(change(wide), np.repeat(np.array(expected)[:, None], 2, axis=1))


def test_a_negative_scale_turns_a_clamp_around():
    code = (NATURAL - 1.0) / -2.0
    changed = clamp_to(-1.0, 1.0).rescaled(1.0, -2.0)(code) * -2.0 + 1.0
    np.testing.assert_allclose(changed, [-1.0, 0.5, 1.0])


def test_values_functions_mappings_and_keywords_mean_the_same():
    assert intervene(a=2).changes["a"] == SetTo(2.0)
    assert Intervention.of({"a b": 2}, c=clamp_to(0, 1)).targets == ("a b", "c")
    assert intervene(a=lambda x: -x).apply("a", NATURAL)[0] == 2.0
    assert Intervention.of(intervene(a=1)) == intervene(a=1.0)
    assert hash(intervene(a=[1, 2]).changes["a"]) == hash(SetTo((1.0, 2.0)))
    assert wh.intervene(domain="night").changes["domain"] == SetTo("night")


def test_later_changes_take_the_place_of_earlier_ones_and_nothing_is_changed_in_place():
    first = intervene(a=1.0, b=2.0)
    both = first.then(intervene(b=shift_by(1.0)))
    assert str(both) == "do(a = 1, b shifted by 1)"
    assert first == intervene(a=1.0, b=2.0)
    with pytest.raises(TypeError):
        first.changes["a"] = SetTo(3.0)
    assert pickle.loads(pickle.dumps(both)) == both


def test_only_a_variable_that_is_set_stops_listening_to_its_causes():
    graph = wh.Graph.from_edges(["a -> b", "b -> c", "a -> c"])
    cut = intervene(b=1.0, c=shift_by(2.0)).cut(graph)
    assert [str(edge) for edge in cut.edges()] == ["a -> c", "b -> c"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Intervention.of(3.0), "E640"),
        (lambda: intervene(a=None), "E640"),
        (lambda: intervene(a=float("nan")), "E640"),
        (lambda: intervene(a=[]), "E640"),
        (lambda: intervene(a=1.0).check(["b"]), "E640"),
        (lambda: intervene(a="night").apply("a", NATURAL), "E640"),
        (ClampTo, "E641"),
        (lambda: clamp_to(2.0, 1.0), "E641"),
        (lambda: set_to([1.0, 2.0])(NATURAL), "E642"),
    ],
)
def test_what_is_no_intervention_is_refused(make, code):
    with pytest.raises(ParameterError) as caught:
        make()
    assert caught.value.code == code
