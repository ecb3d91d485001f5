"""Random graphs and linear models: shapes, scales and truths that can be computed another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whence.data import simulate
from whence.errors import DataError

KINDS = ("erdos-renyi", "scale-free", "bipartite", "hubs")


@pytest.mark.parametrize("kind", KINDS)
def test_random_graphs_are_acyclic_and_have_the_expected_degree(kind):
    degrees = []
    for seed in range(10):
        adjacency = simulate.random_dag(100, degree=4, kind=kind, random_state=seed)
        order = simulate.causal_order(adjacency)
        assert not np.tril(adjacency[np.ix_(order, order)]).any()
        degrees.append(2 * adjacency.sum() / 100)
    assert abs(np.mean(degrees) - 4) < 0.3


def test_the_order_of_the_columns_is_not_the_causal_order():
    forward = [np.triu(simulate.random_dag(30, degree=4, random_state=seed)).sum() for seed in range(30)]
    backward = [np.tril(simulate.random_dag(30, degree=4, random_state=seed)).sum() for seed in range(30)]
    assert abs(sum(forward) / (sum(forward) + sum(backward)) - 0.5) < 0.06


def test_scale_free_graphs_have_bigger_hubs_than_random_ones():
    largest = {
        kind: np.mean([simulate.random_dag(300, degree=2, kind=kind, random_state=s).sum(1).max() for s in range(5)])
        for kind in ("erdos-renyi", "scale-free")
    }
    assert largest["scale-free"] > 2 * largest["erdos-renyi"]


def test_bipartite_graphs_have_no_path_longer_than_one_edge():
    adjacency = simulate.random_dag(40, degree=5, kind="bipartite", random_state=0).astype(int)
    assert not (adjacency @ adjacency).any()


def test_edge_probability_is_the_share_of_pairs():
    adjacency = simulate.random_dag(200, edge_probability=0.5, random_state=0)
    assert abs(adjacency.sum() / (200 * 199 / 2) - 0.5) < 0.02
    assert simulate.random_dag(20, edge_probability=1.0, random_state=0).sum() == 190
    assert simulate.random_dag(1, random_state=0).shape == (1, 1)


@pytest.mark.parametrize(
    "settings", [{"n_nodes": 0}, {"n_nodes": 5, "degree": -1}, {"n_nodes": 5, "edge_probability": 2}]
)
def test_impossible_graphs_are_refused(settings):
    with pytest.raises(DataError) as caught:
        simulate.random_dag(**settings)
    assert caught.value.code == "E150"


def test_a_cycle_is_refused():
    with pytest.raises(DataError, match="cycle"):
        simulate.linear_scm([("a", "b"), ("b", "a")])


@pytest.mark.parametrize("noise", simulate.NOISES)
def test_noise_has_mean_zero_and_unit_variance(noise):
    drawn = simulate.draw_noise(noise, (200_000,), np.random.default_rng(0))
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.var() - 1) < 0.05


def test_noise_families_have_their_shape():
    rng = np.random.default_rng(0)
    excess = {name: stats.kurtosis(simulate.draw_noise(name, (200_000,), rng)) for name in simulate.NOISES}
    assert abs(excess["gaussian"]) < 0.1
    assert abs(excess["laplace"] - 3) < 0.4
    assert abs(excess["uniform"] + 1.2) < 0.05
    assert abs(excess["exponential"] - 6) < 1
    assert abs(excess["gumbel"] - 2.4) < 0.4


def test_the_table_obeys_its_equations_in_the_returned_units():
    simulation = simulate.linear_scm(12, 20_000, degree=3, random_state=3)
    values, weights = simulation.values, simulation.weights
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-12)
    for node in range(12):
        parents = np.flatnonzero(simulation.adjacency[:, node])
        if len(parents):
            fitted = np.linalg.lstsq(values[:, parents], values[:, node], rcond=None)[0]
            np.testing.assert_allclose(fitted, weights[parents, node], atol=0.05)


def test_truth_effect_is_the_sum_over_paths():
    weights = np.zeros((3, 3))
    weights[0, 1], weights[1, 2], weights[0, 2] = 2.0, 3.0, -1.0
    raw = simulate.linear_scm(weights != 0, 500, weights=weights, standardise=False, random_state=0)
    assert raw.truth_effect("X1", "X3") == pytest.approx(2 * 3 - 1)
    assert raw.truth_effect("X3", "X1") == 0
    scaled = simulate.linear_scm(weights != 0, 500, weights=weights, random_state=0)
    assert scaled.truth_effect("X1", "X3") == pytest.approx(5 * scaled.scale[0] / scaled.scale[2])
    np.testing.assert_allclose(scaled.values * scaled.scale + scaled.center, raw.values)


def test_same_seed_same_table():
    first, second = (simulate.linear_scm(20, 100, noise="laplace", random_state=7) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)
    assert first.edges == second.edges


def brute_force_sortability(criterion, adjacency):
    """Walk every path length by matrix powers, entry by entry."""
    paths, total, good = adjacency.astype(int), 0, 0.0
    for _ in range(len(adjacency)):
        for i, j in zip(*np.nonzero(paths)):
            total += 1
            good += 1.0 if criterion[j] > criterion[i] else 0.0
        paths = (paths @ adjacency.astype(int) > 0).astype(int)
    return good / total


def test_var_sortability_against_a_walk_over_all_paths():
    simulation = simulate.linear_scm(15, 500, degree=3, standardise=False, random_state=5)
    expected = brute_force_sortability(simulation.values.var(axis=0), simulation.adjacency)
    assert simulation.var_sortability == pytest.approx(expected)
    assert simulation.var_sortability > 0.8
    assert simulate.linear_scm(15, 500, degree=3, random_state=5).var_sortability == 0.5


def test_r2_sortability_against_one_regression_per_column():
    simulation = simulate.linear_scm(10, 800, degree=3, random_state=6)
    values, r2 = simulation.values, []
    for column in range(10):
        others = np.delete(values, column, axis=1)
        residual = values[:, column] - others @ np.linalg.lstsq(others, values[:, column], rcond=None)[0]
        r2.append(1 - residual.var())
    assert simulation.r2_sortability == pytest.approx(brute_force_sortability(np.array(r2), simulation.adjacency))


def test_sortability_of_an_empty_graph_is_nan():
    simulation = simulate.linear_scm(4, 50, degree=0, random_state=0)
    assert np.isnan(simulation.var_sortability)
    assert np.isnan(simulation.r2_sortability)
