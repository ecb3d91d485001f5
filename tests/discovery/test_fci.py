"""FCI and RFCI against the true class under hidden causes and selection, hand cases, knowledge, limits, invariances."""

from __future__ import annotations

import numpy as np
import pytest

from tests.discovery.truth_pag import (
    ARROW,
    CIRCLE,
    TAIL,
    Partly,
    above,
    confounded_case,
    mag_of,
    pag_of,
    random_case,
    unproven,
)
from whence.data import read, simulate
from whence.discovery import FCI, RFCI
from whence.errors import DataError, ParameterError
from whence.graph import Graph, Knowledge
from whence.independence import FisherZ, Oracle


def small_case(seed: int, selection: bool) -> tuple[Graph, list[str], list[str]]:
    rng = np.random.default_rng(seed)
    measured = int(rng.integers(3, 5 if selection else 6))
    return random_case(seed, measured, int(rng.integers(1, 4)), int(rng.integers(1, 3)) if selection else 0)


def large_case(seed: int) -> tuple[Graph, list[str], list[str]]:
    rng = np.random.default_rng(seed)
    measured = int(rng.integers(5, 13))
    if seed % 2:
        return confounded_case(seed, measured, int(rng.integers(measured // 2, measured)))
    return random_case(seed, measured, int(rng.integers(1, 7)), degree=3.0)


def check_against_the_class(cases: range, selection: bool) -> None:
    for case in cases:
        dag, names, selected = small_case(case, selection)
        oracle = Partly(dag, names, selected)
        truth, _ = pag_of(mag_of(dag, names, selected), selection=selection)
        for settings in ({"collider": "majority"}, {"collider": "sepset"}):
            found = FCI(test=oracle, selection=selection, **settings).fit()
            np.testing.assert_array_equal(found.graph.marks, truth, err_msg=f"case {case}")
            assert found.graph.kind == "PAG"
            assert found.details["consistent"]
            assert not found.warnings
            for (a, b), given in found.separating_sets.items():
                assert dag.separated(a, b, {*given, *selected})


@pytest.mark.parametrize(("selection", "cases"), [(False, 40), (True, 40)])
def test_with_an_oracle_the_true_class_is_found(selection, cases):
    check_against_the_class(range(cases), selection)


@pytest.mark.slow
@pytest.mark.parametrize("selection", [False, True])
def test_with_an_oracle_the_true_class_is_found_300_times(selection):
    check_against_the_class(range(1000, 1300), selection)


def check_marks_against_ancestors(graph: Graph, dag: Graph, names: list[str]) -> None:
    """Assert that arrowheads stand where there is no cause, tails where there is one."""
    over = {name: above(dag, name, []) for name in names}
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            assert graph.marks[i, j] != ARROW or b not in over[a]
            assert graph.marks[i, j] != TAIL or b in over[a]


def check_larger(cases: range) -> tuple[int, int]:
    """Check marks and edges; return how often RFCI is FCI, and how often every circle was proven to be one."""
    alike = proven = 0
    for case in cases:
        dag, names, _ = large_case(case)
        oracle, mag = Partly(dag, names, []), mag_of(dag, names, [])
        full, quick = FCI(test=oracle).fit(), RFCI(test=oracle).fit()
        np.testing.assert_array_equal(full.graph.marks != 0, mag.marks != 0)
        assert ((full.graph.marks == mag.marks) | (full.graph.marks == CIRCLE))[mag.marks != 0].all()
        assert full.details["consistent"]
        assert not full.warnings
        assert not quick.warnings
        assert (quick.graph.marks != 0)[mag.marks != 0].all()
        check_marks_against_ancestors(quick.graph, dag, names)
        alike += np.array_equal(full.graph.marks, quick.graph.marks)
        proven += not unproven(mag, full.graph.marks, most=200)
    return alike, proven


def test_larger_graphs_are_sound_and_rfci_is_mostly_the_same(record_property):
    alike, proven = check_larger(range(16))
    record_property("RFCI is FCI, all circles proven", f"{alike}, {proven} of 16")
    assert alike >= 14
    assert proven >= 15  # a witness for every circle; dense classes are too large to search


@pytest.mark.slow
def test_larger_graphs_are_sound_300_times():
    alike, proven = check_larger(range(1000, 1300))
    assert alike >= 270
    assert proven >= 240


# x and y are separated by {a, c, u, v} alone: v is not joined to x, u not to y.
NEEDS_MORE = Graph.from_edges(
    ["x <-> a", "a <-> v", "v -> y", "a -> y", "y <-> c", "c <-> u", "u -> x", "c -> x"], kind="ADMG"
)


def test_fci_finds_separating_sets_that_are_no_neighbours_and_rfci_leaves_the_edge():
    full, quick = FCI(test=Oracle(NEEDS_MORE)).fit(), RFCI(test=Oracle(NEEDS_MORE)).fit()
    assert full.separating_sets["x", "y"] == ("a", "v", "c", "u")
    assert full.details["possible_d_sep_removed"] == 1
    assert full.graph.edge("x", "y") is None
    assert quick.graph.edge("x", "y") is not None
    assert len(quick.graph.edges()) == len(full.graph.edges()) + 1


def test_rfci_removes_what_its_checks_separate():
    dag, names, _ = confounded_case(59, *_sizes(59))
    found = RFCI(test=Partly(dag, names, [])).fit()
    assert found.details["checks_removed"] == 1
    np.testing.assert_array_equal(found.graph.marks != 0, mag_of(dag, names, []).marks != 0)


def _sizes(seed: int) -> tuple[int, int]:
    rng = np.random.default_rng(seed)
    measured = int(rng.integers(5, 11))
    return measured, int(rng.integers(measured // 2, measured + 2))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_possible_d_sep": 2}, "max_possible_d_sep = 2 left"),
        ({"max_depth": 1}, "max_depth = 1 left larger sets"),
    ],
)
def test_a_limit_that_cuts_something_is_said(settings, said):
    found = FCI(test=Oracle(NEEDS_MORE), **settings).fit()
    assert any(said in warning for warning in found.warnings)
    assert found.graph.edge("x", "y") is not None


def test_a_limit_that_cuts_nothing_is_silent():
    limits = {"max_possible_d_sep": 5, "max_depth": 4, "max_path_length": 10}
    assert not FCI(test=Oracle(NEEDS_MORE), **limits).fit().warnings


@pytest.mark.parametrize("search", [FCI, RFCI])
def test_a_longest_path_is_kept_to_and_said(search):
    # e *-> d <-> a <-> b with d and a parents of c: only the whole path discriminates for b.
    truth = Graph.from_edges(["e -> d", "d <-> a", "a <-> b", "d -> c", "a -> c", "b -> c"], kind="ADMG")
    assert str(search(test=Oracle(truth)).fit().graph.edge("b", "c")) == "b -> c"
    cut = search(test=Oracle(truth), max_path_length=3).fit()
    assert str(cut.graph.edge("b", "c")) == "b o-> c"
    assert any("max_path_length = 3" in warning for warning in cut.warnings)


def rows(seed: int, p: int = 9, n: int = 400) -> np.ndarray:
    """Return rows of a linear model of which two causes are not measured."""
    return simulate.linear_scm(p + 2, n, degree=3.0, weights=(0.3, 0.9), random_state=seed).values[:, 2:]


class Uncompiled:
    """A test that the search does not know, so that it takes the plain way."""

    def __init__(self, test):
        self.test, self.names, self.rows_used = test, test.names, test.rows_used

    def __call__(self, x, y, given=()):
        return self.test(x, y, given)


@pytest.mark.parametrize("search", [FCI, RFCI])
@pytest.mark.parametrize("seed", range(3))
def test_a_test_object_gives_the_same_result_as_the_data(search, seed):
    data = read(rows(seed))
    plain, compiled = search(test=Uncompiled(FisherZ(data)), alpha=0.01).fit(), search(alpha=0.01).fit(data)
    np.testing.assert_array_equal(plain.graph.marks, compiled.graph.marks)
    assert dict(plain.separating_sets) == dict(compiled.separating_sets)
    assert [e.p_value for e in plain.evidence] == pytest.approx([e.p_value for e in compiled.evidence], rel=1e-6)


@pytest.mark.parametrize("search", [FCI, RFCI])
@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_the_columns_does_not_matter(search, seed):
    data = read(rows(seed))
    shuffled = data.select([data.names[k] for k in np.random.default_rng(seed).permutation(9)])
    one, other = search(alpha=0.05).fit(data), search(alpha=0.05).fit(shuffled)
    np.testing.assert_array_equal(one.graph.subgraph(other.graph.names).marks, other.graph.marks)


def test_contradictory_tests_give_no_cycle_and_a_warning():
    said = 0
    for seed in range(25):
        for search in (FCI(alpha=0.2), FCI(alpha=0.2, collider="sepset"), RFCI(alpha=0.2)):
            found = search.fit(read(rows(seed, n=60)))  # a graph with a directed cycle is refused by Graph
            warned = any("no graph has exactly" in warning for warning in found.warnings)
            assert found.details["consistent"] != warned
            said += warned
    assert said


@pytest.mark.parametrize("search", [FCI, RFCI])
def test_true_knowledge_adds_true_marks(search):
    """Against the DAG: all marks true, and never fewer than without the knowledge."""
    gained = 0
    for case in range(8):
        dag, names, _ = large_case(case)
        oracle = Partly(dag, names, [])
        order = [name for name in dag.topological_order() if name in names]
        cut = len(order) // 2
        mag = mag_of(dag, names, [])
        edges = [edge for edge in mag.edges() if edge.is_directed]
        for known in (
            Knowledge(tiers=[order[:cut], order[cut:]]),
            Knowledge(required=[(edge.source, edge.target) for edge in edges[:2]]),
            Knowledge(forbidden=[(edge.target, edge.source) for edge in edges[:2]]),
            Knowledge(roots=order[:1], leaves=order[-1:]),
        ):
            plain, found = search(test=oracle).fit(), search(test=oracle, knowledge=known).fit()
            check_marks_against_ancestors(found.graph, dag, names)
            assert (mag.marks != 0)[found.graph.marks != 0].all() or search is RFCI
            assert (found.graph.marks != 0)[mag.marks != 0].all()
            both = (plain.graph.marks != 0) & (found.graph.marks != 0)
            assert not ((plain.graph.marks != CIRCLE) & (found.graph.marks == CIRCLE) & both).any()
            gained += int(((plain.graph.marks == CIRCLE) & (found.graph.marks != CIRCLE) & both).sum())
    assert gained > 20


def test_what_knowledge_says_by_hand():
    oracle = Oracle(Graph.from_edges(["a -> b"]))

    def edge(**known) -> str:
        return str(FCI(test=oracle, knowledge=Knowledge(**known)).fit().graph.edges()[0])

    assert edge() == "a o-o b"
    assert edge(required=["a -> b"]) == "a -> b"
    assert edge(forbidden=["b -> a"]) == edge(tiers=[["a"], ["b"]]) == edge(roots=["a"]) == "a o-> b"
    assert edge(forbidden=["a -> b", "b -> a"]) == "a <-> b"
    assert (
        FCI(test=Oracle(Graph.from_edges([], names="ab")), knowledge=Knowledge(required=["a -> b"]))
        .fit()
        .graph.edge("a", "b")
    )


def test_columns_known_to_be_later_are_not_given():
    """A common effect of both, joined to both, is never conditioned on; a column between the two is."""
    truth = Graph.from_edges(["a -> m", "m -> b", "a -> late", "b -> late"])
    asked = []

    class Asking(Oracle):
        def __call__(self, x, y, given=()):
            asked.append((x, y, tuple(given)))
            return super().__call__(x, y, given)

    FCI(test=Asking(truth), knowledge=Knowledge(tiers=[["a", "m", "b"], ["late"]])).fit()
    assert ("a", "b", ("m",)) in asked
    assert not any("late" in given for x, y, given in asked)


def test_a_hidden_cause_is_told_from_a_cause():
    rng = np.random.default_rng(0)
    n = 4000
    site, habit, age = rng.normal(size=(3, n))
    dose = site + rng.normal(size=n)
    pain = dose + habit + rng.normal(size=n)
    sleep = age + habit + rng.normal(size=n)
    for search in (FCI, RFCI):
        found = search().fit({"site": site, "dose": dose, "age": age, "pain": pain, "sleep": sleep})
        assert {str(e) for e in found.graph.edges()} == {
            "site o-o dose",
            "dose o-> pain",
            "age o-> sleep",
            "pain <-> sleep",
        }
        assert [item.p_value < 1e-6 for item in found.evidence] == [True] * 4
        assert found.rows_used == n


def test_discrete_columns_are_searched_by_counts():
    rng = np.random.default_rng(1)
    rain, sprinkler = rng.random((2, 3000)) < 0.4
    wet = rng.random(3000) < np.where(rain | sprinkler, 0.9, 0.1)
    data = read({"rain": rain, "sprinkler": sprinkler, "wet": wet})
    for search in (FCI, RFCI):
        for test in ("auto", "g-square", "chi-square"):
            found = search(test=test, alpha=0.01).fit(data)
            assert [str(e) for e in found.graph.edges()] == ["rain o-> wet", "sprinkler o-> wet"]


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"alpha": 0}, "alpha is 0"),
        ({"test": "z"}, "'z'"),
        ({"max_depth": -1}, "-1"),
        ({"collider": "x"}, "'x'"),
        ({"max_possible_d_sep": -1}, "max_possible_d_sep is -1"),
        ({"max_path_length": 2}, "max_path_length is 2"),
    ],
)
def test_bad_settings_are_refused(settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        FCI(**settings)


def test_a_kind_of_column_that_does_not_fit_is_refused_by_the_name_of_the_search():
    rng = np.random.default_rng(0)
    table = {"when": np.arange(90).astype("datetime64[D]"), "age": rng.normal(size=90), "dose": rng.normal(size=90)}
    with pytest.raises(DataError, match="'when'"):
        RFCI().fit(table)
