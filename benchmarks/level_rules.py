"""Which level of its tests makes PC most accurate, for numbers and for categories, over sizes and densities of tables.

A rule says the level from rows n and columns p. PC runs with each on the same simulated tables: linear Gaussian ones,
and categories of two to four values whose tables are drawn at random or whose log-odds add up. A cell is a size, a
density and a sort; a rule is behind in it if its structural Hamming distance exceeds that of the default by more than
twice the standard error of the difference, the tables being paired. They are none of those of `benchmarks.accuracy`.
Writes ``results/level_rules.json``.

    python -m benchmarks.level_rules --columns 10 20
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import price_rules
from benchmarks.accuracy import by_appearance
from benchmarks.discovery import provenance
from whence.data import Dataset, read, simulate
from whence.discovery import PC
from whence.discovery.pc import default_alpha
from whence.graph import Graph
from whence.graph.metrics import arrowhead_scores, shd, skeleton_scores
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "level_rules.json"
SEED = 31
TABLES = {10: 40, 20: 30, 50: 16, 100: 10, 300: 4}  # by number of columns
ROWS, DEGREES, SORTS = (200, 1000, 5000), (2.0, 3.0), ("numbers", "categories")
RULES: dict[str, Callable[[int, int], float]] = {
    "0.05": lambda n, p: 0.05,
    "0.01": lambda n, p: 0.01,
    "0.001": lambda n, p: 0.001,
    "numbers' default": default_alpha,
    "categories' default": lambda n, p: default_alpha(n, p, counts=True),
    "min(0.05, 100 / n)": lambda n, p: min(0.05, 100 / n),
    "min(0.05, 30 / n) * sqrt(min(1, 30 / p))": lambda n, p: min(0.05, 30 / n) * math.sqrt(min(1.0, 30 / p)),
}
METRICS = ("skeleton_f1", "arrow_f1", "shd")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--columns", type=int, nargs="*", default=list(TABLES), choices=TABLES, help="only tables of these columns"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="another file for the results")
    options = parser.parse_args()
    held = json.loads(options.out.read_text())["rows"] if options.out.exists() else []
    rows = [row for row in held if row["columns"] not in options.columns]
    with threadpool_limits(1):
        for sort, p, degree, n in itertools.product(SORTS, options.columns, DEGREES, ROWS):
            rows.append({"sort": sort, "columns": p, "rows": n, "degree": degree, **of_cell(sort, p, n, degree)})
            print(sort, p, n, degree, {rule: scores["shd"] for rule, scores in rows[-1]["scores"].items()}, flush=True)
            rows.sort(key=lambda row: (SORTS.index(row["sort"]), row["columns"], row["degree"], row["rows"]))
            write_json(options.out, {**provenance(0.0), "seed": SEED, "summary": summary(rows), "rows": rows})


def of_cell(sort: str, p: int, n: int, degree: float) -> dict[str, Any]:
    """Return the mean scores of every rule over the tables of a cell."""
    found: dict[str, list[list[float]]] = {rule: [] for rule in RULES}
    for k in range(TABLES[p]):
        data, truth = draw(sort, n, p, degree, [SEED, SORTS.index(sort), p, n, int(degree), k])
        target = truth.to_cpdag()
        at_level: dict[float, list[float]] = {}  # rules that agree on this table share a search
        for rule, level in RULES.items():
            alpha = level(n, p)
            if alpha not in at_level:
                graph = PC(alpha=alpha).fit(data).graph
                at_level[alpha] = [
                    skeleton_scores(target, graph).f1,
                    arrowhead_scores(target, graph).f1,
                    float(shd(target, graph)),
                ]
            found[rule].append(at_level[alpha])
    own = np.array(found[f"{sort}' default"])[:, 2]
    scores: dict[str, dict[str, Any]] = {}
    for rule, tables in found.items():
        scores[rule] = dict(zip(METRICS, np.mean(tables, axis=0).round(4).tolist()))
        scores[rule]["level"] = RULES[rule](n, p)
        gap = np.array(tables)[:, 2] - own
        error = float(gap.std(ddof=1)) / math.sqrt(len(gap))
        far = abs(float(gap.mean())) > 2 * error
        scores[rule]["beside the default"] = "same" if not far else "behind" if gap.mean() > 0 else "ahead"
    return {"tables": TABLES[p], "scores": scores}


def draw(sort: str, n: int, p: int, degree: float, seed: list[int]) -> tuple[Dataset, Graph]:
    """Draw a table in which every column varies and none is another's, and its graph."""
    if sort == "numbers":
        return price_rules.draw(p, n, degree, price_rules.WEIGHTS["strong"], seed)
    rng = np.random.default_rng(seed)
    while True:
        structure = simulate.random_dag(p, degree=degree, random_state=rng)
        mechanism = "cpt" if rng.random() < 0.5 else "softmax"
        values = simulate.discrete_scm(structure, n, mechanism=mechanism, random_state=rng).values
        different = len(np.unique([by_appearance(column) for column in values.T], axis=0)) == p
        if different and (values.min(axis=0) < values.max(axis=0)).all():
            names = [f"X{k}" for k in range(p)]
            data = read(values.astype(np.int64), names=names, kinds=dict.fromkeys(names, "categorical"))
            return data, Graph.from_adjacency(names, structure)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for every sort and rule its mean scores over cells, and in how many it is behind or ahead."""
    found = []
    for sort, rule in itertools.product(SORTS, RULES):
        ran = [row["scores"][rule] for row in rows if row["sort"] == sort]
        if ran:
            means = {metric: round(float(np.mean([row[metric] for row in ran])), 3) for metric in METRICS}
            beside = [row["beside the default"] for row in ran]
            counts = {f"cells {word}": beside.count(word) for word in ("behind", "ahead")}
            found.append({"sort": sort, "rule": rule, **means, **counts, "cells": len(ran)})
    return found


if __name__ == "__main__":
    main()
