"""A frame in which scenes of all places look alike: shifted and turned, with its exact inverse.

Two agents: the origin is the mid-point between them at the last observed step, the x axis runs from the first agent to
the second, so that a scene looks the same wherever and whichever way it happened. One or more agents: every agent has
a frame of its own, with the origin where it stands and the x axis along its heading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frames:
    """One frame per row of positions: origin of shape (A, 2), and the x axis as a unit vector of shape (A, 2)."""

    origin: Floats
    axis: Floats

    def enter(self, positions: Floats) -> Floats:
        """Return positions of shape (A, ..., 2) as seen in the frames."""
        shape = (len(self.origin), *(1,) * (positions.ndim - 2), 2)
        return self.turn(positions - self.origin.reshape(shape))

    def leave(self, positions: Floats) -> Floats:
        """Return positions of shape (A, ..., 2) given in the frames as positions in the world: inverse of `enter`."""
        shape = (len(self.origin), *(1,) * (positions.ndim - 2), 2)
        return self.turn(positions, back=True) + self.origin.reshape(shape)

    def turn(self, vectors: Floats, back: bool = False) -> Floats:
        """Return displacements of shape (A, ..., 2) turned into the frames, or back into the world."""
        shape = (len(self.origin), *(1,) * (vectors.ndim - 2))
        cos, sin = self.axis[:, 0].reshape(shape), self.axis[:, 1].reshape(shape)
        if back:
            sin = -sin
        x, y = vectors[..., 0], vectors[..., 1]
        return np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)

    def repeat(self, rows: NDArray[np.int64]) -> Frames:
        """Return the frames of the rows named."""
        return Frames(self.origin[rows], self.axis[rows])


def pair_frames(past: Floats, other: Floats) -> Frames:
    """Return the frame of each agent with one other: origin midway between them, x axis from it to the other.

    Parameters
    ----------
    past, other : ndarray of shape (A, observed, 2)
        Observed positions; only the last step is read.

    Examples
    --------
    >>> me, you = np.zeros((1, 8, 2)), np.full((1, 8, 2), 2.0)
    >>> frames = pair_frames(me, you)
    >>> frames.enter(you)[0, 0].round(3).tolist()
    [1.414, 0.0]
    >>> bool(np.allclose(frames.leave(frames.enter(you)), you))
    True
    """
    here, there = past[:, -1], other[:, -1]
    return Frames((here + there) / 2, unit_vectors(there - here))


def heading_frames(past: Floats) -> Frames:
    """Return each agent's own frame: origin at its last observed place, x axis along its observed way.

    The heading is the last observed displacement, or for an agent that stood still in it the whole observed one, or
    else the world's x axis.
    """
    last, whole = past[:, -1] - past[:, -2], past[:, -1] - past[:, 0]
    still = np.linalg.norm(last, axis=1) < 1e-6
    return Frames(past[:, -1].copy(), unit_vectors(np.where(still[:, None], whole, last)))


def unit_vectors(vectors: Floats) -> Floats:
    """Return vectors of shape (A, 2) at length one; zero becomes the x axis."""
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    safe = np.where(length > 1e-9, length, 1.0)
    return np.where((length > 1e-9)[:, None], vectors / safe[:, None], np.array([1.0, 0.0]))
