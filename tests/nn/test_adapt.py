"""Changing a trained network a little: what is named changes, nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence as wh
from whence.nn import GatedRefiner, fit, partial_finetune, reproducible, seeded

X = torch.randn(32, 3, generator=seeded(0))


def network() -> nn.ModuleDict:
    with reproducible(0):
        encoder = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False), nn.Dropout(0.5), nn.BatchNorm1d(4))
        return nn.ModuleDict({"encoder": encoder, "style": nn.Linear(4, 4), "head": nn.Linear(4, 1)})


def loss(model: Any, batch: Tensor, step: int) -> Tensor:
    return model["head"](model["style"](model["encoder"](batch))).square().mean()


def rows(generator: torch.Generator) -> Tensor:
    return X[torch.randint(32, (8,), generator=generator)]


def test_only_what_is_named_changes_and_all_flags_come_back():
    model = network()
    model["style"].bias.requires_grad_(False)
    model["head"].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    flags = [parameter.requires_grad for parameter in model.parameters()]
    modes = [module.training for module in model.modules()]
    with partial_finetune(model, "style", "head.bias") as trained:
        assert {id(each) for each in trained} == {
            id(each) for each in (model["style"].weight, model["style"].bias, model["head"].bias)
        }
        fit(model, loss, rows, steps=5)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(before[name], tensor)}
    assert changed == {"style.weight", "style.bias", "head.bias"}
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model["encoder"].parameters())


def test_a_loop_of_ones_own_leaves_frozen_statistics_too():
    model = network().train()
    before = {name: tensor.clone() for name, tensor in model.named_buffers()}
    with partial_finetune(model, "head"):
        assert not model["encoder"].training
        assert model["head"].training
        model.train()  # as loops of others do
        loss(model, X, 0).backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.named_buffers())
    assert model["encoder"][0].weight.grad is None
    assert model["encoder"].training


def test_statistics_of_named_parts_are_kept():
    model = network()
    before = model["encoder"][3].running_mean.clone()
    with partial_finetune(model, "encoder.3"):
        fit(model, loss, rows, steps=2)
    assert not torch.equal(model["encoder"][3].running_mean, before)


def test_flags_come_back_after_an_error():
    model = network()
    with pytest.raises(ZeroDivisionError), partial_finetune(model, "head"):
        raise ZeroDivisionError
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_tied_weight_is_trained_if_either_name_is():
    model = nn.ModuleDict({"one": nn.Linear(2, 2), "two": nn.Linear(2, 2)})
    model["two"].weight = model["one"].weight
    with partial_finetune(model, "two") as trained:
        assert model["one"].weight.requires_grad
        assert not model["one"].bias.requires_grad
        assert len(trained) == 2


def test_parts_that_are_not_there_are_named():
    with pytest.raises(wh.ParameterError, match=r"no part named 'heed'.*Closest: .*'head'"):
        partial_finetune(network(), "heed").__enter__()
    with pytest.raises(wh.ParameterError, match="no parameter"):
        partial_finetune(network(), "encoder.2").__enter__()
    with pytest.raises(wh.ParameterError, match="no parameter"):
        partial_finetune(network()).__enter__()
    model = network()
    model["encoder"] = nn.Sequential(*(nn.Linear(4, 4) for _ in range(20)))
    with pytest.raises(wh.ParameterError, match=r"no part named 'q'.*Its parts are 'encoder'"):
        partial_finetune(model, "q").__enter__()


def nearness(codes: Tensor, rows: Tensor) -> Tensor:
    return -codes.square().sum(dim=1)


def test_only_codes_below_the_gate_are_refined():
    codes = torch.tensor([[0.1, 0.2], [2.0, 0.0], [0.5, 0.5], [0.0, -3.0]])
    given = codes.clone()
    found = GatedRefiner(nearness, gate=-1.0, steps=4, rate=0.05).refine(codes)
    assert found.flagged.tolist() == [False, True, False, True]
    assert torch.equal(found.codes[~found.flagged], given[~found.flagged])
    assert torch.equal(codes, given)
    assert torch.equal(found.before, nearness(given, torch.arange(4)))
    assert torch.equal(found.after, nearness(found.codes, torch.arange(4)))
    assert (found.after > found.before).tolist() == found.flagged.tolist()
    # Four plain gradient steps of 0.05 on the squared length shorten a code by 1 - 2 * 0.05 each.
    assert torch.allclose(found.codes[3], given[3] * 0.9**4)


def test_a_code_stops_at_the_gate():
    found = GatedRefiner(nearness, gate=-1.0, steps=100, rate=0.05).refine(torch.tensor([[1.2, 0.0]]))
    assert -1.0 <= found.after[0] < -0.7


def test_a_step_that_makes_it_worse_is_not_taken():
    codes = torch.tensor([[2.0, 0.0]])
    found = GatedRefiner(nearness, gate=-1.0, steps=3, rate=2.0).refine(codes)
    assert torch.equal(found.codes, codes)
    assert found.flagged.tolist() == [True]
    assert torch.equal(found.after, found.before)


def test_the_score_is_told_which_rows_it_looks_at():
    goals = torch.tensor([[0.0, 0.0], [5.0, 5.0], [1.0, 1.0]])

    def score(codes: Tensor, rows: Tensor) -> Tensor:
        return -(codes - goals[rows]).square().sum(dim=1)

    found = GatedRefiner(score, gate=-0.5, steps=200, rate=0.05).refine(torch.zeros(3, 2))
    assert found.flagged.tolist() == [False, True, True]
    assert torch.all(found.after >= -0.51)


def test_the_gate_is_a_quantile_of_the_reference_scores():
    scores = torch.arange(101.0)
    refiner = GatedRefiner(nearness).calibrate(scores)
    assert refiner.gate == pytest.approx(10.0)
    assert refiner.calibrate(scores, 0.5).gate == pytest.approx(50.0)


def test_the_network_behind_the_score_is_not_touched():
    network = nn.Linear(2, 1)
    refiner = GatedRefiner(lambda codes, rows: network(codes).flatten(), gate=10.0)
    with torch.no_grad():
        found = refiner.refine(torch.zeros(3, 2, requires_grad=True))
    assert network.weight.grad is None
    assert not found.codes.requires_grad
    assert torch.all(found.after > found.before)


def test_impossible_settings_are_named():
    for settings in ({"steps": 0}, {"rate": 0.0}):
        with pytest.raises(wh.ParameterError, match="Give positive numbers"):
            GatedRefiner(nearness, **settings)
    with pytest.raises(wh.ParameterError, match=r"no gate\. Call calibrate"):
        GatedRefiner(nearness).refine(torch.zeros(1, 2))
    for scores, quantile in ((torch.zeros(0), 0.1), (torch.tensor([float("nan")]), 0.1), (torch.zeros(3), 1.5)):
        with pytest.raises(wh.ParameterError, match="no gate follows"):
            GatedRefiner(nearness).calibrate(scores, quantile)
