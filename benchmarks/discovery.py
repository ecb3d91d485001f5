"""Searches against the peers: seconds, ratio, and whether the graphs are equal, side by side in one run.

Each run is a process of its own with one thread, compiled and imported before the clock starts, stopped after a limit.
Beside the cells: in how many of 20 small tables a peer's graph is identical, what the first call in a fresh process
costs, and how accurate the default settings are against fixed ones. Writes ``results/discovery.json``.

    python -m benchmarks.discovery --limit 60 --method pc
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine

from benchmarks.discovery_contenders import CELLS, CONTENDERS, NETWORKS, Cell
from whence.data import read, simulate
from whence.graph import Graph
from whence.graph.metrics import arrowhead_scores, shd, skeleton_scores
from whence.registry import lookup
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "discovery.json"
PACKAGES = ("whence", "causal-learn", "lingam", "antecedent", "numpy", "scipy", "numba")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
AGREEMENT_CASES = 20
# Rows, columns and tables of the accuracy figures; each on graphs of average degree 2 and 4.
ACCURACY = ((200, 10, 20), (200, 100, 4), (1000, 10, 20), (1000, 100, 4), (1000, 300, 2), (10_000, 100, 4))
SETTINGS: dict[str, dict[str, dict[str, float]]] = {
    "pc": {"default": {}, "alpha 0.01": {"alpha": 0.01}, "alpha 0.05": {"alpha": 0.05}},
    "ges": {"default": {}, "plain BIC": {"per_edge": 0}, "4 times BIC": {"per_edge": 0, "penalty": 4}},
    "boss": {"default": {}, "plain BIC": {"per_edge": 0}},
}


def main() -> None:
    options = arguments()
    if options.run is not None:
        print(json.dumps(run_once(**json.loads(options.run))))
        return
    if options.first_call is not None:
        print(json.dumps(first_call(options.first_call)))
        return
    target = RESULTS if options.out is None else options.out
    for method in dict.fromkeys(cell.method for cell in CELLS):
        if options.method not in (None, method):
            continue
        parts = {
            "agreement": agreements(method),
            "cold_start": cold_starts(method),
            "rows": chain(*(run_cell(c, options.limit, options.largest) for c in CELLS if c.method == method)),
            "accuracy": accuracy(method, options.largest) if method in SETTINGS else (),
        }
        own: dict[str, list[dict[str, Any]]] = {name: [] for name in parts}
        for name, rows in parts.items():
            for row in rows:
                own[name].append(row)
                # Each row is written as it comes: an hour's work is not lost to its last minute, and two methods may
                # be measured at the same time.
                held = others(target, method, options.largest)
                write_json(target, {**provenance(options.limit), **{part: held[part] + own[part] for part in own}})


def others(path: Path, method: str, largest: int) -> dict[str, list[dict[str, Any]]]:
    """Return what the file holds of other methods and sizes than those that are measured anew."""
    held = json.loads(path.read_text()) if path.exists() else {}
    parts = ("rows", "agreement", "cold_start", "accuracy")
    kept = {part: [row for row in held.get(part, []) if row["method"] != method] for part in parts}
    for part in ("rows", "accuracy"):
        kept[part] += [row for row in held.get(part, []) if row["method"] == method and row["p"] > largest]
    return kept


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds on the clock per run")
    parser.add_argument("--method", help="only this method, the figures of others being kept")
    parser.add_argument(
        "--largest", type=int, default=10**6, help="only up to so many columns, larger tables being kept"
    )
    parser.add_argument("--out", type=Path, help="another file for the results")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--first-call", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_cell(cell: Cell, limit: float, largest: int):
    """Yield one row per size and library; a library that hit the limit is not started on larger sizes."""
    stopped: set[str] = set()
    libraries = [library for method, library in CONTENDERS if method == cell.method]
    for p in (size for size in cell.columns if size <= largest):
        found: dict[str, dict[str, Any]] = {}
        for library in libraries:
            if library not in stopped:
                found[library] = in_process(cell, library, p, limit)
                if "seconds" not in found[library]:
                    stopped.add(library)
        ours = found.get("whence", {})
        label = NETWORKS[p] if cell.kind == "network" else cell.label
        for library, row in found.items():
            yield tell({"method": cell.method, "data": label, "p": p, "n": cell.rows, "library": library}, row, ours)


def tell(key: dict[str, Any], row: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return the row compared with ours, and print it."""
    told = {name: value for name, value in row.items() if name != "edges"}
    if key["library"] != "whence" and "edges" in row and "edges" in ours:
        theirs, mine = ({(a, b): (here, there) for a, b, here, there in one["edges"]} for one in (row, ours))
        told["pairs_that_differ"] = sum(theirs.get(pair) != mine.get(pair) for pair in theirs.keys() | mine.keys())
        told["same_skeleton"] = theirs.keys() == mine.keys()
        told["ratio"] = round(row["cpu_seconds"] / ours["cpu_seconds"], 1)
    return say({**key, **told, "processors": os.cpu_count()})  # rows of other methods may come from elsewhere


def say(row: dict[str, Any]) -> dict[str, Any]:
    print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    return row


def in_process(cell: Cell, library: str, p: int, limit: float) -> dict[str, Any]:
    """Run one contender on one size in a fresh process."""
    task = {"cell": CELLS.index(cell), "library": library, "p": p}
    # Import and compilation are not counted, so the process may take a while longer than the limit.
    return in_fresh_process("--run", json.dumps(task), limit=limit, allowance=20.0)


