"""Who runs in `benchmarks.discovery`: one function per method and library, from values (n, p) to marks (p, p).

To add a contender write ``def method_library(values) -> marks`` below and enter it in `CONTENDERS`; to add a cell enter
it in `CELLS`. ``marks[i, j]`` is the mark at j's end: 1 tail, 2 arrowhead, 3 circle, 0 no edge, as in `whence.graph`.
"""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whence.data import Dataset, read, simulate
from whence.data.examples import network
from whence.graph.orientation import marks_of_dag

Values = NDArray[np.float64]
Marks = NDArray[np.int8]
Contender = Callable[[Values], Marks]

ALPHA = 0.01
# Beside the settings of the peers: the plain BIC takes in false edges as columns are added, which costs time as well.
DEFAULT = "whence, its defaults"


@dataclass(frozen=True)
class Cell:
    """One sort of data for one method; every contender of the method runs on each size, largest last.

    ``kind`` is a kind of random graph, or ``network``, whose columns are those of a known network of that size.
    """

    method: str
    label: str
    columns: tuple[int, ...]
    rows: int = 1000
    degree: float = 2.0
    kind: str = "erdos-renyi"
    noise: str = "gaussian"
    hidden: float = 0.0  # share of the columns drawn that are left out of the table

    def sample(self, p: int, seed: int | None = None) -> Values:
        """Draw a table with p columns, codes for a network."""
        seed = p if seed is None else seed
        if self.kind == "network":
            codes = network(NETWORKS[p]).sample(self.rows, seed).codes().codes
            _, first = np.unique(codes, axis=1, return_index=True)  # among few rows some columns may be the same
            kept = [k for k in sorted(first) if len(np.unique(codes[:, k])) > 1]
            return codes[:, kept].astype(np.float64)
        drawn = round(p / (1 - self.hidden))
        structure = simulate.random_dag(drawn, degree=self.degree, kind=self.kind, random_state=seed)  # type: ignore[arg-type]
        values = simulate.linear_scm(
            structure, self.rows, weights=(0.3, 0.9), noise=self.noise, noise_scale=(0.7, 1.3), random_state=seed
        ).values
        return values if drawn == p else values[:, np.sort(np.random.default_rng(seed).choice(drawn, p, replace=False))]


def as_categories(codes: NDArray[np.float64]) -> Dataset:
    """Return codes, shape (n, p), as a table of categories named X0, X1, ..."""
    names = [f"X{k}" for k in range(codes.shape[1])]
    return read(codes.astype(np.int64), names=names, kinds=dict.fromkeys(names, "categorical"))


def pc_whence(values: Values) -> Marks:
    from whence.discovery import PC

    return PC(alpha=ALPHA, collider="sepset").fit(values).graph.marks


def pc_causal_learn(values: Values) -> Marks:
    from causallearn.search.ConstraintBased.PC import pc

    return from_causal_learn(pc(values, alpha=ALPHA, indep_test="fisherz", show_progress=False).G.graph)


def pc_antecedent(values: Values) -> Marks:
    from antecedent.discovery import PC

    search = PC(alpha=ALPHA, fdr=False, max_cond_size=values.shape[1])
    return from_antecedent(search.run(named(values)), values.shape[1])


def pc_discrete_whence(values: Values) -> Marks:
    from whence.discovery import PC

    return PC(alpha=ALPHA, test="chi-square", collider="sepset").fit(as_categories(values)).graph.marks


def pc_discrete_causal_learn(values: Values) -> Marks:
    from causallearn.search.ConstraintBased.PC import pc

    return from_causal_learn(pc(values, alpha=ALPHA, indep_test="chisq", show_progress=False).G.graph)


def ges_whence(values: Values) -> Marks:
    from whence.discovery import GES

    return GES(per_edge=0).fit(values).graph.marks


def ges_default(values: Values) -> Marks:
    from whence.discovery import GES

    return GES().fit(values).graph.marks


def ges_extreme(values: Values) -> Marks:
    from whence.discovery import XGES

    return XGES(per_edge=0).fit(values).graph.marks


