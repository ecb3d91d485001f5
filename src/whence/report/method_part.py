"""How a study was done: assumptions, the choice of the method, decisions, papers, and what it takes to repeat it."""

from __future__ import annotations

from whence.registry import Card, Family, methods
from whence.report.pieces import Table, counted
from whence.report.protocol import StudyLike

_CARD_FAMILIES: tuple[Family, ...] = ("search", "test", "score", "identifier", "estimator", "check")
_IN_WORDS = {
    "linear": "relations between the columns are linear",
    "gaussian": "noise is Gaussian",
    "non-gaussian": "noise is not Gaussian",
    "equal-variances": "noise has the same variance in every column",
    "additive-noise": "noise is added to what the causes do, and does not depend on them",
    "acyclic": "nothing causes itself, however indirectly",
    "faithful": "no two causal paths cancel exactly",
    "no-hidden-causes": "every common cause of two columns is in the table",
    "iid": "rows are independent draws of one process",
    "discrete": "columns have levels",
}


def assumptions(study: StudyLike) -> tuple[str, ...]:
    """Return what must hold for the answer, as sentences; the effect's own first."""
    of_effect = study.identification.assumptions if study.identification is not None else ()
    card = next((card for card in methods("search") if card.name == study.discovery.method), None)
    assumed = (card.assumes if card is not None else frozenset()) - _spared(study)
    words = [words for name, words in _IN_WORDS.items() if name in assumed]
    of_search = (f"For the graph, as {study.discovery.method} assumes: {'; '.join(words)}.",) if words else ()
    return tuple(dict.fromkeys((*of_effect, *of_search)))


def _spared(study: StudyLike) -> frozenset[str]:
    """Return what the score or test that a search used does without: on levels, a line and a bell curve."""
    used = [study.discovery.parameters.get(part) for part in ("score", "test")]
    needed = [part.assumes for part in (*methods("score"), *methods("test")) if part.name in used]
    return frozenset({"linear", "gaussian"}).difference(*needed) if needed else frozenset()


def knowledge(study: StudyLike) -> tuple[str, ...]:
    """Return what was given as known, one statement each."""
    known = study.knowledge
    lines = [f"{a} → {b} required" for a, b in sorted(known.required)]
    lines += [f"{a} → {b} forbidden" for a, b in sorted(known.forbidden)]
    if known.tiers:
        lines.append("in time: " + " < ".join(", ".join(tier) for tier in known.tiers))
    lines += [f"{name} has no causes in the table" for name in sorted(known.roots)]
    lines += [f"{name} has no effects in the table" for name in sorted(known.leaves)]
    return tuple(lines)


def candidates(study: StudyLike) -> Table:
    """Return the searches that were considered, the chosen one marked."""
    rows = tuple(
        (
            candidate.method,
            "✓ chosen" if candidate.chosen else "✗ refused" if candidate.refused else "possible",
            "" if candidate.refused else f"{candidate.score:.2f}",
            f"{candidate.predicted_seconds:.2g} s" if candidate.predicted_seconds >= 0.001 else "< 0.001 s",
            candidate.refused or "; ".join(candidate.reasons),
        )
        for candidate in study.plan.candidates
    )
    return Table(("search", "verdict", "score of 1", "predicted time", "why"), rows, frozenset({2, 3}))


def cards(study: StudyLike) -> tuple[Card, ...]:
    """Return the cards of the methods that took part and have a source."""
    used = {("search", study.discovery.method)}
    for role in ("test", "score"):
        named = study.discovery.parameters.get(role)
        used.add((role, str(getattr(named, "name", named))))
    if study.identification is not None:
        used.add(("identifier", str(study.identification.strategy)))
    if study.effect is not None:
        used.add(("estimator", study.effect.estimator))
        used |= {("check", check.name) for check in (*study.effect.diagnostics, *study.effect.refutations)}
    return tuple(
        card for family in _CARD_FAMILIES for card in methods(family) if (family, card.name) in used and card.paper
    )


def facts(study: StudyLike) -> Table:
    """Return what identifies this run: data, seed, versions, times, digest."""
    total = sum(study.seconds.values())
    times = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in study.seconds.items())
    rows = (
        ("data", f"{study.data.source}, {study.data.n_rows:,} rows, {counted(len(study.data.names), 'column')}"),
        ("fingerprint of the data", study.data.fingerprint()),
        ("seed", str(study.settings.get("random_state"))),
        ("versions", ", ".join(f"{name} {version}" for name, version in study.versions.items())),
        ("time", f"{times}; {total:.2f} s in all"),
        ("digest of the record", study.digest),
    )
    return Table(("what", "value"), rows)


def python(study: StudyLike) -> str:
    """Return Python code that runs the study again on the same data."""
    asked = {name: value for name, value in study.settings.items() if value is not None}
    lines = [f"    {name}={value!r}," for name, value in asked.items()]
    parts = [(name, getattr(study.knowledge, name)) for name in ("required", "forbidden", "tiers", "roots", "leaves")]
    given = ", ".join(f"{name}={value!r}" for name, value in parts if value)
    if given:
        lines.append(f"    knowledge=wh.Knowledge({given}),")
    return "\n".join(
        ["import whence as wh", "", "study = wh.analyze(", "    data,", *lines, ")", "print(study.digest)"]
    )
