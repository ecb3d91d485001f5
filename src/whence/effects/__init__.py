"""Effects: identified before they are estimated, diagnosed and refuted after."""

# Imported outright: `identify` is a function and a module of this room, and the function must win.
from whence.effects.identification import AdjustmentSet, Identification, Strategy
from whence.effects.identify import identify, is_valid_adjustment

__all__ = ["AdjustmentSet", "Identification", "Strategy", "identify", "is_valid_adjustment"]