def boss_default(values: Values) -> Marks:
    from whence.discovery import BOSS

    return BOSS().fit(values).graph.marks


def pc_default(values: Values) -> Marks:
    from whence.discovery import PC

    return PC().fit(values).graph.marks


def ges_causal_learn(values: Values) -> Marks:
    from causallearn.search.ScoreBased.GES import ges

    return from_causal_learn(ges(values)["G"].graph)  # lambda 1/2 per log n is the BIC


def ges_antecedent(values: Values) -> Marks:
    from antecedent.discovery import GES

    return from_antecedent(GES().run(named(values)), values.shape[1])


def boss_whence(values: Values) -> Marks:
    from whence.discovery import BOSS

    return BOSS(per_edge=0).fit(values).graph.marks


def boss_causal_learn(values: Values) -> Marks:
    from causallearn.search.PermutationBased.BOSS import boss

    random.seed(0)  # it shuffles with the global generator
    return from_causal_learn(boss(values, parameters={"lambda_value": 0.5}, verbose=False).graph)


def grasp_whence(values: Values) -> Marks:
    from whence.discovery import GRaSP

    return GRaSP(per_edge=0).fit(values).graph.marks


def grasp_default(values: Values) -> Marks:
    from whence.discovery import GRaSP

    return GRaSP().fit(values).graph.marks


def grasp_causal_learn(values: Values) -> Marks:
    from causallearn.search.PermutationBased.GRaSP import grasp

    random.seed(0)  # it shuffles with the global generator
    return from_causal_learn(grasp(values, parameters={"lambda_value": 0.5}, verbose=False).graph)


def fci_whence(values: Values) -> Marks:
    from whence.discovery import FCI

    # The peer directs by single separating sets and always allows for selection; it is compared without the step over
    # possible d-separating sets, which it takes on fewer columns than are defined to belong to them.
    return FCI(alpha=ALPHA, collider="sepset", max_possible_d_sep=0, selection=True).fit(values).graph.marks


def fci_default(values: Values) -> Marks:
    from whence.discovery import FCI

    return FCI().fit(values).graph.marks


def rfci_default(values: Values) -> Marks:
    from whence.discovery import RFCI

    return RFCI().fit(values).graph.marks


def fci_causal_learn(values: Values) -> Marks:
    from causallearn.search.ConstraintBased.FCI import fci

    with contextlib.redirect_stdout(io.StringIO()):  # it prints edges
        return from_causal_learn(fci(values, "fisherz", ALPHA, show_progress=False)[0].graph)


def lingam_whence(values: Values) -> Marks:
    from whence.discovery import DirectLiNGAM

    order = DirectLiNGAM().fit(values).details["causal_order"]
    return from_order([int(name[1:]) for name in order])


def lingam_lingam(values: Values) -> Marks:
    from lingam import DirectLiNGAM

    return from_order(DirectLiNGAM().fit(values).causal_order_)


def ica_lingam_whence(values: Values) -> Marks:
    from whence.discovery import ICALiNGAM

    return ICALiNGAM().fit(values).graph.marks


def ica_lingam_lingam(values: Values) -> Marks:
    from lingam import ICALiNGAM

    return marks_of_dag(ICALiNGAM(random_state=0).fit(values).adjacency_matrix_.T != 0)


def rcd_whence(values: Values) -> Marks:
    from whence.discovery import RCD

    return RCD().fit(values).graph.marks


def rcd_lingam(values: Values) -> Marks:
    from lingam import RCD

    weights = RCD().fit(values).adjacency_matrix_
    hidden = np.isnan(weights)  # both ways where two columns have a hidden cause in common
    return np.where(hidden, 2, marks_of_dag(np.nan_to_num(weights.T) != 0)).astype(np.int8)


def from_order(order: list[int]) -> Marks:
    """Return the complete graph of a causal order, so that two orders are equal where their marks are."""
    place = np.argsort(order)
    return np.where(place[:, None] < place[None, :], 2, np.where(place[:, None] > place[None, :], 1, 0)).astype(np.int8)


