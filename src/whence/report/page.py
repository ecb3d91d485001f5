"""The page as plain data: what every section says, before it is laid out as HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from whence.effects import Effect
from whence.effects.wording import number, p_words
from whence.registry import Card, Family, methods
from whence.report import charts
from whence.report.protocol import StudyLike
from whence.report.verdict import Verdict, verdict_of
from whence.results import CheckResult

_MARKS = {True: ("holds", "✓"), False: ("fails", "✗"), None: ("informs", "·")}
_CARD_FAMILIES: tuple[Family, ...] = ("search", "estimator", "check")


@dataclass(frozen=True, slots=True)
class Row:
    """A check as a reader sees it."""

    title: str
    state: str
    mark: str
    sentence: str
    statistic: str = ""
    p_value: str = ""


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """An edge and all that speaks for it."""

    source: str
    target: str
    text: str
    word: str
    adjacency: str
    forward: str
    backward: str
    evidence: str
    given: str
    knowledge: str
    judgement: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its caption."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a report says."""

    question: str
    verdict: Verdict
    answers: tuple[str, ...]
    warnings: tuple[str, ...]
    overturn: tuple[str, ...]
    other_findings: tuple[str, ...]
    graph_svg: str
    graph_sentence: str
    edges: tuple[EdgeRow, ...]
    effect: Effect | None
    figures: tuple[Figure, ...]
    diagnostics: tuple[Row, ...]
    refutations: tuple[Row, ...]
    effects: tuple[Any, ...]
    source: str
    rows: int
    columns: tuple[tuple[str, ...], ...]
    profile: tuple[Row, ...]
    notes: tuple[str, ...]
    assumptions: tuple[str, ...]
    identified: str
    knowledge: tuple[str, ...]
    candidates: tuple[tuple[str, ...], ...]
    plan_reasons: tuple[str, ...]
    decisions: tuple[Any, ...]
    cards: tuple[Card, ...]
    facts: tuple[tuple[str, str], ...]
    command: str
    digest: str


def build_page(study: StudyLike) -> Page:
    """Return what the report of a study says."""
    effect = study.effect
    answers = tuple(finding.sentence for finding in study.findings if finding.kind == "answer")
    shown = {*answers, *(check.sentence for check in (effect.refutations if effect else ()))}
    shown |= {check.sentence for check in (effect.diagnostics if effect else ())}
    return Page(
        question=study.question.text,
        verdict=verdict_of(study),
        answers=answers,
        warnings=tuple(w for w in study.warnings if not any(w in answer for answer in answers)),
        overturn=_overturn(study),
        other_findings=tuple(f.sentence for f in study.findings if f.sentence not in shown),
        graph_svg=study.graph.to_svg(
            confidence=study.discovery.confidence, highlight=_roles(study), title=f"Causal graph: {study.question.text}"
        ),
        graph_sentence=_graph_sentence(study),
        edges=_edges(study),
        effect=effect,
        figures=_figures(effect) if effect is not None else (),
        diagnostics=_rows(effect.diagnostics) if effect else (),
        refutations=_rows(effect.refutations) if effect else (),
        effects=tuple(study.effects),
        source=study.data.source,
        rows=study.data.n_rows,
        columns=_columns(study),
        profile=_rows(study.profile.diagnostics),
        notes=tuple(study.data.notes),
        assumptions=_assumptions(study),
        identified=study.identification.reason if study.identification is not None else "",
        knowledge=_knowledge(study),
        candidates=_candidates(study),
        plan_reasons=tuple(study.plan.reasons),
        decisions=tuple(study.decisions),
        cards=_cards(study),
        facts=_facts(study),
        command=study.command or _python(study),
        digest=study.digest,
    )


def _rows(checks: tuple[CheckResult, ...]) -> tuple[Row, ...]:
    return tuple(
        Row(
            check.title,
            *_MARKS[check.passed],
            check.sentence,
            number(check.statistic) if check.statistic is not None else "",
            p_words(check.p_value) if check.p_value is not None else "",
        )
        for check in checks
    )


