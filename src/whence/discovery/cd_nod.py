"""CD-NOD: the graph behind data whose mechanisms drift over time or differ between domains, and what drives them."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from typing import Any, ClassVar

import numpy as np

from whence.discovery._cd_nod_directions import FEW_SWINGS, Decision, Directed, direct_by_changes
from whence.discovery._cd_nod_mechanisms import Mechanisms, seed_of
from whence.discovery._cd_nod_result import ChangeEvidence, ChangingResult
from whence.discovery._cd_nod_rows import KERNEL_ROWS, IndexedRows, IndexKind, read_indexed
from whence.discovery._cd_nod_search import Found, TestMaker, make_test, provenance, search
from whence.discovery._common import SeparatingSets, knowledge_arrays
from whence.discovery._scan import Booleans
from whence.discovery._skeleton import Skeleton
from whence.discovery.driving_force import KINDS, PAPER, DrivingForce, Tuning, check_tuning, force_of, mechanisms_of
from whence.discovery.independent_change import LEVEL, few_swings
from whence.errors import ParameterError, quote_names
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import Marks
from whence.parallel import Progress, RandomState, check_seed, silent
from whence.registry import Card, register

__all__ = ["CDNOD", "ChangeEvidence", "ChangingResult"]

PHASES = (1, 2, 3, 4)
COMPONENTS = 3


@register(
    Card(
        name="cd-nod",
        family="system",
        answers="Finds the causal graph from data whose mechanisms drift over time or differ between sites, and what "
        "drifted.",
        assumes=frozenset({"acyclic", "faithful", "no-hidden-causes"}),
        kinds=KINDS,
        output="PDAG",
        missing="complete-rows",
        knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
        paper=PAPER,
        number=4,
    )
)
class CDNOD:
    """Causal discovery from nonstationary or heterogeneous data.

    The index, a time or a domain, joins the graph as a node that nothing causes. Columns that no set of others
    separates from it have mechanisms that change; pairs of columns are separated given sets of others and the index,
    which takes out hidden causes that are functions of it. Edges away from the index direct others by invariance, and
    colliders and Meek's rules do the rest. What is still open between two columns that both change is directed by the
    independence of their changes, where that answers clearly. No windows are cut at any point.

    Parameters
    ----------
    index : str, optional
        The column of times or domains; by default the one with the role domain, else time.
    index_kind : {"auto", "time", "domain"}
        ``"auto"``: dates, and numbers with more than 20 different values, are times; text, categories and other numbers
        are domains, which enter by indicators and never as numbers.
    alpha : float
        Level of the tests; 0.05 as published.
    test : str or class
        ``"auto"`` or ``"residual-invariance"``: `ResidualInvariance` throughout. ``"rcot"``: `RCoT` between columns,
        and the former for the index, to which `RCoT` is blind where changes cancel. ``"kci"``: `KCI` throughout. Or a
        class that makes a test from a table whose last column is the index.
    max_depth : int or None
        Columns that are conditioned on at most, the index not counted.
    phases : collection of int
        As the paper counts: 1 the skeleton and 2 the directions by invariance are always run; 3 is independence of
        changes, 4 the driving forces.
    level : float
        Independence of changes directs an edge if its p-value is below this.
    tune : {"gp", "fixed"}
        As in `estimate_driving_force`.
    knowledge : Knowledge, optional
        On the columns. An edge from the index may be required or forbidden too: ``"month -> price"`` says that the
        mechanism of the price changes.
    random_state : int or Generator
        Seed of the features of the tests and of the permutations of domains.
    progress : callable, optional
        Called with a stage, how much is done and how much there is.

    References
    ----------
    Huang et al. (2020): sections 3 and 4, algorithms 1 to 3; section 5 for the driving force.

    Examples
    --------
    >>> from whence.data import simulate
    >>> drawn = simulate.changing_chain(500, random_state=1)
    >>> found = CDNOD(index="time").fit(drawn.data)
    >>> found.changing
    ('x2', 'x4')
    >>> [str(edge) for edge in found.graph.edges()]
    ['x1 -> x2', 'x2 -> x3', 'time -> x2', 'x3 -> x4', 'time -> x4']
    """

    card: ClassVar[Card]
    unit: ClassVar[str] = "value of the index"

    def __init__(
        self,
        *,
        index: str | None = None,
        index_kind: IndexKind = "auto",
        alpha: float = 0.05,
        test: str | TestMaker = "auto",
        max_depth: int | None = 3,
        phases: Collection[int] = PHASES,
        level: float = LEVEL,
        tune: Tuning = "gp",
        knowledge: Knowledge | None = None,
        random_state: RandomState = 0,
        progress: Progress = silent,
    ) -> None:
        for name, value in (("alpha", alpha), ("level", level)):
            if not 0 < value < 1:
                raise ParameterError("E311", f"{name} is {value}.", "Give a number between 0 and 1.")
        if max_depth is not None and max_depth < 0:
            raise ParameterError("E311", f"max_depth is {max_depth}.", "Give 0 or more, or None for no limit.")
        if not set(phases) <= set(PHASES):
            raise ParameterError("E311", f"phases is {tuple(phases)}.", "Give some of 1, 2, 3 and 4.")
        check_tuning(tune)
        check_seed(random_state)
        self.index = index
        self.index_kind: IndexKind = index_kind
        self.alpha = alpha
        self.test = test
        self.max_depth = max_depth
        self.phases = tuple(phases)
        self.level = level
        self.tune: Tuning = tune
        self.knowledge = knowledge
        self.random_state = random_state
        self.progress = progress

    def fit(self, data: Any) -> ChangingResult:
        """Search a table with a column that is the index.

        Raises
        ------
        DataError
            Without an index; for one with a single value, or a domain with fewer than 10 complete rows; for columns
            that do not vary or are the same as another.
        """
        started = time.perf_counter()
        rows = read_indexed(data, self.index, self.index_kind, self.card)
        names = rows.table.names
        seed = seed_of(self.random_state)
        required, forbidden = self._known(names)
        test_name, test = make_test(self.test, rows.table, rows.index, seed, self.progress)
        found = search(test, self.alpha, required, forbidden, self.max_depth)
        mechanisms = mechanisms_of(rows, self.tune, seed) if set(self.phases) & {3, 4} else None
        directed = Directed(found.marks, (), set())
        if 3 in self.phases and mechanisms is not None:
            directed = direct_by_changes(found.marks, names, mechanisms, forbidden, self.level, self.progress)
        graph = _graph(directed.marks, names, rows.given)
        changing = tuple(name for name in rows.given if name != rows.index and graph.edge(rows.index, name) is not None)
        forces = self._forces(graph, rows, changing, mechanisms) if 4 in self.phases else {}
        known = forbidden.T & ~forbidden
        return ChangingResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "index": rows.index,
                "index_kind": "time" if rows.timed else "domain",
                "index_kind_rule": "given" if self.index_kind != "auto" else "by its kind and its different values",
                "alpha": self.alpha,
                "test": test_name,
                "max_depth": self.max_depth,
                "phases": list(self.phases),
                "level": self.level,
                "tune": self.tune,
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=_evidence(graph, names, found.skeleton, provenance(directed.marks, known, directed.edges)),
            separating_sets=SeparatingSets(rows.given, names, found.skeleton.level >= 0, found.skeleton.sets),
            rows_used=len(rows.codes),
            seconds=time.perf_counter() - started,
            warnings=(*rows.warnings, *_warnings(rows, found, names, directed.decisions, forces)),
            details={
                "tests": len(test.made),
                "values_of_index": len(rows.values),
                "colliders": found.oriented.colliders,
                "colliders_dropped": found.oriented.dropped,
            },
            library=rows.library,
            index=rows.index,
            changing=changing,
            tests=test.table(),
            decisions=directed.decisions,
            driving_forces=forces,
        )

    def _known(self, names: tuple[str, ...]) -> tuple[Booleans, Booleans]:
        """Return what is required and forbidden with the index last, which nothing causes.

        Tiers, roots and leaves speak of the columns alone: a root has no cause among them and may change all the same.
        """
        known = self.knowledge or Knowledge()
        knowledge_arrays(Knowledge(required=known.required), names, self.card)
        into = [cause for cause, effect in known.required if effect == names[-1]]
        if into:
            raise ParameterError(
                "E365",
                f"the knowledge requires {into[0]!r} -> {names[-1]!r}, and nothing causes the index.",
                f"Leave the edge out, or turn it round: {names[-1]!r} -> {into[0]!r}.",
            )
        edges = Knowledge(required=known.required, forbidden=known.forbidden)
        required, forbidden = knowledge_arrays(edges, names, self.card)
        order = Knowledge(tiers=known.tiers, roots=known.roots, leaves=known.leaves)
        forbidden[:-1, :-1] |= knowledge_arrays(order, names[:-1], self.card)[1]
        forbidden[:-1, -1] = True
        return required, forbidden

    def _forces(
        self, graph: Graph, rows: IndexedRows, changing: tuple[str, ...], mechanisms: Mechanisms | None
    ) -> dict[str, DrivingForce]:
        """Return the driving force of each mechanism that changes, given the causes that are directed."""
        assert mechanisms is not None
        forces = {}
        for done, name in enumerate(changing):
            causes = tuple(cause for cause in graph.parents(name) if cause != rows.index)
            forces[name] = force_of(mechanisms, rows, name, causes, COMPONENTS)
            self.progress("driving forces", done + 1, len(changing))
        return forces


def _graph(marks: Marks, names: tuple[str, ...], given: tuple[str, ...]) -> Graph:
    back = [names.index(name) for name in given]
    open_edges = ((marks == Mark.TAIL) & (marks.T == Mark.TAIL)).any()
    return Graph(given, marks[np.ix_(back, back)], "PDAG" if open_edges else "DAG")


def _evidence(
    graph: Graph, names: tuple[str, ...], skeleton: Skeleton, settled: dict[tuple[int, int], str]
) -> tuple[ChangeEvidence, ...]:
    place = {name: k for k, name in enumerate(names)}
    listed = []
    for edge in graph.edges():
        i, j = sorted((place[edge.source], place[edge.target]))
        p_value, statistic = (found.get((i, j), math.nan) for found in (skeleton.p_values, skeleton.statistics))
        tested = not math.isnan(p_value)
        listed.append(
            ChangeEvidence(
                edge.source,
                edge.target,
                p_value=p_value if tested else None,
                statistic=statistic if tested else None,
                provenance=settled[i, j],
            )
        )
    return tuple(listed)


def _warnings(
    rows: IndexedRows,
    found: Found,
    names: tuple[str, ...],
    decisions: tuple[Decision, ...],
    forces: dict[str, DrivingForce],
) -> list[str]:
    said = []
    if found.skeleton.stopped:
        said.append("Some columns have more than 15 neighbours: conditioning sizes with too many sets were not tried.")
    untested = sum(map(math.isnan, found.skeleton.p_values.values()))
    if untested:
        said.append(f"{untested:,} pairs could not be tested and stay joined.")
    if found.oriented.dropped:
        said.append(
            f"{found.oriented.dropped:,} of {found.oriented.colliders:,} colliders contradict others with more "
            "evidence or the knowledge, and were not directed."
        )
    if found.oriented.added:
        said.append(
            "No graph has exactly the colliders that the tests ask for: the nearest one is returned, with "
            f"{found.oriented.added:,} more."
        )
    said += [
        f"The knowledge directs a cycle through {names[i]!r} and {names[j]!r}: the edge between them was left out."
        for i, j in found.cut
    ]
    said += [
        f"The changes leave {quote_names(one.causes)} and {one.effect!r} undirected: {one.reason}."
        for one in decisions
        if not one.decided
    ]
    if (decisions or forces) and len(rows.codes) > KERNEL_ROWS:
        said.append(f"Changes were estimated from {KERNEL_ROWS:,} rows, evenly along {rows.index!r}.")
    few = [one.swings for one in decisions if 0 <= one.swings < FEW_SWINGS]
    if few:
        said.append(few_swings(min(few), rows.index))
    return said
