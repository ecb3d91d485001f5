"""Whether 95 % intervals hold the truth in 95 % of simulations, for every estimator and every population it offers.

Each draw is a new table whose true effect is known by construction, answered by ``whence.estimate``. A cell passes if
the share of intervals that hold the truth lies between 93 and 97 %. One cell has no upper bound: with a nearly useless
instrument the effects that are not rejected often form two half-lines, and the interval around them is the whole line.
Writes ``results/coverage.json``.

    python -m benchmarks.coverage --draws 1000 --only aipw
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

# The models are small: threads would only fight over the processors. Must be set before NumPy is loaded.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from reproductions import machine

import whence as wh
from whence.data import simulate
from whence.effects import Effect
from whence.parallel import child_seeds, fan_out
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "coverage.json"
LEVEL = 0.95
ACCEPTED, AT_LEAST = (0.93, 0.97), (0.93, 1.0)


@dataclass(frozen=True)
class Draw:
    """One table with the truth, and what identifies the effect in it."""

    data: Any
    truth: float
    question: dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One line of the table: how tables are drawn and how they are answered."""

    method: str
    estimand: str
    data: str
    make: Callable[[np.random.SeedSequence], Draw]
    asked: dict[str, Any] = field(default_factory=dict)
    accepted: tuple[float, float] = ACCEPTED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--only", help="only methods whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="measure only what the file of results does not hold yet")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = kept_rows(options.out, options.seed, options.draws) if options.keep else {}
    for cell, seed in zip(CELLS, child_seeds(options.seed, len(CELLS))):
        key = (cell.method, cell.estimand, cell.data)
        if key in rows or (options.only is not None and options.only not in cell.method):
            continue
        rows[key] = measure(cell, seed, options.draws, options.jobs)
        print(" ".join(f"{name}={value}" for name, value in rows[key].items()), flush=True)
        ordered = [rows[key] for cell in CELLS if (key := (cell.method, cell.estimand, cell.data)) in rows]
        document = {
            "whence": wh.__version__,
            "machine": machine(),
            "seed": options.seed,
            "level": LEVEL,
            "passed": all(row["passed"] for row in ordered),
            "rows": ordered,
        }
        write_json(options.out, document)  # an hour's work is not lost to its last minute
    sys.exit(0 if all(row["passed"] for row in rows.values()) else 1)


def kept_rows(path: Path, seed: int, draws: int) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the rows that a file holds of the same seed and number of draws, by cell."""
    held = json.loads(path.read_text()) if path.exists() else {"seed": None, "rows": []}
    rows = held["rows"] if held["seed"] == seed else []
    return {(row["method"], row["estimand"], row["data"]): row for row in rows if row["draws"] == draws}


def measure(cell: Cell, seed: np.random.SeedSequence, draws: int, jobs: int) -> dict[str, Any]:
    """Return coverage with its standard error, bias, and the standard error stated against the spread seen."""
    started = time.perf_counter()
    answers = list(fan_out(partial(answer, cell), seed.spawn(draws), n_jobs=jobs, threads=False))
    estimates, errors, low, high, truths = np.array([row[:5] for row in answers]).T
    covered = float(np.mean((low <= truths) & (truths <= high)))
    spread = float(np.std(estimates - truths, ddof=1))
    return {
        "method": cell.method,
        "estimand": cell.estimand,
        "data": cell.data,
        "n": answers[0][5],
        "draws": draws,
        "coverage": round(covered, 4),
        "coverage_standard_error": round(float(np.sqrt(covered * (1 - covered) / draws)), 4),
        "bias_in_standard_deviations": round(float(np.median(estimates - truths)) / spread, 3),
        "stated_error_to_spread": round(float(np.median(errors)) / spread, 3),
        "seconds": round(time.perf_counter() - started, 1),
        "accepted": list(cell.accepted),
        "passed": cell.accepted[0] <= covered <= cell.accepted[1],
    }


def answer(cell: Cell, seed: np.random.SeedSequence) -> tuple[float, ...]:
    draw = cell.make(seed)
    effect: Effect = wh.estimate(draw.data, **draw.question, **cell.asked, method=cell.method, level=LEVEL, n_jobs=1)
    if effect.estimand != cell.estimand:
        raise ValueError(f"{cell.method} answered for {effect.estimand}, not {cell.estimand}")
    return (effect.estimate, effect.standard_error, *effect.interval, draw.truth, effect.rows_used)


def observed(seed: np.random.SeedSequence, truth: str, n: int = 1000, **settings: Any) -> Draw:
    """Draw a table whose common causes are all measured."""
    table = simulate.treatment_outcome(n, n_covariates=4, random_state=np.random.default_rng(seed), **settings)
    value = table.contrasts[2] if truth == "second arm" else getattr(table, truth)
    return Draw(table.data, value, {"treatment": "T", "outcome": "Y", "adjustment": table.covariates})


def with_instrument(seed: np.random.SeedSequence, strength: float, n: int = 500) -> Draw:
    """Draw a table with a hidden common cause and an instrument."""
    table = simulate.treatment_outcome(
        n,
        treatment="continuous",
        n_covariates=2,
        instrument=strength,
        hidden=1.0,
        random_state=np.random.default_rng(seed),
    )
    graph = wh.Graph.from_edges(["Z -> T", "T -> Y", *(f"{x} -> {end}" for x in table.covariates for end in "TY")])
    marked = wh.Graph.from_edges([*map(str, graph.edges()), "T <-> Y"], kind="ADMG")
    return Draw(table.data, table.ate, {"graph": marked, "treatment": "T", "outcome": "Y"})


def compliers(seed: np.random.SeedSequence, n: int = 1000) -> Draw:
    """Draw an experiment that half of the people comply with; the effect is 2 on them and -1 on the others."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["complier", "never", "always"], size=n, p=[0.5, 0.25, 0.25])
    assigned = rng.integers(0, 2, n)
    taken = np.where(kind == "complier", assigned, kind == "always").astype(int)
    effect = np.where(kind == "complier", 2.0, -1.0)
    outcome = effect * taken + 1.5 * (kind == "always") + rng.normal(size=n)
    graph = wh.Graph.from_edges(["Z -> T", "T -> Y", "T <-> Y"], kind="ADMG")
    return Draw({"Z": assigned, "T": taken, "Y": outcome}, 2.0, {"graph": graph, "treatment": "T", "outcome": "Y"})


