"""The statistical tests behind the profile: against SciPy, statsmodels, brute force and their null distributions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from whence.data import simulate
from whence.data.profiling.association import groups_above, pairwise_correlation
from whence.data.profiling.domains import chow_tests
from whence.data.profiling.groups import contingency_test, group_tests, membership, rank_scores
from whence.data.profiling.linearity import linear_order, reset_tests
from whence.data.profiling.multiple import benjamini_yekutieli
from whence.data.profiling.noise import additive_noise_residuals, normality_p_values
from whence.data.profiling.series import choose_lag, dickey_fuller, kpss, ljung_box


def is_uniform(p_values):
    return stats.kstest(p_values, "uniform").pvalue > 0.001


def test_adjusted_p_values_are_scipys():
    p_values = np.random.default_rng(0).uniform(size=40) ** 3
    expected = stats.false_discovery_control(p_values, method="by")
    np.testing.assert_allclose(benjamini_yekutieli(p_values), expected)
    padded = benjamini_yekutieli([*p_values, np.nan])
    np.testing.assert_allclose(padded[:-1], expected)
    assert np.isnan(padded[-1])


@pytest.mark.parametrize("tied", [False, True])
def test_one_degree_is_the_kruskal_wallis_test(tied):
    rng = np.random.default_rng(1)
    values = rng.standard_normal((200, 3))
    values = np.round(values) if tied else values
    labels = rng.integers(0, 4, 200)
    statistic, p_value, _ = group_tests(rank_scores(values), membership(labels, 4), degrees=1)
    for column in range(3):
        expected = stats.kruskal(*(values[labels == label, column] for label in range(4)))
        assert statistic[column] == pytest.approx(expected.statistic)
        assert p_value[column] == pytest.approx(expected.pvalue)


def test_group_tests_hold_their_level_and_see_more_than_location():
    rng = np.random.default_rng(2)
    labels = np.arange(400) % 4
    null = rng.exponential(size=(400, 500))
    null[rng.random(null.shape) < 0.1] = np.nan
    assert is_uniform(group_tests(rank_scores(null), membership(labels, 4))[1])
    wider = rng.standard_normal((400, 1)) * np.where(labels == 0, 2.0, 1.0)[:, None]
    assert group_tests(rank_scores(wider), membership(labels, 4))[1][0] < 1e-4
    assert group_tests(rank_scores(wider), membership(labels, 4), degrees=1)[1][0] > 1e-4


def test_group_tests_cannot_be_made_of_one_value_or_one_group():
    values = np.column_stack([np.ones(50), np.arange(50.0)])
    assert np.isnan(group_tests(rank_scores(values), membership(np.arange(50) % 2, 2))[1][0])
    assert np.isnan(group_tests(rank_scores(values), membership(np.zeros(50, int), 2))[1]).all()


def test_contingency_test_is_scipys():
    rng = np.random.default_rng(3)
    first, second = rng.integers(-1, 3, 300), rng.integers(-1, 4, 300)
    rows = (first >= 0) & (second >= 0)
    table = np.zeros((3, 4))
    np.add.at(table, (first[rows], second[rows]), 1)
    expected = stats.chi2_contingency(table, correction=False)
    assert contingency_test(first, second) == pytest.approx((expected[0], expected[1]))


def test_chow_statistics_are_those_of_separate_regressions():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((300, 3))
    values[:, 2] += values[:, 0] * np.where(np.arange(300) < 100, 2.0, 0.5)
    labels = (np.arange(300) >= 100).astype(int)

    def squares(rows, column):
        design = np.column_stack([np.ones(rows.sum()), np.delete(values[rows], column, axis=1)])
        fitted = np.linalg.lstsq(design, values[rows, column], rcond=None)
        return float(fitted[1][0])

    everything = np.ones(300, dtype=bool)
    statistic, p_value = chow_tests(values, labels)
    for column in range(3):
        apart = squares(labels == 0, column) + squares(labels == 1, column)
        expected = (squares(everything, column) - apart) / 3 / (apart / (300 - 6))
        assert statistic[column] == pytest.approx(expected, rel=1e-6)
        assert p_value[column] == pytest.approx(stats.f.sf(expected, 3, 294), rel=1e-4)


@pytest.mark.parametrize("noise", ["gaussian", "exponential", "student"])
def test_reset_holds_its_level_whatever_the_noise(noise):
    rng = np.random.default_rng(5)
    p_values = []
    for _ in range(40):
        x = simulate.draw_noise(noise, (1000,), rng)
        errors = simulate.draw_noise(noise, (1000, 10), rng) * (1 + np.abs(x))[:, None]
        p_values.append(reset_tests(x, 0.7 * x[:, None] + errors).p_values[0])
    # The robust covariance costs a little accuracy in the tails; the level is what matters.
    assert np.mean(np.array(p_values) < 0.05) < 0.16
    homogeneous = reset_tests(rng.standard_normal(2000), rng.standard_normal((2000, 400)))
    assert is_uniform(homogeneous.p_values)


def test_reset_sees_even_and_odd_bends():
    rng = np.random.default_rng(6)
    x = rng.standard_normal(1000)
    noise = rng.standard_normal((1000, 3))
    found = reset_tests(x, np.column_stack([x, x + 0.3 * x**2, 2 * np.tanh(2 * x)]) + noise)
    assert found.p_values[0] > 0.001
    assert (found.p_values[1:] < 1e-6).all()
    assert found.linked.all()
    assert found.gains[0] < 0.01 < found.gains[1:].min()


def test_a_linear_model_with_any_noise_is_linear_along_the_order_that_is_found():
    for seed in range(5):
        simulation = simulate.linear_scm(8, 3000, degree=3, noise="exponential", random_state=seed)
        found = linear_order(simulation.values)
        assert benjamini_yekutieli(found.p_values).min() > 0.01
        # The same pairs the wrong way round are not linear: exponential noise gives the direction away.
        reverse = [
            reset_tests(simulation.values[:, child], simulation.values[:, [parent]]).p_values[0]
            for parent, child in np.argwhere(simulation.adjacency)
        ]
        assert min(reverse) < 1e-6
        # Along the right order the residuals are the noise, and independent.
        assert np.abs(np.corrcoef(np.abs(found.residuals).T) - np.eye(8)).max() < 0.15


def test_exact_combinations_are_left_out_of_the_order():
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((2, 500))
    found = linear_order(np.column_stack([a, b, a + b]))
    assert len(found.columns) == 2
    assert np.isfinite(found.p_values).all()


def test_residuals_of_a_nonlinear_chain_are_its_noise():
    simulation = simulate.nonlinear_scm([("x", "y")], 2000, mechanism="mim", noise="gaussian", random_state=2)
    residuals = additive_noise_residuals(simulation.values, np.random.default_rng(0))
    assert normality_p_values(simulation.values, np.random.default_rng(0)).min() < 1e-4
    assert normality_p_values(residuals, np.random.default_rng(0)).min() > 0.001


def test_pairwise_correlations_are_those_of_the_common_rows():
    rng = np.random.default_rng(8)
    values = rng.standard_normal((300, 4)) @ rng.standard_normal((4, 4)) + 1e4
    values[rng.random(values.shape) < 0.3] = np.nan
    found = pairwise_correlation(values)
    for i in range(4):
        for j in range(4):
            rows = ~np.isnan(values[:, [i, j]]).any(axis=1)
            assert found[i, j] == pytest.approx(np.corrcoef(values[rows, i], values[rows, j])[0, 1], abs=1e-6)


def test_groups_are_connected_components():
    correlation = np.eye(5)
    correlation[0, 3] = correlation[3, 0] = -0.995
    correlation[3, 4] = correlation[4, 3] = 0.992
    assert groups_above(correlation, 0.99) == [[0, 3, 4]]


def test_white_noise_passes_ljung_and_box_and_a_walk_does_not():
    rng = np.random.default_rng(9)
    noise = rng.standard_normal((500, 300))
    assert is_uniform(ljung_box(noise)[1])
    _, p_value, first = ljung_box(np.cumsum(noise[:, :1], axis=0))
    assert p_value[0] < 1e-10
    assert first[0] > 0.9


@pytest.mark.parametrize("lag", [1, 2, 3, 4])
def test_the_lag_of_an_autoregression_is_found(lag):
    right = [
        choose_lag(simulate.var_process(4, 800, lag=lag, random_state=s).values).lag == lag for s in range(500, 510)
    ]
    assert np.mean(right) >= 0.9


def test_noise_has_no_lag_and_residuals_add_up():
    rng = np.random.default_rng(10)
    assert [choose_lag(rng.standard_normal((600, 3))).lag for _ in range(20)].count(0) >= 19
    series = simulate.var_process(3, 500, lag=2, random_state=1).values
    choice = choose_lag(series)
    scaled = (series - series.mean(axis=0)) / series.std(axis=0)
    np.testing.assert_allclose(choice.fitted + choice.residuals, scaled[-len(choice.fitted) :])
    np.testing.assert_allclose(choice.residuals.mean(axis=0), 0, atol=1e-10)


@pytest.mark.peers
def test_unit_root_tests_are_those_of_statsmodels():
    tools = pytest.importorskip("statsmodels.tsa.stattools", reason="statsmodels is the reference here")
    rng = np.random.default_rng(11)
    for length in (60, 400):
        for series in (rng.standard_normal(length), np.cumsum(rng.standard_normal(length))):
            with warnings.catch_warnings():  # both functions announce changes of their return values
                warnings.simplefilter("ignore")
                root, level = tools.adfuller(series), tools.kpss(series, nlags="legacy")
            assert dickey_fuller(series) == pytest.approx(tuple(root)[:2], rel=1e-6)
            assert kpss(series) == pytest.approx(tuple(level)[:2], rel=1e-6)


def test_unit_root_tests_tell_walks_from_noise():
    rng = np.random.default_rng(12)
    noise = [rng.standard_normal(300) for _ in range(40)]
    walks = [np.cumsum(series) for series in noise]
    assert np.mean([dickey_fuller(series)[1] < 0.05 for series in noise]) > 0.95
    assert np.mean([dickey_fuller(series)[1] < 0.05 for series in walks]) < 0.2
    assert np.mean([kpss(series)[1] <= 0.01 for series in walks]) > 0.6
    assert np.mean([kpss(series)[1] <= 0.01 for series in noise]) < 0.1
