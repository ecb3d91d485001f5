"""Accuracy of the methods for pairs on the Tübingen cause-effect pairs, and time beside causal-learn.

Accuracy is weighted as the pairs are published: pairs of one source share a weight of one. Every pair gets a decision,
that of the higher score (for ANM the logarithm of the p-value, for PNL the likelihood, or as published the p-value).
The interval is the bootstrap's over pairs. Beside it stands what the tests decide: the share of weight on which exactly
one direction fits, and the accuracy there. Pairs of more than two columns are left out. Of each pair at most ``--rows``
rows are used, drawn once for all methods.

    python -m benchmarks.pairs --data DIR        # DIR holds pairmeta.txt and data/pair.1.txt ...

Processor time in one thread. Writes ``results/pairs.json``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine
from threadpoolctl import threadpool_limits

import whence as wh
from whence.discovery import IGCI, RECI, AdditiveNoise, PostNonlinear
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "pairs.json"
METHODS: dict[str, Callable[[], Any]] = {
    "anm": AdditiveNoise,
    "pnl": PostNonlinear,
    "reci": RECI,
    "reci smooth": lambda: RECI(curve="smooth"),
    "igci uniform slope": IGCI,
    "igci uniform entropy": lambda: IGCI(estimator="entropy"),
    "igci gaussian slope": lambda: IGCI(reference="gaussian"),
    "igci gaussian entropy": lambda: IGCI(reference="gaussian", estimator="entropy"),
}
DRAWS = 10_000


@dataclass(frozen=True)
class Pair:
    """One pair: its number, weight, rows of (cause, effect)."""

    number: int
    weight: float
    values: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--peer-rows", type=int, nargs="*", default=[200, 500])
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with threadpool_limits(1):
        warm_up()
        pairs = list(read_pairs(options.data, options.rows))
        accuracy, decisions = [], []
        for name, make in METHODS.items():
            found = [decide(make(), name, pair) for pair in pairs]
            decisions += found
            accuracy.append(summary(name, found))
            if name == "pnl":  # the published rule
                accuracy.append(summary("pnl by p-values", found, "right_by_p_value"))
        for row in accuracy:
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        times = [row for n in options.peer_rows for row in beside_causal_learn(n)]
    write_json(
        options.out,
        {
            "whence": wh.__version__,
            "machine": machine(),
            "pairs": len(pairs),
            "most_rows": options.rows,
            "seed": "number of the pair",
            "accuracy": accuracy,
            "times": times,
            "decisions": decisions,
        },
    )


def read_pairs(folder: Path, most: int) -> Iterator[Pair]:
    """Yield the pairs of one cause and one effect."""
    for line in (folder / "pairmeta.txt").read_text().splitlines():
        number, cause, last_cause, effect, last_effect, weight = line.split()
        if cause != last_cause or effect != last_effect or float(weight) == 0:
            continue
        path = folder / "data" / f"pair.{int(number)}.txt"
        values = np.genfromtxt(path, skip_header=1)[:, [int(cause) - 1, int(effect) - 1]]
        values = values[np.isfinite(values).all(axis=1)]
        if len(values) > most:
            values = values[np.random.default_rng(int(number)).choice(len(values), most, replace=False)]
        yield Pair(int(number), float(weight), values)


def decide(search: Any, name: str, pair: Pair) -> dict[str, Any]:
    """Return the decision on one pair; the columns are named so that nothing tells the cause."""
    swap = pair.number % 2 == 1
    columns = {"a": pair.values[:, int(swap)], "b": pair.values[:, 1 - int(swap)]}
    data = wh.read(columns, kinds=dict.fromkeys(columns, "continuous"))
    started = time.process_time()
    details = search.fit(data).details
    truth = "b -> a" if swap else "a -> b"
    lean, verdict = details["leaning"], details["verdict"]
    forward, backward = (details.get("p_values", {}).get(way, 0.0) for way in ("a -> b", "b -> a"))
    by_p_value = "undecided" if forward == backward else "a -> b" if forward > backward else "b -> a"
    return {
        "method": name,
        "pair": pair.number,
        "weight": pair.weight,
        "rows": len(pair.values),
        "right": 0.5 if lean == "undecided" else float(lean == truth),
        "right_by_p_value": 0.5 if by_p_value == "undecided" else float(by_p_value == truth),
        "decided": verdict in ("a -> b", "b -> a"),
        "decided_right": verdict == truth,
        "seconds": round(time.process_time() - started, 4),
    }


def summary(name: str, found: list[dict[str, Any]], rule: str = "right") -> dict[str, Any]:
    weight, right, decided, decided_right = (
        np.array([row[key] for row in found], dtype=float) for key in ("weight", rule, "decided", "decided_right")
    )
    drawn = np.random.default_rng(0).integers(0, len(found), (DRAWS, len(found)))
    draws = (weight * right)[drawn].sum(axis=1) / weight[drawn].sum(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    settled = (weight * decided).sum()
    return {
        "method": name,
        "weighted_accuracy": round(float(weight @ right / weight.sum()), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
        "share_decided": round(float(settled / weight.sum()), 3),
        "accuracy_of_decided": round(float((weight * decided * decided_right).sum() / max(settled, 1e-9)), 3),
        "seconds_per_pair": round(float(np.mean([row["seconds"] for row in found])), 4),
    }


def beside_causal_learn(n: int, cases: int = 8) -> Iterator[dict[str, Any]]:
    """Yield mean time and correct decisions on simulated pairs of n rows, ours and theirs."""
    for name, make, theirs in (
        ("anm", AdditiveNoise, anm_of_causal_learn),
        ("pnl", PostNonlinear, pnl_of_causal_learn),
    ):
        ours, peers, right, peers_right = 0.0, 0.0, [], 0.0
        compared = cases if name == "anm" else 2  # theirs takes a minute for a table
        tables = [simulated(n, seed, bent=name == "pnl") for seed in range(cases)]
        for table in tables:
            started = time.process_time()
            details = make(rule="score").fit({"x": table[:, 0], "y": table[:, 1]}).details
            ours += time.process_time() - started
            right.append(details["leaning"] == "x -> y")
        try:
            for table in tables[:compared]:
                started = time.process_time()
                forward, backward = theirs(table)
                peers += (time.process_time() - started) * cases / compared
                peers_right += (forward > backward) + 0.5 * (forward == backward)
        except ImportError as error:
            print(f"{name}: causal-learn's is left out ({error})")
            continue
        row = {
            "method": name,
            "n": n,
            "cases": cases,
            "milliseconds": round(1e3 * ours / cases, 1),
            "causal_learn_milliseconds": round(1e3 * peers / cases, 1),
            "times_faster": round(peers / ours, 1),
            "right": sum(right),
            "right_where_both_were_asked": sum(right[:compared]),
            "causal_learn_right": peers_right,
            "both_were_asked": compared,
        }
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        yield row


def simulated(n: int, seed: int, *, bent: bool) -> np.ndarray:
    """Draw a pair with additive noise; if ``bent``, cause or effect in turn is seen through an increasing function.

    Bent pairs have a curve that is not monotone: of increasing ones with Gaussian noise the model says little.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    curve = np.tanh(rng.uniform(1, 3) * x) + rng.uniform(0.2, 1.0) * x
    y = curve + (rng.uniform(0.3, 0.8) * x**2 if bent else 0.0) + 0.4 * rng.normal(size=n)
    if not bent:
        return np.column_stack([x, y])
    return np.column_stack([np.exp(x), y] if seed % 2 else [x, np.exp(y)])


def anm_of_causal_learn(table: np.ndarray) -> tuple[float, float]:
    import warnings

    from causallearn.search.FCMBased.ANM.ANM import ANM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forward, backward = ANM().cause_or_effect(table[:, [0]], table[:, [1]])
    return float(forward), float(backward)


def pnl_of_causal_learn(table: np.ndarray) -> tuple[float, float]:
    from causallearn.search.FCMBased.PNL.PNL import PNL

    forward, backward = PNL().cause_or_effect(table[:, [0]], table[:, [1]])
    return float(np.ravel(forward)[0]), float(np.ravel(backward)[0])


def warm_up() -> None:
    """Load compiled kernels before anything is timed."""
    table = simulated(60, 0, bent=False)
    for make in METHODS.values():
        make().fit({"x": table[:, 0], "y": table[:, 1]})


if __name__ == "__main__":
    main()
