"""The full part of the reproduction of causal motion forecasting: the graph-attention forecaster on ETH-UCY.

Line 6: the spurious channel by method over five seeds, then every place left out once, with and without the mended
time step. Reported, single samples beside the best of 20; nothing is required of them. Meant for a GPU; on processors
it takes hours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reproductions import Claim, Settings
from whence.parallel import fan_out
from whence.systems.motion import CausalMotionForecaster, Scenes, ade, constant_velocity
from whence.systems.motion.benchmark import ETH_UCY_PLACES, SpuriousChannel, read_places

METHODS: dict[str, dict[str, Any]] = {
    "no invariance": {},
    "counterfactual": {"counterfactual": True},
    "irm, weight 5.3": {"invariance": "irm", "lam": 5.3},  # 1, 3 and 5 of the published scale of the loss
    "irm, weight 16": {"invariance": "irm", "lam": 16.0},
    "irm, weight 27": {"invariance": "irm", "lam": 27.0},
}
TRAINED = {"hotel": 1.0, "univ": 2.0, "zara1": 4.0, "zara2": 8.0}  # alpha of each place of training
ALPHAS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Task:
    """One network to train, and the scenes to test it on by name."""

    train: Scenes
    tests: dict[str, Scenes]
    setting: dict[str, Any]
    seed: int
    steps: int
    device: str


def train_and_test(task: Task) -> dict[str, dict[str, float]]:
    """Return errors of one sample and of the best of 20, by test set."""
    import torch

    torch.set_num_threads(1)
    model = CausalMotionForecaster(
        backbone="stgat",
        style_dim=0,
        residual=False,
        width=32,
        samples=20,
        batch=16,
        steps=task.steps,
        device=task.device,
        random_state=task.seed,
        **task.setting,
    ).fit(task.train, progress=False)
    return {name: model.score(scenes, metrics=("ade", "fde", "best_of_k")) for name, scenes in task.tests.items()}


def full_claims(
    settings: Settings, steps: int = 5600, seeds: int = 5, jobs: int = 8, device: str = "auto"
) -> list[Claim]:
    """Return what line 6 reports."""
    if settings.data is None:
        return [Claim("graph attention on ETH-UCY", "reported", "needs --data with eth-ucy", True)]
    folder = settings.data / "eth-ucy"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        claims = spurious(folder, settings.seed, steps, seeds, jobs, device)
        claims += left_out(folder, settings.seed, steps, jobs, device)
    return claims


def spurious(folder: Path, seed: int, steps: int, seeds: int, jobs: int, device: str) -> list[Claim]:
    """Train every method under every seed on places with their channel, and test on eth under shifted channels."""
    places = read_places(folder, test="eth", split="train")
    eth = read_places(folder, test="eth", split="test")["eth"]
    train = Scenes.concatenate(SpuriousChannel(TRAINED[name])(scenes) for name, scenes in places.items())
    tests = {f"{alpha:g}": SpuriousChannel(alpha)(eth) for alpha in ALPHAS}
    tasks = [Task(train, tests, setting, seed + k, steps, device) for setting in METHODS.values() for k in range(seeds)]
    found = list(fan_out(train_and_test, tasks, n_jobs=jobs, threads=False))
    claims = []
    for place, name in enumerate(METHODS):
        runs = found[place * seeds : (place + 1) * seeds]
        for measure, words in (("ade", "one sample"), ("best_of_20_ade", "best of 20")):
            curve = {alpha: mean_of(runs, alpha, measure) for alpha in tests}
            text = f"graph attention, spurious channel, {name}, error by alpha, {words}, {seeds} seeds, {steps} steps"
            claims.append(Claim(text, "reported", curve, True))
    return claims


def left_out(folder: Path, seed: int, steps: int, jobs: int, device: str) -> list[Claim]:
    """Leave every place out once, with the published time step of eth and with the mended one."""
    tasks, named, walks = [], [], {}
    for mended in (False, True):
        for place in ETH_UCY_PLACES:
            train = Scenes.concatenate(read_places(folder, test=place, split="train", eth_time_fix=mended).values())
            test = read_places(folder, test=place, split="test", eth_time_fix=mended)[place]
            walks[place, mended] = ade(constant_velocity(test), test.future)
            tasks.append(Task(train, {place: test}, {}, seed, steps, device))
            named.append((place, mended))
    found = list(fan_out(train_and_test, tasks, n_jobs=jobs, threads=False))
    claims = []
    for mended in (False, True):
        table = {
            place: {**run[place], "constant velocity": walks[place, mended]}
            for (place, state), run in zip(named, found)
            if state == mended
        }
        words = "with eth at its true time step" if mended else "as published"
        claims.append(Claim(f"graph attention, each place left out, {words}, {steps} steps", "reported", table, True))
    return claims


def mean_of(runs: list[dict[str, dict[str, float]]], test: str, measure: str) -> dict[str, float]:
    """Return mean and standard deviation over runs."""
    values = [run[test][measure] for run in runs]
    return {"mean": float(np.mean(values)), "sd": float(np.std(values))}
