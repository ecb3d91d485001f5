"""CD-NOD (Huang, Zhang, Zhang, Ramsey, Sanchez-Romero, Glymour and Schölkopf 2020, JMLR 21(89), arXiv 1903.01672).

Run here: the skeleton and the changing mechanisms of a chain that drifts over time (1), directions from independent
changes (2), driving forces (3), where no data tell the direction and where the estimate misleads (4), two domains whose
differences cancel (5), agreement with causal-learn and time beside it (6), a hidden common cause that follows the time
(7), 20 domains in which every mechanism differs (8). With ``--full`` also the time beside causal-learn at 500 rows.
"""

from __future__ import annotations

import time
from itertools import product

import numpy as np

from reproductions import Claim, Settings, main
from whence.data import simulate
from whence.discovery import CDNOD, PC, estimate_driving_force, independent_change_direction
from whence.graph import Graph, metrics


def experiment(settings: Settings) -> list[Claim]:
    return [
        *drifting_chain(settings.seed),
        *directions(settings.seed),
        *driving_forces(settings.seed),
        *what_cannot_be_told(settings.seed),
        *two_domains(settings.seed),
        *hidden_function_of_time(settings.seed),
        *many_domains(settings.seed),
        *beside_causal_learn(settings),
    ]


def truth_of(drawn: simulate.ChangingSimulation) -> Graph:
    return Graph.from_edges(drawn.edges, names=drawn.names)


def skeleton_f1(drawn: simulate.ChangingSimulation, graph: Graph) -> float:
    """Return F1 over the columns without the index."""
    return metrics.skeleton_scores(truth_of(drawn), graph.subgraph(drawn.names)).f1


# ---- 1: a chain of four columns over time, two of them drifting ----------------------------------------------------


def drifting_chain(seed: int) -> list[Claim]:
    scores: dict[str, list[float]] = {"rcot": [], "auto": [], "without": []}
    exact: dict[str, list[bool]] = {"rcot": [], "auto": []}
    for k in range(15):
        drawn = simulate.changing_chain(500, random_state=np.random.default_rng([seed, 1, k]))
        for test in ("rcot", "auto"):
            found = CDNOD(index="time", test=test, alpha=0.05, phases=(1, 2)).fit(drawn.data)
            scores[test].append(skeleton_f1(drawn, found.graph))
            exact[test].append(set(found.changing) == set(drawn.shifted))
        pooled = PC(test="rcot", alpha=0.05, max_depth=3).fit(drawn.data.drop("time"))
        scores["without"].append(skeleton_f1(drawn, pooled.graph))
    f1 = {name: float(np.mean(values)) for name, values in scores.items()}
    share = {name: float(np.mean(values)) for name, values in exact.items()}
    gain = f1["rcot"] - f1["without"]
    return [
        Claim(
            "drifting chain, 15 tables, RCoT between columns: skeleton F1", ">= 0.93", f1["rcot"], f1["rcot"] >= 0.93
        ),
        Claim("the same above PC with RCoT and no index", ">= 0.15", gain, gain >= 0.15),
        Claim("the same: changing columns exactly right", ">= 0.7", share["rcot"], share["rcot"] >= 0.7),
        Claim(
            "the same with residual invariance throughout", "reported", {"f1": f1["auto"], "exact": share["auto"]}, True
        ),
    ]


# ---- 2 to 4: two columns -------------------------------------------------------------------------------------------


def verdicts(change: str, count: int, seed: int, **settings) -> dict[str, float]:
    """Return how often the smaller dependence points the right way, what is decided, and what of that is wrong.

    The share that is right is returned for the first ten tables too.
    """
    right, decided, wrong = [], [], []
    for k in range(count):
        rng = np.random.default_rng([seed, 2, len(change), k])
        drawn = simulate.changing_pair(change, random_state=rng, **settings)
        found = independent_change_direction(drawn.data, "x", "y", index=drawn.domain)
        right.append(found.leaning == "x -> y")
        decided.append(found.verdict != "undecided")
        wrong.append(found.verdict == "y -> x")
    shares = (("right", right), ("decided", decided), ("wrong", wrong), ("right of the first ten", right[:10]))
    return {name: float(np.mean(values)) for name, values in shares}


