"""What FCI and RFCI share: the data and knowledge as arrays, the marks that are known, the result and its warnings."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from whence.discovery._common import SeparatingSets, knowledge_arrays, open_table, precedence
from whence.discovery._orient import ColliderRule
from whence.discovery._pag import Judge, PartialGraph, is_class
from whence.discovery._possible_d_sep import Limits, Searched, TimedScanner
from whence.discovery._scan import Booleans, Integers, Neighbours, Scanner, scanner_of
from whence.discovery._skeleton import Skeleton, find_skeleton
from whence.discovery._triple_checks import Checks
from whence.discovery.pc import MOST_SETS, PC, Setup, evidence_of, unfinished
from whence.discovery.result import DiscoveryResult
from whence.graph import Graph, Knowledge

if TYPE_CHECKING:
    from whence.discovery.fci import FCI, RFCI
    from whence.discovery.gfci import GFCI


@dataclass(frozen=True)
class Problem:
    """What is searched: the test with its scanner, the knowledge, the limits."""

    setup: Setup
    scan: Scanner
    required: Booleans
    forbidden: Booleans
    limits: Limits
    alpha_rule: str

    @classmethod
    def of(cls, search: FCI | GFCI | RFCI, data: Any, most_candidates: int | None = None) -> Problem:
        """Read the data as PC does."""
        if isinstance(search.test, str):
            data = open_table(data, search.card)
        pc = PC(alpha=search.alpha, test=search.test, max_depth=search.max_depth)
        setup = pc.set_up(data, gaps=search.card.missing == "test-wise")
        names = setup.test.names
        required, forbidden = knowledge_arrays(search.knowledge, names, search.card)
        before = precedence(names, search.knowledge, required)
        scan = scanner_of(setup.test)
        alpha, alpha_rule = pc.level(setup.test)
        most_sets = MOST_SETS if search.max_depth is None else np.inf
        limits = Limits(alpha, search.max_depth, most_sets, most_candidates)
        return cls(setup, TimedScanner(scan, before) if before.any() else scan, required, forbidden, limits, alpha_rule)

    def skeleton(self) -> Skeleton:
        """Separate pairs by sets of their neighbours."""
        limits = self.limits
        open_to_all = np.zeros_like(self.required)
        return find_skeleton(
            self.scan,
            limits.alpha,
            self.required,
            open_to_all,
            max_depth=limits.max_depth,
            most_sets=limits.most_sets,
        )


def with_colliders(problem: Problem, skeleton: Skeleton, triples: Integers) -> PartialGraph:
    """Return the skeleton with what is known and its unshielded colliders directed, the surest first (R0)."""
    graph = PartialGraph(skeleton.adjacency)
    graph.know(problem.required, problem.forbidden)
    for a, b, c in triples.tolist():
        graph.collide(a, b, c)
    return graph


def judge_of(problem: Problem, skeleton: Skeleton, rule: ColliderRule) -> Judge:
    """Return whether the last but one node of a path is in what separates its ends, as the collider rule says."""
    scan, limits = problem.scan, problem.limits
    near = Neighbours.of(skeleton.adjacency)
    sizes = (0, min(limits.deepest(scan), near.most))

    def judge(path: tuple[int, ...]) -> bool:
        d, b, c = path[0], path[-2], path[-1]
        pair = (min(d, c), max(d, c))
        if rule == "majority":
            mids = Neighbours(np.array([0, 1]), np.array([b]))
            found = scan(np.array([pair]), near, sizes, limits.alpha, limits.most_sets, mids)
            if found.separating[0]:
                return bool(found.containing[0] >= found.separating[0] / 2)
        return b in skeleton.sets.get(pair, ())

    return _remembered(judge)


def checked_judge(checks: Checks, judged: dict[tuple[int, ...], dict[Any, Any]]) -> Judge:
    """Return the judge of RFCI: a path counts if no two neighbours on it can be separated; ``judged`` keeps those."""

    def judge(path: tuple[int, ...]) -> bool | None:
        judged[path] = checks.path(path)
        return None if judged[path] else path[-2] in checks.separating(path[0], path[-1])

    return _remembered(judge)


def _remembered(judge: Judge) -> Judge:
    known: dict[tuple[int, ...], bool | None] = {}

    def remember(path: tuple[int, ...]) -> bool | None:
        if path not in known:
            known[path] = judge(path)
        return known[path]

    return remember


def result_of(
    search: FCI | GFCI | RFCI,
    problem: Problem,
    skeleton: Skeleton,
    graph: PartialGraph,
    *,
    started: float,
    own: dict[str, Any],
    details: dict[str, Any],
    searched: Searched | None = None,
) -> DiscoveryResult:
    """Return what was found by name, in the order of the user's columns."""
    setup, limits = problem.setup, problem.limits
    names = setup.test.names
    back = [names.index(name) for name in setup.names]
    found = Graph(setup.names, graph.marks()[np.ix_(back, back)], "PAG")
    known = bool(search.knowledge)
    consistent = is_class(found.marks, selection=search.selection, known=known)
    return DiscoveryResult(
        graph=found,
        method=search.card.name,
        parameters={
            "alpha": limits.alpha,
            "alpha_rule": problem.alpha_rule,
            "test": setup.test_name,
            "test_rule": setup.test_rule,
            "max_depth": search.max_depth,
            "max_depth_rule": "given" if search.max_depth is not None else f"sizes with {MOST_SETS:,.0f} sets or fewer",
            **own,
            "max_path_length": search.max_path_length,
            "selection": search.selection,
            "knowledge": (search.knowledge or Knowledge()).to_dict(),
        },
        evidence=evidence_of(found, skeleton, names),
        separating_sets=SeparatingSets(setup.names, names, skeleton.level >= 0, skeleton.sets),
        rows_used=setup.test.rows_used,
        seconds=time.perf_counter() - started,
        warnings=(*setup.warnings, *_warnings(search, problem, skeleton, graph, consistent, searched)),
        details={
            **details,
            "largest_set": max((len(given) for given in skeleton.sets.values()), default=0),
            "marks_refused": len(graph.refused),
            "consistent": consistent,
        },
        library=setup.library,
        interrupted=skeleton.interrupted_at is not None,
    )


