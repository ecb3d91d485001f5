"""Scores of mixed tables against direct likelihoods: determinants, Gaussians within cells, Gaussian processes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.discovery.truth import all_dags
from tests.scores.test_local import questions
from whence.data import read
from whence.data.mixed import MixedRows, embed, mixed_rows
from whence.errors import ParameterError
from whence.graph.orientation import cpdag_of_dag
from whence.scores import (
    conditional_gaussian_bic,
    degenerate_gaussian_bic,
    discrete_bic,
    extended_bic,
    gaussian_bic,
    kernel_score,
)
from whence.scores.extended import default_gamma

SEEDS = st.integers(0, 2**32 - 1)
NAMES = ("degenerate", "conditional")


def table(n: int = 300, seed: int = 0) -> dict[str, np.ndarray]:
    """Return two numbers, a category of three levels and a binary column, all dependent."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    colour = np.digitize(a + rng.normal(size=n), [-0.5, 0.7])
    b = 0.8 * a - colour + rng.normal(size=n) * (1 + 0.5 * (colour == 2))
    sold = (b + colour + rng.normal(size=n) > 0).astype(int)
    return {"a": a, "b": b, "colour": np.array(["x", "y", "z"])[colour], "sold": np.array(["no", "yes"])[sold]}


def conditional(rows: MixedRows, **settings):
    return conditional_gaussian_bic(rows.values, rows.codes, rows.sizes, rows.place, **settings)


def make(name: str, columns: dict[str, np.ndarray], **settings):
    data = read(columns)
    if name == "degenerate":
        return degenerate_gaussian_bic(embed(data), **settings)
    if name == "conditional":
        return conditional(mixed_rows(data), **settings)
    return kernel_score(mixed_rows(data), **settings)