def directions(seed: int) -> list[Claim]:
    claims = []
    for change, least in (("shift", 0.9), ("coefficient", 0.7), ("noise", 0.9)):
        found = verdicts(change, 30, seed)
        right = found.pop("right")
        text = f"two columns, {change}, 300 times, 30 tables: direction right"
        claims.append(Claim(text, f">= {least}", right, right >= least))
        claims.append(Claim("of these decided, and decided wrongly", "reported", found, True))
    for change in ("shift", "coefficient", "noise"):
        found = verdicts(change, 10, seed, n_rows=1200, n_domains=20)
        claims.append(Claim(f"two columns, {change}, 20 domains of 60 rows", "reported", found, True))
    return claims


def driving_forces(seed: int) -> list[Claim]:
    effects, causes = [], []
    for change, k in product(("shift", "coefficient"), range(4)):
        rng = np.random.default_rng([seed, 3, len(change), k])
        drawn = simulate.changing_pair(change, length=0.08, random_state=rng)
        for column, given, kept in (("y", ("x",), effects), ("x", (), causes)):
            first = estimate_driving_force(drawn.data, column, given, index="time").components[:, 0]
            kept.append(float(abs(np.corrcoef(first, drawn.drivers[column])[0, 1])))
    middle, least = float(np.median(effects)), min(effects)
    own = {"median": float(np.median(causes)), "least": min(causes)}
    return [
        Claim(
            "driving force of the effect, 8 tables: median correlation with the truth",
            ">= 0.85",
            middle,
            middle >= 0.85,
        ),
        Claim("the same: least correlation", ">= 0.7", least, least >= 0.7),
        Claim("driving force of the cause in these tables", "reported", own, True),
    ]


def what_cannot_be_told(seed: int) -> list[Claim]:
    found = verdicts("balanced", 12, seed)
    right, open_share = found["right"], 1.0 - found["decided"]
    narrow = verdicts("narrow", 10, seed)
    return [
        Claim(
            "balanced drivers, 12 tables: the smaller dependence is right", "0.25 to 0.75", right, 0.25 <= right <= 0.75
        ),
        Claim("the same: verdict undecided", ">= 0.5", open_share, open_share >= 0.5),
        Claim("a cause that covers little of its range at any time", "reported", narrow, True),
    ]


# ---- 5: two domains whose differences cancel on average ------------------------------------------------------------


def two_domains(seed: int) -> list[Claim]:
    scores, superset, exact, directed = [], [], [], []
    for k in range(10):
        drawn = simulate.changing_forms(300, random_state=np.random.default_rng([seed, 5, k]))
        found = CDNOD(index="domain", test="residual-invariance", phases=(1, 2)).fit(drawn.data)
        scores.append(skeleton_f1(drawn, found.graph))
        superset.append(set(found.changing) >= set(drawn.shifted))
        exact.append(set(found.changing) == set(drawn.shifted))
        if exact[-1]:
            edge = found.graph.edge("x1", "x2")
            settled = {frozenset((e.source, e.target)): e.provenance for e in found.evidence}
            directed.append(
                edge is not None and str(edge) == "x1 -> x2" and settled[frozenset(("x1", "x2"))] == "invariance"
            )
    f1, share = float(np.mean(scores)), float(np.mean(exact))
    return [
        Claim("two domains, 10 tables: skeleton F1", ">= 0.95", f1, f1 >= 0.95),
        Claim("the same: all changing columns among those found", "always", float(np.mean(superset)), all(superset)),
        Claim("the same: changing columns exactly right", ">= 0.6", share, share >= 0.6),
        Claim("x1 -> x2 by invariance where they are", "always", float(np.mean(directed)), all(directed)),
    ]


# ---- 6: beside causal-learn ------------------------------------------------------------------------------------------


