"""Batches balanced over environments."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import whence as wh
from whence.nn import EnvironmentSampler, environment_means, fit, mlp, reproducible, seeded
from whence.nn.environments import stacked_environments

LABELS = np.array(["b"] * 7 + ["a"] * 20 + ["c"] * 2)[np.random.default_rng(0).permutation(29)]


@given(
    counts=st.lists(st.integers(2, 9), min_size=1, max_size=4),
    per_environment=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_every_batch_is_balanced_and_no_row_repeats_before_all_came(counts: list[int], per_environment: int, seed: int):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    sampler, generator = EnvironmentSampler(labels, per_environment), seeded(seed)
    seen: dict[int, list[int]] = {k: [] for k in range(len(counts))}
    for _ in range(4):
        rows, groups = sampler(generator)
        assert Counter(groups.tolist()) == dict.fromkeys(range(len(counts)), per_environment)
        assert np.array_equal(labels[rows.numpy()], groups.numpy())
        for row, group in zip(rows.tolist(), groups.tolist()):
            seen[group].append(row)
    for group, rows in seen.items():
        for start in range(0, len(rows), counts[group]):
            cycle = rows[start : start + counts[group]]
            assert len(set(cycle)) == len(cycle)


def test_orders_differ_between_cycles_and_seeds():
    sampler, generator = EnvironmentSampler(np.zeros(50), 50), seeded(0)
    first, second = sampler(generator)[0], sampler(generator)[0]
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, second.sort().values)
    assert torch.equal(EnvironmentSampler(np.zeros(50), 50)(seeded(0))[0], first)
    assert not torch.equal(EnvironmentSampler(np.zeros(50), 50)(seeded(1))[0], first)


def test_every_place_of_a_row_in_the_cycle_is_as_likely():
    places = np.zeros((4, 4))
    sampler, generator = EnvironmentSampler(np.zeros(4), 4), seeded(0)
    for _ in range(1500):
        rows, _ = sampler(generator)
        places[rows, np.arange(4)] += 1
    assert np.abs(places / 1500 - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 1500)


def test_a_sampler_goes_on_where_it_was():
    sampler, generator = EnvironmentSampler(LABELS, 5), seeded(0)
    sampler(generator)
    state, chance = sampler.state_dict(), generator.get_state()
    expected = [sampler(generator)[0].tolist() for _ in range(6)]
    again = EnvironmentSampler(LABELS, 5)
    again.load_state_dict(state)
    generator.set_state(chance)
    assert [again(generator)[0].tolist() for _ in range(6)] == expected
    for others in (LABELS[:-1], LABELS[::-1], np.zeros(29)):
        with pytest.raises(wh.DataError, match="other rows or environments"):
            EnvironmentSampler(others, 5).load_state_dict(state)


def test_a_run_with_a_sampler_is_resumed_to_the_bit(tmp_path: Any):
    x, y = torch.randn(29, 3, generator=seeded(1)), torch.randn(29, 1, generator=seeded(2))

    def loss(model: nn.Module, batch: Any, step: int) -> torch.Tensor:
        (inputs, outputs), groups = batch
        return environment_means((model(inputs) - outputs).square(), groups).mean()

    def run(**settings: Any) -> nn.Module:
        with reproducible(0):
            model = mlp([3, 8, 1], dropout=0.2)
        fit(model, loss, EnvironmentSampler(LABELS, 6, (x, y)), steps=25, **settings)
        return model

    whole = run()
    for _ in range(9):
        run(checkpoint=tmp_path / "run.pt", seconds=1e-9)
    resumed = run(checkpoint=tmp_path / "run.pt")
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters()))


def test_batches_are_cut_from_nested_data():
    class Pair(NamedTuple):
        x: torch.Tensor
        y: torch.Tensor

    rows = torch.arange(29)
    data = {"pair": Pair(rows, rows * 10), "list": [rows[:, None]], "tuple": (rows,)}
    batch, groups = EnvironmentSampler(LABELS, 3, data)(seeded(0))
    plain, _ = EnvironmentSampler(LABELS, 3)(seeded(0))
    assert torch.equal(batch["pair"].x, plain)
    assert torch.equal(batch["pair"].y, plain * 10)
    assert torch.equal(batch["list"][0], plain[:, None])
    assert torch.equal(batch["tuple"][0], plain)
    assert len(groups) == 9


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "a", "b"], r"1 of 2 environments have a single row: 'b'.*two rows are the least"),
        ([], "one label for each row"),
        ([[1, 1], [1, 1]], "one label for each row"),
        (np.array(["a", None, "a"], dtype=object), "1 rows have no environment, the first is row 1"),
        ([1.0, 1.0, float("nan")], "the first is row 2"),
    ],
)
def test_environments_that_cannot_be_sampled_are_named(labels: Any, message: str):
    with pytest.raises(wh.DataError, match=message):
        EnvironmentSampler(labels)


def test_settings_and_data_are_checked():
    with pytest.raises(wh.ParameterError, match="per_environment=0"):
        EnvironmentSampler([1, 1], 0)
    for data in (torch.zeros(3), (torch.zeros(2), torch.zeros(())), {"a": np.zeros(2)}):
        with pytest.raises(wh.DataError, match="2 labels of environments, and the data hold"):
            EnvironmentSampler([1, 1], 2, data)


def test_labels_keep_their_type_and_order():
    assert EnvironmentSampler([10, 2, 10, 2]).names == (2, 10)
    assert EnvironmentSampler(torch.tensor([1, 0, 1, 0])).names == (0, 1)
    assert EnvironmentSampler(np.array(["b", "a", "b", "a"], dtype=object)).names == ("a", "b")


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_means_are_taken_over_each_environment_that_is_there(shape: tuple[int, ...]):
    groups = torch.tensor([4, 0, 4, 2, 0, 4])
    values = torch.randn(6, *shape, dtype=torch.float64, generator=seeded(0), requires_grad=True)
    expected = torch.stack([values[groups == k].mean(dim=0) for k in (0, 2, 4)])
    assert torch.allclose(environment_means(values, groups), expected)
    assert torch.autograd.gradcheck(lambda v: environment_means(v, groups), values)


def test_rows_of_environments_are_stacked_where_their_numbers_are_equal():
    values = torch.arange(12.0).reshape(6, 2)
    uneven = torch.tensor([4, 0, 4, 2, 0, 4])
    parts = stacked_environments(uneven, values, uneven)
    assert [part[1].unique().tolist() for part in parts] == [[0], [2], [4]]
    assert all(torch.equal(part[0], values[uneven == k]) for (part, _), k in zip(parts, (0, 2, 4)))
    even = torch.tensor([1, 0, 1, 0, 3, 3])
    ((stacked,),) = stacked_environments(even, values)
    assert torch.equal(stacked, torch.stack([values[even == k] for k in (0, 1, 3)]))


@pytest.mark.parametrize("groups", [torch.zeros(3), torch.zeros(2, dtype=torch.long), torch.zeros(3, 1).long()])
def test_groups_are_one_whole_number_per_row(groups: torch.Tensor):
    with pytest.raises(wh.DataError, match="there are 3 rows"):
        environment_means(torch.zeros(3), groups)
