"""Fit the run-time model of every search from measured runs: log T = a + b log n + c log p, with b, c >= 0.

Writes ``src/whence/registry_costs.json``, which the cards read, and ``results/cost.json`` with the raw rows.

    python -m benchmarks.cost
"""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine
from scipy.optimize import lsq_linear

import whence
from whence.data import simulate
from whence.registry import Card, lookup, methods
from whence.results import write_atomically, write_json

ROWS = (500, 2000, 8000)
COLUMNS = (5, 10, 20, 40, 80)
LIMIT_SECONDS = 20.0
REPEATS = 3


def main() -> None:
    rows: list[dict[str, Any]] = []
    costs = {}
    for card in methods("search"):
        measured = list(measure(card))
        rows += measured
        costs[card.name] = fit(measured)
        print(card.name, costs[card.name])
    here = Path(whence.__file__).parent
    write_atomically(here / "registry_costs.json", json.dumps(costs, indent=2) + "\n")
    write_json(Path(__file__).parent / "results" / "cost.json", {"machine": machine(), "rows": rows, "fit": costs})


def measure(card: Card):
    """Yield the fastest of a few runs per size, compilation done before, until a size takes too long."""
    for n, p in itertools.product(ROWS, COLUMNS):
        data = simulate.linear_scm(n_nodes=p, n_rows=n, degree=2.0, noise="laplace", random_state=p).data
        if "discrete" in card.assumes:
            continue
        search = lookup("search", card.name)()
        search.fit(data)
        taken = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            search.fit(data)
            taken.append(time.perf_counter() - started)
        yield {"method": card.name, "n": n, "p": p, "seconds": min(taken)}
        if min(taken) > LIMIT_SECONDS:
            return


def fit(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the coefficients of the log-linear model with non-negative growth."""
    if not rows:
        return {"intercept": -6.0, "rows": 0.0, "columns": 1.0}
    design = np.array([[1.0, np.log(row["n"]), np.log(row["p"])] for row in rows])
    target = np.log([row["seconds"] for row in rows])
    solution = lsq_linear(design, target, bounds=([-np.inf, 0.0, 0.0], [np.inf, np.inf, np.inf])).x
    return dict(zip(("intercept", "rows", "columns"), (round(float(value), 3) for value in solution)))


if __name__ == "__main__":
    main()