def front_door(seed: np.random.SeedSequence, binary: bool, n: int = 500) -> Draw:
    """Draw a treatment that acts through two mediators only and shares a hidden cause with the outcome."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=n)
    treatment = hidden + rng.logistic(size=n) > 0 if binary else hidden + rng.normal(size=n)
    treatment = treatment.astype(float)
    first, second = 0.8 * treatment + rng.normal(size=n), -0.5 * treatment + rng.normal(size=n)
    outcome = 1.5 * first + second + 2.0 * hidden + rng.normal(size=n)
    edges = ["T -> M", "T -> N", "M -> Y", "N -> Y", "T <-> Y"]
    question = {"graph": wh.Graph.from_edges(edges, kind="ADMG"), "treatment": "T", "outcome": "Y"}
    return Draw({"T": treatment, "M": first, "N": second, "Y": outcome}, 0.8 * 1.5 - 0.5, question)


def event(seed: np.random.SeedSequence, treated_only: bool, n: int = 1000) -> Draw:
    """Draw a binary outcome with three groups; the risk difference follows by adding up the groups."""
    rng = np.random.default_rng(seed)
    shares, chances = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.5, 0.7])
    risks = np.array([[0.2, 0.3], [0.4, 0.6], [0.7, 0.75]])
    group = rng.choice(3, size=n, p=shares)
    treatment = (rng.random(n) < chances[group]).astype(int)
    outcome = (rng.random(n) < risks[group, treatment]).astype(int)
    weights = shares * chances if treated_only else shares
    truth = float(weights @ (risks[:, 1] - risks[:, 0]) / weights.sum())
    data = {"G": np.array(["a", "b", "c"])[group], "T": treatment, "Y": outcome}
    return Draw(data, truth, {"treatment": "T", "outcome": "Y", "adjustment": ["G"]})


def _cells() -> list[Cell]:
    varying: dict[str, Any] = {"heterogeneity": 0.5}
    truths = {"ATE": "ate", "ATT": "att", "ATO": "ato"}
    populations = {"ATE": "all", "ATT": "treated", "ATO": "overlap"}
    cells = [
        Cell(
            method,
            estimand,
            "effects that vary with confounders",
            partial(observed, truth=truths[estimand], **varying),
            {"population": populations[estimand]},
        )
        for method in ("regression", "aipw", "dml-irm")
        for estimand in truths
    ]
    curved: dict[str, Any] = {"nonlinear": True}
    cells += [
        Cell(
            "dml-plr",
            "ATO",
            "effects that vary with confounders",
            partial(observed, truth="ato", **varying),
            {"population": "overlap"},
        ),
        Cell("aipw", "ATE", "curved outcome", partial(observed, truth="ate", **curved)),
        Cell(
            "aipw",
            "ATE",
            "three arms, last against first",
            partial(observed, truth="second arm", treatment="categorical"),
            {"contrast": (2, 0)},
        ),
        Cell("regression", "slope", "number as treatment", partial(observed, truth="ate", treatment="continuous")),
        Cell("dml-plr", "slope", "number as treatment", partial(observed, truth="ate", treatment="continuous")),
        Cell(
            "dml-plr",
            "slope",
            "number as treatment, curved outcome",
            partial(observed, truth="ate", treatment="continuous", **curved),
        ),
        Cell("regression", "ATE", "binary outcome", partial(event, treated_only=False)),
        Cell("aipw", "ATE", "binary outcome", partial(event, treated_only=False)),
        Cell("aipw", "ATT", "binary outcome", partial(event, treated_only=True), {"population": "treated"}),
        Cell("iv", "slope", "strong instrument", partial(with_instrument, strength=1.0)),
        Cell("iv", "slope", "weak instrument, F about 7", partial(with_instrument, strength=0.2)),
        Cell(
            "iv",
            "slope",
            "useless instrument, F about 2",
            partial(with_instrument, strength=0.1),
            accepted=AT_LEAST,
        ),
        Cell("iv", "LATE", "binary instrument, half comply", compliers),
        Cell("front-door", "slope", "two mediators", partial(front_door, binary=False)),
        Cell("front-door", "ATE", "two mediators, binary treatment", partial(front_door, binary=True)),
    ]
    return cells


CELLS = _cells()

if __name__ == "__main__":
    main()