def unfinished_result(
    search: FCI | GFCI | RFCI, problem: Problem, skeleton: Skeleton, started: float
) -> DiscoveryResult:
    """Return what was found of a skeleton before the user interrupted the search, nothing directed by the data."""
    graph = with_colliders(problem, skeleton, np.zeros((0, 3), dtype=np.int64))
    details = {"tests": skeleton.tests}
    return result_of(search, problem, skeleton, graph, started=started, own={}, details=details)


def _warnings(
    search: FCI | GFCI | RFCI,
    problem: Problem,
    skeleton: Skeleton,
    graph: PartialGraph,
    consistent: bool,
    searched: Searched | None,
) -> list[str]:
    said = []
    if skeleton.interrupted_at is not None:
        said.append(unfinished(skeleton.interrupted_at))
    if skeleton.stopped:
        said.append(
            "some columns have more than 15 neighbours: conditioning sizes with more than "
            f"{MOST_SETS:,.0f} sets were not tried ({skeleton.stopped:,} times)"
        )
    deeper = _deeper(problem, skeleton) + (searched.deeper if searched else 0)
    if deeper:
        said.append(f"max_depth = {search.max_depth} left larger sets untried ({deeper:,} times)")
    if searched and searched.cut:
        said.append(
            "some possible-d-sep sets are large: sizes with more than "
            f"{problem.limits.most_sets:,.0f} subsets were not tried ({searched.cut:,} times)"
        )
    if searched and searched.too_many:
        said.append(
            f"max_possible_d_sep = {problem.limits.most_candidates} left possible-d-sep sets out "
            f"({searched.too_many:,} times): some edges may be too many"
        )
    if graph.cut:
        said.append(f"max_path_length = {search.max_path_length} left longer discriminating paths out")
    untested = sum(map(math.isnan, skeleton.p_values.values()))
    if untested:
        said.append(f"{untested:,} pairs could not be tested and stay joined")
    if graph.refused:
        said.append(
            f"{len(graph.refused):,} marks contradict others with more evidence or the knowledge and were left open"
        )
    if not consistent:
        said.append(
            "no graph has exactly these marks, as the tests contradict each other: each is to be read by itself"
        )
    return said


def _deeper(problem: Problem, skeleton: Skeleton) -> int:
    """Return how many columns have more neighbours than could be conditioned on because of ``max_depth``."""
    if not problem.limits.binding(problem.scan):
        return 0
    return int((skeleton.adjacency.sum(axis=0) - 1 > problem.limits.deepest(problem.scan)).sum())
