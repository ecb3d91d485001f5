"""Time and decisions of the nonparametric tests beside causal-learn's KCI, in one thread and one run.

Each cell asks every pair of six columns the same questions, as a search does: given nothing, one and three others. The
reading of the table, the first question on it and the mean over all of them stand apart, because the tests keep what
columns share. The median of a few tries stands, in processor time, so that other work on the machine counts little.
Writes ``results/independence.json``.

    python -m benchmarks.independence
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine
from threadpoolctl import threadpool_limits

import whence as wh
from whence.independence import KCI, RCIT, CMIknn, RCoT
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "independence.json"
COLUMNS = 6
ALPHA = 0.05
CONTENDERS: dict[str, Callable[[Any], Any]] = {
    "kci": KCI,
    "kci as published": lambda data: KCI(data, scale="standard", width="published", corrected=False),
    "rcot": RCoT,
    "rcit": RCIT,
    "cmi-knn": CMIknn,
}

Query = tuple[str, str, tuple[str, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    with threadpool_limits(1):
        warm_up()
        for n in options.rows:
            for size in (0, 1, 3):
                rows += cell(n, size, options.questions, options.tries)
    write_json(options.out, {"whence": wh.__version__, "machine": machine(), "alpha": ALPHA, "rows": rows})


def cell(n: int, size: int, questions: int, tries: int) -> list[dict[str, Any]]:
    """Return one row for each of our tests, with the ratio of causal-learn's time to its own."""
    data = table(n)
    asked = queries(data, size, questions)
    peer_seconds, peer = timed(lambda table: [theirs(table, query) for query in asked], [data] * tries)
    rows = []
    for name, make in CONTENDERS.items():
        fresh = [make(data) for _ in range(2 * tries)]
        read, _ = timed(make, [data] * tries)
        first, _ = timed(lambda test: test(*asked[0]), fresh[:tries])
        seconds, found = timed(lambda test: test.batch(asked), fresh[tries:])
        again, _ = timed(lambda test: test.batch(asked), fresh[tries:])
        rows.append(
            {
                "test": name,
                "n": n,
                "given": size,
                "questions": len(asked),
                "milliseconds_read": round(1e3 * read, 2),
                "milliseconds_first": round(1e3 * first, 2),
                "milliseconds_each": round(1e3 * seconds / len(asked), 2),
                "milliseconds_again": round(1e3 * again / len(asked), 2),
                "causal_learn_milliseconds": round(1e3 * peer_seconds / len(asked), 2),
                "times_faster_first": round(peer_seconds / len(asked) / first, 1),
                "times_faster_each": round(peer_seconds / seconds, 1),
                "times_faster_again": round(peer_seconds / again, 1),
                "same_decision": int(sum((a < ALPHA) == (b < ALPHA) for a, b in zip(found, peer))),
                "largest_gap": round(float(np.nanmax(np.abs(found - np.array(peer)))), 4),
            }
        )
        print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
    return rows


def table(n: int) -> dict[str, np.ndarray]:
    """Draw a chain of curved relations, each column from the one before."""
    rng = np.random.default_rng(n)
    columns = [rng.normal(size=n)]
    for _ in range(COLUMNS - 1):
        columns.append(np.tanh(columns[-1]) + 0.3 * columns[-1] ** 2 + rng.normal(size=n))
    return {f"X{k}": column for k, column in enumerate(columns)}


def queries(data: dict[str, np.ndarray], size: int, count: int) -> list[Query]:
    names = list(data)
    found = [
        (x, y, given)
        for given in combinations(names, size)
        for x, y in combinations([name for name in names if name not in given], 2)
    ]
    return found[:count]


def theirs(data: dict[str, np.ndarray], query: Query) -> float:
    from causallearn.utils.KCI.KCI import KCI_CInd, KCI_UInd

    x, y, given = query
    ends = [data[name][:, None] for name in (x, y)]
    if not given:
        return float(KCI_UInd().compute_pvalue(*ends)[0])
    return float(KCI_CInd().compute_pvalue(*ends, np.column_stack([data[name] for name in given]))[0])


def warm_up() -> None:
    """Load compiled kernels and the peer before anything is timed."""
    data = table(60)
    for make in CONTENDERS.values():
        make(data).batch([("X0", "X1", ()), ("X0", "X2", ("X1",))])
    theirs(data, ("X0", "X2", ("X1",)))


def timed(run: Callable[[Any], Any], over: Sequence[Any]) -> tuple[float, Any]:
    """Return the median processor time of a run over each of some inputs, and its last answer."""
    seconds = []
    for each in over:
        start = time.process_time()
        answer = run(each)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), answer


if __name__ == "__main__":
    main()
