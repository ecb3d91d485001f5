"""Training a forecaster: risk in every place, invariance over places, style held apart by contrast; then adaptation.

The loss is sum_e R_e + lam * sum_e P_e over environments e, here as means, with R_e the mean over agents of the squared
error summed over the future coordinates, and P_e the penalty of the risk's slope in a scale of the prediction. The
style code of an environment comes from a reference batch that is drawn independently of the scenes predicted, so that
no future leaks into its own forecast.

Axes: E environments, S scenes of a batch, A agents, c style numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from whence.nn import (
    EnvironmentSampler,
    TrainingLog,
    environment_means,
    fit,
    irm_penalty,
    partial_finetune,
    reproducible,
    resolve_device,
    split_half_irm,
    supervised_contrastive,
    vrex,
)
from whence.parallel import Progress
from whence.systems.motion._networks_common import MotionNetwork, StyleEncoder
from whence.systems.motion._networks_inputs import Inputs
from whence.systems.motion._networks_lstm import RecurrentBackbone
from whence.systems.motion._networks_mlp import PerceptronBackbone
from whence.systems.motion._networks_pecnet import EndpointBackbone
from whence.systems.motion._networks_stgat import GraphAttentionBackbone
from whence.systems.motion.settings import MotionSettings

_PARTS = {"modulator": ("backbone.modulator",), "style": ("style", "backbone.modulator"), "all": ("backbone", "style")}


class SceneBatches:
    """The scenes to predict and the reference scenes of every environment, drawn independently; numbers of scenes."""

    def __init__(self, environments: NDArray[Any], size: int, reference: bool) -> None:
        self.predicted = EnvironmentSampler(environments, size)
        self.reference = EnvironmentSampler(environments, size) if reference else None

    def __call__(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return scenes to predict, reference scenes (or none) and the environment of each, all (E * size,)."""
        scenes, groups = self.predicted(generator)
        reference = scenes[:0] if self.reference is None else self.reference(generator)[0]
        return scenes, reference, groups

    def state_dict(self) -> dict[str, Any]:
        """Return where both samplers stand."""
        second = {} if self.reference is None else self.reference.state_dict()
        return {"predicted": self.predicted.state_dict(), "reference": second}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.predicted.load_state_dict(state["predicted"])
        if self.reference is not None:
            self.reference.load_state_dict(state["reference"])


def build(settings: MotionSettings, observed: int, future: int, channels: int, neighbours: int) -> MotionNetwork:
    """Return a network with fresh weights, which ``random_state`` determines."""
    with reproducible(settings.random_state):
        style_dim = settings.style_dim
        backbone = _backbone(settings, observed, future, channels, neighbours)
        steps = observed + future if settings.style_frames == "all" else observed
        style = StyleEncoder(steps, style_dim) if style_dim else None
        return MotionNetwork(backbone, style, future=future, in_steps=settings.in_steps, residual=settings.residual)


def _backbone(settings: MotionSettings, observed: int, future: int, channels: int, neighbours: int) -> nn.Module:
    common: dict[str, Any] = {
        "observed": observed,
        "future": future,
        "channels": channels,
        "width": settings.breadth,
        "style_dim": settings.style_dim,
    }
    if settings.backbone == "lstm":
        return RecurrentBackbone(neighbours=neighbours, **common)
    if settings.backbone == "stgat":
        return GraphAttentionBackbone(counterfactual=settings.counterfactual, **common)
    if settings.backbone == "pecnet":
        return EndpointBackbone(**common)
    return PerceptronBackbone(
        neighbours=neighbours,
        depth=settings.depth,
        activation=settings.activation,
        in_steps=settings.in_steps,
        **common,
    )


