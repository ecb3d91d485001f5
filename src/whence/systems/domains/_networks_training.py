"""Training of the networks behind domain counterfactuals, on the library's one training loop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from whence.nn import TrainingLog, fit, load_into, reproducible
from whence.nn import load as load_weights
from whence.nn import save as save_weights
from whence.parallel import RandomState
from whence.systems.domains._networks import DomainNetwork, Labels, make_network, use_scale


class DomainBatches:
    """Batches with the same number of rows from every domain; each domain is gone through before a row comes again."""

    def __init__(self, rows: NDArray[Any], domains: Labels, size: int) -> None:
        self.places = [torch.as_tensor(np.flatnonzero(domains == d)) for d in range(int(domains.max()) + 1)]
        self.rows = torch.as_tensor(np.asarray(rows), dtype=torch.float32)
        self.each = max(size // len(self.places), 1)
        self.at = [len(one) for one in self.places]
        self.order: list[Tensor] = list(self.places)
        self.labels = torch.arange(len(self.places)).repeat_interleave(self.each)

    def __call__(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return rows and domains."""
        return self.rows[torch.cat([self._next(d, generator) for d in range(len(self.places))])], self.labels

    def _next(self, d: int, generator: torch.Generator) -> Tensor:
        taken, missing = [], self.each
        while missing:
            if self.at[d] >= len(self.places[d]):
                self.order[d] = self.places[d][torch.randperm(len(self.places[d]), generator=generator)]
                self.at[d] = 0
            part = self.order[d][self.at[d] : self.at[d] + missing]
            self.at[d] += len(part)
            missing -= len(part)
            taken.append(part)
        return torch.cat(taken)

    def state_dict(self) -> dict[str, Any]:
        """Return how far each domain has been gone through."""
        return {"at": list(self.at), "order": list(self.order)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.at, self.order = list(state["at"]), list(state["order"])


def train(
    settings: Mapping[str, Any],
    rows: NDArray[Any],
    domains: Labels,
    validation: tuple[NDArray[Any], Labels],
    random_state: RandomState,
) -> tuple[DomainNetwork, TrainingLog]:
    """Return a trained network and what happened in training; the weights are those of the best validation."""
    with reproducible(random_state):
        network = make_network(settings, rows.shape[1:], int(domains.max()) + 1)
    use_scale(network, rows)
    if settings["g"] == "vae":
        slow: list[nn.Parameter] = [*network.encoder.parameters(), *network.decoder.parameters()]  # type: ignore[union-attr]
    else:
        slow = list(network.mixing.parameters())  # type: ignore[union-attr]
    known = set(map(id, slow))
    fast = [one for one in network.parameters() if id(one) not in known and one.requires_grad and one.numel()]
    log = fit(
        network,
        _loss,
        DomainBatches(rows, domains, settings["batch_size"]),
        steps=settings["steps"],
        learning_rate=[pair for pair in zip((slow, fast), settings["rates"]) if pair[0]],
        optimiser=partial(torch.optim.Adam, betas=(0.5, 0.999)),
        schedule=settings["schedule"],
        clip=settings["clip"],
        device=settings["device"],
        validate=partial(_validation, rows=validation[0], domains=validation[1]),
        validate_every=settings["validate_every"],
        checkpoint=settings["checkpoint"],
        progress=settings["progress"],
        random_state=random_state,
    )
    network.eval()
    return (network if settings["g"] == "vae" else network.double()), log


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor], step: int) -> Tensor:
    assert isinstance(network, DomainNetwork)
    return network.losses(*batch).mean()


def _validation(network: nn.Module, rows: NDArray[Any], domains: Labels) -> float:
    assert isinstance(network, DomainNetwork)
    losses = network.nll(rows, domains)
    return float(np.mean([losses[domains == d].mean() for d in np.unique(domains)]))


def save(folder: str | Path, arrays: Mapping[str, NDArray[Any]] | nn.Module, config: Mapping[str, Any]) -> Path:
    """Write a network, or the arrays of a model without one, and its settings."""
    if isinstance(arrays, nn.Module):
        return save_weights(folder, arrays, config)
    return save_weights(folder, {name: torch.as_tensor(array) for name, array in arrays.items()}, config)


def load(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what `save` wrote."""
    return load_weights(folder)


def rebuild(
    settings: Mapping[str, Any], shape: tuple[int, ...], n_domains: int, state: dict[str, Tensor]
) -> DomainNetwork:
    """Return the network of settings with these weights."""
    with reproducible(0):
        network = make_network(settings, shape, n_domains)
    if settings["g"] != "vae":
        network = network.double()
    load_into(network, state)
    return network.eval()
