"""Scenes as tensors, and the cutting of batches of whole scenes out of them.

Axes: S scenes, A agents, k neighbours, T steps, C channels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from whence.systems.motion.scenes import Scenes
from whence.systems.motion.views import FrameName, Views, views_of


class Inputs(NamedTuple):
    """What networks read of scenes, one row per agent; `whence.systems.motion.views.Views` says what each part is.

    ``target`` is the future as displacements from the last observed place in the agent's frame, (A, F, 2), with F = 0
    for scenes without a future. ``scene`` numbers the scenes from 0, (A,); ``starts`` are their borders, (S + 1,).
    """

    own: Tensor
    others: Tensor
    seen: Tensor
    pace: Tensor
    channels: Tensor
    gaps: Tensor
    paired: Tensor
    target: Tensor
    scene: Tensor
    starts: Tensor

    @property
    def scenes(self) -> int:
        """How many scenes there are."""
        return len(self.starts) - 1

    def take(self, scenes: Tensor) -> Inputs:
        """Return the scenes named, renumbered in that order."""
        begin, counts = self.starts[scenes], self.starts[scenes + 1] - self.starts[scenes]
        ends = counts.cumsum(0)
        scene = torch.arange(len(scenes), device=scenes.device).repeat_interleave(counts)
        row = torch.arange(int(ends[-1]), device=scenes.device) + (begin - (ends - counts))[scene]
        starts = torch.cat([ends.new_zeros(1), ends])
        return Inputs._make((*(part[row] for part in self[:8]), scene, starts))

    def to(self, device: torch.device) -> Inputs:
        """Return the tensors on a device."""
        return Inputs._make(part.to(device) for part in self)


def inputs_of(scenes: Scenes, frame: FrameName, neighbours: int) -> tuple[Inputs, Views]:
    """Return scenes as tensors, and the views they were made from."""
    views = views_of(scenes, frame, neighbours)
    target = views.frames.turn(scenes.future - scenes.past[:, -1:])
    made = Inputs(
        own=_tensor(views.own),
        others=_tensor(views.others),
        seen=torch.from_numpy(views.seen.copy()),
        pace=_tensor(views.pace),
        channels=_tensor(views.channels),
        gaps=_tensor(views.gaps),
        paired=torch.from_numpy(views.paired.copy()),
        target=_tensor(target),
        scene=torch.from_numpy(scenes.scene_of_agent),
        starts=torch.from_numpy(scenes.starts.copy()),
    )
    return made, views


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
