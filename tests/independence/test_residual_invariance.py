"""Residual invariance: what it sees that tests on residuals of functions do not, its level, what changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.independence.nonparametric import p_values, uniform
from whence.data import read, simulate
from whence.errors import ParameterError
from whence.independence import RCoT, ResidualInvariance


@pytest.mark.parametrize("kind", ["linear", "curved", "heavy", "mixed"])
@pytest.mark.parametrize("size", [0, 1])
def test_p_values_are_uniform_under_the_null(kind, size):
    assert uniform(p_values(ResidualInvariance, kind, 200, size, 100)) > 0.01


def drifting(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return a cause that drifts and an effect whose noise grows with it, but whose mechanism stays."""
    time = np.arange(n, dtype=float)
    cause = np.sin(time / 40) + rng.normal(size=n)
    return {"time": time, "cause": cause, "effect": cause + np.exp(0.5 * cause) * rng.normal(size=n)}


def test_noise_that_depends_on_what_is_given_is_no_change():
    rng = np.random.default_rng(0)
    found = [
        ResidualInvariance(drifting(200, rng), index="time")("effect", "time", ["cause"]).p_value for _ in range(100)
    ]
    assert np.mean(np.array(found) < 0.05) < 0.12
    assert uniform(np.array(found)) > 0.01


def test_differences_that_cancel_on_average_are_seen():
    seen = {"ours": 0, "rcot": 0}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        site, dose = np.repeat(["north", "south"], 200), rng.normal(size=400)
        data = {"site": site, "dose": dose, "cure": np.where(site == "north", dose, -dose) + rng.normal(size=400)}
        for name, test in (("ours", ResidualInvariance(data)), ("rcot", RCoT(data))):
            seen[name] += test("cure", "site", ["dose"]).p_value < 0.01
    assert seen == {"ours": 5, "rcot": 0}


def test_fast_swings_along_an_index_are_seen():
    rng = np.random.default_rng(0)
    time = np.arange(500.0)
    data = {"time": time, "price": np.sin(2 * np.pi * time / 70) + rng.normal(size=500)}
    assert ResidualInvariance(data, index="time")("price", "time").p_value < 1e-6
    assert RCoT(data)("price", "time").p_value > 1e-6


def test_given_an_index_what_follows_it_is_taken_out():
    data = simulate.changing_confounder(500, random_state=0).data
    test = ResidualInvariance(data, index="time")
    assert test("a", "b").p_value < 1e-6
    assert test("a", "b", ["time"]).p_value > 0.05
    assert test("b", "c", ["time"]).p_value < 1e-6


def test_names_of_domains_do_not_matter():
    drawn = simulate.changing_pair("coefficient", 600, n_domains=4, random_state=0)
    x, y, domain = drawn.values.T
    found = []
    for labels in (np.array(list("abcd")), np.array(list("dbac"))):
        data = read({"x": x, "y": y, "site": labels[domain.astype(int)]})
        test = ResidualInvariance(data)
        found.append([test("y", "site", ["x"]).p_value, test("x", "y", ["site"]).p_value])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_monotone_transformations_of_an_index_change_nothing():
    data = drifting(300, np.random.default_rng(1))
    moved = {**data, "time": np.exp(data["time"] / 50)}
    one, other = (ResidualInvariance(d, index="time") for d in (data, moved))
    for given in ((), ("effect",)):
        assert one("cause", "time", given).p_value == pytest.approx(other("cause", "time", given).p_value, rel=1e-9)


def test_an_index_that_is_absent_is_an_error_that_says_so():
    with pytest.raises(ParameterError, match="'tide'"):
        ResidualInvariance(drifting(100, np.random.default_rng(0)), index="tide")
