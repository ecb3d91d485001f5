"""Diagnostics and refutations: false alarms where nothing is wrong, power where something is; and run time.

Each scenario draws tables in which one thing is wrong, or nothing. A check may fail in at most 5 % of sound tables, and
must fail in at least 80 % of those made for it. Run time is of one thread, imports excluded, and for DoubleML on the
same learners and folds. Writes ``results/effects.json``.

    python -m benchmarks.effects --draws 200
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The models are small: threads would only fight over the processors. Must be set before NumPy is loaded.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from reproductions import machine

import whence as wh
from whence.data import simulate
from whence.parallel import child_seeds
from whence.results import write_json

RESULTS = Path(__file__).parent / "results" / "effects.json"
MOST_FALSE_ALARMS, LEAST_POWER = 0.05, 0.8
PERSONAL = ("age", "black", "educ", "hisp", "marr", "nodegree", "re74", "re75")

Table = tuple[Any, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    checks = []
    for (name, (make, aims)), seed in zip(SCENARIOS.items(), child_seeds(options.seed, len(SCENARIOS))):
        for row in failures(make, seed, options.draws):
            if not aims or row["check"] in aims:
                bound = {"at_least": LEAST_POWER} if aims else {"at_most": MOST_FALSE_ALARMS}
                passed = row["failed"] >= LEAST_POWER if aims else row["failed"] <= MOST_FALSE_ALARMS
                checks.append({"scenario": name, **row, **bound, "passed": passed})
                print(checks[-1], flush=True)
    seconds = run_times()
    document = {
        "whence": wh.__version__,
        "machine": machine(),
        "seed": options.seed,
        "passed": all(row["passed"] for row in checks),
        "checks": checks,
        "seconds": seconds,
    }
    write_json(options.out, document)


# ---- what the checks see ---------------------------------------------------------------------------------------------


def failures(make: Callable[[int], Table], seed: np.random.SeedSequence, draws: int) -> list[dict[str, Any]]:
    """Return for each check how often it judged and in what share of these it failed."""
    judged: dict[str, list[bool]] = defaultdict(list)
    for child in seed.spawn(draws):
        state = int(child.generate_state(1)[0])
        data, question = make(state)
        control = question.pop("negative_control", None)
        effect = wh.estimate(data, **question, n_jobs=1, random_state=state)
        effect = wh.refute(effect, data, negative_control=control, random_state=state)
        for check in (*effect.diagnostics, *effect.refutations):
            if check.passed is not None:
                judged[check.name].append(not check.passed)
    return [
        {"check": name, "judged": len(found), "failed": round(float(np.mean(found)), 4)}
        for name, found in judged.items()
    ]


def observed(state: int, n: int = 600, method: str = "auto", **settings: Any) -> Table:
    table = simulate.treatment_outcome(n, n_covariates=3, random_state=state, **settings)
    question = {"treatment": "T", "outcome": "Y", "adjustment": table.covariates, "method": method}
    return table.data, question


def sound(method: str, treatment: str) -> Callable[[int], Table]:
    return lambda state: observed(state, method=method, treatment=treatment, effect=2.0, confounding=0.7)


def controlled(hidden: float) -> Callable[[int], Table]:
    """Draw a table with an outcome measured before treatment, and perhaps a hidden cause of both."""

    def make(state: int) -> Table:
        rng = np.random.default_rng(state)
        seen, unseen = rng.normal(size=(2, 600))
        treated = (rng.random(600) < 1 / (1 + np.exp(-seen - hidden * unseen))).astype(int)
        causes = seen + hidden * unseen
        data = {
            "seen": seen,
            "d": treated,
            "y": treated + causes + rng.normal(size=600),
            "before": causes + rng.normal(size=600),
        }
        return data, {"treatment": "d", "outcome": "y", "adjustment": ["seen"], "negative_control": "before"}

    return make


def wild_row(state: int) -> Table:
    table, question = observed(state, treatment="continuous", method="regression")
    columns = {name: table.numeric([name])[:, 0].copy() for name in table.names}
    columns["T"][0], columns["Y"][0] = 25.0, -200.0
    return columns, question


def turning(state: int) -> Table:
    """Draw an effect that falls and then rises, so that its slope is near zero."""
    rng = np.random.default_rng(state)
    c, noise, error = rng.normal(size=(3, 600))
    data = {"c": c, "t": 0.5 * c + noise, "y": (0.5 * c + noise) ** 2 + c + error}
    return data, {"treatment": "t", "outcome": "y", "adjustment": ["c"]}


def instruments(strength: float, direct: float) -> Callable[[int], Table]:
    """Draw two instruments, the second with an effect of its own where ``direct`` is not zero."""

    def make(state: int) -> Table:
        rng = np.random.default_rng(state)
        first, second, hidden = rng.normal(size=(3, 600))
        treatment = strength * (first + second) + hidden + rng.normal(size=600)
        outcome = 2 * treatment + direct * second + hidden + rng.normal(size=600)
        graph = wh.Graph.from_edges(["v -> d", "w -> d", "d -> y", "d <-> y"], kind="ADMG")
        data = {"v": first, "w": second, "d": treatment, "y": outcome}
        return data, {"graph": graph, "treatment": "d", "outcome": "y"}

    return make


SCENARIOS: dict[str, tuple[Callable[[int], Table], frozenset[str]]] = {
    "sound, regression": (sound("regression", "binary"), frozenset()),
    "sound, aipw": (sound("aipw", "binary"), frozenset()),
    "sound, dml-plr": (sound("dml-plr", "continuous"), frozenset()),
    "sound, two instruments": (instruments(1.0, 0.0), frozenset()),
    "sound, negative control": (controlled(0.0), frozenset()),
    "hidden cause": (controlled(1.0), frozenset({"negative-control"})),
    "no overlap": (lambda state: observed(state, confounding=8.0), frozenset({"overlap", "balance"})),
    "missed curve": (
        lambda state: observed(state, nonlinear=True, treatment="continuous", n=1000, method="regression"),
        frozenset({"residuals"}),
    ),
    "curved effect": (turning, frozenset({"curved-effect"})),
    "one wild row": (wild_row, frozenset({"influence"})),
    "weak instruments": (instruments(0.08, 0.0), frozenset({"instrument-strength"})),
    "instruments that disagree": (instruments(1.0, 0.5), frozenset({"overidentification"})),
}


# ---- run time --------------------------------------------------------------------------------------------------------


def run_times() -> list[dict[str, Any]]:
    """Return seconds of processor time for estimate and refute, and of the same model by DoubleML."""
    wide: dict[str, Any] = {"n_covariates": 10, "random_state": 0}
    tables = {
        "nsw_mixtape": (wh.examples.load("nsw_mixtape"), {"adjustment": PERSONAL}),
        "lalonde_cps": (wh.examples.load("lalonde_cps"), {"adjustment": PERSONAL}),
        "16,000 rows, straight": _asked(simulate.treatment_outcome(16_000, **wide)),
        "16,000 rows, curved": _asked(simulate.treatment_outcome(16_000, nonlinear=True, **wide)),
        "16,000 rows, number as treatment": _asked(simulate.treatment_outcome(16_000, treatment="continuous", **wide)),
    }
    rows = []
    for name, (data, question) in tables.items():
        started = time.process_time()
        effect = wh.estimate(data, **question, n_jobs=1)
        middle = time.process_time()
        wh.refute(effect, data)
        row = {"data": name, "rows": effect.rows_used, "estimator": effect.estimator}
        row |= {"estimate": round(middle - started, 2), "refute": round(time.process_time() - middle, 2)}
        rows.append(row)
        print(row, flush=True)
    if find_spec("doubleml") is not None:
        rows.append(against_doubleml())
        print(rows[-1], flush=True)
    return rows


def _asked(table: Any) -> Table:
    return table.data, {"treatment": "T", "outcome": "Y", "adjustment": table.covariates}


def against_doubleml(n: int = 16_000) -> dict[str, Any]:
    """Time the interactive model with straight lines on the same five folds; the estimates must agree."""
    import doubleml
    from sklearn.linear_model import LinearRegression

    from whence.effects.aipw import from_nuisances
    from whence.effects.crossfit import cross_fit
    from whence.effects.estimation import sample_of
    from whence.effects.identification import Identification
    from whence.effects.nuisance import logistic_model

    table = simulate.treatment_outcome(n, n_covariates=10, random_state=0)
    names = tuple(table.covariates)
    found = Identification("T", "Y", True, "adjustment", "", adjustment=names, minimal=names)
    sample = sample_of(table.data, found)
    started = time.process_time()
    nuisances, record = cross_fit(sample, learner="linear", repeats=1, n_jobs=1)
    ours = from_nuisances("dml-irm", sample, nuisances, "all", record, normalise=False).primary
    own = time.process_time() - started
    folds = nuisances[0].folds
    data = doubleml.DoubleMLData.from_arrays(sample.covariates, sample.outcome, sample.treatment)
    peer = doubleml.DoubleMLIRM(data, LinearRegression(), logistic_model(), n_folds=5, draw_sample_splitting=False)
    peer.set_sample_splitting([[(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]])
    started = time.process_time()
    peer.fit(n_jobs_cv=1)
    return {
        "data": "16,000 rows, straight, interactive model by straight lines on five folds",
        "rows": n,
        "whence": round(own, 3),
        "doubleml": round(time.process_time() - started, 3),
        "doubleml_version": version("doubleml"),
        "difference_in_standard_errors": float(f"{abs(ours.value - float(peer.coef[0])) / ours.standard_error:.1e}"),
    }


if __name__ == "__main__":
    main()
