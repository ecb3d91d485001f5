"""Exact search against all graphs there are, for every score and with knowledge."""

from __future__ import annotations

import numpy as np
import pytest

from tests.discovery.truth import (
    all_dags,
    allowed,
    categories,
    linear_population,
    linear_rows,
    marks_over,
    names,
    scores_of_classes,
    some_knowledge,
)
from whence.data import read, simulate
from whence.discovery import BOSS, GES, ExactSearch
from whence.discovery._kernels_exact import determinant_scores, gain_scores, log_determinants
from whence.errors import DataError, ParameterError
from whence.graph import Graph, Knowledge
from whence.graph.orientation import extension
from whence.scores import bdeu, discrete_bic, gaussian_bic


def test_the_log_determinants_are_those_of_numpy():
    values = np.random.default_rng(0).normal(size=(30, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    correlation = np.corrcoef(values, rowvar=False)
    found = np.empty(64)
    log_determinants(correlation, found)
    for mask in range(64):
        among = np.flatnonzero(mask >> np.arange(6) & 1)
        assert found[mask] == pytest.approx(np.linalg.slogdet(correlation[np.ix_(among, among)])[1], abs=1e-9)
    correlation[5] = correlation[:, 5] = correlation[0]
    correlation[5, 5] = correlation[0, 5] = correlation[5, 0] = 1.0
    log_determinants(correlation, found)
    both = np.array([mask & 33 == 33 for mask in range(64)])
    assert np.isneginf(found[both]).all()
    assert np.isfinite(found[~both]).all()


def test_every_local_score_is_that_of_the_score():
    _, data = linear_rows(6, 80, 0, degree=3.0)
    _, codes, sizes = categories(6, 200, 1)
    gaussian = gaussian_bic(data.moments().correlation, 80)
    members = np.array([0, 2, 3, 5])
    for score in (gaussian, discrete_bic(codes, sizes), bdeu(codes, sizes, ess=2.0)):
        found = np.empty(16)
        found[0] = score.local(4, [])
        gain_scores(score.kernels[0], score.packed, 6, 4, members, 3, -np.inf, found)
        for subset in range(16):
            parents = members[subset >> np.arange(4) & 1 == 1].tolist()
            expected = -np.inf if len(parents) > 3 else score.local(4, parents)
            assert found[subset] == pytest.approx(expected, abs=1e-8)
    logs, found = np.empty(64), np.empty(16)
    log_determinants(gaussian.correlation, logs)
    determinant_scores(logs, 4, int((1 << members).sum()), 80.0, gaussian.unit + gaussian.edge, 4, found)
    for subset in range(16):
        expected = gaussian.local(4, members[subset >> np.arange(4) & 1 == 1].tolist())
        assert found[subset] == pytest.approx(expected, abs=1e-8)


def test_on_numbers_the_class_is_the_best_of_all_classes():
    better = 0
    for seed in range(20):
        _, data = linear_rows(5, 40 + 5 * seed, seed, degree=3.0)
        values = scores_of_classes(gaussian_bic(data.moments().correlation, data.n_rows, per_edge=0.0))
        found = ExactSearch(per_edge=0).fit(data)
        assert found.graph.marks.tobytes() == max(values, key=values.__getitem__)
        assert found.details["score"] == pytest.approx(max(values.values()))
        better += found.details["score"] > GES(per_edge=0).fit(data).details["score"] + 1e-9
    assert better > 2  # on so few rows greedy search often ends lower


@pytest.mark.parametrize("kind", ["bic", "bdeu"])
def test_on_categories_the_class_is_the_best_of_all_classes(kind):
    for seed in range(20):
        table, codes, sizes = categories(4, 100 + 10 * seed, seed)
        score = bdeu(codes, sizes, ess=2.0) if kind == "bdeu" else discrete_bic(codes, sizes)
        values = scores_of_classes(score)
        found = ExactSearch(score=kind, ess=2.0).fit(table)
        assert values[found.graph.marks.tobytes()] == pytest.approx(max(values.values()))


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_with_knowledge_no_graph_that_keeps_to_it_is_better(kind):
    for seed in range(30):
        if kind == "numbers":
            _, data = linear_rows(4, 60 + 5 * seed, seed, degree=2.5)
            score = gaussian_bic(data.moments().correlation, data.n_rows)
        else:
            data, codes, sizes = categories(4, 150, seed)
            score = discrete_bic(codes, sizes)
        knowledge = some_knowledge(seed, names(4))
        required, forbidden = knowledge.for_names(names(4))
        keeping = allowed(list(all_dags(4)), required, forbidden)
        best = max(score.total(dag) for dag in keeping)
        found = ExactSearch(knowledge=knowledge).fit(data)
        assert found.details["score"] == pytest.approx(best)
        members = [dag for dag in keeping if score.total(dag) >= best - 1e-7]
        same_class = [dag for dag in members if (dag | dag.T)[found.graph.marks != 0].all()]
        np.testing.assert_array_equal(found.graph.marks, marks_over(same_class))


def test_a_limit_of_parents_is_kept_and_the_best_within_it_found():
    graphs = all_dags(5)
    thin = graphs[graphs.sum(axis=1).max(axis=1) <= 1]
    assert len(thin) == 1296  # rooted forests on five nodes (Cayley)
    for seed in range(4):
        _, data = linear_rows(5, 200, seed, degree=4.0)
        score = gaussian_bic(data.moments().correlation, 200)
        found = ExactSearch(most_parents=1).fit(data)
        assert extension(found.graph.marks).sum(axis=0).max() <= 1
        assert found.details["score"] == pytest.approx(max(score.total(dag) for dag in thin))


def test_where_the_sample_is_the_population_the_true_class_is_found():
    rng = np.random.default_rng(0)
    for case in range(20):
        p = int(rng.integers(2, 12))
        adjacency = simulate.random_dag(p, degree=min(float(rng.uniform(1, 4.5)), p - 1), random_state=case)
        found = ExactSearch().fit(linear_population(adjacency, rng))
        np.testing.assert_array_equal(found.graph.marks, Graph.from_adjacency(names(p), adjacency).to_cpdag().marks)


def test_no_greedy_search_scores_higher():
    for seed in range(6):
        _, data = linear_rows(12, 100, seed, degree=4.0)
        best = ExactSearch().fit(data)
        for search in (GES(), BOSS(restarts=3)):
            assert search.fit(data).details["score"] <= best.details["score"] + 1e-8
        assert best.details["largest_group"] <= 12


def test_mixed_tables_are_searched_by_the_scores_for_them():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 300)
    table = {
        "group": np.array(["a", "b", "c"])[group],
        "size": group + rng.normal(size=300),
        "apart": rng.normal(size=300),
    }
    for score in ("auto", "conditional-gaussian"):
        found = ExactSearch(score=score).fit(table)
        assert [{edge.source, edge.target} for edge in found.graph.edges()] == [{"group", "size"}]


def test_tiers_bring_more_columns_within_reach():
    _, data = linear_rows(30, 300, 0, degree=1.5)
    with pytest.raises(DataError, match="up to 26 columns"):
        ExactSearch().fit(data)
    near = Knowledge(
        tiers=[data.names[:10], data.names[10:20], data.names[20:]],
        forbidden=[(f"X{a:03d}", f"X{b:03d}") for a in range(30) for b in range(30) if abs(a - b) > 3],
    )
    found = ExactSearch(knowledge=near).fit(data)
    assert found.details["score"] >= GES(knowledge=near).fit(data).details["score"] - 1e-8


def test_progress_and_evidence():
    told = []
    _, data = linear_rows(5, 300, 1)
    found = ExactSearch().fit(data, progress=lambda *step: told.append(step))
    assert told == [("parent sets", k + 1, 5) for k in range(5)]
    assert all(item.score_difference > 0 for item in found.evidence)


@pytest.mark.parametrize(
    ("settings", "wrong"), [({"score": "aic"}, "'aic'"), ({"most_parents": 0}, "most_parents is 0")]
)
def test_bad_settings_are_refused(settings, wrong):
    with pytest.raises(ParameterError, match=wrong):
        ExactSearch(**settings)


def test_required_parents_that_determine_a_column_are_refused():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 4))
    with pytest.raises(DataError):
        ExactSearch(knowledge=Knowledge(required=["a -> d", "b -> d", "c -> d"])).fit(read(values, names=list("abcd")))