def _overturn(study: StudyLike) -> tuple[str, ...]:
    """Say what would change the answer: a hidden cause of what strength, which checks, which assumptions."""
    effect = study.effect
    if effect is None:
        return ()
    strengths = [c.sentence for c in effect.refutations if c.name in ("hidden-confounding", "e-value")]
    failed = [c.sentence for c in (*effect.diagnostics, *effect.refutations) if c.passed is False]
    return tuple(dict.fromkeys([*failed, *strengths]))


def _roles(study: StudyLike) -> dict[str, str]:
    found = study.identification
    roles: dict[str, str] = {}
    if found is not None:
        roles |= dict.fromkeys(found.adjustment or (), "adjustment")
        roles |= dict.fromkeys(found.mediators, "mediator")
        roles |= dict.fromkeys(found.instruments, "instrument")
    for role in ("treatment", "outcome"):
        name = getattr(study.question, role)
        if name is not None:
            roles[name] = role
    return {name: role for name, role in roles.items() if name in study.graph.names}


def _graph_sentence(study: StudyLike) -> str:
    found = study.discovery
    draws = found.confidence.draws if found.confidence is not None else 0
    return (
        f"Found by {found.method} on {found.rows_used:,} rows; thicker and darker edges were found again more often in "
        f"{draws} resamples of the rows. Undirected edges stay undirected where the data do not settle them."
    )


def _edges(study: StudyLike) -> tuple[EdgeRow, ...]:
    found, graph = study.discovery, study.graph
    evidence = {frozenset((item.source, item.target)): item for item in found.evidence}
    judged = {frozenset((item.source, item.target)): item for item in study.judgements}
    required = {frozenset(pair) for pair in study.knowledge.required}
    rows = []
    for edge in graph.edges():
        pair = frozenset((edge.source, edge.target))
        seen = found.confidence.edge(edge.source, edge.target) if found.confidence is not None else None
        note = judged.get(pair)
        rows.append(
            EdgeRow(
                edge.source,
                edge.target,
                str(edge),
                seen.word if seen else "",
                f"{seen.adjacency:.0%}" if seen else "",
                f"{seen.forward:.0%}" if seen else "",
                f"{seen.backward:.0%}" if seen else "",
                _evidence(evidence.get(pair)),
                "",
                "required" if pair in required else "",
                f"{note.decision}: {note.why}" if note is not None else "",
            )
        )
    for note in study.judgements:
        if note.decision in ("removed", "not added"):
            seen = found.confidence.edge(note.source, note.target) if found.confidence is not None else None
            given = found.separating_sets.get((note.source, note.target)) or found.separating_sets.get(
                (note.target, note.source)
            )
            rows.append(
                EdgeRow(
                    note.source,
                    note.target,
                    f"{note.source}     {note.target}",
                    note.decision,
                    f"{seen.adjacency:.0%}" if seen else "",
                    f"{seen.forward:.0%}" if seen else "",
                    f"{seen.backward:.0%}" if seen else "",
                    "",
                    ", ".join(given) if given else "",
                    "",
                    note.why,
                )
            )
    return tuple(rows)


def _evidence(item: Any) -> str:
    if item is None:
        return ""
    parts = []
    if item.p_value is not None:
        parts.append(p_words(item.p_value))
    if item.score_difference is not None:
        parts.append(f"score falls by {number(item.score_difference)} without it")
    if item.weight is not None:
        parts.append(f"coefficient {number(item.weight)}")
    return "; ".join(parts)


def _figures(effect: Effect) -> tuple[Figure, ...]:
    found = effect.figures
    drawn = []
    if "comparison" in found:
        caption = "The interval is where the effect lies at the stated level, if the assumptions hold."
        drawn.append(Figure("Estimate", charts.intervals(found["comparison"], effect.units), caption))
    if "overlap" in found and found["overlap"]["panels"]:
        caption = "Comparable rows need both halves filled at the same place; heights are square roots of rows."
        drawn.append(Figure("Overlap", charts.overlap(found["overlap"], effect.treatment), caption))
    if "balance" in found:
        caption = "Hollow before, filled after weighting; inside the band the arms are alike in that column."
        drawn.append(Figure("Balance", charts.balance(found["balance"]), caption))
    if found.get("placebo", {}).get("estimates"):
        caption = "Ticks: estimates with a column permuted, where there is nothing to find. Dot: the estimate."
        drawn.append(Figure("Placebo", charts.placebo(found["placebo"], effect.units), caption))
    if "sensitivity" in found:
        caption = (
            "Hollow: share explained of the treatment, filled: of the outcome. A hidden cause must reach the first row."
        )
        drawn.append(Figure("Hidden common cause", charts.strengths(found["sensitivity"]), caption))
    return tuple(drawn)