def indicators(columns: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return each column as numbers, a category as 0/1 columns without the first level."""
    return [
        np.column_stack([values == level for level in np.unique(values)[1:]]).astype(float)
        if values.dtype.kind == "U"
        else values[:, None]
        for values in columns.values()
    ]


def log_volume(blocks: list[np.ndarray]) -> float:
    """Return the log determinant of the covariance of some blocks side by side."""
    if not blocks:
        return 0.0
    return float(
        np.linalg.slogdet(
            np.cov(np.column_stack(blocks), rowvar=False, bias=True).reshape(
                sum(block.shape[1] for block in blocks), -1
            )
        )[1]
    )


@pytest.mark.parametrize(("penalty", "per_edge"), [(1.0, 0.0), (2.0, None)])
def test_the_degenerate_gaussian_is_the_likelihood_of_numbers_and_indicators(penalty, per_edge):
    columns = table()
    score = make("degenerate", columns, penalty=penalty, per_edge=per_edge)
    blocks = indicators(columns)
    edge = math.log(4) if per_edge is None else per_edge
    for target, parents in questions(4, 3):
        given = [blocks[k] for k in parents]
        volume = log_volume([*given, blocks[target]]) - log_volume(given) - log_volume([blocks[target]])
        slopes = blocks[target].shape[1] * sum(block.shape[1] for block in given)
        expected = -150 * volume - penalty * math.log(300) / 2 * slopes - edge * len(parents)
        assert score.local(target, parents) == pytest.approx(expected)


def set_bic(columns: dict[str, np.ndarray], chosen: list[int]) -> float:
    """Return the BIC of the joint distribution of some columns: cells, and Gaussians in them of the better form."""
    values = list(columns.values())
    n = len(values[0])
    categories = [values[k] for k in chosen if values[k].dtype.kind == "U"]
    numbers = [(values[k] - values[k].mean()) / values[k].std() for k in chosen if values[k].dtype.kind != "U"]
    cells = np.array(["|".join(row) for row in zip(*categories)]) if categories else np.full(n, "all")
    groups = [np.flatnonzero(cells == cell) for cell in np.unique(cells)]
    d = len(numbers)
    likelihood = sum(len(group) * math.log(len(group) / n) for group in groups)
    parameters = math.prod(len(np.unique(category)) for category in categories) - 1 + d * len(groups)
    forms = [0.0]
    if d:
        centred = [np.column_stack([x[group] - x[group].mean() for x in numbers]) for group in groups]
        price = math.log(n) / 2 * d * (d + 1) / 2
        pooled = sum(part.T @ part for part in centred) / n
        forms = [-n / 2 * np.linalg.slogdet(pooled)[1] - price]
        if all(len(group) >= d + 2 for group in groups):
            own = sum(len(part) / 2 * np.linalg.slogdet(part.T @ part / len(part))[1] for part in centred)
            forms.append(-own - price * len(groups))
    return likelihood + max(forms) - math.log(n) / 2 * parameters


@pytest.mark.parametrize("n", [40, 300])
def test_the_conditional_gaussian_is_the_difference_of_two_joint_likelihoods(n):
    columns = table(n)
    score = make("conditional", columns, per_edge=0.5)
    for target, parents in questions(4, 3):
        expected = set_bic(columns, [*parents, target]) - set_bic(columns, parents) - 0.5 * len(parents)
        assert score.local(target, parents) == pytest.approx(expected)


def test_on_one_sort_of_columns_they_are_the_scores_of_that_sort():
    columns = table()
    numbers = {name: columns[name] for name in ("a", "b")}
    plain = gaussian_bic(np.corrcoef(list(numbers.values())), 300)
    for name in NAMES:
        score = make(name, numbers)
        assert score.gains(1, [])[0] == pytest.approx(plain.gains(1, [])[0])
    rows = mixed_rows(read({name: columns[name] for name in ("colour", "sold")}))
    counted = discrete_bic(rows.codes, rows.sizes)
    assert conditional(rows).local(1, [0]) == pytest.approx(counted.local(1, [0]))


@pytest.mark.parametrize("name", NAMES)
def test_all_members_of_an_equivalence_class_have_the_same_score(name):
    score = make(name, table(200))
    values: dict[bytes, list[float]] = {}
    for dag in all_dags(4):
        values.setdefault(cpdag_of_dag(dag).tobytes(), []).append(score.total(dag))
    assert len(values) == 185  # Andersson, Madigan and Perlman 1997, table 1
    for members in values.values():
        assert max(members) - min(members) < 1e-8


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, name=st.sampled_from([*NAMES, "kernel"]))
def test_gains_and_losses_are_differences_of_local_scores_in_any_order_of_the_parents(seed, name):
    rng = np.random.default_rng(seed)
    score = make(name, table(int(rng.integers(40, 120)), seed))
    target, *rest = rng.permutation(4).tolist()
    parents = rest[: int(rng.integers(0, 4))]
    here = score.local(target, parents)
    assert score.local(target, parents[::-1]) == pytest.approx(here, abs=1e-6)
    gains, losses = score.gains(target, parents), score.losses(target, parents)
    for k, parent in enumerate(parents):
        fewer = [other for other in parents if other != parent]
        assert losses[k] == pytest.approx(here - score.local(target, fewer), abs=1e-6)
        assert gains[parent] == -np.inf
    for other in set(rest) - set(parents):
        assert gains[other] == pytest.approx(score.local(target, [*parents, other]) - here, abs=1e-6)


def test_names_of_levels_and_their_order_change_nothing():
    columns = table()
    renamed = {**columns, "colour": np.array([{"x": "q", "y": "b", "z": "a"}[v] for v in columns["colour"]])}
    for name in (*NAMES, "kernel"):
        one, other = (make(name, of).gains(1, [0]) for of in (columns, renamed))
        close = {"atol": 1e-7} if name in NAMES else {"rtol": 0.05}  # waves at other angles
        np.testing.assert_allclose(one, other, **close)


def test_columns_that_follow_from_each_other_score_minus_infinity():
    columns = table()
    columns["region"] = np.where(columns["colour"] == "z", "south", "north")  # settled by the colour
    score = make("degenerate", columns)
    assert score.local(1, [2, 4]) == -np.inf
    assert score.gains(1, [2])[4] == -np.inf
    np.testing.assert_array_equal(score.losses(1, [2, 4]), [-np.inf] * 2)
    assert np.isfinite(score.local(1, [4]))


def test_too_many_cells_for_the_rows_are_no_parents():
    rng = np.random.default_rng(0)
    columns = {f"c{k}": rng.choice(list("abcdefgh"), 60) for k in range(4)} | {"x": rng.normal(size=60)}
    score = make("conditional", columns)
    assert score.gains(4, [0, 1])[2] == -np.inf
    assert np.isfinite(score.local(4, [0]))


def test_the_kernel_score_is_the_marginal_likelihood_of_a_gaussian_process():
    rng = np.random.default_rng(1)
    dose = rng.uniform(-2, 2, 80)
    rows = mixed_rows(read({"dose": dose, "cure": dose**2 + 0.5 * rng.normal(size=80)}))
    score = kernel_score(rows, per_edge=0.0, waves=6)
    features = score.correlation[2:8]
    waves = np.vstack([np.cos(features), np.sin(features)]) / math.sqrt(6)
    waves -= waves.mean(axis=1, keepdims=True)
    signal = np.outer(rows.values[0], rows.values[0]) + waves.T @ waves
    y = rows.values[1]

    def likelihood(noise: float) -> float:
        spread = np.eye(80) + signal / noise
        variance = y @ np.linalg.solve(spread, y) / 80
        return -0.5 * np.linalg.slogdet(spread)[1] - 40 * math.log(variance)

    expected = max(likelihood(noise) for noise in (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0))
    assert score.local(1, [0]) == pytest.approx(expected, rel=1e-6)
    assert score.local(1, [0]) > 50
    assert gaussian_bic(np.corrcoef(rows.values), 80).local(1, [0]) < 0


def test_waves_approach_the_gaussian_kernel():
    values = np.random.default_rng(0).normal(size=40)
    rows = mixed_rows(read({"x": values, "y": values + 1.0 * np.arange(40)}))
    angles = kernel_score(rows, waves=4000).correlation[2:4002]
    found = (np.cos(angles).T @ np.cos(angles) + np.sin(angles).T @ np.sin(angles)) / 4000
    apart = np.abs(rows.values[0][:, None] - rows.values[0][None, :])
    width = np.median(apart[apart > 0])
    np.testing.assert_allclose(found, np.exp(-(apart**2) / (2 * width**2)), atol=0.06)


def test_the_extended_price_grows_with_the_columns_and_falls_with_the_rows():
    assert default_gamma(1000, 5) == 0.0
    assert default_gamma(100, 100) == pytest.approx(0.75)
    assert default_gamma(10**9, 2) == 0.0
    for p, n in ((10, 100), (50, 1000)):
        plain = gaussian_bic(np.eye(p), n, per_edge=0.0)
        for gamma in (0.0, 0.5, 1.0):
            assert extended_bic(plain, gamma).local(1, [0]) == pytest.approx(
                plain.local(1, [0]) - 2 * gamma * math.log(p)
            )
        default = gaussian_bic(np.eye(p), n).edge
        assert extended_bic(plain, max(0.5, default_gamma(n, p))).edge == pytest.approx(default)
        assert extended_bic(plain).edge == pytest.approx(2 * default_gamma(n, p) * math.log(p))
    codes, sizes = np.tile([[0, 1]], (3, 10)).astype(np.int32), np.full(3, 2)
    assert extended_bic(discrete_bic(codes, sizes), 1.0).edge == pytest.approx(2 * math.log(3))


def test_impossible_settings_are_refused():
    with pytest.raises(ParameterError, match="gamma"):
        extended_bic(gaussian_bic(np.eye(2), 20), -0.1)
    with pytest.raises(ParameterError, match="waves"):
        make("kernel", table(40), waves=0)
