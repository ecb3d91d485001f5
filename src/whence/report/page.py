"""The page as plain data: what every section says, before it is laid out as HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from whence.registry import Card
from whence.report import effect_part, method_part
from whence.report.graph_part import GraphPart, edge_words, graph_part
from whence.report.pieces import Check, Figure, KeyFigure, Table, checks
from whence.report.protocol import StudyLike
from whence.report.verdict import Verdict, verdict_of


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a report says, in the order in which it is read."""

    source: str
    rows: int
    question: str
    verdict: Verdict
    answers: tuple[str, ...]
    key_figures: tuple[KeyFigure, ...]
    warnings: tuple[str, ...]
    overturn_title: str
    overturn_figures: tuple[KeyFigure, ...]
    overturn: tuple[str, ...]
    graph: GraphPart
    effect_title: str
    effect_sentence: str
    figures: tuple[Figure, ...]
    effect_tables: tuple[tuple[str, Table], ...]
    diagnostics: tuple[Check, ...]
    refutations: tuple[Check, ...]
    refutation_note: str
    data_notes: tuple[str, ...]
    columns: Table
    profile: tuple[Check, ...]
    identified: str
    assumptions: tuple[str, ...]
    knowledge: tuple[str, ...]
    plan_reasons: tuple[str, ...]
    candidates: Table
    decisions: tuple[Any, ...]
    cards: tuple[Card, ...]
    facts: Table
    command: str


def build_page(study: StudyLike) -> Page:
    """Return what the report of a study says."""
    effect = study.effect
    no_effect = study.identification is not None and study.identification.strategy == "no-effect"
    ranked, ranked_figures = effect_part.ranked(study)
    answers = tuple(finding.sentence for finding in study.findings if finding.kind == "answer")
    overturn_title, overturn = _overturn(study)
    named = [("Every contrast", effect_part.contrasts(effect) if effect else None)]
    named += [("The same question, answered otherwise", effect_part.alternatives(study)), ("All of them", ranked)]
    return Page(
        source=study.data.source,
        rows=study.data.n_rows,
        question=study.question.text,
        verdict=verdict_of(study),
        answers=answers,
        key_figures=effect_part.key_figures(study),
        warnings=tuple(w for w in study.warnings if not any(w in answer for answer in answers)),
        overturn_title=overturn_title,
        overturn_figures=effect_part.overturn_figures(effect),
        overturn=overturn,
        graph=graph_part(study),
        effect_title="The strongest effects in the graph" if effect is None and ranked else "The effect",
        effect_sentence=_effect_sentence(study, no_effect),
        figures=(effect_part.figures(effect) if effect is not None and not no_effect else ()) + ranked_figures,
        effect_tables=tuple((title, table) for title, table in named if table is not None),
        diagnostics=checks(effect.diagnostics) if effect else (),
        refutations=checks(effect.refutations) if effect else (),
        refutation_note=_refutation_note(study),
        data_notes=_data_notes(study),
        columns=_columns(study),
        profile=checks(study.profile.diagnostics),
        identified=study.identification.reason if study.identification and study.identification.identified else "",
        assumptions=method_part.assumptions(study),
        knowledge=method_part.knowledge(study),
        plan_reasons=tuple(study.plan.reasons),
        candidates=method_part.candidates(study),
        decisions=tuple(study.decisions),
        cards=method_part.cards(study),
        facts=method_part.facts(study),
        command=study.command or method_part.python(study),
    )


def _said(study: StudyLike, *kinds: str) -> tuple[str, ...]:
    return tuple(finding.sentence for finding in study.findings if finding.kind in kinds)


def _overturn(study: StudyLike) -> tuple[str, tuple[str, ...]]:
    """Say what would change the answer: failed checks first, then how strong a hidden cause must be, then the rest."""
    effect, found = study.effect, study.identification
    open_ends = [edge_words(edge) for edge in study.graph.edges() if not (edge.is_directed or edge.is_bidirected)]
    directions = f"Not settled in the graph: {'; '.join(open_ends[:12])}." if open_ends else ""
    if len(open_ends) > 12:
        directions = f"{directions[:-1]}; and {len(open_ends) - 12} more."
    if found is not None and (effect is None or effect.range is not None):
        told = any(found.reason in finding.sentence for finding in study.findings)
        more = "Measure what is missing, or add what is known (`study.revise(require=..., forbid=...)`), and ask again."
        return "What would settle it", tuple(filter(None, ("" if told else found.reason, directions, more)))
    hidden = "A common cause that is not in the table could add or turn any edge; no resampling of rows shows that."
    if effect is None or found is None:
        return "What would overturn it", tuple(filter(None, (directions, hidden)))
    failed = [c.sentence for c in (*effect.diagnostics, *effect.refutations) if c.passed is False]
    strengths = [c.sentence for c in effect.refutations if c.name in ("hidden-confounding", "e-value")]
    if found.strategy == "no-effect":
        strengths += [directions] if directions else []
        strengths.append(hidden)
    lines = dict.fromkeys([*failed, *strengths, *_said(study, "robustness", "caution")])
    return "What would overturn it", tuple(line for line in lines if line not in study.warnings)


def _effect_sentence(study: StudyLike, no_effect: bool) -> str:
    if study.effect is not None and not no_effect:
        return effect_part.how_estimated(study.effect)
    if no_effect:
        return "The graph holds no directed path from treatment to outcome, so there was nothing to estimate."
    if study.identification is not None:
        return "No effect was estimated: it is not identified, and a number would be a guess."
    if study.effects:
        return "Estimated along every directed edge whose effect is identified, strongest first. None was asked about."
    return "No effect was asked about, and no direct effect follows from the graph."


def _refutation_note(study: StudyLike) -> str:
    if study.effect is None and study.effects:
        return (
            "The effects above were not attacked. Ask about one of them, by treatment and outcome, to have it refuted."
        )
    if study.effect is None:
        return "There is no estimate to refute."
    if study.effect.refutations:
        return ""
    if study.effect.range is not None:
        return "A range of possibilities is not refuted; settle the open directions first."
    return "Nothing was done to refute this answer."


def _data_notes(study: StudyLike) -> tuple[str, ...]:
    tested = f"The table was examined on {study.profile.rule}." if study.profile.rule else ""
    return tuple(filter(None, (*study.data.notes, *_said(study, "data"), tested)))


def _columns(study: StudyLike) -> Table:
    rows = tuple(
        (
            column.name,
            str(column.kind),
            column.unit or "",
            f"{column.missing:,}",
            "" if (count := study.data.distinct(column.name)) is None else f"{count:,}",
            column.reason,
        )
        for column in study.data.columns.values()
    )
    heads = ("column", "kind", "unit", "missing", "distinct", "why this kind")
    return Table(heads, rows, frozenset({3, 4})).without_empty_columns()
