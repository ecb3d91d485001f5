"""Searches against the peers: seconds, ratio, and whether the graphs are equal, side by side in one run.

Each run is a process of its own with one thread, compiled and imported before the clock starts, stopped after a limit.
Writes ``results/discovery.json``.

    python -m benchmarks.discovery --limit 60 --method pc
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine

from benchmarks.discovery_contenders import CELLS, CONTENDERS, Cell
from whence.data import simulate
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "discovery.json"
PACKAGES = ("whence", "causal-learn", "lingam", "antecedent", "numpy", "scipy", "numba")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def main() -> None:
    options = arguments()
    if options.run is not None:
        print(json.dumps(run_once(**json.loads(options.run))))
        return
    rows = []
    for cell in CELLS:
        if options.method in (None, cell.method):
            rows += list(run_cell(cell, options.limit, options.largest))
    write_json(RESULTS if options.out is None else options.out, {**provenance(options.limit), "rows": rows})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds on the clock per run")
    parser.add_argument("--method", help="only this method")
    parser.add_argument("--largest", type=int, default=10**6, help="only up to this many columns")
    parser.add_argument("--out", type=Path, help="another file for the results")
    parser.add_argument("--run", help=argparse.SUPPRESS)
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
        for library, row in found.items():
            yield tell(
                {"method": cell.method, "data": cell.label, "p": p, "n": cell.rows, "library": library}, row, ours
            )


def tell(key: dict[str, Any], row: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return the row compared with ours, and print it."""
    marks, own = row.pop("marks", None), ours.get("marks")
    if key["library"] == "whence":
        ours["marks"] = marks  # kept for the rows of the peers that follow
    elif marks is not None and own is not None:
        theirs, mine = np.array(marks), np.array(own)
        different = np.triu((theirs != mine) | (theirs.T != mine.T), k=1)
        row["pairs_that_differ"] = int(different.sum())
        row["same_skeleton"] = bool(((theirs != 0) == (mine != 0)).all())
        row["ratio"] = round(row["seconds"] / ours["seconds"], 1)
    full = {**key, **row}
    print(" ".join(f"{name}={value}" for name, value in full.items()), flush=True)
    return full


def in_process(cell: Cell, library: str, p: int, limit: float) -> dict[str, Any]:
    """Run one contender on one size in a fresh process."""
    task = {"cell": CELLS.index(cell), "library": library, "p": p}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.discovery", "--run", json.dumps(task)]
    try:
        # Import and compilation are not counted, so the process may take a while longer than the limit.
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit + 60, env={**os.environ, **ONE_THREAD}, check=False
        )
    except subprocess.TimeoutExpired:
        return {"stopped": f"after {limit:.0f} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "no message"}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row if row["seconds"] <= limit else {"stopped": f"after {limit:.0f} s"}


def run_once(cell: int, library: str, p: int) -> dict[str, Any]:
    """Time one contender: the best of three below a second, else once."""
    spec = CELLS[cell]
    contender = CONTENDERS[spec.method, library]
    contender(sample(spec, 5))
    values = sample(spec, p)
    best: dict[str, Any] = {}
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        marks = contender(values)
        seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if not best or cpu < best["cpu_seconds"]:
            best = {"seconds": round(seconds, 5), "cpu_seconds": round(cpu, 5), "marks": np.asarray(marks).tolist()}
        if seconds > 1.0:
            break
    return best


def sample(cell: Cell, p: int) -> np.ndarray:
    structure = simulate.random_dag(p, degree=cell.degree, kind=cell.kind, random_state=p)
    return simulate.linear_scm(
        structure, cell.rows, weights=(0.3, 0.9), noise=cell.noise, noise_scale=(0.7, 1.3), random_state=p
    ).values


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
