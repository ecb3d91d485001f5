"""One description of an intervention, which every model in the library answers to.

An `Intervention` names targets and says what becomes of each: set to a value, shifted, clamped into a range, or passed
through a function. It knows no model: a linear structural model, a causal code inside a network and a change of domain
all take the same object, each in the units of its own variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from whence.errors import ParameterError, quote_names

if TYPE_CHECKING:
    from whence.graph import Graph

Values = TypeVar("Values")
"""A NumPy array or a torch tensor: changes return what they are given."""


@dataclass(frozen=True, slots=True)
class SetTo:
    """The variable takes a value whatever its causes say: the do() of Pearl (2009), section 3.2.

    Parameters
    ----------
    value : number, str or sequence of numbers
        A sequence holds one number for each row. Text is for variables whose values are names, such as a domain.
    """

    value: Any

    def __call__(self, natural: Values) -> Values:
        """Return the value in the shape of ``natural``, (n,) or (n, width)."""
        return _spread(self.value, natural)  # type: ignore[no-any-return]

    def rows(self, chosen: slice) -> SetTo:
        """Return the change of some of the rows."""
        return SetTo(self.value[chosen]) if isinstance(self.value, tuple) else self

    def rescaled(self, center: float, scale: float) -> SetTo:
        """Return the same change of ``(x - center) / scale``."""
        return SetTo(_each(self.value, lambda value: (value - center) / scale))

    def __str__(self) -> str:
        return f"= {_shown(self.value)}"


@dataclass(frozen=True, slots=True)
class ShiftBy:
    """The variable takes the value its causes give it, plus an amount (one, or one for each row)."""

    amount: Any

    def __call__(self, natural: Values) -> Values:
        """Return ``natural`` plus the amount."""
        return natural + _spread(self.amount, natural)  # type: ignore[no-any-return]

    def rows(self, chosen: slice) -> ShiftBy:
        """Return the change of some of the rows."""
        return ShiftBy(self.amount[chosen]) if isinstance(self.amount, tuple) else self

    def rescaled(self, center: float, scale: float) -> ShiftBy:
        """Return the same change of ``(x - center) / scale``."""
        return ShiftBy(_each(self.amount, lambda amount: amount / scale))

    def __str__(self) -> str:
        return f"shifted by {_shown(self.amount)}"


@dataclass(frozen=True, slots=True)
class ClampTo:
    """The variable takes the value its causes give it, held between two bounds; None leaves a side open."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ParameterError("E641", "a clamp without bounds changes nothing.", "Give low=, high= or both.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ParameterError(
                "E641", f"the clamp's low bound {self.low:g} is above its high bound {self.high:g}.", "Swap them."
            )

    def __call__(self, natural: Values) -> Values:
        """Return ``natural`` with what lies outside moved to the nearer bound."""
        return natural.clip(self.low, self.high)  # type: ignore[attr-defined, no-any-return]

    def rows(self, chosen: slice) -> ClampTo:
        """Return the change of some of the rows: itself."""
        return self

    def rescaled(self, center: float, scale: float) -> ClampTo:
        """Return the same change of ``(x - center) / scale``."""
        low, high = (None if bound is None else (bound - center) / scale for bound in (self.low, self.high))
        return ClampTo(low, high) if scale > 0 else ClampTo(high, low)

    def __str__(self) -> str:
        low = "" if self.low is None else f"{self.low:g} <= "
        return f"clamped to {low}x" + ("" if self.high is None else f" <= {self.high:g}")


@dataclass(frozen=True, slots=True)
class TransformBy:
    """The variable takes a function of the value its causes give it."""

    function: Callable[[Any], Any]

    def __call__(self, natural: Values) -> Values:
        """Return the function of ``natural``."""
        return self.function(natural)  # type: ignore[no-any-return]

    def rows(self, chosen: slice) -> TransformBy:
        """Return the change of some of the rows: itself."""
        return self

    def rescaled(self, center: float, scale: float) -> TransformBy:
        """Return the same change of ``(x - center) / scale``."""
        function = self.function
        return TransformBy(lambda code: (function(code * scale + center) - center) / scale)

    def __str__(self) -> str:
        return f"passed through {getattr(self.function, '__name__', repr(self.function))}"