def beside_causal_learn(settings: Settings) -> list[Claim]:
    text = "kci, drifting chain of 300 rows, 5 tables: skeleton the same as causal-learn's cdnod"
    try:
        from causallearn.search.ConstraintBased.CDNOD import cdnod
    except ImportError:
        return [Claim(text, ">= 0.8", "causal-learn is not installed: pip install 'whence[peers]'", False)]
    warm = simulate.changing_chain(60, random_state=0)
    CDNOD(index="time", test="kci", phases=(1, 2)).fit(warm.data)  # compiles
    CDNOD(index="time", phases=(1, 2)).fit(warm.data)
    same, ratios = [], {}
    for rows, count in ((300, 5), (500, 1)) if settings.full else ((300, 5),):
        spent = {"theirs": 0.0, "kci": 0.0, "auto": 0.0}
        for k in range(count):
            drawn = simulate.changing_chain(rows, random_state=np.random.default_rng([settings.seed, 6, k]))
            values, times = drawn.values[:, :-1], drawn.values[:, -1:]
            started = time.process_time()
            theirs = cdnod(values, times, 0.05, "kci", show_progress=False).G.graph[:-1, :-1] != 0
            spent["theirs"] += time.process_time() - started
            for test in ("kci", "auto"):
                started = time.process_time()
                ours = CDNOD(index="time", test=test, phases=(1, 2), max_depth=None).fit(drawn.data)
                spent[test] += time.process_time() - started
                if test == "kci" and rows == 300:
                    same.append(bool(np.array_equal(ours.graph.subgraph(drawn.names).marks != 0, theirs)))
        ratios[rows] = {test: round(spent["theirs"] / spent[test], 1) for test in ("kci", "auto")}
        ratios[rows]["seconds of causal-learn a table"] = round(spent["theirs"] / count, 1)
    share = float(np.mean(same))
    claims = [Claim(text, ">= 0.8", share, share >= 0.8)]
    for rows, ratio in ratios.items():
        what = f"processor time of causal-learn's cdnod(kci) over ours, {rows} rows"
        claims.append(Claim(what, ">= 20", ratio, ratio["kci"] >= 20))
    return claims


# ---- 7: a hidden common cause that is a function of time -----------------------------------------------------------


def hidden_function_of_time(seed: int) -> list[Claim]:
    ours, pooled = [], []
    for k in range(10):
        drawn = simulate.changing_confounder(500, random_state=np.random.default_rng([seed, 7, k]))
        found = CDNOD(index="time", phases=(1, 2)).fit(drawn.data).graph
        ours.append(found.edge("a", "b") is None and found.edge("b", "c") is not None)
        pooled.append(PC(test="rcot", alpha=0.05).fit(drawn.data.drop("time")).graph.edge("a", "b") is None)
    share = float(np.mean(ours))
    return [
        Claim("a hidden cause that follows the time: no edge between its effects", ">= 0.9", share, share >= 0.9),
        Claim("the same by PC without the index", "reported", float(np.mean(pooled)), True),
    ]


# ---- 8: every mechanism differs in every domain --------------------------------------------------------------------


def many_domains(seed: int) -> list[Claim]:
    """Five columns in 20 domains, every mechanism different in each: what all phases together direct."""
    claims = []
    for change in ("weights", "noise"):
        scores, kinds = [], {"right": 0, "wrong": 0, "open": 0}
        for k in range(8):
            rng = np.random.default_rng([seed, 8, len(change), k])
            drawn = simulate.domains_scm(5, 2000, n_domains=20, n_shifted=5, change=change, random_state=rng)
            found = CDNOD(index="domain", phases=(1, 2, 3)).fit(drawn.data).graph.subgraph(drawn.names)
            truth = Graph.from_edges(drawn.edges, names=drawn.names)
            scores.append(metrics.skeleton_scores(truth, found).f1)
            for cause, effect in drawn.edges:
                edge = found.edge(cause, effect)
                if edge is not None:
                    way = "right" if str(edge) == f"{cause} -> {effect}" else "wrong" if edge.is_directed else "open"
                    kinds[way] += 1
        what = f"five columns, 20 domains of 100 rows, {change} differ: true edges by direction"
        right = kinds["right"] / max(kinds["right"] + kinds["wrong"], 1)
        claims.append(Claim(what, "reported", {**kinds, "skeleton F1": float(np.mean(scores))}, True))
        claims.append(Claim("of those directed, right", ">= 0.9", right, right >= 0.9))
    return claims


if __name__ == "__main__":
    main(4, "cd-nod", experiment)
