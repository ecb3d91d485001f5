"""Simulated expression has the graph, form and zeros that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr

from whence.data import simulate
from whence.errors import DataError

EDGES = [("a", "b"), ("b", "c"), ("a", "c")]


def test_gaussian_expression_follows_its_coefficients():
    world = simulate.expression_scm(EDGES, 100_000, random_state=0)
    assert world.edges == [("a", "b"), ("a", "c"), ("b", "c")]
    index = [world.names.index(name) for name in "abc"]
    values, weights = world.values[:, index], world.weights[np.ix_(index, index)]
    design = np.column_stack([np.ones(len(values)), values[:, :2]])
    slopes = np.linalg.lstsq(design, values[:, 2], rcond=None)[0]
    np.testing.assert_allclose(slopes[1:], weights[:2, 2], atol=0.02)
    assert ((np.abs(weights[weights != 0]) >= 0.25) & (np.abs(weights[weights != 0]) <= 1)).all()
    noise = (values[:, 2] - design @ slopes).std()
    assert 1 <= noise <= 2


def test_lognormal_is_the_exponential_of_standardised_values():
    world = simulate.expression_scm(6, 20_000, form="lognormal", random_state=1)
    logs = np.log(world.values)
    np.testing.assert_allclose(logs.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(logs.std(axis=0), 1, atol=1e-9)
    assert world.weights is None


def test_poisson_counts_are_repressed_by_their_parents():
    world = simulate.expression_scm([("a", "b")], 20_000, form="poisson", random_state=2)
    values = world.values
    np.testing.assert_array_equal(values, np.floor(values))
    a, b = (values[:, world.names.index(name)] for name in "ab")
    assert np.corrcoef(a, b)[0, 1] < -0.1


def test_the_same_seed_draws_the_same_cells():
    one, two = (simulate.expression_scm(5, 100, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.values, two.values)
    lost = [simulate.drop_out(one, simulate.Logistic(), random_state=4).values for _ in range(2)]
    np.testing.assert_array_equal(*lost)


@pytest.mark.parametrize(
    ("mechanism", "share"),
    [
        (simulate.Constant((0.6, 0.6)), lambda z: np.full(len(z), 0.6)),
        (simulate.Logistic(0.5, -1.0), lambda z: expit(0.5 - z)),
        (simulate.Probit(0.2, -0.7), lambda z: ndtr(0.2 - 0.7 * z)),
        (simulate.MichaelisMenten(2.0), lambda z: np.full(len(z), 1 - z.mean() / (z.mean() + 2.0))),
    ],
)
def test_each_mechanism_loses_values_with_its_chance(mechanism, share):
    cells = simulate.expression_scm(3, 40_000, form="lognormal", random_state=5)
    lost = simulate.drop_out(cells, mechanism, random_state=6).values == 0
    for z, gone in zip(cells.values.T, lost.T):
        low = z < np.median(z)
        for part in (low, ~low):
            assert gone[part].mean() == pytest.approx(share(z)[part].mean(), abs=0.015)


def test_truncation_loses_exactly_the_smallest_values():
    cells = simulate.expression_scm(4, 1000, random_state=7)
    seen = simulate.drop_out(cells, simulate.Truncation((0.3, 0.3)), random_state=8)
    for z, x in zip(cells.values.T, seen.values.T):
        assert (x == 0).sum() == 300
        assert z[x == 0].max() < z[x != 0].min()
        np.testing.assert_array_equal(x[x != 0], z[x != 0])


def test_only_the_columns_named_are_touched_and_drivers_decide_for_others():
    cells = simulate.expression_scm(4, 5000, random_state=9)
    seen = simulate.drop_out(
        cells, simulate.Truncation((0.4, 0.4)), columns=["X2"], drivers={"X2": "X1"}, random_state=10
    )
    np.testing.assert_array_equal(seen.values[:, [0, 2, 3]], cells.values[:, [0, 2, 3]])
    lost = seen.values[:, 1] == 0
    assert cells.values[lost, 0].max() < cells.values[~lost, 0].min()
    assert "follow 'X1'" in seen.notes[-1]


def test_what_does_not_exist_is_refused():
    cells = simulate.expression_scm(3, 50, random_state=0)
    with pytest.raises(DataError, match="'gamma'"):
        simulate.expression_scm(3, 50, form="gamma")
    with pytest.raises(DataError, match="'X9'"):
        simulate.drop_out(cells, drivers={"X9": "X1"})
    negative = simulate.expression_scm([("a", "b")], 50, random_state=1)
    object.__setattr__(negative, "values", negative.values - 100)
    with pytest.raises(DataError, match="positive"):
        simulate.drop_out(negative, simulate.MichaelisMenten())
