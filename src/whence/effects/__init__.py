"""Effects: identified before they are estimated, diagnosed and refuted after."""

# Imported outright: `identify` is a function and a module of this room, and the function must win.
from whence.effects.identification import AdjustmentSet, Identification, Strategy
from whence.effects.identify import identify, is_valid_adjustment
from whence.effects.implied import Independence, implied_independencies

__all__ = [
    "AdjustmentSet",
    "Identification",
    "Independence",
    "Strategy",
    "identify",
    "implied_independencies",
    "is_valid_adjustment",
]
