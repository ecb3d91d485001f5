"""GFCI: a score proposes the graph, tests of independence take out what a hidden common cause has put in."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from whence.discovery._hidden import Problem, judge_of, result_of, unfinished_result, with_colliders
from whence.discovery._pag import complete
from whence.discovery._possible_d_sep import search_possible_d_sep
from whence.discovery._scan import Booleans, Integers
from whence.discovery._skeleton import Skeleton, find_skeleton
from whence.discovery.fci import FCI_CARD, SHORTEST, check_least
from whence.discovery.pc import TestName, check_settings
from whence.discovery.result import DiscoveryResult
from whence.errors import ParameterError
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import Marks
from whence.registry import Card, Paper, lookup, register

ProposalName = Literal["boss", "ges", "grasp"]

CARD = replace(
    FCI_CARD,
    name="gfci",
    answers="The question of FCI, with a graph of the best score to start from: fewer edges lost on few rows.",
    missing="complete-rows",
    paper=Paper(
        "Ogarrio, Spirtes and Ramsey",
        "A hybrid causal search algorithm for latent variable models",
        2016,
        "PGM, JMLR W&CP 52, 368-379",
    ),
)


@register(CARD)
class GFCI:
    """Greedy FCI: the class of best score, less the edges that tests separate, directed as in FCI.

    A score over all columns proposes a class of graphs. Where common causes are hidden it joins columns that a test can
    part: so the edges of its triangles are tested given sets of neighbours, then all edges given possible-d-sep sets.
    Colliders are taken from the proposal, and from separating sets where a test removed an edge; the complete rules of
    FCI direct the rest. With BOSS for the score this is BOSS-FCI, with GRaSP GRaSP-FCI.

    Parameters
    ----------
    proposal : {"boss", "ges", "grasp"}
        The search by score, with its default settings.
    alpha, test, max_depth, max_possible_d_sep, max_path_length, selection, knowledge
        As in `FCI`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dose, age, habit = rng.normal(size=(3, 2000))
    >>> table = {"dose": dose, "age": age, "pain": dose + habit + rng.normal(size=2000)}
    >>> table["sleep"] = age + habit + rng.normal(size=2000)
    >>> [str(edge) for edge in GFCI().fit(table).graph.edges()]
    ['dose o-> pain', 'age o-> sleep', 'pain <-> sleep']
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        proposal: ProposalName = "boss",
        alpha: float | None = None,
        test: TestName = "auto",
        max_depth: int | None = None,
        max_possible_d_sep: int | None = None,
        max_path_length: int | None = None,
        selection: bool = False,
        knowledge: Knowledge | None = None,
    ) -> None:
        check_settings(alpha, test, max_depth)
        check_least("max_possible_d_sep", max_possible_d_sep, 0)
        check_least("max_path_length", max_path_length, SHORTEST)
        if proposal not in get_args(ProposalName):
            raise ParameterError(
                "E311", f"there is no proposal {proposal!r}.", f"Choose {', '.join(get_args(ProposalName))}."
            )
        self.proposal: ProposalName = proposal
        self.alpha = alpha
        self.test = test
        self.max_depth = max_depth
        self.max_possible_d_sep = max_possible_d_sep
        self.max_path_length = max_path_length
        self.selection = selection
        self.knowledge = knowledge

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that do not vary, are the same, or are unfit for test or score, or too few complete rows.
        """
        started = time.perf_counter()
        problem = Problem.of(self, data, self.max_possible_d_sep)
        # Not the higher price that many numbers on few rows have by default: tests take out what joins too much.
        price = math.log(len(problem.setup.names))
        proposed: DiscoveryResult = lookup("search", self.proposal)(knowledge=self.knowledge, per_edge=price).fit(data)
        marks = _in_order(proposed.graph, problem.setup.test.names)
        skeleton = self._thinned(problem, marks != Mark.NONE)
        if proposed.interrupted or skeleton.interrupted_at is not None:
            skeleton = replace(skeleton, interrupted_at=skeleton.interrupted_at or 1)
            return unfinished_result(self, problem, skeleton, started)
        triples = _colliders(skeleton, marks)
        graph = with_colliders(problem, skeleton, triples)
        searched = search_possible_d_sep(problem.scan, skeleton, graph, problem.required, problem.limits)
        skeleton = searched.skeleton
        if searched.removed:
            triples = _colliders(skeleton, marks)
            graph = with_colliders(problem, skeleton, triples)
        dropped = len(graph.refused)
        complete(graph, judge_of(problem, skeleton, "majority"), selection=self.selection, longest=self.max_path_length)
        return result_of(
            self,
            problem,
            skeleton,
            graph,
            started=started,
            own={"proposal": self.proposal, "max_possible_d_sep": self.max_possible_d_sep},
            details={
                "tests": skeleton.tests,
                "proposed_edges": int(np.triu(marks != Mark.NONE).sum()),
                "possible_d_sep_removed": searched.removed,
                "colliders": len(triples),
                "colliders_dropped": dropped,
            },
            searched=searched,
        )

    def _thinned(self, problem: Problem, proposed: Booleans) -> Skeleton:
        """Return the proposal without the edges of its triangles that sets of neighbours separate."""
        triangles = proposed & ((proposed.astype(np.int64) @ proposed.astype(np.int64)) > 0)
        kept = problem.required | (proposed & ~triangles)
        apart = ~(proposed | problem.required | problem.required.T)
        np.fill_diagonal(apart, val=True)
        limits = problem.limits
        return find_skeleton(
            problem.scan, limits.alpha, kept, apart, max_depth=limits.max_depth, most_sets=limits.most_sets
        )


def _in_order(graph: Graph, names: tuple[str, ...]) -> Marks:
    order = [graph.index(name) for name in names]
    return graph.marks[np.ix_(order, order)]


def _colliders(skeleton: Skeleton, proposed: Marks) -> Integers:
    """Return the triples ``a -> b <- c``: the proposal's, and those whose edge a - c a test took out without b.

    Ogarrio, Spirtes and Ramsey (2016), algorithm 1, steps 3 and 6.
    """
    found = []
    for b, near in enumerate(skeleton.adjacency):
        around = np.flatnonzero(near).tolist()
        for k, a in enumerate(around):
            for c in around[k + 1 :]:
                if skeleton.adjacency[a, c]:
                    continue
                by_score = proposed[a, c] == Mark.NONE and proposed[a, b] == proposed[c, b] == Mark.ARROW
                by_test = proposed[a, c] != Mark.NONE and b not in skeleton.sets.get((a, c), ())
                if by_score or by_test:
                    found.append((a, b, c))
    return np.array(found, dtype=np.int64).reshape(-1, 3)
