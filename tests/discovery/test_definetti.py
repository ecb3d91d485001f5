"""Causal de Finetti against an oracle on all small graphs, a table in closed form, simulated groups, and bad input."""

from __future__ import annotations

import json
import pickle
from importlib import import_module
from itertools import combinations, product

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import CausalDeFinetti, ExchangeableTest, bootstrap
from whence.discovery._definetti_levels import Asked, find_edges, find_levels, mechanisms, pair_verdict, variation
from whence.discovery._definetti_rows import combine, draw_pairings
from whence.errors import DataError, GraphError, ParameterError
from whence.graph import Graph, Knowledge, Mark
from whence.independence import FisherZ, Oracle

PAIR = [("dose", "cure")]


# ---- the rules, on exact answers -----------------------------------------------------------------------------


def all_dags(p: int):
    """Yield every acyclic graph on p columns."""
    pairs = list(combinations(range(p), 2))
    for ways in product((0, 1, 2), repeat=len(pairs)):
        adjacency = np.zeros((p, p), dtype=bool)
        for (i, j), way in zip(pairs, ways):
            adjacency[i, j], adjacency[j, i] = way == 1, way == 2
        if not np.trace(np.linalg.matrix_power(adjacency.astype(int) + np.eye(p, dtype=int), p) - np.eye(p)) > 0:
            yield adjacency


def two_rows(adjacency: np.ndarray, names: tuple[str, ...], varying: tuple[str, ...] | None = None) -> Oracle:
    """Return separation in the graph of two rows of a group, each column with a latent that both share."""
    edges = [(f"{names[i]}@{row}", f"{names[k]}@{row}") for i, k in np.argwhere(adjacency) for row in (1, 2)]
    edges += [(f"latent {name}", f"{name}@{row}") for name in (varying or names) for row in (1, 2)]
    seen = [f"{name}@{row}" for row in (1, 2) for name in names]
    return Oracle(Graph.from_edges(edges, names=[*seen, *(f"latent {name}" for name in names)]), seen)


def learned(oracle: Oracle, names: tuple[str, ...]) -> tuple[set, set, tuple]:
    ask = Asked(oracle)
    levels = find_levels(ask, names, 0.5, np.zeros((len(names), len(names)), dtype=bool))
    edges = find_edges(ask, levels, 0.5)
    assert not levels.doubtful
    return set(edges.directed), set(edges.undirected), levels.levels


@pytest.mark.parametrize("p", [2, 3])
def test_every_graph_is_found_from_exact_answers(p):
    names = tuple("ABC"[:p])
    graphs = list(all_dags(p))
    assert len(graphs) == {2: 3, 3: 25}[p]  # the numbers of labelled acyclic graphs
    for adjacency in graphs:
        directed, undirected, _ = learned(two_rows(adjacency, names), names)
        assert directed == {(names[i], names[k]) for i, k in np.argwhere(adjacency)}
        assert not undirected


@pytest.mark.parametrize("seed", range(12))
def test_larger_graphs_are_found_from_exact_answers(seed):
    adjacency = simulate.random_dag(6, degree=1.0 + seed % 4, random_state=seed)
    names = tuple("ABCDEF")
    directed, undirected, levels = learned(two_rows(adjacency, names), names)
    assert directed == {(names[i], names[k]) for i, k in np.argwhere(adjacency)}
    assert not undirected
    height = {name: place for place, level in enumerate(levels) for name in level}
    assert all(height[cause] > height[effect] for cause, effect in directed)


def test_the_mechanisms_that_differ_are_named_from_exact_answers():
    adjacency = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
    ask = Asked(two_rows(adjacency, tuple("ABC"), varying=("B",)))
    assert mechanisms(ask, {"A": (), "B": ("A",), "C": ("B",)}) == {"A": 1.0, "B": 0.0, "C": 1.0}
    assert variation(ask, tuple("ABC"))[1] == {"A": 1.0, "B": 0.0, "C": 0.0}


