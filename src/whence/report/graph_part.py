"""The graph of a report: its drawing, what speaks for every edge, and what spoke against the pairs left apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from whence.effects.wording import number, p_words
from whence.graph import Edge, Graph
from whence.report.pieces import Table
from whence.report.protocol import StudyLike

MOST_DRAWN = 60
MOST_APART = 40
_PHONE = 358  # units of a drawing that a phone shows whole
_SIGNS = {
    "->": ("→", "the first causes the second directly"),
    "---": ("—", "joined, but the data do not settle which way"),
    "<->": ("↔", "a hidden common cause"),
    "o->": ("o→", "the second does not cause the first; more is not settled"),
    "o-o": ("o–o", "joined; nothing else is settled"),
    "--o": ("—o", "joined; one end is not settled"),
    "o--": ("o—", "joined; one end is not settled"),
}


@dataclass(frozen=True, slots=True)
class GraphPart:
    """All that a report says about the graph; ``ends`` names the two columns of each row of the evidence."""

    svg: str
    wide: bool
    sentences: tuple[str, ...]
    legend: tuple[tuple[str, str], ...]
    evidence: Table
    ends: tuple[tuple[str, str], ...]
    apart: Table
    apart_note: str


_HEADS = (
    "edge", "confidence", "joined in", "as drawn", "reversed", "no direction",
    "evidence in the data", "known beforehand", "judgement",
)  # fmt: skip


def graph_part(study: StudyLike) -> GraphPart:
    """Return the graph's drawing, evidence and words."""
    drawn, note = _drawn(study)
    drawn, allowed = _with_allowed(study, drawn)
    confidence = study.discovery.confidence
    svg = drawn.to_svg(
        confidence=confidence,
        highlight={name: role for name, role in _roles(study).items() if name in drawn.names},
        allowed=allowed,
        title=f"Causal graph: {study.question.text}",
    )
    seen_signs = dict.fromkeys(edge.connector for edge in study.graph.edges())
    said = [finding.sentence for finding in study.findings if finding.kind == "graph"]
    legend = [_SIGNS[sign] for sign in seen_signs if sign in _SIGNS]
    if 'class="edge open"' in svg:
        legend.append(("╌╌", "dashed: joined, but resampling does not settle the direction"))
    if allowed:
        legend.append(("⋯→", "dotted: not found, allowed for the question"))
    apart, apart_note = _apart(study)
    return GraphPart(
        svg=svg,
        wide=float(svg.partition(' width="')[2].partition('"')[0]) > _PHONE,
        sentences=tuple(sentence for sentence in (_found(study), *said, note) if sentence),
        legend=tuple(legend),
        evidence=_evidence(study),
        ends=tuple((edge.source, edge.target) for edge in study.graph.edges()),
        apart=apart,
        apart_note=apart_note,
    )


def edge_words(edge: Edge) -> str:
    """Return an edge with the arrow people draw.

    >>> from whence.graph import Graph
    >>> edge_words(Graph.from_edges(["dose -> cure"]).edges()[0])
    'dose → cure'
    """
    sign = _SIGNS.get(edge.connector, (edge.connector, ""))[0]
    return f"{edge.source} {sign} {edge.target}"


def _drawn(study: StudyLike) -> tuple[Graph, str]:
    """Return what is drawn: all, or for a large graph the surroundings of the question."""
    graph, roles = study.graph, _roles(study)
    if graph.n_nodes <= MOST_DRAWN:
        return graph, ""
    near = set(roles)
    for name in roles:
        near |= set(graph.adjacent(name))
    if not near:
        near = {name for name in graph.names if graph.adjacent(name)}
    kept = [name for name in graph.names if name in near][:MOST_DRAWN]
    note = f"Drawn are {len(kept)} of {graph.n_nodes} columns, those around the question; the table holds every edge."
    return graph.subgraph(kept), note


