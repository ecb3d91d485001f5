"""Front door and instruments: their formulas give the true effect, and what exists is found."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tests.effects.truth import BinaryModel, LinearModel, random_admg, states, subsets
from whence.effects import identify
from whence.effects.frontdoor import is_front_door
from whence.effects.identify_frame import Frame
from whence.effects.instruments import is_instrument
from whence.graph import Graph

NAPKIN = ["w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y"]


def _random_questions(seed: int):
    rng = np.random.default_rng([3, seed])
    graph = random_admg(int(rng.integers(4, 7)), rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.4), rng)
    for x, y in permutations(graph.names, 2):
        if y in graph.descendants(x):
            yield graph, x, y, [name for name in graph.names if name not in (x, y)], rng


@pytest.mark.parametrize("seed", range(40))
def test_a_front_door_is_found_if_there_is_one_and_its_formula_gives_the_effect(seed):
    for graph, x, y, rest, rng in _random_questions(seed):
        frame = Frame.of(graph, graph.indices(x), graph.index(y), range(graph.n_nodes))
        exists = any(
            is_front_door(
                frame.member,
                *frame.x,
                frame.y,
                frozenset(graph.indices(mediators)),
                frozenset(graph.indices(covariates)),
            )
            for mediators in subsets(rest)
            for covariates in subsets([name for name in rest if name not in mediators])
        )
        found = identify(graph, x, y, strategy="front-door")
        assert found.identified == exists
        if exists:
            model = LinearModel.on(graph, rng)
            assert _front_door_slope(model, x, y, found.mediators, found.conditioning) == pytest.approx(
                model.effect([x], y)[0]
            )
            assert found.functional


def _front_door_slope(model: LinearModel, x: str, y: str, mediators: tuple[str, ...], given: tuple[str, ...]) -> float:
    first = [model.slopes(mediator, [x, *given])[0] for mediator in mediators]
    second = model.slopes(y, [*mediators, x, *given])[: len(mediators)]
    return float(np.dot(first, second))


@pytest.mark.parametrize(
    "edges",
    [
        ["x -> m", "m -> y", "x <-> y"],
        ["x -> m", "m -> y", "x -> n", "n -> y", "x <-> y"],
        ["x -> m", "m -> y", "x <-> y", "w -> x", "w -> m", "w -> y"],
    ],
)
def test_the_front_door_formula_holds_without_linearity(edges):
    graph = Graph.from_edges(edges, kind="ADMG")
    found = identify(graph, "x", "y")
    assert found.strategy == "front-door"
    model = BinaryModel(graph, np.random.default_rng(0))
    for value in (0, 1):
        total = 0.0
        for w in states(found.conditioning):
            for m in states(found.mediators):
                inner = sum(
                    model.conditional({"x": other}, w) * model.conditional({"y": 1}, {"x": other, **m, **w})
                    for other in (0, 1)
                )
                total += model.probability(w) * model.conditional(m, {"x": value, **w}) * inner
        assert total == pytest.approx(model.probability({"y": 1}, do={"x": value}))


@pytest.mark.parametrize("seed", range(40))
def test_an_instrument_is_found_if_there_is_one_and_its_ratio_is_the_effect(seed):
    for graph, x, y, rest, rng in _random_questions(seed):
        frame = Frame.of(graph, graph.indices(x), graph.index(y), range(graph.n_nodes))
        sizes = [
            len(given)
            for candidate in rest
            for given in subsets([name for name in rest if name != candidate])
            if is_instrument(frame.member, *frame.x, frame.y, graph.index(candidate), frozenset(graph.indices(given)))
        ]
        found = identify(graph, x, y, strategy="instrument")
        assert found.identified == bool(sizes)
        if sizes:
            assert len(found.conditioning) == min(sizes)
            model = LinearModel.on(graph, rng)
            for instrument in found.instruments:
                reduced = model.partial_covariance(instrument, y, found.conditioning)
                ratio = reduced / model.partial_covariance(instrument, x, found.conditioning)
                assert ratio == pytest.approx(model.effect([x], y)[0])


def test_the_bow_has_no_answer_and_says_which_path_and_what_to_measure():
    found = identify(Graph.from_edges(["x -> y", "x <-> y"], kind="ADMG"), "x", "y")
    assert (found.identified, found.strategy, found.functional) == (False, None, False)
    assert "closes the path 'x <-> y'" in found.reason
    assert "Measuring the hidden cause of 'x' and 'y' would settle it." in found.reason


def test_the_reason_names_the_hidden_variable_that_would_settle_it():
    graph = Graph.from_edges(["age -> dose", "age -> pain", "dose -> pain", "site -> pain"])
    found = identify(graph, "dose", "pain", observed=["dose", "pain", "site"])
    assert "closes the path 'dose <- age -> pain'" in found.reason
    assert "Measuring 'age' would settle it." in found.reason
    assert identify(graph, "dose", "pain").adjustment == ("age", "site")  # site: for precision


def test_the_reason_names_the_collider_that_must_be_closed_and_opened_at_once():
    graph = Graph.from_edges(["x <-> c", "c <-> y", "c -> y", "x -> y"], kind="ADMG")
    found = identify(graph, "x", "y")
    assert found.reason.startswith("Closing the other paths opens the path 'x <-> c <-> y' at 'c'.")
    assert "the hidden cause of 'x' and 'c' or the hidden cause of 'c' and 'y'" in found.reason


def test_a_strategy_that_is_not_there_points_to_one_that_is():
    graph = Graph.from_edges(["a -> x", "a -> y", "x -> y"])
    assert "no front-door here. Adjusting for 'a'" in identify(graph, "x", "y", strategy="front-door").reason


def test_smoking_and_tar():
    """Pearl (1995): tar deposits carry the effect of smoking on cancer past an unknown genotype."""
    graph = Graph.from_edges(["genotype -> smoking", "genotype -> cancer", "smoking -> tar", "tar -> cancer"])
    found = identify(graph, "smoking", "cancer", observed=["smoking", "tar", "cancer"])
    assert (found.strategy, found.mediators, found.conditioning) == ("front-door", ("tar",), ())


def test_the_classical_instrument_is_reported_as_resting_on_linearity():
    found = identify(Graph.from_edges(["z -> x", "x -> y", "x <-> y"], kind="ADMG"), "x", "y")
    assert (found.strategy, found.instruments, found.functional) == ("instrument", ("z",), False)
    assert any("same for all units" in sentence for sentence in found.assumptions)


def test_a_descendant_of_the_instruments_cause_is_an_instrument_given_nothing_it_shares_with_the_outcome():
    """van der Zander, Textor & Liskiewicz (2015): a conditional instrument needs its covariate, and not more."""
    graph = Graph.from_edges(["w -> z", "w -> y", "z -> x", "x -> y", "x <-> y"], kind="ADMG")
    found = identify(graph, "x", "y")
    assert (found.instruments, found.conditioning) == (("z",), ("w",))


def test_the_napkin_is_identified_though_no_adjustment_is_valid():
    graph = Graph.from_edges(NAPKIN, kind="ADMG")
    assert not identify(graph, "x", "y", strategy="adjustment").identified
    assert not identify(graph, "x", "y", strategy="front-door").identified
    alone = identify(graph, "x", "y", strategy="adjustment")
    assert alone.functional
    assert "A formula in the measured variables does give the effect" in alone.reason
    # In a linear model z is an instrument given w.
    found = identify(graph, "x", "y")
    assert (found.strategy, found.instruments, found.conditioning) == ("instrument", ("z",), ("w",))
