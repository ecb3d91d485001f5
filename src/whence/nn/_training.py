"""Parts of the training loop: schedules, averaged weights, moving batches, hearing Ctrl-C, the progress bar."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from torch import Tensor, nn

from whence.errors import ParameterError
from whence.parallel import Progress

Schedule = str | Callable[[int], float] | None

_WARM_SHARE, _FIRST, _LAST = 0.3, 1 / 25, 1 / 25e4  # the one-cycle policy's usual shape
_BAR_AFTER = 2.0  # seconds of work before a bar appears
_BAR_EVERY = 0.2


def rate_factor(schedule: Schedule, steps: int) -> Callable[[int], float]:
    """Return by what the learning rate is multiplied at each step, counted from 0.

    Raises
    ------
    ParameterError
        If the schedule has an unknown name.
    """
    if callable(schedule):
        return schedule
    shapes: dict[str | None, Callable[[int], float]] = {
        None: lambda step: 1.0,
        "linear": lambda step: 1.0 - step / steps,
        "cosine": lambda step: _cosine(1.0, 0.0, step / steps),
        "onecycle": lambda step: _one_cycle(step, steps),
    }
    if schedule not in shapes:
        raise ParameterError(
            "E602",
            f"schedule={schedule!r} is not known.",
            "Known: None, 'cosine', 'onecycle', 'linear', or a function from the step to a factor.",
        )
    return shapes[schedule]


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))


def _one_cycle(step: int, steps: int) -> float:
    """Smith and Topin (2019): up to the given rate, then down to nearly nothing."""
    top = max(_WARM_SHARE * steps - 1.0, 1e-9)
    if step <= top:
        return _cosine(_FIRST, 1.0, step / top)
    return _cosine(1.0, _LAST, min((step - top) / max(steps - 1.0 - top, 1e-9), 1.0))


class Average:
    """Exponential moving average of a model's weights; whole numbers among its buffers are copied.

    The decay grows with the number of steps, min(decay, (1 + step) / (10 + step)), so that the first weights, which are
    random, are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        own = model.state_dict(keep_vars=True)
        self.state = copied(own)
        real = [name for name, tensor in own.items() if tensor.is_floating_point()]
        self._own = [own[name].detach() for name in real]
        self._averaged = [self.state[name] for name in real]
        self._counts = [(self.state[name], tensor) for name, tensor in own.items() if name not in set(real)]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the model's weights after a step, counted from 0."""
        kept = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averaged, self._own, 1.0 - kept)
        for averaged, own in self._counts:
            averaged.copy_(own)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from the averages of a checkpoint."""
        for name, tensor in self.state.items():
            tensor.copy_(state[name])

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Let the model have the averaged weights inside a block, and its own after it."""
        own = copied(model.state_dict())
        put(model, self.state)
        try:
            yield
        finally:
            put(model, own)


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a copy of a state that later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


@torch.no_grad()
def put(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy numbers into the model's own tensors."""
    for name, tensor in model.state_dict().items():
        tensor.copy_(state[name])


def training_mode(model: nn.Module) -> None:
    """Put a model into training mode, except modules whose parameters are all frozen: these stay as in use.

    Frozen batch normalisation keeps its running statistics and frozen layers drop nothing out.
    """
    parameters = list(model.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        model.eval()
        return
    model.training = True
    for child in model.children():
        training_mode(child)


def to_device(batch: Any, device: torch.device) -> Any:
    """Return a nested tuple, list or mapping with every tensor, and whatever else has ``to``, on the device."""
    if isinstance(batch, Mapping):
        return {name: to_device(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(to_device(value, device) for value in batch)
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    return batch.to(device) if hasattr(batch, "to") else batch


@contextmanager
def hearing_interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C was pressed, so that a step is never cut in two; twice raises."""
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or not default:
        yield lambda: False
        return
    pressed = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Bar(AbstractContextManager["Bar"]):
    """A progress bar on the terminal's error stream: at once (True), never (False), or for long work only (None)."""

    def __init__(self, progress: bool | Progress | None, steps: int) -> None:
        self._call = progress if callable(progress) else None
        self._wait = None if progress is False or callable(progress) else 0.0 if progress else _BAR_AFTER
        if progress is None and not sys.stderr.isatty():
            self._wait = None
        self._steps = steps
        self._started = self._shown = time.perf_counter()
        self._bar: RichProgress | None = None

    def update(self, done: int, text: Callable[[], str]) -> None:
        """Say how many steps are done."""
        if self._call is not None:
            self._call("training", done, self._steps)
        if self._wait is None:
            return
        now = time.perf_counter()
        if now - self._started < self._wait or (now - self._shown < _BAR_EVERY and done < self._steps):
            return
        self._shown = now
        if self._bar is None:
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
            self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=self._steps)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, description=text())

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
