"""Networks under dropouts: the graph of the values before they were lost, and all that every search must do."""

from __future__ import annotations

import inspect
import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from tests.conformance import test_every_search as every
from tests.conformance.conftest import Case
from whence.data import read, simulate
from whence.discovery import PC, DropoutSearch, bootstrap
from whence.errors import DataError, ParameterError
from whence.graph import Graph, Knowledge, metrics
from whence.independence import FisherZ, TestwiseDeletion

SEARCHES = pytest.mark.parametrize("search", ["pc", "ges"])


@dataclass(frozen=True)
class DropoutCase(Case):
    """A case of the conformance suite for one of the two searches."""

    kind: str = "pc"

    def search(self, **settings):
        return DropoutSearch(search=self.kind, **settings)


CHECKS = [
    check
    for name, check in vars(every).items()
    if name.startswith("test_") and list(inspect.signature(check).parameters) == ["case"]
]


def case(search: str) -> DropoutCase:
    return DropoutCase(DropoutSearch.card, discrete=False, kind=search)


@SEARCHES
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__[5:])
def test_it_passes_the_conformance_suite_of_searches(check, search):
    check(case(search))


@SEARCHES
@pytest.mark.parametrize("form", every.FORMS)
def test_it_respects_knowledge(form, search):
    every.test_knowledge_on_the_card_is_respected_and_other_forms_are_refused(case(search), form)


@SEARCHES
def test_the_order_of_columns_does_not_matter(search):
    cells = simulate.drop_out(simulate.expression_scm(6, 1500, random_state=3), random_state=3).data
    one = DropoutSearch(search=search).fit(cells)
    other = DropoutSearch(search=search).fit(cells.select([cells.names[k] for k in (3, 1, 5, 0, 2, 4)]))
    assert every.same_marks(one, other)


@SEARCHES
def test_it_takes_every_kind_of_table(search, tmp_path):
    every.test_the_same_answer_from_every_kind_of_table(case(search), tmp_path)


def chain(seed: int, n: int = 6000, mechanism=None) -> simulate.Simulation:
    cells = simulate.expression_scm(
        [("a", "b"), ("b", "c"), ("e", "d"), ("c", "d")], n, weights=(0.7, 0.9), random_state=seed
    )
    return simulate.drop_out(cells, mechanism or simulate.Constant((0.5, 0.5)), random_state=seed)


@SEARCHES
def test_the_graph_is_that_of_the_values_before_they_were_lost(search):
    truth = Graph.from_edges(["a -> b", "b -> c", "e -> d", "c -> d"]).to_cpdag()
    deleted, kept = [], []
    for seed in range(10):
        data = chain(seed).data
        deleted.append(metrics.shd(truth, DropoutSearch(search=search, alpha=0.01).fit(data).graph))
        kept.append(metrics.shd(truth, PC(alpha=0.01).fit(data).graph))
    assert np.mean(deleted) < 0.5 * np.mean(kept)


def test_pc_is_pc_on_the_test():
    data = chain(0).data
    found = DropoutSearch().fit(data)
    ordered = data.select(sorted(data.names))
    plain = PC(alpha=0.05, test=TestwiseDeletion(ordered)).fit()
    np.testing.assert_array_equal(found.graph.subgraph(ordered.names).marks, plain.graph.marks)


@SEARCHES
def test_without_zeros_it_is_the_plain_search(search):
    data = simulate.linear_scm(8, 1000, degree=2.0, random_state=5).data
    found = DropoutSearch(search=search).fit(data)
    from whence.discovery import GES

    plain = PC(alpha=0.05) if search == "pc" else GES(penalty=2.0, per_edge=0.0)
    np.testing.assert_array_equal(found.graph.marks, plain.fit(data).graph.marks)


def test_what_is_recorded_is_what_was_tested():
    seen = chain(1)
    found = DropoutSearch().fit(seen.data)
    for name, rate in found.details["zero_rates"].items():
        assert rate == pytest.approx((seen.values[:, seen.observed.index(name)] == 0).mean())
    separations = found.details["separations"]
    assert len(separations["x"]) == len(found.separating_sets)
    for x, y, given, rows, share, p in zip(
        *(separations[key] for key in ("x", "y", "given", "rows_used", "share_deleted", "p_value"))
    ):
        names = [name for name in given.split(", ") if name]
        assert found.separating_sets[x, y] == tuple(names)
        kept = np.all([seen.values[:, seen.observed.index(name)] != 0 for name in names], axis=0) if names else None
        assert rows == (len(seen.values) if kept is None else kept.sum())
        assert share == pytest.approx(1 - rows / len(seen.values))
        assert p > 0.05
    assert found.rows_used == len(seen.values)
    assert found.parameters["dropouts"] == sorted(seen.observed)


def test_no_edge_of_ges_joins_what_a_set_of_neighbours_separates():
    cells = simulate.expression_scm(8, 3000, degree=3.0, random_state=6)
    seen = simulate.drop_out(cells, simulate.Logistic(), random_state=6)
    found = DropoutSearch(search="ges").fit(seen.data)
    separations = found.details["separations"]
    assert found.details["separated"] == len(separations["x"]) > 0
    assert min(separations["p_value"]) > 0.05
    test = TestwiseDeletion(seen.data)
    graph = found.graph
    near = {
        name: [e.target if e.source == name else e.source for e in graph.edges() if name in (e.source, e.target)]
            for name in graph.names}  # fmt: skip
    for edge in graph.edges():
        for one, other in ((edge.source, edge.target), (edge.target, edge.source)):
            rest = [name for name in near[one] if name != other]
            for size in range(len(rest) + 1):
                for given in itertools.combinations(rest, size):
                    assert not test(one, other, given).p_value > 0.05


