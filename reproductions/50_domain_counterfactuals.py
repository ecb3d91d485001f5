"""Domain counterfactuals (Zhou, Bai, Kulinski, Kocaoglu and Inouye 2024, ICLR, arXiv 2306.11281): its acceptance list.

Run here: sharing mechanisms against sharing none in simulated worlds (1), how many differ (2), the formula by hand (3),
equivalent models (4), the canonical form in closed form (5), digits that are turned and coloured (6). With ``--full``
ten worlds instead of five, and the published training by small steps beside the likelihood in closed form.

What is done is kept, part by part, in ``out/domain_counterfactuals.json``: a run that was stopped goes on there, and
the file is deleted when all parts are done.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import whence
from reproductions import Claim, Settings, main
from whence.results import write_json
from whence.systems.domains import (
    Affine,
    DomainCounterfactuals,
    DomainMechanisms,
    LinearDomainModel,
    counterfactual_report,
    counterfactually_equivalent,
    digit_domains,
    judges_of_digits,
    select_k,
    simulate_domains,
)

ROWS, TEST_ROWS = 10_000, 1_000
SETS = ((4, 5), (0, 1))
KEPT = Path("out") / "domain_counterfactuals.json"


class Parts:
    """Results of parts that are done, on disk, so that a run that was stopped goes on."""

    def __init__(self, settings: Settings) -> None:
        self.key = [whence.__version__, settings.full, settings.seed]
        self.done: dict[str, Any] = {}
        if KEPT.is_file():
            found = json.loads(KEPT.read_text())
            self.done = found["done"] if found["key"] == self.key else {}

    def get(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return the result of a part, computed if it is not there."""
        if name not in self.done:
            started = time.perf_counter()
            self.done[name] = compute()
            write_json(KEPT, {"key": self.key, "done": self.done})
            print(f"  {name}: {time.perf_counter() - started:.0f} s", flush=True)
        return self.done[name]


def experiment(settings: Settings) -> list[Claim]:
    parts = Parts(settings)
    claims = [
        *sharing(settings, parts),
        *how_many(settings, parts),
        *by_hand(settings.seed),
        *equivalence(settings.seed),
        *canonical_form(settings.seed),
        *digits(settings, parts),
    ]
    KEPT.unlink(missing_ok=True)
    return claims


# ---- 1: sharing mechanisms against sharing none ----------------------------------------------------------------------


def sharing(settings: Settings, parts: Parts) -> list[Claim]:
    claims = []
    for intervened in SETS:
        worlds = [
            parts.get(f"world {k}, {intervened}", lambda k=k, places=intervened: one_world(settings, places, k))
            for k in range(10 if settings.full else 5)
        ]
        mean = {name: float(np.mean([world[name] for world in worlds])) for name in worlds[0]}
        median = float(np.median([world["relax_can"] for world in worlds]))
        what = f"1. D=3, m=6, intervened {intervened}, {len(worlds)} worlds, scales of either sign as published"
        ratio = mean["relax_can"] / mean["dense"]
        gap = mean["nll dense"] - mean["nll relax_can"]
        shown = {name: round(value, 3) for name, value in mean.items()}
        claims += [
            Claim(f"{what}: error of relax_can (k=2) over that of dense", "<= 0.5", ratio, ratio <= 0.5),
            Claim(
                "the same: median error of relax_can beside the error of doing nothing",
                "<= identity",
                {"median": median, "identity": mean["identity"]},
                median <= mean["identity"],
            ),
            Claim("the same: NLL of dense above relax_can", "<= 0.1", gap, gap <= 0.1),
            Claim("the same: means, also with positive scales and of the true model", "reported", shown, True),
        ]
    return claims


def one_world(settings: Settings, intervened: tuple[int, ...], k: int) -> dict[str, float]:
    """Return errors and likelihoods in one world, on rows that no model was fitted to."""
    world = simulate_domains(ROWS, intervened=intervened, random_state=1000 * settings.seed + k)
    rows, domains = world.draw(TEST_ROWS, 500 + k)
    measured = {"nll truth": float(world.model.nll(rows, domains).mean())}
    for form in ("relax_can", "dense"):
        model = DomainCounterfactuals(k=2, f=form, random_state=k).fit(world.rows, world.domain)
        either = mirrored(model, 4 if form == "relax_can" else 0, k)
        found = counterfactual_report(either, rows, domains, truth=world.counterfactual)
        positive = counterfactual_report(model, rows, domains, truth=world.counterfactual)
        measured |= {
            form: found.error,
            f"{form}, positive scales": positive.error,
            f"nll {form}": float(model.nll(rows, domains).mean()),
            "identity": found.identity_error,
        }
        if settings.full:
            published = DomainCounterfactuals(
                k=2, f=form, solver="adam", signed=True, clip=10.0, random_state=k, progress=False
            ).fit(world.rows, world.domain)
            found = counterfactual_report(published, rows, domains, truth=world.counterfactual)
            measured[f"{form}, small steps"] = found.error
            measured[f"nll {form}, small steps"] = float(published.nll(rows, domains).mean())
    return measured


