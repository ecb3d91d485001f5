"""Attention among the agents of each scene; scenes of about the same size are laid out side by side.

What is done for each agent alone is done for all at once, without empty places; only the products of attention, which
grow with the square of a scene, are made group by group, so that one crowded scene does not pad all others.

Axes: S scenes, A agents of all scenes, N places for agents in a scene, T steps, H heads, d features.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whence.systems.motion._networks_inputs import Inputs

_SMALL = 1e-5
# Scenes of one group differ in size by this factor at most.
_ALIKE = 1.5
NEVER = -1e9  # a score that no softmax gives a share
# Fewer places than the processor adds at once: a softmax along the first axis is then faster, both copies included.
_FEW = 8


@dataclass(frozen=True)
class Group:
    """Scenes of about the same size.

    Attributes
    ----------
    agents : shape (S, N)
        The agents of each scene; the last of them stands in the empty places too.
    taken : shape (S, N)
        Which places are not empty.
    """

    agents: Tensor
    taken: Tensor


class Crowd:
    """Who stands with whom in the scenes of a batch."""

    def __init__(self, inputs: Inputs) -> None:
        self.scene, starts = inputs.scene, inputs.starts
        self.counts = starts[1:] - starts[:-1]
        size = torch.tensor([math.ceil(math.log(count, _ALIKE)) for count in self.counts.tolist()])
        self.groups = []
        self.place = torch.empty_like(self.scene)  # where each agent stands among the places of all groups
        places = 0
        for label in torch.unique(size):
            scenes = torch.nonzero(size == label)[:, 0].to(starts.device)
            counts = self.counts[scenes, None]
            slots = torch.arange(int(counts.max()), device=starts.device)
            taken = slots < counts
            agents = starts[scenes, None] + torch.minimum(slots, counts - 1)
            self.place[agents[taken]] = places + torch.nonzero(taken.flatten())[:, 0]
            self.groups.append(Group(agents, taken))
            places += taken.numel()

    def laid(self, *values: Tensor) -> Iterator[tuple[Group, tuple[Tensor, ...]]]:
        """Yield each group, and values (A, ...) laid out in its places, (S, N, ...)."""
        for group in self.groups:
            places = group.agents.shape
            found = (part.index_select(0, group.agents.flatten()) for part in values)
            yield group, tuple(part.reshape(*places, *part.shape[1:]) for part in found)

    def gathered(self, parts: Iterable[Tensor]) -> Tensor:
        """Return what was found for the places of each group, (S, N, ...) each, by agent (A, ...)."""
        return torch.cat([part.flatten(0, 1) for part in parts]).index_select(0, self.place)

    def normalise(self, values: Tensor) -> Tensor:
        """Return values (A, ...) with mean 0 and variance 1 over the agents of each scene: instance norm."""
        centred = values - self._means(values)
        return centred * torch.rsqrt(self._means(centred.square()) + _SMALL)

    def _means(self, values: Tensor) -> Tensor:
        """Return for each agent the means over its scene."""
        sums = values.new_zeros(len(self.counts), *values.shape[1:]).index_add(0, self.scene, values)
        means = sums / self.counts.reshape(-1, *(1,) * (values.ndim - 1))
        return means.index_select(0, self.scene)


def shares(scores: Tensor) -> Tensor:
    """Return the softmax over the last axis."""
    if scores.shape[-1] >= _FEW:
        return scores.softmax(dim=-1)
    return scores.flatten(0, -2).t().softmax(dim=0).t().reshape(scores.shape)


class GraphAttention(nn.Module):
    """Attention with added scores, a_from . h_j + a_to . h_i, over the agents of each scene at each step.

    Velickovic, P. et al. (2018). Graph attention networks. ICLR, equations (1) to (6).
    """

    def __init__(self, inside: int, outside: int, heads: int) -> None:
        super().__init__()
        self.heads, self.outside = heads, outside
        self.weight = nn.Parameter(torch.empty(heads, inside, outside))
        self.score_from = nn.Parameter(torch.empty(heads, outside))
        self.score_to = nn.Parameter(torch.empty(heads, outside))
        self.bias = nn.Parameter(torch.zeros(outside))
        for part in (self.weight, self.score_from, self.score_to):
            nn.init.xavier_uniform_(part, gain=1.414)

    def forward(self, values: Tensor, crowd: Crowd) -> Tensor:
        """Return (A, T, H * outside) from (A, T, inside)."""
        hidden = values @ self.weight.transpose(0, 1).flatten(1)  # (A, T, H * outside)
        # a . (h W) is h (W a): one small product for each agent
        scores = [values @ torch.einsum("hio,ho->ih", self.weight, part) for part in (self.score_to, self.score_from)]
        found = (self._attend(group, *laid) for group, laid in crowd.laid(hidden, *scores))
        return crowd.gathered(found) + self.bias.repeat(self.heads)

    def _attend(self, group: Group, hidden: Tensor, to: Tensor, come: Tensor) -> Tensor:
        """Return (S, N, T, H * outside) from hidden values and scores (S, N, T, ...) of one group."""
        come = come.masked_fill(~group.taken[..., None, None], NEVER)  # nobody looks at empty places
        to, come = to.permute(0, 2, 3, 1), come.permute(0, 2, 3, 1)  # (S, T, H, N)
        weight = shares(nn.functional.leaky_relu(to[..., :, None] + come[..., None, :], 0.2))
        apart = hidden.reshape(*hidden.shape[:-1], self.heads, self.outside)
        mixed: Tensor = weight @ apart.permute(0, 2, 3, 1, 4)
        return mixed.permute(0, 3, 1, 2, 4).flatten(3)
