"""What was found, in plain sentences that each carry the numbers they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.autopilot.study import Finding
from whence.effects.wording import number
from whence.graph import Mark

if TYPE_CHECKING:
    from whence.autopilot.study import Study
    from whence.effects import Effect

STRONG = 0.9
MOST_EDGES = 5


def write_findings(study: Study) -> tuple[Finding, ...]:
    """Return the answer first, then what it leans on, what speaks against it, and what the graph says."""
    parts = (_answer, _assumption, _checks, _alternatives, _graph, _data)
    return tuple(finding for part in parts for finding in part(study))


def _answer(study: Study) -> list[Finding]:
    if study.effect is not None:
        effect = study.effect
        numbers = _numbers(effect)
        failed = effect.failed_comparisons
        if not failed:
            return [Finding("answer", effect.sentence(), numbers)]
        names = " and ".join(check.title.lower() for check in failed)
        fail = "fails" if len(failed) == 1 else "fail"
        refusal = (
            f"These rows do not answer what {effect.treatment} does to {effect.outcome} in all of them: {names} {fail}."
        )
        sound = [other for other in _elsewhere(study) if not other.failed_comparisons]
        return [
            Finding("answer", refusal, {"checks": [check.name for check in failed]}),
            *(Finding("answer", f"Where rows are comparable: {other.sentence()}", _numbers(other)) for other in sound),
            Finding("answer", f"Not to be relied on, the figure for all rows: {effect.sentence()}", numbers),
        ]
    if study.identification is not None:
        found = study.identification
        text = f"The effect of {found.treatment} on {found.outcome} is not identified: {found.reason}"
        return [Finding("answer", text, {"identified": False})]
    if study.effects:
        lines = []
        for ranked in study.effects[:MOST_EDGES]:
            low, high = ranked.interval
            text = (
                f"{ranked.treatment} changes {ranked.outcome} by {number(ranked.estimate)} {ranked.units} "
                f"(interval {number(low)} to {number(high)}); the two are joined in {ranked.confidence:.0%} of draws."
            )
            lines.append(
                Finding("answer", " ".join(text.split()), {"estimate": ranked.estimate, "interval": [low, high]})
            )
        return lines
    return [
        Finding("answer", "The graph settles no effect between two measured columns; see the open directions below.")
    ]


def _assumption(study: Study) -> list[Finding]:
    """Say what the answer takes for granted and no check can see."""
    effect = study.effect
    if effect is None or effect.identification.strategy not in ("adjustment", "class-range"):
        return []
    text = (
        f"This takes for granted that no common cause of {effect.treatment} and {effect.outcome} is missing from the "
        "table; no check can see one that is."
    )
    return [Finding("assumption", text)]


def _numbers(effect: Effect) -> dict[str, Any]:
    return {
        "estimate": effect.estimate,
        "interval": list(effect.interval),
        "units": effect.units,
        "rows_used": effect.rows_used,
    }


def _elsewhere(study: Study) -> list[Effect]:
    """Return the estimates for other populations than the one asked about."""
    return [other for other in study.other_effects if study.effect and other.population != study.effect.population]


def _by_instrument(study: Study) -> list[Effect]:
    return [other for other in study.other_effects if other.identification.strategy == "instrument"]


def _checks(study: Study) -> list[Finding]:
    if study.effect is None:
        return []
    run = [check for check in study.effect.refutations if check.passed is not None]
    failed = [check for check in run if not check.passed]
    findings = []
    if run and not study.effect.failed_comparisons:
        text = f"{len(run) - len(failed)} of {len(run)} attempts to refute the estimate left it standing."
        findings.append(Finding("robustness", text, {"passed": len(run) - len(failed), "run": len(run)}))
    findings += [Finding("caution", check.sentence, {"check": check.name}) for check in failed]
    more = [check for check in study.effect.diagnostics if check.passed is False]
    return findings + [Finding("caution", check.sentence, {"check": check.name}) for check in more]


def _alternatives(study: Study) -> list[Finding]:
    if study.effect is None or not study.other_effects:
        return []
    elsewhere = _elsewhere(study)
    findings = [
        Finding("robustness", f"Failing the same checks: {other.sentence()}", _numbers(other))
        for other in elsewhere
        if other.failed_comparisons
    ]
    by_instrument = _by_instrument(study)
    for other in by_instrument:
        names = ", ".join(other.identification.instruments)
        text = f"Through the instrument {names}, where a common cause may be missing: {other.sentence()}"
        findings.append(Finding("robustness", text, _numbers(other)))
    apart = {id(other) for other in (*elsewhere, *by_instrument)}
    estimates = [other.estimate for other in study.other_effects if id(other) not in apart]
    if not estimates:
        return findings
    low, high = min(estimates), max(estimates)
    units = study.effect.units
    span = number(low) if len(estimates) == 1 else f"between {number(low)} and {number(high)}"
    sets = "1 other defensible adjustment set" if len(estimates) == 1 else f"{len(estimates)} other defensible sets"
    text = f"Under {sets} the estimate is {f'{span} {units}'.strip()}."
    return [*findings, Finding("robustness", text, {"estimates": estimates})]


def _graph(study: Study) -> list[Finding]:
    graph, confidence = study.graph, study.discovery.confidence
    edges = graph.edges()
    pairs = "1 pair" if len(edges) == 1 else f"{len(edges)} pairs"
    allowed = [
        Finding("graph", f"For the question, {step.what.replace('allowed', 'allowing', 1)}: {step.why}.")
        for step in study.decisions
        if step.step == "identify"
    ]
    if confidence is None:
        return [
            Finding("graph", f"The graph joins {pairs} of {graph.n_nodes} columns.", {"edges": len(edges)}),
            *allowed,
        ]
    seen = [confidence.edge(edge.source, edge.target) for edge in edges]
    strong = sum(one.adjacency >= STRONG for one in seen)
    open_ended = sum(
        edge.mark_source == edge.mark_target == Mark.TAIL or one.word == "undetermined"
        for edge, one in zip(edges, seen)
    )
    text = (
        f"The graph joins {pairs} of {graph.n_nodes} columns; {strong} of them in at least {STRONG:.0%} of "
        f"{confidence.draws} bootstrap draws, and {open_ended} without a settled direction."
    )
    return [Finding("graph", text, {"edges": len(edges), "strong": strong, "undirected": open_ended}), *allowed]


def _data(study: Study) -> list[Finding]:
    rows, used = study.data.n_rows, study.discovery.rows_used
    if used == rows:
        return []
    text = f"The search used {used:,} of {rows:,} rows: the others have missing values."
    return [Finding("data", text, {"rows": rows, "rows_used": used})]
