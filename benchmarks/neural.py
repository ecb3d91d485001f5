"""What drawing balanced batches and penalties adds to a training step, as a share of that step.

A step is the forward and backward pass, without the optimiser: of the forecasters of `whence.systems.motion` on scenes
of four places, and of small networks on rows of four environments, whose steps take a millisecond, so that a few calls
of PyTorch are a large share. The same step with one part added is timed in turn with it, so that both meet the machine
in the same state; a share is the median over rounds of the added time divided by the plain time. Processor time in one
thread. Writes ``results/neural.json``; ``passed`` is about the forecasters, ``small_passed`` about the small networks.

    python -m benchmarks.neural --rounds 100
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reproductions import machine
from torch import Tensor, nn
from torch.nn import functional

import whence
from whence.nn import (
    EnvironmentSampler,
    coral,
    fishr,
    irm_penalty,
    mlp,
    parameter_count,
    reproducible,
    seeded,
    split_half_irm,
    supervised_contrastive,
    vrex,
)
from whence.results import write_json
from whence.systems.motion import CausalMotionForecaster, simulate_orca
from whence.systems.motion._networks_training import MotionLoss, SceneBatches

RESULTS = Path(__file__).parent / "results" / "neural.json"
THRESHOLD = 0.15
ENVIRONMENTS, PER_ENVIRONMENT, INPUTS, FEATURES, OUTPUTS = 4, 64, 24, 64, 24
CODE = 8  # the contrastive loss is for short codes, such as a style
STEPS_PER_ROUND = 5

FORECASTERS = ("mlp", "lstm", "stgat", "pecnet")

by_row = partial(functional.mse_loss, reduction="none")


class Recurrent(nn.Module):
    """An LSTM over twelve steps, whose last state is the features."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(2, FEATURES, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.cell(inputs.reshape(len(inputs), -1, 2))[0][:, -1]


@dataclass(frozen=True)
class Backbone:
    name: str
    make: Callable[[], nn.Module]


BACKBONES = (
    Backbone("mlp, 2 hidden layers of 64", lambda: mlp([INPUTS, 64, 64, FEATURES], out="relu")),
    Backbone("mlp, 2 hidden layers of 256", lambda: mlp([INPUTS, 256, 256, FEATURES], out="relu")),
    Backbone("lstm of 64 over 12 steps", Recurrent),
)


@dataclass(frozen=True)
class Step:
    """What an added part may use: the head, features (rows, 64), outputs and targets (rows, 24), losses (rows,)."""

    head: nn.Linear
    features: Tensor
    outputs: Tensor
    targets: Tensor
    losses: Tensor
    groups: Tensor


def row_means(outputs: Tensor, targets: Tensor) -> Tensor:
    return by_row(outputs, targets).mean(dim=1)


PENALTIES: dict[str, Callable[[Step], Tensor]] = {
    "irm_penalty": lambda s: irm_penalty(s.outputs, s.targets, s.groups),
    "irm_penalty, any loss": lambda s: irm_penalty(s.outputs, s.targets, s.groups, loss=row_means),
    "split_half_irm": lambda s: split_half_irm(s.outputs, s.targets, s.groups),
    "vrex": lambda s: vrex(s.losses, s.groups),
    "coral": lambda s: coral(s.features, s.groups),
    "fishr": lambda s: fishr(s.head, s.features, s.targets, s.groups, loss=row_means),
    "supervised_contrastive": lambda s: supervised_contrastive(s.features[:, :CODE], s.groups),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[dict[str, Any]]] = {"forecasters": [], "small": []}
    for kind, parts in (
        ("forecasters", (forecaster(name, options.rounds, options.seed) for name in FORECASTERS)),
        ("small", (measured(backbone, options.rounds, options.seed) for backbone in BACKBONES)),
    ):
        for row in itertools.chain.from_iterable(parts):
            found[kind].append(row)
            print(f"{row['network']:<28} {row['part']:<24} {row['share']:6.1%}  of {row['step_ms']:.2f} ms", flush=True)
    document = {
        "whence": whence.__version__,
        "torch": torch.__version__,
        "machine": machine(),
        "seed": options.seed,
        "rounds": options.rounds,
        "environments": ENVIRONMENTS,
        "rows_per_environment": PER_ENVIRONMENT,
        "threshold": THRESHOLD,
        "passed": all(row["passed"] for row in found["forecasters"]),
        "small_passed": all(row["passed"] for row in found["small"]),
        **found,
    }
    write_json(options.out, document)


