"""CausalDiffAE: counterfactual images from a diffusion autoencoder whose code is a structural causal model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import GraphError, ParameterError, quote_names
from whence.graph import Graph
from whence.models import Intervention
from whence.parallel import Progress, RandomState, generator
from whence.registry import Card, Paper, register
from whence.systems.vision._inputs import Labels, Pixels, label_table

if TYPE_CHECKING:
    from torch import Tensor

    from whence.nn import TrainingLog

Array = NDArray[np.float64]

CARD = Card(
    name="causal-diffae",
    family="system",
    answers="What would this image look like had X been x?",
    assumes=frozenset({"acyclic", "no-hidden-causes", "iid"}),
    output="counterfactual images",
    paper=Paper(
        "Komanduri, Zhao, Chen and Wu",
        "Causal Diffusion Autoencoders: Toward Counterfactual Generation via Diffusion Probabilistic Models",
        2024,
        "ECAI; arXiv 2404.17735",
    ),
)
_ROWS_AT_ONCE = 512


class Abducted(NamedTuple):
    """What is behind rows: factors z (n, k, width), and the stochastic part x_T in the shape of the rows."""

    z: Array
    noise: Array


@register(CARD)
class CausalDiffAE:
    """A diffusion autoencoder with a structural causal model for its code.

    An encoder reads the noises u of the k variables off an image; mechanisms along the graph turn them into factors z;
    a diffusion model told z draws the image from noise. A counterfactual runs the diffusion backwards to the noise of
    *this* image (abduction), changes a factor (action), lets its descendants follow, and draws again (prediction).

    Parameters
    ----------
    graph : Graph
        A DAG over the variables that the labels describe.
    variables : sequence of str, optional
        Names of the labels' columns where they come as an array; by default the graph's nodes in order.
    width : int
        Entries of each variable's block of the code, d.
    mechanism : {"additive", "flow"}
        See `whence.nn.LatentSCM`.
    parents : {"values", "noises"}
        ``noises`` is for comparison with the code published with the paper: interventions stop at children.
    levels, schedule, prediction
        The diffusion: noise levels T, ``"linear"`` or ``"cosine"``, ``"eps"``, ``"x0"`` or ``"v"``.
    hidden : int
        Width of the networks for vectors.
    channels : sequence of int
        Channels of the network for images at each resolution, from the image's own down.
    blocks : int
        Residual blocks at each resolution.
    attention : sequence of int
        Places in ``channels`` with attention over pixels.
    patch : int
        Squares of so many pixels a side enter the network for images as one: 2 trains in a third of the time.
    prior : {"identity", "learned"}
        Where a block is expected given its label: at the standardised label, or at a learned linear function of it.
    drop : float
        Share of rows whose code is kept from the denoiser in training, so that ``strength`` can be other than 1.
    noise_weight : float
        Weight of the divergence of u from a normal distribution as the encoder feels it, relative to that of z from the
        labels; it shrinks the code by about this share. The mechanisms feel the whole of it.
    ramp : float
        Share of the steps during which both divergences' weight rises from 0 to 1.
    steps, batch, learning_rate, average, precision
        Of training, see `whence.nn.fit`; ``average`` is the decay of the moving average of the weights.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    random_state : int
        Seed of weights and training.

    Attributes
    ----------
    label_center_, label_scale_ : ndarray, shape (k,)
        Mean and standard deviation of the known labels.
    code_slope_, code_offset_ : ndarray, shape (k,)
        ``mean entry of block i = slope * standardised label + offset``, by least squares on the training rows; values
        of interventions go through it. 1 and 0 for a variable without labels.
    log_ : TrainingLog
        None in a model that was loaded.
    warnings_ : tuple of str

    References
    ----------
    Komanduri, Zhao, Chen and Wu (2024): encoder and latent model, section 4.1; objective, section 4.2; counterfactuals,
    section 4.3. Differences, each for a reason: mechanisms read their parents' values and not their parents' noises;
    abduction inverts the diffusion instead of adding noise; a missing label drops out of its own column only.

    Examples
    --------
    >>> from whence.systems.vision import pendulum
    >>> rows = pendulum.vectors(64)
    >>> model = CausalDiffAE(pendulum.GRAPH, width=2, hidden=16, levels=25, steps=20).fit(rows.X, rows.labels)
    >>> model.counterfactual(rows.X[:3], do={"angle": 30.0}, steps=5).shape
    (3, 32)
    """

    card: ClassVar[Card]

    def __init__(
        self,
        graph: Graph,
        variables: Sequence[str] | None = None,
        *,
        width: int = 8,
        mechanism: Literal["additive", "flow"] = "additive",
        parents: Literal["values", "noises"] = "values",
        levels: int = 200,
        schedule: Literal["linear", "cosine"] = "linear",
        prediction: Literal["eps", "x0", "v"] = "eps",
        hidden: int = 256,
        channels: Sequence[int] = (24, 48),
        blocks: int = 1,
        attention: Sequence[int] = (),
        patch: int = 1,
        prior: Literal["identity", "learned"] = "identity",
        drop: float = 0.5,
        noise_weight: float = 0.02,
        ramp: float = 0.5,
        steps: int = 2000,
        batch: int = 64,
        learning_rate: float = 1e-3,
        average: float = 0.999,
        precision: str = "float32",
        device: str = "cpu",
        random_state: RandomState = 0,
    ) -> None:
        self.graph = graph
        self.variables = tuple(graph.names if variables is None else variables)
        self.width = width
        self.mechanism = mechanism
        self.parents = parents
        self.levels = levels
        self.schedule = schedule
        self.prediction = prediction
        self.hidden = hidden
        self.channels = tuple(channels)
        self.blocks = blocks
        self.attention = tuple(attention)
        self.patch = patch
        self.prior = prior
        self.drop = drop
        self.noise_weight = noise_weight
        self.ramp = ramp
        self.steps = steps
        self.batch = batch
        self.learning_rate = learning_rate
        self.average = average
        self.precision = precision
        self.device = device
        self.random_state = random_state
        if graph.kind != "DAG":
            raise GraphError(
                "E206", f"CausalDiffAE needs a DAG, not a {graph.kind}.", "Use graph.extension() for one of the class."
            )
        if sorted(self.variables) != sorted(graph.names):
            raise GraphError(
                "E653",
                f"the graph is over {quote_names(graph.names)} and the labels are {quote_names(self.variables)}.",
                "Name the same variables in both: graph.renamed({...}) or graph.subgraph([...]).",
            )
        if prior not in ("identity", "learned"):
            raise ParameterError("E301", f"there is no prior {prior!r}.", "Priors: 'identity', 'learned'.")

    # ---- fitting ------------------------------------------------------------------------------------------------

    def fit(
        self, X: ArrayLike, labels: Any = None, label_mask: ArrayLike | None = None, *, progress: Progress | None = None
    ) -> CausalDiffAE:
        """Train on images, or vectors, with labels for some or all rows and variables.

        Parameters
        ----------
        X : array
            Images (n, C, H, W) or (n, H, W) in [0, 1] or [-1, 1]; or vectors (n, d) in any unit.
        labels : array (n, k), table or mapping, optional
            In the order of ``variables`` or by name, in any unit; NaN where unknown.
        label_mask : bool array, (n,) or (n, k), optional
            False where a label is not to be used.

        Raises
        ------
        DataError
            E652 for images of a wrong shape or range, E654 for labels that do not fit the rows or the graph.
        """
        from whence.nn import fit, reproducible
        from whence.systems.vision._networks_diffae import Rows, training_loss

        self._pixels = Pixels.of(X)
        known = label_table(labels, label_mask, self.variables, len(np.asarray(X)))
        self._labels = Labels.of(known)
        self.label_center_, self.label_scale_ = self._labels.center, self._labels.scale
        self.warnings_ = self._labels.warnings(self.variables)
        x = self._tensor(X)
        standard = self._sorted(np.nan_to_num((known - self.label_center_) / self.label_scale_))
        mask = self._sorted(~np.isnan(known))
        with reproducible(self.random_state):
            self._model = self._build()
        rows = Rows(self._model, x, _float(standard), _float(mask), self.batch)
        self.log_: TrainingLog | None = fit(
            self._model,
            training_loss(int(self.ramp * self.steps)),
            rows,
            steps=self.steps,
            learning_rate=self.learning_rate,
            schedule="cosine",
            clip=1.0,
            average=self.average,
            precision=self.precision,
            device=self.device,
            progress=progress,
            random_state=self.random_state,
        )
        self._calibrate(X, known)
        return self

    def _calibrate(self, X: ArrayLike, known: Array) -> None:
        """Find the linear function from each label to the mean entry of its block."""
        read = self.encode(X)[1].mean(axis=2)
        self.code_slope_, self.code_offset_ = np.ones(len(self.variables)), np.zeros(len(self.variables))
        for i in range(len(self.variables)):
            rows = ~np.isnan(known[:, i])
            label = (known[rows, i] - self.label_center_[i]) / self.label_scale_[i]
            if rows.sum() > 1 and np.ptp(label) > 0:
                self.code_slope_[i], self.code_offset_[i] = np.polyfit(label, read[rows, i], 1)

    # ---- reading ------------------------------------------------------------------------------------------------

    def encode(self, X: ArrayLike) -> tuple[Array, Array]:
        """Return the noises u and the factors z of rows, each (n, k, width), in the order of ``variables``."""
        u, z = self._batched(self._code, X)
        order = self._positions()
        return u[:, order], z[:, order]

    def read_labels(self, X: ArrayLike) -> Array:
        """Return the labels (n, k) that the code of rows stands for, in the labels' units."""
        entries = self.encode(X)[1].mean(axis=2)
        return (entries - self.code_offset_) / self.code_slope_ * self.label_scale_ + self.label_center_  # type: ignore[no-any-return]

    def abduct(self, X: ArrayLike, *, steps: int = 50, refine: int = 5) -> Abducted:
        """Return what is behind rows: their factors and their stochastic part.

        Parameters
        ----------
        steps : int
            Steps of the inversion; use the same number to draw again.
        refine : int
            Fixed-point iterations at each step, see `whence.nn.GaussianDiffusion.invert`.
        """
        plan = self._plan_of(steps)

        def run(x: Tensor) -> tuple[Tensor, ...]:
            z = self._code(x)[1]
            return z, self._model.diffusion.invert(self._model.field(z), x, plan, refine=refine)

        z, noise = self._batched(run, X)
        return Abducted(z[:, self._positions()], noise)

    # ---- do -----------------------------------------------------------------------------------------------------

    def counterfactual(
        self,
        X: ArrayLike,
        do: Intervention | Mapping[str, Any],
        strength: float = 1.0,
        steps: int = 50,
        *,
        abduction: Literal["ddim", "noise"] = "ddim",
        refine: int = 5,
        random_state: RandomState = 0,
    ) -> Array:
        """Return what rows would have been under an intervention, in their own shape and range.

        Parameters
        ----------
        X : array
            As in `fit`.
        do : Intervention or mapping of str to value or change
            In the labels' units: ``{"angle": 30.0}``, one value for each row, ``{"angle": wh.shift_by(5)}``, or a
            function of an array. For a variable without labels in units of the code.
        strength : float
            1 draws what the factors say; more exaggerates them by classifier-free guidance (the papers' w plus 1).
        steps : int
            Of the diffusion, each way.
        abduction : {"ddim", "noise"}
            ``noise`` starts from random noise, as the code published with the paper nearly does, and loses whatever the
            factors do not hold.
        refine : int
            As in `abduct`.
        random_state : int
            For ``abduction="noise"``.

        Raises
        ------
        ParameterError
            E640 for a variable that is not in the graph, E642 for a wrong number of values.
        """
        from whence.nn import guided

        if abduction not in ("ddim", "noise"):
            raise ParameterError("E301", f"there is no abduction {abduction!r}.", "Abductions: 'ddim', 'noise'.")
        asked = self._in_code_units(Intervention.of(do).check(self.variables, len(np.asarray(X))))
        plan = self._plan_of(steps)
        rng = generator(random_state)

        def run(x: Tensor, rows: slice) -> tuple[Tensor, ...]:
            diffusion = self._model.diffusion
            u, z = self._code(x)
            if abduction == "ddim":
                start = diffusion.invert(self._model.field(z), x, plan, refine=refine)
            else:
                fresh = x.new_tensor(rng.normal(size=x.shape))
                start = diffusion.q_sample(x, x.new_full((len(x),), plan[-1]).long(), fresh)
            changed = self._model.scm.do(u, asked.rows(rows))
            return (
                diffusion.sample(guided(self._model.field(changed), self._model.field(None), strength), start, plan),
            )

        return self._pixels.leave(self._batched(run, X, by_rows=True)[0])

    def traverse(self, X: ArrayLike, variable: str, values: Sequence[float], **settings: Any) -> Array:
        """Return rows with one variable set to each of several values, shape (len(values), n, ...).

        ``settings`` go to `counterfactual`.
        """
        return np.stack([self.counterfactual(X, {variable: float(value)}, **settings) for value in values])

    def evaluate(self, kind: str, X: ArrayLike, labels: Any, **settings: Any) -> dict[str, float]:
        """Measure the model on rows it was not trained on.

        Parameters
        ----------
        kind : {"r2", "dci", "identity", "effectiveness"}
            See `whence.systems.vision.evaluation.evaluate`, which takes the settings.
        """
        from whence.systems.vision.evaluation import evaluate

        return evaluate(self, kind, X, labels, **settings)

    # ---- in and out ---------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write settings and weights into a folder, as `whence.nn.save` does."""
        from whence.systems.vision._store_diffae import write

        self._check_fitted()
        return write(self, folder)

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> CausalDiffAE:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            E605 if the folder is not whole, E655 if it holds another system.
        """
        from whence.systems.vision._store_diffae import read

        return read(folder, device)

    # ---- parts --------------------------------------------------------------------------------------------------

    def _build(self) -> Any:
        from whence.systems.vision._networks_diffae import DiffusionAutoencoder, Plan

        plan = Plan(
            shape=self._pixels.shape,
            block=self.width,
            mechanism=self.mechanism,
            parents=self.parents,
            levels=self.levels,
            schedule=self.schedule,
            prediction=self.prediction,
            hidden=self.hidden,
            widths=self.channels,
            blocks=self.blocks,
            attention=self.attention,
            patch=self.patch,
            prior=self.prior,
            drop=self.drop,
            noise_weight=self.noise_weight,
        )
        return DiffusionAutoencoder(self.graph.subgraph(sorted(self.variables)), plan)

    def _code(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = self._model.encode(x)[0]
        return u, self._model.scm(u)

    def _in_code_units(self, asked: Intervention) -> Intervention:
        """Return the intervention on entries of the blocks: code = slope * (label - center) / scale + offset."""
        scale = self.label_scale_ / self.code_slope_
        center = self.label_center_ - self.code_offset_ * scale
        return asked.rescaled(dict(zip(self.variables, center.tolist())), dict(zip(self.variables, scale.tolist())))

    def _plan_of(self, steps: int) -> list[int]:
        self._check_fitted()
        return self._model.diffusion.schedule.levels(steps)  # type: ignore[no-any-return]

    def _sorted(self, columns: NDArray[Any]) -> NDArray[Any]:
        """Return columns in alphabetical order, in which the networks hold the variables."""
        return columns[:, np.argsort(np.array(self.variables, dtype=object))]

    def _positions(self) -> list[int]:
        order = sorted(self.variables)
        return [order.index(name) for name in self.variables]

    def _tensor(self, X: ArrayLike) -> Tensor:
        return _float(self._pixels.enter(X))

    def _batched(self, function: Any, X: ArrayLike, by_rows: bool = False) -> list[Array]:
        """Apply a function of a batch of rows to all of them, without gradients."""
        import torch

        self._check_fitted()
        x = self._tensor(X)
        place = next(self._model.parameters()).device
        parts = []
        with torch.no_grad():
            for first in range(0, len(x), _ROWS_AT_ONCE):
                rows = slice(first, first + _ROWS_AT_ONCE)
                batch = x[rows].to(place)
                found = function(batch, rows) if by_rows else function(batch)
                parts.append([part.cpu().numpy().astype(np.float64) for part in found])
        return [np.concatenate(column) for column in zip(*parts)]

    def _check_fitted(self) -> None:
        if not hasattr(self, "_model"):
            raise ParameterError(
                "E645", "the model is not fitted.", "Call fit(X, labels), or CausalDiffAE.load(folder)."
            )

    def __repr__(self) -> str:
        state = f"fitted on {self._pixels.words()}" if hasattr(self, "_model") else "not fitted"
        return f"CausalDiffAE over {quote_names(self.variables)}, {len(self.graph.edges())} edges, {state}"


def _float(values: NDArray[Any]) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
