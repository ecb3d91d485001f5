"""Causal de Finetti: one graph, every direction included, from many small groups of exchangeable rows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from whence.discovery._common import knowledge_arrays, precedence
from whence.discovery._definetti_levels import (
    CLEAR,
    Asked,
    Booleans,
    Direction,
    FirstRow,
    find_edges,
    find_levels,
    leads,
    mechanisms,
    pair_p_values,
    pair_verdict,
    variation,
)
from whence.discovery._definetti_rows import PairedTest, TestMaker, check_pairings, read_groups
from whence.discovery.pc import PC
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError, quote_names
from whence.graph import Edge, Graph, Knowledge, Mark
from whence.parallel import RandomState, check_seed
from whence.registry import Card, Paper, register

__all__ = ["CausalDeFinetti", "ExchangeableTest"]

CARD = Card(
    name="definetti",
    family="system",
    answers="Finds the unique causal graph from many small groups of data, as few as two samples an environment.",
    assumes=frozenset({"acyclic", "faithful", "no-hidden-causes"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
    output="DAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Guo, Tóth, Schölkopf and Huszár",
        "Causal de Finetti: On the Identification of Invariant Causal Structure in Exchangeable Data",
        2023,
        "NeurIPS; arXiv 2203.15756",
    ),
    number=45,
)


@register(CARD)
class CausalDeFinetti:
    """The causal graph from groups whose mechanisms differ, each column's by itself.

    Where every group (site, subject, school) draws the mechanism of every column independently, two rows of a group
    carry independences that differ between any two graphs, not only between classes of them. The sample unit of every
    test is the group. Two columns get a verdict from three tests; more are sorted into levels, sinks first, and joined
    by tests in one row.

    First it is tested whether groups differ at all. If they do not, rows of a group say no more than other rows do: the
    class that `PC` finds in one row a group is returned, its edges undirected where rows leave them so.

    Parameters
    ----------
    group : str, optional
        The column that tells the groups apart; by default the one with the role ``domain``, else ``unit``.
    alpha : float, optional
        Level of the tests; by default 0.05 for two columns and 0.01 for more.
    test : str or class
        ``"auto"``: G2 where all columns are discrete, else `RCoT`, on ranks of numbers and indicators of categories. By
        name ``"g-square"``, ``"chi-square"``, ``"rcot"`` or, for numbers, ``"fisher-z"``; or a class that makes a test
        with ``names``, ``rows_used`` and ``batch`` from a table.
    pairings : int, optional
        Times that two rows are taken from each group; p-values are combined by the Cauchy rule. By default twice the
        pairs in a group of median size, at most 10: for groups of two rows, both orders.
    random_state : int or Generator
        Draws which rows are taken, and in which order.
    knowledge : Knowledge, optional
        Levels keep to required edges, tiers, roots and leaves; forbidden edges are left out.

    References
    ----------
    Guo, Tóth, Schölkopf and Huszár (2023); Liu and Xie (2020) for the combination of p-values.

    Examples
    --------
    >>> from whence.data import simulate
    >>> drawn = simulate.exchangeable_scm([("dose", "cure")], 6000, mechanism="xor", random_state=1)
    >>> found = CausalDeFinetti(group="group").fit(drawn.data)
    >>> found.details["verdict"], [str(edge) for edge in found.graph.edges()]
    ('dose -> cure', ['dose -> cure'])
    """

    card: ClassVar[Card]
    unit: ClassVar[str] = "group"

    def __init__(
        self,
        *,
        group: str | None = None,
        alpha: float | None = None,
        test: str | TestMaker = "auto",
        pairings: int | None = None,
        random_state: RandomState = 0,
        knowledge: Knowledge | None = None,
    ) -> None:
        if alpha is not None and not 0 < alpha < 1:
            raise ParameterError("E311", f"the level alpha is {alpha}.", "Give a number between 0 and 1.")
        check_pairings(pairings)
        check_seed(random_state)
        self.group = group
        self.alpha = alpha
        self.test = test
        self.pairings = pairings
        self.random_state = random_state
        self.knowledge = knowledge

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table with a column of groups.

        Raises
        ------
        DataError
            Without a column of groups; for fewer than 20 groups with two complete rows; for columns that do not vary or
            are the same.
        """
        started = time.perf_counter()
        rows = read_groups(data, self.group, self.card)
        test = PairedTest(rows, self.test, self.pairings, self.random_state)
        alpha, alpha_rule = self._level(len(rows.names))
        required, forbidden = knowledge_arrays(self.knowledge, rows.names, self.card)
        before = precedence(rows.names, self.knowledge, required)
        rules = _Rules(rows.names, alpha, required, forbidden, before, self.knowledge)
        found = _search(Asked(test), rules)
        graph = _graph(rows.given, found)
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "group": rows.group,
                "alpha": alpha,
                "alpha_rule": alpha_rule,
                "test": test.test_name,
                "test_rule": "given" if self.test != "auto" else f"columns are {rows.sort}",
                "pairings": len(test.tests),
                "pairings_rule": "given" if self.pairings is not None else "as many as use a median group's rows once",
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=tuple(
                EdgeEvidence(edge.source, edge.target, p_value=found.p_value(edge.source, edge.target))
                for edge in graph.edges()
            ),
            rows_used=len(rows.values),
            seconds=time.perf_counter() - started,
            warnings=(*rows.warnings, *found.warnings),
            details={"groups": rows.n_groups, **found.details},
            library=rows.library,
        )

    def _level(self, p: int) -> tuple[float, str]:
        if self.alpha is not None:
            return self.alpha, "given"
        return (0.05 if p == 2 else 0.01), "0.05 for two columns, 0.01 for more"