class MotionLoss:
    """The objective over a batch of scenes; called by the training loop."""

    def __init__(self, settings: MotionSettings, inputs: Inputs, steps: int, contrastive: float) -> None:
        self.settings, self.inputs, self.steps, self.contrastive = settings, inputs, steps, contrastive

    def __call__(self, network: nn.Module, batch: tuple[Tensor, Tensor, Tensor], step: int) -> dict[str, Tensor]:
        """Return the loss and its parts."""
        assert isinstance(network, MotionNetwork)
        scenes, reference, groups = batch
        part = self.inputs.take(scenes)
        parts: dict[str, Tensor] = {}
        backbone = network.backbone
        if isinstance(backbone, GraphAttentionBackbone) and backbone.stage < 3:
            found, truth = backbone.reconstruct(part)
            return {"loss": environment_means((found - truth).square().flatten(1).sum(1), groups[part.scene]).mean()}
        code, extra = None, torch.zeros((), device=scenes.device)
        if network.style is not None:
            embedding = network.embed(self.inputs.take(reference))
            codes = environment_means(embedding, groups)  # (E, c)
            code = codes[groups[part.scene]]
            if self.contrastive > 0 and len(codes) > 1:
                parts["contrast"] = supervised_contrastive(
                    network.style.head(embedding), groups, self.settings.temperature
                )
                extra = self.contrastive * parts["contrast"]
        if isinstance(backbone, EndpointBackbone):
            found, cost = backbone.learn(part, backbone.encode(part), code)
            forecast, extra = network.placed(part, found), extra + cost
        else:
            forecast = network(part, code)
        risk, penalty = self.risk_and_penalty(forecast, part.target, network.walk(part), groups[part.scene])
        parts["risk"] = risk
        weight = self.settings.lam if step >= self.settings.warm_up * self.steps else min(1.0, self.settings.lam)
        total = risk + extra
        if penalty is not None:
            parts["penalty"] = penalty
            total = (total + weight * penalty) / max(weight, 1.0)  # one scale of the loss under every weight
        return {"loss": total, **{name: value.detach() for name, value in parts.items()}}

    def risk_and_penalty(
        self, forecast: Tensor, target: Tensor, walk: Tensor | None, groups: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mean risk over environments, and the invariance penalty if one is asked for.

        With ``in_steps`` errors are those of the displacements from step to step, else of the places. What the penalty
        scales is what the network forecasts: with ``residual`` not the walking on that it is added to.
        """
        if walk is not None:
            forecast, target = forecast - walk, target - walk
        if self.settings.in_steps:
            start = torch.zeros_like(target[:, :1])
            forecast, target = torch.diff(forecast, dim=1, prepend=start), torch.diff(target, dim=1, prepend=start)
        rows = (forecast - target).square().flatten(1).sum(dim=1)
        risk = environment_means(rows, groups).mean()
        if self.settings.invariance is None:
            return risk, None
        if self.settings.invariance == "vrex":
            return risk, vrex(rows, groups)
        penalty = irm_penalty if self.settings.invariance == "irm" else split_half_irm
        return risk, penalty(forecast.flatten(1), target.flatten(1), groups, outputs="sum")


def train(
    network: MotionNetwork,
    settings: MotionSettings,
    inputs: Inputs,
    environments: NDArray[Any],
    progress: bool | Progress | None,
) -> TrainingLog:
    """Train all of a network, and note the mean style of its environments."""
    place = resolve_device(settings.device)
    batches = SceneBatches(environments, settings.batch, network.style is not None)
    here = inputs.to(place)
    backbone = network.backbone
    if network.style is not None:
        network.style.scale(inputs.gaps, inputs.paired)
    staged = isinstance(backbone, GraphAttentionBackbone)
    stages: list[tuple[int, int, Any]] = [(3, settings.steps, settings.learning_rate)]
    if isinstance(backbone, GraphAttentionBackbone):
        stages = backbone.stages(settings.steps)
        if network.style is not None:
            stages[-1][2].append((network.style, 5e-3))
    for stage, steps, rates in stages:
        if isinstance(backbone, GraphAttentionBackbone):
            backbone.stage = stage
        if steps < 1:
            continue
        log = fit(
            network,
            MotionLoss(settings, here, steps, settings.contrastive),
            batches,
            steps=steps,
            learning_rate=rates,
            schedule=None if staged else settings.schedule,
            clip=settings.clip,
            device=place,
            progress=progress,
            random_state=settings.random_state,
        )
        if log.stopped == "interrupted":
            break
    if isinstance(backbone, GraphAttentionBackbone):
        backbone.stage = 3
    if network.style is not None:
        with torch.no_grad():
            groups = torch.from_numpy(np.unique(environments, return_inverse=True)[1]).to(place)
            network.set_default(environment_means(embed_all(network, here), groups).mean(dim=0))
    network.to("cpu")
    return log


def adapt(
    network: MotionNetwork,
    settings: MotionSettings,
    inputs: Inputs,
    update: str,
    *,
    steps: int,
    learning_rate: float,
    patience: int | None,
    held_out: Inputs | None,
    progress: bool | Progress | None,
) -> TrainingLog:
    """Fine-tune the parts that ``update`` names on scenes of one new place; the style code is that of its scenes."""
    names = _PARTS[update] if network.style is not None else ("backbone",)
    place = resolve_device(settings.device)
    here = inputs.to(place)
    batches = SceneBatches(np.zeros(inputs.scenes), min(settings.batch, inputs.scenes), network.style is not None)
    checked = held_out.to(place) if held_out is not None else None

    def error(model: nn.Module) -> float:
        assert isinstance(model, MotionNetwork)
        assert checked is not None
        code = spread(model, embed_all(model, here).mean(dim=0), checked) if model.style is not None else None
        return float((model(checked, code) - checked.target).norm(dim=-1).mean())

    plain = MotionSettings(**{**settings.to_dict(), "invariance": None})
    with partial_finetune(network, *names) as trained:
        log = fit(
            network,
            MotionLoss(plain, here, steps, 0.0),
            batches,
            steps=steps,
            learning_rate=[(trained, learning_rate)],
            validate=error if checked is not None else None,
            validate_every=5,
            patience=patience,
            device=place,
            progress=progress,
            random_state=settings.random_state,
        )
    if network.style is not None:
        with torch.no_grad():
            network.set_default(embed_all(network, here).mean(dim=0))
    network.to("cpu")
    return log


def embed_all(network: MotionNetwork, inputs: Inputs) -> Tensor:
    """Return the style embedding of every scene, (S, c)."""
    return network.embed(inputs)


def spread(network: MotionNetwork, code: Tensor, inputs: Inputs) -> Tensor:
    """Return one style code for all agents, (A, c)."""
    return code.expand(len(inputs.own), -1)