Change = SetTo | ShiftBy | ClampTo | TransformBy
_CHANGES = (SetTo, ShiftBy, ClampTo, TransformBy)


@dataclass(frozen=True, slots=True)
class Intervention:
    """What is changed, and how; immutable, and independent of any model.

    Attributes
    ----------
    changes : mapping of str to SetTo, ShiftBy, ClampTo or TransformBy

    Examples
    --------
    >>> raised = intervene(dose=2.0, age=shift_by(10))
    >>> raised
    do(dose = 2, age shifted by 10)
    >>> raised.targets
    ('dose', 'age')
    """

    changes: Mapping[str, Change] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "changes", MappingProxyType(dict(self.changes)))

    @staticmethod
    def of(given: Intervention | Mapping[str, Any] | None = None, /, **named: Any) -> Intervention:
        """Return an intervention from one, from a mapping of names to changes or values, or from keywords.

        A bare value means `SetTo`; a function means `TransformBy`.

        Raises
        ------
        ParameterError
            E640 for something that is none of these.
        """
        if given is not None and not isinstance(given, (Intervention, Mapping)):
            raise ParameterError(
                "E640",
                f"{type(given).__name__} {given!r} is no intervention.",
                "Name what is changed: do={'dose': 2.0}, or wh.intervene(dose=wh.shift_by(1)).",
            )
        listed = given.changes if isinstance(given, Intervention) else given or {}
        return Intervention({str(name): _as_change(value) for name, value in {**listed, **named}.items()})

    @property
    def targets(self) -> tuple[str, ...]:
        """The variables that are changed, in the order given."""
        return tuple(self.changes)

    def then(self, other: Intervention) -> Intervention:
        """Return both; where the two change the same variable, the later change takes the place of the earlier."""
        return Intervention({**self.changes, **other.changes})

    def apply(self, target: str, natural: Values) -> Values:
        """Return what becomes of the values that the causes of ``target`` give it; unchanged if it is no target."""
        change = self.changes.get(target)
        return natural if change is None else change(natural)

    def rescaled(self, center: Mapping[str, float], scale: Mapping[str, float]) -> Intervention:
        """Return the same intervention on standardised variables, ``(x - center) / scale`` of each."""
        return Intervention({name: change.rescaled(center[name], scale[name]) for name, change in self.changes.items()})

    def rows(self, chosen: slice) -> Intervention:
        """Return the intervention on some of the rows: changes with one value a row keep theirs."""
        return Intervention({name: change.rows(chosen) for name, change in self.changes.items()})

    def check(self, names: Iterable[str], rows: int | None = None) -> Intervention:
        """Return self; raise ParameterError E640 for a target that is no name, E642 for a wrong number of values."""
        listed = list(names)
        unknown = [name for name in self.changes if name not in listed]
        if unknown:
            raise ParameterError(
                "E640",
                f"there is no variable {quote_names(unknown)} to intervene on.",
                f"Variables: {quote_names(listed)}.",
            )
        for change in self.changes.values():
            held = getattr(change, "value", getattr(change, "amount", None))
            if rows is not None and isinstance(held, tuple) and len(held) != rows:
                raise _other_rows(len(held), rows)
        return self

    def cut(self, graph: Graph) -> Graph:
        """Return the graph of the changed model: edges into variables that are set are gone.

        Shifted, clamped and transformed variables still listen to their causes, so they keep theirs.
        """
        from whence.graph import Graph

        fixed = {name for name, change in self.changes.items() if isinstance(change, SetTo)}
        edges = [edge for edge in graph.edges() if edge.target not in fixed]
        return Graph.from_edges(edges, graph.names, graph.kind)

    def to_dict(self) -> dict[str, str]:
        """Return each target with its change in words."""
        return {name: str(change) for name, change in self.changes.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __repr__(self) -> str:
        return f"do({', '.join(f'{name} {change}' for name, change in self.changes.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Intervention, (dict(self.changes),)


def intervene(given: Intervention | Mapping[str, Any] | None = None, /, **named: Any) -> Intervention:
    """Return an intervention: variables by name, each with a value to set or a change.

    Parameters
    ----------
    given : mapping of str to value or change, optional
        For names that are no Python identifiers: ``intervene({"blood pressure": 120})``.
    **named
        Number, sequence of one number a row, text (a name such as a domain's), `set_to`, `shift_by`, `clamp_to`,
        `transform_by`, or a function of the variable's natural values.

    Examples
    --------
    >>> intervene(PKA=2.0, Akt=clamp_to(high=3))
    do(PKA = 2, Akt clamped to x <= 3)
    """
    return Intervention.of(given, **named)


def set_to(value: Any) -> SetTo:
    """Set a variable to a value, one for all rows or one for each: ``intervene(dose=set_to(2.0))``."""
    return _as_set(value)


def shift_by(amount: Any) -> ShiftBy:
    """Add an amount to what a variable's causes give it: ``intervene(dose=shift_by(0.5))``."""
    return ShiftBy(_frozen(amount))


def clamp_to(low: float | None = None, high: float | None = None) -> ClampTo:
    """Hold a variable between two bounds, one of which may be open: ``intervene(dose=clamp_to(high=3.0))``."""
    return ClampTo(low, high)


def transform_by(function: Callable[[Any], Any]) -> TransformBy:
    """Pass a variable through a function of an array: ``intervene(dose=transform_by(lambda dose: dose / 2))``."""
    return TransformBy(function)


def _as_change(value: Any) -> Change:
    if isinstance(value, _CHANGES):
        return value
    return TransformBy(value) if callable(value) else _as_set(value)


def _as_set(value: Any) -> SetTo:
    return SetTo(value if isinstance(value, str) else _frozen(value))


def _frozen(value: Any) -> Any:
    """Return a number as a float and a sequence of numbers as a tuple, so that a change is immutable."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty((0, 0))
    if array.ndim > 1 or not array.size or not np.isfinite(array).all():
        raise ParameterError(
            "E640", f"{value!r} is no value to intervene with.", "Give a finite number, or one for each row."
        )
    return float(array) if array.ndim == 0 else tuple(array.tolist())


def _each(value: Any, function: Callable[[float], float]) -> Any:
    if isinstance(value, str):
        raise ParameterError("E640", f"{value!r} is a name, and this variable is a number.", "Give a number.")
    return tuple(function(one) for one in value) if isinstance(value, tuple) else function(value)


def _spread(value: Any, natural: Any) -> Any:
    """Return a value, or one for each row, in the shape and kind (array, tensor) of ``natural``."""
    if isinstance(value, str):
        raise ParameterError("E640", f"{value!r} is a name, and this variable is a number.", "Give a number.")
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 1 and len(array) != natural.shape[0]:
        raise _other_rows(len(array), natural.shape[0])
    array = array.reshape(array.shape + (1,) * (natural.ndim - 1)) if array.ndim else array
    if isinstance(natural, np.ndarray):
        return np.broadcast_to(array, natural.shape).astype(natural.dtype)
    return natural.new_tensor(array).expand(natural.shape)


def _other_rows(held: int, rows: int) -> ParameterError:
    return ParameterError(
        "E642",
        f"the intervention holds {held} values for {rows} rows.",
        "Give one number for all rows, or one for each row.",
    )


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    return f"{len(value)} values, one a row" if isinstance(value, tuple) else f"{value:g}"
