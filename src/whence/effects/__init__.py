"""Effects: identified before they are estimated, diagnosed and refuted after."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Imported outright: `identify` is a function and a module of this room, and the function must win.
from whence.effects.identification import AdjustmentSet, Identification, Strategy
from whence.effects.identify import identify, is_valid_adjustment
from whence.effects.implied import Independence, implied_independencies

if TYPE_CHECKING:
    from whence.effects.effect import Contrast, Effect
    from whence.effects.estimation import estimate
    from whence.effects.refutation import refute

# Estimation brings SciPy's distributions and is imported on first use.
_HOME = {"Contrast": "effect", "Effect": "effect", "estimate": "estimation", "refute": "refutation"}

__all__ = [
    "AdjustmentSet",
    "Contrast",
    "Effect",
    "Identification",
    "Independence",
    "Strategy",
    "estimate",
    "identify",
    "implied_independencies",
    "is_valid_adjustment",
    "refute",
]


def __getattr__(name: str) -> Any:
    """Import the verbs of estimation from their modules on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'whence.effects' has no attribute {name!r}")
    value = getattr(import_module(f"whence.effects.{_HOME[name]}"), name)
    globals()[name] = value
    return value
