"""Searches by continuous optimisation and exact search against the peers, side by side in one run.

Each run is a process of its own with one thread, imported and compiled before the clock starts; the figure is processor
time of the fit. gcastle, dagma and causal-learn run in the Python that ``--peers`` names, which needs them installed.
Equal output is checked by the objective that both minimise, ``loss + price`` of what each returns before its threshold,
and by the pairs of columns that the graphs join differently. Writes ``results/continuous.json``.

    python -m benchmarks.continuous --peers /path/to/python --limit 900
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "continuous.json"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
PACKAGES = ("whence", "gcastle", "dagma", "causal-learn", "torch", "numpy", "scipy", "numba")
OWN = ("whence", "whence, both scales")  # the second with the comparison of scales, as by default
THRESHOLD = 0.3


@dataclass(frozen=True)
class Cell:
    """One method on one sort of table: Gaussian noise of variance 1, columns as drawn or standardised."""

    method: str
    peer: str
    columns: tuple[int, ...]
    rows: int = 1000
    standardised: bool = False

    def sample(self, p: int) -> np.ndarray:
        from whence.data import simulate

        structure = simulate.random_dag(p, degree=2.0, random_state=p)
        if self.method.endswith("mlp"):
            drawn = simulate.nonlinear_scm(structure, self.rows, mechanism="mim", standardise=False, random_state=p)
        else:
            drawn = simulate.linear_scm(
                structure, self.rows, weights=(0.5, 1.5), standardise=self.standardised, random_state=p
            )
        return drawn.values - drawn.values.mean(axis=0)


CELLS = (
    Cell("notears", "gcastle", (10, 20, 50, 100)),
    Cell("notears", "gcastle", (10, 20, 50, 100), standardised=True),
    Cell("dagma", "dagma", (10, 20, 50, 100)),
    Cell("dagma", "dagma", (10, 20, 50, 100), standardised=True),
    Cell("golem", "gcastle", (10, 20)),
    Cell("golem-nv", "gcastle", (10, 20)),
    Cell("notears-mlp", "gcastle", (5, 10, 20)),
    Cell("dagma-mlp", "dagma", (5,), rows=300),
    Cell("exact", "causal-learn", (6, 8, 10, 12)),
)


def main() -> None:
    options = arguments()
    if options.run is not None:
        print(json.dumps(run_once(**json.loads(options.run))))
        return
    from reproductions import machine

    from whence.results import write_json

    target = RESULTS if options.out is None else options.out
    found = {
        "machine": machine(),
        "threads": 1,
        "versions": {"whence": versions(sys.executable), "peers": versions(options.peers)},
    }
    for method in dict.fromkeys(cell.method for cell in CELLS):
        rows: list[dict[str, Any]] = []
        for cell in CELLS:
            if cell.method == method and options.method in (None, method):
                for row in run_cell(cell, options):
                    rows.append({**row, "limit_seconds": options.limit})
                    held = json.loads(target.read_text())["rows"] if target.exists() else []
                    others = [row for row in held if row["method"] != method]
                    write_json(target, {**found, "rows": [*others, *rows]})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=sys.executable, help="a Python with gcastle, dagma and causal-learn")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds on the clock per run")
    parser.add_argument("--method", help="only this method, the figures of others being kept")
    parser.add_argument("--largest", type=int, default=10**6, help="only up to this many columns")
    parser.add_argument("--out", type=Path, help="another file for the results")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_cell(cell: Cell, options: argparse.Namespace):
    """Yield one row per size and library; a library that hit the limit is not started on larger sizes."""
    stopped: set[str] = set()
    own = OWN if cell.method != "exact" else OWN[:1]
    for p in (size for size in cell.columns if size <= options.largest):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "values.npy")
            np.save(path, cell.sample(p))
            found = {}
            for library in (*own, cell.peer):
                if library in stopped:
                    continue
                python = sys.executable if library in OWN else options.peers
                found[library] = in_process(python, {"method": cell.method, "library": library, "path": path}, options)
                if "cpu_seconds" not in found[library]:
                    stopped.add(library)
        for library, row in found.items():
            key = {**asdict(cell), "columns": p, "library": library}
            key.pop("peer")
            yield tell(key, row, found[OWN[0]])


def tell(key: dict[str, Any], row: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return the row compared with ours, and print it."""
    told = {**key, **{name: value for name, value in row.items() if name != "adjacency"}}
    if key["library"] not in OWN and "adjacency" in row and "adjacency" in ours:
        theirs, mine = np.array(row["adjacency"]), np.array(ours["adjacency"])
        different = (theirs != mine) | (theirs.T != mine.T)
        told["pairs_that_differ"] = int(np.triu(different, k=1).sum())
        told["ratio"] = round(row["cpu_seconds"] / ours["cpu_seconds"], 1)
        told["their_objective_less_ours"] = round(row["objective"] - ours["objective"], 6)
    print(" ".join(f"{name}={value}" for name, value in told.items()), flush=True)
    return told