def test_fewer_edges_of_ges_are_wrong_than_without_the_tests():
    wrong: dict[float, list[int]] = {0.05: [], 1.0 - 1e-12: []}  # at a level of 1 no test separates
    for seed in range(4):
        cells = simulate.expression_scm(10, 4000, degree=3.0, random_state=100 + seed)
        seen = simulate.drop_out(cells, simulate.Truncation((0.2, 0.5)), random_state=seed)
        truth = Graph.from_edges(cells.edges, names=cells.observed).to_cpdag()
        for alpha, listed in wrong.items():
            found = DropoutSearch(search="ges", alpha=alpha).fit(seen.data).graph.subgraph(truth.names)
            listed.append(int(((found.marks != 0) & (truth.marks == 0)).sum()) // 2)
    assert sum(wrong[0.05]) < 0.5 * sum(wrong[1.0 - 1e-12])


def test_starved_tests_and_sparse_genes_are_warned_about():
    seen = simulate.drop_out(
        simulate.expression_scm([("a", "b"), ("b", "c"), ("a", "d"), ("d", "c")], 500, random_state=2),
        simulate.Constant((0.95, 0.95)),
        random_state=2,
    )
    found = DropoutSearch(alpha=0.9).fit(seen.data)
    assert found.details["starved"] > 0
    said = " ".join(found.warnings)
    assert "tests had fewer than 50 rows left" in said
    assert "zero in more than 90% of the rows" in said


def test_a_starved_gain_moves_no_edge_and_is_warned_about():
    rng = np.random.default_rng(0)
    hub = np.where(np.arange(400) < 20, 1 + rng.random(400), 0.0)
    table = {"hub": hub, "x": hub + rng.random(400) / 5 + 1, "y": hub + rng.random(400) / 5 + 1}
    found = DropoutSearch(search="ges").fit(table)
    assert found.details["starved"] > 0
    assert "fewer than 50 rows" in " ".join(found.warnings)


@SEARCHES
def test_negative_values_are_said(search):
    assert any("negative values" in warning for warning in DropoutSearch(search=search).fit(chain(0).data).warnings)


def test_covariates_keep_their_zeros():
    seen = chain(0)
    batch = (np.arange(len(seen.values)) % 3).astype(float)
    data = seen.data.with_column("batch", batch)
    found = DropoutSearch(dropouts=list(seen.observed)).fit(data)
    assert "batch" not in found.details["zero_rates"]
    assert not [edge for edge in found.graph.edges() if "batch" in (edge.source, edge.target)]


def test_counts_are_searched_on_logs():
    cells = simulate.expression_scm(5, 3000, form="poisson", random_state=0)
    seen = simulate.drop_out(cells, simulate.MichaelisMenten(5.0), random_state=0)
    raw = read({name: seen.values[:, k].astype(int) for k, name in enumerate(seen.observed)})
    logged = read({name: np.log1p(seen.values[:, k]) for k, name in enumerate(seen.observed)})
    one, other = DropoutSearch(transform="log1p").fit(raw), DropoutSearch().fit(logged)
    np.testing.assert_array_equal(one.graph.marks, other.graph.marks)
    with pytest.raises(DataError, match="negative"):
        DropoutSearch(transform="log1p").fit(chain(0).data)


def test_missing_values_go_row_by_row_in_the_search_and_test_by_test_in_the_test():
    values = dict(zip("abc", np.random.default_rng(0).normal(size=(3, 600)) + 4, strict=True))
    values["b"] = values["b"] + values["a"]
    values["c"] = np.where(np.arange(600) < 200, np.nan, values["c"] + values["b"])
    assert DropoutSearch().fit(values).rows_used == 400
    test = TestwiseDeletion(values)
    found = PC(alpha=0.01, test=test).fit()
    assert found.rows_used == 600
    assert test("a", "b").rows_used == 600
    assert test("a", "c", ["b"]).rows_used == 400
    assert found.separating_sets["a", "c"] == ("b",)
    assert test("a", "b").p_value == pytest.approx(FisherZ({k: values[k] for k in "ab"})("a", "b").p_value)


def test_the_bootstrap_is_the_same_for_any_number_of_workers():
    data = chain(0, n=800).data
    one, two = (bootstrap(DropoutSearch(), data, draws=4, random_state=1, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.adjacency, two.adjacency)


def test_knowledge_directs_edges():
    found = DropoutSearch(knowledge=Knowledge(tiers=[["a", "e"], ["b", "c", "d"]])).fit(chain(0).data)
    assert found.graph.parents("b") == ("a",)


@pytest.mark.parametrize(
    ("settings", "match"),
    [({"search": "boss"}, "'boss'"), ({"search": "ges", "delete": "all"}, "'all'"), ({"transform": "sqrt"}, "'sqrt'")],
)
def test_settings_that_do_not_exist_are_refused(settings, match):
    with pytest.raises(ParameterError, match=match):
        DropoutSearch(**settings).fit(chain(0, n=100).data)
