"""GOLEM: the likelihood against its definition, and known truths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.discovery.test_notears import arrows, equal_variances, names, numeric_gradient, off_diagonal
from whence.data import read, simulate
from whence.discovery import GOLEM
from whence.discovery._continuous_models import LinearModel
from whence.errors import ParameterError
from whence.graph.orientation import cpdag_of_dag, is_acyclic


@pytest.mark.parametrize("loss", ["equal-variances", "unequal-variances"])
def test_the_loss_is_the_likelihood_of_the_rows_and_its_gradient_that_of_differences(loss):
    rng = np.random.default_rng(0)
    n, p = 80, 4
    values = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    values -= values.mean(axis=0)
    model = LinearModel(values.T @ values / n, off_diagonal(p), np.zeros((p, p), dtype=bool), 0.0, loss=loss)
    x = rng.uniform(-0.4, 0.4, size=p * (p - 1))
    rest = np.eye(p) - model.coefficients(x)
    residual = (values @ rest).var(axis=0)
    spread = np.full(p, residual.mean()) if loss == "equal-variances" else residual
    # Gaussian density of all rows at the best variances, over n, less what does not depend on the coefficients.
    expected = 0.5 * np.log(spread).sum() - math.log(abs(np.linalg.det(rest)))
    constant = 0.5 * p * math.log(p) if loss == "equal-variances" else 0.0
    assert model.loss(x)[0] == pytest.approx(expected + constant)
    np.testing.assert_allclose(model.loss(x)[1], numeric_gradient(lambda y: model.loss(y)[0], x), rtol=1e-5, atol=1e-7)


def test_truths_with_noise_of_equal_variance_are_found():
    exact = 0
    for seed in range(8):
        drawn = equal_variances(8, 2000, seed)
        found = GOLEM(compare_scales=False).fit(read(drawn.values, names=names(8)))
        exact += np.array_equal(arrows(found), drawn.adjacency)
    assert exact >= 6


def test_with_unequal_variances_the_class_is_found_more_often_than_by_assuming_equal_ones():
    found = {True: 0, False: 0}
    for seed in range(10):
        adjacency = simulate.random_dag(6, degree=1.5, random_state=seed)
        settings = {"weights": (0.7, 1.5), "noise_scale": (0.6, 2.0), "standardise": False, "random_state": seed}
        values = simulate.linear_scm(adjacency, 2000, **settings).values
        for equal in found:
            result = GOLEM(equal_variances=equal, compare_scales=False).fit(values)
            found[equal] += np.array_equal(cpdag_of_dag(arrows(result)), cpdag_of_dag(adjacency))
            assert is_acyclic(arrows(result))
    assert found[False] > found[True]


def test_settings_are_recorded_with_their_rule():
    data = read(equal_variances(4, 300, 0).values, names=names(4))
    for equal, price in ((True, 0.02), (False, 0.002)):
        parameters = GOLEM(equal_variances=equal).fit(data).parameters
        assert (parameters["sparsity"], parameters["cycle_penalty"]) == (price, 5.0)
    assert GOLEM(sparsity=0.1).fit(data).parameters["sparsity_rule"] == "given"


def test_what_the_scale_decides_is_said():
    drawn = equal_variances(8, 2000, 1)
    found = GOLEM().fit(read(drawn.values, names=names(8)))
    assert found.details["scale"]["kept"] < drawn.adjacency.sum()
    assert "hangs on the units" in found.warnings[-1]


@pytest.mark.parametrize(
    ("settings", "wrong"), [({"cycle_penalty": -1.0}, "cycle_penalty"), ({"sparsity": -1}, "spars")]
)
def test_bad_settings_are_refused(settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        GOLEM(**settings)
