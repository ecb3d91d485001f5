"""The one object that ``--json`` prints. Its schema is versioned: fields are added, never renamed or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from whence.errors import NotIdentified, WhenceError
from whence.graph import Edge, Graph
from whence.results import to_jsonable

if TYPE_CHECKING:
    from whence.autopilot import Study
    from whence.discovery import Confidence, DiscoveryResult
    from whence.effects import Effect, Identification

PAYLOAD_VERSION = 1
MarkName = Literal["tail", "arrow", "circle"]


class EdgePart(BaseModel):
    """One edge; ``confidence`` is the share of bootstrap draws in which the two columns are adjacent."""

    from_: str = Field(alias="from")
    to: str
    mark_from: MarkName
    mark_to: MarkName
    confidence: float | None = None
    confidence_forward: float | None = None
    confidence_backward: float | None = None


class GraphPart(BaseModel):
    """The graph, its kind and what it was found with."""

    kind: str
    nodes: list[str]
    edges: list[EdgePart]
    method: str | None = None


class EffectPart(BaseModel):
    """The effect, or why there is none (``identified`` false and ``reason``)."""

    treatment: str
    outcome: str
    estimand: str | None = None
    identified: bool
    strategy: str | None = None
    reason: str
    adjustment: list[str] | None = None
    estimator: str | None = None
    estimate: float | None = None
    interval: list[float | None] | None = None
    range: list[float] | None = None
    level: float | None = None
    p_value: float | None = None
    naive: float | None = None
    units: str | None = None
    rows_used: int | None = None


class CheckPart(BaseModel):
    """A refutation or diagnostic; ``passed`` is null where it informs and does not judge."""

    name: str
    passed: bool | None
    detail: str


class ErrorPart(BaseModel):
    """Why there is no answer: ``whence explain CODE`` says more."""

    code: str
    problem: str
    remedy: str


class Payload(BaseModel):
    """What ``whence ... --json`` prints on standard output, exactly once."""

    schema_version: int = PAYLOAD_VERSION
    command: str
    question: str | None = None
    answer: str | None = None
    graph: GraphPart | None = None
    effect: EffectPart | None = None
    refutations: list[CheckPart] = []
    diagnostics: list[CheckPart] = []
    findings: list[str] = []
    warnings: list[str] = []
    report: str | None = None
    digest: str | None = None
    details: dict[str, Any] = {}
    error: ErrorPart | None = None

    def dumps(self) -> str:
        """Return the object as JSON text; numbers that are not finite become null."""
        import json

        return json.dumps(to_jsonable(self.model_dump(by_alias=True)), ensure_ascii=False, allow_nan=False)


def from_study(study: Study, report: str | None) -> Payload:
    """Return the payload of ``whence analyze``."""
    effect = study.effect
    return Payload(
        command="analyze",
        question=study.question.text,
        answer=study.answer,
        graph=graph_part(study.graph, study.discovery.confidence, study.discovery.method),
        effect=effect_part(effect, study.identification),
        refutations=[check_part(check) for check in effect.refutations] if effect else [],
        diagnostics=[check_part(check) for check in effect.diagnostics] if effect else [],
        findings=[finding.sentence for finding in study.findings],
        warnings=list(study.warnings),
        report=report,
        digest=study.digest,
        details={"seconds": study.seconds, "rows": study.data.n_rows, "effects": to_jsonable(study.effects)},
    )


def from_discovery(result: DiscoveryResult) -> Payload:
    """Return the payload of ``whence discover``."""
    return Payload(
        command="discover",
        graph=graph_part(result.graph, result.confidence, result.method),
        warnings=list(result.warnings),
        details={"rows_used": result.rows_used, "seconds": result.seconds, "parameters": result.parameters},
    )


def from_effect(effect: Effect) -> Payload:
    """Return the payload of ``whence estimate``."""
    return Payload(
        command="estimate",
        answer=effect.sentence(),
        effect=effect_part(effect, effect.identification),
        refutations=[check_part(check) for check in effect.refutations],
        diagnostics=[check_part(check) for check in effect.diagnostics],
        warnings=list(effect.warnings),
    )


def from_error(error: WhenceError, command: str, treatment: str | None, outcome: str | None) -> Payload:
    """Return the payload of a command that has no answer; an effect that was asked for is not identified."""
    asked = isinstance(error, NotIdentified) and treatment is not None and outcome is not None
    reason = error.problem.partition("is not identified: ")[2] or error.problem
    return Payload(
        command=command,
        effect=EffectPart(treatment=str(treatment), outcome=str(outcome), identified=False, reason=reason)
        if asked
        else None,
        error=ErrorPart(code=error.code, problem=error.problem, remedy=error.remedy),
    )


def graph_part(graph: Graph, confidence: Confidence | None, method: str | None) -> GraphPart:
    """Return a graph with the confidence of each edge."""
    return GraphPart(
        kind=graph.kind,
        nodes=list(graph.names),
        edges=[_edge_part(edge, confidence) for edge in graph.edges()],
        method=method,
    )


def _edge_part(edge: Edge, confidence: Confidence | None) -> EdgePart:
    seen = confidence.edge(edge.source, edge.target) if confidence is not None else None
    return EdgePart.model_validate(
        {
            "from": edge.source,
            "to": edge.target,
            "mark_from": edge.mark_source.name.lower(),
            "mark_to": edge.mark_target.name.lower(),
            "confidence": seen.adjacency if seen else None,
            "confidence_forward": seen.forward if seen else None,
            "confidence_backward": seen.backward if seen else None,
        }
    )


def effect_part(effect: Effect | None, identification: Identification | None) -> EffectPart | None:
    """Return the effect, or the reason why there is none, or None where no effect was asked for."""
    if identification is None:
        return None
    asked = identification
    part = EffectPart(
        treatment=asked.treatment,
        outcome=asked.outcome,
        identified=asked.identified,
        strategy=asked.strategy,
        reason=asked.reason,
        adjustment=list(asked.adjustment) if asked.adjustment is not None else None,
    )
    if effect is None:
        return part
    found = {
        "adjustment": list(effect.adjustment) if effect.adjustment is not None else None,
        "estimand": effect.estimand,
        "estimator": effect.estimator,
        "estimate": effect.estimate,
        "interval": list(effect.interval),
        "range": list(effect.range) if effect.range is not None else None,
        "level": effect.level,
        "p_value": effect.p_value,
        "naive": effect.naive,
        "units": effect.units,
        "rows_used": effect.rows_used,
    }
    return part.model_copy(update=found)


def check_part(check: Any) -> CheckPart:
    """Return a check's verdict and sentence."""
    return CheckPart(name=check.name, passed=check.passed, detail=check.sentence)
