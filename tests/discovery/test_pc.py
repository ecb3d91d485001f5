"""PC against separation oracles, its own plain reference, hand cases and invariances."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from whence.data import Codes, Moments, read, simulate
from whence.discovery import PC
from whence.discovery._orient import ColliderRule, meek_beside
from whence.discovery._scan import DiscreteScanner, GaussianScanner, Neighbours, PlainScanner, no_mids
from whence.errors import DataError, ParameterError
from whence.graph import Graph, Mark
from whence.graph.orientation import meek
from whence.independence import ChiSquare, FisherZ, GSquare, Oracle, TestResult


def names(p: int) -> tuple[str, ...]:
    return tuple(f"X{k}" for k in range(p))


def draw(p: int, n: int = 1000, degree: float = 2.0, seed: int = 0) -> np.ndarray:
    return simulate.linear_scm(p, n, degree=degree, weights=(0.3, 0.9), random_state=seed).values


@pytest.mark.parametrize(
    ("rule", "cases"),
    [
        ("majority", 60),
        pytest.param("majority", 300, marks=pytest.mark.slow),
        ("sepset", 40),
        ("conservative", 40),
        ("max-p", 40),
    ],
)
def test_with_an_oracle_the_true_class_is_found(rule, cases):
    rng = np.random.default_rng(0)
    for case in range(cases):
        p = int(rng.integers(2, 31))
        dag = Graph.from_adjacency(
            names(p), simulate.random_dag(p, degree=float(rng.uniform(0.5, 3)), random_state=case)
        )
        found = PC(test=Oracle(dag), collider=rule).fit()
        np.testing.assert_array_equal(found.graph.marks, dag.to_cpdag().marks)
        assert found.graph.kind == "CPDAG"
        assert not found.warnings
        for (a, b), given in found.separating_sets.items():
            assert dag.separated(a, b, given)


def random_neighbours(p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Neighbours]:
    joined = np.triu(rng.random((p, p)) < 0.5, 1)
    joined |= joined.T
    pairs = np.argwhere(np.triu(np.ones((p, p), bool), 1)).astype(np.int64)
    start = np.arange(len(pairs) + 1) * (p - 2)
    mids = np.concatenate([[k for k in range(p) if k not in pair] for pair in pairs]).astype(np.int64)
    return pairs, joined, Neighbours(start.astype(np.int64), mids)


def same(found, expected) -> None:
    np.testing.assert_allclose(found.p_value, expected.p_value, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(found.statistic, expected.statistic, rtol=1e-9)
    for field in ("size", "separating", "containing"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))
    assert (found.tests, found.stopped) == (expected.tests, expected.stopped)
    every = list(range(len(found.size)))
    assert found.sets_of(every) == expected.sets_of(every)


class Told:
    """A test whose answers are written down: a p-value for each pair and set, 0 where none is given."""

    def __init__(self, names: str, answers: dict[tuple[str, str], float]) -> None:
        self.names, self.rows_used, self.answers = tuple(names), 100, answers

    def __call__(self, x: str, y: str, given=()) -> TestResult:
        p_value = self.answers.get((min(x, y) + max(x, y), "".join(sorted(given))), 0.0)
        return TestResult(p_value, 0.0, 100, None)


def test_collider_rules_on_contradicting_answers():
    # a - b - c - d; what separates a and c holds b in two of three sets, that with the largest p-value does not.
    answers = {("ac", ""): 0.9, ("ac", "b"): 0.3, ("ac", "bd"): 0.2, ("ad", ""): 0.5, ("bd", ""): 0.0, ("bd", "c"): 0.5}
    found = {rule: PC(test=Told("abcd", answers), alpha=0.1, collider=rule).fit() for rule in get_args(ColliderRule)}
    arrows = {rule: {str(edge) for edge in one.graph.edges()} for rule, one in found.items()}
    assert {"a -> b", "c -> b"} <= arrows["max-p"]
    assert {"a -> b", "c -> b"} <= arrows["sepset"]
    assert "a --- b" in arrows["majority"]
    assert found["conservative"].details["ambiguous_triples"] == [("a", "b", "c")]
    assert arrows["conservative"] == {"a --- b", "b --- c", "c --- d"}
    assert "ambiguous" in found["conservative"].warnings[-1]


def test_meeks_rules_beside_ambiguous_triples():
    graph = Graph.from_edges(["a -> b", "b --- c", "c --- d"], kind="PDAG")
    closed = meek_beside(graph.marks, np.array([[1, 2, 3]]))  # b, c, d: c -> d does not follow from b -> c
    assert [str(edge) for edge in Graph(graph.names, closed, "PDAG").edges()] == ["a -> b", "b -> c", "c --- d"]
    np.testing.assert_array_equal(meek_beside(graph.marks, np.zeros((0, 3), np.int64)), meek(graph.marks))


@pytest.mark.parametrize("seed", [18, 32])
def test_colliders_that_no_graph_has_together_make_no_cycle(seed):
    values = simulate.linear_scm(simulate.random_dag(9, degree=4, random_state=seed), 80, random_state=seed).values
    for rule in get_args(ColliderRule):
        assert PC(alpha=0.05, collider=rule).fit(values).graph.n_nodes == 9  # a graph with a cycle is never built


@pytest.mark.parametrize("seed", range(20))
def test_meeks_rules_beside_no_ambiguous_triple_are_meeks_rules(seed):
    dag = Graph.from_adjacency(names(7), simulate.random_dag(7, degree=3.0, random_state=seed))
    marks = np.where(dag.marks != 0, np.int8(Mark.TAIL), np.int8(0))
    for a, b, c in unshielded_colliders(dag):
        marks[a, b] = marks[c, b] = Mark.ARROW
    elsewhere = np.array([[97, 98, 99]])
    np.testing.assert_array_equal(meek_beside(marks, elsewhere), meek(marks))


def unshielded_colliders(dag: Graph) -> list[tuple[int, int, int]]:
    into = dag.marks == Mark.ARROW
    p = len(into)
    return [
        (a, b, c)
        for b in range(p)
        for a in range(p)
        for c in range(a)
        if into[a, b] and into[c, b] and not dag.marks[a, c]
    ]


def test_a_set_of_common_neighbours_is_tried_once():
    joined = ~np.eye(5, dtype=bool)
    pairs = np.array([(0, 1)], dtype=np.int64)
    found = GaussianScanner(FisherZ(read(draw(5, 200, 2.0), names=names(5))))(
        pairs, Neighbours.of(joined), (0, 3), 0.05, np.inf, no_mids(pairs)
    )
    assert found.tests == 8  # the subsets of the three others


@pytest.mark.parametrize("sizes", [(0, 0), (1, 1), (2, 2), (0, 5)])
@pytest.mark.parametrize("most_sets", [np.inf, 8.0])
def test_compiled_gaussian_scan_equals_the_plain_one(sizes, most_sets):
    rng = np.random.default_rng(1)
    values = draw(8, 200, 3.0)
    values[:, 7] = values[:, 1] + values[:, 2]  # sets that hold all three are singular
    test = FisherZ(read(values, names=names(8)))
    pairs, joined, mids = random_neighbours(8, rng)
    arguments = (pairs, Neighbours.of(joined), sizes, 0.05, most_sets, mids)
    same(GaussianScanner(test)(*arguments), PlainScanner(test)(*arguments))


@pytest.mark.parametrize("kind", [GSquare, ChiSquare])
@pytest.mark.parametrize("sizes", [(0, 0), (1, 1), (0, 5)])
def test_compiled_discrete_scan_equals_the_plain_one(kind, sizes):
    rng = np.random.default_rng(2)
    codes = rng.integers(0, [2, 3, 2, 4, 2, 2, 5], (600, 7)).astype(np.int32)
    codes[:, 1] = np.where(rng.random(600) < 0.6, codes[:, 0], codes[:, 1])
    test = kind(Codes(codes, ((),) * 7, names(7)))
    pairs, joined, mids = random_neighbours(7, rng)
    arguments = (pairs, Neighbours.of(joined), sizes, 0.05, np.inf, mids)
    same(DiscreteScanner(test)(*arguments), PlainScanner(test)(*arguments))


class Uncompiled:
    """A test that the search does not know, so that it takes the plain way."""

    def __init__(self, test):
        self.test, self.names, self.rows_used = test, test.names, test.rows_used

    def __call__(self, x, y, given=()):
        return self.test(x, y, given)


@pytest.mark.parametrize("seed", range(5))
def test_a_test_object_gives_the_same_result_as_the_data(seed):
    values = draw(9, 400, 3.0, seed)
    data = read(values, names=names(9))
    plain = PC(test=Uncompiled(FisherZ(data)), alpha=0.01).fit()
    compiled = PC(alpha=0.01).fit(data)
    np.testing.assert_array_equal(plain.graph.marks, compiled.graph.marks)
    assert dict(plain.separating_sets) == dict(compiled.separating_sets)
    assert [e.p_value for e in plain.evidence] == pytest.approx([e.p_value for e in compiled.evidence], rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_the_columns_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    data = read(draw(12, 300, 4.0, seed), names=names(12))
    shuffled = data.select([data.names[k] for k in rng.permutation(12)])
    one, other = PC(alpha=0.05).fit(data), PC(alpha=0.05).fit(shuffled)
    assert one.graph.subgraph(other.graph.names).marks.tolist() == other.graph.marks.tolist()
    assert {frozenset(p): set(s) for p, s in one.separating_sets.items()} == {
        frozenset(p): set(s) for p, s in other.separating_sets.items()
    }


@pytest.mark.parametrize("seed", range(20))
def test_the_result_is_always_an_equivalence_class(seed):
    found = PC(alpha=0.2).fit(read(draw(10, 60, 5.0, seed), names=names(10))).graph
    assert found.kind == "CPDAG"
    np.testing.assert_array_equal(found.to_cpdag().marks, found.marks)


def correlations(entries: dict[tuple[int, int], float], p: int, n: int) -> Moments:
    matrix = np.eye(p)
    for (i, j), value in entries.items():
        matrix[i, j] = matrix[j, i] = value
    return Moments(names(p), n, np.zeros(p), matrix, n)


def test_collider_and_chain_by_hand():
    collider = correlations({(0, 2): 0.6, (1, 2): 0.6}, 3, 500)
    chain = correlations({(0, 2): 0.6, (1, 2): 0.6, (0, 1): 0.36}, 3, 500)
    assert [str(e) for e in PC(test=FisherZ(collider)).fit().graph.edges()] == ["X0 -> X2", "X1 -> X2"]
    found = PC(test=FisherZ(chain)).fit()
    assert [str(e) for e in found.graph.edges()] == ["X0 --- X2", "X1 --- X2"]
    assert found.separating_sets["X1", "X0"] == ("X2",)


def test_edge_evidence_is_the_largest_p_value_of_the_pair():
    data = read(draw(4, 300, 2.0, 5), names=names(4))
    found = PC(alpha=0.05).fit(data)
    test = FisherZ(data)
    for item in found.evidence:
        others = [name for name in data.names if name not in (item.source, item.target)]
        near = [[n for n in others if found.graph.edge(end, n)] for end in (item.source, item.target)]
        sets = [(), *({tuple(side[:k]) for side in near for k in range(1, len(side) + 1)})]
        assert item.p_value >= max(test(item.source, item.target, s).p_value for s in sets) - 1e-12
        assert item.p_value <= 0.05


def test_discrete_columns_are_searched_by_counts():
    rng = np.random.default_rng(1)
    rain, sprinkler = rng.random((2, 3000)) < 0.4
    wet = rng.random(3000) < np.where(rain | sprinkler, 0.9, 0.1)
    data = read({"rain": rain, "sprinkler": sprinkler, "wet": wet})
    for test in ("auto", "g-square", "chi-square"):
        found = PC(test=test, alpha=0.01).fit(data)
        assert [str(e) for e in found.graph.edges()] == ["rain -> wet", "sprinkler -> wet"]
    assert found.parameters["test"] == "chi-square"


def test_binary_columns_beside_numbers_enter_as_numbers_with_a_warning():
    rng = np.random.default_rng(0)
    treated = rng.random(500) < 0.5
    data = read({"treated": treated, "cure": treated + rng.normal(size=500), "noise": rng.normal(size=500)})
    found = PC().fit(data)
    assert found.parameters["test"] == "fisher-z"
    assert "'treated'" in found.warnings[0]
    assert found.graph.edge("treated", "cure") is not None


def test_missing_rows_are_left_out_and_said_so():
    values = draw(4, 300)
    values[:30, 2] = np.nan
    found = PC(test="fisher-z").fit(read(values, names=names(4)))
    assert found.rows_used == 270
    assert "30 of 300 rows" in found.warnings[0]


def test_more_columns_than_rows_are_searched_with_a_warning():
    found = PC().fit(read(draw(30, 20), names=names(30)))
    assert "20 rows for 30 columns" in found.warnings[0]


def test_a_linear_combination_does_not_break_the_search():
    values = draw(5, 500)
    values = np.column_stack([values, values[:, 0] + values[:, 1]])
    found = PC().fit(read(values, names=names(6)))
    assert any("follows exactly" in warning for warning in found.warnings)


def test_a_hub_with_many_neighbours_is_searched_in_part_with_a_warning():
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(4000, 24))
    values = np.column_stack([causes, causes.sum(axis=1) + rng.normal(size=4000)])
    found = PC(alpha=0.01).fit(read(values, names=names(25)))
    assert any("more than 15 neighbours" in warning for warning in found.warnings)
    assert len(found.graph.parents("X24")) == 24
    assert not any("more than 15" in w for w in PC(alpha=0.01, max_depth=1).fit(read(values, names=names(25))).warnings)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"alpha": 0}, "alpha is 0"),
        ({"test": "z"}, "'z'"),
        ({"max_depth": -1}, "-1"),
        ({"collider": "x"}, "'x'"),
    ],
)
def test_bad_settings_are_refused(settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        PC(**settings)


def test_categories_beside_numbers_are_refused_by_name_where_the_test_takes_one_sort():
    rng = np.random.default_rng(0)
    data = {"town": ["Ulm", "Bern", "Linz"] * 30, "age": rng.normal(size=90), "dose": rng.normal(size=90)}
    with pytest.raises(DataError, match="'town' is categorical"):
        PC(test="fisher-z").fit(data)
    with pytest.raises(DataError, match="'age' is continuous"):
        PC(test="g-square").fit(data)


def test_a_test_of_any_form_searches_categories_beside_numbers():
    rng = np.random.default_rng(0)
    site = rng.choice(["north", "south", "west"], 600)
    dose = np.select([site == "north", site == "south"], [-1.5, 0.0], 1.5) + rng.normal(size=600)
    cure = dose**2 + rng.normal(size=600)
    table = {"site": site, "dose": dose, "cure": np.where(np.arange(600) < 5, np.nan, cure)}
    found = PC(test="rcot").fit(table)
    assert {frozenset((edge.source, edge.target)) for edge in found.graph.edges()} == {
        frozenset(("site", "dose")),
        frozenset(("dose", "cure")),
    }
    assert found.parameters["test"] == "rcot"
    assert found.rows_used == 595
    assert "5 of 600 rows" in found.warnings[0]
