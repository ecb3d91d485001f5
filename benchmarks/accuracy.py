"""How close every search comes to the true graph, beside the peers, on networks, simulations and a real table.

Each search runs with its default settings, as does each peer, one thread, in a process of its own with a limit; its
graph is compared with the class of the true one (with the true PAG where columns are hidden). Writes
``results/accuracy.json`` row by row, and the table of docs/choose.md from it.

    python -m benchmarks.accuracy --limit 60
    python -m benchmarks.accuracy --data DIR --only sachs
    python -m benchmarks.accuracy --table
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.discovery import ONE_THREAD, provenance
from benchmarks.discovery_contenders import from_causal_learn
from whence.data import Dataset, read, simulate
from whence.data.examples import network
from whence.graph import Graph
from whence.graph.metrics import adjustment_distance, arrowhead_scores, shd, skeleton_scores
from whence.graph.orientation import marks_of_dag
from whence.independence import Oracle
from whence.registry import lookup
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "accuracy.json"
PAGE = Path(__file__).parents[1] / "docs" / "choose.md"
BEGIN, END = "<!-- accuracy: written by benchmarks/accuracy.py -->\n", "<!-- end of accuracy -->"
SCORES = ("skeleton_f1", "arrow_f1", "shd", "effect_errors", "seconds")

Draw = Callable[[int], tuple[Dataset, Graph]]


@dataclass(frozen=True)
class Case:
    """A sort of data: tables drawn by a seed with their true graph, and the searches that can take them."""

    family: str
    name: str
    draw: Draw
    tables: int
    searches: tuple[str, ...]
    peers: tuple[str, ...] = ()


# The peers, and which search of ours is the same algorithm.
PEERS = {
    "causal-learn pc": "pc",
    "causal-learn discrete pc": "pc",
    "causal-learn ges": "ges",
    "causal-learn boss": "boss",
    "causal-learn grasp": "grasp",
    "causal-learn fci": "fci",
    "lingam direct": "direct-lingam",
}
LINEAR = ("pc", "iamb", "ges", "xges", "boss", "grasp")
WEIGHTED = ("direct-lingam", "ica-lingam", "notears", "dagma", "golem")
HIDDEN = ("fci", "rfci", "gfci")


def linear(p: int, n: int, degree: float = 2.0, noise: str = "gaussian") -> Draw:
    """Columns are standardised, so that variances tell nothing of the order."""

    def draw(seed: int) -> tuple[Dataset, Graph]:
        structure = simulate.random_dag(p, degree=degree, random_state=1000 + seed)
        values = simulate.linear_scm(
            structure, n, weights=(0.3, 0.9), noise=noise, noise_scale=(0.7, 1.3), random_state=1000 + seed
        ).values
        return standardised(values, structure)

    return draw


def standardised(values: np.ndarray, structure: np.ndarray) -> tuple[Dataset, Graph]:
    names = [f"X{k}" for k in range(values.shape[1])]
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return read(values, names=names), Graph.from_adjacency(names, structure)


def nonlinear(p: int, n: int) -> Draw:
    def draw(seed: int) -> tuple[Dataset, Graph]:
        drawn = simulate.nonlinear_scm(p, n, degree=2.0, random_state=seed)
        return standardised(drawn.values, drawn.adjacency)

    return draw


def mixed(p: int, n: int) -> Draw:
    def draw(seed: int) -> tuple[Dataset, Graph]:
        drawn = simulate.mixed_scm(p, n, degree=2.0, random_state=seed)
        return drawn.data, Graph.from_adjacency(drawn.names, drawn.adjacency)

    return draw


def hidden(p: int, n: int) -> Draw:
    """A tenth of the columns drawn is left out; the truth is the PAG of the others."""

    def draw(seed: int) -> tuple[Dataset, Graph]:
        drawn = round(p / 0.9)
        data, dag = linear(drawn, n)(seed)
        kept = np.sort(np.random.default_rng(seed).choice(drawn, p, replace=False))
        names = [dag.names[k] for k in kept]
        return data.select(names), lookup("search", "fci")(test=Oracle(dag, names)).fit().graph

    return draw


def missing(p: int, n: int) -> Draw:
    """A tenth of the cells is lost at random."""

    def draw(seed: int) -> tuple[Dataset, Graph]:
        data, dag = linear(p, n)(seed)
        values = data.numeric().copy()
        values[np.random.default_rng(seed).random(values.shape) < 0.1] = np.nan
        return read(values, names=dag.names), dag

    return draw


def missing_categories(simulated: Callable[..., Any], p: int, n: int) -> Draw:
    """A tenth of the cells of a simulation with categories is lost at random; columns have to vary in what is left."""

    def draw(seed: int) -> tuple[Dataset, Graph]:
        drawn = simulated(p, n, degree=2.0, random_state=seed)
        data = simulate.lose_cells(drawn, 0.1, random_state=seed).data
        complete = data.complete().to_arrow()
        kept = [name for name in data.names if len(complete[name].unique()) > 1]
        return data.select(kept), Graph.from_adjacency(drawn.names, drawn.adjacency).subgraph(kept)

    return draw


def sampled(name: str, n: int) -> Draw:
    """Columns with one value in the sample, or the values of another, are left out, as no search takes them."""

    def draw(seed: int) -> tuple[Dataset, Graph]:
        model = network(name)
        data = model.sample(n, seed)
        codes = data.codes().codes
        _, first = np.unique([by_appearance(column) for column in codes.T], axis=0, return_index=True)
        kept = [data.names[k] for k in sorted(first) if len(np.unique(codes[:, k])) > 1]
        return data.select(kept), Graph.from_edges(model.edges, names=model.names).subgraph(kept)

    return draw


def by_appearance(codes: np.ndarray) -> np.ndarray:
    """Return codes renumbered by their first row, so that columns that differ by the names of their values are one."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def sachs(folder: Path) -> Draw:
    def draw(seed: int) -> tuple[Dataset, Graph]:
        lines = (folder / "sachs/ground.truth/sachs.2005.ground.truth.graph.txt").read_text().splitlines()
        edges = [line.split(". ", 1)[1].replace("-->", "->") for line in lines if "-->" in line]
        data = read(str(folder / "sachs/data/sachs.2005.logxplus10.continuous.txt"))
        return data, Graph.from_edges(edges, names=data.names)

    return draw