def in_process(python: str, task: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Run one contender in a fresh process of a Python."""
    command = [python, "-W", "ignore", "-m", "benchmarks.continuous", "--run", json.dumps(task)]
    environment = {**os.environ, **ONE_THREAD}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=options.limit + 30, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {"stopped": f"after {options.limit:.0f} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "no message"}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def run_once(method: str, library: str, path: str) -> dict[str, Any]:
    """Time one contender on stored values: the best of three below two seconds, else once."""
    values = np.load(path)
    contender = CONTENDERS[method, "whence" if library in OWN else library]
    settings = {"compare_scales": library == OWN[1]} if library in OWN and method != "exact" else {}
    if library in OWN:
        contender(values[:60, :3].copy(), **settings)  # imports and compiles
    else:
        warm_up(library)
    best: dict[str, Any] = {}
    for _ in range(3):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            cpu = time.process_time()
            finish = contender(values.copy(), **settings)
            cpu = time.process_time() - cpu
            adjacency, objective = finish()
        if not best or cpu < best["cpu_seconds"]:
            best = {"cpu_seconds": round(cpu, 4), "objective": objective, "adjacency": adjacency.astype(int).tolist()}
        if cpu > 2.0:
            break
    return best


Finish = Callable[[], tuple[np.ndarray, float]]


def ours(name: str, **fixed: Any) -> Callable[..., Finish]:
    def contender(values: np.ndarray, **settings: Any) -> Finish:
        import whence.discovery

        found = getattr(whence.discovery, name)(**fixed, **settings).fit(values)
        figure = -found.details["score"] if name == "ExactSearch" else found.details["objective"]
        marks = found.graph.marks
        # In a CPDAG an edge without direction counts as one in both.
        return lambda: ((marks == 2) | ((marks == 1) & (marks.T == 1)), figure)

    return contender


def linear_objective(weights: np.ndarray, values: np.ndarray, price: float, loss: str) -> float:
    """Return loss and price of coefficients, the residuals taken row by row."""
    p = len(weights)
    variances = ((values - values @ weights) ** 2).mean(axis=0)
    volume = np.linalg.slogdet(np.eye(p) - weights)[1]
    value = {
        "squares": 0.5 * variances.sum(),
        "golem": 0.5 * p * np.log(variances.sum()) - volume,
        "golem-nv": 0.5 * np.log(variances).sum() - volume,
    }[loss]
    return float(value + price * np.abs(weights).sum())


def notears_gcastle(values: np.ndarray) -> Finish:
    from castle.algorithms import Notears

    model = Notears(lambda1=0.1)
    model.learn(values)
    weights = np.asarray(model.weight_causal_matrix)
    return lambda: (np.abs(weights) > THRESHOLD, linear_objective(weights, values, 0.1, "squares"))


def dagma_dagma(values: np.ndarray) -> Finish:
    from dagma.linear import DagmaLinear

    weights = DagmaLinear(loss_type="l2").fit(values, lambda1=0.03, w_threshold=0.0)
    return lambda: (np.abs(weights) > THRESHOLD, linear_objective(weights, values, 0.03, "squares"))


def golem_gcastle(values: np.ndarray, equal: bool = True) -> Finish:
    from castle.algorithms import GOLEM

    price = 0.02 if equal else 0.002
    model = GOLEM(lambda_1=price, equal_variances=equal)
    model.learn(values)
    weights = np.asarray(model.weight_causal_matrix, dtype=float)
    name = "golem" if equal else "golem-nv"
    return lambda: (np.asarray(model.causal_matrix) != 0, linear_objective(weights, values, price, name))


def golem_nv_gcastle(values: np.ndarray) -> Finish:
    return golem_gcastle(values, equal=False)


def notears_mlp_gcastle(values: np.ndarray) -> Finish:
    import torch
    from castle.algorithms.gradient.notears.torch import NotearsNonlinear

    torch.set_num_threads(1)
    torch.manual_seed(0)
    search = NotearsNonlinear(device_type="cpu")
    network = search.get_model(values.shape[1])
    strength = search.notears_nonlinear(network, values)
    rows = torch.from_numpy(values)
    with torch.no_grad():
        squares = 0.5 * ((network(rows) - rows) ** 2).sum() / len(rows)
        figure = float(squares + 0.01 * network.fc1_l1_reg() + 0.005 * network.l2_reg())
    return lambda: (strength > THRESHOLD, figure)


def dagma_mlp_dagma(values: np.ndarray) -> Finish:
    import torch
    from dagma.nonlinear import DagmaMLP, DagmaNonlinear

    torch.set_num_threads(1)
    torch.manual_seed(0)
    p = values.shape[1]
    network = DagmaMLP(dims=[p, 10, 1], bias=True)
    strength = DagmaNonlinear(network).fit(values, lambda1=0.02, lambda2=0.005)
    rows = torch.from_numpy(values)
    with torch.no_grad():
        squares = ((network(rows) - rows) ** 2).sum() / len(rows)
        decay = (network.fc1.weight**2).sum() + (network.fc2[0].weight ** 2).sum()
        figure = float(0.5 * p * torch.log(squares) + 0.02 * network.fc1_l1_reg() + 0.0025 * decay)
    return lambda: (strength > THRESHOLD, figure)


def exact_causal_learn(values: np.ndarray) -> Finish:
    from causallearn.search.ScoreBased.ExactSearch import bic_exact_search

    dag = bic_exact_search(values)[0] != 0

    def finish() -> tuple[np.ndarray, float]:
        from causallearn.graph.Dag import Dag
        from causallearn.graph.GraphNode import GraphNode
        from causallearn.utils.DAG2CPDAG import dag2cpdag

        nodes = [GraphNode(f"X{k}") for k in range(len(dag))]
        graph = Dag(nodes)
        for i, j in np.argwhere(dag):
            graph.add_directed_edge(nodes[i], nodes[j])
        ends = dag2cpdag(graph).graph  # [i, j] is 1 for an arrowhead at i, -1 for a tail
        rows, p = values.shape
        score = 0.0
        for j in range(p):
            parents = values[:, dag[:, j]]
            fitted = parents @ np.linalg.lstsq(parents, values[:, j], rcond=None)[0] if parents.size else 0.0
            left = ((values[:, j] - fitted) ** 2).mean() / (values[:, j] ** 2).mean()
            score -= 0.5 * rows * np.log(left) + 0.5 * np.log(rows) * parents.shape[1]
        return (ends.T == 1) | ((ends == -1) & (ends.T == -1)), -score

    return finish


def warm_up(library: str) -> None:
    """Import what a peer needs, so that its clock starts with the fit."""
    if library == "gcastle":
        import logging

        logging.disable(logging.CRITICAL)
        import_module("castle.algorithms")
    elif library == "dagma":
        import_module("dagma.linear")
        import_module("dagma.nonlinear")
    else:
        import_module("causallearn.search.ScoreBased.ExactSearch")


def versions(python: str) -> dict[str, str]:
    """Return the versions of the packages that a Python has."""
    asked = (
        "import json; from importlib.metadata import distributions as all; "
        f"print(json.dumps({{d.metadata['Name']: d.version for d in all() if d.metadata['Name'] in {PACKAGES!r}}}))"
    )
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


CONTENDERS: dict[tuple[str, str], Callable[..., Finish]] = {
    ("notears", "whence"): ours("NOTEARS"),
    ("notears", "gcastle"): notears_gcastle,
    ("dagma", "whence"): ours("DAGMA"),
    ("dagma", "dagma"): dagma_dagma,
    ("golem", "whence"): ours("GOLEM"),
    ("golem", "gcastle"): golem_gcastle,
    ("golem-nv", "whence"): ours("GOLEM", equal_variances=False),
    ("golem-nv", "gcastle"): golem_nv_gcastle,
    ("notears-mlp", "whence"): ours("NonlinearNOTEARS"),
    ("notears-mlp", "gcastle"): notears_mlp_gcastle,
    ("dagma-mlp", "whence"): ours("NonlinearDAGMA"),
    ("dagma-mlp", "dagma"): dagma_mlp_dagma,
    ("exact", "whence"): ours("ExactSearch", per_edge=0.0),
    ("exact", "causal-learn"): exact_causal_learn,
}


if __name__ == "__main__":
    main()
