"""Whether p-values of the independence tests are uniform where the null hypothesis holds.

Each draw is a new table in which x and y are independent given a set of columns that cause both. A cell passes if
Kolmogorov and Smirnov's test does not reject uniformity at 1 %; the shares of p-values below 5 and 1 % stand beside.
Tests that take long for a table get a share of the draws. Writes ``results/uniformity.json``.

    python -m benchmarks.uniformity --draws 5000
    python -m benchmarks.uniformity --draws 500 --test rcot --test kci --out /dev/stdout
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine
from scipy.stats import kstest

import whence as wh
from whence.independence import (
    KCI,
    RCIT,
    ChiSquare,
    CMIknn,
    ConditionalGaussian,
    DegenerateGaussian,
    FisherZ,
    GSquare,
    MissingValueFisherZ,
    RankFisherZ,
    RCoT,
)
from whence.parallel import child_seeds
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "uniformity.json"
LEAST = 0.01
FEWEST_DRAWS = 50

Columns = dict[str, np.ndarray]


def numbers(n: int, size: int, rng: np.random.Generator) -> Columns:
    """Draw x and y as linear functions of the columns given, each with noise of its own."""
    causes = rng.normal(size=(n, size))
    x, y = (causes @ np.ones(size) + rng.normal(size=n) for _ in range(2))
    return {"x": x, "y": y, **{f"z{k}": causes[:, k] for k in range(size)}}


def levels(n: int, size: int, rng: np.random.Generator) -> Columns:
    """Draw x and y with three levels whose chances depend on the binary columns given."""
    causes = rng.integers(0, 2, size=(n, size))
    shift = 0.5 * causes.sum(axis=1) / max(size, 1)
    x, y = ((rng.random(n) ** (1 - shift) * 3).astype(int) for _ in range(2))
    return {"x": x, "y": y, **{f"z{k}": causes[:, k] for k in range(size)}}


def bent(n: int, size: int, rng: np.random.Generator) -> Columns:
    """Draw increasing functions of numbers with linear relations of middling strength."""
    causes = rng.normal(size=(n, size))
    x, y = (causes @ np.full(size, 0.5) + rng.normal(size=n) for _ in range(2))
    return {"x": np.exp(x), "y": y**3, **{f"z{k}": causes[:, k] for k in range(size)}}


def curved(n: int, size: int, rng: np.random.Generator) -> Columns:
    """Draw x and y as curves of the columns given."""
    causes = rng.normal(size=(n, size))
    x = np.sin(1.5 * causes).sum(axis=1) + rng.normal(size=n)
    y = (np.tanh(causes) + 0.5 * causes**2).sum(axis=1) + rng.normal(size=n)
    return {"x": x, "y": y, **{f"z{k}": causes[:, k] for k in range(size)}}


def mixed(n: int, size: int, rng: np.random.Generator) -> Columns:
    """Draw a number x and a category y with three levels, given a number and then a category of three levels too."""
    words = np.array(["low", "middle", "high"])
    number, group = rng.normal(size=n), rng.integers(0, 3, n)
    cause = (number if size > 0 else 0.0) + (group - 1.0 if size > 1 else 0.0)
    weights = np.multiply.outer(cause * np.ones(n), [0.0, 1.0, -0.7]) + rng.gumbel(size=(n, 3))
    columns = {"x": cause + rng.normal(size=n), "y": words[np.argmax(weights, axis=1)]}
    return columns | {"z0": number, "z1": words[group]}


def incomplete(n: int, size: int, rng: np.random.Generator) -> Columns:
    """Draw x and y with a common cause or none; y is missing where an effect of both is large."""
    columns = numbers(n, size, rng)
    effect = columns["x"] + columns["y"] + rng.normal(size=n)
    return {**columns, "y": np.where(effect > 0.7, np.nan, columns["y"]), "effect": effect}


@dataclass(frozen=True)
class Cell:
    """One test on one sort of table; ``share`` of the draws asked for are made."""

    test: Any
    make: Callable[[int, int, np.random.Generator], Columns]
    n: int
    given: int
    share: float = 1.0


CELLS = [
    *(Cell(FisherZ, numbers, 200, k) for k in (0, 1, 2)),
    *(Cell(test, levels, 2000, k) for test in (ChiSquare, GSquare) for k in (0, 1, 2)),
    *(Cell(RankFisherZ, bent, n, k) for n in (200, 1000) for k in (0, 1, 2)),
    *(
        Cell(test, mixed, n, k)
        for test in (DegenerateGaussian, ConditionalGaussian)
        for n in (200, 1000)
        for k in (0, 1, 2)
    ),
    *(Cell(MissingValueFisherZ, incomplete, n, k, 0.2) for n in (200, 1000) for k in (0, 1)),
    *(
        Cell(test, make, n, k, 0.2)
        for test in (RCoT, RCIT)
        for make in (curved, mixed)
        for n in (200, 1000)
        for k in (0, 1, 2)
    ),
    *(Cell(test, make, 200, k, 0.05) for test in (KCI, CMIknn) for make in (curved, mixed) for k in (0, 1, 2)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", action="append", help="only this test, by name; may be given several times")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    for cell, seed in zip(CELLS, child_seeds(options.seed, len(CELLS))):
        if options.test and cell.test.card.name not in options.test:
            continue
        draws = max(FEWEST_DRAWS, round(options.draws * cell.share))
        rows.append(measure(cell, draws, np.random.default_rng(seed)))
        print(" ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    document = {
        "whence": wh.__version__,
        "machine": machine(),
        "seed": options.seed,
        "passed": all(row["passed"] for row in rows),
        "rows": rows,
    }
    write_json(options.out, document)
    sys.exit(0 if document["passed"] else 1)


def measure(cell: Cell, draws: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return the KS p-value of many p-values under the null, and how often they fall below the usual levels."""
    given = [f"z{k}" for k in range(cell.given)]
    p_values = np.array([cell.test(cell.make(cell.n, cell.given, rng))("x", "y", given).p_value for _ in range(draws)])
    uniform = float(kstest(p_values, "uniform").pvalue)
    return {
        "test": cell.test.card.name,
        "table": cell.make.__name__,
        "given": cell.given,
        "n": cell.n,
        "draws": draws,
        "ks_p_value": round(uniform, 4),
        "below_5_percent": round(float(np.mean(p_values < 0.05)), 4),
        "below_1_percent": round(float(np.mean(p_values < 0.01)), 4),
        "passed": uniform > LEAST,
    }


if __name__ == "__main__":
    main()
