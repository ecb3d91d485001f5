"""The methods for pairs: truths of simulators, formulas in plain numpy, and what they say when they cannot tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import gamma

from whence.discovery import IGCI, RECI, AdditiveNoise, PostNonlinear, direction, discover
from whence.discovery import _pair_post_nonlinear as pnl
from whence.discovery._pair_hsic import dependence, log_gamma_tail, side
from whence.discovery._pair_regression import normal_scores, smooth_regression
from whence.errors import DataError, ParameterError
from whence.graph import Knowledge, Mark
from whence.independence import KCI

METHODS = (AdditiveNoise, PostNonlinear, RECI, IGCI)


def bent(n: int, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Return a cause and an effect with additive noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, size=n)
    return x, x + np.sin(2 * x) + noise * rng.normal(size=n)


def arrow(found) -> int:
    """Return 1 for x -> y, -1 for y -> x, else 0."""
    marks = found.graph.marks
    if marks[0, 1] == Mark.ARROW and marks[1, 0] == Mark.TAIL:
        return 1
    return -1 if marks[1, 0] == Mark.ARROW else 0


# ---- additive noise ------------------------------------------------------------------------------------------------


def test_additive_noise_finds_the_direction_more_often_as_rows_come_in_and_seldom_the_wrong_one():
    right = {}
    for n in (100, 1000):
        found = [arrow(direction(*bent(n, seed))) for seed in range(20)]
        assert found.count(-1) <= 1
        right[n] = found.count(1)
    assert right[1000] >= 18
    assert right[100] < right[1000]


@pytest.mark.parametrize("noise", ["normal", "laplace", "uniform"])
def test_the_true_direction_is_rejected_at_most_at_the_level(noise):
    rejected = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=300)
        y = np.tanh(2 * x) + x + 0.4 * getattr(rng, noise)(size=300)
        rejected += AdditiveNoise().fit({"x": x, "y": y}).details["p_values"]["x -> y"] <= 0.05
    assert rejected <= 8  # 0.05 * 60 = 3, and three standard deviations


def test_a_straight_line_with_gaussian_noise_fits_both_ways_and_is_left_undecided():
    rng = np.random.default_rng(3)
    x = rng.normal(size=800)
    found = AdditiveNoise().fit({"x": x, "y": x + rng.normal(size=800)})
    assert found.graph.edge("x", "y").connector == "---"
    assert found.details["fits"] == {"x -> y": True, "y -> x": True}
    assert "fits both directions" in found.warnings[0]
    forced = AdditiveNoise(rule="score").fit({"x": x, "y": x + rng.normal(size=800)})
    assert arrow(forced) != 0


def test_noise_that_grows_with_the_cause_fits_neither_way():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, size=1500)
    found = AdditiveNoise().fit({"x": x, "y": x * (1 + rng.normal(size=1500))})
    assert found.details["fits"] == {"x -> y": False, "y -> x": False}
    assert found.details["verdict"] == "undecided"
    assert "fits neither direction" in found.warnings[0]


@pytest.mark.parametrize("method", METHODS)
def test_independent_columns_get_no_edge(method):
    rng = np.random.default_rng(5)
    found = method().fit({"x": rng.normal(size=300), "y": rng.exponential(size=300)})
    assert not found.graph.edges()
    assert found.details["verdict"] == "no edge"
    assert found.details["p_independent"] > 0.05


# ---- post-nonlinear ------------------------------------------------------------------------------------------------


def test_the_post_nonlinear_model_holds_where_a_bent_measurement_breaks_additive_noise():
    right, additive = [], 0
    for seed in range(4):
        x, y = bent(500, seed)
        table = {"x": x, "y": np.exp(1.5 * y)}
        right.append(PostNonlinear().fit(table).details["leaning"])
        additive += AdditiveNoise().fit(table).details["fits"]["x -> y"]
    assert right.count("x -> y") == 4
    assert additive == 0


def plain_loss(splines: pnl.Splines, parameters: np.ndarray) -> float:
    """Return the loss as the formulas say it, row by row and part by part."""
    knots, count, parts = splines.sizes
    a, w, weights, means, widths = np.split(parameters, np.cumsum([knots, count, parts, parts]))
    at = splines.place + splines.share
    slope = np.interp(at, np.arange(knots), np.exp(a))
    grid = np.linspace(0, knots - 1, 20_001)
    area = np.concatenate(
        [[0], np.cumsum(np.diff(grid) * np.interp((grid[1:] + grid[:-1]) / 2, range(knots), np.exp(a)))]
    )
    noise = np.interp(at, grid, area * splines.step) - splines.inner() @ w
    share = np.exp(weights) / np.exp(weights).sum()
    scaled = (noise[:, None] - means) / np.exp(widths)
    density = (share * np.exp(-0.5 * scaled**2) / np.exp(widths) / math.sqrt(2 * math.pi)).sum(axis=1)
    rough = sum((np.diff(part, 2) ** 2).sum() for part in (a, w))
    return -np.mean(np.log(density) + np.log(slope)) + pnl.SMOOTHNESS * rough


def test_the_likelihood_and_its_gradient_are_those_of_the_formulas():
    x, y = bent(120, 0)
    scores = normal_scores(y[:, None])[:, 0]
    splines = pnl._splines(scores, np.linspace(scores.min(), scores.max(), pnl.KNOTS), normal_scores(x[:, None])[:, 0])
    np.testing.assert_allclose(splines.inner().sum(axis=1), 1.0)
    parameters = 0.3 * np.random.default_rng(0).normal(size=int(splines.sizes[0] + splines.sizes[1]) + 9)
    assert splines.loss(parameters)[0] == pytest.approx(plain_loss(splines, parameters), rel=1e-5)
    assert check_grad(lambda p: splines.loss(p)[0], lambda p: splines.loss(p)[1], parameters) < 1e-5


# ---- regression errors and information geometry --------------------------------------------------------------------


def test_reci_compares_the_errors_of_least_squares_on_the_unit_interval():
    x, y = bent(300, 1)
    found = RECI(degree=2).fit({"x": x, "y": y})
    unit = [(column - column.min()) / np.ptp(column) for column in (x, y)]
    errors = []
    for cause, effect in (unit, unit[::-1]):
        errors.append(np.mean((effect - np.polyval(np.polyfit(cause, effect, 2), cause)) ** 2))
    assert list(found.details["scores"].values()) == pytest.approx(-np.log(errors), rel=1e-9)
    assert found.details["margin"] == pytest.approx(np.log(errors[1] / errors[0]), rel=1e-9)


def test_igci_is_the_mean_log_slope_and_the_difference_of_entropies():
    rng = np.random.default_rng(2)
    x = rng.uniform(size=200)
    y = x**3
    slope = IGCI().fit({"x": x, "y": y}).details["scores"]
    a, b = np.sort((x - x.min()) / np.ptp(x)), np.sort((y - y.min()) / np.ptp(y))
    expected = np.mean(np.log(np.diff(b) / np.diff(a)))
    assert slope["x -> y"] == pytest.approx(-expected)
    assert slope["y -> x"] == pytest.approx(expected)
    # An increasing function without noise: both estimators are the same sum, in another order.
    entropy = IGCI(estimator="entropy").fit({"x": x, "y": y}).details["scores"]
    assert entropy["x -> y"] == pytest.approx(-expected)
    assert entropy["y -> x"] == pytest.approx(expected)


@pytest.mark.parametrize("reference", ["uniform", "gaussian"])
@pytest.mark.parametrize("estimator", ["slope", "entropy"])
def test_igci_finds_functions_without_noise(reference, estimator):
    right = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.uniform(size=300) if reference == "uniform" else rng.normal(size=300)
        right += arrow(IGCI(reference=reference, estimator=estimator).fit({"x": x, "y": x + x**3})) == 1
    assert right >= 19


def test_reci_finds_functions_with_little_noise():
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.uniform(size=300)
        found.append(arrow(RECI().fit({"x": x, "y": x**3 + 0.05 * rng.normal(size=300)})))
    assert found.count(1) == 20


def test_a_margin_below_the_least_leaves_the_edge_open():
    x, y = bent(300, 1)
    assert abs(RECI().fit({"x": x, "y": y}).details["margin"]) < 50
    found = RECI(least_margin=50).fit({"x": x, "y": y})
    assert found.graph.edge("x", "y").connector == "---"
    assert "do not differ enough" in found.warnings[0]


def test_repeated_values_and_whole_numbers_are_no_trouble():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, size=500)
    table = {"x": x, "y": np.round(x**1.5 + rng.normal(size=500), 0)}
    for method in METHODS:
        found = method().fit(table)
        assert all(np.isfinite(score) for score in found.details["scores"].values())


# ---- what all share ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_swapping_columns_units_rows_and_names_change_nothing_but_the_sign(method):
    x, y = bent(250, 4)
    rows = np.random.default_rng(1).permutation(250)
    one = method().fit({"x": x, "y": y}).details
    other = method().fit({"effect": 1e3 * y[rows] + 7, "cause": 1e-2 * x[rows]}).details
    # What rounds differently in other units moves the end of a numerical maximisation a little.
    tolerance = 0.02 if method is PostNonlinear else 1e-6
    assert other["margin"] == pytest.approx(-one["margin"], rel=tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_knowledge_settles_the_direction(method):
    x, y = bent(100, 0)
    for known in (
        Knowledge(required=["y -> x"]),
        Knowledge(forbidden=["x -> y"]),
        Knowledge(tiers=[["y"], ["x"]]),
        Knowledge(leaves=["x"]),
    ):
        found = method(knowledge=known).fit({"x": x, "y": y})
        assert arrow(found) == -1
        assert found.parameters["verdict_rule"] == "knowledge"
        assert "knowledge" in found.details["reason"]
    both = method(knowledge=Knowledge(forbidden=["x -> y", "y -> x"])).fit({"x": x, "y": y})
    assert not both.graph.edges()


def test_evidence_speaks_for_the_edge_as_it_stands():
    x, y = bent(800, 0)
    found = AdditiveNoise().fit({"effect": y, "cause": x})
    (item,) = found.evidence
    assert (item.source, item.target) == ("cause", "effect")
    assert item.score_difference > 0 > found.details["margin"]
    assert item.p_value < 1e-6


def test_the_verb_and_the_shortcut_take_the_methods_by_name():
    pd = pytest.importorskip("pandas")
    x, y = bent(300, 0)
    assert arrow(discover({"x": x, "y": y}, "anm", confidence=False)) == 1
    found = direction(pd.Series(x, name="dose"), pd.Series(y, name="pain"), "igci", estimator="entropy")
    assert found.graph.names == ("dose", "pain")
    assert found.parameters["estimator"] == "entropy"
    assert direction(x, y).graph.names == ("x", "y")
    with pytest.raises(ParameterError, match="Choose anm, igci, pnl, reci"):
        direction(x, y, "lingam")


def test_more_columns_are_refused_with_the_remedy():
    x, y = bent(100, 0)
    with pytest.raises(DataError, match=r"3: 'x', 'y', 'z'.*select\(\['x', 'y'\]\)") as refusal:
        AdditiveNoise().fit({"x": x, "y": y, "z": y**2})
    assert refusal.value.code == "E327"
    with pytest.raises(DataError, match="length"):
        direction(x, y[:-1])


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (AdditiveNoise(alpha=1.5), "alpha is 1.5"),
        (PostNonlinear(rule="coin"), "rule is 'coin'"),
        (RECI(degree=0), "degree is 0"),
        (RECI(curve="tree"), "curve is 'tree'"),
        (RECI(least_margin=-1), "least_margin is -1"),
        (IGCI(reference="beta"), "reference is 'beta'"),
        (IGCI(estimator="knn"), "estimator is 'knn'"),
    ],
)
def test_settings_out_of_range_are_named(search, said):
    x, y = bent(50, 0)
    with pytest.raises(ParameterError, match=said):
        search.fit({"x": x, "y": y})


# ---- the pieces ----------------------------------------------------------------------------------------------------


def test_the_criterion_is_that_of_the_kernel_test():
    x, y = bent(200, 0, noise=3.0)
    for scale in ("ranks", "standard"):
        expected = KCI({"x": x, "y": y}, scale=scale)("x", "y")
        found = dependence(side(x, scale), side(y, scale))
        assert found.p_value == pytest.approx(expected.p_value, rel=1e-9)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)


def test_tails_too_small_for_a_float_have_logarithms():
    for shape, x in ((3.0, 500.0), (40.0, 600.0), (200.0, 700.0)):
        assert log_gamma_tail(shape, x) == pytest.approx(gamma.logsf(x, shape), rel=1e-9)
    # Where the tail is not a float: e^-x x^(a-1) (1 + (a-1)/x) for a = 2 is exact.
    assert log_gamma_tail(2.0, 5000.0) == pytest.approx(-5000.0 + math.log(5001.0), rel=1e-12)
    assert log_gamma_tail(1.0, 1e4) == pytest.approx(-1e4, rel=1e-12)


def test_a_column_that_does_not_vary_is_independent_of_everything():
    assert dependence(side(np.ones(50)), side(np.arange(50.0))).p_value == 1.0


def test_the_regression_is_the_gaussian_process_of_the_textbook():
    from whence.discovery import _pair_regression as regression

    x, y = bent(60, 0)
    target = (y - y.mean()) / y.std()
    best = (-np.inf, None)
    for points in (regression.standardised(x[:, None])[:, 0], normal_scores(x[:, None])[:, 0]):
        for width in regression.WIDTHS:
            gram = np.exp(-0.5 * (points[:, None] - points) ** 2 / width**2)
            middle = np.eye(60) - 1 / 60
            gram = middle @ gram @ middle + 100.0 * np.outer(points, points)
            for noise in regression.NOISE:
                full = gram + noise * np.eye(60)
                scale = target @ np.linalg.solve(full, target) / 60
                # One degree of freedom went with the mean.
                evidence = -0.5 * (59 * np.log(scale) + np.linalg.slogdet(full)[1] - np.log(noise))
                if evidence > best[0]:
                    best = evidence, target - gram @ np.linalg.solve(full, target)
    found = smooth_regression(x[:, None], y)
    assert found.evidence == pytest.approx(best[0], abs=0.05)
    np.testing.assert_allclose(found.residuals / y.std(), best[1], atol=0.01)


def test_the_evidence_prefers_the_inputs_that_matter():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 3))
    target = np.sin(2 * inputs[:, 0]) + inputs[:, 1] ** 2 + 0.3 * rng.normal(size=300)
    evidence = {k: smooth_regression(inputs[:, list(k)], target).evidence for k in ((0,), (0, 1), (0, 1, 2), (2,))}
    assert evidence[0, 1] > max(evidence[0,], evidence[0, 1, 2])
    assert evidence[2,] < 2.0
    assert smooth_regression(inputs[:, :0], target).evidence == 0.0
