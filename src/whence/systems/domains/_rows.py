"""Rows and domains as they are given, checked: errors name the row, the column or the domain."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError, quote_names
from whence.systems.domains.mechanisms import Domains


def read_rows(given: Any, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return rows as numbers, (n, m) or (n, C, H, W); they have the shape of those a model was fitted to, if given.

    Raises
    ------
    DataError
        E662 for another shape or what is no number, E663 for missing values.
    """
    try:
        rows = np.asarray(given)
        rows = rows if rows.dtype == np.float32 else rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("E662", f"the rows are not numbers: {error}.", "Give numeric columns only.") from error
    if rows.ndim not in (2, 4) or not len(rows):
        raise DataError(
            "E662",
            f"the rows have the shape {rows.shape}.",
            "Give a table (n, m), or images (n, channels, height, width), with a row at least.",
        )
    if shape is not None and rows.shape[1:] != shape:
        raise DataError(
            "E662",
            f"a row has the shape {rows.shape[1:]}; the model was fitted to {shape}.",
            "Give the same columns, or images of the same size, in the same order.",
        )
    wrong = ~np.isfinite(rows)
    if wrong.any():
        at = np.argwhere(wrong)[0]
        where = f"column {at[1]}" if rows.ndim == 2 else "an image"
        raise DataError(
            "E663",
            f"{int(wrong.sum()):,} values are missing or infinite, the first in row {at[0]}, {where}.",
            "Leave out those rows or fill them in: a model of all columns has no use for part of a row.",
        )
    return rows


def read_labels(given: Any, n: int) -> NDArray[Any]:
    """Return a domain for each row, from one label for all or one a row."""
    labels = np.asarray(given)
    if labels.ndim == 0:
        return np.repeat(labels[None], n)
    if labels.shape != (n,):
        raise DataError(
            "E662", f"there are domains of shape {labels.shape} for {n} rows.", "Give one domain, or one for each row."
        )
    return labels


def domains_of(labels: NDArray[Any], least: int) -> tuple[list[Hashable], Domains]:
    """Return the different domains in order, and the place of each row's domain among them.

    Raises
    ------
    DataError
        E664 if there is one domain only, or a domain has fewer rows than ``least``.
    """
    names, codes = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise DataError(
            "E664",
            f"all rows come from one domain, {names[0].item()!r}.",
            "A change of domain is learned from two domains at least.",
        )
    counts = np.bincount(codes)
    if counts.min() < least:
        few = int(counts.argmin())
        raise DataError(
            "E664",
            f"domain {names[few].item()!r} has {counts[few]} row{'s' if counts[few] > 1 else ''}; "
            f"{least} are needed here.",
            "Leave the domain out, or merge it with one that is like it.",
        )
    return names.tolist(), codes.astype(np.int64)


def codes_of(labels: NDArray[Any], names: Sequence[Hashable]) -> Domains:
    """Return the place of each label among the domains a model knows; E665 for one that it does not know."""
    place = {name: k for k, name in enumerate(names)}
    unknown = sorted({label for label in labels.tolist() if label not in place}, key=str)
    if unknown:
        raise DataError(
            "E665", f"the model knows no domain {quote_names(unknown)}.", f"It was fitted to {quote_names(names)}."
        )
    return np.array([place[label] for label in labels.tolist()], dtype=np.int64)


def hold_out(codes: Domains, share: float, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows to fit and rows to validate: that share of each domain, in random order.

    A domain of fewer than ten rows is in both.
    """
    kept, held = [], []
    for d in range(int(codes.max()) + 1):
        rows = rng.permutation(np.flatnonzero(codes == d))
        n = int(len(rows) * share) if len(rows) >= 10 else 0
        kept.append(rows[n:])
        held.append(rows[:n] if n else rows)
    return np.concatenate(kept), np.concatenate(held)