def mirrored(model: DomainCounterfactuals, shared: int, seed: int) -> DomainCounterfactuals:
    """Return the fit that ``signed=True`` gives: the same, with the signs of scales that a normal start has."""
    other = copy.copy(model)
    mechanisms = model.model_.mechanisms.with_signs(shared, np.random.default_rng([seed, 50]))
    other.model_ = replace(model.model_, mechanisms=mechanisms)
    return other


# ---- 2: how many mechanisms differ ----------------------------------------------------------------------------------


def how_many(settings: Settings, parts: Parts) -> list[Claim]:
    sweeps = [parts.get(f"sweep {k}", lambda k=k: one_sweep(settings.seed, k)) for k in range(3)]
    errors = {k: float(np.mean([sweep["errors"][str(k)] for sweep in sweeps])) for k in (1, 2, 3, 6)}
    best = min(errors, key=lambda k: errors[k])
    apart = max(abs(sweep["nll"]["6"] - sweep["nll dense"]) for sweep in sweeps)
    chosen = [sweep["chosen"] for sweep in sweeps]
    losses = [{k: round(value, 3) for k, value in sweep["nll"].items()} for sweep in sweeps]
    return [
        Claim("2. k = 6 and dense, 3 worlds: largest difference in NLL", "<= 0.05", apart, apart <= 0.05),
        Claim("the same: k with the least error", "1, 2 or 3", {"best": best, "errors": errors}, best <= 3),
        Claim("the same: k that select_k chooses", "<= 3", chosen, max(chosen) <= 3),
        Claim("the same: NLL of rows held out by k", "reported", losses, True),
    ]


def one_sweep(seed: int, k: int) -> dict[str, Any]:
    world = simulate_domains(ROWS, intervened=(4, 5), random_state=1000 * seed + k)
    rows, domains = world.draw(TEST_ROWS, 500 + k)
    found = select_k(world.rows, world.domain, ks=(1, 2, 3, 6), random_state=k)
    dense = DomainCounterfactuals(f="dense", random_state=k).fit(world.rows, world.domain)
    reports = {
        one: counterfactual_report(model, rows, domains, truth=world.counterfactual)
        for one, model in found.models.items()
    }
    return {
        "chosen": found.k,
        "errors": {str(one): report.error for one, report in reports.items()},
        "nll": {str(one): float(model.nll(rows, domains).mean()) for one, model in found.models.items()},
        "nll dense": float(dense.nll(rows, domains).mean()),
    }


# ---- 3 to 5: exactness ----------------------------------------------------------------------------------------------


def hand_made(seed: int, places: tuple[int, ...]) -> LinearDomainModel:
    """Return a model in which exactly the mechanisms at these places differ."""
    rng = np.random.default_rng([seed, 5])
    m, n_domains = 6, 3
    weights = np.repeat(np.tril(rng.normal(size=(m, m)), -1)[None], n_domains, axis=0)
    scales = np.repeat(rng.uniform(0.5, 2.0, size=m)[None], n_domains, axis=0)
    intercepts = np.repeat(rng.normal(size=m)[None], n_domains, axis=0)
    for d in range(1, n_domains):
        for i in places:
            weights[d, i, :i] = rng.normal(size=i)
            scales[d, i], intercepts[d, i] = rng.uniform(0.5, 2.0), rng.normal()
    mechanisms = DomainMechanisms.structural(weights, scales, intercepts)
    return LinearDomainModel(mechanisms, rng.normal(size=(m, m)), rng.normal(size=m))


def drawn_from(model: LinearDomainModel) -> tuple[np.ndarray, np.ndarray]:
    domains = np.repeat(np.arange(3), 200)
    return model.sample(600, domains, 1), domains


def by_hand(seed: int) -> list[Claim]:
    model = hand_made(seed, (4, 5))
    rows, domains = drawn_from(model)
    formula, back = 0.0, 0.0
    for to in range(3):
        moved = model.counterfactual(rows, domains, to)
        back = max(back, float(np.abs(model.counterfactual(moved, to, domains) - rows).max()))
        for d in range(3):
            mechanisms, here = model.mechanisms, domains == d
            before = (rows[here] - model.intercept) @ np.linalg.inv(model.mixing).T
            z = np.where(before > 0, before, 2 * before) - mechanisms.offsets[d]
            noise = z @ (np.eye(6) - mechanisms.weights[d]).T / mechanisms.scales[d]
            new = (noise * mechanisms.scales[to]) @ np.linalg.inv(np.eye(6) - mechanisms.weights[to]).T
            new += mechanisms.offsets[to]
            expected = np.where(new > 0, new, new / 2) @ model.mixing.T + model.intercept
            formula = max(formula, float(np.abs(moved[here] - expected).max()))
    stays = float(np.abs(model.counterfactual(rows, domains, domains) - rows).max())
    return [
        Claim(
            "3. hand-made model: counterfactual and formula, largest difference", "<= 1e-5", formula, formula <= 1e-5
        ),
        Claim("the same: d to d is the identity, largest difference", "<= 1e-5", stays, stays <= 1e-5),
        Claim("the same: d to d' and back, largest difference", "<= 1e-4", back, back <= 1e-4),
    ]


