"""Gaussian diffusion: noise schedules, one deterministic step between any two noise levels, sampling and inversion.

Axes: B rows, then whatever shape a row has. A *level* counts noise: level 0 is the data itself, level T all noise, and
``signal[t]`` (abar_t in the papers) is the share of variance that is still data at level t. Sampling walks down the
levels and inversion walks up them with the same line of code, `GaussianDiffusion.ddim`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from whence.errors import ParameterError

Prediction = Literal["eps", "x0", "v"]
Field = Callable[[Tensor, Tensor], Tensor]
"""A network's output for rows x (B, ...) at levels (B,), of the shape of x."""


@dataclass(frozen=True)
class NoiseSchedule:
    """How much of the data is left at each of ``steps + 1`` levels.

    Parameters
    ----------
    kind : {"linear", "cosine"}
        ``linear``: betas rise from 1e-4 to 0.02 at 1,000 steps and are scaled by 1,000 / steps otherwise, so that the
        last level is noise whatever their number (Ho et al. 2020). ``cosine``: Nichol and Dhariwal (2021), equation 17.
    steps : int
        T.

    Examples
    --------
    >>> schedule = NoiseSchedule("linear", 200)
    >>> float(schedule.signal[0]), bool(schedule.signal[-1] < 1e-4)
    (1.0, True)
    """

    kind: Literal["linear", "cosine"] = "linear"
    steps: int = 1000

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "cosine"):
            raise ParameterError("E301", f"there is no noise schedule {self.kind!r}.", "Schedules: 'linear', 'cosine'.")
        if self.steps < 25:
            raise ParameterError("E649", f"{self.steps} noise levels are too few.", "Give steps=25 or more.")

    @cached_property
    def betas(self) -> NDArray[np.float64]:
        """Variance of the noise added by each step, shape (T,)."""
        if self.kind == "linear":
            scale = 1000.0 / self.steps
            return np.linspace(1e-4 * scale, 0.02 * scale, self.steps).clip(max=0.999)
        angle = (np.arange(self.steps + 1) / self.steps + 0.008) / 1.008 * np.pi / 2
        share: NDArray[np.float64] = np.cos(angle) ** 2
        return (1.0 - share[1:] / share[:-1]).clip(max=0.999)

    @cached_property
    def signal(self) -> NDArray[np.float64]:
        """abar: the share of variance that is data at each level, shape (T + 1,), from 1 down."""
        return np.concatenate([[1.0], np.cumprod(1.0 - self.betas)])

    def levels(self, count: int) -> list[int]:
        """Return ``count + 1`` levels from 0 up to T, evenly spread: the plan of a sampler of ``count`` steps."""
        if not 1 <= count <= self.steps:
            raise ParameterError(
                "E649", f"{count} sampling steps do not fit {self.steps} noise levels.", f"Give 1 to {self.steps}."
            )
        return np.round(np.linspace(0, self.steps, count + 1)).astype(int).tolist()  # type: ignore[no-any-return]


