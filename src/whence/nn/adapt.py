"""Change a trained network a little: a few of its parts on new data, or its codes for what looks out of place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whence.errors import ParameterError, quote_names, suggest
from whence.nn._training import training_mode


@contextmanager
def partial_finetune(model: nn.Module, *names: str) -> Iterator[list[nn.Parameter]]:
    """Freeze a model inside a block except for the named parts; afterwards all flags are as before.

    Frozen modules are put into evaluation mode, so that batch normalisation there keeps its statistics; whatever the
    block does to the buffers of frozen parts is undone.

    Parameters
    ----------
    model : torch.nn.Module
    *names : str
        Modules or parameters by their names in the model, such as ``"decoder"`` or ``"blocks.2.weight"``.

    Yields
    ------
    list of torch.nn.Parameter
        What is trained.

    Raises
    ------
    ParameterError
        If the model has no part of a name, or no name is given.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    >>> with partial_finetune(model, "1") as trained:
    ...     print(len(trained), model[0].weight.requires_grad)
    2 False
    >>> model[0].weight.requires_grad
    True
    """
    trained = _named(model, names)
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(own, own.detach().clone()) for name, own in model.named_buffers() if not _inside(name, names)]
    chosen = {id(parameter) for parameter in trained}
    try:
        for parameter, _ in flags:
            parameter.requires_grad_(id(parameter) in chosen)
        training_mode(model)
        yield trained
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for own, before in buffers:
                own.copy_(before)


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """Codes after refinement.

    Attributes
    ----------
    codes : Tensor (N, ...)
        Refined where ``flagged`` and better than before; the given ones, bit for bit, elsewhere.
    flagged : Tensor (N,) of bool
        Rows whose score lay below the gate: also an alarm that they look unlike the reference.
    before, after : Tensor (N,)
        Scores of the given and of the returned codes.
    """

    codes: Tensor
    flagged: Tensor
    before: Tensor
    after: Tensor


class GatedRefiner:
    """Improve codes at test time, but only those that look out of place.

    A score tells how well a code agrees with reference rows; the gate is a low quantile of the scores that real
    reference rows get. Codes below it take a few plain gradient steps up the score, until they reach the gate; all
    others stay as they are, as refinement of what is already right makes it worse. The network is not changed.

    Parameters
    ----------
    score : callable
        ``score(codes, rows)`` returns one number for each code, higher is better and differentiable in the code;
        ``rows`` are the codes' positions among those given to `refine`.
    gate : float or None
        Below it a code is refined; set by `calibrate` if None.
    steps : int
        Gradient steps at most.
    rate : float
        Their length per unit of gradient.

    Raises
    ------
    ParameterError
        If ``steps`` or ``rate`` is not positive.

    Examples
    --------
    >>> refiner = GatedRefiner(lambda codes, rows: -codes.square().sum(dim=1), rate=0.1, steps=20)
    >>> _ = refiner.calibrate(torch.tensor([-1.0, -0.5, -0.2]), quantile=0.0)
    >>> found = refiner.refine(torch.tensor([[0.5, 0.0], [3.0, 0.0]]))
    >>> found.flagged.tolist(), found.codes[0].tolist(), bool(found.after[1] >= -1.0)
    ([False, True], [0.5, 0.0], True)
    """

    def __init__(
        self,
        score: Callable[[Tensor, Tensor], Tensor],
        gate: float | None = None,
        *,
        steps: int = 5,
        rate: float = 0.02,
    ) -> None:
        if steps < 1 or not rate > 0:
            raise ParameterError("E602", f"steps={steps!r}, rate={rate!r} are impossible.", "Give positive numbers.")
        self.score, self.gate, self.steps, self.rate = score, gate, steps, rate

    def calibrate(self, reference_scores: Tensor, quantile: float = 0.1) -> GatedRefiner:
        """Set the gate to a quantile of the scores of real reference rows, and return the refiner."""
        if not 0 <= quantile <= 1 or reference_scores.numel() == 0 or bool(reference_scores.isnan().any()):
            raise ParameterError(
                "E612",
                f"no gate follows from quantile={quantile!r} of {reference_scores.numel()} scores, "
                f"{int(reference_scores.isnan().sum())} of them not numbers.",
                "Give the scores of some reference rows and a quantile between 0 and 1.",
            )
        self.gate = float(torch.quantile(reference_scores.detach().float().flatten(), quantile))
        return self

    def refine(self, codes: Tensor) -> Refined:
        """Return codes of which those below the gate are improved.

        Parameters
        ----------
        codes : Tensor (N, ...)

        Raises
        ------
        ParameterError
            If there is no gate yet.
        """
        if self.gate is None:
            raise ParameterError("E612", "the refiner has no gate.", "Call calibrate(scores of reference rows) first.")
        given = codes.detach()
        with torch.no_grad():
            before = self.score(given, torch.arange(len(given), device=given.device))
        flagged = before < self.gate
        rows = flagged.nonzero().flatten()
        result, after = given.clone(), before.clone()
        if len(rows):
            improved, reached = self._ascend(given[rows], rows, self.gate)
            better = reached > before[rows]
            result[rows[better]], after[rows[better]] = improved[better], reached[better]
        return Refined(result, flagged, before, after)

    def _ascend(self, codes: Tensor, rows: Tensor, gate: float) -> tuple[Tensor, Tensor]:
        for _ in range(self.steps):
            with torch.enable_grad():
                leaf = codes.detach().requires_grad_(True)
                short = (gate - self.score(leaf, rows)).clamp(min=0.0).sum()
                (gradient,) = torch.autograd.grad(short, leaf)
            codes = codes - self.rate * gradient
        with torch.no_grad():
            return codes, self.score(codes, rows)


def _named(model: nn.Module, names: tuple[str, ...]) -> list[nn.Parameter]:
    own = dict(model.named_parameters(remove_duplicate=False))
    known = [*(name for name, _ in model.named_modules() if name), *own]
    for name in names:
        if name not in known:
            tops = [top for top, _ in model.named_children()]
            hint = suggest(name, known) if len(known) < 30 else f"Its parts are {quote_names(tops, 20)}."
            raise ParameterError(
                "E609", f"{type(model).__name__} has no part named {name!r}.", hint.replace("Columns:", "Parts:")
            )
    chosen = {id(each): each for name, each in own.items() if _inside(name, names)}
    if not chosen:
        raise ParameterError("E609", f"no parameter of the model is named by {names!r}.", "Name what is to be trained.")
    return list(chosen.values())


def _inside(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(part + ".") for part in parts)
