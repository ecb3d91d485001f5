"""Local scores against direct likelihoods: regressions, counts by hand and predictions row by row."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.discovery.truth import all_dags
from whence.errors import ParameterError
from whence.graph.orientation import cpdag_of_dag
from whence.scores import bdeu, discrete_bic, extended_bic, gaussian_bic
from whence.scores.extended import default_gamma
from whence.scores.local import gaussian_rule

SEEDS = st.integers(0, 2**32 - 1)


def columns(p: int, n: int, seed: int) -> np.ndarray:
    """Return correlated columns on different scales, shape (n, p)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) * rng.uniform(0.1, 50, p) + rng.normal(size=p)


def categories(p: int, n: int, seed: int, most: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return codes of dependent categories, shape (p, n), each of which occurs, and how many each column has."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, most + 1, p)
    codes = np.empty((p, n), dtype=np.int32)
    hidden = rng.random(n)
    for column, size in enumerate(sizes):
        codes[column] = np.minimum((0.6 * hidden + 0.4 * rng.random(n)) * size, size - 1)
        codes[column, :size] = np.arange(size)
    return codes, sizes.astype(np.int64)


def log_likelihood_of_regression(values: np.ndarray, target: int, parents: list[int]) -> float:
    """Return the maximal Gaussian log-likelihood of a column given others, from least squares on the rows."""
    n = len(values)
    design = np.column_stack([np.ones(n), values[:, parents]])
    slopes = np.linalg.lstsq(design, values[:, target], rcond=None)[0]
    variance = np.mean((values[:, target] - design @ slopes) ** 2)
    return -0.5 * n * (math.log(2 * math.pi * variance) + 1)


def log_likelihood_of_table(codes: np.ndarray, target: int, parents: list[int]) -> float:
    """Return the maximal multinomial log-likelihood of a column given others: each row's share in its stratum."""
    strata = [tuple(row) for row in codes[parents].T]
    cells = Counter(zip(strata, codes[target].tolist()))
    margins = Counter(strata)
    return sum(count * math.log(count / margins[stratum]) for (stratum, _), count in cells.items())


def dirichlet_prediction(codes: np.ndarray, sizes: np.ndarray, target: int, parents: list[int], ess: float) -> float:
    """Return the log probability of a column predicted row by row, each from the rows before it in its stratum.

    By the chain rule this is the marginal likelihood, without a gamma function.
    """
    configurations = math.prod(int(sizes[k]) for k in parents)
    whole, part = ess / configurations, ess / (configurations * int(sizes[target]))
    cells, margins = Counter(), Counter()
    total = 0.0
    for row in range(codes.shape[1]):
        stratum = tuple(codes[parents, row])
        total += math.log((cells[stratum, codes[target, row]] + part) / (margins[stratum] + whole))
        cells[stratum, codes[target, row]] += 1
        margins[stratum] += 1
    return total


def questions(p: int, most: int):
    """Yield every target with every set of up to so many parents."""
    for target in range(p):
        others = [k for k in range(p) if k != target]
        for size in range(most + 1):
            for parents in combinations(others, size):
                yield target, list(parents)


@pytest.mark.parametrize(("penalty", "per_edge"), [(1.0, 0.0), (2.5, 0.0), (1.0, None), (0.5, 3.0)])
def test_gaussian_bic_is_the_likelihood_of_a_regression_less_the_price_of_its_slopes(penalty, per_edge):
    values = columns(5, 120, 0)
    score = gaussian_bic(np.corrcoef(values, rowvar=False), 120, penalty=penalty, per_edge=per_edge)
    price = penalty * math.log(120) / 2 + (math.log(5) if per_edge is None else per_edge)
    for target, parents in questions(5, 4):
        # The score leaves out what is the same for all sets of parents: the likelihood of the column by itself.
        rise = log_likelihood_of_regression(values, target, parents) - log_likelihood_of_regression(values, target, [])
        assert score.local(target, parents) == pytest.approx(rise - price * len(parents), abs=1e-7)


@pytest.mark.parametrize(("n", "p"), [(1000, 10), (1000, 31), (1000, 32), (200, 100), (10_000, 300)])
def test_the_price_of_an_edge_is_the_extended_bic_at_the_larger_of_a_half_and_the_default_gamma(n, p):
    plain = gaussian_bic(np.eye(p), n)
    assert plain.edge == pytest.approx(extended_bic(plain, max(0.5, default_gamma(n, p))).edge, rel=1e-12)
    assert ("2 log p" in gaussian_rule(n, p)) == (p * p > n)


@pytest.mark.parametrize(("penalty", "per_edge"), [(1.0, 0.0), (2.0, None)])
def test_discrete_bic_is_the_likelihood_of_a_table_less_the_price_of_its_cells(penalty, per_edge):
    codes, sizes = categories(5, 150, 1)
    score = discrete_bic(codes, sizes, penalty=penalty, per_edge=per_edge)
    edge = math.log(5) if per_edge is None else per_edge
    for target, parents in questions(5, 4):
        cells = math.prod(int(sizes[k]) for k in parents) * (int(sizes[target]) - 1)
        expected = log_likelihood_of_table(codes, target, parents) - penalty * math.log(150) / 2 * cells
        assert score.local(target, parents) == pytest.approx(expected - edge * len(parents))


@pytest.mark.parametrize("ess", [1.0, 7.5])
@pytest.mark.parametrize("per_edge", [0.0, None])
def test_bdeu_is_the_probability_of_a_column_predicted_row_by_row(ess, per_edge):
    codes, sizes = categories(5, 90, 2)
    score = bdeu(codes, sizes, ess=ess, per_edge=per_edge)
    edge = math.log(5) if per_edge is None else per_edge
    for target, parents in questions(5, 4):
        expected = dirichlet_prediction(codes, sizes, target, parents, ess) - edge * len(parents)
        assert score.local(target, parents) == pytest.approx(expected)


def test_scores_of_four_rows_by_hand():
    codes = np.array([[0, 0, 1, 1], [0, 0, 0, 1]], dtype=np.int32)
    sizes = np.array([2, 2])
    bic = discrete_bic(codes, sizes, per_edge=0.0)
    assert bic.local(0, []) == pytest.approx(4 * math.log(1 / 2) - math.log(4) / 2)
    assert bic.local(1, []) == pytest.approx(3 * math.log(3 / 4) + math.log(1 / 4) - math.log(4) / 2)
    assert bic.local(1, [0]) == pytest.approx(2 * math.log(1 / 2) - 2 * math.log(4) / 2)
    prior = bdeu(codes, sizes, ess=2.0, per_edge=0.0)
    # One imaginary row by value: 1/2, 2/3, then 1/4 and 2/5.
    assert prior.local(0, []) == pytest.approx(math.log(1 / 2 * 2 / 3 * 1 / 4 * 2 / 5))
    # Half a row by cell: in the first stratum 1/2 and 3/4, in the second 1/2 and 1/4.
    assert prior.local(1, [0]) == pytest.approx(math.log(1 / 2 * 3 / 4 * 1 / 2 * 1 / 4))
    gaussian = gaussian_bic(np.array([[1.0, 0.6], [0.6, 1.0]]), 50, per_edge=0.0)
    assert gaussian.local(1, [0]) == pytest.approx(-25 * math.log(1 - 0.36) - math.log(50) / 2)


def scores(p: int, n: int, seed: int):
    codes, sizes = categories(p, n, seed, most=3)
    return {
        "gaussian": gaussian_bic(np.corrcoef(columns(p, n, seed), rowvar=False), n),
        "discrete": discrete_bic(codes, sizes, penalty=0.5),
        "bdeu": bdeu(codes, sizes, ess=3.0),
    }


@pytest.mark.parametrize("name", ["gaussian", "discrete", "bdeu"])
def test_all_members_of_an_equivalence_class_have_the_same_score_and_no_others(name):
    score = scores(4, 200, 3)[name]
    values: dict[bytes, list[float]] = {}
    for dag in all_dags(4):
        values.setdefault(cpdag_of_dag(dag).tobytes(), []).append(score.total(dag))
    assert (sum(map(len, values.values())), len(values)) == (543, 185)  # Andersson, Madigan and Perlman 1997, table 1
    for members in values.values():
        assert max(members) - min(members) < 1e-8
    means = np.sort([members[0] for members in values.values()])
    assert np.diff(means).min() > 1e-8


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, name=st.sampled_from(["gaussian", "discrete", "bdeu"]))
def test_a_gain_is_the_difference_of_two_local_scores_and_of_two_totals(seed, name):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(2, 7))
    score = scores(p, int(rng.integers(20, 200)), seed)[name]
    dag = np.triu(rng.random((p, p)) < 0.4, 1)
    target = p - 1
    parents = np.flatnonzero(dag[:, target]).tolist()
    gains = score.gains(target, parents)
    for node in range(p):
        if node == target or node in parents:
            assert gains[node] == -np.inf
            continue
        larger = dag.copy()
        larger[node, target] = True
        difference = score.local(target, [*parents, node]) - score.local(target, parents)
        assert gains[node] == pytest.approx(difference, abs=1e-8)
        assert score.total(larger) - score.total(dag) == pytest.approx(difference, abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, name=st.sampled_from(["gaussian", "discrete", "bdeu"]))
