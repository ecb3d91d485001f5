"""One training loop for every network here: reproducible, resumable, stoppable.

A run is a function of its inputs and ``random_state``. Stopped anywhere and called again with the same checkpoint, it
ends with the same bits as a run that was never stopped (on one processor with one number of threads).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from whence.nn._run import Batches, Loss, Run, Stopped, Validate
from whence.nn._settings import Optimiser, Rates, Settings
from whence.nn._training import Bar, Schedule, hearing_interrupts
from whence.nn.seeds import Device, reproducible, resolve_device
from whence.parallel import Progress, RandomState
from whence.results import make_frame


@dataclass(frozen=True, slots=True, eq=False)
class TrainingLog:
    """What happened in a training run.

    Attributes
    ----------
    steps : int
        Steps made, those before a resumption included.
    seconds : float
        Wall-clock time of all of them.
    stopped : str
        Why it ended: ``"steps"``, ``"patience"``, ``"seconds"`` or ``"interrupted"``.
    losses : mapping of str to ndarray (steps,)
        ``"loss"`` and whatever else the loss function returned; NaN at steps where a name was not returned.
    validation_steps, validation : ndarray (validations,)
        After how many steps the model was validated, and the values.
    best_step : int or None
        After how many steps the returned weights stood, where validation chose them.
    """

    steps: int
    seconds: float
    stopped: Stopped
    losses: Mapping[str, np.ndarray]
    validation_steps: np.ndarray
    validation: np.ndarray
    best_step: int | None = None

    def table(self, library: str = "pyarrow") -> Any:
        """Return one row per step: its number, the losses and, where there is one, the validation after it."""
        columns: dict[str, Any] = {"step": np.arange(1, self.steps + 1), **self.losses}
        if self.validation.size:
            columns["validation"] = np.full(self.steps, np.nan)
            columns["validation"][self.validation_steps - 1] = self.validation
        return make_frame(columns, library)

    def __repr__(self) -> str:
        first, last = (self.losses["loss"][k] for k in (0, -1)) if self.steps else (math.nan, math.nan)
        best = (
            f", best validation {np.nanmin(self.validation):.4g} after step {self.best_step}" if self.best_step else ""
        )
        said = f"{self.steps} steps in {self.seconds:.1f} s, loss {first:.4g} to {last:.4g}{best}"
        return f"<TrainingLog: {said}, stopped by {self.stopped}>"


def fit(
    model: nn.Module,
    loss: Loss,
    batches: Batches,
    *,
    steps: int,
    learning_rate: Rates = 1e-3,
    optimiser: Optimiser = "adam",
    schedule: Schedule = None,
    clip: float | None = None,
    average: float | None = None,
    precision: str = "float32",
    device: Device = "cpu",
    validate: Validate | None = None,
    validate_every: int = 100,
    patience: int | None = None,
    seconds: float | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    progress: bool | Progress | None = None,
    random_state: RandomState = 0,
) -> TrainingLog:
    """Train a model in place and return what happened.

    On return the model is on ``device``, in evaluation mode, and has the weights of the best validation; without
    validation the averaged weights; without an average the last ones. PyTorch's global random numbers are as before.

    Parameters
    ----------
    model : torch.nn.Module
        Parameters that require a gradient are trained. Modules whose parameters are all frozen stay in evaluation mode.
    loss : callable
        ``loss(model, batch, step)``, step from 0, returns a tensor of one number, or a mapping of these in which
        ``"loss"`` is minimised and all are logged.
    batches : callable
        ``batches(generator)`` returns the next batch, tensors nested in tuples, lists and mappings; it takes its chance
        from the generator. If it has ``state_dict`` and ``load_state_dict``, its state goes into the checkpoint.
    steps : int
        Steps in all, those before a resumption included.
    learning_rate : float or list of (parameters, float)
        One rate, or one for each group: a module or its parameters. What is in no group is not trained.
    optimiser : str or callable
        ``"adam"``, ``"adamw"``, ``"sgd"``, or a function that takes PyTorch's parameter groups, such as
        ``functools.partial(torch.optim.SGD, momentum=0.9)``.
    schedule : str, callable or None
        The rate's course: ``"cosine"`` and ``"linear"`` fall to zero, ``"onecycle"`` rises to it in the first 30 % of
        the steps and falls; or a function from the step to a factor.
    clip : float or None
        Largest Euclidean norm of the whole gradient.
    average : float or None
        Decay of an exponential moving average of the weights, such as 0.999; it counts from the start at a lower decay.
    precision : str
        ``"float32"``, or ``"bf16"`` or ``"fp16"`` for automatic mixed precision.
    validate : callable or None
        ``validate(model)`` returns a number, lower is better. It runs without gradients, in evaluation mode, with the
        averaged weights, and with the same random numbers each time.
    validate_every : int
        Steps between validations; the last weights are validated too.
    patience : int or None
        Stop after this many validations in a row without a new best.
    seconds : float or None
        Stop after this time in this call.
    checkpoint : path or None
        File to write the whole state to, and to go on from if it is there. A finished run is not trained again.
    checkpoint_every : int
        Steps between two writings; it is written at every end too.
    progress : bool, callable or None
        A bar at once, never, or (None) after two seconds on a terminal; or ``progress("training", done, steps)``.
    random_state : int, numpy.random.Generator or None
        Determines dropout and batches; not the weights that the model came with (see `reproducible`).

    Raises
    ------
    ParameterError
        If a setting is impossible, the loss is not one number that depends on a trained parameter, or the checkpoint
        belongs to a run with other settings.
    DataError
        If the checkpoint cannot be read or written, or belongs to another model.
    NotConverged
        If the loss is not finite; on the processor the weights are those before that step.

    Notes
    -----
    Ctrl-C ends the run after the step it is in: the checkpoint is written, the model keeps what was learned, and
    ``stopped`` says ``"interrupted"``. Pressed twice it raises `KeyboardInterrupt`.

    Examples
    --------
    >>> import torch
    >>> from whence.nn import fit, mlp, reproducible
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> with reproducible(0):
    ...     model = mlp([1, 16, 1], "tanh")
    >>> def squared_error(model, rows, step):
    ...     return (model(x[rows]) - x[rows] ** 2).square().mean()
    >>> log = fit(model, squared_error, lambda g: torch.randint(64, (32,), generator=g), steps=300, learning_rate=1e-2)
    >>> log.steps, log.stopped, bool(log.losses["loss"][-1] < 0.01)
    (300, 'steps', True)
    """
    place = resolve_device(device)
    settings = Settings(
        steps, learning_rate, optimiser, schedule, clip, average, precision, validate_every, patience, checkpoint_every
    )
    settings.check()
    record = settings.record(random_state)
    model.to(place)
    with reproducible(random_state, place) as generator, torch.enable_grad():
        run = Run(model, loss, batches, settings, place, generator, validate)
        save = _nothing
        if checkpoint is not None:
            run.resume(checkpoint, record)
            save = partial(run.save, checkpoint, record)
        with hearing_interrupts() as interrupted, Bar(progress, steps) as bar:
            run.go_on(save, seconds, interrupted, bar)
        run.close()
    return TrainingLog(
        run.step,
        run.seconds,
        run.stopped or "steps",
        run.history(),
        np.array([step for step, _ in run.validations], dtype=np.int64),
        np.array([value for _, value in run.validations], dtype=np.float64),
        run.best[0] if run.best is not None else None,
    )


def _nothing() -> None:
    """Save nothing: the run has no checkpoint."""
