"""Batches with the same number of rows from every environment, and means over each environment.

An environment is where rows come from under one set of conditions: a place, a hospital, a sensor, an experiment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from whence.errors import DataError, ParameterError, quote_names


class EnvironmentSampler:
    """Draw batches in which every environment has the same number of rows; small environments are cycled.

    Each row of an environment comes once, in random order, before any of its rows comes again: no row of a large
    environment is left out, none of a small one is drawn by chance far more often than the next. Called with a
    generator it returns a batch, as `whence.nn.fit` asks.

    Parameters
    ----------
    environments : array (rows,)
        The environment of each row, any labels.
    per_environment : int
        Rows of each environment in a batch.
    data : Tensor, or tensors nested in tuples, lists and mappings, optional
        Each with one entry per row on its first axis; batches are cut from it. Without it batches hold row numbers.

    Attributes
    ----------
    names : tuple
        The environments, sorted; ``groups`` of a batch are positions in it.

    Raises
    ------
    DataError
        If an environment has a single row, a label is missing, or data and labels differ in length.
    ParameterError
        If ``per_environment`` is not a whole number from 1 up.

    Examples
    --------
    >>> from whence.nn import seeded
    >>> sampler = EnvironmentSampler(["day", "day", "day", "night", "night"], per_environment=2)
    >>> rows, groups = sampler(seeded(0))
    >>> groups.tolist(), sorted(rows[2:].tolist())
    ([0, 0, 1, 1], [3, 4])
    """

    def __init__(self, environments: ArrayLike | Tensor, per_environment: int = 64, data: Any = None) -> None:
        if not isinstance(per_environment, (int, np.integer)) or per_environment < 1:
            raise ParameterError(
                "E602", f"per_environment={per_environment!r} is impossible.", "Give a whole number from 1 up."
            )
        labels = _checked_labels(environments)
        names, codes = np.unique(labels, return_inverse=True)
        counts = np.bincount(codes, minlength=len(names))
        single = [names[k] for k in np.flatnonzero(counts < 2)]
        if single:
            raise DataError(
                "E607",
                f"{len(single)} of {len(names)} environments have a single row: {quote_names(single)}.",
                "Leave these rows out or merge the environment with one that is alike; two rows are the least.",
            )
        self.names = tuple(names.tolist())
        self.per_environment = int(per_environment)
        self.data = data
        _check_lengths(data, len(labels))
        members = torch.from_numpy(np.argsort(codes, kind="stable"))
        self._members = list(torch.split(members, counts.tolist()))
        self._used = counts.tolist()  # how many rows of each order were given out: all, so the first call shuffles
        self._groups = torch.arange(len(names)).repeat_interleave(self.per_environment)

    def __call__(self, generator: torch.Generator) -> tuple[Any, Tensor]:
        """Return a batch and the environment of each of its rows.

        Returns
        -------
        batch : Tensor (environments * per_environment,) or nested tensors
            Row numbers, or the rows of ``data``; environment by environment.
        groups : Tensor (environments * per_environment,)
            Positions in ``names``; shared by all batches, so not to be changed.
        """
        rows = torch.cat([part for k in range(len(self.names)) for part in self._take(k, generator)])
        return (rows if self.data is None else _cut(self.data, rows)), self._groups

    def _take(self, environment: int, generator: torch.Generator) -> list[Tensor]:
        parts, wanted = [], self.per_environment
        while wanted > 0:
            order, used = self._members[environment], self._used[environment]
            if used == len(order):
                order, used = order[torch.randperm(len(order), generator=generator)], 0
                self._members[environment] = order
            parts.append(order[used : used + wanted])
            self._used[environment] = used + len(parts[-1])
            wanted -= len(parts[-1])
        return parts

    def state_dict(self) -> dict[str, Any]:
        """Return where the sampler stands, for a checkpoint."""
        return {"order": torch.cat(self._members), "used": list(self._used)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises
        ------
        DataError
            If the state is of a sampler of other rows.
        """
        own, given = torch.cat(self._members), state["order"]
        sizes = [len(rows) for rows in self._members]
        parts = list(torch.split(given, sizes)) if len(given) == len(own) and len(state["used"]) == len(sizes) else []
        if not parts or any(set(a.tolist()) != set(b.tolist()) for a, b in zip(parts, self._members)):
            raise DataError(
                "E604",
                "the checkpoint's batches were drawn from other rows or environments than these.",
                "Give the rows it was made with, in their order, or delete it to start afresh.",
            )
        self._members, self._used = parts, list(state["used"])


