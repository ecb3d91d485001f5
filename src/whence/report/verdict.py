"""The badge at the top: how far the answer can be relied on, in a few words and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from whence.effects.wording import names_in_words
from whence.report.protocol import StudyLike

Tone = Literal["good", "open", "bad"]
_SIGNS: dict[Tone, str] = {"good": "✓", "open": "?", "bad": "!"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader should know before the number."""

    title: str
    sentence: str
    tone: Tone

    @property
    def sign(self) -> str:
        """A sign beside the words, for those who do not tell the colours apart."""
        return _SIGNS[self.tone]


def verdict_of(study: StudyLike) -> Verdict:
    """Return the verdict on a study's answer: the worst that is true of it."""
    effect, found = study.effect, study.identification
    if found is None:
        text = "No treatment and outcome were asked about: the graph is a set of hypotheses, none of them tested."
        return Verdict("Exploratory", text, "open")
    if effect is None:
        text = "The graph and the measured columns do not determine this effect; no number was computed."
        return Verdict("Not identified", text, "bad")
    if found.strategy == "no-effect":
        text = "The graph that was found rules an effect out; nothing was estimated. It is as sure as the graph is."
        return Verdict("No effect by the graph", text, "open")
    if effect.failed_comparisons:
        names = names_in_words([check.title.lower() for check in effect.failed_comparisons])
        text = "Like is not compared with like."
        if any(other.population != effect.population and not other.failed_comparisons for other in study.other_effects):
            text += " For the rows that can be compared there are answers below."
        return Verdict(f"Do not use: no fair comparison ({names})", text, "bad")
    if effect.range is not None:
        return _of_range(study)
    judged = [check for check in (*effect.diagnostics, *effect.refutations) if check.passed is not None]
    failed = [check for check in judged if not check.passed]
    if failed:
        names = names_in_words([check.title.lower() for check in failed])
        fail = "fails" if len(failed) == 1 else "fail"
        return Verdict(f"Fragile: {len(failed)} of {len(judged)} checks {fail}", f"Failing: {names}.", "bad")
    if not effect.refutations:
        return Verdict("Not attacked", "Nothing was done to refute this estimate.", "open")
    low, high = effect.interval
    held = f"All {len(judged)} checks that judge it hold.{_warned(study)}"
    if low <= 0 <= high:
        return Verdict("No clear effect", f"The interval includes zero. {held}", "open")
    if found.strategy == "adjustment":
        held += " None of them sees a common cause that was not measured."
    return Verdict("Defended", held, "good")


def _of_range(study: StudyLike) -> Verdict:
    text = "The graph leaves directions open, and the effect differs with them."
    if study.effect is not None and study.effect.warnings:
        return Verdict("A range, with warnings", f"{text}{_warned(study)}", "bad")
    return Verdict("A range, not a number", text, "open")


def _warned(study: StudyLike) -> str:
    count = len(study.warnings)
    return "" if not count else " Read the warning below." if count == 1 else f" Read the {count} warnings below."
