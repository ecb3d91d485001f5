"""Groups of exchangeable rows: what varies between groups, what does not, and the formulas of the mechanisms."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import simulate
from whence.errors import DataError

PAIR = [("x", "y")]


def groups(structure, n=4000, rows=2, **settings):
    """Return values of shape (groups, rows, columns)."""
    drawn = simulate.exchangeable_scm(structure, n, rows, **settings)
    return drawn.values[:, :-1].reshape(n, rows, -1)


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize("mechanism", ["quadratic", "shift", "xor"])
def test_rows_of_a_group_go_together_unless_the_latents_are_constant(mechanism):
    alike = groups(PAIR, mechanism=mechanism, random_state=0)
    apart = groups(PAIR, mechanism=mechanism, latents="constant", random_state=0)
    assert correlation(alike[:, 0, 0], alike[:, 1, 0]) > 0.1
    assert abs(correlation(apart[:, 0, 0], apart[:, 1, 0])) < 0.06


@pytest.mark.parametrize("mechanism", ["quadratic", "shift", "xor"])
def test_rows_of_a_group_are_exchangeable(mechanism):
    values = groups(PAIR, 40_000, mechanism=mechanism, random_state=1)
    means, spreads = np.median(values, axis=0), values.std(axis=0)
    np.testing.assert_allclose(means[0], means[1], atol=0.05 * spreads[0].max())


def test_shifts_are_those_of_the_formula():
    values = groups(PAIR, 60_000, mechanism="shift", random_state=0)
    x, y = values[..., 0], values[..., 1]
    own = y - x  # 1.5 psi + noise
    assert x.var() == pytest.approx(2.0, rel=0.03)
    assert own.var() == pytest.approx(1.5**2 + 1, rel=0.03)
    assert np.cov(own[:, 0], own[:, 1])[0, 1] == pytest.approx(1.5**2, rel=0.04)
    assert correlation(x[:, 0], own[:, 1]) == pytest.approx(0.0, abs=0.02)
    shared = groups(PAIR, 60_000, mechanism="shift", latents="shared", random_state=0)
    together = np.cov(shared[:, 0, 0], (shared[..., 1] - shared[..., 0])[:, 1])[0, 1]
    assert together == pytest.approx(1.5, rel=0.04)


def test_xor_flips_an_effect_where_all_its_causes_are_one():
    values = groups([("a", "c"), ("b", "c")], 60_000, mechanism="xor", random_state=0)
    a, c, b = (values[..., k] for k in range(3))  # in order of appearance
    assert set(np.unique(values)) == {0.0, 1.0}
    assert a.mean() == pytest.approx(0.25, abs=0.01)  # the mean of Beta(1, 3)
    both = (a * b) == 1
    assert c[both].mean() == pytest.approx(0.75, abs=0.02)
    assert c[~both].mean() == pytest.approx(0.25, abs=0.01)
    # The share of a group has variance 3 / 80, so that two rows of it have that covariance.
    assert np.cov(a[:, 0], a[:, 1])[0, 1] == pytest.approx(3 / 80, abs=0.003)


def test_half_of_the_groups_bend_and_the_others_are_linear():
    # In a linear group y - a x = b N with whole a and b, so that given x alone y has the same slope in all of them; a
    # bent group adds c a x^2, which is far from the line where x is large.
    drawn = simulate.exchangeable_scm(PAIR, 4000, 1, random_state=3)
    x, y = drawn.values[:, 0], drawn.values[:, 1]
    far = x > 3.0
    slope = y[far] / x[far]
    cut = (slope.min() + slope.max()) / 4
    assert 0.35 < (slope > cut).mean() < 0.65


def test_the_group_column_is_the_domain_and_comes_last():
    drawn = simulate.exchangeable_scm(3, 50, 4, group="site", mechanism="xor", random_state=0)
    assert (drawn.domain, drawn.observed[-1]) == ("site", "site")
    np.testing.assert_array_equal(np.bincount(drawn.values[:, -1].astype(int)), np.full(50, 4))
    assert drawn.data.names == drawn.observed
    assert len(simulate.exchangeable_scm(3, 2, random_state=0).data) == 4


@pytest.mark.parametrize(
    "settings",
    [{"mechanism": "cubic"}, {"latents": "none"}, {"n_groups": 0}, {"rows_per_group": 0}, {"group": "x"}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(DataError) as caught:
        simulate.exchangeable_scm(PAIR, **{"n_groups": 10, **settings})
    assert caught.value.code == "E152"
