"""Test-wise deletion against the base test on rows chosen by hand, its level under dropouts, and what it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from whence.data import read, simulate
from whence.discovery import PC
from whence.errors import DataError, ParameterError
from whence.independence import FisherZ, GSquare, TestwiseDeletion

NAMES = ("a", "b", "c", "d")


def cells(n: int = 800, seed: int = 0, share: float = 0.4) -> np.ndarray:
    """Return correlated positive columns with zeros, shape (n, 4)."""
    rng = np.random.default_rng(seed)
    values = np.exp(0.5 * rng.normal(size=(n, 4)) @ (np.eye(4) + 0.5 * rng.normal(size=(4, 4))))
    return np.where(rng.random((n, 4)) < share, 0.0, values)


def table(values: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[:, k] for k, name in enumerate(NAMES)}


QUERIES = [("a", "b", ()), ("a", "b", ("c",)), ("d", "a", ("c", "b")), ("c", "d", ("a",))]


@pytest.mark.parametrize("delete", ["conditioned", "all"])
@pytest.mark.parametrize("query", QUERIES)
def test_each_query_is_the_base_test_on_the_rows_that_the_rule_keeps(delete, query):
    values = cells()
    x, y, given_names = query
    hiding = given_names if delete == "conditioned" else (x, y, *given_names)
    rows = np.all([values[:, NAMES.index(name)] != 0 for name in hiding], axis=0) if hiding else np.ones(800, bool)
    expected = FisherZ(table(values[rows]))(*query)
    found = TestwiseDeletion(table(values), delete=delete, robust=False)(*query)
    assert found.rows_used == rows.sum()
    assert found.p_value == pytest.approx(expected.p_value, rel=1e-9)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)


@pytest.mark.parametrize("delete", ["conditioned", "all"])
def test_the_fast_path_is_the_base_test_made_anew_for_each_query(delete):
    data = read(table(cells()))
    fast = TestwiseDeletion(data, delete=delete, robust=False)
    for slow in (
        TestwiseDeletion(data, FisherZ, delete=delete),
        TestwiseDeletion(data, lambda kept: FisherZ(kept.moments()), delete=delete),
    ):
        np.testing.assert_allclose(fast.batch(QUERIES), slow.batch(QUERIES), rtol=1e-9)


def test_the_robust_statistic_divides_by_how_residual_spreads_go_together():
    values = cells()
    for x, y, given_names in QUERIES[1:]:
        rows = np.all([values[:, NAMES.index(name)] != 0 for name in given_names], axis=0)
        design = np.column_stack([np.ones(rows.sum()), *(values[rows, NAMES.index(name)] for name in given_names)])
        ends = values[np.ix_(rows, [NAMES.index(x), NAMES.index(y)])]
        e, f = (ends - design @ np.linalg.lstsq(design, ends, rcond=None)[0]).T
        factor = np.mean(e**2 * f**2) / (np.mean(e**2) * np.mean(f**2))
        plain = TestwiseDeletion(table(values), robust=False)(x, y, given_names).statistic
        found = TestwiseDeletion(table(values))(x, y, given_names).statistic
        assert found == pytest.approx(plain / np.sqrt(factor), rel=1e-9)


def test_where_no_zero_is_left_the_robust_test_is_the_plain_one():
    values = cells(share=0.0)
    values[:200, 2] = 0.0
    for delete in ("conditioned", "all"):
        one, other = (TestwiseDeletion(table(values), delete=delete, robust=robust) for robust in (True, False))
        assert one("a", "b", ["c"]) == other("a", "b", ["c"])
    sparse = cells()
    one, other = (TestwiseDeletion(table(sparse), delete="all", robust=robust) for robust in (True, False))
    np.testing.assert_array_equal(one.batch(QUERIES), other.batch(QUERIES))


def test_with_nothing_given_the_p_value_is_that_of_the_base_test():
    values = cells()
    test, base = TestwiseDeletion(table(values)), FisherZ(table(values))
    for x, y in (("a", "b"), ("c", "d"), ("b", "d")):
        assert test(x, y).p_value == base(x, y).p_value
        assert test(x, y).rows_used == 800


def test_a_table_without_zeros_is_tested_as_by_the_base_test():
    values = cells(share=0.0)
    np.testing.assert_allclose(
        TestwiseDeletion(table(values)).batch(QUERIES), FisherZ(table(values)).batch(QUERIES), rtol=1e-9
    )


def test_a_missing_value_costs_rows_wherever_it_stands_and_a_zero_only_where_it_is_given():
    values = cells(share=0.0) + 1.0
    values[:100, 0] = np.nan
    values[100:250, 1] = 0.0
    values[700:, 2] = np.nan
    test = TestwiseDeletion(table(values))
    assert test("a", "b").rows_used == 700
    assert test("b", "d").rows_used == 800
    assert test("d", "a", ["b"]).rows_used == 550
    assert test("b", "d", ["c"]).rows_used == 700
    assert test("a", "c", ["b"]).rows_used == 450
    expected = FisherZ(table(values[250:700]))("a", "c", ["b"]).p_value
    assert test("a", "c", ["b"]).p_value == pytest.approx(expected, rel=1e-9)
    only_missing = TestwiseDeletion(table(values), dropouts=False)
    assert only_missing("d", "a", ["b"]).rows_used == 700


def test_level_and_power_under_dropouts():
    """A chain with 60 % of values lost: the ends given the middle, with the zeros kept and deleted."""
    kept, deleted, neighbours = [], [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        one = 1 + rng.normal(size=5000)
        two = 1 + 0.8 * (one - 1) + rng.normal(size=5000)
        three = 1 + 0.8 * (two - 1) + rng.normal(size=5000)
        seen = {
            name: np.where(rng.random(5000) < 0.6, 0.0, v) for name, v in zip("abc", (one, two, three), strict=True)
        }
        test = TestwiseDeletion(seen)
        kept.append(FisherZ(seen)("a", "c", ["b"]).p_value)
        deleted.append(test("a", "c", ["b"]).p_value)
        neighbours.append((test("a", "b").p_value, test("a", "b", ["c"]).p_value))
    assert np.mean(np.array(kept) < 0.05) >= 0.9
    # The zeros that stay in a and b hide most of what the two have in common.
    power = (np.array(neighbours) < 0.05).mean(axis=0)
    assert power[0] == 1.0
    assert power[1] >= 0.8
    assert 0.02 <= np.mean(np.array(deleted) < 0.05) <= 0.09
    assert kstest(deleted, "uniform").pvalue > 0.01


@pytest.mark.parametrize("size", [0, 1, 2])
def test_p_values_are_uniform_under_the_null_with_zeros_and_gaps(size):
    rng = np.random.default_rng(size)
    found = []
    for _ in range(400):
        others = rng.normal(size=(400, 2))
        pair = others[:, :size] @ rng.normal(size=(size, 2)) + rng.normal(size=(400, 2)) + 2
        values = np.where(rng.random((400, 4)) < 0.3, 0.0, np.column_stack([pair, others + 2]))
        values[rng.random((400, 4)) < 0.1] = np.nan
        found.append(TestwiseDeletion(table(values))("a", "b", NAMES[2 : 2 + size]).p_value)
    assert kstest(found, "uniform").pvalue > 0.01


def test_a_starved_query_says_nothing_is_counted_and_warned_about():
    values = cells(share=0.0)
    values[30:, 2] = 0.0
    test = TestwiseDeletion(table(values), min_rows=50)
    result = test("a", "b", ["c"])
    assert np.isnan(result.p_value)
    assert result.rows_used == 30
    assert np.isnan(test.batch([("a", "d", ["c"])])).all()
    assert test("a", "b", ["d"]).p_value <= 1
    assert (test.queries, test.starved) == (3, 2)
    assert "2 of 3 tests had fewer than 50 rows" in test.warnings[0]
    assert "'c' (96% zeros)" in test.warnings[0]
    assert TestwiseDeletion(table(values), min_rows=20)("a", "b", ["c"]).p_value <= 1


def test_a_starved_test_never_removes_an_edge():
    rng = np.random.default_rng(0)
    cause = np.exp(rng.normal(size=400))
    values = {"x": cause + rng.normal(size=400) ** 2, "y": cause + rng.normal(size=400) ** 2}
    values["cause"] = np.where(np.arange(400) < 20, cause, 0.0)
    found = PC(test=TestwiseDeletion(values), alpha=0.05).fit()
    assert found.graph.edge("x", "y") is not None


def test_a_short_table_of_which_no_row_is_deleted_is_not_starved():
    values = cells(n=30, share=0.0)
    test = TestwiseDeletion(table(values))
    assert test("a", "b", ["c"]).p_value == pytest.approx(FisherZ(table(values))("a", "b", ["c"]).p_value)
    assert test.starved == 0


def test_negative_values_are_kept_and_said():
    values = np.random.default_rng(0).normal(size=(300, 4))
    values[:40, 2] = 0.0
    test = TestwiseDeletion(table(values))
    assert test("a", "b", ["c"]).rows_used == 260
    assert "negative values" in test.warnings[0]
    with pytest.raises(DataError, match="negative values") as caught:
        TestwiseDeletion(table(values), transform="log1p")
    assert caught.value.code == "E320"


def test_negative_levels_of_a_binary_column_are_no_zeros():
    values = table(cells(share=0.0))
    values["c"] = np.where(np.arange(800) < 300, -1.0, 1.0)
    test = TestwiseDeletion(values, dropouts=["c", "d"])
    assert test("a", "b", ["c"]).rows_used == 800
    assert test.zero_rates["c"] == 0.0


def test_zeros_of_a_binary_column_hide_nothing_unless_it_is_named():
    values = table(cells(share=0.0))
    values["c"] = (np.arange(800) < 300).astype(float)
    assert TestwiseDeletion(values)("a", "b", ["c"]).rows_used == 800
    named = TestwiseDeletion(values, dropouts=["c"])
    assert named("a", "b", ["c"]).rows_used == 300
    assert named.zero_rates == {"c": 0.625}


def test_covariates_that_are_not_named_keep_their_zeros():
    test = TestwiseDeletion(table(cells()), dropouts=["a", "b"])
    assert test.dropouts == ("a", "b")
    assert test("a", "b", ["c", "d"]).rows_used == 800
    assert test("c", "d", ["a"]).rows_used < 800


def test_log1p_is_taken_of_columns_with_dropouts_only():
    values = cells(share=0.3)
    logs = values.copy()
    logs[:, :3] = np.log1p(logs[:, :3])
    plain = {"dropouts": ["a", "b", "c"], "robust": False}
    found = TestwiseDeletion(table(values), transform="log1p", **plain).batch(QUERIES)
    np.testing.assert_allclose(found, TestwiseDeletion(table(logs), **plain).batch(QUERIES), rtol=1e-9)
    wrapped = TestwiseDeletion(table(values), FisherZ, dropouts=["a", "b", "c"], transform="log1p").batch(QUERIES)
    np.testing.assert_allclose(found, wrapped, rtol=1e-9)


def test_the_log_of_what_was_seen_puts_zeros_below_it():
    values = cells(share=0.3)
    seen = np.where(values > 0, np.log(np.where(values > 0, values, 1.0)), np.inf)
    logs = np.where(values > 0, seen, seen.min(axis=0))
    expected = FisherZ(table(logs[values[:, 2] > 0]))("a", "b", ["c"]).p_value
    found = TestwiseDeletion(table(values), transform="log-nonzero", robust=False)("a", "b", ["c"])
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert found.rows_used == (values[:, 2] > 0).sum()


def test_any_test_can_be_wrapped():
    rng = np.random.default_rng(1)
    data = {name: [f"v{k}" for k in rng.integers(0, 3, 500)] for name in "abc"}
    data["a"][:60] = [None] * 60
    test = TestwiseDeletion(read(data), "g-square")
    assert test("a", "b", ["c"]).rows_used == 440
    assert test("b", "c").rows_used == 500
    expected = GSquare({name: values[60:] for name, values in data.items()})("a", "b", ["c"])
    assert test("a", "b", ["c"]).p_value == pytest.approx(expected.p_value)
    with pytest.raises(ParameterError, match="fisher-z"):
        test.partial_correlation("a", "b")


def test_the_table_of_tests_gives_rows_and_share_deleted():
    values = cells(share=0.0)
    values[:200, 2] = 0.0
    found = TestwiseDeletion(read(table(values))).table([("a", "b", ()), ("a", "b", ("c",))]).to_pydict()
    assert found["rows_used"] == [800, 600]
    assert found["share_deleted"] == [0.0, 0.25]
    assert found["given"] == ["", "c"]
    assert found["starved"] == [False, False]


def test_the_rows_asked_about_last_are_kept_and_the_answer_does_not_depend_on_it(monkeypatch):
    monkeypatch.setattr("whence.independence.deletion._MOST_KEPT", 0)
    data = table(cells())
    one, two = TestwiseDeletion(data), TestwiseDeletion(data)
    first = two.batch(QUERIES)
    np.testing.assert_array_equal(one.batch(QUERIES * 3), [*first, *first, *first])
    assert len(one._kept) == 2


def test_it_survives_pickling():
    test = TestwiseDeletion(table(cells()))
    expected = test.batch(QUERIES)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(test)).batch(QUERIES), expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_units_of_columns_do_not_matter(seed, scale):
    values = cells(n=200, seed=seed)
    moved = values * np.array([1.0, scale, 1.0, scale])
    settings_of = {"min_rows": 20}
    np.testing.assert_allclose(
        TestwiseDeletion(table(moved), **settings_of).batch(QUERIES),
        TestwiseDeletion(table(values), **settings_of).batch(QUERIES),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("settings_of", "match"),
    [
        ({"delete": "some"}, "'some'"),
        ({"min_rows": 2}, "min_rows is 2"),
        ({"transform": "sqrt"}, "'sqrt'"),
        ({"dropouts": ["z"]}, "'z'"),
        ({"test": "nothing"}, "'nothing'"),
    ],
)
def test_settings_that_do_not_exist_are_refused(settings_of, match):
    with pytest.raises(ParameterError, match=match):
        TestwiseDeletion(table(cells()), **settings_of)


def test_words_have_no_zeros():
    data = {"a": ["x", "y", "z"] * 10, "b": ["u", "v", "w"] * 10}
    with pytest.raises(ParameterError, match="categorical"):
        TestwiseDeletion(data, "g-square", dropouts=["a"])
    with pytest.raises(DataError, match="'a'"):
        TestwiseDeletion(data)


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="4 rows"):
        TestwiseDeletion(table(cells(n=4, share=0.0)))


def test_many_queries_are_cheap():
    """Correlations of a set of rows are computed once: asking again takes no pass over the rows."""
    cells_of = simulate.drop_out(simulate.expression_scm(8, 2000, random_state=0), random_state=0)
    test = TestwiseDeletion(cells_of.data)
    test.batch([("X1", "X2", ("X3",)), ("X1", "X4", ("X3",))])
    (kept,) = [kept for key, kept in test._kept.items() if len(key) == 1]
    assert kept.known[np.ix_([0, 1, 2, 3], [0, 1, 2, 3])].sum() == 4 * 4 - 2  # all but the pair X2, X4