def in_fresh_process(
    *options: str, limit: float, allowance: float = 0.0, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.discovery", *options]
    settings = {**os.environ, **ONE_THREAD, **(environment or {})}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit + allowance, env=settings, check=False
        )
    except subprocess.TimeoutExpired:
        return {"stopped": f"after {limit:.0f} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "no message"}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row if row["seconds"] <= limit else {"stopped": f"after {limit:.0f} s"}


def run_once(cell: int, library: str, p: int) -> dict[str, Any]:
    """Time one contender: the best of as many runs as a second holds, three to thirty; one run if it takes ten."""
    spec = CELLS[cell]
    contender = CONTENDERS[spec.method, library]
    contender(spec.sample(min(spec.columns[0], 8)))
    values = spec.sample(p)
    best: dict[str, Any] = {}
    spent = 0.0
    for run in range(30):
        wall, cpu = time.perf_counter(), time.process_time()
        marks = contender(values)
        seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
        spent += seconds
        if not best or cpu < best["cpu_seconds"]:
            best = {"seconds": round(seconds, 5), "cpu_seconds": round(cpu, 5), "edges": edges_of(np.asarray(marks))}
        if seconds > 10.0 or (spent > 1.0 and run >= 2):
            break
    return {**best, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def edges_of(marks: np.ndarray) -> list[list[int]]:
    """Return each pair that is joined, with the marks at both its ends."""
    i, j = np.nonzero(np.triu((marks != 0) | (marks.T != 0), k=1))
    return np.column_stack([i, j, marks[j, i], marks[i, j]]).tolist()


def agreements(method: str):
    """Yield for each peer in how many small tables its graph is identical to ours, and its skeleton."""
    spec = next(cell for cell in CELLS if cell.method == method)
    for library in (library for name, library in CONTENDERS if name == method and not library.startswith("whence")):
        row = {"method": method, "library": library, "cases": AGREEMENT_CASES, "identical": 0, "same_skeleton": 0}
        try:
            for seed in range(AGREEMENT_CASES):
                values = spec.sample(min(spec.columns[0], 8), seed)
                mine, theirs = (CONTENDERS[method, name](values) for name in ("whence", library))
                row["identical"] += bool(np.array_equal(mine, theirs))
                row["same_skeleton"] += bool(np.array_equal(mine != 0, theirs != 0))
        except Exception as error:  # a peer that is not there, or refuses
            row["failed"] = str(error)[:200]
        yield say(row)


def cold_starts(method: str):
    """Yield what the first call in a fresh process costs, with no compiled kernels on disk and with them there."""
    with tempfile.TemporaryDirectory() as folder:
        for cache in ("empty", "warm"):
            row = in_fresh_process("--first-call", method, limit=600, environment={"NUMBA_CACHE_DIR": folder})
            yield say({"method": method, "cache": cache, **row})


def first_call(method: str) -> dict[str, Any]:
    """Time two calls of a method: the first imports its modules and compiles its kernels, or loads them."""
    cell = next(cell for cell in CELLS if cell.method == method)
    values = cell.sample(cell.columns[0])
    seconds = []
    for _ in range(2):
        wall = time.perf_counter()
        CONTENDERS[method, "whence"](values)
        seconds.append(time.perf_counter() - wall)
    return {"seconds": round(seconds[0], 3), "second_call": round(seconds[1], 3)}


def accuracy(method: str, largest: int):
    """Yield mean skeleton F1, F1 of the class's arrowheads and distance of settings of one method."""
    for degree in (2.0, 4.0):
        for n, p, tables in ACCURACY:
            if p > largest:
                continue
            drawn = [_with_truth(n, p, degree, seed) for seed in range(tables)]
            for name, settings in SETTINGS[method].items():
                figures = []
                for truth, data in drawn:
                    graph = lookup("search", method)(**settings).fit(data).graph
                    figures.append(
                        (skeleton_scores(truth, graph).f1, arrowhead_scores(truth, graph).f1, shd(truth, graph))
                    )
                skeleton, arrows, distance = np.mean(figures, axis=0)
                yield say(
                    {
                        "method": method,
                        "setting": name,
                        "degree": degree,
                        "n": n,
                        "p": p,
                        "tables": tables,
                        "skeleton_f1": round(float(skeleton), 3),
                        "arrowhead_f1": round(float(arrows), 3),
                        "shd": round(float(distance), 1),
                    }
                )


def _with_truth(n: int, p: int, degree: float, seed: int):
    """Return a random class of graphs and rows of a linear Gaussian model on one of its members."""
    structure = simulate.random_dag(p, degree=degree, random_state=1000 * p + seed)
    values = simulate.linear_scm(
        structure, n, weights=(0.3, 0.9), noise_scale=(0.7, 1.3), random_state=1000 * p + seed
    ).values
    names = [f"X{k}" for k in range(p)]
    return Graph.from_adjacency(names, structure).to_cpdag(), read(values, names=names)


def provenance(limit: float) -> dict[str, Any]:
    """Return what a reader needs to judge the figures."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return {"machine": machine(), "threads": 1, "limit_seconds": limit, "versions": found}


if __name__ == "__main__":
    main()