def cases(data: Path | None) -> list[Case]:
    found = []
    peers = tuple(f"causal-learn {name}" for name in ("pc", "ges", "boss", "grasp"))
    for p, n, degree in ((10, 200, 2.0), (10, 1000, 2.0), (30, 1000, 4.0), (100, 1000, 2.0)):
        searches = (*LINEAR, *(("exact",) if p <= 12 else ()))
        name = f"linear Gaussian, {p} columns, degree {degree:g}, {n:,} rows"
        found.append(Case("linear, Gaussian", name, linear(p, n, degree), 10 if p < 100 else 3, searches, peers))
    for p, n in ((10, 1000), (30, 1000)):
        name = f"linear, Laplace noise, {p} columns, {n:,} rows"
        searches = (*LINEAR, *WEIGHTED)
        found.append(Case("linear, not Gaussian", name, linear(p, n, 2.0, "laplace"), 10, searches, ("lingam direct",)))
    name = "additive noise, smooth functions, 10 columns, 500 rows"
    found.append(
        Case("nonlinear", name, nonlinear(10, 500), 5, (*LINEAR, "pc rcot", "notears-mlp", "dagma-mlp", "resit"))
    )
    found.append(Case("mixed", "numbers and categories, 10 columns, 1,000 rows", mixed(10, 1000), 10, LINEAR))
    name = "linear Gaussian, a tenth hidden, 20 columns, 1,000 rows"
    found.append(Case("hidden causes", name, hidden(20, 1000), 10, HIDDEN, ("causal-learn fci",)))
    name = "linear Gaussian, a tenth of cells missing, 20 columns, 500 rows"
    gaps = [(name, missing(20, 500))]
    for what, simulated in (("categories", simulate.discrete_scm), ("numbers and categories", simulate.mixed_scm)):
        drawn = missing_categories(simulated, 12, 2000)
        gaps.append((f"{what}, a tenth of cells missing, 12 columns, 2,000 rows", drawn))
    found += [Case("missing", name, draw, 10, (*LINEAR, "pc complete rows")) for name, draw in gaps]
    for model in (
        "asia",
        "child",
        "insurance",
        "alarm",
        "water",
        "hailfinder",
        "hepar2",
        "win95pts",
        "andes",
        "munin1",
    ):
        for n in (1000, 10_000):
            name = f"{model}, {n:,} rows"
            compared = ("causal-learn discrete pc",) if model in ("asia", "child", "alarm") and n == 1000 else ()
            found.append(Case("discrete", name, sampled(model, n), 3 if n == 1000 else 1, LINEAR, compared))
    if data is not None:
        found.append(
            Case(
                "real",
                "sachs (7,466 rows of all conditions, consensus graph)",
                sachs(data),
                1,
                (*LINEAR, *WEIGHTED),
                peers,
            )
        )
    return found


