"""Causal dropout model (Dai et al. 2024, arXiv 2403.15500): its acceptance list on simulated cells and on GSD.

Lines 1 to 6 need no data. Line 7 reads Beeline's curated GSD example and is run with ``--data FOLDER``, a folder with
its ``ExpressionData.csv`` (genes by cells, without dropouts).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

import whence as wh
from reproductions import Claim, Settings, main
from whence.data import simulate
from whence.discovery import PC, DropoutSearch, dropout_model_check
from whence.graph import metrics
from whence.independence import FisherZ, TestwiseDeletion

MECHANISMS = {
    "constant": simulate.Constant((0.4, 0.7)),
    "truncated": simulate.Truncation((0.2, 0.5)),
    "logistic": simulate.Logistic(-0.5, -1.5),
}
GRAPHS, CELLS = 4, 10_000
RUNS = 200
CHECKS = 20
MASKS = 5


def experiment(settings: Settings) -> Sequence[Claim]:
    graphs = 20 if settings.full else GRAPHS
    return [
        *networks(settings.seed, graphs),
        *level(settings.seed),
        *deletion_rules(settings.seed, graphs),
        *imputation(settings.seed),
        *model_check(settings.seed),
        *curated(settings.data, settings.seed),
    ]


def draw(seed: int, k: int, n: int = CELLS) -> tuple[simulate.Simulation, dict[str, simulate.Simulation]]:
    """Draw true expression of ten genes, and what each mechanism leaves of it."""
    cells = simulate.expression_scm(10, n, degree=3.0, random_state=np.random.default_rng([seed, k]))
    rng = np.random.default_rng([seed, k, 1])
    return cells, {name: simulate.drop_out(cells, each, random_state=rng) for name, each in MECHANISMS.items()}


def networks(seed: int, graphs: int) -> list[Claim]:
    """Lines 1 and 4: skeleton errors and distance of classes, by mechanism and by what is done about zeros."""
    errors: dict[str, dict[str, list[tuple[int, int]]]] = {name: {} for name in MECHANISMS}
    for k in range(graphs):
        cells, observed = draw(seed, k)
        truth = wh.Graph.from_edges(cells.edges, names=cells.observed)
        latent = PC(alpha=0.05).fit(cells.data).graph
        for name, seen in observed.items():
            found = {
                "latent": latent,
                "zeros kept": PC(alpha=0.05).fit(seen.data).graph,
                "deletion": DropoutSearch().fit(seen.data).graph,
                "deletion of all": DropoutSearch(delete="all").fit(seen.data).graph,
                "listwise": listwise(seen),
                "ges": DropoutSearch(search="ges").fit(seen.data).graph,
            }
            for way, graph in found.items():
                errors[name].setdefault(way, []).append(distances(truth, graph))
    mean = {
        name: {way: np.mean(listed, axis=0).round(3).tolist() for way, listed in ways.items()}
        for name, ways in errors.items()
    }
    skeleton = {name: {way: pair[0] for way, pair in ways.items()} for name, ways in mean.items()}
    classes = {name: {way: pair[1] for way, pair in ways.items()} for name, ways in mean.items()}
    return [
        Claim(
            "1. mean skeleton errors with deletion, as a share of those with zeros kept",
            "<= 0.65 for every mechanism",
            {"ratio": ratios(skeleton, "deletion", "zeros kept"), "mean errors": skeleton},
            all(each["deletion"] <= 0.65 * each["zeros kept"] for each in skeleton.values()),
        ),
        Claim(
            "1. no fewer skeleton errors with deletion than on the values before dropout",
            "latent <= deletion",
            {name: [each["latent"], each["deletion"]] for name, each in skeleton.items()},
            all(each["latent"] <= each["deletion"] for each in skeleton.values()),
        ),
        Claim(
            "1. mean distance of the classes (SHD) with deletion, as a share of that with zeros kept",
            "<= 0.8 for every mechanism",
            {"ratio": ratios(classes, "deletion", "zeros kept"), "mean SHD": classes},
            all(each["deletion"] <= 0.8 * each["zeros kept"] for each in classes.values()),
        ),
        Claim(
            "4. mean skeleton errors of GES with deletion, as a share of those of PC with deletion",
            "<= 1.25 for every mechanism",
            ratios(skeleton, "ges", "deletion"),
            all(each["ges"] <= 1.25 * each["deletion"] for each in skeleton.values()),
        ),
    ]


def level(seed: int) -> list[Claim]:
    """Line 2: how often the ends of a chain are found dependent given its middle, 60 % of values lost."""
    ways = ("zeros kept", "deletion", "deletion, plain z", "deletion of all", "latent")
    below: dict[str, list[bool]] = {way: [] for way in ways}
    for k in range(RUNS):
        rng = np.random.default_rng([seed, 2, k])
        one = 1 + rng.normal(size=5000)
        two = 1 + 0.8 * (one - 1) + rng.normal(size=5000)
        three = 1 + 0.8 * (two - 1) + rng.normal(size=5000)
        latent = wh.read({"a": one, "b": two, "c": three})
        seen = wh.read({name: np.where(rng.random(5000) < 0.6, 0.0, latent.numeric([name])[:, 0]) for name in "abc"})
        tests = {
            "zeros kept": FisherZ(seen),
            "deletion": TestwiseDeletion(seen),
            "deletion, plain z": TestwiseDeletion(seen, robust=False),
            "deletion of all": TestwiseDeletion(seen, delete="all"),
            "latent": FisherZ(latent),
        }
        for way, test in tests.items():
            below[way].append(test("a", "c", ["b"]).p_value < 0.05)
    share = {way: float(np.mean(listed)) for way, listed in below.items()}
    return [
        Claim(
            "2. true independence rejected at 5 % with zeros kept",
            ">= 0.9",
            share["zeros kept"],
            share["zeros kept"] >= 0.9,
        ),
        Claim("2. and with deletion", "0.02 to 0.09", share, 0.02 <= share["deletion"] <= 0.09),
    ]


def deletion_rules(seed: int, graphs: int) -> list[Claim]:
    """Lines 3 and 4: what deletion does to single tests."""
    same, fewer, agree, rescaled = [], [], [], []
    for k in range(graphs):
        cells, observed = draw(seed, k)
        for seen in observed.values():
            names = seen.observed
            plain, base = TestwiseDeletion(seen.data), FisherZ(seen.data)
            both = TestwiseDeletion(seen.data, delete="all")
            rng = np.random.default_rng([seed, 3, k])
            for i, x in enumerate(names):
                for y in names[i + 1 :]:
                    same.append(plain(x, y).p_value == base(x, y).p_value)
                    others = [name for name in names if name not in (x, y)]
                    given = [str(name) for name in rng.choice(others, size=int(rng.integers(0, 3)), replace=False)]
                    one, other = plain(x, y, given), both(x, y, given)
                    fewer.append(other.rows_used < one.rows_used)
                    agree.append((one.p_value < 0.05) == (other.p_value < 0.05))
        rescaled.append(rescaling_error(cells))
    return [
        Claim("3. with nothing given the p-value is that of the base test", "identical", all(same), all(same)),
        Claim(
            "3. deletion of all zeros of a test uses fewer rows, and decides alike",
            "fewer in every test; alike in >= 0.85",
            {"fewer": float(np.mean(fewer)), "alike": float(np.mean(agree)), "tests": len(agree)},
            all(fewer) and np.mean(agree) >= 0.85,
        ),
        Claim(
            "4. where no row is deleted the rescaled gain is that of the plain correlation",
            "difference <= 1e-12 of the gain",
            max(rescaled),
            max(rescaled) <= 1e-12,
        ),
    ]


def rescaling_error(cells: simulate.Simulation) -> float:
    """Return the largest relative gap between r* from a gain on whole columns and the plain partial correlation."""
    from whence.scores.deletion import deletion_bic

    n, p = cells.values.shape
    score = deletion_bic(cells.values, penalty=1e-9)
    test = FisherZ(cells.data)
    worst = 0.0
    for target in range(p):
        given = [k for k in range(p) if k != target][:2]
        gains = score.gains(target, given) + score.unit
        for x in range(p):
            if x == target or x in given:
                continue
            names = cells.observed
            plain = abs(test.partial_correlation(names[x], names[target], [names[k] for k in given]))
            rescaled = np.sqrt(-np.expm1(-2 * gains[x] / n))
            worst = max(worst, abs(rescaled - plain))
    return worst


def imputation(seed: int) -> list[Claim]:
    """Line 5: what five nearest neighbours put in place of zeros does to the graph."""
    counts: dict[str, list[tuple[int, int]]] = {"deletion": [], "imputed": [], "zeros kept": []}
    for k in range(3):
        cells, observed = draw(seed, 50 + k, n=2000)
        truth = wh.Graph.from_edges(cells.edges, names=cells.observed)
        seen = observed["constant"]
        filled = wh.read(impute(seen.values, 5), names=list(seen.observed))
        found = {
            "deletion": DropoutSearch().fit(seen.data).graph,
            "imputed": PC(alpha=0.05).fit(filled).graph,
            "zeros kept": PC(alpha=0.05).fit(seen.data).graph,
        }
        for way, graph in found.items():
            counts[way].append(false_and_missed(truth, graph))
    mean = {way: dict(zip(("false", "missed"), np.mean(c, axis=0).round(3).tolist())) for way, c in counts.items()}
    more = mean["imputed"]["false"] - mean["deletion"]["false"]
    return [
        Claim("5. false edges after imputation beyond those with deletion", ">= 5", {"more": more, **mean}, more >= 5)
    ]


def impute(values: np.ndarray, neighbours: int) -> np.ndarray:
    """Return the table with each zero replaced by the mean of the values seen in the nearest cells."""
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    near = NearestNeighbors(n_neighbors=neighbours + 1).fit(scaled).kneighbors(scaled, return_distance=False)[:, 1:]
    shown = values != 0
    seen, total = shown[near].sum(axis=1), values[near].sum(axis=1)
    means = np.divide(total, seen, out=np.broadcast_to(overall(values), values.shape).copy(), where=seen > 0)
    return np.where(shown, values, means)


def overall(values: np.ndarray) -> np.ndarray:
    """Return the mean of the values seen of each gene."""
    return values.sum(axis=0) / np.maximum((values != 0).sum(axis=0), 1)


def model_check(seed: int) -> list[Claim]:
    """Line 6: zeros of a gene that follow another, to which it is not joined, against zeros that obey the model."""
    flagged: dict[str, list[bool]] = {}
    named = []
    for k in range(CHECKS):
        rng = np.random.default_rng([seed, 6, k])
        cells = simulate.expression_scm(10, CELLS, degree=3.0, random_state=rng)
        apart = np.argwhere(~(cells.adjacency | cells.adjacency.T | np.eye(10, dtype=bool)))
        driver, driven = (cells.observed[node] for node in apart[rng.integers(len(apart))])
        for name, mechanism in MECHANISMS.items():
            fine = dropout_model_check(simulate.drop_out(cells, mechanism, random_state=rng).data)
            flagged.setdefault(f"{name}, obeys", []).append(fine.passed is False)
            if name == "constant":  # a constant chance follows nothing
                continue
            broken = simulate.drop_out(cells, mechanism, drivers={driven: driver}, random_state=rng)
            found = dropout_model_check(broken.data)
            flagged.setdefault(f"{name}, broken", []).append(found.passed is False)
            if found.passed is False:
                named.append(found.table["zeros_of"][0] == driven)
    share = {name: float(np.mean(listed)) for name, listed in flagged.items()}
    broken_shares = [value for name, value in share.items() if name.endswith("broken")]
    fine_shares = [value for name, value in share.items() if name.endswith("obeys")]
    measured = {**share, "worst gene is the driven one": float(np.mean(named)) if named else None}
    return [
        Claim("6. broken models flagged, of 20 each", ">= 0.8", measured, min(broken_shares) >= 0.8),
        Claim("6. models that hold flagged, of 20 each", "<= 0.1", share, max(fine_shares) <= 0.1),
    ]


def curated(folder: Path | None, seed: int) -> list[Claim]:
    """Line 7: GSD on logs, half of the values below each gene's median lost; distance to the graph without loss.

    The zeros that are kept lie at the smallest logarithm of their gene, for every way alike.
    """
    if folder is None:
        print("line 7 is left out: it needs --data FOLDER with the GSD example's ExpressionData.csv")
        return []
    table = folder / "ExpressionData.csv"
    if not table.is_file():
        raise wh.DataError("E106", f"there is no file {str(table)!r}.", "Give the folder of Beeline's GSD example.")
    names, values = expression(table)
    settings: dict[str, Any] = {"alpha": 0.01, "max_depth": 3}
    whole = PC(**settings).fit(wh.read(np.log(values), names=names)).graph
    distance: dict[str, list[int]] = {"zeros kept": [], "deletion": [], "deletion of all": []}
    starved = []
    for k in range(MASKS):
        rng = np.random.default_rng([seed, 7, k])
        low = values < np.quantile(values, 0.5, axis=0)
        lost = np.where(low & (rng.random(values.shape) < 0.5), 0.0, values)
        seen = wh.read(lost, names=names)
        smallest = np.log(np.where(lost > 0, lost, np.inf).min(axis=0))
        logs = np.where(lost > 0, np.log(np.where(lost > 0, lost, 1.0)), smallest)
        kept = PC(**settings).fit(wh.read(logs, names=names)).graph
        deleted = DropoutSearch(**settings, transform="log-nonzero").fit(seen)
        both = DropoutSearch(**settings, transform="log-nonzero", delete="all").fit(seen)
        starved.append(deleted.details["starved"])
        for way, graph in zip(distance, (kept, deleted.graph, both.graph)):
            distance[way].append(metrics.shd(whole, graph))
    mean = {way: float(np.mean(listed)) for way, listed in distance.items()}
    return [
        Claim(
            "7. GSD on logs, half of the low values lost: mean SHD to the graph without loss",
            "lower with deletion than with zeros kept",
            {"mean": mean, "by mask": distance, "starved tests": starved},
            mean["deletion"] < mean["zeros kept"],
        )
    ]


def expression(path: Path) -> tuple[list[str], np.ndarray]:
    """Return gene names and values of shape (cells, genes) from a table of genes by cells."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split(",") for line in lines if line]
    return [row[0] for row in rows], np.array([row[1:] for row in rows], dtype=float).T


def listwise(seen: simulate.Simulation) -> wh.Graph:
    """Return the graph of the cells without any zero; no edges where so few are left that PC refuses them."""
    whole = seen.data.take(np.flatnonzero((seen.values != 0).all(axis=1)))
    try:
        return PC(alpha=0.05).fit(whole).graph
    except wh.DataError:
        return wh.Graph.from_edges([], names=seen.observed, kind="CPDAG")


def distances(truth: wh.Graph, found: wh.Graph) -> tuple[int, int]:
    """Return the number of wrong adjacencies and the distance of the classes."""
    return sum(false_and_missed(truth, found)), metrics.shd(truth, found, class_aware=True)


def false_and_missed(truth: wh.Graph, found: wh.Graph) -> tuple[int, int]:
    there, claimed = (np.triu(graph.subgraph(truth.names).marks != 0) for graph in (truth, found))
    return int((claimed & ~there).sum()), int((there & ~claimed).sum())


def ratios(table: dict[str, dict[str, float]], way: str, to: str) -> dict[str, float]:
    return {name: round(each[way] / max(each[to], 1e-9), 3) for name, each in table.items()}


if __name__ == "__main__":
    main(29, "dropouts", experiment)
