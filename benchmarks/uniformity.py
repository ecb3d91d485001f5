"""Whether p-values of the independence tests are uniform where the null hypothesis holds.

Each draw is a new table in which x and y are independent given a set of columns that cause both. A cell passes if
Kolmogorov and Smirnov's test does not reject uniformity at 1 %; the shares of p-values below 5 and 1 % stand beside.
Writes ``results/uniformity.json``.

    python -m benchmarks.uniformity --draws 5000
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine
from scipy.stats import kstest

import whence as wh
from whence.independence import ChiSquare, FisherZ, GSquare
from whence.parallel import child_seeds
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "uniformity.json"
LEAST = 0.01
SIZES = (0, 1, 2)
ROWS = {FisherZ: 200, ChiSquare: 2000, GSquare: 2000}

Columns = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    cells = [(test, size) for test in ROWS for size in SIZES]
    rows = []
    for (test, size), seed in zip(cells, child_seeds(options.seed, len(cells))):
        rows.append(measure(test, size, options.draws, np.random.default_rng(seed)))
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


def measure(test: Any, size: int, draws: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return the KS p-value of many p-values under the null, and how often they fall below the usual levels."""
    make: Callable[[int, int, np.random.Generator], Columns] = numbers if test is FisherZ else levels
    given = [f"z{k}" for k in range(size)]
    p_values = np.array([test(make(ROWS[test], size, rng))("x", "y", given).p_value for _ in range(draws)])
    uniform = float(kstest(p_values, "uniform").pvalue)
    return {
        "test": test.card.name,
        "given": size,
        "n": ROWS[test],
        "draws": draws,
        "ks_p_value": round(uniform, 4),
        "below_5_percent": round(float(np.mean(p_values < 0.05)), 4),
        "below_1_percent": round(float(np.mean(p_values < 0.01)), 4),
        "passed": uniform > LEAST,
    }


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


if __name__ == "__main__":
    main()