def test_rows_that_are_independent_do_not_differ():
    adjacency = np.array([[0, 1], [0, 0]], dtype=bool)
    edges = [("A@1", "B@1"), ("A@2", "B@2")]
    rows = Oracle(Graph.from_edges(edges, names=["A@1", "B@1", "A@2", "B@2"]))
    assert variation(Asked(rows), ("A", "B"))[0] > 0.5
    assert variation(Asked(two_rows(adjacency, ("A", "B"), varying=("B",))), ("A", "B"))[0] < 1e-6


def test_a_sink_whose_mechanism_does_not_differ_is_not_taken_for_an_effect():
    # Of A -> B -> C only C differs. A passes for a sink, as nothing links its row to the other; A and B stay open.
    directed, undirected, _ = learned(
        two_rows(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool), tuple("ABC"), varying=("C",)), tuple("ABC")
    )
    assert (directed, {frozenset(pair) for pair in undirected}) == ({("B", "C")}, {frozenset("AB")})


@pytest.mark.parametrize("seed", range(30))
def test_no_direction_is_wrong_where_only_some_mechanisms_differ(seed):
    rng = np.random.default_rng(seed)
    names = tuple("ABCD")
    adjacency = simulate.random_dag(4, degree=2.0, random_state=seed)
    varying = tuple(name for name in names if rng.random() < 0.5) or ("A",)
    directed, undirected, _ = learned(two_rows(adjacency, names, varying), names)
    true = {(names[i], names[k]) for i, k in np.argwhere(adjacency)}
    assert directed <= true
    assert true <= directed | undirected | {(b, a) for a, b in undirected}


def test_levels_keep_to_what_must_come_before():
    names = tuple("ABC")
    before = np.zeros((3, 3), dtype=bool)
    before[2, 0] = True  # C before A, against the truth A -> B -> C
    ask = Asked(two_rows(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool), names))
    levels = find_levels(ask, names, 0.5, before)
    height = {name: place for place, level in enumerate(levels.levels) for name in level}
    assert height["C"] > height["A"]
    assert levels.doubtful


@pytest.mark.parametrize(
    ("p_values", "verdict"),
    [
        ((0.5, 1e-6, 1e-9), "forward"),
        ((1e-6, 0.5, 1e-9), "backward"),
        ((0.5, 0.4, 0.3), "none"),
        ((0.5, 0.03, 0.3), "none"),  # one of three below 0.05 is chance
        ((0.5, 0.4, 1e-9), "undecided"),  # an edge, and nothing against either direction
        ((1e-9, 1e-6, 1e-9), "undecided"),  # both directions rejected
        ((0.06, 0.04, 1e-9), "undecided"),  # either side of the level, and no difference
        ((0.02, 1e-6, 1e-9), "forward"),  # one in fifty against what is kept, one in a million against the other
        ((0.5, 1e-6, 0.4), "forward"),  # a relation that is flat within a row
        ((np.nan, 1e-6, 1e-9), "undecided"),
        ((np.nan, np.nan, np.nan), "none"),
    ],
)
def test_the_verdict_on_two_columns(p_values, verdict):
    assert pair_verdict(p_values, 0.05) == verdict


def test_no_direction_where_mechanisms_do_not_differ():
    assert pair_verdict((0.5, 1e-6, 1e-9), 0.05, varies=False) == "undecided"
    assert pair_verdict((0.5, 0.4, 0.3), 0.05, varies=False) == "none"


# ---- the theorem on a table in closed form -------------------------------------------------------------------


def test_the_theorem_holds_on_a_table_in_closed_form():
    paper = import_module("reproductions.45_definetti")
    table = paper.exact_table()
    assert table.sum() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(table, table.transpose(2, 3, 0, 1), atol=1e-15)
    assert abs(paper.information(table, "X1", "Y2", "X2")) < 1e-12
    assert paper.information(table, "Y1", "X2", "Y2") == pytest.approx(8.05e-4, abs=1e-6)
    # The integrals themselves, by quadrature of the densities 3 (1 - t)^2 and 3 t^2.
    t, weight = np.polynomial.legendre.leggauss(20)
    t, weight = (t + 1) / 2, weight / 2
    low, high = 3 * (1 - t) ** 2 * weight, 3 * t**2 * weight
    one = [low @ t, high @ t]  # P(y = 1) at x = 0 and at x = 1
    assert table[1, 1, 1, 1] == pytest.approx((low @ t**2) * (high @ t**2), rel=1e-12)
    assert table[1, 1, 0, 1] == pytest.approx((low @ (t * (1 - t))) * one[1] * one[0], rel=1e-12)