class ExchangeableTest(PairedTest):
    """Tests of independence between columns in different rows of a group: ``test("dose@1", "cure@2", ["dose@2"])``.

    ``dose@1`` and ``dose@2`` are the values of a column in two rows of a group. The unit is the group: its rows are
    never taken for independent ones. With several pairings of rows each makes the test, and the p-values are combined.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
    group, test, pairings, random_state
        As in `CausalDeFinetti`.

    Examples
    --------
    >>> from whence.data import simulate
    >>> drawn = simulate.exchangeable_scm([("dose", "cure")], 6000, mechanism="xor", random_state=1)
    >>> test = ExchangeableTest(drawn.data, group="group")
    >>> test("dose@1", "cure@2", ["dose@2"]).p_value > 0.05, test("cure@1", "dose@2", ["cure@2"]).p_value < 0.05
    (True, True)
    """

    def __init__(
        self,
        data: Any,
        *,
        group: str | None = None,
        test: str | TestMaker = "auto",
        pairings: int | None = None,
        random_state: RandomState = 0,
    ) -> None:
        check_pairings(pairings)
        super().__init__(read_groups(data, group, CARD), test, pairings, random_state)


@dataclass(frozen=True)
class _Rules:
    """The level and what is known; arrays of shape (p, p) in the order of the names."""

    names: tuple[str, ...]
    alpha: float
    required: Booleans
    forbidden: Booleans
    before: Booleans
    knowledge: Knowledge | None

    def allows(self, cause: str, effect: str) -> bool:
        """Whether a graph may hold the edge from cause to effect."""
        i, k = self.names.index(cause), self.names.index(effect)
        return not (self.forbidden[i, k] or self.before[k, i])

    @property
    def required_edges(self) -> list[tuple[str, str]]:
        """The edges that the knowledge says are there."""
        return [(self.names[i], self.names[k]) for i, k in np.argwhere(self.required)]


@dataclass(frozen=True)
class _Found:
    """Edges with the p-value of their test, and what else there is to say."""

    directed: dict[tuple[str, str], float | None]
    undirected: dict[tuple[str, str], float | None]
    details: dict[str, Any]
    warnings: tuple[str, ...] = ()

    def p_value(self, a: str, b: str) -> float | None:
        """Return the p-value of the test behind an edge; None where there was none."""
        edges = {**self.undirected, **self.directed}
        found = edges.get((a, b), edges.get((b, a)))
        return None if found is None or math.isnan(found) else found


def _search(ask: Asked, rules: _Rules) -> _Found:
    """Return the graph by the rule that fits: two columns, more columns, or mechanisms that do not differ."""
    differ, by_column = variation(ask, rules.names)
    varies = differ < rules.alpha
    if len(rules.names) == 2:
        found = _pair(ask, rules, varies)
    else:
        found = _levels(ask, rules) if varies else _one_row(ask, rules)
    found = _with_knowledge(found, rules)
    parents = {name: tuple(cause for cause, effect in found.directed if effect == name) for name in rules.names}
    open_ends = {name for edge in found.undirected for name in edge}
    settled = {name: causes for name, causes in parents.items() if varies and name not in open_ends}
    details = {
        **found.details,
        "groups_differ": differ,
        "columns_differ": by_column,
        "mechanisms_differ": mechanisms(ask, settled),
        "tests": dict(ask.record),
    }
    warnings = list(found.warnings)
    if ask.untested:
        warnings.append(f"{ask.untested:,} tests could not be made: too few groups for so many values, or none left.")
    return replace(found, details=details, warnings=tuple(warnings))