@dataclass(frozen=True)
class AsFound:
    """A peer's marks as they are, cycles and bidirected edges included, which no `Graph` would take."""

    names: tuple[str, ...]
    marks: np.ndarray
    kind: str = "as found"
    bows: frozenset[tuple[int, int]] = frozenset()

    def subgraph(self, names: tuple[str, ...]) -> AsFound:
        order = [self.names.index(name) for name in names]
        return AsFound(tuple(names), self.marks[np.ix_(order, order)])


def found_by(contender: str, data: Dataset) -> Graph:
    """Run a search, or a peer on the same values."""
    if contender == "pc rcot":
        return lookup("search", "pc")(test="rcot").fit(data).graph
    if contender == "pc complete rows":
        return lookup("search", "pc")().fit(data.complete()).graph
    if contender.startswith(("causal-learn", "lingam")):
        return _of_peer(contender, data)
    return lookup("search", contender)().fit(data).graph


def _of_peer(contender: str, data: Dataset) -> Graph:
    import contextlib
    import io
    import random

    names = data.names
    random.seed(0)  # permutation searches shuffle with the global generator
    method = contender.split(" ", 1)[1]
    values = data.codes().codes.astype(float) if method == "discrete pc" else data.numeric()
    with contextlib.redirect_stdout(io.StringIO()):
        if method == "direct":
            from lingam import DirectLiNGAM

            weights = DirectLiNGAM().fit(values).adjacency_matrix_
            return Graph(names, marks_of_dag(np.abs(weights.T) > 0), "DAG")
        if method.endswith("pc"):
            from causallearn.search.ConstraintBased.PC import pc

            test = "chisq" if method == "discrete pc" else "fisherz"
            marks = from_causal_learn(pc(values, indep_test=test, show_progress=False).G.graph)
        elif method == "fci":
            from causallearn.search.ConstraintBased.FCI import fci

            marks = from_causal_learn(fci(values, "fisherz", show_progress=False)[0].graph)
        elif method == "ges":
            from causallearn.search.ScoreBased.GES import ges

            marks = from_causal_learn(ges(values)["G"].graph)
        elif method == "boss":
            from causallearn.search.PermutationBased.BOSS import boss

            marks = from_causal_learn(boss(values, verbose=False).graph)
        else:
            from causallearn.search.PermutationBased.GRaSP import grasp

            marks = from_causal_learn(grasp(values, verbose=False).graph)
    return AsFound(tuple(names), marks)  # type: ignore[return-value]


def run_once(case: Case, contender: str) -> dict[str, Any]:
    """Return the mean scores of a contender over the tables of a case."""
    found_by(contender, case.draw(case.tables)[0])  # compiled and imported before the clock starts
    figures = []
    for seed in range(case.tables):
        data, truth = case.draw(seed)
        started = time.process_time()
        found = found_by(contender, data)
        seconds = time.process_time() - started
        figures.append(scores(truth, found, seconds))
    columns = len(data.names)
    means = {name: [row[name] for row in figures if row[name] is not None] for name in SCORES}
    spread = [row["skeleton_f1"] for row in figures]
    return {
        "columns": columns,
        "rows": data.n_rows,
        "tables": case.tables,
        **{name: round(float(np.mean(values)), 4) for name, values in means.items() if values},
        "skeleton_f1_error": round(float(np.std(spread, ddof=1) / np.sqrt(len(spread))), 4)
        if len(spread) > 1
        else None,
    }


def scores(truth: Graph, found: Graph, seconds: float) -> dict[str, float | None]:
    hidden_causes = truth.kind == "PAG"
    target = truth if hidden_causes else truth.to_cpdag()
    as_class = found.to_cpdag() if found.kind == "DAG" else found
    effects = None
    if not hidden_causes and found.kind in ("DAG", "CPDAG", "PDAG"):
        effects = adjustment_distance(truth, found)
    return {
        "skeleton_f1": skeleton_scores(target, as_class).f1,
        "arrow_f1": arrowhead_scores(target, as_class).f1,
        "shd": float(shd(target, as_class)),
        "effect_errors": effects,
        "seconds": seconds,
    }


