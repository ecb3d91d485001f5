"""What searches by score share: from a table to a local score, from marks to a result with evidence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import knowledge_arrays, open_table
from whence.discovery._score_choice import ScoreName, check_score, choose_score
from whence.discovery.result import INTERRUPTED, DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import Marks, extension, meek, neighbour_lists
from whence.kernels import Kernels
from whence.registry import Card
from whence.scores import LocalScore

_kernels = Kernels("whence.discovery._kernels_ges")
_deletions = Kernels("whence.discovery._kernels_deletions")
_score = Kernels("whence.discovery._kernels_score")

Booleans = NDArray[np.bool_]

# Steps, times the number of columns, that a search makes before it listens to an interrupt.
_STEPS_AT_ONCE = 200_000
# Nodes of the longest path that is kept as the reason why an insertion is not valid.
_LONGEST = 24


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


@dataclass(frozen=True)
class Climb:
    """Insertions and deletions made, and whether the user interrupted them."""

    insertions: int
    deletions: int
    interrupted: bool


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
        For columns that a score cannot take: constant, the same as another, determined by others; or too few complete
        rows.
    """
    dataset = open_table(data, card)
    given = dataset.names
    ordered = dataset.select(sorted(given))
    required, forbidden = knowledge_arrays(knowledge, ordered.names, card)
    chosen = choose_score(ordered, score, penalty=penalty, per_edge=per_edge, ess=ess)
    parameters = {
        "score": chosen.name,
        "score_rule": chosen.rule,
        "penalty": penalty,
        "per_edge": chosen.score.edge,
        "per_edge_rule": chosen.price_rule,
        "knowledge": (knowledge or Knowledge()).to_dict(),
    }
    if score == "bdeu":
        parameters["ess"] = ess
    return ScoreInput(
        chosen.score,
        ordered.names,
        given,
        required,
        forbidden,
        parameters,
        chosen.rows,
        chosen.warnings,
        dataset.library,
    )


class ScoreSearch:
    """The settings of searches by score, and the way from a table to its score."""

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        score: ScoreName = "auto",
        penalty: float = 1.0,
        per_edge: float | None = None,
        ess: float = 1.0,
        most_parents: int | None = None,
        knowledge: Knowledge | None = None,
    ) -> None:
        check_settings(score, most_parents)
        self.score: ScoreName = score
        self.penalty = penalty
        self.per_edge = per_edge
        self.ess = ess
        self.most_parents = most_parents
        self.knowledge = knowledge

    def _input(self, data: Any) -> ScoreInput:
        return score_input(
            data,
            self.card,
            score=self.score,
            penalty=self.penalty,
            per_edge=self.per_edge,
            ess=self.ess,
            knowledge=self.knowledge,
        )


def check_settings(score: str, most_parents: int | None) -> None:
    """Raise ParameterError for a score or limit that does not exist."""
    check_score(score)
    if most_parents is not None and most_parents < 1:
        raise ParameterError("E311", f"most_parents is {most_parents}.", "Give 1 or more, or None for no limit.")


def kernel_addresses(score: LocalScore) -> tuple[int, int]:
    """Return where the compiled gains and losses of a score begin, as compiled searches take them."""
    gains, losses = score.kernels
    return _score.address_of(gains), _score.address_of(losses)


def climb_classes(found: ScoreInput, marks: Marks, *, known: bool, most_parents: int) -> Climb:
    """Raise the score of a class in place, by insertions and then by deletions.

    Greedy equivalence search: Chickering (2002), section 4. With ``known``, to classes with a member that keeps to what
    is required and forbidden.
    """
    p = len(marks)
    graph, score = with_lists(marks), (kernel_addresses(found.score)[0], found.score.packed)
    room = (np.zeros((p, p), dtype=np.int8), np.zeros((3, p, p), dtype=np.int8))
    steps, rise = np.zeros(3, dtype=np.int64), np.zeros(1)
    at_once = max(1, _STEPS_AT_ONCE // p)
    state, look = insertions(p), np.ones(p, dtype=bool)
    limits = (found.required, found.forbidden, known)
    interrupted = False
    try:
        while not _kernels.insert_edges(
            *score, *graph, found.forbidden, known, most_parents, *room, state, at_once, steps, rise
        ):
            pass
        while not _deletions.delete_edges(
            *score, *graph, *limits, *room, look, np.ones(p, dtype=bool), 0.0, at_once, steps, rise
        ):
            pass
    except KeyboardInterrupt:  # heard between calls: the marks are a class
        interrupted = True
    return Climb(int(steps[0]), int(steps[1]), interrupted)


def with_lists(marks: Marks) -> tuple[Marks, NDArray[np.int32], NDArray[np.int32]]:
    """Return marks, and beside them room for p neighbours of each node and their number, for compiled steps."""
    near, degree = np.empty(marks.shape, dtype=np.int32), np.zeros(len(marks), dtype=np.int32)
    start, degree[:] = neighbour_lists(marks)
    near[:, : start.shape[1]] = start
    return marks, near, degree


def insertions(p: int) -> tuple[Any, ...]:
    """Return the state of a search for insertions before the first."""
    barred = 32 * p + 64
    return (
        np.full((p, p), -np.inf),
        np.zeros((p, p), dtype=np.int64),
        np.ones(p, dtype=bool),
        np.ones(p, dtype=bool),
        np.zeros(p, dtype=np.int64),
        np.zeros(p),
        np.empty((barred, 4), dtype=np.int64),
        np.empty(barred),
        np.empty((barred, _LONGEST), dtype=np.int32),
        np.zeros(p, dtype=bool),
        np.full(2, -1),
    )


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
    interrupted: bool = False,
) -> DiscoveryResult:
    """Return the result of a search by score: the graph in the table's order, each edge with what it is worth."""
    order = [found.names.index(name) for name in found.given]
    graph = Graph(found.given, marks[np.ix_(order, order)], kind)  # type: ignore[arg-type]
    adjacency, worth = extension(marks), np.empty(marks.shape)
    score = _score.worth_of_edges(kernel_addresses(found.score)[1], found.score.packed, adjacency, worth)
    return DiscoveryResult(
        graph=graph,
        method=card.name,
        parameters={**found.parameters, **parameters},
        evidence=_evidence(graph, found.names, adjacency, worth),
        rows_used=found.rows_used,
        seconds=time.perf_counter() - started,
        warnings=(*found.warnings, *warnings, *([INTERRUPTED] if interrupted else [])),
        details={"score": score, **details},
        library=found.library,
        interrupted=interrupted,
    )


def _evidence(
    graph: Graph, names: tuple[str, ...], adjacency: Booleans, worth: NDArray[np.float64]
) -> tuple[EdgeEvidence, ...]:
    """Return for each edge by how much the score of a member of the class falls without it, ``worth`` by position."""
    index = {name: k for k, name in enumerate(names)}
    edges = graph.edges()
    i = np.array([index[edge.source] for edge in edges], dtype=np.int64)
    j = np.array([index[edge.target] for edge in edges], dtype=np.int64)
    found = np.where(adjacency[i, j], worth[i, j], worth[j, i]).tolist()
    return tuple(EdgeEvidence(edge.source, edge.target, score_difference=loss) for edge, loss in zip(edges, found))
