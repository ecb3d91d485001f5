"""Which level of its tests, and which rows a cell for tests on counts, make PC most accurate over sizes of tables.

A rule says from rows n and columns p the level, and the rows that a cell must hold on average given one column and
given more (`whence.independence.GSquare`). PC runs with each rule on the same simulated tables: linear Gaussian ones,
and categories, few (two to four) or many (two to ten) a column, whose tables are drawn at random or whose log-odds add
up. A cell of the study is a size, a density and a sort; a rule is behind in it if its structural Hamming distance
exceeds that of the default by more than twice the standard error of the difference, the tables being paired. They are
none of those of `benchmarks.accuracy`. Writes ``results/pc_rules.json``.

    python -m benchmarks.pc_rules --study level --columns 10 20
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
from whence.independence import GSquare
from whence.independence.contingency import ROWS_PER_CELL
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "pc_rules.json"
SEED = 31
TABLES = {10: 40, 20: 30, 50: 16, 100: 10, 300: 4}  # by number of columns
ROWS, DEGREES = (200, 1000, 5000), (2.0, 3.0)
MOST_VALUES = {"few values": 4, "many values": 10}  # of a column
# A table of probabilities has at most so many rows; with more parents the log-odds add up.
MOST_CASES = 100_000

Rule = Callable[[int, int], float | tuple[float, float]]  # of rows and columns: a level, or rows a cell
LEVELS: dict[str, Rule] = {
    "0.05": lambda n, p: 0.05,
    "0.01": lambda n, p: 0.01,
    "0.001": lambda n, p: 0.001,
    "numbers' default": default_alpha,
    "counts' default": lambda n, p: default_alpha(n, p, counts=True),
    "min(0.05, 100 / n)": lambda n, p: min(0.05, 100 / n),
    "min(0.05, 30 / n) * sqrt(min(1, 30 / p))": lambda n, p: min(0.05, 30 / n) * math.sqrt(min(1.0, 30 / p)),
}
CELLS: dict[str, Rule] = {
    "none": lambda n, p: (0.0, 0.0),
    "0 given one, 1 given more": lambda n, p: (0.0, 1.0),
    "0.25 given one, 1 given more": lambda n, p: (0.25, 1.0),
    "0.5 given one, 0.5 given more": lambda n, p: (0.5, 0.5),
    "0.5 given one, 1 given more": lambda n, p: (0.5, 1.0),
    "1 given one, 1 given more": lambda n, p: (1.0, 1.0),
    "1 given one, 2.5 given more": lambda n, p: (1.0, 2.5),
    "1 given one, 5 given more": lambda n, p: (1.0, 5.0),
    "5 given one, 5 given more": lambda n, p: (5.0, 5.0),
    "default": lambda n, p: ROWS_PER_CELL,
}
SORTS = ("numbers", *MOST_VALUES)
STUDIES = {"level": (LEVELS, SORTS), "rows a cell": (CELLS, SORTS[1:])}
DEFAULTS = {
    ("level", "numbers"): "numbers' default",
    ("level", "few values"): "counts' default",
    ("level", "many values"): "counts' default",
    ("rows a cell", "few values"): "default",
    ("rows a cell", "many values"): "default",
}
METRICS = ("skeleton_f1", "arrow_f1", "shd")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", nargs="*", default=list(STUDIES), choices=STUDIES, help="only these rules")
    parser.add_argument(
        "--columns", type=int, nargs="*", default=list(TABLES), choices=TABLES, help="only tables of these columns"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="another file for the results")
    options = parser.parse_args()
    cells = [(study, sort) for study in options.study for sort in STUDIES[study][1]]
    with threadpool_limits(1):
        for (study, sort), p, degree, n in itertools.product(cells, options.columns, DEGREES, ROWS):
            cell = {"study": study, "sort": sort, "columns": p, "rows": n, "degree": degree}
            row = {**cell, **of_cell(study, sort, p, n, degree)}
            print(*cell.values(), {rule: scores["shd"] for rule, scores in row["scores"].items()}, flush=True)
            held = json.loads(options.out.read_text())["rows"] if options.out.exists() else []
            rows = sorted([row, *(other for other in held if place(other) != place(row))], key=place)
            write_json(options.out, {**provenance(0.0), "seed": SEED, "summary": summary(rows), "rows": rows})


def place(row: dict[str, Any]) -> tuple[int, int, float, int]:
    """Return where a row stands in the results."""
    return list(DEFAULTS).index((row["study"], row["sort"])), row["columns"], row["degree"], row["rows"]


def of_cell(study: str, sort: str, p: int, n: int, degree: float) -> dict[str, Any]:
    """Return the mean scores of every rule over the tables of a cell."""
    rules, _ = STUDIES[study]
    found: dict[str, list[list[float]]] = {rule: [] for rule in rules}
    for k in range(TABLES[p]):
        data, truth = draw(sort, n, p, degree, [SEED, SORTS.index(sort), p, n, int(degree), k])
        target = truth.to_cpdag()
        by_setting: dict[Any, list[float]] = {}  # rules that agree on this table share a search
        for rule, setting_of in rules.items():
            setting = setting_of(n, p)
            if setting not in by_setting:
                graph = search(data, setting)
                by_setting[setting] = [
                    skeleton_scores(target, graph).f1,
                    arrowhead_scores(target, graph).f1,
                    float(shd(target, graph)),
                ]
            found[rule].append(by_setting[setting])
    own = np.array(found[DEFAULTS[study, sort]])[:, 2]
    scores: dict[str, dict[str, Any]] = {}
    for rule, tables in found.items():
        scores[rule] = dict(zip(METRICS, np.mean(tables, axis=0).round(4).tolist()))
        gap = np.array(tables)[:, 2] - own
        error = float(gap.std(ddof=1)) / math.sqrt(len(gap))
        far = abs(float(gap.mean())) > 2 * error
        scores[rule]["beside the default"] = "same" if not far else "behind" if gap.mean() > 0 else "ahead"
        scores[rule]["shd beside the default"] = round(float(gap.mean()), 3)
    return {"tables": TABLES[p], "settings": {rule: of(n, p) for rule, of in rules.items()}, "scores": scores}


def search(data: Dataset, setting: float | tuple[float, float]) -> Graph:
    """Return the graph that PC finds at a level, or with so many rows a cell at its default level."""
    if not isinstance(setting, tuple):
        return PC(alpha=setting).fit(data).graph
    return PC(test=GSquare(data.select(sorted(data.names)), rows_per_cell=setting)).fit().graph


def draw(sort: str, n: int, p: int, degree: float, seed: list[int]) -> tuple[Dataset, Graph]:
    """Draw a table in which every column varies and none is another's, and its graph."""
    if sort == "numbers":
        return price_rules.draw(p, n, degree, price_rules.WEIGHTS["strong"], seed)
    rng = np.random.default_rng(seed)
    while True:
        structure = simulate.random_dag(p, degree=degree, random_state=rng)
        most = MOST_VALUES[sort]
        small = float(most) ** int(structure.sum(axis=0).max()) <= MOST_CASES
        values = simulate.discrete_scm(
            structure,
            n,
            levels=(2, most),
            mechanism="cpt" if small and rng.random() < 0.5 else "softmax",
            random_state=rng,
        ).values
        different = len(np.unique([by_appearance(column) for column in values.T], axis=0)) == p
        if different and (values.min(axis=0) < values.max(axis=0)).all():
            names = [f"X{k}" for k in range(p)]
            data = read(values.astype(np.int64), names=names, kinds=dict.fromkeys(names, "categorical"))
            return data, Graph.from_adjacency(names, structure)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for every study, sort and rule its mean scores over cells, and in how many it is behind or ahead."""
    found = []
    for study, sort in DEFAULTS:
        cells = [row["scores"] for row in rows if (row["study"], row["sort"]) == (study, sort)]
        for rule in STUDIES[study][0] if cells else ():
            ran = [scores[rule] for scores in cells]
            means = {metric: round(float(np.mean([one[metric] for one in ran])), 3) for metric in METRICS}
            beside = [one["beside the default"] for one in ran]
            counts = {f"cells {word}": beside.count(word) for word in ("behind", "ahead")}
            found.append({"study": study, "sort": sort, "rule": rule, **means, **counts, "cells": len(ran)})
    return found


if __name__ == "__main__":
    main()
