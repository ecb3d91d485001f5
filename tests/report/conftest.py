"""Finished studies of every outcome a report must tell: an effect, none asked, not identified, a range, no overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import whence as wh
from whence.autopilot.findings import write_findings
from whence.effects import identify
from whence.graph import Graph

BUDGET = "3s"
ODD = {
    "side": "</script><b>side|effect</b>",
    "dose": 'dose "mg" [daily]',
    "cure": "cure 😀 & `hope` | *yes* ```",
    "age": "<img src=x onerror=alert(1)>",
}


def trial(rows=400, seed=0):
    """Age confounds dose and cure; the effect of dose on cure is 2; side follows from both."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=rows)
    dose = 0.8 * age + rng.normal(size=rows)
    cure = 2.0 * dose - 1.5 * age + rng.normal(size=rows)
    side = dose + cure + rng.normal(size=rows)
    return {"side": side, "dose": dose, "cure": cure, "age": age}


def tiers(*names):
    return wh.Knowledge(tiers=[[name] for name in names])


@pytest.fixture(scope="session")
def effect_study():
    return wh.analyze(trial(), "dose", "cure", knowledge=tiers("age", "dose", "cure", "side"), budget=BUDGET)


@pytest.fixture(scope="session")
def odd_study():
    table = {ODD[name]: values for name, values in trial().items()}
    table[ODD["age"]][:25] = np.nan
    known = tiers(*(ODD[name] for name in ("age", "dose", "cure", "side")))
    return wh.analyze(table, ODD["dose"], ODD["cure"], knowledge=known, budget=BUDGET)


@pytest.fixture(scope="session")
def explored_study():
    return wh.analyze(trial(), knowledge=tiers("age", "dose", "cure", "side"), budget=BUDGET)


@pytest.fixture(scope="session")
def range_study():
    """Age is joined to dose without a direction, so that it is open whether it must be adjusted for."""
    columns = trial(rows=800)
    table = {name: columns[name] for name in ("age", "dose", "cure")}
    known = wh.Knowledge(forbidden=["cure -> dose", "cure -> age"])
    return wh.analyze(table, "dose", "cure", knowledge=known, budget=BUDGET)


@pytest.fixture(scope="session")
def unidentified_study(effect_study):
    """The same study on a graph in which a hidden cause ties treatment and outcome."""
    edges = ["dose -> cure", "dose <-> cure", "age -> cure"]
    graph = Graph.from_edges(edges, names=effect_study.graph.names, kind="ADMG")
    study = replace(
        effect_study,
        discovery=replace(effect_study.discovery, graph=graph, evidence=()),
        identification=identify(graph, "dose", "cure"),
        effect=None,
        other_effects=(),
        judgements=(),
    )
    return replace(study, findings=write_findings(study))


@pytest.fixture(scope="session")
def overlapless_study():
    """Treatment is nearly decided by age: the arms cannot be compared. The outcome is binary."""
    rng = np.random.default_rng(4)
    age = rng.normal(size=600)
    treated = (age + 0.15 * rng.normal(size=600) > 0.6).astype(int)
    cured = (rng.random(600) < 0.45 + 0.1 * treated + 0.35 * np.tanh(2 * age)).astype(int)
    known = tiers("age", "treated", "cured")
    return wh.analyze(
        {"age": age, "treated": treated, "cured": cured}, "treated", "cured", knowledge=known, budget=BUDGET
    )


@pytest.fixture(scope="session")
def binary_study():
    """A randomised binary treatment with a binary outcome: the effect is a difference of probabilities."""
    rng = np.random.default_rng(5)
    treated = rng.integers(0, 2, 800)
    cured = (rng.random(800) < 0.3 + 0.3 * treated).astype(int)
    age = rng.normal(size=800)
    return wh.analyze(
        {"age": age, "treated": treated, "cured": cured},
        "treated",
        "cured",
        knowledge=tiers("age", "treated", "cured"),
        budget=BUDGET,
    )


STUDIES = (
    "effect_study",
    "odd_study",
    "explored_study",
    "range_study",
    "unidentified_study",
    "overlapless_study",
    "binary_study",
)


@pytest.fixture(scope="session", params=STUDIES)
def any_study(request):
    return request.getfixturevalue(request.param)