def _columns(study: StudyLike) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            column.name,
            str(column.kind),
            column.unit or "",
            f"{column.missing:,}" if column.missing else "0",
            f"{column.distinct:,}" if column.distinct is not None else "",
            column.reason,
        )
        for column in study.data.columns.values()
    )


def _assumptions(study: StudyLike) -> tuple[str, ...]:
    of_search = _search_assumptions(study)
    of_effect = study.identification.assumptions if study.identification is not None else ()
    return tuple(dict.fromkeys((*of_effect, *of_search)))


_IN_WORDS = {
    "linear": "relations between the columns are linear",
    "gaussian": "noise is Gaussian",
    "non-gaussian": "noise is not Gaussian",
    "acyclic": "nothing causes itself, however indirectly",
    "faithful": "no two causal paths cancel exactly",
    "no-hidden-causes": "every common cause of two columns is in the table",
    "iid": "rows are independent draws of one process",
    "discrete": "columns have levels",
}


def _search_assumptions(study: StudyLike) -> tuple[str, ...]:
    card = next((card for card in methods("search") if card.name == study.discovery.method), None)
    if card is None:
        return ()
    words = [_IN_WORDS[name] for name in _IN_WORDS if name in card.assumes]
    return (f"For the graph ({card.name}): {'; '.join(words)}.",) if words else ()


def _knowledge(study: StudyLike) -> tuple[str, ...]:
    known = study.knowledge
    lines = [f"{a} → {b} required" for a, b in sorted(known.required)]
    lines += [f"{a} → {b} forbidden" for a, b in sorted(known.forbidden)]
    if known.tiers:
        lines.append("in time: " + " < ".join(", ".join(tier) for tier in known.tiers))
    lines += [f"{name} has no causes in the table" for name in sorted(known.roots)]
    lines += [f"{name} has no effects in the table" for name in sorted(known.leaves)]
    return tuple(lines)


def _candidates(study: StudyLike) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            candidate.method,
            "chosen" if candidate.chosen else "refused" if candidate.refused else "",
            f"{candidate.score:.2f}",
            f"{candidate.predicted_seconds:.2g} s",
            candidate.refused or "; ".join(candidate.reasons),
        )
        for candidate in study.plan.candidates
    )


def _cards(study: StudyLike) -> tuple[Card, ...]:
    """Return the cards of all methods that took part, for the citations."""
    used = {("search", study.discovery.method)}
    if study.effect is not None:
        used.add(("estimator", study.effect.estimator))
        used |= {("check", check.name) for check in (*study.effect.diagnostics, *study.effect.refutations)}
    return tuple(
        card for family in _CARD_FAMILIES for card in methods(family) if (family, card.name) in used and card.paper
    )


def _facts(study: StudyLike) -> tuple[tuple[str, str], ...]:
    times = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in study.seconds.items())
    versions = ", ".join(f"{name} {version}" for name, version in study.versions.items())
    return (
        ("data", f"{study.data.source}, {study.data.n_rows:,} rows"),
        ("fingerprint of the data", study.data.fingerprint()),
        ("seed", str(study.settings["random_state"])),
        ("versions", versions),
        ("time", times),
        ("digest of the record", study.digest),
    )


def _python(study: StudyLike) -> str:
    asked = {key: study.settings[key] for key in ("treatment", "outcome", "query", "domain") if study.settings.get(key)}
    asked |= {"budget": study.settings["budget"], "random_state": study.settings["random_state"]}
    return f"whence.analyze(data, {', '.join(f'{key}={value!r}' for key, value in asked.items())})"
