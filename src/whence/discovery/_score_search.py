"""What searches by score share: from a table to a local score, from marks to a result with evidence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import (
    dependent_columns,
    discrete_input,
    gaussian_input,
    is_discrete,
    knowledge_arrays,
    open_table,
)
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import DataError, ParameterError, quote_names
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import Marks, extension, meek, neighbour_lists
from whence.kernels import Kernels
from whence.registry import Card
from whence.scores import LocalScore, bdeu, discrete_bic, gaussian_bic

_kernels = Kernels("whence.discovery._kernels_ges")

ScoreName = Literal["auto", "bic", "bdeu"]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoreInput:
    """A local score over columns sorted by name, so that not even ties depend on their order in the table.

    Attributes
    ----------
    score : LocalScore
    names : tuple of str
        Sorted; positions in the score.
    given : tuple of str
        As in the table.
    required, forbidden : bool arrays, shape (p, p)
    parameters : dict
        Settings as used, with the rule behind each default.
    """

    score: LocalScore
    names: tuple[str, ...]
    given: tuple[str, ...]
    required: Booleans
    forbidden: Booleans
    parameters: dict[str, Any]
    rows_used: int
    warnings: tuple[str, ...]
    library: str


def score_input(
    data: Any,
    card: Card,
    *,
    score: ScoreName,
    penalty: float,
    per_edge: float | None,
    ess: float,
    knowledge: Knowledge | None,
) -> ScoreInput:
    """Read a table and set up its score.

    Raises
    ------
    DataError
        For columns that a score cannot take: constant, the same as another, determined by others, of mixed sorts; or
        too few complete rows.
    """
    dataset = open_table(data, card)
    given = dataset.names
    ordered = dataset.select(sorted(given))
    required, forbidden = knowledge_arrays(knowledge, ordered.names, card)
    discrete = is_discrete(ordered)
    if discrete:
        coded = discrete_input(ordered)
        warnings, rows = coded.warnings, coded.rows_used
        chosen = "bdeu" if score == "bdeu" else "discrete-bic"
        local = (
            bdeu(coded.codes, coded.sizes, ess=ess, per_edge=per_edge)
            if score == "bdeu"
            else discrete_bic(coded.codes, coded.sizes, penalty=penalty, per_edge=per_edge)
        )
    else:
        if score == "bdeu":
            raise DataError("E317", "the score bdeu takes discrete columns; these are numbers.", "Use score='bic'.")
        gaussian = gaussian_input(ordered)
        warnings, rows = gaussian.warnings, gaussian.moments.n
        # With no more rows than columns every column follows from others; small sets of parents still tell them apart.
        dependent = dependent_columns(gaussian.moments.correlation, ordered.names) if rows > len(given) + 1 else []
        if dependent:
            raise DataError(
                "E318",
                f"{quote_names(dependent, 4)} follows exactly from other columns; a score cannot tell them apart.",
                f"Leave {quote_names(dependent, 4)} out, or use the search 'pc'.",
            )
        chosen = "gaussian-bic"
        local = gaussian_bic(gaussian.moments.correlation, rows, penalty=penalty, per_edge=per_edge)
    parameters = {
        "score": chosen,
        "score_rule": "given" if score != "auto" else f"all columns are {'discrete' if discrete else 'numeric'}",
        "penalty": penalty,
        "per_edge": local.edge,
        "per_edge_rule": "given" if per_edge is not None else f"log p at p = {len(given)}",
        "knowledge": (knowledge or Knowledge()).to_dict(),
    }
    if score == "bdeu":
        parameters["ess"] = ess
    return ScoreInput(local, ordered.names, given, required, forbidden, parameters, rows, warnings, dataset.library)


def check_settings(score: str, most_parents: int | None) -> None:
    """Raise ParameterError for a score or limit that does not exist."""
    if score not in ("auto", "bic", "bdeu"):
        raise ParameterError("E311", f"there is no score {score!r}.", "Choose auto, bic or bdeu.")
    if most_parents is not None and most_parents < 1:
        raise ParameterError("E311", f"most_parents is {most_parents}.", "Give 1 or more, or None for no limit.")


def climb_classes(found: ScoreInput, marks: Marks, *, known: bool, most_parents: int) -> tuple[int, int]:
    """Raise the score of a class in place, by insertions and then by deletions; return how many of each.

    Greedy equivalence search: Chickering (2002), section 4. With ``known``, to classes with a member that keeps to what
    is required and forbidden.
    """
    p = len(marks)
    near, degree = np.empty((p, p), dtype=np.int32), np.zeros(p, dtype=np.int32)
    start, degree[:] = neighbour_lists(marks)
    near[:, : start.shape[1]] = start
    graph, score = (marks, near, degree), (found.score.kernels[0], found.score.packed)
    room = (np.zeros((p, p), dtype=np.int8), np.zeros((3, p, p), dtype=np.int8))
    steps = np.zeros(2, dtype=np.int64)
    _kernels.insert_edges(*score, *graph, found.forbidden, known, most_parents, *room, steps)
    _kernels.delete_edges(*score, *graph, found.required, found.forbidden, known, *room, steps)
    return int(steps[0]), int(steps[1])


def narrow(marks: Marks, forbidden: Booleans) -> tuple[Marks, bool]:
    """Direct what the knowledge settles in a class and close it; also return whether that directed anything."""
    undirected = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    settled = undirected & forbidden.T
    if not settled.any():
        return marks, False
    narrowed = marks.copy()
    narrowed[settled] = Mark.ARROW
    return meek(narrowed), True


def result_of(
    found: ScoreInput,
    marks: Marks,
    kind: str,
    card: Card,
    started: float,
    *,
    parameters: dict[str, Any],
    details: dict[str, Any],
    warnings: Sequence[str] = (),
) -> DiscoveryResult:
    """Return the result of a search by score: the graph in the table's order, each edge with what it is worth."""
    back = [found.names.index(name) for name in found.given]
    graph = Graph(found.given, marks[np.ix_(back, back)], kind)  # type: ignore[arg-type]
    adjacency = extension(marks)
    return DiscoveryResult(
        graph=graph,
        method=card.name,
        parameters={**found.parameters, **parameters},
        evidence=_evidence(graph, found, adjacency),
        rows_used=found.rows_used,
        seconds=time.perf_counter() - started,
        warnings=(*found.warnings, *warnings),
        details={"score": found.score.total(adjacency), **details},
        library=found.library,
    )


def _evidence(graph: Graph, found: ScoreInput, adjacency: Booleans) -> tuple[EdgeEvidence, ...]:
    """Return for each edge by how much the score of a member of the class falls without it."""
    index = {name: k for k, name in enumerate(found.names)}
    worth: dict[tuple[int, int], float] = {}
    for target in range(len(found.names)):
        parents = np.flatnonzero(adjacency[:, target]).tolist()
        for parent, loss in zip(parents, found.score.losses(target, parents)):
            worth[min(parent, target), max(parent, target)] = float(loss)
    listed = []
    for edge in graph.edges():
        i, j = sorted((index[edge.source], index[edge.target]))
        listed.append(EdgeEvidence(edge.source, edge.target, score_difference=worth[i, j]))
    return tuple(listed)
