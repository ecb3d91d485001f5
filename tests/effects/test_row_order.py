"""Rows that follow each other: seen where they err alike, silent where their order says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import simulate
from whence.effects import estimate
from whence.effects.fitted import Score
from whence.effects.row_order import correlations, row_order_check


def walk(rng, n, strength):
    noise = rng.normal(size=n)
    for k in range(1, n):
        noise[k] += strength * noise[k - 1]
    return noise


def test_autocorrelations_by_hand():
    np.testing.assert_allclose(correlations(np.array([1.0, -1.0, 1.0, -1.0]), 2), [-0.75, 0.5])


@pytest.mark.parametrize("seed", range(5))
def test_series_that_only_drift_beside_each_other_are_caught(seed):
    rng = np.random.default_rng(seed)
    data = {"x": walk(rng, 500, 0.95), "y": walk(rng, 500, 0.95)}
    check = estimate(data, None, "x", "y", adjustment=[]).check("row-order")
    assert check.passed is False
    assert check.statistic > 1.5


def test_rows_in_no_order_are_taken_for_what_they_are():
    failed = 0
    for seed in range(200):
        table = simulate.treatment_outcome(300, treatment="continuous", random_state=seed)
        effect = estimate(table.data, None, "T", "Y", adjustment=table.covariates, method="regression")
        failed += effect.check("row-order").passed is False
    assert failed <= 2  # the level is 0.1 %


def test_the_factor_is_that_of_the_known_process():
    # Influences that follow an AR(1) with 0.5: the error of their mean is sqrt((1 + 0.5) / (1 - 0.5)) times as large.
    influence = walk(np.random.default_rng(0), 200_000, 0.5)
    check = row_order_check(Score.of(0.0, influence - influence.mean()))
    assert check.statistic == pytest.approx(np.sqrt(3), rel=0.05)


def test_a_handful_of_rows_is_not_judged():
    assert row_order_check(Score.of(0.0, np.ones(20))) is None