def environment_means(values: Tensor, groups: Tensor) -> Tensor:
    """Return the mean of values over the rows of each environment that is present.

    Parameters
    ----------
    values : Tensor (rows, ...)
        Gradients flow through them.
    groups : Tensor (rows,)
        The environment of each row as a whole number from 0 up.

    Returns
    -------
    Tensor (environments, ...)
        In order of the numbers.

    Examples
    --------
    >>> environment_means(torch.tensor([1.0, 3.0, 10.0]), torch.tensor([0, 0, 2]))
    tensor([ 2., 10.])
    """
    check_groups(values, groups)
    sums, counts = environment_sums(values, groups)
    means = sums / counts.reshape(-1, *(1 for _ in values.shape[1:]))
    return means if counts.all() else means[counts > 0]


def environment_sums(values: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Return sums of values (rows, ...) for each number from 0 to the largest, and how many rows it has."""
    counts = torch.bincount(groups)
    zeros = torch.zeros(len(counts), *values.shape[1:], dtype=values.dtype, device=values.device)
    return zeros.index_add(0, groups, values), counts


def stacked_environments(groups: Tensor, *values: Tensor) -> list[tuple[Tensor, ...]]:
    """Return the rows of each environment that is present, stacked where all environments have as many.

    Parameters
    ----------
    groups : Tensor (rows,)
    *values : Tensor (rows, ...)

    Returns
    -------
    list of tuple of Tensor (environments, rows of each, ...)
        One entry if the numbers of rows are equal, which lets products be batched; else one for each environment.
    """
    for each in values:
        check_groups(each, groups)
    if bool((groups[1:] < groups[:-1]).any()):
        order = torch.argsort(groups, stable=True)
        values = tuple(each[order] for each in values)
    counts = [count for count in torch.bincount(groups).tolist() if count]
    if len(set(counts)) == 1:
        return [tuple(each.reshape(len(counts), counts[0], *each.shape[1:]) for each in values)]
    return [tuple(part[None] for part in parts) for parts in zip(*(torch.split(each, counts) for each in values))]


def check_groups(values: Tensor, groups: Tensor) -> None:
    """Raise DataError unless there is one whole number for each row."""
    if groups.ndim != 1 or groups.is_floating_point() or len(groups) != len(values) or len(groups) == 0:
        raise DataError(
            "E607",
            f"groups have shape {tuple(groups.shape)} and type {groups.dtype}, and there are {len(values)} rows.",
            "Give the environment of each row as a whole number from 0 up, as EnvironmentSampler returns it.",
        )


def _checked_labels(environments: ArrayLike | Tensor) -> np.ndarray:
    labels = environments.numpy(force=True) if isinstance(environments, Tensor) else np.asarray(environments)
    if labels.ndim != 1 or len(labels) == 0:
        raise DataError("E607", f"environments have shape {labels.shape}.", "Give one label for each row.")
    if labels.dtype == object:
        missing = np.array([repr(label) in ("None", "nan", "<NA>", "NaT") for label in labels])
    else:
        missing = np.isnat(labels) if labels.dtype.kind in "mM" else labels != labels  # noqa: PLR0124 (not a number)
    if missing.any():
        raise DataError(
            "E607",
            f"{missing.sum()} rows have no environment, the first is row {int(np.flatnonzero(missing)[0])}.",
            "Leave them out, or give them a label of their own.",
        )
    return labels.astype(str) if labels.dtype == object else labels


def _check_lengths(data: Any, rows: int) -> None:
    parts = data.values() if isinstance(data, Mapping) else data if isinstance(data, (tuple, list)) else None
    if parts is not None:
        for part in parts:
            _check_lengths(part, rows)
    elif data is not None and (not isinstance(data, Tensor) or data.ndim == 0 or len(data) != rows):
        found = f"a tensor of shape {tuple(data.shape)}" if isinstance(data, Tensor) else type(data).__name__
        raise DataError(
            "E607",
            f"there are {rows} labels of environments, and the data hold {found}.",
            "Give tensors with one entry for each row on their first axis.",
        )


def _cut(data: Any, rows: Tensor) -> Any:
    if isinstance(data, Mapping):
        return {name: _cut(value, rows) for name, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(_cut(value, rows) for value in data))
    if isinstance(data, (tuple, list)):
        return type(data)(_cut(value, rows) for value in data)
    return data.index_select(0, rows.to(data.device))
