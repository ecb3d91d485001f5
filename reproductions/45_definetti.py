"""Causal de Finetti (Guo, Tóth, Schölkopf and Huszár 2023, arXiv 2203.15756): directions from groups of two rows.

Run here: the verdict on two continuous columns (1), three binary columns (2), groups that do not differ (3), latents
that go together (4), the theorem on a table in closed form (5), the order of the columns (6). An undecided verdict
counts as wrong. With ``--full`` also five columns, and fewer groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import exp, lgamma

import numpy as np

from reproductions import Claim, Settings, main
from whence.data import simulate
from whence.discovery import GES, PC, CausalDeFinetti, DiscoveryResult, ExchangeableTest
from whence.graph import Graph

REPETITIONS = 100
GROUPS = (100, 300, 500, 1000)
NAMES = ("X", "Y")


def experiment(settings: Settings) -> list[Claim]:
    return [
        *pairs(settings.seed),
        *three_columns(settings),
        *groups_that_do_not_differ(settings.seed),
        *coupled_latents(settings.seed),
        *exactness(),
        chain_of_four(settings.seed),
    ]


# ---- 1: two continuous columns -----------------------------------------------------------------------------------


def pairs(seed: int) -> list[Claim]:
    """Draw 100 tables for each number of groups, a third each of X -> Y, Y -> X and no edge."""
    accuracy, wrong, always, pooled = {}, {}, {}, {"pc": [], "ges": []}
    for n_groups in GROUPS:
        hits, misses, forced = [], [], []
        for k in range(REPETITIONS):
            rng = np.random.default_rng([seed, n_groups, k])
            truth, data = draw_pair(n_groups, rng)
            found = CausalDeFinetti(group="group").fit(data).details
            verdict = found["verdict"]
            hits.append(verdict == truth)
            misses.append(verdict not in (truth, "undecided"))
            forced.append(without_abstaining(found["p_values"]) == truth)
            if n_groups == max(GROUPS):
                rows = data.drop("group")
                for name, search in (("pc", PC()), ("ges", GES())):
                    pooled[name].append(verdict_of(search.fit(rows)) == truth)
        accuracy[n_groups], wrong[n_groups] = float(np.mean(hits)), float(np.mean(misses))
        always[n_groups] = float(np.mean(forced))
    rising = list(accuracy.values())
    others = {name: float(np.mean(right)) for name, right in pooled.items()}
    return [
        Claim("two columns, 500 groups of two rows: right verdicts", ">= 0.82", accuracy[500], accuracy[500] >= 0.82),
        Claim("two columns, 1000 groups: right verdicts", ">= 0.88", accuracy[1000], accuracy[1000] >= 0.88),
        Claim("right verdicts by groups, monotone", "does not fall", accuracy, rising == sorted(rising)),
        Claim("wrong verdicts by groups (the rest is undecided)", "reported", wrong, True),
        Claim("the same tables by the paper's rule, which always decides: right verdicts", "reported", always, True),
        Claim("PC and GES on the pooled rows: right verdicts", "<= 0.5", others, max(others.values()) <= 0.5),
    ]


def without_abstaining(p_values: dict[str, float], alpha: float = 0.05) -> str:
    """Return the verdict of the paper's program: the pattern that fits, else whatever has the largest p-value."""
    forward, backward, none = p_values.values()
    for verdict, kept in zip(p_values, ((True, False, False), (False, True, False))):
        if tuple(p >= alpha for p in (forward, backward, none)) == kept:
            return verdict
    return "none" if min(p_values.values()) >= alpha else max(p_values, key=lambda verdict: p_values[verdict])


def draw_pair(n_groups: int, rng: np.random.Generator, **settings):
    """Return the true verdict and a table, with columns X and Y whatever the direction."""
    truth = ("X -> Y", "Y -> X", "none")[rng.integers(3)]
    edges = {"X -> Y": [[0, 1], [0, 0]], "Y -> X": [[0, 0], [1, 0]], "none": [[0, 0], [0, 0]]}[truth]
    drawn = simulate.exchangeable_scm(np.array(edges, dtype=bool), n_groups, random_state=rng, **settings)
    first, second = drawn.names
    return truth.replace("X", first).replace("Y", second), drawn.data


