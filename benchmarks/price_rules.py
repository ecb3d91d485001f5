"""Which price of an edge makes searches by score most accurate, over sizes, densities and weights of tables.

A rule says from rows n and columns p what an edge must add to the log-likelihood. GES, BOSS and GRaSP run under each
rule on the same simulated tables, linear and Gaussian, and are compared with the class of the true graph; the peers run
on the smaller ones with their own defaults. A difference counts if it exceeds twice its standard error over the tables,
which are paired. The tables are none of those of `benchmarks.accuracy`. Writes ``results/price_rules.json``.

    python -m benchmarks.price_rules --columns 10 20
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import found_by, standardised
from benchmarks.discovery import ONE_THREAD, provenance
from whence.data import Dataset, simulate
from whence.discovery import BOSS, GES, GRaSP
from whence.graph import Graph
from whence.graph.metrics import arrowhead_scores, shd, skeleton_scores
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "price_rules.json"
SEED = 29
SEARCHES = {"ges": GES, "boss": BOSS, "grasp": GRaSP}
# Tables by number of columns, and on how many of them, with how many rows, the peers run.
TABLES = {10: 40, 20: 30, 50: 12, 100: 4, 300: 2}
OF_PEERS = {"ges": {10: 10}, "boss": {10: 40, 20: 6}, "grasp": {10: 40, 20: 6}}
# From here on a search at a low price takes minutes: only some of the tables are drawn.
MANY = 300
ROWS, DEGREES = (200, 1000, 10_000), (1.0, 2.0, 4.0, 6.0)
WEIGHTS = {"strong": (0.3, 0.9), "weak": (0.1, 0.6)}
# What an edge must add to the log-likelihood.
RULES: dict[str, Callable[[int, int], float]] = {
    "log n / 2": lambda n, p: math.log(n) / 2,
    "log n / 2 + log p": lambda n, p: math.log(n) / 2 + math.log(p),
    "log n / 2 + 1.5 log p": lambda n, p: math.log(n) / 2 + 1.5 * math.log(p),
    "log n / 2 + 2 log p": lambda n, p: math.log(n) / 2 + 2 * math.log(p),
    "max(log n / 2, 2 log p)": lambda n, p: max(math.log(n) / 2, 2 * math.log(p)),
    "log p + max(log n / 2, log p)": lambda n, p: math.log(p) + max(math.log(n) / 2, math.log(p)),
    "log n": lambda n, p: math.log(n),
    "log n + log p": lambda n, p: math.log(n) + math.log(p),
    "2 log n": lambda n, p: 2 * math.log(n),
}
# The default of each peer, in the same units.
OF_PEER = {"ges": "log n / 2", "boss": "2 log n", "grasp": "2 log n"}
METRICS = ("skeleton_f1", "arrow_f1", "shd", "false", "missed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, nargs="*", default=list(TABLES), help="only tables of these columns")
    parser.add_argument("--out", type=Path, default=RESULTS, help="another file for the results")
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        for row in of_columns(options.run):
            print(json.dumps(row), flush=True)
        return
    held = json.loads(options.out.read_text())["rows"] if options.out.exists() else []
    rows = [row for row in held if row["columns"] not in options.columns]
    for p in options.columns:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.price_rules", "--run", str(p)]
        environment = {**os.environ, **ONE_THREAD}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                rows.append(json.loads(line))
                print(f"{rows[-1]['columns']} columns, {rows[-1]['rows']} rows, degree {rows[-1]['degree']:g}")
        if process.returncode:
            sys.exit(f"the tables of {p} columns failed")
        rows.sort(key=lambda row: row["columns"])
        write_json(options.out, {**provenance(0.0), "seed": SEED, "summary": summary(rows), "rows": rows})


def of_columns(p: int) -> Iterator[dict[str, Any]]:
    """Yield one row for each number of rows, degree and range of weights: the mean scores of every rule and search."""
    rules = {rule: price for rule, price in RULES.items() if p < MANY or rule != "log n / 2"}
    for n, degree, (strength, weights) in itertools.product(ROWS, DEGREES, WEIGHTS.items()):
        if p >= MANY and (n != 1000 or degree > 4 or strength == "weak"):
            continue
        started = time.process_time()
        scores: dict[str, list[dict[str, float]]] = {}
        for k in range(TABLES[p]):
            data, truth = draw(p, n, degree, weights, [SEED, p, n, int(degree), k])
            for search, made in SEARCHES.items():
                at_price: dict[float, dict[str, float]] = {}  # rules that agree on this table share a search
                for rule, price in rules.items():
                    per_edge = price(n, p) - math.log(n) / 2
                    if per_edge not in at_price:
                        at_price[per_edge] = compared(truth, made(score="bic", per_edge=per_edge).fit(data).graph)
                    scores.setdefault(f"{search}: {rule}", []).append(at_price[per_edge])
            for search, tables in OF_PEERS.items():
                if k < tables.get(p, 0):
                    found = found_by(f"causal-learn {search}", data)
                    scores.setdefault(f"causal-learn {search}", []).append(compared(truth, found))
        yield {
            "columns": p,
            "rows": n,
            "degree": degree,
            "weights": strength,
            "tables": TABLES[p],
            "seconds": round(time.process_time() - started, 1),
            "scores": {name: told(scores, name) for name in scores},
        }


def told(scores: dict[str, list[dict[str, float]]], name: str) -> dict[str, Any]:
    """Return the mean scores of a contender, and whether it is above or below the peer and our search at its price."""
    found: dict[str, Any] = {key: round(float(np.mean([one[key] for one in scores[name]])), 4) for key in METRICS}
    search = name.split(":", maxsplit=1)[0]
    if search in SEARCHES:
        for label, other in against(search).items():
            if other in scores:
                found[label] = versus(scores[name], scores[other])
    return found


def against(search: str) -> dict[str, str]:
    """Return what the rules of a search are held against: the peer, and our search at the peer's price."""
    return {"price of the peer": f"{search}: {OF_PEER[search]}", "peer": f"causal-learn {search}"}


