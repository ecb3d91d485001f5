"""BOSS against the best of all graphs, the large-sample limit, knowledge, seeds and hubs."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from tests.discovery.truth import (
    allowed,
    categories,
    classes,
    linear_population,
    linear_rows,
    marks_over,
    names,
    neighbours,
    scores_of_classes,
    some_knowledge,
    with_covariance,
)
from whence.data import read, simulate
from whence.discovery import BOSS, GES, DiscoveryResult
from whence.discovery._common import order_within, precedence
from whence.discovery._orders import start_order
from whence.errors import ParameterError
from whence.graph import Graph, Knowledge
from whence.graph.orientation import cpdag_of_dag, extension
from whence.scores import LocalScore, bdeu, discrete_bic, gaussian_bic


def class_of(result: DiscoveryResult) -> bytes:
    return cpdag_of_dag(extension(result.graph.marks)).tobytes()


def plain_bic(data) -> LocalScore:
    return gaussian_bic(data.moments().correlation, data.n_rows, per_edge=0.0)


def test_against_the_best_of_all_graphs_of_four_and_five_nodes():
    first = last = 0
    for seed in range(40):
        p = 4 + seed % 2
        _, data = linear_rows(p, 40 + 5 * seed, seed, degree=3.0)
        values = scores_of_classes(plain_bic(data))
        best = max(values.values())
        found = BOSS(per_edge=0).fit(data)
        assert found.details["score"] == pytest.approx(values[class_of(found)])
        assert found.details["score"] <= best + 1e-8
        # Where it is not the best, no class with an edge less is better: a local optimum.
        _, less = neighbours(p)
        assert all(values[other] <= values[class_of(found)] + 1e-8 for other in less[class_of(found)])
        first += found.details["score"] > best - 1e-8
        last += BOSS(per_edge=0, restarts=20).fit(data).details["score"] > best - 1e-8
    assert first >= 30
    assert last == 40


def grown_and_shrunk(score: LocalScore, target: int, ahead: tuple[int, ...]) -> float:
    """Return the local score after the column that raises it most joins, again and again, and the worst leave."""
    parents: list[int] = []
    while rest := [k for k in ahead if k not in parents]:
        best = max(rest, key=lambda k: score.local(target, [*parents, k]))
        if not score.local(target, [*parents, best]) > score.local(target, parents) + 1e-9:
            break
        parents.append(best)
    while parents:
        without = {k: score.local(target, [other for other in parents if other != k]) for k in parents}
        worst = max(parents, key=without.__getitem__)
        if not without[worst] > score.local(target, parents) + 1e-9:
            break
        parents.remove(worst)
    return score.local(target, parents)


@pytest.mark.parametrize("kind", ["bic", "bdeu"])
def test_the_best_of_all_orders_is_found_with_restarts(kind):
    best_of_all = 0
    for seed in range(25):
        table, codes, sizes = categories(4, 150 + 10 * seed, seed)
        score = bdeu(codes, sizes, ess=2.0) if kind == "bdeu" else discrete_bic(codes, sizes)
        orders = [
            sum(grown_and_shrunk(score, order[k], order[:k]) for k in range(4)) for order in permutations(range(4))
        ]
        found = BOSS(score=kind, ess=2.0, restarts=20).fit(table).details["score"]
        best = max(scores_of_classes(score).values())
        # No order shows two parents of which neither says anything without the other; the best graph may have them.
        assert max(orders) - 1e-8 <= found <= best + 1e-8
        best_of_all += found > best - 1e-8
    assert best_of_all >= 24


def test_the_best_of_the_orders_of_seven_columns_is_found_with_restarts():
    for seed in range(8):
        _, data = linear_rows(7, 300, seed, degree=3.0)
        score = plain_bic(data)
        # Over sets instead of orders: the best order of a set ends in one of its columns.
        best = {frozenset(): 0.0}
        for size in range(1, 8):
            for columns in map(frozenset, combinations(range(7), size)):
                best[columns] = max(
                    best[columns - {last}] + grown_and_shrunk(score, last, tuple(sorted(columns - {last})))
                    for last in columns
                )
        found = BOSS(per_edge=0, restarts=10).fit(data).details["score"]
        assert found >= best[frozenset(range(7))] - 1e-6


def test_with_knowledge_the_best_of_all_graphs_that_keep_to_it_is_found():
    for seed in range(60):
        _, data = linear_rows(4, 100 + 5 * seed, seed, degree=2.5)
        knowledge = some_knowledge(seed, data.names)
        required, forbidden = knowledge.for_names(data.names)
        kept = {key: allowed(members, required, forbidden) for key, members in classes(4).items()}
        values = scores_of_classes(plain_bic(data))
        found = BOSS(per_edge=0, knowledge=knowledge, restarts=10).fit(data)
        assert values[class_of(found)] == pytest.approx(max(values[key] for key, members in kept.items() if members))
        np.testing.assert_array_equal(found.graph.marks, marks_over(kept[class_of(found)]))


def test_where_the_sample_is_the_population_the_true_class_is_found():
    rng = np.random.default_rng(0)
    for case in range(100):
        p = int(rng.integers(2, 16))
        adjacency = simulate.random_dag(p, degree=min(float(rng.uniform(1, 4.5)), p - 1), random_state=case)
        found = BOSS().fit(linear_population(adjacency, rng))
        np.testing.assert_array_equal(found.graph.marks, Graph.from_adjacency(names(p), adjacency).to_cpdag().marks)


def test_on_denser_graphs_the_score_is_higher_than_that_of_ges():
    higher = lower = 0
    for seed in range(20):
        _, data = linear_rows(25, 500, seed, degree=5.0)
        mine, other = (search.fit(data).details["score"] for search in (BOSS(), GES()))
        higher += mine > other + 1e-6
        lower += mine < other - 1e-6
    assert higher >= 3 * lower


def test_restarts_never_lower_the_score_and_follow_the_seed():
    raised = 0
    for seed in range(12):
        _, data = linear_rows(20, 200, seed, degree=5.0)
        one = BOSS().fit(data)
        many, again = (BOSS(restarts=4, random_state=7).fit(data) for _ in range(2))
        assert many.graph == again.graph
        # Attempts are compared before the polish, which raises one more than another now and then.
        raised += many.details["score"] > one.details["score"] + 1e-6
        assert many.parameters["restarts"] == 4
    assert raised >= 3


def test_the_orders_tried_keep_to_what_must_stand_before_what():
    columns = names(6)
    knowledge = Knowledge(
        required=[("X004", "X001")], tiers=[["X000", "X001"], ["X002"]], roots=["X003"], leaves=["X005"]
    )
    before = precedence(columns, knowledge, knowledge.for_names(columns)[0])
    assert before[4, 2]  # required into the first tier, so before the second
    assert before[3, :3].all()
    assert before[:5, 5].all()
    rng = np.random.default_rng(0)
    for _ in range(20):
        order = order_within(before, rng.permutation(6))
        assert sorted(order) == list(range(6))
        place = np.argsort(order)
        assert all(place[i] < place[j] for i, j in np.argwhere(before))


def test_the_first_order_does_not_depend_on_the_order_of_the_columns():
    _, data = linear_rows(8, 300, 0)
    shuffle = np.random.default_rng(0).permutation(8)
    correlation = data.moments().correlation
    one = start_order(gaussian_bic(correlation, 300))
    other = start_order(gaussian_bic(correlation[np.ix_(shuffle, shuffle)], 300))
    np.testing.assert_array_equal(shuffle[other], one)


def test_columns_that_are_all_alike_end_the_search():
    p = 6
    data = with_covariance(np.full((p, p), 0.5) + 0.5 * np.eye(p), 200)
    one = BOSS().fit(data)
    other = BOSS().fit(data.select([data.names[k] for k in (3, 0, 5, 1, 4, 2)]))
    np.testing.assert_array_equal(other.graph.subgraph(data.names).marks, one.graph.marks)


@pytest.mark.parametrize("store", [1, 3, 40])
def test_trees_that_do_not_fit_are_forgotten_and_grown_again(monkeypatch, store):
    _, data = linear_rows(9, 300, 1, degree=3.0)
    whole = BOSS().fit(data)
    monkeypatch.setattr("whence.discovery._orders._STORE", store)
    small = BOSS().fit(data)
    assert small.graph == whole.graph
    assert small.details["moves"] == whole.details["moves"]
    assert small.details["tree_nodes"] > whole.details["tree_nodes"]


def test_rounding_among_billions_of_rows_does_not_keep_the_search_going():
    rng = np.random.default_rng(0)
    adjacency = simulate.random_dag(13, degree=4.0, random_state=0)
    found = BOSS(restarts=3).fit(linear_population(adjacency, rng, n=10**12))
    assert found.graph.to_cpdag() == Graph.from_adjacency(names(13), adjacency).to_cpdag()


def test_a_column_with_many_causes_gets_them_all():
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(3000, 50))
    values = np.column_stack([causes, 0.5 * causes.sum(axis=1) + rng.normal(size=3000)])
    found = BOSS().fit(read(values, names=names(51)))
    assert len(found.graph.parents("X050")) == 50
    assert not found.warnings


def test_a_limit_of_parents_is_kept_and_said():
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(1000, 6))
    data = read(np.column_stack([causes, causes.sum(axis=1) + rng.normal(size=1000)]), names=names(7))
    found = BOSS(most_parents=3).fit(data)
    assert extension(found.graph.marks).sum(axis=0).max() == 3
    assert "limit of 3 parents" in found.warnings[0]
    required = Knowledge(required=[(f"X00{k}", "X006") for k in range(5)])
    assert len(BOSS(most_parents=3, knowledge=required).fit(data).graph.parents("X006")) == 5


def test_more_columns_than_rows_are_searched_with_a_warning():
    truth, data = linear_rows(80, 60, 0, degree=1.0)
    found = BOSS().fit(data)
    assert "60 rows for 80 columns" in found.warnings[0]
    hits = ((found.graph.marks != 0) & (truth.marks != 0)).sum() / 2
    assert hits >= 0.8 * len(found.graph.edges()) >= 15


def test_bad_settings_are_refused():
    with pytest.raises(ParameterError, match="restarts is -1"):
        BOSS(restarts=-1)
    with pytest.raises(ParameterError, match="'aic'"):
        BOSS(score="aic")
