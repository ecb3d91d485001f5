"""Tests of mixed tables against direct likelihoods and regressions, their null distribution and their power."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import chi2, f, kstest, t

from tests.independence.nonparametric import uniform
from whence.data import read
from whence.data.mixed import embed
from whence.errors import DataError, ParameterError
from whence.independence import ConditionalGaussian, DegenerateGaussian, GSquare
from whence.independence.mixed import wilks_tail

LEVELS = np.array(["x", "y", "z"])


def category(utility: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one of three levels whose log-odds are linear in a number."""
    noise = rng.gumbel(size=(len(utility), 3))
    return LEVELS[np.argmax(utility[:, None] * np.array([0.0, 1.0, -0.7]) + noise, axis=1)]


def null(kind: str, n: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return x and y that are independent given the columns named: numbers and categories in every combination."""
    z, a, b = rng.normal(size=(3, n))
    group, sex = rng.integers(0, 3, n), rng.integers(0, 2, n)
    if kind == "number, category":
        return {"x": a, "y": LEVELS[group]}, ()
    if kind == "numbers given category":
        return {"x": group + a, "y": b - 0.5 * group, "z": LEVELS[group]}, ("z",)
    if kind == "number, category given number":
        return {"x": z + a, "y": category(z, rng), "z": z}, ("z",)
    if kind == "number, category given both":
        return {"x": z + group + a, "y": category(z + group - 1, rng), "z": z, "g": LEVELS[group]}, ("z", "g")
    if kind == "categories given number":
        return {"x": category(0.4 * z, rng), "y": category(0.4 * z, rng), "z": z}, ("z",)
    assert kind == "numbers whose slopes and spreads change"
    slope = 1.0 - 2.0 * sex
    return {"x": slope * z + (1 + sex) * a, "y": slope * z + (1 + sex) * b, "z": z, "s": LEVELS[sex]}, ("z", "s")


NULLS = (
    "number, category",
    "numbers given category",
    "number, category given number",
    "number, category given both",
    "categories given number",
)


@pytest.mark.parametrize(("n", "draws"), [(200, 300), (1000, 120)])
@pytest.mark.parametrize("kind", NULLS)
@pytest.mark.parametrize("make", [DegenerateGaussian, ConditionalGaussian])
def test_p_values_are_uniform_under_the_null(make, kind, n, draws):
    rng = np.random.default_rng([n, NULLS.index(kind)])
    found = []
    for _ in range(draws):
        columns, given = null(kind, n, rng)
        found.append(make(columns)("x", "y", given).p_value)
    assert uniform(np.array(found)) > 0.01


def test_slopes_and_spreads_that_change_with_a_category_are_adjusted_for_by_the_conditional_one_alone():
    rng = np.random.default_rng(5)
    tables = [null("numbers whose slopes and spreads change", 200, rng) for _ in range(300)]
    held = [ConditionalGaussian(columns)("x", "y", given).p_value for columns, given in tables]
    assert kstest(held, "uniform").pvalue > 0.01
    free = [DegenerateGaussian(columns)("x", "y", given).p_value for columns, given in tables[:100]]
    assert np.mean(np.array(free) < 0.05) > 0.5


@pytest.mark.parametrize("make", [DegenerateGaussian, ConditionalGaussian])
def test_a_weak_effect_of_a_category_is_found(make):
    rng = np.random.default_rng(2)
    found = []
    for _ in range(60):
        group, z = rng.integers(0, 3, 300), rng.normal(size=300)
        columns = {"x": LEVELS[group], "y": 0.35 * group + z + rng.normal(size=300), "z": z}
        found.append(make(columns)("x", "y", ("z",)).p_value < 0.05)
    assert np.mean(found) > 0.9  # an F test of the true regression has power 0.997


def test_between_numbers_the_degenerate_one_is_the_t_test_of_a_slope():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    test = DegenerateGaussian({name: values[:, k] for k, name in enumerate("abcd")})
    design = np.column_stack([np.ones(60), values[:, [1, 2, 3]]])
    slopes, rest, *_ = np.linalg.lstsq(design, values[:, 0], rcond=None)
    error = math.sqrt(rest[0] / 56 * np.linalg.inv(design.T @ design)[1, 1])
    expected = 2 * t.sf(abs(slopes[1]) / error, 56)
    assert test("a", "b", ["c", "d"]).p_value == pytest.approx(expected)


def test_between_a_number_and_a_category_it_is_the_f_test_of_analysis_of_covariance():
    rng = np.random.default_rng(4)
    group, z = rng.integers(0, 4, 90), rng.normal(size=90)
    y = 0.3 * group + z + rng.normal(size=90)
    small = np.column_stack([np.ones(90), z])
    large = np.column_stack([small, *[(group == level).astype(float) for level in (1, 2, 3)]])
    rest = [float(np.sum((y - d @ np.linalg.lstsq(d, y, rcond=None)[0]) ** 2)) for d in (small, large)]
    expected = f.sf((rest[0] - rest[1]) / 3 / (rest[1] / 85), 3, 85)
    found = DegenerateGaussian({"group": np.array(list("abcd"))[group], "y": y, "z": z})("group", "y", ["z"])
    assert found.p_value == pytest.approx(expected)
    assert found.degrees_of_freedom == 3
    assert found.statistic == pytest.approx(90 * math.log(rest[0] / rest[1]))


def test_rao_s_tail_is_exact_for_two_blocks_of_two():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(600):
        values = rng.normal(size=(12, 5))
        value = np.linalg.slogdet(np.corrcoef(values, rowvar=False))[1]
        value -= np.linalg.slogdet(np.corrcoef(values[:, :2], rowvar=False))[1]
        value -= np.linalg.slogdet(np.corrcoef(values[:, 2:], rowvar=False))[1]
        found.append(wilks_tail(np.array([-value]), np.array([2.0]), np.array([3.0]), np.array([11.0]))[0])
    assert uniform(np.array(found)) > 0.01


def test_the_conditional_ratio_is_that_of_two_regressions_in_each_cell():
    """By hand: n_c log of the residual variances without and with the slope, over its mean under independence."""
    rng = np.random.default_rng(6)
    sex, z, x = rng.integers(0, 2, 120), rng.normal(size=120), rng.normal(size=120)
    y = x * (0.2 + sex) + z + rng.normal(size=120)
    ratio = mean = 0.0
    for level in (0, 1):
        rows = np.flatnonzero(sex == level)
        designs = [np.column_stack([np.ones(len(rows)), *parts]) for parts in ([z[rows]], [z[rows], x[rows]])]
        for sign, design in zip((1, -1), designs):
            rest = y[rows] - design @ np.linalg.lstsq(design, y[rows], rcond=None)[0]
            ratio += sign * len(rows) * math.log(np.mean(rest**2))
            mean += sign * len(rows) * digamma((len(rows) - design.shape[1]) / 2)
    found = ConditionalGaussian({"x": x, "y": y, "z": z, "sex": LEVELS[sex]})("x", "y", ["z", "sex"])
    assert found.degrees_of_freedom == 2
    assert found.statistic == pytest.approx(ratio * 2 / mean)
    assert found.p_value == pytest.approx(chi2.sf(ratio * 2 / mean, 2))


def test_categories_given_categories_are_tested_by_g_square():
    rng = np.random.default_rng(7)
    columns = {name: LEVELS[rng.integers(0, 3, 300)] for name in "abc"}
    one, other = ConditionalGaussian({**columns, "number": rng.normal(size=300)}), GSquare(columns)
    for query in (("a", "b", ()), ("b", "c", ("a",))):
        assert one(*query) == other(*query)


def test_cells_with_few_rows_share_their_slopes_and_spreads():
    rng = np.random.default_rng(8)
    found = []
    for _ in range(300):
        groups = rng.integers(0, 20, (2, 60))
        columns = {"x": rng.normal(size=60) + groups[0], "y": rng.normal(size=60) - groups[0]}
        columns["g"] = np.array([f"g{k}" for k in groups[0]])
        found.append(ConditionalGaussian(columns)("x", "y", ["g"]).p_value)
    assert kstest(found, "uniform").pvalue > 0.01


@pytest.mark.parametrize("make", [DegenerateGaussian, ConditionalGaussian])
def test_what_determines_a_column_says_nothing_and_what_repeats_adds_nothing(make):
    rng = np.random.default_rng(9)
    group = rng.integers(0, 3, 200)
    columns = {
        "group": LEVELS[group],
        "renamed": np.array(["p", "q", "r"])[group],
        "x": group + rng.normal(size=200),
        "y": rng.normal(size=200),
        "flat": np.full(200, "same"),
    }
    columns["twice"] = 2 * columns["x"] + 1
    test = make(columns)
    assert np.isnan(test("group", "y", ["renamed"]).p_value)
    assert np.isnan(test("x", "y", ["twice"]).p_value)
    assert np.isnan(test("flat", "y").p_value)
    plain = test("group", "y", ["x"]).p_value
    assert test("group", "y", ["x", "twice"]).p_value == pytest.approx(plain)
    assert test("group", "y", ["x", "flat"]).p_value == pytest.approx(plain)


def test_it_takes_an_embedding_and_refuses_what_it_cannot_use():
    columns = {"x": np.arange(40.0), "g": np.tile(LEVELS, 14)[:40]}
    one, other = DegenerateGaussian(embed(read(columns))), DegenerateGaussian(columns)
    assert one("x", "g") == other("x", "g")
    for make in (DegenerateGaussian, ConditionalGaussian):
        with pytest.raises(DataError, match="at least 5"):
            make({name: values[:4] for name, values in columns.items()})
        with pytest.raises(ParameterError, match="'lift'"):
            make(columns)("lift", "g")


@pytest.mark.parametrize("given", [(), ("z",), ("g", "z")])
def test_test_wise_a_query_is_answered_as_on_the_rows_that_have_its_columns(given):
    rng = np.random.default_rng(5)
    data, _ = null("number, category given both", 600, rng)
    lost = {name: rng.random(600) < 0.15 for name in data}
    table = read({name: [None if gone else v for v, gone in zip(data[name], lost[name])] for name in data})
    found = DegenerateGaussian(table, missing="test-wise")("x", "y", given)
    complete = table.select(["x", "y", *given]).complete()
    expected = DegenerateGaussian(complete)("x", "y", given)
    assert found.rows_used == complete.n_rows < 600
    assert found.p_value == pytest.approx(expected.p_value, rel=1e-9)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
