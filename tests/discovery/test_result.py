"""What a result of a search and the verb hand out: tables, JSON, pictures, warnings, the choice of method."""

from __future__ import annotations

import json

import numpy as np
import pytest

from whence.data import read, simulate
from whence.discovery import GES, PC, DirectLiNGAM, DiscoveryResult, EdgeEvidence, discover
from whence.errors import WhenceError
from whence.graph import Graph, Knowledge


def collider(n: int = 600):
    rng = np.random.default_rng(0)
    dose, age = rng.normal(size=(2, n))
    return {"dose": dose, "age": age, "cure": dose + age + rng.normal(size=n)}


def test_the_table_has_one_row_an_edge_with_its_evidence():
    found = PC().fit(read(collider()))
    rows = found.table().to_pylist()
    assert [(row["source"], row["edge"], row["target"]) for row in rows] == [
        ("dose", "->", "cure"),
        ("age", "->", "cure"),
    ]
    assert [row["p_value"] for row in rows] == [item.p_value for item in found.evidence]
    assert set(rows[0]) == {"source", "edge", "target", "p_value", "statistic"}
    assert "score_difference" in GES().fit(read(collider())).table().column_names


def test_evidence_is_found_by_pair_whichever_way_it_was_written():
    graph = Graph.from_edges(["a -> b", "b --- c"], kind="PDAG")
    found = DiscoveryResult(graph, "by hand", evidence=(EdgeEvidence("b", "a", p_value=0.01),))
    assert found.table().to_pydict()["p_value"] == [0.01, None]


def test_confidence_stands_beside_the_evidence():
    found = discover(read(collider(2000)), "pc", confidence=20)
    rows = found.table().to_pylist()
    assert all(row["adjacency"] == 1.0 and row["word"] == "high" for row in rows)
    assert all(row["forward"] + row["backward"] + row["undirected"] == row["adjacency"] for row in rows)
    assert discover(read(collider()), "pc", confidence=False).confidence is None


def test_the_table_comes_in_the_library_of_the_data():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    assert isinstance(PC().fit(pd.DataFrame(collider())).table(), pd.DataFrame)
    assert isinstance(PC().fit(pl.DataFrame(collider())).table(), pl.DataFrame)


def test_everything_is_in_the_json():
    found = discover(read(collider()), "ges", confidence=5)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["method"] == "ges"
    assert told["parameters"]["per_edge"] == pytest.approx(np.log(3))
    assert told["parameters"]["per_edge_rule"] == "log p at p = 3"
    assert told["rows_used"] == 600
    assert told["confidence"]["draws"] == 5
    assert Graph.from_dict(told["graph"]) == found.graph


def test_a_default_comes_with_the_rule_that_set_it():
    parameters = PC().fit(read(collider())).parameters
    assert parameters["alpha"] == pytest.approx(10 / 600)
    assert parameters["alpha_rule"] == "min(0.05, 10 / n * sqrt(min(1, 10 / p))) at n = 600, p = 3"
    assert PC(alpha=0.01).fit(read(collider())).parameters["alpha_rule"] == "given"
    counted = read({name: (values > 0).astype(int) for name, values in collider().items()})
    parameters = PC(test="g-square").fit(counted).parameters
    assert parameters["alpha"] == 0.05
    assert parameters["alpha_rule"] == "min(0.05, 100 / n) * sqrt(min(1, 100 / p)) at n = 600, p = 3"


def test_the_level_falls_with_rows_and_with_columns_and_never_grows():
    from whence.discovery.pc import default_alpha

    assert default_alpha(100, 5) == 0.05
    assert default_alpha(1000, 400, counts=True) == pytest.approx(0.025)
    assert default_alpha(10_000, 10) == pytest.approx(0.001)
    assert default_alpha(10_000, 1000) == pytest.approx(1e-4)
    levels = [[default_alpha(n, p) for p in (2, 10, 100, 1000)] for n in (10, 400, 10_000, 10**9)]
    assert (np.diff(levels, axis=0) <= 0).all()
    assert (np.diff(levels, axis=1) <= 0).all()


@pytest.mark.parametrize(("n", "p"), [(1000, 100), (10_000, 100)])
def test_on_many_columns_the_default_level_is_more_accurate_than_a_fixed_one(n, p):
    from whence.graph.metrics import shd, skeleton_scores

    names = [f"X{k}" for k in range(p)]
    figures = {None: [], 0.01: [], 0.05: []}
    for seed in range(3):
        structure = simulate.random_dag(p, degree=2.0, random_state=seed)
        values = simulate.linear_scm(structure, n, weights=(0.3, 0.9), random_state=seed).values
        truth, data = Graph.from_adjacency(names, structure).to_cpdag(), read(values, names=names)
        for alpha, found in figures.items():
            graph = PC(alpha=alpha).fit(data).graph
            found.append((skeleton_scores(truth, graph).f1, -shd(truth, graph)))
    means = {alpha: np.mean(found, axis=0) for alpha, found in figures.items()}
    assert (means[None] > means[0.01]).all()
    assert (means[None] > means[0.05]).all()


def test_pictures_and_repr_name_method_rows_and_edges():
    found = PC().fit(read(collider()))
    assert repr(found) == "DiscoveryResult(pc, CPDAG, 600 rows: dose -> cure, age -> cure)"
    assert found.plot().startswith("<svg")
    assert "&gt;" in found._repr_html_()
    empty = DiscoveryResult(Graph.from_edges([], names=["a", "b"], kind="CPDAG"), "pc", warnings=("look < here",))
    assert "no edges" in repr(empty)
    assert "<li>look &lt; here</li>" in empty._repr_html_()


def test_auto_says_why_it_takes_a_method():
    few = discover(read(collider()), confidence=False)
    assert few.method == "boss"
    assert few.parameters["method_rule"].startswith("3 columns and 600 rows")
    wide = simulate.linear_scm(40, 30, degree=1.0, random_state=0).values
    assert discover(read(wide), confidence=False).method == "pc"


def test_settings_and_knowledge_reach_the_search():
    knowledge = Knowledge(tiers=[["dose", "age"], ["cure"]])
    found = discover(read(collider()), "pc", knowledge=knowledge, confidence=False, alpha=0.2, max_depth=1)
    assert (found.parameters["alpha"], found.parameters["max_depth"]) == (0.2, 1)
    assert found.parameters["knowledge"] == knowledge.to_dict()
    assert found.parameters["method_rule"] == "given"
    with pytest.raises(WhenceError, match="no-such"):
        discover(read(collider()), "no-such")


def test_the_number_of_workers_does_not_matter_to_the_verb():
    data = read(simulate.linear_scm(6, 300, noise="laplace", random_state=0).values)
    one, two = (discover(data, "direct-lingam", confidence=8, n_jobs=jobs, random_state=3) for jobs in (1, 2))
    assert one.confidence.to_dict() == two.confidence.to_dict()
    assert one.graph == DirectLiNGAM().fit(data).graph
