"""The supervised contrastive loss against its double sum."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import whence as wh
from whence.nn import seeded, supervised_contrastive

LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3])
FEATURES = torch.randn(7, 4, dtype=torch.float64, generator=seeded(0))


def double_loop(features: Tensor, labels: list[int], temperature: float, anchors: list[bool] | None = None) -> float:
    unit = [(row / row.norm()).tolist() for row in features.double()]
    rows = range(len(unit))

    def likeness(i: int, j: int) -> float:
        return math.exp(sum(a * b for a, b in zip(unit[i], unit[j])) / temperature)

    losses = []
    for i in rows:
        positives = [p for p in rows if p != i and labels[p] == labels[i]]
        if not positives or (anchors is not None and not anchors[i]):
            continue
        others = sum(likeness(i, a) for a in rows if a != i)
        losses.append(-sum(math.log(likeness(i, p) / others) for p in positives) / len(positives))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("temperature", [0.07, 0.5, 3.0])
def test_it_equals_a_plain_double_loop(temperature: float):
    value = supervised_contrastive(FEATURES, LABELS, temperature)
    assert float(value) == pytest.approx(double_loop(FEATURES, LABELS.tolist(), temperature), rel=1e-12)


def test_anchors_choose_whose_losses_count():
    anchors = torch.tensor([True, False, False, True, False, True, False])
    value = supervised_contrastive(FEATURES, LABELS, anchors=anchors)
    assert float(value) == pytest.approx(double_loop(FEATURES, LABELS.tolist(), 0.07, anchors.tolist()), rel=1e-12)


def test_its_gradient_equals_finite_differences():
    features = FEATURES.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda z: supervised_contrastive(z, LABELS, 0.3), (features,))


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_alone_with_their_label_are_no_anchors(rows: int):
    features = FEATURES[:rows].clone().requires_grad_(True)
    value = supervised_contrastive(features, torch.arange(rows))
    value.backward()
    assert value.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_length_order_and_names_of_labels_do_not_matter():
    value = supervised_contrastive(FEATURES, LABELS)
    order = torch.randperm(7, generator=seeded(1))
    assert torch.allclose(supervised_contrastive(FEATURES[order] * 5, LABELS[order] * 10 - 3), value)


def test_large_likeness_does_not_overflow():
    features = torch.eye(2).repeat(3, 1).requires_grad_(True)
    value = supervised_contrastive(features, torch.tensor([0, 1] * 3), temperature=1e-3)
    value.backward()
    assert math.isfinite(value.item())
    assert features.grad.isfinite().all()


def test_what_does_not_fit_is_named():
    with pytest.raises(wh.DataError, match=r"shapes \(7, 4\), \(6,\)"):
        supervised_contrastive(FEATURES, LABELS[:-1])
    with pytest.raises(wh.DataError, match=r"shapes \(7,\), \(7,\)"):
        supervised_contrastive(FEATURES[:, 0], LABELS)
    with pytest.raises(wh.ParameterError, match="temperature=0"):
        supervised_contrastive(FEATURES, LABELS, 0.0)