def from_causal_learn(matrix: NDArray[np.int64]) -> Marks:
    """Translate causal-learn's matrix: ``[i, j]`` is 1 for an arrowhead at i, -1 for a tail, 2 for a circle."""
    return np.select([matrix.T == 1, matrix.T == -1, matrix.T == 2], [2, 1, 3], 0).astype(np.int8)


def from_antecedent(result: object, p: int) -> Marks:
    """Translate antecedent's edges between columns named ``X0 .. Xp-1``."""
    marks = np.zeros((p, p), dtype=np.int8)
    code = {"tail": 1, "arrow": 2, "conflict": 3}  # a conflict is what ours never returns: marked so as to differ
    for edge in result.graph_edges:  # type: ignore[attr-defined]
        i, j = int(edge.source[1:]), int(edge.target[1:])
        marks[i, j], marks[j, i] = code[edge.at_target], code[edge.at_source]
    return marks


def named(values: Values) -> dict[str, Values]:
    return {f"X{column}": np.ascontiguousarray(values[:, column]) for column in range(values.shape[1])}


CONTENDERS: dict[tuple[str, str], Contender] = {
    ("pc", "whence"): pc_whence,
    ("pc", DEFAULT): pc_default,
    ("pc", "causal-learn"): pc_causal_learn,
    ("pc", "antecedent"): pc_antecedent,
    ("pc-discrete", "whence"): pc_discrete_whence,
    ("pc-discrete", "causal-learn"): pc_discrete_causal_learn,
    ("ges", "whence"): ges_whence,
    ("ges", DEFAULT): ges_default,
    ("ges", "whence, XGES"): ges_extreme,
    ("ges", "causal-learn"): ges_causal_learn,
    ("ges", "antecedent"): ges_antecedent,
    ("boss", "whence"): boss_whence,
    ("boss", DEFAULT): boss_default,
    ("boss", "causal-learn"): boss_causal_learn,
    ("fci", "whence"): fci_whence,
    ("fci", DEFAULT): fci_default,
    ("fci", "whence, RFCI"): rfci_default,
    ("fci", "causal-learn"): fci_causal_learn,
    ("grasp", "whence"): grasp_whence,
    ("grasp", DEFAULT): grasp_default,
    ("grasp", "causal-learn"): grasp_causal_learn,
    ("direct-lingam", "whence"): lingam_whence,
    ("direct-lingam", "lingam"): lingam_lingam,
    ("ica-lingam", "whence"): ica_lingam_whence,
    ("ica-lingam", "lingam"): ica_lingam_lingam,
    ("rcd", "whence"): rcd_whence,
    ("rcd", "lingam"): rcd_lingam,
}

NETWORKS = {8: "asia", 37: "alarm", 70: "hepar2", 223: "andes"}
SIZES = (20, 50, 100, 200, 500, 1000)
GROWTH = (*SIZES, 3000, 10_000)
CELLS = (
    Cell("pc", "er2", GROWTH),
    Cell("pc", "er4", SIZES, degree=4.0),
    Cell("pc", "er2-10k", SIZES, rows=10_000),
    Cell("pc", "sf4", (20, 50, 100, 200), degree=4.0, kind="scale-free"),
    Cell("pc-discrete", "networks", tuple(NETWORKS), kind="network"),
    Cell("ges", "er2", GROWTH),
    Cell("ges", "er4", (20, 50, 100, 200), degree=4.0),
    Cell("boss", "er2", GROWTH),
    Cell("boss", "er4", (20, 50, 100, 200), degree=4.0),
    Cell("grasp", "er2", SIZES),
    Cell("grasp", "er4", (20, 50, 100, 200), degree=4.0),
    Cell("fci", "er2, 10 % hidden", (20, 50, 100, 200), hidden=0.1),
    Cell("direct-lingam", "laplace", (20, 50, 100, 200), noise="laplace"),
    Cell("ica-lingam", "laplace", (20, 50, 100, 200), noise="laplace"),
    Cell("rcd", "laplace, 10 % hidden", (6, 10), rows=500, noise="laplace", hidden=0.1),
)
