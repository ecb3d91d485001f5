"""DAGMA: the log-determinant against its definition, known truths, and the path it takes."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from tests.discovery.test_notears import arrows, equal_variances, names, numeric_gradient, off_diagonal
from tests.discovery.truth import all_dags
from whence.data import read, simulate
from whence.discovery import DAGMA, NOTEARS, NonlinearDAGMA
from whence.discovery._continuous_cycles import log_determinant
from whence.discovery._continuous_models import LinearModel
from whence.discovery._continuous_schedules import augmented_lagrangian, central_path
from whence.errors import ParameterError


def test_the_log_determinant_is_zero_exactly_on_dags():
    rng = np.random.default_rng(0)
    dags = {graph.tobytes() for graph in all_dags(3)}
    places = np.argwhere(off_diagonal(3))
    for chosen in product((False, True), repeat=6):
        graph = np.zeros((3, 3), dtype=bool)
        graph[tuple(places[list(chosen)].T)] = True
        is_dag = graph.tobytes() in dags
        # On a DAG strengths may be of any size; with cycles they must stay small to be in the domain.
        strengths = np.where(graph, rng.uniform(0.05, 5.0 if is_dag else 0.4, (3, 3)), 0.0)
        for scale in (1.0, 1.5):
            value, _ = log_determinant(strengths, scale)
            expected = -np.linalg.slogdet(scale * np.eye(3) - strengths)[1] + 3 * math.log(scale)
            assert value == pytest.approx(expected, abs=1e-12)
            assert (abs(value) < 1e-12) == is_dag


def test_its_gradient_is_that_of_differences_and_it_is_infinite_outside_its_domain():
    strengths = np.random.default_rng(1).uniform(0, 0.15, (5, 5))
    _, gradient = log_determinant(strengths, 0.9)
    expected = numeric_gradient(lambda x: log_determinant(x.reshape(5, 5), 0.9)[0], strengths.ravel())
    np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6)
    strong = np.array([[0.0, 1.0], [1.1, 0.0]])
    assert log_determinant(strong, 1.0)[0] == math.inf
    assert log_determinant(strong, 1.1)[0] < math.inf
    assert log_determinant(10 * strong, 1.0)[0] == math.inf  # its determinant is positive again for two such cycles
    assert log_determinant(np.kron(np.eye(2), strong), 1.0)[0] == math.inf


def test_linear_truths_with_noise_of_equal_variance_are_found():
    exact = 0
    for seed in range(8):
        drawn = equal_variances(10, 2000, seed)
        found = DAGMA(compare_scales=False).fit(read(drawn.values, names=names(10)))
        exact += np.array_equal(arrows(found), drawn.adjacency)
        assert found.details["converged"]
        assert found.details["cycles_left"] < 1e-5
    assert exact >= 6


def test_it_reaches_the_objective_of_notears_where_both_price_alike():
    for seed in range(5):
        drawn = equal_variances(10, 1000, seed)
        centred = drawn.values - drawn.values.mean(axis=0)
        covariance = centred.T @ centred / 1000
        model = LinearModel(covariance, off_diagonal(10), np.zeros((10, 10), dtype=bool), 0.05)
        found = (
            augmented_lagrangian(model, tolerance=1e-8, most_rounds=100, most_steps=2000),
            central_path(model, weights=(1, 0.1, 0.01, 1e-3, 1e-4), scales=(1.0, 0.9, 0.8, 0.7, 0.6), most_steps=2000),
        )
        one, other = (model.loss(solution.x)[0] + model.price @ np.abs(solution.x) for solution in found)
        assert other == pytest.approx(one, rel=0.02)


def test_nonlinear_truths_are_found_where_linear_models_see_little():
    true = hits = linear = false = 0
    for seed in range(4):
        drawn = simulate.nonlinear_scm(5, 500, degree=1.6, mechanism="mim", standardise=False, random_state=seed)
        found = arrows(NonlinearDAGMA(compare_scales=False).fit(drawn.values))
        true += drawn.adjacency.sum()
        hits += (found & drawn.adjacency).sum()
        false += (found & ~drawn.adjacency).sum()
        linear += (arrows(DAGMA(compare_scales=False).fit(drawn.values)) & drawn.adjacency).sum()
    assert hits >= 0.7 * true > linear
    assert false <= 0.3 * true


def test_the_graph_of_a_strong_cycle_is_still_a_dag():
    rng = np.random.default_rng(0)
    weights = np.array([[0.0, 0.8, 0.0], [0.0, 0.0, 0.8], [0.8, 0.0, 0.0]])
    values = rng.normal(size=(1000, 3)) @ np.linalg.inv(np.eye(3) - weights)
    for search in (DAGMA(path=(1.0,), scales=(1.0,)), DAGMA(), NOTEARS()):
        found = search.fit(values)
        assert found.graph.kind == "DAG"
        assert found.graph.edges()
    cut = DAGMA(path=(100.0,), scales=(1.5,), threshold=0.05).fit(values)
    assert any("made cycles" in warning for warning in cut.warnings)
    assert cut.details["threshold_used"] > 0.05


def test_what_the_scale_decides_is_said():
    drawn = equal_variances(8, 2000, 1)
    found = DAGMA().fit(read(drawn.values, names=names(8)))
    assert found.details["scale"]["kept"] < drawn.adjacency.sum()
    assert "hangs on the units" in found.warnings[-1]
    standardised = DAGMA().fit(read(drawn.values / drawn.values.std(axis=0), names=names(8)))
    assert "All columns have the same variance" in standardised.warnings[-1]
    assert (arrows(standardised) & drawn.adjacency).sum() == found.details["scale"]["kept"]


@pytest.mark.parametrize(
    ("search", "settings", "wrong"),
    [
        (DAGMA, {"path": ()}, "path has 0 weights"),
        (DAGMA, {"path": (1.0,)}, "scales has 5"),
        (DAGMA, {"path": (1.0, -0.1), "scales": (1.0, 1.0)}, "above 0"),
        (NonlinearDAGMA, {"decay": -1.0}, "decay is -1"),
        (NonlinearDAGMA, {"hidden_units": 0}, "hidden_units is 0"),
    ],
)
def test_bad_settings_are_refused(search, settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        search(**settings)