def _with_allowed(study: StudyLike, drawn: Graph) -> tuple[Graph, tuple[tuple[str, str], ...]]:
    """Return what is drawn with the edge that was allowed for the question alone, and that edge."""
    ends = (study.question.treatment, study.question.outcome)
    allowed = any(step.step == "identify" and step.what.startswith("allowed the edge") for step in study.decisions)
    if not allowed or not set(ends) <= set(drawn.names) or drawn.edge(*ends) is not None:
        return drawn, ()
    kind = "PDAG" if drawn.kind == "CPDAG" else drawn.kind
    return Graph.from_edges([*drawn.edges(), ends], names=drawn.names, kind=kind), (ends,)


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


def _found(study: StudyLike) -> str:
    found = study.discovery
    text = f"Found by {found.method} on {found.rows_used:,} rows."
    if found.confidence is not None:
        text += (
            f" The search was repeated on {found.confidence.draws} resamples of the rows; thicker and darker edges "
            "came back more often."
        )
    return text


def _evidence(study: StudyLike) -> Table:
    evidence = {frozenset((item.source, item.target)): item for item in study.discovery.evidence}
    judged = {frozenset((item.source, item.target)): item for item in study.judgements}
    rows = []
    for edge in study.graph.edges():
        pair = frozenset((edge.source, edge.target))
        note = judged.get(pair)
        rows.append(
            (
                edge_words(edge),
                *_shares(study, edge.source, edge.target),
                _in_the_data(evidence.get(pair)),
                _known(study, edge.source, edge.target),
                f"{note.decision}: {note.why}" if note is not None else "",
            )
        )
    return Table(_HEADS, tuple(rows), frozenset({2, 3, 4, 5})).without_empty_columns()


def _shares(study: StudyLike, source: str, target: str) -> tuple[str, ...]:
    if study.discovery.confidence is None:
        return ("", "", "", "", "")
    seen = study.discovery.confidence.edge(source, target)
    return (seen.word, *(f"{share:.0%}" for share in (seen.adjacency, seen.forward, seen.backward, seen.undirected)))


def _in_the_data(item: Any) -> str:
    if item is None:
        return ""
    parts = []
    if item.p_value is not None:
        parts.append(f"dependent given every set tried, largest {p_words(item.p_value)}")
    if item.score_difference is not None:
        parts.append(f"the score falls by {number(item.score_difference)} without it")
    if item.weight is not None:
        parts.append(f"coefficient {number(item.weight)}")
    return "; ".join(parts)


def _known(study: StudyLike, source: str, target: str) -> str:
    known = study.knowledge
    for ends in ((source, target), (target, source)):
        if ends in known.required:
            return f"{ends[0]} → {ends[1]} required"
    allowed = known.allows(source, target), known.allows(target, source)
    if allowed == (True, False):
        return "only this direction allowed"
    return "only the other direction allowed" if allowed == (False, True) else ""


def _apart(study: StudyLike) -> tuple[Table, str]:
    """Return pairs without an edge for which there is a reason to show, those nearest to an edge first."""
    found, graph = study.discovery, study.graph
    judged = {frozenset((item.source, item.target)): item for item in study.judgements}
    separated: Mapping[tuple[str, str], tuple[str, ...]] = found.separating_sets
    rows = []
    for a, b in combinations(graph.names, 2):
        if graph.edge(a, b) is not None:
            continue
        given = separated.get((a, b), separated.get((b, a)))
        share = found.confidence.edge(a, b).adjacency if found.confidence is not None else 0.0
        note = judged.get(frozenset((a, b)))
        if given is None and not share and note is None:
            continue
        said = "" if given is None else ", ".join(given) if given else "nothing: independent as they are"
        why = f"{note.decision}: {note.why}" if note is not None else ""
        rows.append((share, (f"{a} · {b}", f"{share:.0%}" if found.confidence is not None else "", said, why)))
    rows.sort(key=lambda row: -row[0])
    cells = tuple(row for _, row in rows[:MOST_APART])
    heads = ("pair", "joined in", "independent given", "judgement")
    note = f"The {MOST_APART} of {len(rows)} pairs that were joined most often." if len(rows) > MOST_APART else ""
    return Table(heads, cells, frozenset({1})).without_empty_columns(), note
