"""Causal-Copilot (Wang et al. 2025, arXiv 2504.13263): the parts of its acceptance list that need no language model.

Run here: the diagnostics (3), the edge confidence (4), the effects (6) and the robustness to odd names (9).
Not yet: the selector benchmark (1), heterogeneity by CD-NOD (2), the language-model path (8).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from benchmarks.profile_accuracy import measure

import whence as wh
from reproductions import Claim, Settings, main
from whence.autopilot.judge import judge
from whence.discovery import PC, Confidence, DiscoveryResult, bootstrap
from whence.graph import Mark

N_EFFECT_SEEDS = 20


def experiment(settings: Settings) -> list[Claim]:
    return [
        *diagnostics(settings.seed),
        *edge_confidence(settings.seed),
        *effects(settings.seed),
        odd_names(settings.seed),
    ]


def diagnostics(seed: int) -> list[Claim]:
    found = measure(seed=seed)
    return [
        Claim("linearity told apart at n = 2000", ">= 0.9", found["linearity"], found["linearity"] >= 0.9),
        Claim("Gaussian noise told apart", ">= 0.9", found["gaussianity"], found["gaussianity"] >= 0.9),
        Claim("lag of a series exact", ">= 0.8", found["lag"], found["lag"] >= 0.8),
        Claim("column types right", "1.0", found["types"], found["types"] == 1.0),
    ]


def edge_confidence(seed: int) -> list[Claim]:
    """Eight graphs, p = 10, n = 1000, standardised, B = 20: the calibration of adjacency confidence under PC."""
    shares, truths, deleted = [], [], 0
    for k in range(8):
        simulated = wh.simulate.linear_scm(10, 1000, degree=2.0, random_state=1000 * seed + k)
        data = simulated.data
        search = PC()
        result = search.fit(data)
        confidence = bootstrap(search, data, draws=20, random_state=k)
        true_pairs = {frozenset(edge) for edge in simulated.edges}
        for i, a in enumerate(data.names):
            for b in data.names[i + 1 :]:
                shares.append(confidence.edge(a, b).adjacency)
                truths.append(frozenset((a, b)) in true_pairs)
        deleted += _stable_undirected_deleted(result, confidence)
    share, truth = np.array(shares), np.array(truths, dtype=float)
    high, low = share >= 0.9, share <= 0.1
    precise = float(truth[high].mean())
    wrong = float(truth[low].mean())
    brier = float(np.mean((share - truth) ** 2))
    return [
        Claim("adjacencies with confidence >= .9 that are true", ">= 0.97", precise, precise >= 0.97),
        Claim("adjacencies with confidence <= .1 that are true", "<= 0.02", wrong, wrong <= 0.02),
        Claim("Brier score of the adjacency confidence", "<= 0.03", brier, brier <= 0.03),
        Claim("stable undirected edges deleted by the judge", "0", deleted, deleted == 0),
    ]


def effects(seed: int) -> list[Claim]:
    """A linear model with a confounder and a collider: the estimate, and the set that was adjusted for."""
    inside, collider_used = 0, 0
    edges = ["z -> t", "z -> y", "t -> y", "t -> c", "y -> c"]
    graph = wh.Graph.from_edges(edges)
    for k in range(N_EFFECT_SEEDS):
        rng = np.random.default_rng([seed, k])
        z = rng.normal(size=1000)
        t = 0.8 * z + rng.normal(size=1000)
        y = 1.5 * t + 1.0 * z + rng.normal(size=1000)
        c = t + y + rng.normal(size=1000)
        effect = wh.estimate({"z": z, "t": t, "y": y, "c": c}, graph, "t", "y", random_state=k)
        inside += abs(effect.estimate - 1.5) <= 2 * effect.standard_error
        collider_used += "c" in effect.adjustment
    hidden = wh.Graph.from_edges(["t -> y", "t <-> y"], kind="ADMG")
    verdict = wh.identify(hidden, "t", "y")
    return [
        Claim("estimates within two standard errors of the truth", ">= 18 of 20", inside, inside >= 18),
        Claim("runs that adjust for the collider", "0", collider_used, collider_used == 0),
        Claim(
            "an unidentifiable query gets a reason, not a number",
            "not identified",
            verdict.reason,
            not verdict.identified,
        ),
    ]


def odd_names(seed: int) -> Claim:
    """Names with commas, colons and spaces, a duplicate, a constant, no missing values: an answer or a clear error."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=300)
    table = {
        "a, b": base,
        "c: d": base + rng.normal(size=300),
        " e f ": rng.normal(size=300),
        "copy of a, b": base,
        "always one": np.ones(300),
    }
    study = wh.analyze(table, "a, b", "c: d", budget="5s", random_state=seed)
    single = "no error"
    try:
        wh.analyze({"only": base}, budget="5s")
    except wh.DataError as error:
        single = error.code
    measured = {"interval": study.effect.interval if study.effect else None, "one column": single}
    return Claim(
        "odd names, copies, constants, one column",
        "no crash",
        measured,
        study.effect is not None and single.startswith("E"),
    )


def _stable_undirected_deleted(result: DiscoveryResult, confidence: Confidence) -> int:
    judged, _ = judge(replace(result, confidence=confidence), wh.Knowledge())
    lost = 0
    for edge in result.graph.edges():
        stable = confidence.edge(edge.source, edge.target).adjacency >= 0.9
        undirected = edge.mark_source == edge.mark_target == Mark.TAIL
        lost += stable and undirected and judged.graph.edge(edge.source, edge.target) is None
    return lost


if __name__ == "__main__":
    main(24, "causal-copilot", experiment)