def equivalence(seed: int) -> list[Claim]:
    rng = np.random.default_rng([seed, 4])
    largest, latents = 0.0, []
    for k in range(10):
        model = hand_made(seed + k, (4, 5))
        rows, domains = drawn_from(model)
        outer, inner = (
            Affine(np.tril(rng.normal(size=(6, 6)), -1) + np.diag(rng.uniform(0.5, 2.0, 6)), rng.normal(size=6))
            for _ in range(2)
        )
        other = model.transformed(outer, inner)
        latents.append(float(np.abs(model.encode(rows, domains) - other.encode(rows, domains)).mean()))
        for to in range(3):
            apart = model.counterfactual(rows, domains, to) - other.counterfactual(rows, domains, to)
            largest = max(largest, float(np.abs(apart).max()))
    least = min(latents)
    return [
        Claim("4. ten models, transformed: counterfactuals, largest difference", "<= 1e-5", largest, largest <= 1e-5),
        Claim("the same: noise, least mean difference", "> 0.1", least, least > 0.1),
    ]


def canonical_form(seed: int) -> list[Claim]:
    places, same, likelihoods, identity = [], [], [], 0.0
    for k in range(10):
        model = hand_made(seed + k, (0, 1))
        canonical = model.canonicalise()
        rows, domains = drawn_from(model)
        places.append(list(canonical.mechanisms.changed(1e-8)))
        same.append(counterfactually_equivalent(model, canonical, rows, domains, tolerance=1e-6))
        likelihoods.append(float(np.abs(model.nll(rows, domains) - canonical.nll(rows, domains)).max()))
        first = canonical.mechanisms.maps[0].matrix
        identity = max(identity, float(np.abs(first - np.eye(6)).max()))
    return [
        Claim(
            "5. ten models with I = {0, 1}: intervention set of the canonical member",
            "{4, 5}",
            places[0],
            all(one == [4, 5] for one in places),
        ),
        Claim("the same: counterfactuals equal to 1e-6 standard deviations", "all", sum(same), all(same)),
        Claim("the same: its first domain is the identity, largest difference", "<= 1e-9", identity, identity <= 1e-9),
        Claim("the same: likelihoods, largest difference", "<= 1e-6", max(likelihoods), max(likelihoods) <= 1e-6),
    ]


# ---- 6: digits ------------------------------------------------------------------------------------------------------


def digits(settings: Settings, parts: Parts) -> list[Claim]:
    runs = {
        k: [parts.get(f"digits k={k}, seed {s}", lambda k=k, s=s: one_autoencoder(settings, k, s)) for s in range(3)]
        for k in (2, 10)
    }
    mean = {k: {name: float(np.mean([run[name] for run in each])) for name in each[0]} for k, each in runs.items()}
    spent = sum(run["seconds"] for each in runs.values() for run in each)
    effect = abs(mean[2]["effectiveness"] - mean[10]["effectiveness"])
    gain = mean[2]["preservation"] - mean[10]["preservation"]
    shown = {"k=2" if k == 2 else "dense": {n: round(v, 3) for n, v in each.items()} for k, each in mean.items()}
    return [
        Claim("6. digits, 3 seeds: effectiveness of k=2 and of dense, difference", "<= 0.05", effect, effect <= 0.05),
        Claim("the same: preservation of k=2 above that of dense", ">= 0.05", gain, gain >= 0.05),
        Claim("the same: processor seconds of all six", "< 300", spent, spent < 300),
        Claim("the same: all measures, mean of seeds", "reported", shown, True),
    ]


def one_autoencoder(settings: Settings, k: int, seed: int) -> dict[str, float]:
    training, testing = digit_domains(random_state=1000 * settings.seed + seed)
    domain, digit = judges_of_digits()
    started = time.process_time()
    model = DomainCounterfactuals(
        10,
        k,
        g="vae",
        channels=(16, 32, 32),
        kl_weight=0.1,
        steps=2500,
        batch_size=64,
        learning_rate=(1e-3, 1e-2),
        random_state=seed,
        progress=False,
    ).fit(training.images, training.domain)
    spent = time.process_time() - started
    found = counterfactual_report(
        model,
        testing.images,
        testing.domain,
        domain_judge=domain,
        label_judge=digit,
        labels=testing.digit,
    )
    names = "effectiveness identity_effectiveness preservation identity_preservation composition reversibility moved"
    return {name: getattr(found, name) for name in names.split()} | {"seconds": spent}


if __name__ == "__main__":
    main(50, "domain-counterfactuals", experiment)
