"""What a forecaster is asked to be: checked when it is made, saved beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from whence.errors import ParameterError

BackboneName = Literal["mlp", "lstm", "stgat", "pecnet"]
Invariance = Literal["irm", "irm-split", "vrex"]
StyleFrames = Literal["all", "past"]
FrameSetting = Literal["auto", "pair", "heading", "shift"]
Coordinates = Literal["auto", "places", "steps"]
Schedule = Literal["onecycle", "cosine", "linear"]

# Backbone -> whether a forecast has several samples.
BACKBONES: dict[str, bool] = {"mlp": False, "lstm": False, "stgat": True, "pecnet": True}


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """The settings of `CausalMotionForecaster`, which documents them."""

    backbone: BackboneName = "mlp"
    invariance: Invariance | None = None
    lam: float = 1.0
    warm_up: float = 0.1
    style_dim: int = 8
    style_frames: StyleFrames = "all"
    contrastive: float = 0.05
    temperature: float = 0.07
    samples: int = 1
    frame: FrameSetting = "auto"
    neighbours: int | None = None
    coordinates: Coordinates = "auto"
    residual: bool = True
    width: int | None = None
    depth: int = 2
    activation: str = "relu"
    counterfactual: bool = False
    steps: int = 3000
    learning_rate: float = 4e-3
    schedule: Schedule | None = "onecycle"
    batch: int = 64
    clip: float | None = 1.0
    device: str = "cpu"
    random_state: int | None = 0

    def __post_init__(self) -> None:
        _choice("backbone", self.backbone, tuple(BACKBONES))
        _choice("invariance", self.invariance, (None, "irm", "irm-split", "vrex"))
        _choice("style_frames", self.style_frames, ("all", "past"))
        _choice("frame", self.frame, ("auto", "pair", "heading", "shift"))
        _choice("coordinates", self.coordinates, ("auto", "places", "steps"))
        _choice("schedule", self.schedule, (None, "onecycle", "cosine", "linear"))
        for name, least in (("lam", 0.0), ("contrastive", 0.0), ("warm_up", 0.0)):
            value = getattr(self, name)
            if not value >= least:
                raise _out_of_range(name, value, f"a number from {least:g} up")
        for name, least in (("style_dim", 0), ("samples", 1), ("width", 4), ("depth", 1), ("steps", 1), ("batch", 2)):
            value = getattr(self, name)
            if value is None and name == "width":
                continue
            if not isinstance(value, int) or value < least:
                raise _out_of_range(name, value, f"a whole number from {least} up")
        if self.neighbours is not None and (not isinstance(self.neighbours, int) or self.neighbours < 0):
            raise _out_of_range("neighbours", self.neighbours, "a whole number from 0 up, or None")
        if not (self.learning_rate > 0 and self.temperature > 0):
            raise _out_of_range("learning_rate or temperature", self.learning_rate, "positive numbers")
        if self.clip is not None and not self.clip > 0:
            raise _out_of_range("clip", self.clip, "a positive number, or None")
        if self.samples > 1 and not BACKBONES[self.backbone]:
            raise ParameterError(
                "E631",
                f"samples={self.samples} was asked of backbone {self.backbone!r}, which forecasts one path.",
                f"Take samples=1, or backbone {' or '.join(name for name, many in BACKBONES.items() if many)}.",
            )
        if self.counterfactual and self.backbone != "stgat":
            raise ParameterError(
                "E631", "counterfactual=True is a variant of backbone 'stgat'.", "Leave it out, or take stgat."
            )

    @property
    def breadth(self) -> int:
        """Values in each layer: ``width``, or 32 for stgat, as published, and 96 for the others."""
        return self.width or (32 if self.backbone == "stgat" else 96)

    @property
    def in_steps(self) -> bool:
        """Whether displacements from step to step are read, forecast and compared, instead of places."""
        return self.coordinates == "steps" or (self.coordinates == "auto" and self.backbone in ("lstm", "stgat"))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return asdict(self)


def _choice(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise ParameterError("E631", f"{name}={value!r} is not known.", f"Choose {', '.join(map(repr, known))}.")


def _out_of_range(name: str, value: object, wanted: str) -> ParameterError:
    return ParameterError("E631", f"{name}={value!r} is out of range.", f"Give {wanted}.")