def test_a_loss_is_the_difference_of_two_local_scores(seed, name):
    rng = np.random.default_rng(seed)
    score = scores(7, 60, seed)[name]
    parents = rng.permutation(6)[: rng.integers(0, 7)].tolist()
    whole = score.local(6, parents)
    expected = [whole - score.local(6, [other for other in parents if other != out]) for out in parents]
    np.testing.assert_allclose(score.losses(6, parents), expected, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, name=st.sampled_from(["gaussian", "discrete", "bdeu"]))
def test_the_order_of_the_parents_does_not_matter(seed, name):
    rng = np.random.default_rng(seed)
    score = scores(5, 80, seed)[name]
    order = rng.permutation(4)
    assert score.local(4, order.tolist()) == pytest.approx(score.local(4, sorted(order.tolist())), abs=1e-8)
    np.testing.assert_allclose(score.gains(4, order[:2].tolist()), score.gains(4, order[:2][::-1].tolist()), atol=1e-8)


def test_many_parents_have_more_combinations_than_rows():
    codes, sizes = categories(12, 80, 4)
    parents = list(range(11))
    cells = math.prod(int(sizes[k]) for k in parents)
    assert cells > 10_000
    table = discrete_bic(codes, sizes, per_edge=0.0)
    price = math.log(80) / 2 * cells * (int(sizes[11]) - 1)
    assert table.local(11, parents) == pytest.approx(log_likelihood_of_table(codes, 11, parents) - price)
    prior = bdeu(codes, sizes, per_edge=0.0)
    assert prior.local(11, parents) == pytest.approx(dirichlet_prediction(codes, sizes, 11, parents, 1.0))
    assert prior.gains(11, parents[:10])[10] == pytest.approx(
        dirichlet_prediction(codes, sizes, 11, parents, 1.0) - dirichlet_prediction(codes, sizes, 11, parents[:10], 1.0)
    )