# ---- pairings and the combination of p-values ----------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "count"), [([2, 2, 2], 2), ([5, 5, 4], 4), ([40, 40, 40], 10)])
def test_pairings_take_two_rows_of_each_group_and_use_all_rows_before_any_twice(sizes, count):
    start = np.concatenate([[0], np.cumsum(sizes)])
    drawn = draw_pairings(start, None, 0)
    assert len(drawn) == count
    for first, second in drawn:
        assert np.all((first >= start[:-1]) & (first < start[1:]))
        assert np.all((second >= start[:-1]) & (second < start[1:]))
        assert np.all(first != second)
    np.testing.assert_array_equal(drawn[0], drawn[1][::-1])  # both orders
    for group, size in enumerate(sizes):
        used = [pair[side][group] for pair in drawn[::2] for side in (0, 1)]
        assert len(set(used)) == min(size, len(used)) or size % 2
    assert len(draw_pairings(start, 3, 0)) == 3


def test_combined_p_values_by_hand():
    same = np.array([[0.01, 0.2, 0.9], [0.01, 0.2, 0.9]])
    np.testing.assert_allclose(combine(same), same[0], rtol=1e-12)
    # cot(pi / 4) = 1 and cot(pi / 2) = 0 average to 1/2, whose arc cotangent is atan(2).
    np.testing.assert_allclose(combine(np.array([[0.25], [0.5]])), [np.arctan(2) / np.pi], rtol=1e-12)
    np.testing.assert_allclose(combine(np.array([[1e-200], [0.5]])), [2e-200], rtol=1e-9)
    assert combine(np.array([[1e-4], [1.0]]))[0] < 2.1e-4  # one near 1 does not outweigh all others
    np.testing.assert_allclose(combine(np.array([[np.nan, np.nan], [0.03, np.nan]])), [0.03, np.nan])


@pytest.mark.parametrize(("rows", "pairings"), [(2, None), (2, 1), (6, None)])
def test_p_values_keep_their_level_whatever_the_pairings(rows, pairings):
    found = []
    for seed in range(250):
        drawn = simulate.exchangeable_scm(PAIR, 100, rows, mechanism="shift", random_state=seed)
        test = ExchangeableTest(drawn.data, group="group", test="fisher-z", pairings=pairings)
        found.append(test("dose@1", "cure@2", ["dose@2"]).p_value)
    found = np.array(found)
    for level in (0.01, 0.05, 0.2):
        assert np.mean(found < level) < level + 3 * np.sqrt(level * (1 - level) / 250)
    assert np.median(found) > 0.4


def test_rows_of_a_group_are_not_counted_as_independent():
    # All 20 rows of a group hold the same values up to a little noise: 40 independent groups, not 800 rows.
    below = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = (np.repeat(rng.normal(size=40), 20) + 0.1 * rng.normal(size=800) for _ in range(2))
        test = ExchangeableTest({"x": x, "y": y, "site": np.repeat(np.arange(40), 20)}, group="site", test="fisher-z")
        assert test.rows_used == 40
        below += test("x@1", "y@1").p_value < 0.05
    assert below <= 8


# ---- the search ----------------------------------------------------------------------------------------------


def chain(n: int = 6000, seed: int = 0, rows: int = 2, **settings):
    edges = [("age", "dose"), ("dose", "cure")]
    return simulate.exchangeable_scm(edges, n, rows, mechanism="xor", random_state=seed, **settings).data


def search(**settings) -> CausalDeFinetti:
    return CausalDeFinetti(**{"group": "group", **settings})


def record(result) -> dict:
    return {key: value for key, value in result.to_dict().items() if key != "seconds"}


def listed(result) -> set[str]:
    return {str(edge) for edge in result.graph.edges()}