class GaussianDiffusion:
    """The arithmetic of a diffusion model; holds no network and no state.

    Parameters
    ----------
    schedule : NoiseSchedule
    prediction : {"eps", "x0", "v"}
        What the network's output means: the noise, the data, or ``v = sqrt(abar) eps - sqrt(1 - abar) x0`` (Salimans
        and Ho 2022, appendix D).

    References
    ----------
    Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models. Song, Meng and Ermon (2021), Denoising
    diffusion implicit models, equation 12.

    Examples
    --------
    >>> diffusion = GaussianDiffusion(NoiseSchedule(steps=100))
    >>> x, noise = torch.ones(1, 2), torch.zeros(1, 2)
    >>> noisy = diffusion.q_sample(x, torch.tensor([50]), noise)
    >>> bool(torch.allclose(diffusion.ddim(noisy, 50, 0, noise), x))
    True
    """

    def __init__(self, schedule: NoiseSchedule | None = None, prediction: Prediction = "eps") -> None:
        if prediction not in ("eps", "x0", "v"):
            raise ParameterError(
                "E301", f"there is no prediction {prediction!r}.", "A network predicts 'eps', 'x0' or 'v'."
            )
        self.schedule = NoiseSchedule() if schedule is None else schedule
        self.prediction: Prediction = prediction

    # ---- training -----------------------------------------------------------------------------------------------

    def q_sample(self, x0: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """Return data at noise levels (B,): ``sqrt(abar) x0 + sqrt(1 - abar) noise`` (Ho et al., equation 4)."""
        kept, lost = self._roots(level, x0)
        return kept * x0 + lost * noise

    def target(self, x0: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """Return what a network with this ``prediction`` should say."""
        if self.prediction == "eps":
            return noise
        if self.prediction == "x0":
            return x0
        kept, lost = self._roots(level, x0)
        return kept * noise - lost * x0

    def draw_levels(self, rows: int, generator: torch.Generator | None = None) -> Tensor:
        """Return one level of training for each row, uniform on 1 .. T."""
        return torch.randint(1, self.schedule.steps + 1, (rows,), generator=generator)

    def loss(self, field: Field, x0: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """Return the squared error of the network's output, averaged over each row, shape (B,)."""
        output = field(self.q_sample(x0, level, noise), level)
        return (output - self.target(x0, level, noise)).square().flatten(1).mean(dim=1)

    # ---- what an output means -----------------------------------------------------------------------------------

    def noise_of(self, output: Tensor, x: Tensor, level: int | Tensor) -> Tensor:
        """Return the noise eps in ``x`` according to a network's output."""
        if self.prediction == "eps":
            return output
        kept, lost = self._roots(level, x)
        if self.prediction == "v":
            return kept * output + lost * x
        return (x - kept * output) / lost

    def data_of(self, output: Tensor, x: Tensor, level: int | Tensor) -> Tensor:
        """Return the data x0 behind ``x`` according to a network's output."""
        if self.prediction == "x0":
            return output
        kept, lost = self._roots(level, x)
        if self.prediction == "v":
            return kept * x - lost * output
        return (x - lost * output) / kept

    # ---- walking between levels ---------------------------------------------------------------------------------

    def ddim(self, x: Tensor, start: int, end: int, noise: Tensor) -> Tensor:
        """Go from one level to any other, up or down, along a given noise (Song et al., equation 12 with sigma = 0)."""
        kept, lost = self._roots(start, x)
        kept_end, lost_end = self._roots(end, x)
        return kept_end * ((x - lost * noise) / kept) + lost_end * noise

    def sample(
        self,
        field: Field,
        x: Tensor,
        levels: list[int],
        *,
        eta: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Walk down the levels from noise ``x`` to data.

        Parameters
        ----------
        field : callable
        x : Tensor, shape (B, ...)
            At the highest of ``levels``.
        levels : list of int
            Rising from 0, as `NoiseSchedule.levels` makes them.
        eta : float
            0 is deterministic (DDIM); 1 adds the noise of the reverse process (DDPM), drawn from ``generator``.
        """
        for start, end in pairwise(reversed(levels)):
            noise = self._noise(field, x, start)
            x = self.ddim(x, start, end, noise) if eta == 0 else self._noisy(x, start, end, noise, eta, generator)
        return x

    def invert(self, field: Field, x: Tensor, levels: list[int], *, refine: int = 0) -> Tensor:
        """Walk up the levels from data ``x`` to the noise that `sample` makes it of.

        Parameters
        ----------
        refine : int
            Fixed-point iterations at each step. 0 takes the noise at the lower level, as DDIM inversion is usually
            written: an error of first order in the size of the steps. The step down reads the noise at the *upper*
            level; iterating ``x_up = ddim(x, low, up, noise(x_up))`` makes the step up its exact inverse.
        """
        for start, end in pairwise(levels):
            up = self.ddim(x, start, end, self._noise(field, x, max(start, 1)))
            for _ in range(refine):
                up = self.ddim(x, start, end, self._noise(field, up, end))
            x = up
        return x

    def _noise(self, field: Field, x: Tensor, level: int) -> Tensor:
        output = field(x, torch.full((len(x),), level, device=x.device))
        return self.noise_of(output, x, level)

    def _noisy(
        self, x: Tensor, start: int, end: int, noise: Tensor, eta: float, generator: torch.Generator | None
    ) -> Tensor:
        """Take one random step down (Song et al., equations 12 and 16)."""
        high, low = float(self.schedule.signal[start]), float(self.schedule.signal[end])
        sigma = eta * ((1 - low) / (1 - high) * (1 - high / low)) ** 0.5
        data = (x - (1 - high) ** 0.5 * noise) / high**0.5
        fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        return low**0.5 * data + max(1 - low - sigma**2, 0.0) ** 0.5 * noise + sigma * fresh  # type: ignore[no-any-return]

    def _roots(self, level: int | Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return sqrt(abar) and sqrt(1 - abar), shaped to multiply ``x``."""
        if isinstance(level, int):
            share = float(self.schedule.signal[level])
            return x.new_tensor(share**0.5), x.new_tensor((1.0 - share) ** 0.5)
        table = torch.as_tensor(self.schedule.signal, device=x.device)
        shares = table[level.to(x.device)].reshape(-1, *[1] * (x.ndim - 1))
        return shares.sqrt().to(x.dtype), (1.0 - shares).sqrt().to(x.dtype)


def guided(toward: Field, away: Field, scale: float) -> Field:
    """Return classifier-free guidance: ``away + scale * (toward - away)`` (Ho and Salimans 2022, equation 6).

    Scale 1 is ``toward`` itself and calls nothing else; larger scales exaggerate what sets it apart from ``away``. In
    the papers' notation the weight w is ``scale - 1``.
    """
    if scale == 1:
        return toward

    def field(x: Tensor, level: Tensor) -> Tensor:
        without = away(x, level)
        return without + scale * (toward(x, level) - without)

    return field
