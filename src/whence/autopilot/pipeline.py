"""The state machine of a study: profile, plan, search, judge, identify, estimate, refute, say."""

from __future__ import annotations

import platform
import re
import time as clock
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import whence
from whence.autopilot.effects_on_graph import answer_effect, rank_effects
from whence.autopilot.findings import write_findings
from whence.autopilot.judge import judge
from whence.autopilot.plan import Plan, make_plan
from whence.autopilot.prepare import Prepared, prepare
from whence.autopilot.question import Question, ask
from whence.autopilot.study import Decision, EdgeJudgement, Study
from whence.data import Dataset, Profile, as_dataset, profile
from whence.discovery import DiscoveryResult, bootstrap
from whence.discovery.verb import with_confidence
from whence.effects import Effect, Identification
from whence.errors import NotConverged, ParameterError
from whence.graph import Knowledge
from whence.parallel import Progress, check_seed, default_jobs, silent
from whence.registry import lookup

_PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "duckdb", "pyarrow")
# Predicted run times are for one processor; the plan assumes this many so that it does not depend on the machine.
PLANNED_JOBS = 2


def analyze(
    data: Any,
    treatment: str | None = None,
    outcome: str | None = None,
    query: str | None = None,
    knowledge: Knowledge | str | None = None,
    domain: str | None = None,
    budget: str | float = "2min",
    random_state: int = 0,
    *,
    level: float = 0.95,
    n_jobs: int | None = None,
    progress: Progress = silent,
) -> Study:
    """Answer a causal question from a table, from reading to refutation, with every decision on record.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
    treatment, outcome : str, optional
        Columns; without a treatment the strongest identified effects of the found graph are ranked.
    query : str, optional
        The question in words that name the columns: ``"does training raise re78?"``.
    knowledge : Knowledge or str, optional
        Required and forbidden edges, tiers, roots, leaves; every search respects it. A text is read as tiers:
        ``"age, sex < dose < cure"``.
    domain : str, optional
        A column that tells environments apart (site, period); tested for shifts and kept out of the roles of effect.
    budget : str or float
        ``"90s"``, ``"2min"``, ``"1h"`` or seconds: decides which searches and how many bootstrap draws are affordable.
    random_state : int
        Seed of everything random; the same data, settings, versions and seed give the same `Study.digest`.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Study

    Raises
    ------
    DataError, GraphError, ParameterError
        For bad input, naming the column, edge or parameter. An effect that is not identified is a normal answer.

    Examples
    --------
    >>> import numpy as np, whence as wh
    >>> rng = np.random.default_rng(0)
    >>> dose = rng.normal(size=400)
    >>> table = {"dose": dose, "cure": 2 * dose + rng.normal(size=400)}
    >>> study = wh.analyze(table, "dose", "cure", knowledge="dose < cure", budget="5s")
    >>> round(study.effect.estimate)
    2
    """
    seconds = parse_budget(budget)
    check_seed(random_state)
    dataset = as_dataset(data)
    question = ask(dataset, treatment, outcome, domain, query)
    known = Knowledge.of(knowledge)
    known.for_names(dataset.names)  # absent columns are an error now, not after a minute of search
    settings = {
        "treatment": treatment,
        "outcome": outcome,
        "query": query,
        "domain": domain,
        "budget": seconds,
        "random_state": int(random_state),
        "level": level,
    }
    return _Run(dataset, question, known, settings, n_jobs, progress).finish()


def revise(
    study: Study,
    *,
    require: Iterable[str | tuple[str, str]] = (),
    forbid: Iterable[str | tuple[str, str]] = (),
    tiers: Sequence[Sequence[str]] | str | None = None,
    n_jobs: int | None = None,
    progress: Progress = silent,
) -> Study:
    """See `Study.revise`."""
    added = Knowledge(
        required=require,
        forbidden=forbid,
        tiers=Knowledge.parse_tiers(tiers) if isinstance(tiers, str) else (tiers or ()),
    )
    before = replace_tiers(study.knowledge, added) if tiers else study.knowledge
    known = before.merge(added)
    known.for_names(study.data.names)
    run = _Run(study.data, study.question, known, study.settings, n_jobs, progress)
    return run.finish(earlier=study)


def replace_tiers(knowledge: Knowledge, added: Knowledge) -> Knowledge:
    """Return the knowledge without its tiers, which ``added`` brings anew."""
    return replace(knowledge, tiers=()) if added.tiers else knowledge


def replay(study: Study) -> Study:
    """See `Study.replay`."""
    settings = {
        key: study.settings[key]
        for key in ("treatment", "outcome", "query", "domain", "budget", "random_state", "level")
    }
    again = analyze(study.data, knowledge=study.knowledge, **settings)
    if again.digest != study.digest:
        before, after = study.record(), again.record()
        changed = [part for part in before if before[part] != after.get(part)]
        raise NotConverged(
            "E501",
            f"the replayed study differs from the saved one in: {', '.join(changed)}.",
            "Install the versions listed in study.versions and replay again.",
        )
    return again


def answer_on_graph(study: Study, treatment: str, outcome: str) -> Effect | Identification:
    """See `Study.effect_of`."""
    question = ask(study.data, treatment, outcome, study.question.domain, None)
    answer = answer_effect(
        study.data,
        study.discovery,
        study.knowledge,
        question,
        study.settings["level"],
        study.settings["random_state"],
    )
    return answer.effect if answer.effect is not None else answer.identification


