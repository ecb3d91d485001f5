"""NOTEARS: its parts against definitions, known truths with noise of equal variance, and what it says about scale."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import expit

from tests.discovery.truth import all_dags
from whence.data import read, simulate
from whence.discovery import NOTEARS, NonlinearNOTEARS
from whence.discovery._continuous_cycles import acyclic_part, trace_exponential
from whence.discovery._continuous_models import LinearModel
from whence.discovery._continuous_optimiser import minimise
from whence.discovery._kernels_continuous import activate
from whence.discovery._mlp import NetworkModel
from whence.errors import ParameterError
from whence.graph import Knowledge
from whence.graph.orientation import is_acyclic


def names(p: int) -> list[str]:
    return [f"X{k:02d}" for k in range(p)]


def equal_variances(p: int, n: int, seed: int, **settings):
    """Return a linear simulation on its own scale, every noise term of variance 1."""
    adjacency = simulate.random_dag(p, degree=2.0, random_state=seed)
    settings = {"weights": (0.7, 1.5), "standardise": False, "random_state": seed, **settings}
    return simulate.linear_scm(adjacency, n, **settings)


def arrows(result) -> np.ndarray:
    return result.graph.marks == 2


def numeric_gradient(function, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    return np.array([(function(x + e) - function(x - e)) / (2 * step) for e in step * np.eye(len(x))])


def off_diagonal(p: int) -> np.ndarray:
    return ~np.eye(p, dtype=bool)


def test_the_measure_of_cycles_is_the_trace_of_the_exponential_and_zero_exactly_on_dags():
    rng = np.random.default_rng(0)
    dags = {graph.tobytes() for graph in all_dags(3)}
    places = np.argwhere(off_diagonal(3))
    for chosen in product((False, True), repeat=6):
        graph = np.zeros((3, 3), dtype=bool)
        graph[tuple(places[list(chosen)].T)] = True
        strengths = np.where(graph, rng.uniform(0.1, 3.0, (3, 3)), 0.0)
        value, _ = trace_exponential(strengths)
        assert value == pytest.approx(np.trace(expm(strengths)) - 3, rel=1e-9, abs=1e-12)
        assert (value == 0.0) == (graph.tobytes() in dags)


def test_the_gradient_of_the_measure_is_that_of_differences():
    strengths = np.random.default_rng(1).uniform(0, 1, (5, 5))
    _, gradient = trace_exponential(strengths)
    expected = numeric_gradient(lambda x: trace_exponential(x.reshape(5, 5))[0], strengths.ravel())
    np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6)
    assert trace_exponential(np.full((5, 5), 1e9))[0] == math.inf


def test_the_loss_by_moments_is_that_of_the_rows_and_so_is_its_gradient():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    values -= values.mean(axis=0)
    allowed = off_diagonal(5)
    allowed[0, 3] = False
    model = LinearModel(values.T @ values / 60, allowed, np.zeros((5, 5), dtype=bool), 0.1)
    x = rng.normal(size=allowed.sum())
    weights = model.coefficients(x)
    assert weights[0, 3] == 0
    assert model.loss(x)[0] == pytest.approx(0.5 * ((values - values @ weights) ** 2).sum() / 60)
    np.testing.assert_allclose(model.loss(x)[1], numeric_gradient(lambda y: model.loss(y)[0], x), rtol=1e-5, atol=1e-7)
    weight = rng.normal(size=(5, 5))
    expected = numeric_gradient(lambda y: (weight * model.strengths(y)).sum(), x)
    np.testing.assert_allclose(model.pull(x, weight), expected, rtol=1e-5, atol=1e-7)


def plain_network(layers, values: np.ndarray) -> np.ndarray:
    """Return what the networks predict, column by column and unit by unit, shape (n, p)."""
    predicted = np.zeros_like(values)
    p, units, _ = layers.inputs.shape
    for j, unit in product(range(p), range(units)):
        received = values @ layers.inputs[j, unit] + layers.biases[j, unit]
        predicted[:, j] += layers.outputs[j, unit] * expit(received)
    return predicted + layers.intercepts


@pytest.mark.parametrize("loss", ["squares", "log-squares"])
def test_the_networks_are_the_formula_and_their_gradient_that_of_differences(loss):
    rng = np.random.default_rng(3)
    values = rng.normal(size=(30, 4))
    allowed = off_diagonal(4)
    allowed[2, 0] = False
    model = NetworkModel(values, allowed, ~allowed, units=3, price=0.1, decay=0.02, loss=loss, random_state=0, unit=1.0)
    x = rng.normal(size=len(model.start))
    layers = model.layers(x)
    squares = ((values - plain_network(layers, values)) ** 2).sum() / 30
    decay = 0.01 * ((layers.inputs**2).sum() + (layers.outputs**2).sum())
    expected = 0.5 * squares if loss == "squares" else 2.0 * math.log(squares)
    assert model.loss(x)[0] == pytest.approx(expected + decay)
    np.testing.assert_allclose(model.loss(x)[1], numeric_gradient(lambda y: model.loss(y)[0], x), rtol=1e-5, atol=1e-7)
    assert model.strengths(x)[2, 0] == 0
    np.testing.assert_allclose(model.strengths(x)[0, 1], (layers.inputs[1, :, 0] ** 2).sum())
    weight = rng.normal(size=(4, 4))
    expected = numeric_gradient(lambda y: (weight * model.strengths(y)).sum(), x)
    np.testing.assert_allclose(model.pull(x, weight), expected, rtol=1e-5, atol=1e-7)
    step = np.array([0.0, 1e-6, 0.0, 0.0])
    rise = (plain_network(layers, values + step) - plain_network(layers, values - step)).mean(axis=0) / 2e-6
    np.testing.assert_allclose(model.slopes(x)[1], rise, rtol=1e-5, atol=1e-8)


def test_the_sigmoid_is_exact_to_rounding_and_holds_at_the_extremes():
    received = np.concatenate([np.linspace(-40, 40, 4001), [-1e300, -750.0, 0.0, 750.0, 1e300]])
    hidden, predicted = received.reshape(1, 1, -1).copy(), np.zeros((1, len(received)))
    activate(hidden, np.array([[2.0]]), predicted)
    np.testing.assert_allclose(hidden[0, 0], expit(received), rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(predicted[0], 2.0 * hidden[0, 0])


def test_the_minimum_of_squares_with_a_price_has_vanishing_slope_and_exact_zeros():
    rng = np.random.default_rng(4)
    root = rng.normal(size=(40, 20))
    square, linear = root.T @ root / 40, rng.normal(size=20)
    price = np.full(20, 0.5)
    price[:3] = 0.0

    def smooth(x):
        return 0.5 * float(x @ square @ x) - float(linear @ x), square @ x - linear

    found = minimise(smooth, np.zeros(20), price, value_tolerance=0.0, slope_tolerance=1e-8)
    slope = square @ found.x - linear
    assert found.converged
    zero = found.x == 0
    assert zero.sum() > 3
    assert (np.abs(slope[zero]) <= price[zero] + 1e-7).all()
    np.testing.assert_allclose(slope[~zero], -price[~zero] * np.sign(found.x[~zero]), atol=1e-7)
    assert not minimise(smooth, np.zeros(20), price, value_tolerance=0.0, slope_tolerance=0.0, most_steps=3).converged


def test_the_threshold_is_raised_only_as_far_as_needed_and_never_cuts_what_is_required():
    strength = np.array([[0.0, 0.9, 0.0], [0.5, 0.0, 0.8], [0.6, 0.0, 0.0]])
    nothing = np.zeros((3, 3), dtype=bool)
    kept, used = acyclic_part(strength, nothing, 0.3)
    assert used == 0.6
    np.testing.assert_array_equal(kept, strength > 0.6)
    required = nothing.copy()
    required[2, 0] = True
    kept, used = acyclic_part(strength, required, 0.3)
    assert (kept[2, 0], kept[0, 1], kept[1, 2], used) == (True, True, False, 0.8)
    assert acyclic_part(np.triu(strength), nothing, 0.3)[1] == 0.3


def test_linear_truths_with_noise_of_equal_variance_are_found():
    exact = 0
    for seed in range(8):
        drawn = equal_variances(8, 2000, seed)
        found = NOTEARS(compare_scales=False).fit(read(drawn.values, names=names(8)))
        exact += np.array_equal(arrows(found), drawn.adjacency)
        assert found.details["converged"]
        assert found.details["cycles_left"] <= 1e-8
        for item in found.evidence:
            i, j = int(item.source[1:]), int(item.target[1:])
            if drawn.adjacency[i, j]:
                assert item.weight == pytest.approx(drawn.weights[i, j], abs=0.1)
    assert exact >= 6


def test_nonlinear_truths_are_found_where_linear_models_see_little():
    true = nonlinear = linear = false = 0
    for seed in range(4):
        drawn = simulate.nonlinear_scm(5, 500, degree=1.6, mechanism="mim", standardise=False, random_state=seed)
        found = arrows(NonlinearNOTEARS(compare_scales=False).fit(drawn.values))
        true += drawn.adjacency.sum()
        nonlinear += (found & drawn.adjacency).sum()
        false += (found & ~drawn.adjacency).sum()
        linear += (arrows(NOTEARS(compare_scales=False).fit(drawn.values)) & drawn.adjacency).sum()
    assert nonlinear >= 0.75 * true > linear
    assert false <= 0.3 * true


def test_directions_follow_the_scale_and_the_result_says_so():
    drawn = equal_variances(8, 2000, 1)
    right = NOTEARS().fit(read(drawn.values, names=names(8)))
    scale = right.details["scale"]
    assert scale["var_sortability"] > 0.9
    assert scale["kept"] + scale["reversed"] + scale["lost"] == drawn.adjacency.sum()
    assert scale["reversed"] + scale["lost"] > 0
    assert "the other way round" in right.warnings[-1]
    # In units in which every effect varies less than its causes, the directions turn about.
    place = np.argsort(simulate.causal_order(drawn.adjacency))
    turned = NOTEARS().fit(read(10 * 1.5**-place * drawn.values / drawn.values.std(axis=0), names=names(8)))
    assert (arrows(turned) & drawn.adjacency.T).sum() >= 4 > (arrows(turned) & drawn.adjacency).sum()


def test_on_standardised_columns_it_says_that_it_cannot_tell():
    drawn = equal_variances(8, 2000, 1)
    standardised = drawn.values / drawn.values.std(axis=0)
    found = NOTEARS().fit(read(standardised, names=names(8)))
    assert "All columns have the same variance" in found.warnings[-1]
    assert "guesses" in found.warnings[-1]
    assert not np.array_equal(arrows(found), drawn.adjacency)
    raw = NOTEARS().fit(read(drawn.values, names=names(8))).details["scale"]
    assert raw["kept"] == (arrows(found) & drawn.adjacency).sum()


def test_columns_in_units_that_do_not_compare_are_named():
    drawn = equal_variances(4, 500, 2)
    found = NOTEARS().fit(read(drawn.values * [1.0, 1e4, 1.0, 1.0], names=names(4)))
    assert any("'X01'" in warning and "comparable units" in warning for warning in found.warnings)


def test_one_unit_for_all_columns_does_not_matter_beside_its_price():
    drawn = equal_variances(6, 500, 3)
    one = NOTEARS(compare_scales=False).fit(read(drawn.values, names=names(6)))
    other = NOTEARS(compare_scales=False, sparsity=0.1 * 1e6).fit(read(drawn.values * 1e3, names=names(6)))
    np.testing.assert_array_equal(one.graph.marks, other.graph.marks)


def test_the_comparison_of_scales_can_be_left_out_but_not_the_warning():
    drawn = equal_variances(5, 300, 4)
    found = NOTEARS(compare_scales=False).fit(read(drawn.values, names=names(5)))
    assert "were not compared" in found.warnings[-1]
    assert found.details["scale"]["kept"] is None


def test_required_edges_stay_and_what_would_close_a_cycle_with_them_is_not_allowed():
    drawn = equal_variances(6, 500, 5)
    weak = [(f"X{j:02d}", f"X{i:02d}") for i, j in np.argwhere(drawn.adjacency)[:2]]  # against the truth
    known = Knowledge(required=weak)
    found = NOTEARS(knowledge=known).fit(read(drawn.values, names=names(6)))
    edges = {(edge.source, edge.target) for edge in found.graph.edges()}
    assert set(weak) <= edges
    assert is_acyclic(arrows(found))


def test_it_says_when_it_stops_too_early():
    drawn = equal_variances(6, 300, 6)
    found = NOTEARS(most_rounds=2).fit(read(drawn.values, names=names(6)))
    assert any("did not converge" in warning for warning in found.warnings)
    assert is_acyclic(arrows(found))


def test_progress_is_told_and_never_runs_over():
    told = []
    drawn = equal_variances(4, 300, 0)
    NOTEARS(compare_scales=False).fit(drawn.values, progress=lambda *step: told.append(step))
    assert told
    assert all(stage == "rounds" and 0 <= done < total for stage, done, total in told)


@pytest.mark.parametrize(
    ("search", "settings", "wrong"),
    [
        (NOTEARS, {"sparsity": -1.0}, "sparsity is -1"),
        (NOTEARS, {"threshold": float("nan")}, "threshold is nan"),
        (NOTEARS, {"most_steps": 0}, "most_steps is 0"),
        (NOTEARS, {"most_rounds": 0}, "most_rounds is 0"),
        (NOTEARS, {"random_state": -3}, "random_state"),
        (NonlinearNOTEARS, {"hidden_units": 0}, "hidden_units is 0"),
    ],
)
def test_bad_settings_are_refused(search, settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        search(**settings)
