"""A Parquet file larger than memory to a graph, against what DuckDB needs for the plain averages and covariances.

DuckDB itself writes the file, in a stream, from a linear Gaussian model whose graph is known. Then fresh processes run
in turn: DuckDB with ``SELECT avg(x), covar_pop(x, y)`` over all pairs of the same columns, and whence from the path to
the graphs of PC and BOSS. Imports and the compilation of the searches on a small table are over before the clock runs;
peak memory counts them. It passes if whence takes less than three times DuckDB's time and less than 1 GiB of memory.
Writes ``results/large_tables.json``; the exit status is 1 if it does not pass.

    python -m benchmarks.large_tables --rows 2_000_000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine

import whence as wh
from whence.data import simulate
from whence.discovery import BOSS, PC
from whence.graph import Graph
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "large_tables.json"
PACKAGES = ("whence", "duckdb", "ibis-framework", "pyarrow", "numpy")
SEARCHES: dict[str, Any] = {"PC": PC, "BOSS": BOSS}
MOST_TIMES, MOST_BYTES = 3.0, 2**30


def main() -> None:
    options = arguments()
    if options.run is not None:
        print(json.dumps(measured(options.run, options.columns, options.path)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "table.parquet")
        truth = write_table(path, options.rows, options.columns, options.seed)
        size = Path(path).stat().st_size
        print(f"wrote {size / 2**30:.2f} GiB", flush=True)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
        for _ in range(options.repeats):
            for name, done in runs.items():
                done.append(in_process(name, options.columns, path))
                print(name, {key: value for key, value in done[-1].items() if key != "found"}, flush=True)
    document = {
        "machine": machine(),
        "versions": {name: version(name) for name in PACKAGES},
        "seed": options.seed,
        "rows": options.rows,
        "columns": options.columns,
        "file_bytes": size,
        **judged(runs, truth),
    }
    write_json(options.out, document)
    print({key: document[key] for key in ("ratio", "peak_bytes", "graphs", "passed")})
    sys.exit(0 if document["passed"] else 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=2, help="runs of each, in turn; the fastest counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--run", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_table(path: str, rows: int, columns: int, seed: int) -> Graph:
    """Let DuckDB draw a linear Gaussian table into a file, and return the graph it came from."""
    import duckdb

    adjacency = simulate.random_dag(columns, degree=2.0, random_state=seed)
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.3, 0.9, (columns, columns)) * rng.choice([-1, 1], (columns, columns)) * adjacency
    scale = rng.uniform(0.7, 1.3, columns)
    # With x = W'x + e the table is x = (1 - W')^-1 e: one sum of noises for each column.
    total = np.linalg.inv(np.eye(columns) - weights.T)
    noises = ", ".join(
        f"{scale[k]} * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS e{k}" for k in range(columns)
    )
    sums = (" + ".join(f"{float(total[j, k])!r} * e{k}" for k in range(columns) if total[j, k]) for j in range(columns))
    values = ", ".join(f"{10 * j} + {text} AS x{j}" for j, text in enumerate(sums))
    with duckdb.connect(config={"threads": 1}) as connection:  # one thread draws the same numbers every time
        connection.execute(f"SELECT setseed({(seed % 1000) / 1000})")
        connection.execute(
            f"COPY (SELECT {values} FROM (SELECT {noises} FROM range({rows}))) TO '{path}' (FORMAT parquet)"
        )
    return Graph.from_adjacency(tuple(f"x{j}" for j in range(columns)), adjacency)


def in_process(name: str, columns: int, path: str) -> dict[str, Any]:
    """Run one contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.large_tables", "--run", name, "--path", path]
    done = subprocess.run([*command, "--columns", str(columns)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed: {done.stderr.strip()}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def measured(name: str, columns: int, path: str) -> dict[str, Any]:
    """Time one contender here, and read this process's peak memory."""
    work = CONTENDERS[name](columns, path)
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_bytes": peak, "found": found}


def plain_duckdb(columns: int, path: str) -> Callable[[], dict[str, Any]]:
    import duckdb

    names = [f"x{k}" for k in range(columns)]
    wanted = [f"avg({name})" for name in names]
    wanted += [f"covar_pop({a}, {b})" for a, b in combinations_with_replacement(names, 2)]
    query = f"SELECT {', '.join(wanted)} FROM read_parquet('{path}')"
    connection = duckdb.connect()

    def work() -> dict[str, Any]:
        (row,) = connection.execute(query).fetchall()
        return {"moments": list(row)}

    return work


def whence_graphs(columns: int, path: str) -> Callable[[], dict[str, Any]]:
    small = wh.read(simulate.linear_scm(5, 500, random_state=0).values)
    for search in SEARCHES.values():
        search().fit(small)

    def work() -> dict[str, Any]:
        start = time.perf_counter()
        table = wh.read(path, lazy=True)
        read = time.perf_counter()
        moments = table.moments()
        summed = time.perf_counter()
        graphs = {name: search().fit(table).graph for name, search in SEARCHES.items()}
        upper = np.triu_indices(columns)
        covariance = moments.covariance * (moments.n - 1) / moments.n
        return {
            "parts": {
                "read": round(read - start, 2),
                "moments": round(summed - read, 2),
                "searches": round(time.perf_counter() - summed, 2),
            },
            "moments": [*moments.mean, *covariance[upper]],
            "marks": {name: graph.marks.tolist() for name, graph in graphs.items()},
        }

    return work


def judged(runs: dict[str, list[dict[str, Any]]], truth: Graph) -> dict[str, Any]:
    """Return the figures of each contender's fastest run, the ratio, and whether answers agree and graphs are right."""
    best = {name: min(done, key=lambda run: float(run["seconds"])) for name, done in runs.items()}
    found = {name: run["found"] for name, run in best.items()}
    ratio = best["whence"]["seconds"] / best["duckdb"]["seconds"]
    peak = max(run["peak_bytes"] for run in runs["whence"])
    ours, theirs = (np.array(found[name]["moments"]) for name in ("whence", "duckdb"))
    cpdag = truth.to_cpdag().marks
    graphs = {name: different(np.array(marks), cpdag) for name, marks in found["whence"]["marks"].items()}
    return {
        "edges_of_truth": int((cpdag != 0).sum()) // 2,
        "runs": {
            name: [{key: value for key, value in run.items() if key != "found"} for run in done]
            for name, done in runs.items()
        },
        "parts_in_seconds": found["whence"]["parts"],
        "ratio": round(ratio, 2),
        "peak_bytes": peak,
        "most": {"ratio": MOST_TIMES, "peak_bytes": MOST_BYTES},
        "largest_difference_of_moments": float(np.max(np.abs(ours - theirs))),
        "graphs": graphs,
        "passed": ratio < MOST_TIMES and peak < MOST_BYTES,
    }


def different(marks: np.ndarray, cpdag: np.ndarray) -> dict[str, Any]:
    """Compare a graph found with the class of the truth, pair by pair."""
    pairs = np.triu((marks != cpdag) | (marks.T != cpdag.T), k=1)
    return {"equals_true_cpdag": not pairs.any(), "pairs_that_differ": int(pairs.sum())}


CONTENDERS = {"duckdb": plain_duckdb, "whence": whence_graphs}


if __name__ == "__main__":
    main()
