"""Penalties that ask a predictor to be the same in every environment.

What differs between environments cannot be what causes the outcome in all of them. Each penalty is a scalar to be added
to the mean risk with a weight, averaged over rows, then over environments: neither the size of the batch nor the number
of environments changes what a weight means. ``groups`` number the environments of the rows; `EnvironmentSampler` does.

Axes: N rows, E environments, d features, k outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from whence.errors import DataError
from whence.nn.environments import check_groups, environment_means, environment_sums, stacked_environments

RowLoss = Callable[[Tensor, Tensor], Tensor]
"""From predictions (N, ...) and targets (N, ...) to one loss per row (N,), each of its own row alone."""


def irm_penalty(
    predictions: Tensor,
    targets: Tensor,
    groups: Tensor | None = None,
    *,
    loss: RowLoss | None = None,
    outputs: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Return the mean over environments of the squared gradient of the risk in a scale of the predictions (IRMv1).

    A representation is invariant if one predictor on top of it is best in every environment at once. With R_e the risk
    in environment e, P_e = (d R_e(w * prediction) / d w at w = 1)^2 is zero where scaling the predictor gains nothing.

    Parameters
    ----------
    predictions : Tensor (N, ...)
        For a classification: logits.
    targets : Tensor
        (N, ...) of the same shape for squared loss; whatever ``loss`` takes otherwise.
    groups : Tensor (N,) or None
        The environment of each row; None if all rows are of one.
    loss : callable or None
        None for squared loss, whose gradient has a closed form, 2 (prediction - target) prediction. Otherwise one loss
        per row, such as ``functools.partial(F.cross_entropy, reduction="none")``; differentiated twice.
    outputs : str
        For squared loss: whether a row's loss is the mean or the sum over its outputs.

    Returns
    -------
    Tensor ()
        Positive even where the truth is zero: noise in the gradient of few rows is squared too; `split_half_irm` is
        free of that.

    Raises
    ------
    DataError
        If shapes do not fit.

    References
    ----------
    Arjovsky, M., Bottou, L., Gulrajani, I. and Lopez-Paz, D. (2019). Invariant risk minimization. arXiv:1907.02893,
    equation (IRMv1).

    Examples
    --------
    >>> irm_penalty(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]))
    tensor(1.)
    """
    gradients = _row_gradients(predictions, targets, loss, outputs)
    risks = gradients.mean(dim=0, keepdim=True) if groups is None else environment_means(gradients, groups)
    return risks.dot(risks) / len(risks)