def test_a_chain_of_categories_is_directed_which_no_search_of_rows_can():
    results = [search().fit(chain(20_000, seed)) for seed in range(6)]
    exact = [found for found in results if listed(found) == {"age -> dose", "dose -> cure"}]
    assert len(exact) >= 5
    found = exact[0]
    assert (found.method, found.graph.kind, found.rows_used) == ("definetti", "DAG", 40_000)
    assert found.details["levels"] == [["cure"], ["dose"], ["age"]]
    assert found.details["groups_differ"] < 1e-20
    assert max(found.details["mechanisms_differ"].values()) < 1e-6
    assert (found.details["groups"], found.details["verdict"]) == (20_000, "directed")
    assert found.parameters["pairings"] == 2
    assert found.parameters["alpha_rule"].startswith("0.05 for two")
    assert [(e.source, e.target) for e in found.evidence] == [(e.source, e.target) for e in found.graph.edges()]
    assert all(item.p_value < 1e-6 for item in found.evidence)
    assert "age@1 and cure@2 given cure@1, dose@1" in found.details["tests"]


def test_numbers_are_directed_by_their_ranks():
    right = 0
    for seed in range(6):
        names = ("dose", "cure") if seed % 2 else ("cure", "dose")
        drawn = simulate.exchangeable_scm([names], 800, random_state=seed)
        right += search().fit(drawn.data).details["verdict"] == " -> ".join(names)
    assert right >= 5


def test_more_rows_in_each_group_help():
    right = {}
    for rows in (2, 8):
        drawn = [simulate.exchangeable_scm(PAIR, 300, rows, mechanism="shift", random_state=seed) for seed in range(20)]
        verdicts = [search(test="fisher-z").fit(one.data).details["verdict"] for one in drawn]
        assert verdicts.count("cure -> dose") <= 1
        right[rows] = verdicts.count("dose -> cure")
    assert right[8] >= right[2] >= 12
    assert right[8] >= 16


def test_numbers_and_categories_go_together():
    rng = np.random.default_rng(0)
    dose = rng.random((1000, 2)) < rng.beta(0.5, 0.5, (1000, 1))
    cure = 2.0 * dose + 1.5 * rng.normal(size=(1000, 1)) + rng.normal(size=(1000, 2))
    table = {
        "dose": np.where(dose.ravel(), "some", "none"),
        "cure": cure.ravel(),
        "site": np.repeat(np.arange(1000), 2),
    }
    third = {**table, "dose": np.where(rng.random(2000) < 0.01, "lots", table["dose"])}
    for columns in (table, third):  # a binary column, and one of three categories
        found = search(group="site").fit(columns)
        assert found.details["verdict"] == "dose -> cure"
        assert found.parameters["test"] == "rcot"


def test_no_edge_and_an_edge_without_groups_that_differ():
    apart = np.zeros((2, 2), dtype=bool)
    none = search().fit(simulate.exchangeable_scm(apart, 2000, mechanism="xor", random_state=0).data)
    assert (none.details["verdict"], none.graph.edges()) == ("none", ())
    alike = simulate.exchangeable_scm(PAIR, 2000, mechanism="xor", latents="constant", random_state=0).data
    found = search().fit(alike)
    assert (found.details["verdict"], listed(found), found.graph.kind) == ("undecided", {"dose --- cure"}, "PDAG")
    assert "groups do not differ" in " ".join(found.warnings)


def test_rows_alike_in_all_groups_give_the_class_of_one_row_a_group():
    found = search().fit(chain(latents="constant"))
    assert listed(found) == {"age --- dose", "dose --- cure"}
    assert found.details["verdict"] == "undecided"
    assert "the class that PC finds" in " ".join(found.warnings)


def test_an_undecided_pair_says_what_it_leans_to():
    found = [
        search(test="fisher-z").fit(simulate.exchangeable_scm(PAIR, 100, mechanism="shift", random_state=seed).data)
        for seed in range(30)
    ]
    leaning = [one.details["leaning"] for one in found if one.details["verdict"] == "undecided"]
    assert set(leaning) <= {"dose -> cure", "cure -> dose", None}
    assert leaning.count("dose -> cure") > leaning.count("cure -> dose") > 0
    assert all(one.details["leaning"] is None for one in found if one.details["verdict"] != "undecided")