def parse_budget(budget: str | float) -> float:
    """Return a budget in seconds.

    >>> parse_budget("2min"), parse_budget("90s"), parse_budget(5)
    (120.0, 90.0, 5.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|hour|hours|seconds|minutes)?\s*", str(budget))
    seconds = float(match[1]) * {"m": 60, "h": 3600}.get((match[2] or "s")[0], 1) if match else 0.0
    if seconds <= 0:
        raise ParameterError("E336", f"the budget {budget!r} is not a positive time.", "Write it as 90s, 2min or 1h.")
    return seconds


@dataclass
class _Run:
    """One pass through the stages. Each stage is a method; what earlier studies hold and nothing changed is reused."""

    data: Dataset
    question: Question
    knowledge: Knowledge
    settings: dict[str, Any]
    n_jobs: int | None
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)

    def finish(self, earlier: Study | None = None) -> Study:
        with self.stage("profile"):
            profiled = self.profiled(earlier)
        prepared = prepare(self.data, profiled.facts, self.named)
        self.decisions += prepared.decisions
        self.warnings += prepared.warnings
        with self.stage("plan"):
            plan = self.planned(prepared, profiled)
        with self.stage("search"):
            found = self.searched(prepared, plan, earlier)
        with self.stage("judge"):
            discovery, judgements = self.judged(found)
        with self.stage("effect"):
            answer = self.answered(discovery)
            ranked = (
                () if self.question.treatment else rank_effects(self.data, discovery, self.knowledge, self.question)
            )
        study = Study(
            question=self.question,
            data=self.data,
            profile=profiled,
            knowledge=self.knowledge,
            plan=plan,
            discovery=discovery,
            judgements=judgements,
            identification=answer.identification if answer else None,
            effect=answer.effect if answer else None,
            other_effects=answer.others if answer else (),
            effects=ranked,
            findings=(),
            warnings=tuple(dict.fromkeys(self.warnings)),
            decisions=tuple(self.decisions),
            settings=self.settings,
            versions=_versions(),
            seconds=self.seconds,
            reused=tuple(self.reused),
        )
        return replace(study, findings=write_findings(study))

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(name for name in (self.question.treatment, self.question.outcome) if name)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.progress(name, 0, 1)
        started = clock.perf_counter()
        yield
        self.seconds[name] = clock.perf_counter() - started
        self.progress(name, 1, 1)

    def profiled(self, earlier: Study | None) -> Profile:
        if earlier is not None:
            self.reused.append("profile")
            found = earlier.profile
        else:
            found = profile(self.data, domain=self.question.domain, random_state=self.settings["random_state"])
        self.warnings += found.warnings
        return found

    def planned(self, prepared: Prepared, profiled: Profile) -> Plan:
        knowledge = self.knowledge.restrict(prepared.search_data.names)
        plan = make_plan(prepared.search_data, profiled.facts, knowledge, self.settings["budget"], PLANNED_JOBS)
        others = tuple(f"{c.method} ({c.refused or c.score})" for c in plan.candidates if not c.chosen)
        self.decisions.append(Decision("plan", f"search with {plan.chosen.method}", "; ".join(plan.reasons), others))
        return plan

    def searched(self, prepared: Prepared, plan: Plan, earlier: Study | None) -> DiscoveryResult:
        """Run the chosen search and its bootstrap, or take them over when the knowledge did not change."""
        knowledge = self.knowledge.restrict(prepared.search_data.names)
        if earlier is not None and earlier.knowledge == self.knowledge and earlier.plan == plan:
            self.reused.append("search")
            return earlier.discovery
        search = lookup("search", plan.chosen.method)(knowledge=knowledge, **plan.chosen.settings)
        result: DiscoveryResult = search.fit(prepared.search_data)
        if result.interrupted:
            raise KeyboardInterrupt
        confidence = bootstrap(
            search,
            prepared.search_data,
            draws=plan.draws,
            random_state=self.settings["random_state"],
            n_jobs=self.n_jobs or default_jobs(),
            progress=self.progress,
        )
        return with_confidence(result, confidence, plan.draws)

    def judged(self, found: DiscoveryResult) -> tuple[DiscoveryResult, tuple[EdgeJudgement, ...]]:
        self.warnings += [f"Search: {warning}" for warning in found.warnings]
        discovery, judgements = judge(found, self.knowledge.restrict(found.graph.names))
        for verdict in ("removed", "oriented"):
            for note in (j for j in judgements if j.decision == verdict):
                self.decisions.append(
                    Decision("judge", f"{verdict} {note.source} – {note.target}", note.why, ("keep it",))
                )
        return discovery, judgements

    def answered(self, discovery: DiscoveryResult) -> Any:
        if not (self.question.treatment and self.question.outcome):
            return None
        answer = answer_effect(
            self.data,
            discovery,
            self.knowledge,
            self.question,
            self.settings["level"],
            self.settings["random_state"],
            n_jobs=self.n_jobs,
            progress=self.progress,
        )
        self.decisions += answer.decisions
        self.warnings += answer.warnings
        return answer


def _versions() -> dict[str, str]:
    return {
        "whence": whence.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