def split_half_irm(
    predictions: Tensor,
    targets: Tensor,
    groups: Tensor | None = None,
    *,
    loss: RowLoss | None = None,
    outputs: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Return the IRMv1 penalty without the bias of small batches: the product of the gradients of two halves.

    The rows of each environment are dealt in turn to two halves, in the order in which they come (shuffle them). As the
    halves are independent, the product's expectation is the squared gradient of the risk itself; it may be negative.

    Parameters
    ----------
    predictions, targets, groups, loss, outputs
        As in `irm_penalty`.

    Returns
    -------
    Tensor ()

    Raises
    ------
    DataError
        If shapes do not fit or an environment has a single row.

    References
    ----------
    Arjovsky et al. (2019), appendix D: an unbiased estimate of the squared gradient norm.

    Examples
    --------
    >>> split_half_irm(torch.tensor([1.0, 2.0, 1.0, 2.0]), torch.tensor([0.0, 1.0, 1.0, 2.0]))
    tensor(2.)
    """
    gradients = _row_gradients(predictions, targets, loss, outputs)
    if groups is None:
        groups = torch.zeros(len(gradients), dtype=torch.long, device=gradients.device)
    check_groups(gradients, groups)
    half = torch.empty_like(groups)
    half[torch.argsort(groups, stable=True)] = torch.arange(len(groups), device=groups.device) % 2
    sums, counts = environment_sums(gradients, 2 * groups + half)
    if len(counts) % 2 or not counts.all():
        sums, counts = _both_halves(sums, counts)
    first, second = (sums / counts).reshape(-1, 2).unbind(dim=1)
    return first.dot(second) / len(first)


def vrex(losses: Tensor, groups: Tensor | None = None) -> Tensor:
    """Return the variance of the risk over environments (V-REx).

    Parameters
    ----------
    losses : Tensor (N,) or (E,)
        The loss of each row, or without ``groups`` the risk of each environment.
    groups : Tensor (N,) or None
        The environment of each row.

    Returns
    -------
    Tensor ()

    Raises
    ------
    DataError
        If there are fewer than two environments or shapes do not fit.

    References
    ----------
    Krueger, D. et al. (2021). Out-of-distribution generalization via risk extrapolation (REx). ICML, equation (8).

    Examples
    --------
    >>> vrex(torch.tensor([1.0, 3.0, 6.0]), torch.tensor([0, 0, 1]))
    tensor(4.)
    """
    _check_ndim("losses", losses, 1)
    risks = losses if groups is None else environment_means(losses, groups)
    _check_several(len(risks))
    return _spread(risks)


def coral(features: Tensor, groups: Tensor) -> Tensor:
    """Return how far the covariances of features differ between environments, averaged over all pairs (deep CORAL).

    For a pair the distance is ||C_a - C_b||_F^2 / (4 d^2).

    Parameters
    ----------
    features : Tensor (N, d)
        Of the layer that is to look the same everywhere.
    groups : Tensor (N,)
        The environment of each row.

    Returns
    -------
    Tensor ()

    Raises
    ------
    DataError
        If there are fewer than two environments, one has a single row, or shapes do not fit.

    References
    ----------
    Sun, B. and Saenko, K. (2016). Deep CORAL: correlation alignment for deep domain adaptation. ECCV workshops,
    equations (1) to (3).

    Examples
    --------
    >>> coral(torch.tensor([[0.0], [2.0], [0.0], [4.0]]), torch.tensor([0, 0, 1, 1]))
    tensor(9.)
    """
    _check_ndim("features", features, 2)
    parts = [part for (part,) in stacked_environments(groups, features)]  # (E or 1, n, d)
    _check_stacks(parts)
    centred = [part - part.mean(dim=1, keepdim=True) for part in parts]
    covariances = torch.cat([part.mT @ part / (part.shape[1] - 1) for part in centred])  # (E, d, d)
    # The mean over pairs of |C_a - C_b|^2 is 2 E / (E - 1) times the mean of |C_a - mean C|^2.
    pairs = 2.0 * len(covariances) / (len(covariances) - 1)
    return pairs * _spread(covariances) / (4 * features.shape[1] ** 2)


def fishr(head: nn.Linear, features: Tensor, targets: Tensor, groups: Tensor, *, loss: RowLoss) -> Tensor:
    """Return how far the variances of the rows' gradients differ between environments (Fishr).

    The gradients are those in the weights of the last, linear layer: for a row the outer product of its gradient in the
    outputs and its features. Their variances need no tensor of the size N k d.

    Parameters
    ----------
    head : torch.nn.Linear
        The last layer, d to k.
    features : Tensor (N, d)
        What it is given.
    targets : Tensor (N, ...)
        As ``loss`` takes them.
    groups : Tensor (N,)
        The environment of each row.
    loss : callable
        One loss per row from ``head(features)`` and the targets.

    Returns
    -------
    Tensor ()
        The mean over environments of ||v_e - mean v||^2.

    Raises
    ------
    DataError
        If there are fewer than two environments, one has a single row, or shapes do not fit.

    References
    ----------
    Rame, A., Dancette, C. and Cord, M. (2022). Fishr: invariant gradient variances for out-of-distribution
    generalization. ICML, equations (2) to (4).

    Examples
    --------
    >>> head = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.ones_(head.weight)
    >>> x, y = torch.tensor([[1.0], [2.0], [1.0], [3.0]]), torch.zeros(4, 1)
    >>> fishr(head, x, y, torch.tensor([0, 0, 1, 1]), loss=lambda a, b: 0.5 * (a - b).square().sum(dim=1)).item()
    189.0625
    """
    _check_ndim("features", features, 2)
    check_groups(features, groups)
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        out = head(features)
        losses = _rows_only(loss(out, targets), len(features))
        (gradient,) = torch.autograd.grad(losses.sum(), out, create_graph=again)  # (N, k)
    inputs = features if head.bias is None else torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    parts = stacked_environments(groups, gradient, inputs)
    _check_stacks([part for part, _ in parts])
    variances = torch.cat([_product_variances(*part) for part in parts])  # (E, k, d or d + 1)
    return _spread(variances)


def _product_variances(left: Tensor, right: Tensor) -> Tensor:
    """Return the variances over rows of all products of a left (e, n, k) and a right value (e, n, d): (e, k, d)."""
    rows = left.shape[1]
    squares, sums = left.square().mT @ right.square(), left.mT @ right
    return (squares - sums.square() / rows) / (rows - 1)


def _both_halves(sums: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return sums and counts of the halves of those environments that are present."""
    sums, counts = (nn.functional.pad(each, (0, len(each) % 2)).reshape(-1, 2) for each in (sums, counts))
    present = counts.sum(dim=1) > 0
    _check_pairs(int(counts[present].sum(dim=1).min()))
    return sums[present].reshape(-1), counts[present].reshape(-1)


def _row_gradients(predictions: Tensor, targets: Tensor, loss: RowLoss | None, outputs: str) -> Tensor:
    """Return for each row the gradient of its loss in a scale of its predictions, at scale one: (N,)."""
    if loss is not None:
        again = torch.is_grad_enabled() and predictions.requires_grad
        with torch.enable_grad():
            shape = (len(predictions), *(1 for _ in predictions.shape[1:]))
            scale = torch.ones(shape, dtype=predictions.dtype, device=predictions.device, requires_grad=True)
            losses = _rows_only(loss(predictions * scale, targets), len(predictions))
            (gradient,) = torch.autograd.grad(losses.sum(), scale, create_graph=again)
        return gradient.reshape(-1)
    if predictions.shape != targets.shape:
        raise DataError(
            "E610",
            f"predictions have shape {tuple(predictions.shape)}, targets {tuple(targets.shape)}.",
            "Bring the targets to the shape of the predictions; nothing is broadcast.",
        )
    rows, errors = (each.reshape(len(predictions), -1) for each in (predictions, predictions - targets))
    products: Tensor = (errors * rows).sum(dim=1)
    return products * (2.0 / rows.shape[1] if outputs == "mean" else 2.0)


def _rows_only(losses: Tensor, rows: int) -> Tensor:
    if losses.shape != (rows,):
        raise DataError(
            "E610",
            f"the loss has shape {tuple(losses.shape)}, and there are {rows} rows.",
            "Return one loss for each row: reduction='none', then the mean or sum over the outputs.",
        )
    return losses


def _check_ndim(name: str, values: Tensor, ndim: int) -> None:
    if values.ndim != ndim:
        raise DataError("E610", f"{name} have shape {tuple(values.shape)}.", f"Give a tensor of {ndim} dimensions.")


def _check_several(environments: int) -> None:
    if environments < 2:
        raise DataError(
            "E607",
            "there is one environment, and what must not differ between environments needs two.",
            "Draw batches with EnvironmentSampler, or train without this penalty.",
        )


def _spread(values: Tensor) -> Tensor:
    """Return the mean over the first axis of the squared distance to the mean; several times faster than `var`."""
    return (values - values.mean(dim=0)).square().sum() / len(values)


def _check_stacks(parts: list[Tensor]) -> None:
    _check_several(sum(len(part) for part in parts))
    _check_pairs(min(part.shape[1] for part in parts))


def _check_pairs(fewest: int) -> None:
    if fewest < 2:
        raise DataError(
            "E607", "an environment has a single row in this batch.", "Draw at least two rows of each environment."
        )
