"""The training loop: reproducible, resumable to the bit, stoppable, and leaving the user's random numbers alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import whence as wh
from whence.nn import fit, mlp, reproducible, resolve_device, seeded
from whence.nn._training import Average, rate_factor

X = torch.linspace(-1, 1, 48)[:, None]
Y = X**2 + 0.1 * torch.sin(9 * X)


class Order:
    """Batches with a state of their own: every row once before any again."""

    def __init__(self) -> None:
        self.left = torch.zeros(0, dtype=torch.long)

    def __call__(self, generator: torch.Generator) -> dict[str, Any]:
        if len(self.left) < 8:
            self.left = torch.randperm(len(X), generator=generator)
        rows, self.left = self.left[:8], self.left[8:]
        return {"x": X[rows], "more": (Y[rows], [rows])}

    def state_dict(self) -> dict[str, Any]:
        return {"left": self.left}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.left = state["left"]


def network() -> nn.Module:
    with reproducible(1):
        return nn.Sequential(nn.Linear(1, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Dropout(0.1), nn.Linear(12, 1))


def squared_error(model: nn.Module, batch: dict[str, Any], step: int) -> dict[str, torch.Tensor]:
    error = (model(batch["x"]) - batch["more"][0]).square().mean()
    return {"loss": error + 0.0 * step, **({"late": error.sqrt()} if step >= 3 else {})}


def far_off(model: nn.Module) -> float:
    torch.rand(3)  # a validation may draw, and changes nothing by it
    return float((model(X) - Y).square().mean())


RICH: dict[str, Any] = {
    "steps": 60,
    "learning_rate": 1e-2,
    "schedule": "cosine",
    "clip": 1.0,
    "average": 0.9,
    "validate": far_off,
    "validate_every": 7,
    "checkpoint_every": 10,
}


def trained(batches: Callable[[torch.Generator], Any] | None = None, **settings: Any) -> tuple[nn.Module, Any]:
    model = network()
    return model, fit(model, squared_error, batches or Order(), **{**RICH, **settings})


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def same_logs(one: Any, other: Any) -> bool:
    arrays = [(one.losses[name], other.losses[name]) for name in one.losses]
    arrays += [(one.validation, other.validation), (one.validation_steps, other.validation_steps)]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in arrays) and one.best_step == other.best_step


class Pressed:
    """Batches that press Ctrl-C at a step, as a person would: the signal comes in the middle of the step."""

    def __init__(self, at: int, order: Order) -> None:
        self.at, self.order, self.calls = at, order, 0
        self.state_dict, self.load_state_dict = order.state_dict, order.load_state_dict

    def __call__(self, generator: torch.Generator) -> Any:
        self.calls += 1
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return self.order(generator)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimiser": partial(torch.optim.SGD, momentum=0.9, nesterov=True), "schedule": "onecycle"},
        {"optimiser": "adamw", "average": None, "schedule": lambda step: 0.99**step, "precision": "bf16"},
        {"learning_rate": "groups", "validate": None, "schedule": None},
        {"patience": 2, "learning_rate": 0.3, "schedule": "linear"},
    ],
    ids=["adam", "momentum", "bf16", "groups", "patience"],
)
@pytest.mark.parametrize("at", [1, 10, 23])
def test_a_run_cut_anywhere_ends_with_the_same_bits(settings: dict[str, Any], at: int, tmp_path: Path):
    def run(batches: Any, checkpoint: Path | None) -> tuple[nn.Module, Any]:
        model = network()
        given = dict(settings)
        if given.get("learning_rate") == "groups":
            given["learning_rate"] = [(model[0], 1e-2), (model[4].parameters(), 1e-3)]
        return model, fit(model, squared_error, batches, checkpoint=checkpoint, **{**RICH, **given})

    whole, log = run(Order(), None)
    assert log.stopped == ("patience" if "patience" in settings else "steps")
    _, cut = run(Pressed(at, Order()), tmp_path / "run.pt")
    assert (cut.stopped, cut.steps) == ("interrupted", at)
    resumed, again = run(Order(), tmp_path / "run.pt")
    assert same_weights(whole, resumed)
    assert same_logs(log, again)
    finished, third = run(Order(), tmp_path / "run.pt")  # what is finished is not trained again
    assert same_weights(whole, finished)
    assert same_logs(log, third)


def test_a_run_stopped_by_time_goes_on_where_it_was(tmp_path: Path):
    whole, log = trained()
    stops = []
    for _ in range(100):
        resumed, part = trained(seconds=1e-9, checkpoint=tmp_path / "run.pt")
        stops.append(part.stopped)
        if part.steps == 60:
            break
    assert set(stops) == {"seconds"}
    assert len(stops) == 60
    resumed, again = trained(checkpoint=tmp_path / "run.pt")
    assert again.stopped == "steps"
    assert same_weights(whole, resumed)
    assert same_logs(log, again)


def test_more_steps_are_allowed_without_a_schedule(tmp_path: Path):
    settings = {"schedule": None, "checkpoint": tmp_path / "run.pt"}
    trained(**{**settings, "steps": 25})
    longer, log = trained(**settings)
    whole, once = trained(schedule=None)
    assert same_weights(longer, whole)
    assert same_logs(log, once)


def test_one_seed_one_run_and_nobody_elses_random_numbers():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, log = trained(random_state=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    second, again = trained(random_state=3)
    assert same_weights(first, second)
    assert same_logs(log, again)
    other, _ = trained(random_state=4)
    assert not same_weights(first, other)


def test_the_global_state_is_restored_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        fit(network(), lambda model, batch, step: 1 / 0, Order(), steps=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_seeds_of_the_library_become_generators():
    assert torch.equal(torch.rand(3, generator=seeded(2)), torch.rand(3, generator=seeded(2)))
    assert not torch.equal(torch.rand(3, generator=seeded(2)), torch.rand(3, generator=seeded(3)))
    rng = np.random.default_rng(0)
    assert not torch.equal(torch.rand(3, generator=seeded(rng)), torch.rand(3, generator=seeded(rng)))
    with pytest.raises(wh.ParameterError, match="no seed"):
        seeded(-1)
    with reproducible(0) as generator:
        assert not torch.equal(torch.rand(3), torch.rand(3, generator=generator))


def test_a_device_that_is_not_there_is_said():
    assert resolve_device("auto").type in ("cpu", "cuda")
    with pytest.raises(wh.ParameterError, match=r"device='abacus'.*no name of a device"):
        resolve_device("abacus")
    with pytest.raises(wh.ParameterError, match=r"shows \d+ GPUs"):
        resolve_device("cuda:9")


def test_ctrl_c_keeps_what_was_learned(tmp_path: Path):
    path = tmp_path / "run.pt"
    model, log = trained(Pressed(30, Order()), checkpoint=path)
    assert log.stopped == "interrupted"
    assert "stopped by interrupted" in repr(log)
    assert len(log.losses["loss"]) == log.steps == 30
    with torch.no_grad():
        assert far_off(model) < far_off(network().eval())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_raised_inside_the_loss_ends_the_run_before_that_step():
    def loss(model: nn.Module, batch: Any, step: int) -> Any:
        if step == 12:
            raise KeyboardInterrupt
        return squared_error(model, batch, step)

    model, reference = network(), network()
    log = fit(model, loss, Order(), steps=60)
    fit(reference, squared_error, Order(), steps=12)
    assert (log.steps, log.stopped, len(log.losses["loss"])) == (12, "interrupted", 12)
    assert same_weights(model, reference)


def test_ctrl_c_pressed_twice_raises():
    def stuck(model: nn.Module, batch: Any, step: int) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return squared_error(model, batch, step)

    with pytest.raises(KeyboardInterrupt):
        fit(network(), stuck, Order(), steps=3)


def test_a_loss_that_is_not_finite_names_the_step_and_spares_the_weights():
    def loss(model: nn.Module, batch: Any, step: int) -> Any:
        parts = squared_error(model, batch, step)
        return {**parts, "loss": parts["loss"] * (float("nan") if step == 5 else 1.0)}

    model, reference = network(), network()
    with pytest.raises(wh.NotConverged, match=r"loss is nan at step 5, late is .*Lower learning_rate.*\[E601\]"):
        fit(model, loss, Order(), steps=20)
    fit(reference, squared_error, Order(), steps=5)
    model.eval()
    trained_part = [torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters())]
    assert all(trained_part)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda model: model(X), r"shape \(48, 1\)"),
        (lambda model: {"error": model(X).mean()}, "without 'loss'"),
        (lambda model: model(X).mean().detach(), "no trained parameter"),
        (lambda model: {"loss": model(X).mean(), "text": "low"}, "'text' as str"),
    ],
)
def test_a_loss_that_cannot_be_minimised_is_said(returned: Callable[[nn.Module], Any], message: str):
    with pytest.raises(wh.ParameterError, match=message):
        fit(network(), lambda model, batch, step: returned(model), Order(), steps=1)


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"learning_rate": "fast"},
        {"average": 1.0},
        {"clip": 0.0},
        {"precision": "int4"},
        {"optimiser": "newton"},
        {"schedule": "sawtooth"},
        {"patience": 0},
        {"validate_every": 2.5},
    ],
    ids=str,
)
def test_impossible_settings_are_named(settings: dict[str, Any]):
    (name,) = settings
    with pytest.raises(wh.ParameterError, match=name):
        fit(network(), squared_error, Order(), **{"steps": 1, **settings})


def test_groups_of_parameters_are_checked():
    model = network()
    with pytest.raises(wh.ParameterError, match="in two groups"):
        fit(model, squared_error, Order(), steps=1, learning_rate=[(model, 1e-3), (model[0], 1e-2)])
    with pytest.raises(wh.ParameterError, match="no parameter that requires a gradient"):
        fit(network().requires_grad_(False), squared_error, Order(), steps=1)


def test_what_is_in_no_group_is_not_trained():
    model, before = network(), network()
    fit(model, squared_error, Order(), steps=5, learning_rate=[(model[4], 1e-2)])
    assert torch.equal(model[0].weight, before[0].weight)
    assert not torch.equal(model[4].weight, before[4].weight)


def test_frozen_modules_stay_as_in_use():
    model = network()
    model[1].requires_grad_(False)
    statistics = model[1].running_mean.clone()
    fit(model, squared_error, Order(), steps=5)
    assert torch.equal(model[1].running_mean, statistics)
    assert not model.training


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    path = tmp_path / "run.pt"
    trained(checkpoint=path)
    with pytest.raises(wh.ParameterError, match=r"average=0\.9, now 0\.99"):
        trained(checkpoint=path, average=0.99)
    with pytest.raises(wh.ParameterError, match="steps=60, now 70"):
        trained(checkpoint=path, steps=70)
    with pytest.raises(wh.DataError, match=r"do not fit.*missing"):
        fit(mlp([1, 3, 1]), squared_error, Order(), checkpoint=path, **RICH)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(wh.DataError, match="cannot be read"):
        trained(checkpoint=path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.pt"]


def test_the_model_ends_with_the_best_weights():
    values = iter([5.0, 3.0, float("nan"), 4.0, 6.0])
    seen: list[list[torch.Tensor]] = []

    def validate(model: nn.Module) -> float:
        assert not model.training
        assert not torch.is_grad_enabled()
        seen.append([tensor.clone() for tensor in model.state_dict().values()])
        return next(values)

    model = network()
    log = fit(model, squared_error, Order(), steps=100, validate=validate, validate_every=10, patience=3, average=0.8)
    assert (log.best_step, log.steps, log.stopped) == (20, 50, "patience")
    assert log.validation_steps.tolist() == [10, 20, 30, 40, 50]
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), seen[1]))


def test_the_last_weights_are_validated_too():
    log = fit(network(), squared_error, Order(), steps=25, validate=far_off, validate_every=10)
    assert log.validation_steps.tolist() == [10, 20, 25]


def test_the_average_is_the_exponential_moving_average():
    model, decay = mlp([1, 2]), 0.7
    average = Average(model, decay)
    expected = model[0].weight.detach().double().clone()
    for step in range(6):
        with torch.no_grad():
            model[0].weight.add_(1.0 + step)
        average.update(step)
        kept = min(decay, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * model[0].weight.detach().double()
    assert torch.allclose(average.state["0.weight"].double(), expected, rtol=1e-6)
    own = model[0].weight.detach().clone()
    with average.applied(model):
        assert torch.equal(model[0].weight, average.state["0.weight"])
    assert torch.equal(model[0].weight, own)


@pytest.mark.parametrize("steps", [4, 7, 100])
@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
def test_schedules_agree_with_pytorchs(steps: int):
    optim = torch.optim
    kinds = {
        "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=steps),
        "linear": lambda o: optim.lr_scheduler.LinearLR(o, 1.0, 0.0, total_iters=steps),
        "onecycle": lambda o: optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=steps, cycle_momentum=False),
    }
    for name, make in kinds.items():
        optimiser = optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = make(optimiser)
        expected = []
        for _ in range(steps):
            expected.append(scheduler.get_last_lr()[0])
            optimiser.step()
            if len(expected) < steps:
                scheduler.step()
        assert [rate_factor(name, steps)(step) for step in range(steps)] == pytest.approx(expected, abs=1e-12), name


def test_rates_follow_groups_and_schedule():
    seen = []

    class Watched(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    model = network()
    rates = [(model[0], 0.1), (model[4].parameters(), 0.01)]
    fit(
        model,
        squared_error,
        Order(),
        steps=3,
        learning_rate=rates,
        optimiser=Watched,
        schedule=lambda step: 1 / 2**step,
    )
    assert np.allclose(seen, [[0.1, 0.01], [0.05, 0.005], [0.025, 0.0025]])


def test_clipping_bounds_the_whole_gradient():
    model = mlp([1, 4, 1])
    norms = []

    class Watched(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            norms.append(float(torch.cat([p.grad.flatten() for p in model.parameters()]).norm()))
            return super().step(closure)

    def loss(model: nn.Module, batch: Any, step: int) -> torch.Tensor:
        return 1e3 * squared_error(model, batch, step)["loss"]

    fit(model, loss, Order(), steps=4, clip=0.5, learning_rate=1e-4, optimiser=Watched)
    assert max(norms) == pytest.approx(0.5, rel=1e-4)


def test_the_log_is_a_table():
    log = fit(network(), squared_error, Order(), steps=12, validate=far_off, validate_every=5)
    table = log.table("pandas")
    assert table.columns.tolist() == ["step", "loss", "late", "validation"]
    assert table["step"].tolist() == list(range(1, 13))
    assert table["late"].isna().sum() == 3
    assert table.loc[table["validation"].notna(), "step"].tolist() == [5, 10, 12]
    assert table["validation"].iloc[-1] == log.validation[-1]


def test_progress_goes_to_a_callback_or_a_bar(capfd: pytest.CaptureFixture[str]):
    seen = []
    fit(network(), squared_error, Order(), steps=3, progress=lambda *step: seen.append(step))
    assert seen == [("training", k, 3) for k in (1, 2, 3)]
    fit(network(), squared_error, Order(), steps=3)
    assert capfd.readouterr().err == ""
    fit(network(), squared_error, Order(), steps=3, progress=True)
    assert capfd.readouterr().out == ""
