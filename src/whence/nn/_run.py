"""The training loop: one object holds the state of a run between two steps, and every change of it is here."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from whence.errors import NotConverged
from whence.nn import _checkpoint
from whence.nn._settings import Settings, make_optimiser, scalar_losses
from whence.nn._training import Average, Bar, copied, put, rate_factor, to_device, training_mode
from whence.nn.seeds import global_state, reproducible, restore_global_state
from whence.nn.weights import load_into

Loss = Callable[[nn.Module, Any, int], Tensor | Mapping[str, Tensor | float]]
Batches = Callable[[torch.Generator], Any]
Validate = Callable[[nn.Module], float]
Stopped = Literal["steps", "patience", "seconds", "interrupted"]

_LOOK_EVERY = 20  # steps between two looks at the losses on a GPU: each waits until the GPU has computed them
_VALIDATION_SEED = 0
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Run:
    """A training run, from its first step or from a checkpoint."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        batches: Batches,
        settings: Settings,
        device: torch.device,
        generator: torch.Generator,
        validate: Validate | None,
    ) -> None:
        self.model, self.loss, self.batches, self.settings = model, loss, batches, settings
        self.device, self.generator, self.validate = device, generator, validate
        self.optimiser = make_optimiser(settings, model, device)
        self.rates = [float(group["lr"]) for group in self.optimiser.param_groups]
        self.trained = [part for group in self.optimiser.param_groups for part in group["params"]]
        self.factor = rate_factor(settings.schedule, settings.steps)
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")
        self.average = Average(model, settings.average) if settings.average is not None else None
        self.step, self.seconds = 0, 0.0  # steps done, time they took
        self.losses: list[dict[str, float]] = []
        self.unread: list[dict[str, Tensor]] = []
        self.validations: list[tuple[int, float]] = []
        self.best: tuple[int, float, dict[str, Tensor]] | None = None
        self.stale = 0  # validations since the best
        self.stopped: Stopped | None = None

    def go_on(
        self,
        save: Callable[[], None],
        seconds: float | None,
        interrupted: Callable[[], bool],
        bar: Bar,
    ) -> None:
        """Make steps until there is a reason to stop; state is saved at intervals and at the end."""
        started, before = time.perf_counter(), self.seconds
        training_mode(self.model)
        patience = self.settings.patience
        self.stopped = "patience" if patience is not None and self.stale >= patience else None
        while self.stopped is None and self.step < self.settings.steps:
            try:
                self.make_step()
            except KeyboardInterrupt:  # raised by the loss or the batches themselves: this step is not finished
                if interrupted():
                    raise
                self.read_losses()
                del self.losses[self.step :]
                self.stopped = "interrupted"
                return
            if self.validate is not None and self.step % self.settings.validate_every == 0:
                self.look_at(self.value_now())
            self.seconds = before + time.perf_counter() - started
            if self.stopped is None and interrupted():
                self.stopped = "interrupted"
            elif self.stopped is None and seconds is not None and self.seconds - before >= seconds:
                self.stopped = "seconds"
            if self.step % self.settings.checkpoint_every == 0:
                save()
            bar.update(self.step, self.said)
        self.read_losses()
        self.seconds = before + time.perf_counter() - started
        self.stopped = self.stopped or "steps"
        save()

    def make_step(self) -> None:
        """Draw a batch, compute the loss and its gradient, change the weights."""
        factor = self.factor(self.step)
        for group, rate in zip(self.optimiser.param_groups, self.rates):
            group["lr"] = rate * factor
        batch = to_device(self.batches(self.generator), self.device)
        with self.mixed_precision():
            parts = scalar_losses(self.loss(self.model, batch, self.step), self.step)
        self.unread.append({name: value.detach() for name, value in parts.items()})
        if self.device.type == "cpu" or len(self.unread) == _LOOK_EVERY:
            self.read_losses()
        self.optimiser.zero_grad()
        self.scaler.scale(parts["loss"]).backward()  # type: ignore[no-untyped-call]
        if self.settings.clip is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.step)
        self.step += 1

    def mixed_precision(self) -> AbstractContextManager[Any]:
        """Return the context that the loss is computed in."""
        dtype = _DTYPES.get(self.settings.precision)
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype=dtype)

    def read_losses(self) -> None:
        """Take the losses of the last steps over as numbers.

        Raises
        ------
        NotConverged
            If one of them is not finite.
        """
        for parts in self.unread:
            values = {name: value.item() for name, value in parts.items()}
            if not math.isfinite(values["loss"]):
                self.unread = []
                raise NotConverged(
                    "E601",
                    f"the loss is {values['loss']} at step {len(self.losses)}"
                    + "".join(f", {name} is {value:.4g}" for name, value in values.items() if name != "loss")
                    + ".",
                    "Lower learning_rate, set clip=1.0, scale the inputs to about one, or look for a logarithm or "
                    "a square root of zero in the loss.",
                )
            self.losses.append(values)
        self.unread = []

    def value_now(self) -> float:
        """Return the validation's value for the (averaged) weights of this moment; the model trains on as before."""
        assert self.validate is not None
        averaged = self.average.applied(self.model) if self.average is not None else nullcontext()
        with averaged, torch.no_grad(), reproducible(_VALIDATION_SEED, self.device):
            self.model.eval()
            value = float(self.validate(self.model))
        training_mode(self.model)
        return value

    def look_at(self, value: float) -> None:
        """Note a validation; keep the weights if it is the best, stop if there was none for too long."""
        self.validations.append((self.step, value))
        if not math.isnan(value) and (self.best is None or value < self.best[1]):
            self.best = (self.step, value, copied(self.present_weights()))
            self.stale = 0
            return
        self.stale += 1
        if self.settings.patience is not None and self.stale >= self.settings.patience:
            self.stopped = "patience"

    def present_weights(self) -> Mapping[str, Tensor]:
        """Return the averaged weights where there is an average, else the model's own."""
        return self.average.state if self.average is not None else self.model.state_dict()

    def close(self) -> None:
        """Give the model the weights that the run ends with; validate the last ones if that is still to do."""
        late = self.stopped != "interrupted" and (not self.validations or self.validations[-1][0] != self.step)
        if self.validate is not None and late:
            stopped = self.stopped
            self.look_at(self.value_now())
            self.stopped = stopped
        put(self.model, self.best[2] if self.best is not None else self.present_weights())
        self.model.eval()

    def said(self) -> str:
        """Return the words beside the progress bar."""
        loss = f"loss {self.losses[-1]['loss']:.4g}" if self.losses else ""
        return f"{loss}, best validation {self.best[1]:.4g}" if self.best is not None else loss

    def history(self) -> dict[str, np.ndarray]:
        """Return every loss by its name, NaN at steps that did not have it."""
        names = dict.fromkeys(name for values in self.losses for name in values)
        return {name: np.array([values.get(name, math.nan) for values in self.losses]) for name in names}

    def save(self, path: str | Path, record: Mapping[str, Any]) -> None:
        """Write everything that the next steps depend on."""
        self.read_losses()
        sampler = self.batches if hasattr(self.batches, "state_dict") else None
        _checkpoint.write(
            path,
            {
                "settings": dict(record),
                "step": self.step,
                "seconds": self.seconds,
                "stale": self.stale,
                "best": self.best,
                "validations": self.validations,
                "losses": {name: torch.from_numpy(values) for name, values in self.history().items()},
                "model": self.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
                "average": self.average.state if self.average is not None else None,
                "generator": self.generator.get_state(),
                "global": global_state(self.device),
                "batches": sampler.state_dict() if sampler is not None else None,
            },
        )

    def resume(self, path: str | Path, record: Mapping[str, Any]) -> None:
        """Take over the state of a checkpoint, if there is one."""
        content = _checkpoint.read(path)
        if content is None:
            return
        _checkpoint.check_settings(path, content["settings"], record)
        load_into(self.model, content["model"])
        try:
            self.optimiser.load_state_dict(content["optimiser"])
        except ValueError as error:
            raise _checkpoint.unreadable(path, "its groups of parameters are others") from error
        self.scaler.load_state_dict(content["scaler"])
        if self.average is not None:
            self.average.load(content["average"])
        if content["batches"] is not None and hasattr(self.batches, "load_state_dict"):
            self.batches.load_state_dict(content["batches"])
        self.generator.set_state(content["generator"])
        restore_global_state(content["global"], self.device)
        self.step, self.seconds, self.stale = content["step"], content["seconds"], content["stale"]
        self.best = content["best"]
        self.validations = [tuple(pair) for pair in content["validations"]]
        columns = {name: values.tolist() for name, values in content["losses"].items()}
        self.losses = [{name: values[k] for name, values in columns.items()} for k in range(self.step)]