def draw(p: int, n: int, degree: float, weights: tuple[float, float], seed: list[int]) -> tuple[Dataset, Graph]:
    """Draw a standardised table and its graph."""
    rng = np.random.default_rng(seed)
    structure = simulate.random_dag(p, degree=degree, random_state=rng)
    values = simulate.linear_scm(structure, n, weights=weights, noise_scale=(0.7, 1.3), random_state=rng).values
    return standardised(values, structure)


def compared(truth: Graph, found: Graph) -> dict[str, float]:
    target = truth.to_cpdag()
    there, claimed = (np.triu(np.asarray(graph.marks) != 0) for graph in (target, found.subgraph(target.names)))
    return {
        "skeleton_f1": round(skeleton_scores(target, found).f1, 4),
        "arrow_f1": round(arrowhead_scores(target, found).f1, 4),
        "shd": shd(target, found),
        "false": int((claimed & ~there).sum()),
        "missed": int((there & ~claimed).sum()),
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for every search and rule: mean scores over cells, and in how many it is beyond the peer's default.

    Both the peer itself, where it ran, and our search at the peer's price.
    """
    found = []
    for search, rule in itertools.product(SEARCHES, RULES):
        name = f"{search}: {rule}"
        ran = [row["scores"][name] for row in rows if name in row["scores"]]
        if not ran:
            continue
        means = {key: float(np.mean([row[key] for row in ran])) for key in METRICS}
        where = {label: [row[label] for row in ran if label in row] for label in against(search)}
        found.append(
            {
                "search": search,
                "rule": rule,
                **{key: round(value, 3) for key, value in means.items()},
                **{
                    f"cells {word} the {label}": listed.count(word)
                    for label, listed in where.items()
                    for word in ("above", "below")
                },
                "cells": len(ran),
                "cells of the peer": len(where["peer"]),
            }
        )
    return found


def versus(ours: list[dict[str, float]], theirs: list[dict[str, float]], key: str = "arrow_f1") -> str:
    """Return whether a contender is above or below another beyond twice the error of the paired difference."""
    gap = np.array([one[key] - other[key] for one, other in zip(ours, theirs)])  # the peer may have run on fewer tables
    error = float(gap.std(ddof=1) / math.sqrt(len(gap))) if len(gap) > 1 else math.inf
    if abs(gap.mean()) <= 2 * error:
        return "level"
    return "above" if gap.mean() > 0 else "below"


if __name__ == "__main__":
    main()
