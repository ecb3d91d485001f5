"""How far a forecast is from what happened, and how often it walks people into one another.

Axes: K samples, A agents of all scenes, T future steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import DataError
from whence.systems.motion.scenes import Scenes

Floats = NDArray[np.float64]
_TOUCH = 0.2  # metres
_BETWEEN = 4  # points looked at between two steps


def ade(forecast: ArrayLike, truth: ArrayLike) -> float:
    """Return the average displacement error: mean distance over agents and steps, in the unit of the positions.

    With several samples, shape (K, A, T, 2), it is the mean over them too: what one sample drawn at random is off.

    >>> ade(np.zeros((1, 2, 2)), [[[3.0, 4.0], [0.0, 0.0]]])
    2.5
    """
    return float(_distance(forecast, truth).mean())


def fde(forecast: ArrayLike, truth: ArrayLike) -> float:
    """Return the final displacement error: mean distance at the last step.

    >>> fde(np.zeros((1, 2, 2)), [[[3.0, 4.0], [0.0, 1.0]]])
    1.0
    """
    return float(_distance(forecast, truth)[..., -1].mean())


def best_of_k(forecast: ArrayLike, scenes: Scenes) -> tuple[float, float]:
    """Return ADE and FDE of each scene's best sample: the minimum over samples of the scene's summed error.

    This looks at the truth to choose, so it is no error of a forecast anybody could have used, and must not stand
    beside figures of one sample. Shape of the forecast: (K, A, T, 2).
    """
    distance = _distance(forecast, scenes.future)
    if distance.ndim == 2:
        distance = distance[None]
    measures = (distance.mean(axis=2), distance[..., -1])  # each (K, A)
    best = [np.add.reduceat(part, scenes.starts[:-1], axis=1).min(axis=0).sum() for part in measures]
    return float(best[0] / scenes.n_agents), float(best[1] / scenes.n_agents)


def collision_rate(forecast: ArrayLike, scenes: Scenes, *, touch: float = _TOUCH) -> float:
    """Return the share of agents that come within ``touch`` metres of another's forecast, in percent of 1.

    Between two steps four more points are looked at, as in TrajNet++. With samples it is the mean over them. Scenes of
    one agent count as free of collisions.
    """
    given = np.asarray(forecast, dtype=np.float64)
    samples = given[None] if given.ndim == 3 else given
    share = np.arange(_BETWEEN + 1) / (_BETWEEN + 1)
    hit = np.zeros(samples.shape[:2], dtype=bool)
    for first, second in _pairs(scenes):
        gap = samples[:, first] - samples[:, second]  # (K, pairs, T, 2)
        fine = gap[:, :, :-1, None] + share[:, None] * (gap[:, :, 1:, None] - gap[:, :, :-1, None])
        least = np.minimum(
            np.linalg.norm(fine, axis=-1).min(axis=(2, 3)), np.linalg.norm(gap[:, :, -1], axis=-1)
        )  # (K, pairs)
        sample, pair = np.nonzero(least < touch)
        hit[sample, first[pair]] = True
        hit[sample, second[pair]] = True
    return float(hit.mean())


def constant_velocity(scenes: Scenes, steps: int | None = None) -> Floats:
    """Return the forecast that everybody walks on as in the last observed step, shape (A, steps, 2).

    The baseline that every learned forecaster must beat, and on real scenes often does not by much.
    """
    ahead = np.arange(1, (scenes.steps_ahead if steps is None else steps) + 1)[:, None]
    past = scenes.past
    forecast: Floats = past[:, -1:] + ahead * (past[:, -1:] - past[:, -2:-1])
    return forecast


def _distance(forecast: ArrayLike, truth: ArrayLike) -> Floats:
    given, true = np.asarray(forecast, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if given.shape[-3:] != true.shape or not true.size:
        raise DataError(
            "E627",
            f"a forecast of shape {given.shape} cannot be compared with a future of shape {true.shape}.",
            "Scenes must hold their future, and as many steps of it as were forecast.",
        )
    distance: Floats = np.linalg.norm(given - true, axis=-1)
    return distance


def _pairs(scenes: Scenes, most: int = 4096) -> Any:
    """Yield the rows of all pairs of agents that share a scene, in parts of bounded size."""
    counts, starts = scenes.counts, scenes.starts[:-1]
    for size in np.unique(counts[counts > 1]):
        one, two = np.triu_indices(size, 1)
        group = starts[counts == size]
        part = max(1, most // len(one))
        for k in range(0, len(group), part):
            rows = group[k : k + part, None]
            yield (rows + one).ravel(), (rows + two).ravel()