def measured(backbone: Backbone, rounds: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield one row for every part: the time it adds as a share of the plain step's."""
    with reproducible(seed):
        body, head = backbone.make(), nn.Linear(FEATURES, OUTPUTS)
    generator = seeded(seed)
    x, y = (torch.randn(4000, width, generator=generator) for width in (INPUTS, OUTPUTS))
    labels = np.random.default_rng(seed).integers(ENVIRONMENTS, size=4000)
    sampler = EnvironmentSampler(labels, PER_ENVIRONMENT, (x, y))
    batch, groups = sampler(generator)

    def plain(part: Callable[[Step], Tensor] | None = None) -> None:
        inputs, targets = batch
        features = body(inputs)
        outputs = head(features)
        losses = row_means(outputs, targets)
        loss = losses.mean()
        if part is not None:
            loss = loss + part(Step(head, features, outputs, targets, losses, groups))
        loss.backward()

    def drawn() -> None:
        sampler(generator)
        plain()

    parts: dict[str, Callable[[], None]] = {"EnvironmentSampler": drawn}
    parts |= {name: partial(plain, part) for name, part in PENALTIES.items()}
    yield from compared(backbone.name, parameter_count(body) + parameter_count(head), plain, parts, rounds)


def forecaster(name: str, rounds: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the same of a forecaster with its default settings, on 16 scenes of 5 people from each of four places."""
    scenes = simulate_orca(400, (0.1, 0.2, 0.3, 0.4), agents=5, random_state=seed)
    model = CausalMotionForecaster(backbone=name, steps=4, batch=16, random_state=seed).fit(scenes, progress=False)
    network, inputs = model._network, model._inputs(scenes)[0]
    network.train()
    sampler = SceneBatches(scenes.domains, 16, reference=True)
    batch = sampler(seeded(seed))

    def step(invariance: str | None = None, contrastive: float = 0.0, draw: bool = False) -> None:
        settings = replace(model.settings, invariance=invariance)
        scenes = sampler(generator) if draw else batch
        MotionLoss(settings, inputs, 100, contrastive)(network, scenes, 50)["loss"].backward()

    generator = seeded(seed)
    parts = {"SceneBatches": partial(step, draw=True)}
    parts |= {kind: partial(step, kind) for kind in ("irm", "irm-split", "vrex")}
    parts["contrastive"] = partial(step, None, 0.05)
    yield from compared(f"forecaster {name}", parameter_count(network), step, parts, rounds)


def compared(
    network: str, size: int, plain: Callable[[], None], parts: dict[str, Callable[[], None]], rounds: int
) -> Iterator[dict[str, Any]]:
    """Yield what each part adds to the plain step."""
    for name, with_part in parts.items():
        shares, base = [], []
        for number in range(rounds + 2):
            without, added = timed(plain), timed(with_part)
            if number > 1:
                shares.append(added / without - 1.0)
                base.append(without)
        share = float(np.median(shares))
        yield {
            "network": network,
            "parameters": size,
            "part": name,
            "share": round(share, 4),
            "quartiles": [round(float(q), 4) for q in np.quantile(shares, [0.25, 0.75])],
            "step_ms": round(1e3 * float(np.median(base)), 3),
            "passed": share < THRESHOLD,
        }


def timed(step: Callable[[], None]) -> float:
    """Return the processor seconds of one step, averaged over a few."""
    started = time.process_time()
    for _ in range(STEPS_PER_ROUND):
        step()
    return (time.process_time() - started) / STEPS_PER_ROUND


if __name__ == "__main__":
    main()