def verdict_of(result: DiscoveryResult) -> str:
    """Return a result on two columns as a verdict; an undirected edge decides nothing."""
    edges = result.graph.edges()
    if not edges:
        return "none"
    return str(edges[0]) if edges[0].is_directed else "undecided"


# ---- 2 and 6: three binary columns ---------------------------------------------------------------------------------


def three_columns(settings: Settings) -> list[Claim]:
    found = binary_graphs(3, 10_000, 50, settings.seed)
    claims = [
        Claim(
            "three binary columns, 10,000 groups: normalised distance", "<= 0.08", found["nshd"], found["nshd"] <= 0.08
        ),
        Claim("the same: graphs exactly right", ">= 0.8", found["exact"], found["exact"] >= 0.8),
        Claim("the same: order of the levels valid", ">= 0.85", found["order"], found["order"] >= 0.85),
        Claim(
            "PC on the pooled rows of the same tables: graphs exactly right", "< 0.5", found["pc"], found["pc"] < 0.5
        ),
    ]
    if settings.full:
        for p, n_groups in ((3, 2000), (3, 6000), (5, 2000), (5, 6000), (5, 10_000)):
            measured = binary_graphs(p, n_groups, 50, settings.seed)
            claims.append(Claim(f"{p} binary columns, {n_groups:,} groups", "reported", measured, True))
    return claims


def binary_graphs(p: int, n_groups: int, count: int, seed: int) -> dict[str, float]:
    """Search random graphs of XOR columns; the distance is wrong edges over true and estimated ones."""
    distances, exact, order, pooled = [], 0, 0, 0
    for k in range(count):
        rng = np.random.default_rng([seed, p, n_groups, k])
        drawn = simulate.exchangeable_scm(connected(p, rng), n_groups, mechanism="xor", random_state=rng)
        truth = Graph.from_edges(drawn.edges, names=drawn.names)
        found = CausalDeFinetti(group="group", alpha=0.01).fit(drawn.data)
        distances.append(distance(truth, found.graph))
        exact += distances[-1] == 0
        order += valid_order(truth, found.details.get("levels", ()))
        pooled += distance(truth, PC().fit(drawn.data.drop("group")).graph) == 0
    return {
        "nshd": float(np.mean(distances)),
        "exact": exact / count,
        "order": order / count,
        "pc": pooled / count,
    }


def connected(p: int, rng: np.random.Generator) -> np.ndarray:
    """Return a graph in which each possible edge is there with probability one half and each column has one."""
    while True:
        adjacency = np.triu(rng.random((p, p)) < 0.5, 1)
        if (adjacency.any(axis=0) | adjacency.any(axis=1)).all():
            return adjacency


def distance(truth: Graph, found: Graph) -> float:
    """Return wrong edges over true and estimated edges; an undirected edge is an estimated, wrong one."""
    true, directed = {(e.source, e.target) for e in truth.edges()}, set()
    undirected = 0
    for edge in found.edges():
        if edge.is_directed:
            directed.add((edge.source, edge.target))
        else:
            undirected += 1
    return (len(true ^ directed) + undirected) / max(len(true) + len(directed) + undirected, 1)


def valid_order(truth: Graph, levels: Sequence[Sequence[str]]) -> bool:
    """Whether every cause stands on a higher level than its effects."""
    height = {name: place for place, level in enumerate(levels) for name in level}
    return bool(height) and all(height[edge.source] > height[edge.target] for edge in truth.edges())


def chain_of_four(seed: int) -> Claim:
    exact = 0
    for k in range(20):
        chain = [("A", "B"), ("B", "C"), ("C", "D")]
        drawn = simulate.exchangeable_scm(chain, 20_000, mechanism="xor", random_state=np.random.default_rng([seed, k]))
        levels = CausalDeFinetti(group="group", alpha=0.01).fit(drawn.data).details.get("levels")
        exact += levels == [["D"], ["C"], ["B"], ["A"]]
    return Claim("a chain of four XOR columns, 20,000 groups: levels exact", "reported", exact / 20, True)


# ---- 3 and 4: what must not be claimed ------------------------------------------------------------------------------


