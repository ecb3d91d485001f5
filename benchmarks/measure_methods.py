"""What the cards say of every search beyond its words: run time and accuracy, measured here.

Run time is fitted as log T = a + b log n + c log p with b, c >= 0. Accuracy is the strict F1 of the directed edges
against the true DAG, an undirected edge counting half, on standardised linear simulations whose columns are shuffled,
with Gaussian and with Laplace noise, and on discrete networks. Writes ``src/whence/registry_measured.json``, which the
cards read, and the raw rows to ``results/measure_methods.json``.

    python -m benchmarks.measure_methods                    # every search
    python -m benchmarks.measure_methods --only resit rcd   # these; what was measured of the others stays
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine
from scipy.optimize import lsq_linear

import whence
from whence.data import Dataset, simulate
from whence.graph import Graph
from whence.registry import Card, lookup, methods
from whence.results import write_atomically, write_json

ROWS = (500, 2000, 8000)
COLUMNS = (5, 10, 20, 40, 80)
# Tables with more columns than one on which a search took longer than this are not tried.
LIMIT_SECONDS = 20.0
REPEATS = 3
SEEDS = range(100, 110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS)
    options = parser.parse_args()
    cards = [card for card in methods("search") if not options.only or card.name in options.only]
    results = Path(__file__).parent / "results" / "measure_methods.json"
    rows: list[dict[str, Any]] = []
    measured: dict[str, Any] = {}
    for card in cards:
        timed, scored = list(run_times(card, options.limit)), list(accuracies(card))
        rows += timed + scored
        scenarios = sorted({row["scenario"] for row in scored})
        measured[card.name] = {
            "cost": fit(timed),
            "accuracy": {name: mean_f1(scored, name) for name in scenarios},
        }
        print(card.name, measured[card.name])
    if options.only:
        before = json.loads(results.read_text())
        rows = [row for row in before["rows"] if row["method"] not in measured] + rows
        measured = dict(sorted({**before["measured"], **measured}.items()))
    write_atomically(Path(whence.__file__).parent / "registry_measured.json", json.dumps(measured, indent=2) + "\n")
    write_json(results, {"machine": machine(), "whence": whence.__version__, "rows": rows, "measured": measured})


def run_times(card: Card, limit: float) -> Iterator[dict[str, Any]]:
    """Yield the least processor time of a few runs per size, compiled before, as far as a size takes too long."""
    widest = max(COLUMNS)
    for n, p in itertools.product(ROWS, COLUMNS if card.columns is None else (card.columns,)):
        if p > widest:
            continue
        data = simulate.linear_scm(p, n, degree=2.0, noise="laplace", random_state=p).data
        search = lookup("search", card.name)()
        search.fit(data)
        taken = []
        for _ in range(REPEATS):
            started = time.process_time()
            search.fit(data)
            taken.append(time.process_time() - started)
        yield {"method": card.name, "n": n, "p": p, "seconds": min(taken)}
        if min(taken) > limit:
            widest = p - 1


def fit(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the coefficients of the log-linear model with non-negative growth."""
    design = np.array([[1.0, np.log(row["n"]), np.log(row["p"])] for row in rows])
    target = np.log([row["seconds"] for row in rows])
    solution = lsq_linear(design, target, bounds=([-np.inf, 0.0, 0.0], [np.inf, np.inf, np.inf])).x
    return dict(zip(("intercept", "rows", "columns"), (round(float(value), 3) for value in solution)))


def accuracies(card: Card) -> Iterator[dict[str, Any]]:
    """Yield the strict F1 on every scenario that the card's kinds allow."""
    for scenario, seed in itertools.product(("gaussian", "laplace", "discrete"), SEEDS):
        if scenario == "discrete" and "categorical" not in card.kinds:
            continue
        simulation = (
            simulate.discrete_scm(10, 2000, degree=2.0, random_state=seed)
            if scenario == "discrete"
            else simulate.linear_scm(
                card.columns or 10, 1000, degree=2.0, weights=(0.3, 0.9), noise=scenario, random_state=seed
            )
        )
        truth = Graph.from_edges(simulation.edges, names=simulation.observed)
        found = lookup("search", card.name)().fit(shuffled(simulation.data, seed)).graph
        yield {"method": card.name, "scenario": scenario, "seed": seed, "f1": strict_f1(truth, found)}


def shuffled(data: Dataset, seed: int) -> Dataset:
    return data.select(np.random.default_rng(seed).permutation(data.names).tolist())


def strict_f1(truth: Graph, found: Graph) -> float:
    """Return the F1 of directed edges; an undirected edge is half a hit where the pair is truly joined."""
    true = {(edge.source, edge.target) for edge in truth.edges()}
    hits = sum(
        1.0 if edge.is_directed and (edge.source, edge.target) in true else 0.5
        for edge in found.edges()
        if (edge.source, edge.target) in true or (not edge.is_directed and (edge.target, edge.source) in true)
    )
    claimed = len(found.edges())
    return 2 * hits / (claimed + len(true)) if claimed + len(true) else 1.0


def mean_f1(rows: list[dict[str, Any]], scenario: str) -> float:
    return round(float(np.mean([row["f1"] for row in rows if row["scenario"] == scenario])), 3)


if __name__ == "__main__":
    main()