def test_latents_that_go_together_reject_both_directions():
    drawn = simulate.exchangeable_scm(PAIR, 1000, mechanism="shift", latents="shared", random_state=0)
    found = search(test="fisher-z").fit(drawn.data)
    assert (found.details["verdict"], found.graph.kind) == ("undecided", "PDAG")
    assert "Both directions are rejected" in found.warnings[0]


def test_knowledge_is_kept_to():
    data = chain(10_000)
    found = search(knowledge=Knowledge(forbidden=["dose -> cure"])).fit(data)
    assert "dose -> cure" not in listed(found)
    found = search(knowledge=Knowledge(required=["cure -> age"])).fit(data)
    assert "cure -> age" in listed(found)
    assert found.graph.is_acyclic()
    found = search(knowledge=Knowledge(tiers=[["cure"], ["dose"], ["age"]])).fit(data)
    assert not {"age -> dose", "dose -> cure", "age -> cure"} & listed(found)
    alike = chain(latents="constant")
    found = search(knowledge=Knowledge(tiers=[["age"], ["dose"], ["cure"]])).fit(alike)
    assert listed(found) == {"age -> dose", "dose -> cure"}
    pair = simulate.exchangeable_scm(PAIR, 2000, mechanism="xor", latents="constant", random_state=0).data
    assert listed(search(knowledge=Knowledge(roots=["cure"])).fit(pair)) == {"cure -> dose"}
    with pytest.raises(GraphError, match="'site'"):
        search(knowledge=Knowledge(required=["cure -> site"])).fit(data)


# ---- what every search must do, on tables of groups ----------------------------------------------------------


@pytest.fixture(scope="module", params=["categories", "numbers"])
def columns(request):
    if request.param == "numbers":
        drawn = simulate.exchangeable_scm([("a", "b"), ("b", "c")], 300, mechanism="shift", random_state=0)
        return dict(zip(drawn.observed, drawn.values.T))
    drawn = simulate.exchangeable_scm([("a", "b"), ("b", "c")], 3000, mechanism="xor", random_state=0)
    words = {name: np.where(column > 0, "yes", "no") for name, column in zip("abc", drawn.values.T)}
    return {**words, "group": drawn.values[:, 3].astype(int)}


def test_the_same_table_gives_the_same_result_as_json_and_after_pickling(columns):
    found = search().fit(columns)
    assert record(search().fit(columns)) == record(found)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    again = pickle.loads(pickle.dumps(search())).fit(columns)
    assert record(again) == record(found)
    assert record(pickle.loads(pickle.dumps(found))) == record(found)
    assert "definetti" in repr(found)
    assert found.graph.names == ("a", "b", "c")


def test_order_of_columns_names_of_groups_and_units_do_not_matter(columns):
    expected = search().fit(columns).graph
    for changed in (
        dict(reversed(columns.items())),
        {**columns, "group": np.array([f"site {int(g)}" for g in columns["group"]])},
        {name: v if v.dtype.kind in "Ui" or name == "group" else 1000 * v + 7 for name, v in columns.items()},
    ):
        found = search().fit(changed).graph
        np.testing.assert_array_equal(found.subgraph(expected.names).marks, expected.marks)


