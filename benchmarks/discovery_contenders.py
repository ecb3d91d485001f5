"""Who runs in `benchmarks.discovery`: one function per method and library, from values (n, p) to marks (p, p).

To add a contender write ``def method_library(values) -> marks`` below and enter it in `CONTENDERS`; to add a cell enter
it in `CELLS`. ``marks[i, j]`` is the mark at j's end: 1 tail, 2 arrowhead, 0 no edge, as in `whence.graph`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Marks = NDArray[np.int8]
Contender = Callable[[NDArray[np.float64]], Marks]

ALPHA = 0.01


@dataclass(frozen=True)
class Cell:
    """One sort of data for one method; every contender of the method runs on each size, largest last."""

    method: str
    label: str
    columns: tuple[int, ...]
    rows: int = 1000
    degree: float = 2.0
    kind: str = "erdos-renyi"
    noise: str = "gaussian"


def pc_whence(values: NDArray[np.float64]) -> Marks:
    from whence.discovery import PC

    return PC(alpha=ALPHA, collider="level").fit(values).graph.marks


def pc_causal_learn(values: NDArray[np.float64]) -> Marks:
    from causallearn.search.ConstraintBased.PC import pc

    return from_causal_learn(pc(values, alpha=ALPHA, indep_test="fisherz", show_progress=False).G.graph)


def pc_antecedent(values: NDArray[np.float64]) -> Marks:
    from antecedent.discovery import PC

    search = PC(alpha=ALPHA, fdr=False, max_cond_size=values.shape[1])
    return from_antecedent(search.run(named(values)), values.shape[1])


def from_causal_learn(matrix: NDArray[np.int64]) -> Marks:
    """Translate causal-learn's matrix: ``[i, j] == 1`` is an arrowhead at i, -1 a tail at i."""
    return np.where(matrix.T == 1, 2, np.where(matrix.T == -1, 1, 0)).astype(np.int8)


def from_antecedent(result: object, p: int) -> Marks:
    """Translate antecedent's edges between columns named ``X0 .. Xp-1``."""
    marks = np.zeros((p, p), dtype=np.int8)
    code = {"tail": 1, "arrow": 2}
    for edge in result.graph_edges:  # type: ignore[attr-defined]
        i, j = int(edge.source[1:]), int(edge.target[1:])
        marks[i, j], marks[j, i] = code[edge.at_target], code[edge.at_source]
    return marks


def named(values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {f"X{column}": np.ascontiguousarray(values[:, column]) for column in range(values.shape[1])}


CONTENDERS: dict[tuple[str, str], Contender] = {
    ("pc", "whence"): pc_whence,
    ("pc", "causal-learn"): pc_causal_learn,
    ("pc", "antecedent"): pc_antecedent,
}

SIZES = (20, 50, 100, 200, 500, 1000)
CELLS = (
    Cell("pc", "er2", SIZES),
    Cell("pc", "er4", SIZES, degree=4.0),
    Cell("pc", "er2-10k", SIZES, rows=10_000),
    Cell("pc", "sf4", (20, 50, 100, 200), degree=4.0, kind="scale-free"),
)