def _pair(ask: Asked, rules: _Rules, varies: bool) -> _Found:
    x, y = rules.names
    p_values = pair_p_values(ask, x, y)
    verdict = pair_verdict(p_values, rules.alpha, varies=varies)
    details: dict[str, Any] = {
        "verdict": _in_words(verdict, x, y),
        "p_values": dict(zip((f"{x} -> {y}", f"{y} -> {x}", "none"), p_values)),
        "leaning": None,
    }
    if verdict == "none":
        return _Found({}, {}, details)
    adjacent = min(1.0, 3.0 * float(np.nanmin(p_values)))  # Bonferroni, as the verdict on the edge itself
    if verdict == "undecided":
        if varies and p_values[0] != p_values[1]:
            details["leaning"] = _in_words("forward" if p_values[0] > p_values[1] else "backward", x, y)
        return _Found({}, {(x, y): adjacent}, details, (_why_open(p_values, rules.alpha, varies),))
    edge = (x, y) if verdict == "forward" else (y, x)
    return _Found({edge: adjacent}, {}, details)


def _in_words(verdict: Direction, x: str, y: str) -> str:
    return {"forward": f"{x} -> {y}", "backward": f"{y} -> {x}"}.get(verdict, verdict)


def _why_open(p_values: tuple[float, float, float], alpha: float, varies: bool) -> str:
    if not varies:
        return (
            "The two depend on each other, and groups do not differ at the level of the tests: rows of a group say no "
            "more than other rows, and the direction stays open."
        )
    if max(p_values[:2]) < alpha / CLEAR:
        return (
            "Both directions are rejected: the two mechanisms are not independent of each other (a hidden common "
            "cause, or latents that go together), and the direction stays open."
        )
    return (
        "The two depend on each other, but the tests do not tell the directions apart clearly; more groups, or more "
        "rows in each, would help."
    )


def _levels(ask: Asked, rules: _Rules) -> _Found:
    levels = find_levels(ask, rules.names, rules.alpha, rules.before)
    edges = find_edges(ask, levels, rules.alpha)
    warnings = []
    if levels.doubtful:
        warnings.append(
            f"No column passed for the last in the order where {quote_names(levels.doubtful)} was taken, with the "
            "least evidence against it: groups are too few, or a hidden cause ties mechanisms together."
        )
    if edges.undirected:
        pairs = [f"{a} --- {b}" for a, b in edges.undirected]
        warnings.append(f"No test speaks for an order between {quote_names(pairs, 4)}: the direction stays open.")
    verdict = "undecided" if edges.undirected else "directed"
    details = {"verdict": verdict, "levels": [list(level) for level in levels.levels]}
    return _Found(dict(edges.directed), dict(edges.undirected), details, tuple(warnings))


def _one_row(ask: Asked, rules: _Rules) -> _Found:
    """Return the class that PC finds in one row of each group."""
    result = PC(alpha=rules.alpha, test=FirstRow(ask.test, rules.names), knowledge=rules.knowledge).fit()
    p_values = {(item.source, item.target): item.p_value for item in result.evidence}
    directed: dict[tuple[str, str], float | None] = {}
    undirected: dict[tuple[str, str], float | None] = {}
    for edge in result.graph.edges():
        chosen = directed if edge.mark_target == Mark.ARROW else undirected
        chosen[edge.source, edge.target] = p_values[edge.source, edge.target]
    note = (
        "Groups do not differ at the level of the tests, so that rows of a group say no more than other rows: the "
        "class that PC finds in one row of each group is returned."
    )
    return _Found(directed, undirected, {"verdict": "undecided"}, (note, *result.warnings))


def _with_knowledge(found: _Found, rules: _Rules) -> _Found:
    """Return the edges without those forbidden and with those required; open ones are directed where one way is left.

    The order of the levels keeps to the knowledge already, so that required edges make no cycle.
    """
    if not rules.knowledge:
        return found
    directed = {edge: p for edge, p in found.directed.items() if rules.allows(*edge)}
    undirected = dict(found.undirected)
    if len(rules.names) == 2:  # what the data direct against the knowledge is still an edge
        undirected.update({edge: p for edge, p in found.directed.items() if edge not in directed})
    for a, b in rules.required_edges:
        p_value = undirected.pop((a, b), undirected.pop((b, a), None))
        directed.setdefault((a, b), p_value)
    for (a, b), p_value in list(undirected.items()):
        ways = [way for way in ((a, b), (b, a)) if rules.allows(*way) and not leads(directed, *way[::-1])]
        if len(ways) < 2:
            del undirected[a, b]
        if len(ways) == 1:
            directed[ways[0]] = p_value
    return replace(found, directed=directed, undirected=undirected)


def _graph(names: tuple[str, ...], found: _Found) -> Graph:
    edges = [Edge(a, b, Mark.TAIL, Mark.ARROW) for a, b in found.directed]
    edges += [Edge(a, b, Mark.TAIL, Mark.TAIL) for a, b in found.undirected]
    return Graph.from_edges(edges, names=names, kind="PDAG" if found.undirected else "DAG")