def test_every_library_gives_the_same_graph_and_the_input_stays(columns, tmp_path):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pd.DataFrame(columns)
    before = frame.copy(deep=True)
    frame.to_parquet(tmp_path / "table.parquet")
    expected = search().fit(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert isinstance(expected.table(), pd.DataFrame)
    tables = (pl.DataFrame(frame.to_dict("list")), str(tmp_path / "table.parquet"))
    for table in (*tables, read(str(tmp_path / "table.parquet"), lazy=True)):
        found = search().fit(table)
        np.testing.assert_array_equal(found.graph.marks, expected.graph.marks)


def test_the_group_may_be_a_role(columns):
    expected = search().fit(columns)
    for role in ("domain", "unit"):
        found = CausalDeFinetti().fit(read(columns, roles={role: "group"}))
        assert record(found) == record(expected)


def test_incomplete_rows_and_single_rows_are_left_out_and_counted(columns):
    holes = np.arange(len(columns["group"])) < 5  # two whole groups, and one row of the third
    blank = None if columns["a"].dtype.kind == "U" else np.nan
    found = search().fit({**columns, "a": np.where(holes, blank, columns["a"])})
    n = len(columns["group"])
    assert f"5 of {n:,} rows" in found.warnings[0]
    assert "1 groups of 'group' have a single complete row" in found.warnings[1]
    assert (found.rows_used, found.details["groups"]) == (n - 6, n // 2 - 3)
    homeless = search().fit({**columns, "group": np.where(holes, np.nan, columns["group"])})
    assert "5 rows without a value of 'group'" in homeless.warnings[0]


# ---- errors that say what to do ------------------------------------------------------------------------------


def refused(data, **settings) -> DataError:
    with pytest.raises(DataError) as caught:
        CausalDeFinetti(**settings).fit(data)
    return caught.value


def test_no_group_column_is_an_error_that_names_the_ways_to_give_it(columns):
    error = refused(columns)
    assert error.code == "E350"
    assert "group='site'" in str(error)
    assert "domain" in str(error)
    absent = refused(columns, group="sight")
    assert (absent.code, "'sight'" in str(absent)) == ("E123", True)


def test_groups_of_one_row_and_few_groups_are_errors_with_a_remedy(columns):
    n = len(columns["group"])
    single = refused({**columns, "group": np.arange(n)}, group="group")
    assert single.code == "E351"
    assert "coarser" in single.remedy
    few = refused({**columns, "group": np.arange(n) % 7}, group="group")
    assert few.code == "E352"
    assert "7 groups" in few.problem
    assert "300" in few.problem


def test_the_bootstrap_of_rows_is_refused():
    with pytest.raises(ParameterError, match="one by one"):
        bootstrap(search(), chain(100), draws=2)


def test_few_groups_are_warned_of():
    found = search(test="fisher-z").fit(simulate.exchangeable_scm(PAIR, 60, mechanism="shift", random_state=0).data)
    assert "60 groups are few" in found.warnings[0]


def test_constant_copied_and_single_columns_are_errors_that_name_them(columns):
    flat = np.full(len(columns["group"]), "same") if columns["a"].dtype.kind == "U" else np.ones(len(columns["group"]))
    assert "'flat'" in str(refused({**columns, "flat": flat}, group="group"))
    assert "'copy'" in str(refused({**columns, "copy": columns["b"]}, group="group"))
    assert "two columns" in str(refused({"a": columns["a"], "group": columns["group"]}, group="group"))


@pytest.mark.parametrize(
    "settings", [{"alpha": 1.5}, {"pairings": 0}, {"pairings": 1.5}, {"random_state": -1}, {"test": "kendall"}]
)
def test_settings_out_of_range_are_errors(settings, columns):
    with pytest.raises(ParameterError):
        search(**settings).fit(columns)


def test_a_test_that_does_not_take_the_columns_is_an_error(columns):
    wrong = "rcot" if columns["a"].dtype.kind == "U" else "g-square"
    with pytest.raises(ParameterError, match=f"'{wrong}'"):
        search(test=wrong).fit(columns)


def test_a_class_of_tests_may_be_given():
    data = simulate.exchangeable_scm(PAIR, 400, mechanism="shift", random_state=0).data
    assert search(test=FisherZ).fit(data).details["p_values"] == search(test="fisher-z").fit(data).details["p_values"]


def test_tables_too_fine_for_the_groups_are_said():
    rng = np.random.default_rng(0)
    theta = np.repeat(rng.integers(0, 6, (60, 3)), 2, axis=0)
    codes = np.where(rng.random((120, 3)) < 0.7, theta, rng.integers(0, 6, (120, 3)))
    table = {name: np.array([f"v{c}" for c in column]) for name, column in zip("abc", codes.T)}
    found = search(group="site").fit({**table, "site": np.repeat(np.arange(60), 2)})
    assert "tests could not be made" in " ".join(found.warnings)
    assert all(edge.mark_target != Mark.ARROW for edge in found.graph.edges())
