"""Forecasts of where people go that keep what holds everywhere apart from the style of a place.

Liu, Cadei, Schweizer, Bahmani and Alahi (2022), "Towards Robust and Adaptive Motion Forecasting: A Causal
Representation Perspective", CVPR. Three groups of hidden variables act on motion: invariant ones (goals, physics,
avoidance), the style of a place (distance kept, speed), and spurious ones (what a sensor adds) that do not cause the
future. An invariance penalty over places suppresses the third; a modular network keeps the first two apart, so that a
new place needs a new style only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import DataError, ParameterError
from whence.parallel import Progress
from whence.registry import Card, Paper, register
from whence.systems.motion import metrics as measures
from whence.systems.motion.checks import check_scenes, check_training, checked_code, refuse_leak
from whence.systems.motion.forecast import Forecast
from whence.systems.motion.scenes import Scenes
from whence.systems.motion.settings import MotionSettings
from whence.systems.motion.views import FrameName

if TYPE_CHECKING:
    from whence.nn import TrainingLog
    from whence.systems.motion._networks_common import MotionNetwork

Floats = NDArray[np.float64]
Update = Literal["modulator", "style", "all"]
Metric = Literal["ade", "fde", "collision", "best_of_k"]
_MOST_NEIGHBOURS = 4

CARD = Card(
    name="causal-motion",
    family="system",
    answers="Where do people go next, in a place whose sensor, crowd or habits differ from those learned from?",
    kinds=frozenset({"continuous"}),
    output="forecast",
    missing="refuses",
    paper=Paper(
        "Liu, Cadei, Schweizer, Bahmani and Alahi",
        "Towards Robust and Adaptive Motion Forecasting: A Causal Representation Perspective",
        2022,
        "CVPR; arXiv 2111.14820",
    ),
    number=1,
)


@register(CARD)
class CausalMotionForecaster:
    """Forecast the motion of agents, robustly over places, and adapt to a new place by its style.

    Parameters
    ----------
    backbone : {"mlp", "lstm", "stgat", "pecnet"}
        The network: perceptrons on an agent and its nearest neighbours, recurrent, recurrent with attention over all
        agents of the scene at every step, or by endpoints. The last two draw samples.
    invariance : {None, "irm", "irm-split", "vrex"}
        What must not differ between the domains: the risk's slope in a scale of the forecast (IRMv1, on all scenes or
        the product of two halves), or the risk itself. It costs accuracy in the places of training.
    lam : float
        Its weight, beside a risk that is a mean over agents of the squared error summed over the future. Choose it by
        leaving a place of training out, never by the place of the test.
    warm_up : float
        Share of the steps with weight 1 first.
    style_dim : int
        Numbers of a style code; 0 for one network without style.
    style_frames : {"all", "past"}
        Whether style is read from whole scenes, future included, as of recordings, or from what has been observed, so
        that it can be read online.
    contrastive : float
        Weight of the contrast between the styles of domains.
    temperature : float
        Of that contrast.
    samples : int
        Forecasts per scene; more than one for backbones that draw.
    frame : {"auto", "pair", "heading", "shift"}
        The frame the network sees: midway to the nearest neighbour with the x axis towards it, the agent's heading, or
        shifted only. "auto" is "pair" where every scene has two agents and "heading" elsewhere; "shift" for stgat.
    neighbours : int, optional
        Nearest neighbours looked at; as many as the scenes have, up to 4, if not given.
    coordinates : {"auto", "places", "steps"}
        Whether the network reads, forecasts and is judged in places or in displacements from step to step. "auto" is
        "steps" for the recurrent backbones.
    residual : bool
        Forecast what is to be added to walking on as before.
    width : int, optional
        Values in each layer: 96, or 32 for stgat, as published, if not given.
    depth : int
        Layers of each part of the perceptrons.
    activation : str
        Of the perceptrons.
    counterfactual : bool
        The counterfactual baseline of backbone stgat: what the path contributes beyond an empty one.
    steps, learning_rate, schedule, batch : int, float, str, int
        Training: Adam steps, rate, its course, scenes of each domain in a batch.
    clip : float or None
        Largest norm of the gradient; without a limit a batch of sharp turns can undo what was learned.
    device : str
        "cpu", "cuda" or "auto".
    random_state : int or None
        Seed of weights, batches and samples.

    Attributes
    ----------
    domains_ : tuple of str
        The domains of training.
    log_ : TrainingLog
        Losses by step.
    style_ : ndarray of shape (style_dim,)
        The mean style of training, used where no reference is given; after `adapt`, that of the new place.

    Raises
    ------
    ParameterError
        E631 for a setting that does not exist or does not go with another.

    Examples
    --------
    >>> from whence.systems.motion import CausalMotionForecaster, simulate_orca
    >>> known = simulate_orca(100, (0.1, 0.5), random_state=0)
    >>> model = CausalMotionForecaster(steps=30, width=16).fit(known)
    >>> new = simulate_orca(40, 0.3, random_state=1)
    >>> model.predict(new[:10], reference=new[10:])
    Forecast(20 agents in 10 scenes, 12 steps, ... unusual)
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        backbone: Literal["mlp", "lstm", "stgat", "pecnet"] = "mlp",
        invariance: Literal["irm", "irm-split", "vrex"] | None = None,
        lam: float = 1.0,
        warm_up: float = 0.1,
        style_dim: int = 8,
        style_frames: Literal["all", "past"] = "all",
        contrastive: float = 0.05,
        temperature: float = 0.07,
        samples: int = 1,
        frame: Literal["auto", "pair", "heading", "shift"] = "auto",
        neighbours: int | None = None,
        coordinates: Literal["auto", "places", "steps"] = "auto",
        residual: bool = True,
        width: int | None = None,
        depth: int = 2,
        activation: str = "relu",
        counterfactual: bool = False,
        steps: int = 3000,
        learning_rate: float = 4e-3,
        schedule: Literal["onecycle", "cosine", "linear"] | None = "onecycle",
        batch: int = 64,
        clip: float | None = 1.0,
        device: str = "cpu",
        random_state: int | None = 0,
    ) -> None:
        given = dict(locals())
        del given["self"]
        self.settings = MotionSettings(**given)

    def __repr__(self) -> str:
        plain = MotionSettings()
        told = [
            f"{item.name}={getattr(self.settings, item.name)!r}"
            for item in fields(self.settings)
            if getattr(self.settings, item.name) != getattr(plain, item.name)
        ]
        fitted = f" fitted on {', '.join(self.domains_)}" if hasattr(self, "domains_") else ""
        return f"CausalMotionForecaster({', '.join(told)}){fitted}"

    # ---- learning --------------------------------------------------------------------------------------------------

    def fit(
        self, scenes: Scenes, env: Sequence[Any] | None = None, *, progress: bool | Progress | None = None
    ) -> CausalMotionForecaster:
        """Learn from scenes of several domains and return self.

        Parameters
        ----------
        scenes : Scenes
            With their futures.
        env : sequence of labels, one per scene, optional
            The environments; the scenes' own domains if not given.
        progress : bool, callable or None
            As in `whence.nn.fit`.

        Raises
        ------
        DataError
            E627 for scenes without a future, E628 for a domain of one scene, or of fewer than two domains where a
            style or an invariance is to be learned from their differences, E626 where style is to be read from
            scenes none of which has two agents.
        """
        import whence.nn  # noqa: F401  (says how to get PyTorch where it is missing)
        from whence.systems.motion import _networks_training as training

        given = scenes if env is None else scenes.with_domains([str(one) for one in env])
        check_training(given, self.settings)
        self.observed_, self.future_, self.dt_ = given.observed, given.steps_ahead, given.dt
        self.channels_ = int(given.channels.shape[2])
        most = int(given.counts.max()) - 1
        self.neighbours_ = min(most, _MOST_NEIGHBOURS) if self.settings.neighbours is None else self.settings.neighbours
        self.frame_: FrameName = self._choose_frame(given)
        self.domains_ = tuple(sorted(set(given.domains.tolist())))
        self._network = training.build(self.settings, self.observed_, self.future_, self.channels_, self.neighbours_)
        inputs = self._inputs(given)[0]
        self.log_: TrainingLog = training.train(self._network, self.settings, inputs, given.domains, progress)
        return self

    def adapt(
        self,
        scenes: Scenes,
        update: Update = "modulator",
        *,
        steps: int = 150,
        learning_rate: float = 1e-3,
        held_out: Scenes | None = None,
        patience: int | None = None,
        progress: bool | Progress | None = None,
    ) -> CausalMotionForecaster:
        """Return a forecaster for a new place, fine-tuned on few of its scenes; this one stays as it is.

        Parameters
        ----------
        scenes : Scenes
            Of the new place, with their futures; their domains are not looked at.
        update : {"modulator", "style", "all"}
            What is learned anew: how style bends the forecast, that and how style is read, or everything. With few
            scenes the first is the safe choice.
        steps, learning_rate : int, float
            Adam steps and their rate.
        held_out : Scenes, optional
            Scenes of the new place to choose the best step by.
        patience : int, optional
            Stop after so many looks at them, every 5 steps, without an improvement.

        Raises
        ------
        DataError
            E634 for fewer than two scenes.
        ParameterError
            E631 for an ``update`` that does not exist.
        """
        from whence.systems.motion import _networks_training as training

        network = self._fitted()
        if update not in ("modulator", "style", "all"):
            raise ParameterError("E631", f"update={update!r} is not known.", "Choose 'modulator', 'style' or 'all'.")
        if update != "all" and network.style is None:
            raise ParameterError(
                "E631", f"update={update!r} needs a style, and this forecaster has none.", "Give update='all'."
            )
        if len(scenes) < 2:
            raise DataError("E634", f"{len(scenes)} scene is too few to adapt to.", "Give at least two.")
        self._check(scenes, future=True)
        new = self._copy()
        new.log_ = training.adapt(
            new._network,
            self.settings,
            self._inputs(scenes)[0],
            update,
            steps=steps,
            learning_rate=learning_rate,
            patience=patience,
            held_out=self._inputs(held_out)[0] if held_out is not None else None,
            progress=progress,
        )
        return new

    # ---- answering -------------------------------------------------------------------------------------------------

    def predict(
        self,
        scenes: Scenes,
        reference: Scenes | ArrayLike | None = None,
        refine: Literal["off", "gated"] = "off",
    ) -> Forecast:
        """Forecast the future of scenes from what was observed of them; futures they hold are never looked at.

        Parameters
        ----------
        scenes : Scenes
            With or without a future.
        reference : Scenes or array of shape (style_dim,), optional
            Other scenes of the same place, or a style code: the style to forecast in. The mean style of training, or
            of the place adapted to, if not given.
        refine : {"off", "gated"}
            "gated" improves the latent of scenes whose forecast looks less like the reference than nine tenths of its
            own scenes; all others stay as they are. It helps beyond the styles of training, not within.

        Raises
        ------
        DataError
            E629 before `fit`; E630 if the reference holds the very scenes to be forecast, futures included; E625 for
            scenes of other steps than those learned from.
        ParameterError
            E631 for a refinement that does not exist or cannot be done.
        """
        from whence.systems.motion import _networks_answers as answers

        network = self._fitted()
        self._check(scenes, future=False)
        if refine not in ("off", "gated"):
            raise ParameterError("E631", f"refine={refine!r} is not known.", "Choose 'off' or 'gated'.")
        past = scenes.only_past()
        inputs, views = self._inputs(past)
        code, styles = self._code(network, reference, scenes)
        found = answers.answer(
            network, inputs, views, past, code, styles, refine, self.settings.samples, self.settings.random_state
        )
        positions = np.stack([past.past[:, -1:] + views.frames.turn(one, back=True) for one in found.displacements])
        return Forecast(
            positions,
            scenes,
            code=code,
            similarity=found.similarity,
            threshold=found.threshold,
            refined=found.refined,
        )

    def what_if(self, scenes: Scenes, reference: Scenes | ArrayLike) -> Forecast:
        """Forecast how scenes would go on if, from now on, people moved in the style of a reference.

        The agents, their places and all that was observed stay; only the style is set: do(style). Compare with
        ``predict(scenes, their own reference)``.

        Parameters
        ----------
        scenes : Scenes
            As in `predict`.
        reference : Scenes or array of shape (style_dim,)
            The style to set.
        """
        if self._fitted().style is None:
            raise ParameterError(
                "E631", "what_if was asked of a forecaster without style (style_dim=0).", "Fit one with style_dim=8."
            )
        return self.predict(scenes, reference)

    def style(self, scenes: Scenes) -> Floats:
        """Return the style embedding of each scene, shape (S, style_dim); their mean is the style code of a place.

        Raises
        ------
        DataError
            E627 where style is read from whole scenes and these hold no future.
        """
        from whence.systems.motion import _networks_answers as answers

        network = self._fitted()
        if network.style is None:
            raise ParameterError("E631", "this forecaster has no style (style_dim=0).", "Fit one with style_dim=8.")
        self._check(scenes, future=self.settings.style_frames == "all")
        return answers.styles(network, self._inputs(scenes)[0])[0]

    def score(
        self,
        scenes: Scenes,
        reference: Scenes | ArrayLike | None = None,
        metrics: Sequence[Metric] = ("ade", "fde"),
        refine: Literal["off", "gated"] = "off",
    ) -> dict[str, float]:
        """Return how far forecasts are from what happened.

        Parameters
        ----------
        scenes : Scenes
            With their futures.
        reference, refine
            As in `predict`.
        metrics : sequence of {"ade", "fde", "collision", "best_of_k"}
            Errors are means over samples; ``best_of_k`` adds ``best_of_K_ade`` and ``best_of_K_fde`` with K in the
            name, which must not be compared with errors of one sample.
        """
        forecast = self.predict(scenes, reference, refine)
        found: dict[str, float] = {}
        for name in metrics:
            if name == "ade":
                found["ade"] = measures.ade(forecast.positions, scenes.future)
            elif name == "fde":
                found["fde"] = measures.fde(forecast.positions, scenes.future)
            elif name == "collision":
                found["collision"] = measures.collision_rate(forecast.positions, scenes)
            elif name == "best_of_k":
                best = measures.best_of_k(forecast.positions, scenes)
                count = len(forecast.positions)
                found |= {f"best_of_{count}_ade": best[0], f"best_of_{count}_fde": best[1]}
            else:
                raise ParameterError(
                    "E631", f"metric {name!r} is not known.", "Choose 'ade', 'fde', 'collision', 'best_of_k'."
                )
        return found

    # ---- keeping ---------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write settings to ``config.json`` and weights to ``model.safetensors`` in a folder."""
        from whence.nn import save

        network = self._fitted()
        learned = {name: getattr(self, f"{name}_") for name in _LEARNED}
        return save(folder, network, {"system": CARD.name, "settings": self.settings.to_dict(), "learned": learned})

    @classmethod
    def load(cls, folder: str | Path) -> CausalMotionForecaster:
        """Read a saved forecaster.

        Raises
        ------
        DataError
            E632 if the folder holds another system; E605 if it is incomplete.
        """
        from whence.nn import load, load_into
        from whence.systems.motion import _networks_training as training

        config, state = load(folder)
        if config.get("system") != CARD.name:
            raise DataError(
                "E632", f"{str(folder)!r} holds no motion forecaster.", "Give a folder that its save() wrote."
            )
        model = cls(**config["settings"])
        learned = config["learned"]
        for name in _LEARNED:
            setattr(model, f"{name}_", tuple(learned[name]) if name == "domains" else learned[name])
        sizes = (learned[name] for name in ("observed", "future", "channels", "neighbours"))
        model._network = training.build(model.settings, *sizes)
        load_into(model._network, state)
        model._network.eval()
        return model

    @property
    def style_(self) -> Floats | None:
        """The style code used where no reference is given, shape (style_dim,); None without a style."""
        network = self._fitted()
        return network.default().numpy().astype(np.float64) if network.style is not None else None

    # ---- within ----------------------------------------------------------------------------------------------------

    def _fitted(self) -> MotionNetwork:
        if not hasattr(self, "_network"):
            raise DataError("E629", "this forecaster has not been fitted.", "Call fit(scenes), or load(folder).")
        return self._network

    def _copy(self) -> CausalMotionForecaster:
        from copy import deepcopy

        return deepcopy(self)

    def _inputs(self, scenes: Scenes) -> Any:
        from whence.systems.motion._networks_inputs import inputs_of

        return inputs_of(scenes, self.frame_, self.neighbours_)

    def _choose_frame(self, scenes: Scenes) -> FrameName:
        if self.settings.frame != "auto":
            return self.settings.frame
        if self.settings.backbone == "stgat":
            return "shift"
        return "pair" if self.neighbours_ and bool((scenes.counts == 2).all()) else "heading"

    def _check(self, scenes: Scenes, *, future: bool) -> None:
        check_scenes(scenes, self.observed_, self.channels_, self.dt_, self.future_ if future else None)

    def _code(
        self, network: MotionNetwork, reference: Scenes | ArrayLike | None, scenes: Scenes
    ) -> tuple[Floats | None, Any]:
        """Return the style code to forecast in, and the unit vectors of the reference scenes if there are any."""
        from whence.systems.motion import _networks_answers as answers

        if network.style is None:
            return None, None
        if reference is None:
            return network.default().numpy().astype(np.float64), None
        if isinstance(reference, Scenes):
            self._check(reference, future=self.settings.style_frames == "all")
            if self.settings.style_frames == "all":
                refuse_leak(scenes, reference)
            embedding, unit = answers.styles(network, self._inputs(reference)[0])
            return embedding.mean(axis=0), unit
        code = checked_code(reference, self.settings.style_dim)
        return code, None


_LEARNED = ("observed", "future", "dt", "channels", "neighbours", "frame", "domains")