def groups_that_do_not_differ(seed: int) -> list[Claim]:
    """Rows that are i.i.d.: no direction, and the larger of both p-values points either way."""
    undecided, forward, right = [], [], []
    for k in range(REPETITIONS):
        rng = np.random.default_rng([seed, 3, k])
        names = NAMES[:: 1 if rng.random() < 0.5 else -1]
        drawn = simulate.exchangeable_scm([names], 500, latents="constant", random_state=rng)
        found = CausalDeFinetti(group="group").fit(drawn.data).details
        undecided.append(found["verdict"] == "undecided")
        ways = {way: found["p_values"][way] for way in ("X -> Y", "Y -> X")}
        right.append(max(ways, key=lambda way: ways[way]) == " -> ".join(names))
        forward.append(found["verdict"] in ways)
    share, guessed = float(np.mean(undecided)), float(np.mean(right))
    return [
        Claim("groups that do not differ, an edge: verdict undecided", ">= 0.9", share, share >= 0.9),
        Claim("the same: directions claimed", "<= 0.05", float(np.mean(forward)), np.mean(forward) <= 0.05),
        Claim("the same: the larger p-value points the right way", "0.3 to 0.7", guessed, 0.3 <= guessed <= 0.7),
    ]


def coupled_latents(seed: int) -> list[Claim]:
    """X = theta + noise, Y = X + 1.5 psi + noise: psi the same as theta, or another."""
    rejected = {}
    for latents in ("shared", "independent"):
        p_values = []
        for k in range(40):
            rng = np.random.default_rng([seed, 4, k])
            drawn = simulate.exchangeable_scm([NAMES], 1000, mechanism="shift", latents=latents, random_state=rng)
            p_values.append(ExchangeableTest(drawn.data, group="group")("X@1", "Y@2", ["X@2"]).p_value)
        rejected[latents] = float(np.mean(np.array(p_values) < 0.05))
    return [
        Claim("coupled latents: X1 and Y2 given X2 dependent", ">= 0.9", rejected["shared"], rejected["shared"] >= 0.9),
        Claim(
            "independent latents: X1 and Y2 given X2 dependent",
            "<= 0.12",
            rejected["independent"],
            rejected["independent"] <= 0.12,
        ),
    ]


# ---- 5: the theorem ------------------------------------------------------------------------------------------------


def exactness() -> list[Claim]:
    table = exact_table()
    same, other = information(table, "X1", "Y2", "X2"), information(table, "Y1", "X2", "Y2")
    worst = max(abs(table - table.transpose(2, 3, 0, 1)).max(), abs(table.sum() - 1))
    return [
        Claim("closed form, X -> Y: information of X1 and Y2 given X2", "< 1e-12 nats", same, abs(same) < 1e-12),
        Claim("of Y1 and X2 given Y2", "8.05e-4 nats to 1e-6", other, abs(other - 8.05e-4) < 1e-6),
        Claim("the table is exchangeable and adds up", "< 1e-12", float(worst), worst < 1e-12),
    ]


def exact_table() -> np.ndarray:
    """Return P(x1, y1, x2, y2) of two rows: theta from Beta(1, 3), P(y = 1) from Beta(1, 3) at x = 0, Beta(3, 1) at 1.

    The integral over each latent is a ratio of beta functions.
    """
    table = np.zeros((2, 2, 2, 2))
    for x1, y1, x2, y2 in product((0, 1), repeat=4):
        value = moment(1, 3, [x1, x2])
        for x, (a, b) in ((0, (1, 3)), (1, (3, 1))):
            value *= moment(a, b, [y for own, y in ((x1, y1), (x2, y2)) if own == x])
        table[x1, y1, x2, y2] = value
    return table


def moment(a: float, b: float, draws: Sequence[int]) -> float:
    """Return the probability of these draws of 0 and 1 when the chance of 1 is itself drawn from Beta(a, b)."""

    def log_beta(x: float, y: float) -> float:
        return lgamma(x) + lgamma(y) - lgamma(x + y)

    return exp(log_beta(a + sum(draws), b + len(draws) - sum(draws)) - log_beta(a, b))


def information(table: np.ndarray, x: str, y: str, given: str) -> float:
    """Return the mutual information of two of X1, Y1, X2, Y2 given a third, in nats."""
    axes = [("X1", "Y1", "X2", "Y2").index(name) for name in (x, y, given)]
    rest = next(axis for axis in range(4) if axis not in axes)
    joint = table.transpose(*axes, rest).sum(axis=3)
    ratio = joint * joint.sum(axis=(0, 1)) / (joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True))
    return float((joint * np.log(ratio)).sum())


if __name__ == "__main__":
    main(45, "definetti", experiment)
