"""Chi-square and G2 against scipy, their null distribution, and the rule for sparse counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency, kstest

from whence.data import read
from whence.errors import ParameterError
from whence.independence import ChiSquare, GSquare
from whence.independence._kernels_discrete import chi_square_tail, contingency_tests, tail_is_below

BOTH = pytest.mark.parametrize(("test", "power"), [(ChiSquare, "pearson"), (GSquare, "log-likelihood")])


def columns(rng: np.random.Generator, n: int, sizes: dict[str, int]) -> dict[str, list[str]]:
    return {name: [f"v{value}" for value in rng.integers(0, size, n)] for name, size in sizes.items()}


@BOTH
def test_marginal_test_equals_scipy(test, power):
    data = columns(np.random.default_rng(1), 300, {"a": 3, "b": 4})
    table = np.zeros((3, 4))
    for a, b in zip(data["a"], data["b"]):
        table[int(a[1:]), int(b[1:])] += 1
    expected = chi2_contingency(table, correction=False, lambda_=power)
    found = test(data)("a", "b")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-10)
    assert found.degrees_of_freedom == expected.dof == 6


@BOTH
def test_conditional_test_adds_the_strata(test, power):
    rng = np.random.default_rng(2)
    data = columns(rng, 800, {"a": 3, "b": 2, "s": 3, "t": 2})
    statistic = 0.0
    for s in range(3):
        for t in range(2):
            rows = [k for k in range(800) if data["s"][k] == f"v{s}" and data["t"][k] == f"v{t}"]
            table = np.zeros((3, 2))
            for k in rows:
                table[int(data["a"][k][1:]), int(data["b"][k][1:])] += 1
            statistic += chi2_contingency(table, correction=False, lambda_=power).statistic
    found = test(data)("a", "b", ["s", "t"])
    assert found.statistic == pytest.approx(statistic, rel=1e-10)
    assert found.degrees_of_freedom == 12
    assert found.p_value == pytest.approx(chi2.sf(statistic, 12), rel=1e-9)


def test_values_that_do_not_occur_take_no_degree_of_freedom():
    data = {
        "a": ["x", "y", "x", "y", "z", "z"] * 10,
        "b": ["u", "u", "v", "v", "u", "v"] * 10,
        "s": ["p", "p", "p", "p", "q", "q"] * 10,
    }
    test = GSquare(data)
    assert test("a", "b").degrees_of_freedom == 2
    assert test("a", "b", ["s"]).degrees_of_freedom == 1  # in stratum q only 'z' occurs, in p it does not


def test_a_set_too_fine_for_the_rows_says_nothing_but_the_marginal_test_is_made():
    rng = np.random.default_rng(0)
    data = columns(rng, 100, {"a": 5, "b": 5, "s": 2, "t": 2, "u": 5})
    test = GSquare(data)
    assert test("a", "b").p_value <= 1  # 4 rows a cell
    assert test("a", "b", ["u"]).p_value <= 1  # 0.8 rows a cell: enough given one column
    assert np.isnan(test("a", "b", ["s", "t"]).p_value)  # 1
    assert GSquare(data, rows_per_cell=1)("a", "b", ["s", "t"]).p_value <= 1
    assert np.isnan(GSquare(data, rows_per_cell=1)("a", "b", ["u"]).p_value)
    assert np.isnan(GSquare(data, rows_per_cell=(1.0, 0.0))("a", "b", ["u"]).p_value)
    for wrong in (-1, (1.0, -1.0), (1.0, 2.0, 3.0)):
        with pytest.raises(ParameterError, match="rows_per_cell is"):
            GSquare(data, rows_per_cell=wrong)


def test_where_cells_hold_few_rows_pearsons_statistic_keeps_nearer_its_level():
    rng = np.random.default_rng(2)
    rejected = {ChiSquare: 0, GSquare: 0}
    for _ in range(200):
        data = columns(rng, 800, {"a": 4, "b": 4, "s": 20})  # 2.5 rows a cell
        for test in rejected:
            rejected[test] += test(data)("a", "b", ["s"]).p_value < 0.05
    assert rejected[ChiSquare] <= 30
    assert rejected[GSquare] > 2 * rejected[ChiSquare]


def test_a_set_that_determines_one_of_the_two_says_nothing():
    data = columns(np.random.default_rng(0), 200, {"a": 2, "b": 2})
    data["s"] = [f"w{value}" for value in data["a"]]
    assert np.isnan(ChiSquare(data)("a", "b", ["s"]).p_value)


@BOTH
@pytest.mark.parametrize("conditional", [False, True])
def test_p_values_are_uniform_under_the_null(test, power, conditional):
    rng = np.random.default_rng(7)
    found = []
    for _ in range(400):
        s = rng.integers(0, 2, 600)
        a, b = ((rng.random(600) < 0.3 + 0.4 * s * conditional).astype(int) for _ in range(2))
        data = read({"a": a, "b": b, "s": s}, kinds=dict.fromkeys("abs", "binary"))
        found.append(test(data)("a", "b", ["s"] if conditional else []).p_value)
    assert kstest(found, "uniform").pvalue > 0.01


def test_batch_equals_single_calls_and_order_does_not_matter():
    data = columns(np.random.default_rng(5), 500, {"a": 2, "b": 3, "c": 2, "d": 2})
    test = ChiSquare(data)
    queries = [("a", "b", ()), ("b", "d", ("c",)), ("d", "a", ("b", "c"))]
    np.testing.assert_array_equal(test.batch(queries), [test(*query).p_value for query in queries])
    assert test("b", "a", ["d", "c"]).p_value == pytest.approx(test("a", "b", ["c", "d"]).p_value)


def test_missing_rows_are_left_out():
    data = columns(np.random.default_rng(5), 100, {"a": 2, "b": 2})
    data["a"][:10] = [None] * 10
    assert GSquare(data).rows_used == 90


@BOTH
@pytest.mark.parametrize("size", [3, 9])  # 9 values each: some tables are counted row by row
def test_test_wise_a_query_is_answered_as_on_the_rows_that_have_its_columns(test, power, size):
    rng = np.random.default_rng(size)
    data = columns(rng, 900, {"a": size, "b": 2, "c": size, "d": 3, "e": 2})
    data["b"] = [a if rng.random() < 0.4 else b for a, b in zip(data["a"], data["b"])]
    for name in "abcd":
        data[name] = [None if rng.random() < 0.2 else value for value in data[name]]
    table = read(data)
    found = test(table, missing="test-wise")
    assert found.rows_used == 900
    for query in [("a", "b", ()), ("a", "e", ()), ("a", "c", ["b"]), ("e", "a", ["c"]), ("a", "b", ["d", "e"])]:
        complete = table.select([*query[:2], *query[2]]).complete()
        expected, answer = test(complete)(*query), found(*query)
        assert answer.rows_used == complete.n_rows
        assert answer.statistic == pytest.approx(expected.statistic, rel=1e-10)
        assert answer.degrees_of_freedom == expected.degrees_of_freedom
        assert answer.p_value == pytest.approx(expected.p_value, rel=1e-9, nan_ok=True)


def test_test_wise_sparse_counts_are_judged_by_the_rows_of_the_query():
    rng = np.random.default_rng(0)
    data = columns(rng, 400, {"a": 3, "b": 3, "s": 3, "t": 2})
    assert not np.isnan(GSquare(data)("a", "b", ["s", "t"]).p_value)
    data["a"][100:] = [None] * 300  # 100 rows for 54 cells
    assert np.isnan(GSquare(data, missing="test-wise")("a", "b", ["s", "t"]).p_value)


def test_a_way_with_missing_values_that_does_not_exist_is_refused():
    with pytest.raises(ParameterError, match="missing='pairwise'"):
        GSquare({"a": ["x", "y"], "b": ["x", "y"]}, missing="pairwise")


def test_tail_of_the_chi_square_distribution_equals_scipy():
    rng = np.random.default_rng(0)
    freedom = rng.integers(1, 300, 2000).astype(float)
    statistic = freedom * rng.uniform(0.01, 4, 2000)
    found = [chi_square_tail(s, f) for s, f in zip(statistic, freedom)]
    np.testing.assert_allclose(found, chi2.sf(statistic, freedom), rtol=1e-9, atol=1e-300)


@BOTH
def test_tables_of_many_cells_are_counted_alike_in_sets_and_row_by_row(test, power, monkeypatch):
    rng = np.random.default_rng(3)
    data = columns(rng, 700, {"a": 3, "b": 4, "s": 5, "t": 4, "u": 3})
    in_sets = test(data, rows_per_cell=0)
    by_row = test(data, rows_per_cell=0)
    monkeypatch.setitem(by_row.__dict__, "tables", (*in_sets.tables[:3], np.full(5, -1), *in_sets.tables[4:]))
    for given in ([], ["s"], ["s", "t"], ["u", "s", "t"]):  # the last two have 240 and 720 cells
        one, other = in_sets("a", "b", given), by_row("a", "b", given)
        assert one.statistic == pytest.approx(other.statistic, rel=1e-12)
        assert (one.degrees_of_freedom, one.p_value) == (other.degrees_of_freedom, pytest.approx(other.p_value))


@BOTH
def test_counts_beyond_those_made_ready_give_the_same_statistic(test, power):
    rng = np.random.default_rng(7)
    data = columns(rng, 300_000, {"a": 2, "b": 3})
    table = [[sum(pair == (f"v{i}", f"v{j}") for pair in zip(*data.values())) for j in range(3)] for i in range(2)]
    expected = chi2_contingency(table, correction=False, lambda_=power).statistic
    assert test(data)("a", "b").statistic == pytest.approx(expected, rel=1e-6)


def test_the_bound_of_the_tail_is_never_below_it():
    rng = np.random.default_rng(1)
    for freedom, level in zip(rng.integers(1, 200, 500).astype(float), 10 ** rng.uniform(-12, -0.1, 500)):
        at = chi2.isf(level, freedom)
        assert not tail_is_below(at * 0.999, freedom, math.log(level))
        assert tail_is_below(at * 3 + 60, freedom, math.log(level))


@BOTH
def test_tables_counted_ahead_give_the_same_answers(test, power):
    rng = np.random.default_rng(8)
    held = test(columns(rng, 300, {"a": 3, "b": 4, "c": 2, "d": 3}))
    asked = [np.array([0, 0, 1, 2]), np.array([1, 3, 2, 3]), np.array([0, 0, 1, 2, 4]), np.array([2, 0, 0, 1])]
    alone, ahead = (contingency_tests(tables, *asked) for tables in (held.tables, held.counted_tables))
    assert len(held.counted_tables[-1]) == 12
    np.testing.assert_array_equal(alone, ahead)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 20, 59, 60, 61, 300])
def test_the_tail_is_that_of_scipy_from_end_to_end(freedom):
    statistic = np.geomspace(1e-8, 1200, 60)
    found = [chi_square_tail(value, freedom) for value in statistic]
    np.testing.assert_allclose(found, chi2.sf(statistic, freedom), rtol=1e-10, atol=1e-300)
    assert chi_square_tail(1e15, freedom) == 0.0
