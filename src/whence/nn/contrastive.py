"""Losses that draw what belongs together together, and the rest apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whence.errors import DataError, ParameterError


def supervised_contrastive(
    features: Tensor, labels: Tensor, temperature: float = 0.07, anchors: Tensor | None = None
) -> Tensor:
    """Return the supervised contrastive loss: rows of one label should be more alike than rows of different labels.

    With z the features at unit length, P(i) the other rows with the label of row i, and t the temperature, the loss of
    row i is -1/|P(i)| sum_{p in P(i)} log( exp(z_i.z_p / t) / sum_{a != i} exp(z_i.z_a / t) ).

    Parameters
    ----------
    features : Tensor (N, d)
        Brought to unit length here.
    labels : Tensor (N,)
        Whole numbers, for instance environments.
    temperature : float
        Small ones look at the nearest rows only.
    anchors : Tensor (N,) of bool, optional
        Rows whose losses are averaged; the others serve for comparison only. All rows without it.

    Returns
    -------
    Tensor ()
        The mean over anchors that have at least one other row of their label; zero if none has.

    Raises
    ------
    DataError
        If shapes do not fit.
    ParameterError
        If the temperature is not positive.

    References
    ----------
    Khosla, P. et al. (2020). Supervised contrastive learning. NeurIPS, equation (2).

    Examples
    --------
    >>> together = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> loss = supervised_contrastive(together, torch.tensor([0, 0, 1, 1]), temperature=1.0)
    >>> bool(torch.isclose(loss, torch.log(1 + 2 * torch.exp(torch.tensor(-1.0)))))
    True
    """
    rows = len(features)
    if features.ndim != 2 or labels.shape != (rows,) or (anchors is not None and anchors.shape != (rows,)):
        shapes = [tuple(each.shape) for each in (features, labels, anchors) if each is not None]
        raise DataError(
            "E610",
            f"features, labels and anchors have the shapes {', '.join(map(str, shapes))}.",
            "Give features (N, d), one label and, if any, one anchor mark per row.",
        )
    if not temperature > 0:
        raise ParameterError("E602", f"temperature={temperature!r} is impossible.", "Give a positive number.")
    if rows < 2:
        return 0.0 * features.sum()
    unit = nn.functional.normalize(features, dim=1)
    pairs = unit @ (unit / temperature).T  # (N, N)
    positive = labels[:, None] == labels  # P(i), without i itself
    positive.fill_diagonal_(False)
    same = positive.sum(dim=1)
    alike = (pairs * positive).sum(dim=1) / same.clamp(min=1)
    losses = pairs.fill_diagonal_(-torch.inf).logsumexp(dim=1) - alike
    counted = same > 0 if anchors is None else (same > 0) & anchors
    return losses.where(counted, 0.0).sum() / counted.sum().clamp(min=1)
