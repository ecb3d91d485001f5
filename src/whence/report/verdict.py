"""The badge at the top: how far the answer can be relied on, in two words and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from whence.report.protocol import StudyLike

Tone = Literal["good", "open", "bad"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader should know before the number."""

    title: str
    sentence: str
    tone: Tone


def verdict_of(study: StudyLike) -> Verdict:
    """Return the verdict on a study's answer."""
    effect, found = study.effect, study.identification
    if found is None:
        return Verdict("Exploratory", "No treatment and outcome were asked about; the graph was searched.", "open")
    if effect is None:
        return Verdict("Not identified", "Graph and measured columns do not determine this effect.", "bad")
    if found.strategy == "no-effect":
        return Verdict("No effect by the graph", "The graph rules an effect out; nothing was estimated.", "open")
    if effect.range is not None:
        return Verdict("A range", "The graph leaves directions open; the effect differs with them.", "open")
    if effect.failed_comparisons:
        names = " and ".join(check.title.lower() for check in effect.failed_comparisons)
        return Verdict("Do not rely on it", f"The data fail on {names}: the figure is not a comparison.", "bad")
    judged = [check for check in (*effect.diagnostics, *effect.refutations) if check.passed is not None]
    failed = [check for check in judged if not check.passed]
    if failed:
        names = ", ".join(check.title.lower() for check in failed)
        return Verdict("Fragile", f"{len(failed)} of {len(judged)} checks fail: {names}.", "bad")
    low, high = effect.interval
    held = f"All {len(judged)} checks that judge it hold."
    if low <= 0 <= high:
        return Verdict("No clear effect", f"Zero lies inside the interval. {held}", "open")
    return Verdict("Stands", held, "good")
