"""CD-NOD against an oracle on random graphs with an index, simulated drifts and domains, and bad input."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import CDNOD, bootstrap, estimate_driving_force, independent_change_direction
from whence.discovery._cd_nod_changes import Index
from whence.discovery._cd_nod_directions import direct_by_changes
from whence.discovery._cd_nod_mechanisms import Comparison
from whence.discovery._cd_nod_search import GivenIndex, provenance, search
from whence.errors import DataError, GraphError, ParameterError
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import cpdag_of_dag, is_acyclic, meek
from whence.independence import Oracle
from whence.parallel import silent

FORMS = ("required", "forbidden", "tiers", "roots", "leaves")


def listed(result) -> set[str]:
    return {str(edge) for edge in result.graph.edges()}


def record(result) -> dict:
    return {key: value for key, value in result.to_dict().items() if key != "seconds"}


def phases_one_and_two(adjacency: np.ndarray, changing: np.ndarray):
    """Search from exact answers in a graph on p columns with the index last."""
    p = len(adjacency)
    whole = np.zeros((p + 1, p + 1), dtype=bool)
    whole[:p, :p], whole[p, :p] = adjacency, changing
    names = (*(f"v{k}" for k in range(p)), "index")
    edges = [(names[i], names[j]) for i, j in np.argwhere(whole)]
    test = GivenIndex(Oracle(Graph.from_edges(edges, names=names)), "index")
    forbidden = np.zeros_like(whole)
    forbidden[:p, p] = True
    return whole, search(test, 0.5, np.zeros_like(whole), forbidden, None)


# ---- phases 1 and 2, on exact answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(16))
def test_the_class_with_the_index_as_a_root_is_found_from_exact_answers(seed):
    rng = np.random.default_rng(seed)
    adjacency = simulate.random_dag(5, degree=1.0 + seed % 3, random_state=seed)
    whole, found = phases_one_and_two(adjacency, rng.random(5) < 0.5)
    expected = cpdag_of_dag(whole)
    changed = np.flatnonzero(whole[5])
    expected[5, changed], expected[changed, 5] = Mark.ARROW, Mark.TAIL
    np.testing.assert_array_equal(found.marks, meek(expected))


def test_an_edge_is_directed_by_invariance_where_one_end_changes():
    # a -> b and only b changes: b collides. a -> b and only a changes: b is separated from the index by a.
    for changing in ([False, True], [True, False]):
        _, found = phases_one_and_two(np.array([[0, 1], [0, 0]], dtype=bool), np.array(changing))
        assert (found.marks[0, 1], found.marks[1, 0]) == (Mark.ARROW, Mark.TAIL)
        settled = provenance(found.marks, np.zeros((3, 3), dtype=bool), set())
        assert settled[0, 1] == "invariance"
    _, both = phases_one_and_two(np.array([[0, 1], [0, 0]], dtype=bool), np.array([True, True]))
    assert both.marks[0, 1] == both.marks[1, 0] == Mark.TAIL
    assert provenance(both.marks, np.zeros((3, 3), dtype=bool), set())[0, 1] == "skeleton"


def test_every_separating_set_of_columns_holds_the_index():
    _, found = phases_one_and_two(
        simulate.random_dag(5, degree=2.0, random_state=1), np.array([True] * 3 + [False] * 2)
    )
    assert found.skeleton.sets
    for (_, j), given in found.skeleton.sets.items():
        assert (5 in given) == (j != 5)


# ---- phase 3, on exact answers -----------------------------------------------------------------------------------


@dataclass
class Known:
    """Dependence of changes as a true graph has it: least for a column given causes and none of its effects."""

    adjacency: np.ndarray
    names: tuple[str, ...]
    p_value: float = 0.0

    index = Index(np.arange(9.0), True, np.arange(9.0))

    def dependence(self, effect: str, causes: tuple[str, ...]) -> float:
        k = self.names.index(effect)
        wrong = [name for name in causes if self.adjacency[k, self.names.index(name)]]
        return 0.1 + 0.2 * len(wrong)

    def compare(self, way, other) -> Comparison:
        return Comparison(self.dependence(*way), self.dependence(*other), self.p_value, (), 9)


def open_clique(p: int) -> tuple[tuple[str, ...], np.ndarray]:
    names = (*(f"v{k}" for k in range(p)), "index")
    marks = np.full((p + 1, p + 1), np.int8(Mark.TAIL))
    np.fill_diagonal(marks, Mark.NONE)
    marks[p, :p] = Mark.ARROW
    return names, marks


@pytest.mark.parametrize("seed", range(6))
def test_sinks_are_taken_first_until_all_is_directed(seed):
    names, marks = open_clique(4)
    order = np.random.default_rng(seed).permutation(4)
    adjacency = np.zeros((4, 4), dtype=bool)
    for place, cause in enumerate(order):
        adjacency[cause, order[place + 1 :]] = True
    forbidden = np.zeros((5, 5), dtype=bool)
    found = direct_by_changes(marks, names, Known(adjacency, names), forbidden, 0.1, silent)
    np.testing.assert_array_equal((found.marks == Mark.ARROW)[:4, :4], adjacency)
    assert len(found.decisions) == 3
    assert all(one.decided for one in found.decisions)
    unclear = direct_by_changes(marks, names, Known(adjacency, names, p_value=0.5), forbidden, 0.1, silent)
    np.testing.assert_array_equal(unclear.marks, marks)
    assert [one.decided for one in unclear.decisions] == [False]
    assert "50%" in unclear.decisions[0].reason


def test_two_sinks_of_one_cause_are_both_found():
    # v0 <- v1 -> v2: neither end is better than the other, and both are better than the middle.
    names, marks = open_clique(3)
    marks[0, 2] = marks[2, 0] = Mark.NONE
    adjacency = np.zeros((3, 3), dtype=bool)
    adjacency[1, [0, 2]] = True
    found = direct_by_changes(marks, names, Known(adjacency, names), np.zeros((4, 4), dtype=bool), 0.1, silent)
    np.testing.assert_array_equal((found.marks == Mark.ARROW)[:3, :3], adjacency)


def test_knowledge_keeps_a_column_from_being_a_sink():
    names, marks = open_clique(3)
    adjacency = np.triu(np.ones((3, 3), dtype=bool), 1)
    forbidden = np.zeros((4, 4), dtype=bool)
    forbidden[0, 2] = True  # the true sink may not be one
    found = direct_by_changes(marks, names, Known(adjacency, names), forbidden, 0.1, silent)
    assert found.marks[0, 2] != Mark.ARROW
    assert found.decisions[0].effect == "v1"


# ---- tables ------------------------------------------------------------------------------------------------------


def test_a_drifting_chain_is_found_with_what_drives_it():
    exact = 0
    for seed in range(3):
        drawn = simulate.changing_chain(500, random_state=seed)
        found = CDNOD(index="time", phases=(1, 2, 3, 4) if seed == 2 else (1, 2)).fit(drawn.data)
        exact += listed(found) == {"x1 -> x2", "x2 -> x3", "x3 -> x4", "time -> x2", "time -> x4"}
    assert exact >= 2
    assert (found.method, found.graph.kind, found.rows_used) == ("cd-nod", "DAG", 500)
    assert found.graph.names == ("x1", "x2", "x3", "x4", "time")
    assert found.parameters["index_kind"] == "time"
    assert [(e.source, e.target) for e in found.evidence] == [(e.source, e.target) for e in found.graph.edges()]
    assert {e.provenance for e in found.evidence} == {"index", "invariance"}
    force = found.driving_force("x4")
    assert force.components.shape == (500, 3)
    assert abs(np.corrcoef(force.components[:, 0], drawn.drivers["x4"])[0, 1]) > 0.85
    shifts = found.mechanism_shifts().to_pydict()
    assert shifts["changes"] == [False, True, False, True]
    assert shifts["causes"] == ["", "x1", "x2", "x3"]
    tests = found.test_table().to_pydict()
    assert len(tests["p_value"]) == found.details["tests"]
    assert all("time" in given or "time" in (x, y) for x, y, given in zip(tests["x"], tests["y"], tests["given"]))
    with pytest.raises(ParameterError, match="'x1'"):
        found.driving_force("x1")


def test_domains_whose_differences_cancel_are_told_apart():
    exact = 0
    for seed in range(4):
        drawn = simulate.changing_forms(300, random_state=seed)
        found = CDNOD(index="domain", phases=(1, 2, 4) if seed == 3 else (1, 2)).fit(drawn.data)
        assert set(found.changing) >= set(drawn.shifted)
        exact += set(found.changing) == set(drawn.shifted)
    assert exact >= 3
    assert found.parameters["index_kind"] == "domain"
    assert str(found.graph.edge("x1", "x2")) == "x1 -> x2"
    assert found.driving_force("x3").components.shape == (2, 2)


def test_a_hidden_cause_that_follows_the_time_joins_nothing():
    drawn = simulate.changing_confounder(500, random_state=1)
    found = CDNOD(index="time", phases=(1, 2)).fit(drawn.data)
    assert listed(found) == {"time -> a", "time -> b", "b -> c"}
    assert not found.driving_forces


@pytest.mark.parametrize(("change", "least"), [("shift", 4), ("coefficient", 4), ("noise", 5)])
def test_directions_from_changes_between_domains(change, least):
    right = 0
    for seed in range(5):
        drawn = simulate.changing_pair(change, 600, n_domains=15, random_state=seed)
        found = independent_change_direction(drawn.data, "x", "y", index="domain", tune="fixed")
        assert found.verdict != "y -> x"
        right += found.leaning == "x -> y"
        assert found.margin >= 1
    assert right >= least


def test_directions_along_time_and_where_nothing_can_be_told():
    decided = []
    for seed in range(3):
        data = simulate.changing_pair("noise", random_state=seed).data
        decided.append(independent_change_direction(data, "x", "y", index="time").verdict)
    assert decided.count("x -> y") >= 2
    one, swapped = (independent_change_direction(data, *pair, index="time", tune="fixed") for pair in ("xy", "yx"))
    assert swapped.verdict == one.verdict
    assert (swapped.forward, swapped.backward) == (one.backward, one.forward)
    balanced = [simulate.changing_pair("balanced", random_state=seed).data for seed in range(3)]
    verdicts = [independent_change_direction(data, "x", "y", index="time", tune="fixed").verdict for data in balanced]
    assert verdicts.count("undecided") >= 2
    narrow = simulate.changing_pair("narrow", random_state=0).data
    found = independent_change_direction(narrow, "x", "y", index="time", tune="fixed")
    assert found.verdict == "undecided"
    assert "little of its range" in " ".join(found.warnings)


def test_changes_direct_an_edge_in_a_graph_and_say_so():
    drawn = simulate.changing_pair("coefficient", 1000, n_domains=20, random_state=0)
    found = CDNOD(index="domain").fit(drawn.data)
    assert listed(found) == {"x -> y", "domain -> x", "domain -> y"}
    settled = {(e.source, e.target): e.provenance for e in found.evidence}
    assert settled["x", "y"] == "changes"
    assert found.decisions[0].effect == "y"
    assert found.decisions[0].decided
    assert found.table().column("provenance").to_pylist() == [e.provenance for e in found.evidence]


def test_slow_drivers_and_few_domains_are_warned_of():
    slow = simulate.changing_pair("shift", 300, length=0.3, random_state=0)
    found = independent_change_direction(slow.data, "x", "y", index="time", tune="fixed")
    assert "crosses its mean" in " ".join(found.warnings)
    few = simulate.changing_pair("coefficient", 300, n_domains=3, random_state=0)
    found = independent_change_direction(few.data, "x", "y", index="domain", tune="fixed")
    assert found.verdict == "undecided"
    assert "domains" in " ".join(found.warnings)


@pytest.mark.parametrize("change", ["shift", "coefficient"])
def test_driving_forces_follow_the_truth(change):
    for seed in range(2):
        drawn = simulate.changing_pair(change, length=0.08, random_state=seed)
        found = estimate_driving_force(drawn.data, "y", ["x"], index="time")
        assert abs(np.corrcoef(found.components[:, 0], drawn.drivers["y"])[0, 1]) > 0.7
        assert found.eigenvalues[0] >= found.eigenvalues[1] >= found.eigenvalues[2] >= 0
        assert found.share.sum() <= 1 + 1e-9
    spec = found.plot().to_dict()
    assert spec["mark"]["type"] == "line"
    assert found.table().num_rows == 300
    by_domain = simulate.changing_pair(change, 300, n_domains=6, random_state=0).data
    bars = estimate_driving_force(by_domain, "y", ["x"], index="domain", tune="fixed").plot().to_dict()
    assert bars["mark"]["type"] == "bar"


# ---- the index ---------------------------------------------------------------------------------------------------


def chain(n: int = 200, **settings) -> dict[str, np.ndarray]:
    drawn = simulate.changing_chain(n, random_state=0, **settings)
    return dict(zip(drawn.observed, drawn.values.T))


def quick(**settings) -> CDNOD:
    return CDNOD(**{"index": "time", "phases": (1, 2), **settings})


def test_dates_numbers_and_roles_name_the_same_time():
    columns = chain()
    dates = np.datetime64("2020-01-01") + np.arange(200)
    expected = quick().fit(columns)
    for data in (
        {**columns, "time": dates},
        {**columns, "time": columns["time"] * 60 - 5},
        read({**columns, "time": dates.astype(str)}),
    ):
        assert listed(quick().fit(data)) == listed(expected)
    found = CDNOD(phases=(1, 2, 4)).fit(read({**columns, "time": dates}, roles={"time": "time"}))
    assert listed(found) == listed(expected)
    if found.changing:
        assert found.driving_force(found.changing[0]).places[0].year == 2020
        json.dumps(found.to_dict(), allow_nan=False)


def test_numbers_with_few_values_are_domains_unless_said_otherwise():
    drawn = simulate.changing_pair("shift", 400, n_domains=5, random_state=0)
    x, y, site = drawn.values.T
    found = quick(index="site").fit({"x": x, "y": y, "site": site})
    assert found.parameters["index_kind"] == "domain"
    assert "taken for domains" in " ".join(found.warnings)
    moved = quick(index="site").fit({"x": x, "y": y, "site": np.array(list("cadbe"))[site.astype(int)]})
    assert listed(found) == listed(moved)
    assert quick(index="site", index_kind="time").fit({"x": x, "y": y, "site": site}).parameters["index_kind"] == "time"


def test_bad_indices_are_errors_that_name_them():
    columns = chain()
    with pytest.raises(DataError, match="index='month'"):
        CDNOD().fit(columns)
    with pytest.raises(DataError, match="'tide'"):
        quick(index="tide").fit(columns)
    with pytest.raises(DataError, match="one domain"):
        quick(index="site").fit({**columns, "site": np.full(200, "north")})
    with pytest.raises(DataError, match="'south'"):
        quick(index="site").fit({**columns, "site": np.where(np.arange(200) < 4, "south", "north")})
    with pytest.raises(ParameterError, match="index_kind='domain'"):
        quick(index="site", index_kind="time").fit({**columns, "site": np.tile(["a", "b"], 100)})
    with pytest.raises(DataError, match=r"'copy'.*index"):
        quick().fit({**columns, "copy": 2 * columns["time"] + 1})
    with pytest.raises(DataError, match="complete rows"):
        quick().fit({name: values[:30] for name, values in columns.items()})
    with pytest.raises(ParameterError, match="phases"):
        CDNOD(phases=(1, 5))
    with pytest.raises(ParameterError, match="no test"):
        quick(test="guess").fit(columns)


def test_missing_values_are_left_out_and_counted():
    columns = chain(400)
    hole = np.arange(400) < 40
    found = quick().fit({**columns, "x1": np.where(hole, np.nan, columns["x1"])})
    assert found.rows_used == 360
    assert "40 of 400 rows" in " ".join(found.warnings)
    assert listed(found) == listed(quick().fit({name: values[40:] for name, values in columns.items()}))


# ---- what every search does --------------------------------------------------------------------------------------


def mixed(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    site = rng.integers(0, 3, 300)
    dose = rng.normal(size=300) + site
    level = np.where(dose + rng.normal(size=300) > 1, "high", "low")
    return {"dose": dose, "level": np.where(rng.random(300) < 0.1, "none", level), "site": np.array(list("abc"))[site]}


def test_numbers_and_categories_go_together():
    found = CDNOD(index="site").fit(mixed())
    assert found.graph.edge("dose", "level") is not None
    assert "dose" in found.changing


def test_neither_the_order_of_columns_nor_of_rows_matters():
    columns = chain(300)
    expected = CDNOD(index="time", tune="fixed").fit(columns)
    order = np.random.default_rng(0).permutation(300)
    shuffled = {name: columns[name][order] for name in ("x3", "time", "x1", "x4", "x2")}
    found = CDNOD(index="time", tune="fixed").fit(shuffled)
    assert found.graph.names == ("x3", "time", "x1", "x4", "x2")
    np.testing.assert_array_equal(found.graph.subgraph(expected.graph.names).marks, expected.graph.marks)


def test_the_result_is_json_survives_pickling_and_repeats():
    search_, data = CDNOD(index="site", tune="fixed"), mixed()
    found = search_.fit(data)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    assert record(pickle.loads(pickle.dumps(found))) == record(found)
    assert record(pickle.loads(pickle.dumps(search_)).fit(data)) == record(found)
    assert "changing along site" in repr(found)
    assert "<svg" in found._repr_html_()


@pytest.mark.parametrize("form", FORMS)
def test_knowledge_is_respected_and_the_graph_stays_acyclic(form):
    rng = np.random.default_rng(FORMS.index(form))
    for seed in range(4):
        drawn = simulate.domains_scm(5, 200, degree=2.5, n_domains=2, n_shifted=3, random_state=seed)
        names = [drawn.names[k] for k in rng.permutation(5)]
        pairs = [(names[0], names[2]), (names[1], names[3])]
        known = {
            "required": Knowledge(required=pairs),
            "forbidden": Knowledge(forbidden=[*pairs, (names[2], names[0])]),
            "tiers": Knowledge(tiers=[names[:2], names[2:4]]),
            "roots": Knowledge(roots=names[:2]),
            "leaves": Knowledge(leaves=names[:2]),
        }[form]
        found = CDNOD(index="domain", knowledge=known, tune="fixed", phases=(1, 2, 3)).fit(drawn.data)
        graph = found.graph.subgraph(drawn.names)
        required, forbidden = known.for_names(drawn.names)
        directed = (graph.marks == Mark.ARROW) & (graph.marks.T == Mark.TAIL)
        assert is_acyclic(directed)
        assert not (required & ~directed).any()
        open_edges = (graph.marks == Mark.TAIL) & (graph.marks.T == Mark.TAIL)
        assert not (forbidden & ~np.eye(5, dtype=bool) & (directed | open_edges)).any()


def test_knowledge_may_say_which_mechanism_changes_and_nothing_causes_the_index():
    columns = chain(300)
    stays = quick(knowledge=Knowledge(forbidden=["time -> x2"])).fit(columns)
    assert "x2" not in stays.changing
    moves = quick(knowledge=Knowledge(required=["time -> x1"])).fit(columns)
    assert "x1" in moves.changing
    with pytest.raises(ParameterError, match="nothing causes the index"):
        quick(knowledge=Knowledge(required=["x1 -> time"])).fit(columns)
    with pytest.raises(GraphError, match="'x9'"):
        quick(knowledge=Knowledge(forbidden=["x9 -> x1"])).fit(columns)


def test_any_seed_will_do_and_the_same_one_repeats():
    for seed in (3, np.random.default_rng(3)):
        assert listed(quick(random_state=seed).fit(chain(200)))
    data = simulate.changing_pair("shift", 300, n_domains=6, random_state=0).data
    settings = {"index": "domain", "tune": "fixed", "random_state": 5}
    one, two = (independent_change_direction(data, "x", "y", **settings) for _ in range(2))
    assert one == two
    with pytest.raises(ParameterError, match="seed"):
        CDNOD(random_state=-1)


def test_tests_by_name_and_by_class():
    columns = chain(200)
    for test in ("rcot", "kci", "residual-invariance"):
        assert quick(test=test).fit(columns).parameters["test"] == test


def test_progress_is_told_and_the_bootstrap_refuses():
    stages = []
    CDNOD(index="time", tune="fixed", progress=lambda stage, done, total: stages.append(stage)).fit(chain(200))
    assert "tests" in stages
    with pytest.raises(ParameterError, match="value of the index"):
        bootstrap(quick(), chain(200), draws=2)
