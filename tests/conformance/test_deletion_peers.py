"""Test-wise deletion of missing values gives the p-values of causal-learn's test for MVPC."""

from __future__ import annotations

import numpy as np
import pytest

from whence.independence import TestwiseDeletion

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

NAMES = tuple("abcde")


@pytest.fixture(scope="module")
def cit():
    return pytest.importorskip(
        "causallearn.utils.cit", reason="compares with causal-learn, of the extra 'peers'", exc_type=ImportError
    )


@pytest.mark.parametrize("seed", range(5))
def test_p_values_are_those_of_causal_learn(cit, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(500, 5)) @ (np.eye(5) + 0.4 * rng.normal(size=(5, 5)))
    values[rng.random(values.shape) < 0.1] = np.nan
    theirs = cit.CIT(values, "mv_fisherz")
    ours = TestwiseDeletion({name: values[:, k] for k, name in enumerate(NAMES)})
    for x, y, given in [(0, 1, ()), (0, 1, (2,)), (3, 1, (0, 4)), (2, 4, (0, 1, 3))]:
        found = ours(NAMES[x], NAMES[y], [NAMES[k] for k in given])
        assert found.p_value == pytest.approx(theirs(x, y, given), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_on_zeros_it_is_the_same_after_the_zeros_of_the_columns_given_are_declared_missing(cit, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(800, 5)) @ (np.eye(5) + 0.4 * rng.normal(size=(5, 5))) + 2
    values[rng.random(values.shape) < 0.3] = 0.0
    ours = TestwiseDeletion({name: values[:, k] for k, name in enumerate(NAMES)}, robust=False)
    for x, y, given in [(0, 1, (2,)), (3, 1, (0, 4)), (2, 4, (0, 1, 3))]:
        gaps = values.copy()
        gaps[:, given] = np.where(values[:, given] == 0, np.nan, values[:, given])
        found = ours(NAMES[x], NAMES[y], [NAMES[k] for k in given])
        assert found.p_value == pytest.approx(cit.CIT(gaps, "mv_fisherz")(x, y, given), rel=1e-6, abs=1e-12)
