"""Gains by test-wise deletion against partial correlations over rows chosen by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whence.errors import DataError, ParameterError
from whence.independence import FisherZ
from whence.scores import gaussian_bic
from whence.scores.deletion import deletion_bic, row_sets

NAMES = ("a", "b", "c", "d", "e")


def columns(n: int = 700, seed: int = 0, share: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 5)) @ (np.eye(5) + 0.4 * rng.normal(size=(5, 5))) + 3
    return np.where(rng.random((n, 5)) < share, 0.0, values)


def gain_by_hand(values: np.ndarray, x: int, target: int, given: list[int], price: float) -> float:
    """Return the gain: whether there is one by r brought to all rows, as the authors do, how much by r itself."""
    rows = np.all(values[:, given] != 0, axis=1)
    kept = {name: values[rows, k] for k, name in enumerate(NAMES)}
    partial = FisherZ(kept).partial_correlation(NAMES[x], NAMES[target], [NAMES[k] for k in given])
    n, m = len(values), int(rows.sum())
    statistic = math.sqrt(m - 3) * abs(math.atanh(partial))
    rescaled = 1 - 2 / (1 + math.exp(2 * statistic / math.sqrt(n - 3)))
    gain = -n / 2 * math.log(1 - rescaled**2) - price
    return gain if gain <= 0 else -n / 2 * math.log(1 - partial**2) - price


@pytest.mark.parametrize("given", [[], [2], [2, 3], [4, 3, 2]])
def test_gains_are_those_of_the_formula_on_the_rows_kept(given):
    values = columns(share=0.3)
    for penalty in (0.5, 2.0, 8.0, 60.0):
        gains = deletion_bic(values, penalty=penalty).gains(1, given)
        price = penalty * math.log(700) / 2
        assert gains[0] == pytest.approx(gain_by_hand(values, 0, 1, given, price), rel=1e-9)
    assert np.isneginf(gains[[1, *given]]).all()


def test_without_zeros_the_gains_are_those_of_the_gaussian_bic():
    values = columns()
    correlation = np.corrcoef(values, rowvar=False)
    one, other = deletion_bic(values, penalty=1.0), gaussian_bic(correlation, 700, per_edge=0.0)
    for given in ([], [0], [2, 4]):
        np.testing.assert_allclose(one.gains(1, given), other.gains(1, given), rtol=1e-9)
    np.testing.assert_allclose(one.losses(1, [0, 2, 3]), other.losses(1, [0, 2, 3]), rtol=1e-8)
    adjacency = np.triu(np.ones((5, 5), dtype=bool), 1)
    assert one.total(adjacency) == pytest.approx(other.total(adjacency), rel=1e-9)


def test_where_no_row_is_dropped_the_rescaled_correlation_is_the_plain_one():
    values = columns()
    score = deletion_bic(values, penalty=1e-12)
    plain = FisherZ({name: values[:, k] for k, name in enumerate(NAMES)})
    for given in ([], [2], [2, 3]):
        gain = score.gains(1, given)[0] + score.unit
        expected = plain.partial_correlation("a", "b", [NAMES[k] for k in given])
        assert math.sqrt(-math.expm1(-2 * gain / 700)) == pytest.approx(abs(expected), abs=1e-12)


def test_losses_are_the_gains_of_each_given_the_others():
    values = columns(share=0.3)
    score = deletion_bic(values)
    parents = [0, 2, 4]
    losses = score.losses(1, parents)
    for k, parent in enumerate(parents):
        others = [other for other in parents if other != parent]
        assert losses[k] == pytest.approx(score.gains(1, others)[parent])
    chain = sum(score.gains(1, parents[:k])[parent] for k, parent in enumerate(parents))
    assert score.local(1, parents) == pytest.approx(chain)


def test_too_few_rows_give_no_gain_and_are_counted():
    values = columns()
    values[20:, 2] = 0.0
    score = deletion_bic(values, min_rows=50)
    assert np.isneginf(score.gains(1, [2])).all()
    assert score.starved == 1
    assert np.isfinite(score.gains(1, [3])[0])
    assert score.losses(1, [2, 0]).tolist()[1] == 0.0


def test_collinear_columns_add_nothing():
    values = columns()
    values[:, 3] = values[:, 2] * 2 - 1
    score = deletion_bic(values)
    np.testing.assert_allclose(score.gains(1, [2, 3])[0], score.gains(1, [2])[0], rtol=1e-6)
    assert np.isneginf(score.gains(1, [2])[3])


def test_hidden_values_can_be_named_apart_from_zeros():
    values = columns()
    seen = np.ones(values.shape, dtype=bool)
    seen[:200, 2] = False
    assert deletion_bic(values, seen).gains(1, [2])[0] == pytest.approx(
        deletion_bic(np.where(seen, values, 0.0)).gains(1, [2])[0], rel=1e-9
    )


@pytest.mark.parametrize("n", [5, 63, 64, 65, 130])
def test_row_sets_hold_every_row_once(n):
    seen = np.random.default_rng(n).random((n, 3)) < 0.5
    for column, words in zip(seen.T, row_sets(seen)):
        bits = [(int(words[r // 64]) >> (r % 64)) & 1 for r in range(64 * len(words))]
        np.testing.assert_array_equal(bits[:n], column)
        assert not any(bits[n:])


def test_bad_input_is_refused():
    values = columns()
    with pytest.raises(ParameterError, match="penalty"):
        deletion_bic(values, penalty=0.0)
    with pytest.raises(ParameterError, match="min_rows"):
        deletion_bic(values, min_rows=1)
    values[3, 1] = np.nan
    with pytest.raises(DataError, match="1 of them with a missing value"):
        deletion_bic(values)
