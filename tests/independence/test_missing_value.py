"""Fisher's z corrected for what decides which values are missing: known causes, its null, and MVPC end to end."""

from __future__ import annotations

import numpy as np
import pytest

from tests.independence.nonparametric import uniform
from whence.discovery import PC
from whence.errors import ParameterError
from whence.independence import FisherZ, MissingValueFisherZ, TestwiseDeletion
from whence.independence.missing_value import corrected_z


def collider(n: int, seed: int, effect: float = 0.0) -> dict[str, np.ndarray]:
    """Return x and y, apart but for an effect, and what both cause, which decides whether y is missing."""
    rng = np.random.default_rng(seed)
    x, y, noise = rng.normal(size=(3, n))
    y = y + effect * x
    decides = x + y + 0.7 * noise
    return {"x": x, "y": np.where(decides > 0.5, np.nan, y), "w": decides, "z": rng.normal(size=n)}


def given_a_cause(n: int, seed: int) -> dict[str, np.ndarray]:
    """Return x and y with a common cause z; what they cause decides whether either is missing."""
    rng = np.random.default_rng(seed)
    z, a, b, c, d = rng.normal(size=(5, n))
    x, y = z + a, z + b
    w, v = x + y + c, x + y + z + d
    return {"x": np.where(v > 2.0, np.nan, x), "y": np.where(w > 1.0, np.nan, y), "w": w, "v": v, "z": z}


def test_what_decides_an_absence_is_found():
    assert MissingValueFisherZ(collider(1000, 0)).causes == {"y": ("w",)}
    assert MissingValueFisherZ(given_a_cause(2000, 0)).causes == {"x": ("v",), "y": ("w",)}
    chance = collider(1000, 1)
    chance["y"] = np.where(np.arange(1000) % 3 == 0, np.nan, chance["x"] + chance["z"])
    assert MissingValueFisherZ(chance).causes == {"y": ()}


@pytest.mark.parametrize(("n", "draws"), [(200, 200), (1000, 100)])
def test_p_values_are_uniform_where_deletion_makes_columns_dependent(n, draws):
    corrected, deleted = [], []
    for seed in range(draws):
        columns = collider(n, seed)
        corrected.append(MissingValueFisherZ(columns, max_depth=0)("x", "y").p_value)
        deleted.append(TestwiseDeletion(columns)("x", "y").p_value)
    assert uniform(np.array(corrected)) > 0.01
    assert np.mean(np.array(deleted) < 0.05) > 0.8


def test_p_values_are_uniform_given_a_column_where_two_are_incomplete():
    found = []
    for seed in range(40):
        test = MissingValueFisherZ(given_a_cause(600, seed))
        found.append(test("x", "y", ["z"]).p_value)
        assert test.corrected == 1
    assert uniform(np.array(found)) > 0.01


def test_a_true_effect_is_still_found():
    found = [MissingValueFisherZ(collider(600, seed, effect=0.4), max_depth=0)("x", "y").p_value for seed in range(40)]
    assert np.mean(np.array(found) < 0.01) > 0.9


def test_a_query_whose_deletion_does_no_harm_is_not_corrected():
    columns = collider(600, 0)
    test, plain = MissingValueFisherZ(columns), TestwiseDeletion(columns)
    for query in (("x", "z", ()), ("x", "y", ("w",)), ("y", "w", ())):
        assert test(*query) == plain(*query)
    assert test.corrected == 0


def test_the_correction_on_all_rows_is_close_to_fisher_s_z():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(2000, 4)) @ (np.eye(4) + 0.3 * rng.normal(size=(4, 4)))
    every = np.ones(2000, dtype=bool)
    found = corrected_z(values[:, :3], values[:, 3:], every, every)
    expected = FisherZ({name: values[:, k] for k, name in enumerate("abcd")})("a", "b", ["c"]).statistic
    assert found == pytest.approx(expected, rel=0.05)


def test_mvpc_leaves_out_the_edge_that_deletion_makes():
    columns = collider(2000, 3)
    edges = {
        type(test).__name__: {frozenset((edge.source, edge.target)) for edge in PC(test=test).fit().graph.edges()}
        for test in (TestwiseDeletion(columns), MissingValueFisherZ(columns))
    }
    truth = {frozenset("xw"), frozenset("yw")}
    assert edges["MissingValueFisherZ"] == truth
    assert edges["TestwiseDeletion"] == truth | {frozenset("xy")}
    by_name = PC(test="missing-value-fisher-z").fit(columns)
    assert by_name.rows_used == 2000
    assert [str(edge) for edge in by_name.graph.edges()] == ["x -> w", "y -> w"]


def test_impossible_settings_are_refused():
    with pytest.raises(ParameterError, match="alpha"):
        MissingValueFisherZ(collider(100, 0), alpha=0.0)
    with pytest.raises(ParameterError, match="max_depth"):
        MissingValueFisherZ(collider(100, 0), max_depth=-1)
