"""Effects that follow from a judged graph: the one that was asked for, or the strongest there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whence.autopilot.judge import class_graph
from whence.autopilot.open_directions import settle, shares_of_answers
from whence.autopilot.question import Question
from whence.autopilot.study import Decision, RankedEffect
from whence.data import Dataset, Kind
from whence.discovery import DiscoveryResult
from whence.effects import Effect, Identification, estimate, identify, refute
from whence.effects.wording import number
from whence.errors import DataError, GraphError
from whence.graph import Edge, Graph, Knowledge, Mark
from whence.graph.orientation import meek
from whence.parallel import Progress, silent
from whence.results import CheckResult

MOST_RANKED = 20
_MOST_APART = 3.0
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
    discovery: DiscoveryResult,
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
    graph = discovery.graph
    asked, decisions, warnings = open_the_question(graph, knowledge, treatment, outcome)
    identification = identify_before(asked, knowledge, treatment, outcome)
    if discovery.confidence is not None:
        shares = shares_of_answers(asked, discovery.confidence, treatment, outcome)
        identification = settle(identification, shares)
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
    agreed = agreement(effect, others)
    effect = effect if agreed is None else replace(effect, diagnostics=(*effect.diagnostics, agreed))
    others += [
        estimated(identification=identification, population=population) for population in other_populations(effect)
    ]
    by_instrument = instrument_of(data, asked, knowledge, treatment, outcome)
    if by_instrument is not None:
        try:
            others.append(estimated(identification=by_instrument))
        except DataError as refusal:
            warnings = (*warnings, f"The instrument could not be used: {refusal}")
    return Answer(identification, effect, tuple(others), decisions, (*warnings, *effect.warnings))


def identify_before(graph: Graph, knowledge: Knowledge, treatment: str, outcome: str) -> Identification:
    """Identify an effect without adjusting for what is known to come after the treatment, where that is possible.

    A search can miss the path from treatment to a later column; adjusting for that column would then take away part of
    the effect.
    """
    known = knowledge.restrict(graph.names)
    tier = known.tier_of
    later = {name for name in graph.names if tier.get(name, -1) > tier.get(treatment, len(known.tiers))}
    observed = [name for name in graph.names if name == outcome or name not in later]
    if len(observed) < len(graph.names):
        found = identify(graph, treatment, outcome, knowledge=known, observed=observed)
        if found.estimable:
            return found
    return identify(graph, treatment, outcome, knowledge=known)


def agreement(effect: Effect, others: Sequence[Effect]) -> CheckResult | None:
    """Judge whether other defensible adjustment sets give the same answer, up to three standard errors."""
    if effect.range is not None or not others or not effect.standard_error > 0:
        return None
    apart = [
        abs(other.estimate - effect.estimate) / math.hypot(other.standard_error, effect.standard_error)
        for other in others
    ]
    worst = max(range(len(others)), key=apart.__getitem__)
    passed = apart[worst] <= _MOST_APART
    verdict = (
        "close enough" if passed else "too far apart for chance: the graph is wrong somewhere, or a cause is missing"
    )
    sentence = (
        f"Adjusting for {', '.join(others[worst].adjustment or ()) or 'nothing'} instead gives "
        f"{number(others[worst].estimate)}, {number(apart[worst])} standard errors away, {verdict}."
    )
    return CheckResult("other-sets", "Other defensible sets", passed, sentence, statistic=apart[worst])


def instrument_of(
    data: Dataset, graph: Graph, knowledge: Knowledge, treatment: str, outcome: str
) -> Identification | None:
    """Identify the effect through the column with the role ``instrument``, holding equal what comes before it."""
    instrument = data.roles.get("instrument")
    if instrument is None or instrument in (treatment, outcome) or instrument not in graph.names:
        return None
    tier = knowledge.tier_of
    place = min(tier.get(instrument, 0), tier.get(treatment, 0))
    ends = (instrument, treatment, outcome)
    before = [name for name in graph.names if name not in ends and tier.get(name, len(tier)) <= place]
    edges = [(instrument, treatment), (treatment, outcome), *((name, end) for name in before for end in ends)]
    hidden = Edge(treatment, outcome, Mark.ARROW, Mark.ARROW)
    model = Graph.from_edges([*edges, hidden], kind="ADMG")
    found = identify(model, treatment, outcome, strategy="instrument")
    return found if found.estimable else None


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
        opened = class_graph(graph, meek(marks))
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
    tier_of = knowledge.tier_of
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
