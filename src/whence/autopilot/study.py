"""The Study: a question, everything done to answer it, and why each step was taken."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from whence.autopilot.plan import Plan
from whence.autopilot.question import Question
from whence.data import Dataset, Profile
from whence.discovery import DiscoveryResult
from whence.effects import Effect, Identification
from whence.graph import Graph, Knowledge
from whence.results import SCHEMA_VERSION, to_jsonable


@dataclass(frozen=True, slots=True)
class Decision:
    """One step that could have gone otherwise: what was done, why, and what was not done instead."""

    step: str
    what: str
    why: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A plain sentence and the numbers it rests on.

    ``kind`` is one of ``answer``, ``assumption``, ``graph``, ``caution``, ``robustness``, ``data``.
    """

    kind: str
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedEffect:
    """One identified effect of the graph, in the user's units and in standard deviations for ranking."""

    treatment: str
    outcome: str
    estimate: float
    interval: tuple[float, float]
    standardised: float
    units: str
    adjustment: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class EdgeJudgement:
    """What was decided about one pair of columns, on which evidence."""

    source: str
    target: str
    decision: Literal["kept", "removed", "oriented", "undecided", "not added"]
    why: str


@dataclass(frozen=True, repr=False)
class Study:
    """The whole of an analysis, immutable; `whence.analyze` makes it.

    Attributes
    ----------
    question : Question
    data : Dataset
    profile : Profile
    knowledge : Knowledge
        What was required or forbidden.
    plan : Plan
        The searches considered, with scores, predicted seconds and reasons.
    discovery : DiscoveryResult
        The chosen search with bootstrap confidence on every pair; its graph is the judged one.
    judgements : tuple of EdgeJudgement
    identification : Identification or None
        None without treatment and outcome.
    effect : Effect or None
        None where there is no question of an effect or it is not identified.
    other_effects : tuple of Effect
        The same effect under other defensible adjustment sets.
    effects : tuple of RankedEffect
        Without a treatment: the strongest identified effects.
    findings, warnings, decisions : tuple
    settings : dict
        All that is needed to run the study again.
    versions : dict
    seconds : dict
        Measured wall time of each stage; not part of the reproducible record.
    reused : tuple of str
        Stages taken over from the study this one revises.
    command : str
        The command line that made the study, if one did.
    """

    question: Question
    data: Dataset
    profile: Profile
    knowledge: Knowledge
    plan: Plan
    discovery: DiscoveryResult
    judgements: tuple[EdgeJudgement, ...]
    identification: Identification | None
    effect: Effect | None
    other_effects: tuple[Effect, ...]
    effects: tuple[RankedEffect, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    decisions: tuple[Decision, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: dict[str, float]
    reused: tuple[str, ...] = ()
    command: str = ""

    @property
    def graph(self) -> Graph:
        """The judged graph."""
        return self.discovery.graph

    @property
    def answer(self) -> str:
        """The first finding: the answer, or why there is none."""
        return self.findings[0].sentence

    def report(self, path: str | Path) -> Path:
        """Write the report: HTML or, for a name ending in ``.md``, Markdown. Returns the path."""
        from whence.report import write_report

        return write_report(self, path)

    def revise(
        self,
        *,
        require: Iterable[str | tuple[str, str]] = (),
        forbid: Iterable[str | tuple[str, str]] = (),
        tiers: Sequence[Sequence[str]] | str | None = None,
    ) -> Study:
        """Return a new study with more knowledge; only what depends on it is run again.

        Parameters
        ----------
        require, forbid : iterable of "A -> B" or (A, B)
            Edges that must or must not be there.
        tiers : list of lists, or "a,b < c < d"
            Replaces the tiers given before.

        Raises
        ------
        GraphError
            If the edges name absent columns or contradict each other or what was known.
        """
        from whence.autopilot.pipeline import revise

        return revise(self, require=require, forbid=forbid, tiers=tiers)

    def effect_of(self, treatment: str, outcome: str) -> Effect | Identification:
        """Answer another question on the same graph: an Effect, or the Identification that says why there is none."""
        from whence.autopilot.pipeline import answer_on_graph

        return answer_on_graph(self, treatment, outcome)

    def save(self, path: str | Path) -> Path:
        """Write the whole study, data included, to one file that `Study.load` restores exactly."""
        from whence.autopilot.store import save_study

        return save_study(self, path)

    @staticmethod
    def load(path: str | Path) -> Study:
        """Read a study written by `save`."""
        from whence.autopilot.store import load_study

        return load_study(path)

    def replay(self) -> Study:
        """Run the study again from its data and settings; the record's `digest` must come out the same.

        Raises
        ------
        NotConverged
            If the record differs, naming the first part that does (another version of a library, say).
        """
        from whence.autopilot.pipeline import replay

        return replay(self)

    def record(self) -> dict[str, Any]:
        """Return all that was decided and found, as plain JSON values, without times: the reproducible part."""
        return to_jsonable(  # type: ignore[no-any-return]
            {
                "schema_version": SCHEMA_VERSION,
                "question": self.question,
                "data": {"source": self.data.source, "fingerprint": self.data.fingerprint(), "rows": self.data.n_rows},
                "settings": self.settings,
                "versions": self.versions,
                "profile": self.profile.to_dict(),
                "knowledge": self.knowledge.to_dict(),
                "plan": self.plan,
                "discovery": _without_times(self.discovery.to_dict()),
                "judgements": self.judgements,
                "identification": self.identification,
                "effect": self.effect,
                "other_effects": self.other_effects,
                "effects": self.effects,
                "findings": self.findings,
                "warnings": self.warnings,
                "decisions": self.decisions,
            }
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the record: equal for equal data, settings, versions and seed."""
        text = json.dumps(self.record(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the record and the measured times."""
        return {**self.record(), "seconds": dict(self.seconds), "digest": self.digest}

    def __repr__(self) -> str:
        lines = [f"Study of {self.data.source}: {self.question.text}"]
        lines += [f"  • {finding.sentence}" for finding in self.findings]
        lines += [f"  ! {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(finding.sentence)}</li>" for finding in self.findings)
        return f"<p><strong>{html.escape(self.question.text)}</strong></p><ul>{items}</ul>{self.graph._repr_html_()}"


def _without_times(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "seconds"}
