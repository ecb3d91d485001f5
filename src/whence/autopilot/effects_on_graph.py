"""Effects that follow from a judged graph: the one that was asked for, or the strongest there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from whence.autopilot.question import Question
from whence.autopilot.study import Decision, RankedEffect
from whence.data import Dataset, Kind
from whence.discovery import DiscoveryResult
from whence.effects import Effect, Identification, estimate, identify, refute
from whence.errors import DataError, GraphError
from whence.graph import Graph, Knowledge, Mark
from whence.graph.orientation import meek
from whence.parallel import Progress, silent

MOST_RANKED = 20
_MEASURABLE = frozenset({Kind.CONTINUOUS, Kind.COUNT, Kind.ORDINAL, Kind.BINARY})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question: identified or not, estimated and refuted, alone and beside its alternatives."""

    identification: Identification
    effect: Effect | None
    others: tuple[Effect, ...]
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...]


def answer_effect(
    data: Dataset,
    graph: Graph,
    knowledge: Knowledge,
    question: Question,
    level: float,
    random_state: int,
    *,
    n_jobs: int | None = None,
    progress: Progress = silent,
) -> Answer:
    """Identify, estimate and refute the effect of the question's treatment on its outcome."""
    treatment, outcome = str(question.treatment), str(question.outcome)
    asked, decisions, warnings = open_the_question(graph, knowledge, treatment, outcome)
    identification = identify(asked, treatment, outcome, knowledge=knowledge.restrict(asked.names))
    if not identification.estimable:
        return Answer(identification, None, (), decisions, warnings)

    def estimated(**how: Any) -> Effect:
        settings: dict[str, Any] = {
            "level": level,
            "random_state": random_state,
            "n_jobs": n_jobs,
            "progress": progress,
        }
        return estimate(data, None, treatment, outcome, **settings, **how)

    effect = refute(estimated(identification=identification), data, random_state=random_state, progress=progress)
    others = [estimated(adjustment=chosen) for chosen in alternative_sets(asked, knowledge, effect)]
    others += [
        estimated(identification=identification, population=population) for population in other_populations(effect)
    ]
    return Answer(identification, effect, tuple(others), decisions, (*warnings, *effect.warnings))


def open_the_question(
    graph: Graph, knowledge: Knowledge, treatment: str, outcome: str
) -> tuple[Graph, tuple[Decision, ...], tuple[str, ...]]:
    """Return the graph on which the question can be asked.

    A search misses weak edges. Where it found no path from treatment to outcome, taking that absence for an assumption
    would answer the question with zero before looking. The edge is therefore allowed: that only weakens what is
    assumed, and the estimate itself says whether the effect differs from zero.
    """
    i, j = graph.index(treatment), graph.index(outcome)
    allowed = not knowledge.for_names(graph.names)[1][i, j]
    reaches = outcome in graph.possible_descendants(treatment)
    reversed_ = treatment in graph.ancestors(outcome) or outcome in graph.possible_ancestors(treatment)
    if reaches or not allowed or graph.marks[i, j] != Mark.NONE or graph.kind not in ("DAG", "CPDAG", "PDAG"):
        return graph, (), ()
    if reversed_:
        warning = f"In the found graph {outcome!r} comes before {treatment!r}, so there is no effect to estimate."
        return graph, (), (warning,)
    marks = graph.marks.copy()
    marks[i, j], marks[j, i] = Mark.ARROW, Mark.TAIL
    try:
        opened = _class_graph(graph.names, meek(marks))
        opened.extension()
    except GraphError:
        return graph, (), ()
    decision = Decision(
        "identify",
        f"allowed the edge {treatment} -> {outcome}",
        "the search found no path between them, which a weak effect can look like; allowing the edge assumes less",
        ("take the missing path for an effect of zero",),
    )
    return opened, (decision,), ()


def alternative_sets(graph: Graph, knowledge: Knowledge, effect: Effect) -> list[tuple[str, ...]]:
    """Return other adjustment sets that somebody could defend: the treatment's parents, all that came before it."""
    treatment, outcome = effect.treatment, effect.outcome
    if effect.identification.strategy != "adjustment":
        return []
    sets = [tuple(sorted(graph.parents(treatment)))]
    tier_of = {name: k for k, tier in enumerate(knowledge.tiers) for name in tier}
    if treatment in tier_of:
        before = [n for n in graph.names if n in tier_of and tier_of[n] < tier_of[treatment] and n != outcome]
        sets.append(tuple(before))
    sets.append(())
    taken = {frozenset(effect.adjustment or ())}
    fresh = []
    for candidate in sets:
        if frozenset(candidate) not in taken and (candidate or effect.adjustment):
            taken.add(frozenset(candidate))
            fresh.append(candidate)
    return [candidate for candidate in fresh if candidate]


def other_populations(effect: Effect) -> tuple[str, ...]:
    """Return populations that can be answered for where the whole table cannot: overlap failed for all rows."""
    failed = any(check.name == "overlap" and check.passed is False for check in effect.diagnostics)
    discrete = bool(effect.contrasts) and effect.estimand != "slope"
    return ("treated", "overlap") if failed and discrete and effect.population == "all" else ()


def rank_effects(
    data: Dataset, discovery: DiscoveryResult, knowledge: Knowledge, question: Question
) -> tuple[RankedEffect, ...]:
    """Estimate the effect along every directed edge that is identified, and rank by size in standard deviations."""
    graph = discovery.graph
    pairs = []
    for edge in graph.edges():
        if edge.mark_source == Mark.TAIL and edge.mark_target == Mark.ARROW:
            if question.outcome and edge.target != question.outcome:
                continue
            if _measurable(data, edge.source) and _measurable(data, edge.target):
                seen = discovery.confidence.edge(edge.source, edge.target) if discovery.confidence else None
                pairs.append((seen.adjacency if seen else 1.0, edge.source, edge.target))
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    ranked = [_rank_one(data, graph, source, target, share) for share, source, target in pairs[:MOST_RANKED]]
    found = [effect for effect in ranked if effect is not None]
    return tuple(sorted(found, key=lambda effect: -abs(effect.standardised)))


def _rank_one(data: Dataset, graph: Graph, source: str, target: str, share: float) -> RankedEffect | None:
    identification = identify(graph, source, target)
    if not identification.identified or identification.strategy != "adjustment":
        return None
    try:
        effect = estimate(data, graph, source, target, method="regression")
    except DataError:
        return None  # no overlap or too few rows for this pair: not rankable, and not what was asked
    spread = np.nanstd(data.numeric([source, target]), axis=0)
    return RankedEffect(
        source,
        target,
        effect.estimate,
        effect.interval,
        float(effect.estimate * spread[0] / spread[1]),
        effect.units,
        tuple(effect.adjustment or ()),
        share,
    )


def _measurable(data: Dataset, name: str) -> bool:
    return name in data.columns and data.columns[name].kind in _MEASURABLE


def _class_graph(names: tuple[str, ...], marks: np.ndarray) -> Graph:
    undirected = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    return Graph(names, marks, "PDAG" if undirected.any() else "DAG")
