"""What a vision system does with its input: images and vectors on one scale, labels with a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import DataError, quote_names

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pixels:
    """How rows come into a network and out of it: ``inside = (outside - center) / scale``.

    Attributes
    ----------
    shape : tuple of int
        Of one row inside: (C, H, W) or (d,).
    outside : tuple of int
        Of one row as given: (H, W) where the channel was left out.
    center, scale : ndarray
        One number for images, (d,) for vectors.
    """

    shape: tuple[int, ...]
    outside: tuple[int, ...]
    center: Array
    scale: Array

    @staticmethod
    def of(X: ArrayLike) -> Pixels:
        """Learn them from training rows.

        Raises
        ------
        DataError
            E652 for a wrong number of axes, values that are not finite, or images outside [0, 1] and [-1, 1].
        """
        rows = _finite(X)
        if rows.ndim not in (2, 3, 4):
            raise DataError(
                "E652",
                f"X has shape {rows.shape}.",
                "Give images (rows, channels, height, width), grey images (rows, height, width) or vectors (rows, d).",
            )
        outside = rows.shape[1:]
        if rows.ndim == 2:
            spread = rows.std(axis=0)
            return Pixels(outside, outside, rows.mean(axis=0), np.where(spread > 0, spread, 1.0))
        low, high = float(rows.min()), float(rows.max())
        if low < -1.0 or high > 1.0:
            raise DataError(
                "E652",
                f"the images hold values from {low:g} to {high:g}.",
                "Scale them to [0, 1]: divide bytes by 255.",
            )
        shape = (1, *outside) if rows.ndim == 3 else outside
        center, scale = (0.5, 0.5) if low >= 0.0 else (0.0, 1.0)
        return Pixels(shape, outside, np.array(center), np.array(scale))

    def enter(self, X: ArrayLike) -> Array:
        """Return rows as the network takes them; DataError E652 for another shape or range than in training."""
        rows = _finite(X)
        if rows.shape[1:] != self.outside:
            raise DataError(
                "E652",
                f"rows of shape {rows.shape[1:]} do not fit a model trained on rows of shape {self.outside}.",
                "Resize them as the training rows were; one row alone still needs its first axis: X[None].",
            )
        inside = ((rows - self.center) / self.scale).reshape(-1, *self.shape)
        if len(self.shape) == 3 and len(rows) and np.abs(inside).max() > 1.0 + 1e-6:
            low, high = (float(self.center + bound * self.scale) for bound in (-1, 1))
            raise DataError(
                "E652",
                f"the images hold values from {rows.min():g} to {rows.max():g}; those of training {low:g} to {high:g}.",
                "Scale them as the training images were.",
            )
        return inside

    def leave(self, inside: Array) -> Array:
        """Return rows on the user's scale and in the user's shape, images held inside their range."""
        values = np.clip(inside, -1.0, 1.0) if len(self.shape) == 3 else inside
        return values.reshape(-1, *self.outside) * self.scale + self.center

    def words(self) -> str:
        """Return what the rows are."""
        size = " x ".join(map(str, self.outside))
        return f"images of {size}" if len(self.shape) == 3 else f"vectors of {size}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"shape": self.shape, "outside": self.outside, "center": self.center, "scale": self.scale}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Pixels:
        """Read what `to_dict` wrote."""
        center, scale = np.array(document["center"]), np.array(document["scale"])
        return Pixels(tuple(document["shape"]), tuple(document["outside"]), center, scale)


@dataclass(frozen=True, eq=False)
class Labels:
    """Scale of the labels: mean and standard deviation of the known ones, and how many are known; each (k,)."""

    center: Array
    scale: Array
    known: NDArray[np.int64]

    @staticmethod
    def of(labels: Array) -> Labels:
        """Learn them from labels (n, k) with NaN where unknown."""
        known = (~np.isnan(labels)).sum(axis=0)
        center, scale = np.zeros(labels.shape[1]), np.ones(labels.shape[1])
        for i in np.flatnonzero(known):
            values = labels[~np.isnan(labels[:, i]), i]
            center[i] = values.mean()
            scale[i] = values.std() or 1.0
        return Labels(center, scale, known)

    def warnings(self, variables: Sequence[str]) -> tuple[str, ...]:
        """Return what the reader should know of variables without labels."""
        never = [name for name, count in zip(variables, self.known) if not count]
        if not never:
            return ()
        return (
            f"No label was given for {quote_names(never)}: their part of the code means whatever helps to draw the "
            "rows, and interventions on them are in units of the code.",
        )


def label_table(labels: Any, mask: ArrayLike | None, variables: Sequence[str], rows: int) -> Array:
    """Return labels (rows, k) in the order of the variables, NaN where unknown or masked.

    Raises
    ------
    DataError
        E654 if they do not fit the rows or the variables.
    """
    table = np.full((rows, len(variables)), np.nan)
    if labels is None:
        return table
    columns = getattr(labels, "columns", labels if isinstance(labels, Mapping) else None)
    if columns is not None:
        names = [str(name) for name in columns]
        if not set(names) & set(variables):
            raise DataError(
                "E654",
                f"the labels are {quote_names(names)} and the graph is over {quote_names(variables)}.",
                "Name the labels' columns after the graph's nodes.",
            )
        from whence.data import as_dataset

        dataset = as_dataset(labels)
        given = {name: dataset.numeric([name])[:, 0] for name in variables if name in names}
        values = np.column_stack([given.get(name, np.full(dataset.n_rows, np.nan)) for name in variables])
    else:
        values = np.asarray(labels, dtype=np.float64)
        values = values[:, None] if values.ndim == 1 else values
    if values.shape != table.shape:
        raise DataError(
            "E654",
            f"labels of shape {values.shape} do not fit {rows:,} rows and the {len(variables)} variables "
            f"{quote_names(variables)}.",
            "Give one row of labels for each row of X, and one column for each node of the graph.",
        )
    if np.isinf(values).any():
        raise DataError("E654", "a label is infinite.", "Give NaN where a label is unknown.")
    if mask is not None:
        seen = np.asarray(mask, dtype=bool)
        seen = seen[:, None] if seen.ndim == 1 else seen
        if seen.shape[0] != rows or seen.shape[1] not in (1, len(variables)):
            raise DataError(
                "E654",
                f"a label mask of shape {seen.shape} does not fit labels of shape {values.shape}.",
                "Give (n, k).",
            )
        values = np.where(seen, values, np.nan)
    return values


def _finite(X: ArrayLike) -> Array:
    rows = np.asarray(X, dtype=np.float64)
    if not rows.size or not np.isfinite(rows).all():
        what = "is empty" if not rows.size else "holds values that are missing or infinite"
        raise DataError("E652", f"X {what}.", "Give at least one row of finite numbers.")
    return rows