def test_parents_that_determine_each_other_or_the_target_score_minus_infinity():
    values = columns(3, 60, 5)
    values = np.column_stack([values, values[:, 0] - values[:, 1]])
    score = gaussian_bic(np.corrcoef(values, rowvar=False), 60)
    assert score.local(2, [0, 1, 3]) == -np.inf
    assert score.local(3, [0, 1]) == -np.inf
    assert score.gains(2, [0, 1])[3] == -np.inf
    assert np.isfinite(score.local(2, [0, 3]))
    # Without one of the three the rest can be told apart again: the score rises from minus infinity.
    np.testing.assert_array_equal(score.losses(2, [0, 1, 3]), [-np.inf] * 3)


def test_the_price_of_an_edge_grows_with_the_columns_unless_given():
    for p, price in ((2, math.log(2)), (10, math.log(10)), (50, 2 * math.log(50) - math.log(100) / 2)):
        identity = np.eye(p)
        assert gaussian_bic(identity, 100).edge == pytest.approx(price)
        assert gaussian_bic(identity, 100, per_edge=0.5).edge == 0.5
        assert gaussian_bic(identity, 100).local(1, [0]) == pytest.approx(-math.log(100) / 2 - price)


def test_impossible_prices_are_refused():
    codes, sizes = categories(2, 20, 0)
    with pytest.raises(ParameterError, match=r"the penalty 0 "):
        gaussian_bic(np.eye(2), 20, penalty=0)
    with pytest.raises(ParameterError, match=r"the penalty -1 "):
        discrete_bic(codes, sizes, penalty=-1)
    with pytest.raises(ParameterError, match=r"equivalent sample size 0 "):
        bdeu(codes, sizes, ess=0)
