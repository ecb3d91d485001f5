"""Penalties against their definitions: loops, finite differences, automatic differentiation twice, simulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import whence as wh
from whence.nn import coral, fishr, irm_penalty, mlp, reproducible, seeded, split_half_irm, vrex
from whence.nn.environments import environment_means

GROUPS = torch.tensor([2, 0, 0, 2, 1, 1, 2, 0, 1, 2, 2, 0, 1])
N = len(GROUPS)
X = torch.randn(N, 3, dtype=torch.float64, generator=seeded(0))
Y = torch.randn(N, 2, dtype=torch.float64, generator=seeded(1))
LABELS = torch.randint(2, (N,), generator=seeded(2))
by_class = partial(functional.cross_entropy, reduction="none")


def by_square(predictions: Tensor, targets: Tensor) -> Tensor:
    return (predictions - targets).square().mean(dim=1)


def network() -> nn.Sequential:
    with reproducible(3):
        return mlp([3, 4, 2], "tanh").double()


def risk_gradient(model: nn.Module, rows: Tensor, loss: Callable[[Tensor, Tensor], Tensor], targets: Tensor) -> Tensor:
    """The definition: a dummy scale, the mean risk of these rows, differentiated with a graph."""
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    risk = loss(scale * model(X[rows]), targets[rows]).mean()
    return torch.autograd.grad(risk, scale, create_graph=True)[0]


def environments() -> list[Tensor]:
    return [torch.eq(GROUPS, k).nonzero().flatten() for k in range(3)]


def halves(rows: Tensor) -> tuple[Tensor, Tensor]:
    return rows[::2], rows[1::2]


def by_definition(name: str, model: nn.Module, loss: Any, targets: Tensor) -> Tensor:
    if name == "irm":
        return torch.stack([risk_gradient(model, rows, loss, targets) ** 2 for rows in environments()]).mean()
    products = []
    for rows in environments():
        one, other = (risk_gradient(model, half, loss, targets) for half in halves(rows))
        products.append(one * other)
    return torch.stack(products).mean()


PENALTY = {"irm": irm_penalty, "split": split_half_irm}
LOSSES = {"closed": (None, by_square, Y), "square": (by_square, by_square, Y), "class": (by_class, by_class, LABELS)}


@pytest.mark.parametrize("name", PENALTY)
@pytest.mark.parametrize("form", LOSSES)
def test_irm_equals_two_derivatives_of_the_risk(name: str, form: str):
    given, loss, targets = LOSSES[form]
    model = network()
    value = PENALTY[name](model(X), targets, GROUPS, loss=given)
    expected = by_definition(name, model, loss, targets)
    assert torch.allclose(value, expected, rtol=1e-12)
    ours = torch.autograd.grad(value, list(model.parameters()))
    theirs = torch.autograd.grad(expected, list(model.parameters()))
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-14) for a, b in zip(ours, theirs))


@pytest.mark.parametrize("form", LOSSES)
def test_irm_equals_finite_differences_of_the_risk(form: str):
    given, loss, targets = LOSSES[form]
    predictions, step = network()(X).detach(), 1e-5
    slopes = []
    for rows in environments():
        risks = [float(loss(scale * predictions[rows], targets[rows]).mean()) for scale in (1 + step, 1 - step)]
        slopes.append((risks[0] - risks[1]) / (2 * step))
    expected = sum(slope**2 for slope in slopes) / 3
    assert float(irm_penalty(predictions, targets, GROUPS, loss=given)) == pytest.approx(expected, rel=1e-7)


def penalties() -> dict[str, Callable[[Tensor], Tensor]]:
    head = nn.Linear(3, 2).double()
    with torch.no_grad():
        head.weight.copy_(torch.randn(2, 3, dtype=torch.float64, generator=seeded(4)))
        head.bias.zero_()
    return {
        "irm": lambda p: irm_penalty(p[:, :2], Y, GROUPS),
        "irm sum": lambda p: irm_penalty(p[:, :2], Y, GROUPS, outputs="sum"),
        "irm class": lambda p: irm_penalty(p, LABELS, GROUPS, loss=by_class),
        "split": lambda p: split_half_irm(p[:, :2], Y, GROUPS),
        "split class": lambda p: split_half_irm(p, LABELS, GROUPS, loss=by_class),
        "vrex": lambda p: vrex(by_square(p[:, :2], Y), GROUPS),
        "coral": lambda p: coral(p, GROUPS),
        "fishr": lambda p: fishr(head, p, LABELS, GROUPS, loss=by_class),
        "fishr square": lambda p: fishr(head, p, Y, GROUPS, loss=by_square),
    }


@pytest.mark.parametrize("name", penalties())
def test_the_gradient_of_every_penalty_equals_finite_differences(name: str):
    features = X.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(penalties()[name], (features,))


@pytest.mark.parametrize("name", penalties())
def test_every_penalty_can_be_computed_without_a_gradient_and_in_single_precision(name: str):
    penalty = penalties()[name]
    features = X.clone().requires_grad_(True)
    with torch.no_grad():
        assert torch.allclose(penalty(features), penalty(X))
    if "fishr" not in name:  # its head above is in double precision
        assert torch.isclose(penalty(X.float()).double(), penalty(X), rtol=1e-4)


def test_the_gradient_of_fishr_in_its_head_equals_finite_differences():
    head, step = nn.Linear(3, 2).double(), 1e-6
    (slopes,) = torch.autograd.grad(fishr(head, X, LABELS, GROUPS, loss=by_class), head.weight)
    for place in [(0, 0), (1, 2)]:
        values = []
        for shift in (step, -step):
            moved = nn.Linear(3, 2).double()
            moved.load_state_dict(head.state_dict())
            with torch.no_grad():
                moved.weight[place] += shift
                values.append(float(fishr(moved, X, LABELS, GROUPS, loss=by_class)))
        assert float(slopes[place]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [GROUPS, torch.tensor([0, 1, 2] * 4)], ids=["uneven", "even"])
def test_fishr_is_the_variance_of_each_rows_gradient(bias: bool, groups: Tensor):
    with reproducible(0):
        head = nn.Linear(3, 2, bias=bias).double()
    gradients = []
    for row in range(len(groups)):
        loss = by_class(head(X[row : row + 1]), LABELS[row : row + 1]).sum()
        gradients.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(head.parameters()))]))
    rows = torch.stack(gradients)
    variances = torch.stack([rows[groups == k].var(dim=0) for k in range(3)])
    expected = (variances - variances.mean(dim=0)).square().sum(dim=1).mean()
    features, labels = X[: len(groups)], LABELS[: len(groups)]
    assert torch.allclose(fishr(head, features, labels, groups, loss=by_class), expected)


@pytest.mark.parametrize("groups", [GROUPS, torch.tensor([0, 1, 2] * 4)], ids=["uneven", "even"])
def test_coral_is_the_mean_distance_of_all_pairs(groups: Tensor):
    features = X[: len(groups)]
    covariances = [torch.cov(features[groups == k].T) for k in range(3)]
    distances = [((a - b) ** 2).sum() / (4 * 3**2) for a, b in combinations(covariances, 2)]
    assert torch.allclose(coral(features, groups), torch.stack(distances).mean())


def test_vrex_is_the_variance_of_the_risks():
    losses = by_square(X[:, :2], Y)
    risks = torch.stack([losses[rows].mean() for rows in environments()])
    assert torch.allclose(vrex(losses, GROUPS), ((risks - risks.mean()) ** 2).mean())
    assert torch.allclose(vrex(risks), vrex(losses, GROUPS))


def test_halves_make_the_penalty_unbiased_and_squares_do_not():
    # y = x + noise, prediction b x: the risk's gradient in a scale is 2 b (b - 1) for x of variance 1.
    batches, rows, b = 20_000, 6, 0.7
    generator = seeded(0)
    groups = torch.arange(batches).repeat_interleave(rows)
    x = torch.randn(batches * rows, dtype=torch.float64, generator=generator)
    y = x + torch.randn(batches * rows, dtype=torch.float64, generator=generator)
    truth = (2 * b * (b - 1)) ** 2
    # The gradient of one row, 2 (b x - y) b x, has variance 4 b^2 (2 (b - 1)^2 + 1): what the square is too large by.
    excess = 4 * b**2 * (2 * (b - 1) ** 2 + 1) / rows
    one_row = 2 * (b * x - y) * b * x
    means = environment_means(one_row, groups)
    halved = one_row.reshape(batches, rows // 2, 2).mean(dim=1).prod(dim=1)
    assert split_half_irm(b * x, y, groups).item() == pytest.approx(halved.mean().item())
    error = 4 * float(halved.std()) / batches**0.5
    assert abs(float(split_half_irm(b * x, y, groups)) - truth) < error
    squared = float(irm_penalty(b * x, y, groups))
    assert abs(squared - truth - excess) < 4 * float(means.square().std()) / batches**0.5
    assert squared - truth > 5 * error


def test_a_penalty_does_not_grow_with_rows_or_environments():
    twice = torch.cat([X[:, :2], X[:, :2]]), torch.cat([Y, Y])
    once = irm_penalty(X[:, :2], Y, GROUPS)
    assert torch.allclose(irm_penalty(*twice, torch.cat([GROUPS, GROUPS])), once)
    assert torch.allclose(irm_penalty(*twice, torch.cat([GROUPS, GROUPS + 3])), once)
    assert torch.allclose(irm_penalty(X[:, :2], Y), irm_penalty(X[:, :2], Y, torch.zeros(N).long()))
    assert torch.allclose(split_half_irm(X[:, :2], Y), split_half_irm(X[:, :2], Y, torch.zeros(N).long()))
    assert torch.allclose(irm_penalty(X[:, :2], Y, GROUPS, outputs="sum"), 4 * once)


def test_halves_are_found_where_numbers_are_left_out():
    rows = torch.tensor([7, 2, 7, 2, 2, 7, 4, 4])
    renamed = torch.tensor([2, 0, 2, 0, 0, 2, 1, 1])
    given = X[:8, :2], Y[:8]
    assert torch.allclose(split_half_irm(*given, rows), split_half_irm(*given, renamed))
    for single in ([0, 0, 1], [1, 1, 0], [0, 2, 2], [3, 0, 0], [0, 1, 2]):
        with pytest.raises(wh.DataError, match="single row"):
            split_half_irm(X[:3], X[:3], torch.tensor(single))


def test_invariant_predictions_are_not_penalised():
    assert float(irm_penalty(Y, Y, GROUPS)) == 0
    assert float(vrex(torch.ones(N), GROUPS)) == 0
    same = torch.cat([X, X])
    assert float(coral(same, torch.arange(2).repeat_interleave(N))) == pytest.approx(0, abs=1e-30)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irm_penalty(X[:, :1], Y[:, 0], GROUPS), r"shape \(13, 1\), targets \(13,\)"),
        (
            lambda: irm_penalty(X[:, :2], LABELS, GROUPS, loss=functional.cross_entropy),
            r"loss has shape \(\), .*13 rows",
        ),
        (lambda: irm_penalty(X[:, :2], Y, GROUPS[:-1]), "there are 13 rows"),
        (lambda: split_half_irm(X[:2], X[:2], torch.tensor([0, 1])), "single row"),
        (lambda: vrex(torch.ones(3)[:1]), "one environment"),
        (lambda: vrex(X, GROUPS), r"losses have shape \(13, 3\)"),
        (lambda: coral(X, torch.zeros(N).long()), "one environment"),
        (lambda: coral(X[:3], torch.tensor([0, 0, 1])), "single row"),
        (lambda: coral(X[:, 0], GROUPS), "2 dimensions"),
        (lambda: fishr(nn.Linear(3, 2).double(), X[:3], LABELS[:3], GROUPS[1:4] % 3, loss=by_class), "single row"),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], Tensor], message: str):
    with pytest.raises(wh.DataError, match=message):
        call()