def in_process(options: argparse.Namespace, case: Case, contender: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.accuracy", "--run", case.name, contender]
    command += ["--data", str(options.data)] if options.data else []
    limit = options.limit * case.tables
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env={**os.environ, **ONE_THREAD}, check=False
        )
    except subprocess.TimeoutExpired:
        return {"stopped": f"after {limit:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds on the clock per table")
    parser.add_argument("--data", type=Path, help="folder with sachs/")
    parser.add_argument("--only", default="", help="only cases whose family or name contains this")
    parser.add_argument("--contender", help="only this search or peer, the rows of others being kept")
    parser.add_argument("--keep", action="store_true", help="keep the rows that are there")
    parser.add_argument("--table", action="store_true", help="only write the table of docs/choose.md anew")
    parser.add_argument("--out", type=Path, default=RESULTS, help="another file for the results")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        case = next(case for case in cases(options.data) if case.name == options.run[0])
        print(json.dumps(run_once(case, options.run[1])))
        return
    if not options.table:
        measure(options)
    if options.out == RESULTS:
        write_table(json.loads(RESULTS.read_text()))


def measure(options: argparse.Namespace) -> None:
    chosen = [case for case in cases(options.data) if options.only in case.family or options.only in case.name]
    held = json.loads(options.out.read_text())["rows"] if options.out.exists() else []
    anew = {case.name for case in chosen}
    rows = [
        row
        for row in held
        if options.keep or row["case"] not in anew or options.contender not in (None, row["contender"])
    ]
    done = {(row["case"], row["contender"]) for row in rows}
    found = {**provenance(options.limit), "rows": rows}
    for case in chosen:
        for contender in (*case.searches, *case.peers):
            if (case.name, contender) in done or options.contender not in (None, contender):
                continue
            row = {
                "family": case.family,
                "case": case.name,
                "contender": contender,
                **in_process(options, case, contender),
            }
            print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
            rows.append(row)
            write_json(options.out, found)


def write_table(found: dict[str, Any]) -> None:
    """Write the mean scores of every search by family of data, and the peers beside them, into the page on choosing."""
    families: dict[str, list[dict[str, Any]]] = {}
    for row in found["rows"]:
        families.setdefault(row["family"], []).append(row)
    lines = [BEGIN]
    for family, rows in families.items():
        lines += [f"\n### {family[0].upper()}{family[1:]}\n", *_of_family(rows)]
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(before + "".join(lines) + END + after)


def _of_family(rows: list[dict[str, Any]]) -> list[str]:
    """Return the tables of a family: ours over all cases, and each peer beside the same search of ours."""
    cases = len({row["case"] for row in rows})
    done = {(row["case"], row["contender"]): row for row in rows if "skeleton_f1" in row}
    contenders = dict.fromkeys(row["contender"] for row in rows)
    ours = {name: [row for (_, who), row in done.items() if who == name] for name in contenders if name not in PEERS}
    lines = ["\n| search | skeleton F1 | arrow F1 | seconds a table | cases |", "\n| --- | --- | --- | --- | --- |"]
    for name, own in sorted(ours.items(), key=lambda item: -_mean(item[1], "arrow_f1")):
        shown = " | ".join(_figures(own))
        lines.append(f"\n| {name} | {shown} | {len(own)} of {cases} |")
    beside = []
    for name in (name for name in contenders if name in PEERS):
        both = [case for case, who in done if who == name and (case, PEERS[name]) in done]
        pairs = [[done[case, who] for case in both] for who in (PEERS[name], name)]
        if both:
            shown = " | ".join(f"{mine} / {theirs}" for mine, theirs in zip(*map(_figures, pairs)))
            beside.append(f"\n| {PEERS[name]} / {name} | {shown} | {len(both)} of {cases} |")
    if beside:
        lines += ["\n\n| ours / peer, where both finished | skeleton F1 | arrow F1 | seconds a table | cases |"]
        lines += ["\n| --- | --- | --- | --- | --- |", *beside]
    return [*lines, "\n"]


def _figures(rows: list[dict[str, Any]]) -> tuple[str, str, str]:
    skeleton, arrows, seconds = (_mean(rows, name) for name in ("skeleton_f1", "arrow_f1", "seconds"))
    return f"{skeleton:.2f}", f"{arrows:.2f}", f"{seconds:.2g}"


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([row[name] for row in rows])) if rows else float("nan")


if __name__ == "__main__":
    main()
