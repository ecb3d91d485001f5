"""Domain counterfactuals: what a sample would have been in another domain, with the same noise behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whence.errors import DataError, ParameterError
from whence.models import Intervention, SetTo
from whence.parallel import Progress, RandomState, generator
from whence.registry import Card, Paper, register
from whence.systems.domains._checks import check_settings
from whence.systems.domains._likelihood import Dense, Form, Shape, Whitened, fit_dense, fit_shape, model_of
from whence.systems.domains._rows import codes_of, domains_of, hold_out, read_labels, read_rows
from whence.systems.domains.changed import ChangedDomain
from whence.systems.domains.linear import LinearDomainModel
from whence.systems.domains.mechanisms import DomainMechanisms, Domains

Mixing = Literal["linear_leaky", "flow", "vae"]
PAPER = Paper(
    "Zhou, Bai, Kulinski, Kocaoglu and Inouye",
    "Towards Characterizing Domain Counterfactuals for Invertible Latent Causal Models",
    2024,
    "ICLR; arXiv 2306.11281",
)


@register(
    Card(
        name="domain-counterfactuals",
        family="system",
        answers="Shows what a sample would have looked like had it come from another site, camera or style.",
        assumes=frozenset({"acyclic"}),
        kinds=frozenset({"continuous"}),
        output="counterfactual rows",
        missing="refuses",
        paper=PAPER,
    )
)
class DomainCounterfactuals:
    """Learns from unpaired rows of several domains what each would have been in another.

    A row is ``x = g(f_d(eps))``: standard normal noise, autoregressive mechanisms ``f_d`` of m latent variables in
    domain d, and an invertible mixing g that all domains share. Its counterfactual in domain d' keeps the noise,
    ``g f_d' f_d^-1 g^-1 (x)`` (Zhou et al. 2024). The last k mechanisms differ between domains, the others are shared:
    every model whose domains differ in k mechanisms is equivalent to one of this form. Only counterfactuals are
    learned; the latent variables are no causes that could be named.

    Parameters
    ----------
    latent_dim : int, optional
        m. By default the number of columns; needed for images, and only there another number.
    k : int
        How many mechanisms differ between domains. `select_k` chooses it.
    g : {"linear_leaky", "flow", "vae"} or InvertibleBlock
        The mixing: a linear map of leaky rectifiers, a flow of couplings, for images a convolutional variational
        autoencoder, or an invertible block of `whence.nn`.
    f : {"relax_can", "can", "dense"}
        ``relax_can`` shares the first m - k mechanisms. ``can`` moreover makes the first domain the identity, so shared
        mechanisms are noise: a smaller class. ``dense`` shares nothing (k = m).
    solver : {"auto", "profile", "adam"}
        ``profile``, only for ``linear_leaky`` and its default, solves for the mechanisms in closed form and searches
        the mixing by L-BFGS on all rows, from several starts. ``adam`` trains everything together by small steps, as
        published; all other mixings take it.
    slope : float
        Of the leaky rectifiers below zero.
    starts : int
        Starts of ``profile``.
    signed : bool
        As published: scales have the signs of draws from the standard normal, for each domain apart, which the
        likelihood does not see and training keeps; under ``adam`` all numbers of the mechanisms start as such draws.
        By default scales are positive and domains start alike, so that no noise is mirrored from domain to domain.
    depth, hidden : int
        Couplings of the flow and width of their networks.
    channels : tuple of int
        Channels of the autoencoder's convolutions, each of which halves an image.
    kl_weight : float
        Weight of the divergence beside the squared error of all pixels, in [0, 1], of the autoencoder.
    steps, batch_size, learning_rate, clip
        Of ``adam``; ``learning_rate`` may be a pair, of the mixing and of the mechanisms. ``batch_size`` counts the
        rows of all domains, the same number from each.
    schedule : {"cosine", "linear", "onecycle"} or None
        The learning rate's course.
    validation : float
        Share of each domain held out, if `fit` is given no validation rows.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``; not for ``profile``.
    checkpoint : path, optional
        File in which ``adam`` keeps its state, and from which it goes on.
    progress : bool or callable, optional
        As in `whence.nn.fit`.
    random_state : int or Generator

    Attributes
    ----------
    domains_ : list
        The domains, in order.
    model_ : LinearDomainModel or a network
        What was fitted; ``linear_leaky`` is always a `LinearDomainModel`.
    validation_nll_ : float
        Negative log-likelihood of the validation rows in nats a row (for images the training loss, no likelihood);
        every domain counts the same.
    log_ : TrainingLog or None
        The course of ``adam``.

    References
    ----------
    Zhou et al. (2024): definitions 1 to 4, theorem 2, section 4.

    Examples
    --------
    >>> from whence.systems.domains import simulate_domains
    >>> world = simulate_domains(2000, n_latents=3, intervened=(2,), random_state=2)
    >>> model = DomainCounterfactuals(k=1).fit(world.rows, world.domain)
    >>> moved = model.counterfactual(world.rows, world.domain, 1)
    >>> truth = world.counterfactual(world.rows, world.domain, 1)
    >>> bool(np.square(moved - truth).mean() < 0.05 * np.square(world.rows - truth).mean())
    True
    """

    card: ClassVar[Card]

    def __init__(
        self,
        latent_dim: int | None = None,
        k: int = 2,
        *,
        g: Mixing | Any = "linear_leaky",
        f: Form = "relax_can",
        solver: Literal["auto", "profile", "adam"] = "auto",
        slope: float = 0.5,
        starts: int = 4,
        signed: bool = False,
        depth: int = 4,
        hidden: int = 64,
        channels: tuple[int, ...] = (32, 64, 64),
        kl_weight: float = 0.1,
        steps: int = 6000,
        batch_size: int = 500,
        learning_rate: float | tuple[float, float] = 2e-3,
        clip: float | None = 10.0,
        schedule: Literal["cosine", "linear", "onecycle"] | None = None,
        validation: float = 0.1,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
        progress: bool | Progress | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.latent_dim, self.k, self.g, self.f = latent_dim, k, g, f
        self.solver, self.slope, self.starts, self.signed = solver, slope, starts, signed
        self.depth, self.hidden, self.channels, self.kl_weight = depth, hidden, channels, kl_weight
        self.steps, self.batch_size, self.learning_rate, self.clip = steps, batch_size, learning_rate, clip
        self.schedule, self.validation, self.device = schedule, validation, device
        self.checkpoint, self.progress, self.random_state = checkpoint, progress, random_state

    def fit(self, X: Any, d: Any, X_val: Any = None, d_val: Any = None) -> DomainCounterfactuals:
        """Fit to unpaired rows of several domains.

        Parameters
        ----------
        X : array (n, m) or (n, C, H, W)
            Rows, or images with values in [0, 1].
        d : array (n,)
            The domain of each row: numbers or text.
        X_val, d_val : arrays, optional
            Rows that training validates on.

        Raises
        ------
        ParameterError
            E660 for settings that are impossible or do not fit the rows.
        DataError
            E662 for rows of a wrong shape, E663 for missing values, E664 for one domain only or a domain with too few
            rows, E665 for validation rows of another domain.
        MissingExtra
            If the mixing needs PyTorch, which is not installed.
        """
        self._fit(X, d, X_val, d_val, None)
        return self

    def counterfactual(self, X: Any, d: Any, d_new: Any) -> NDArray[Any]:
        """Return what rows of domains ``d`` would have been in ``d_new``: one domain, or one for each row.

        Raises
        ------
        DataError
            E662, E663 for rows that do not fit, E665 for a domain that the model does not know.
        """
        rows, codes = self._read(X, d)
        return np.asarray(self.model_.counterfactual(rows, codes, self._codes(d_new, len(rows))))

    def encode(self, X: Any, d: Any) -> NDArray[np.float64]:
        """Return the noise (n, m) behind rows; for images its mean."""
        rows, codes = self._read(X, d)
        return np.asarray(self.model_.encode(rows, codes))

    def decode(self, noise: Any, d: Any) -> NDArray[Any]:
        """Return the rows that noise (n, m) makes in a domain, or in one for each row."""
        self._check_fitted()
        noise = read_rows(noise, (self.latent_dim or self.shape_[0],))
        return np.asarray(self.model_.decode(noise, self._codes(d, len(noise))))

    def sample(self, n: int, d: Any, random_state: RandomState = None) -> NDArray[Any]:
        """Draw n new rows of a domain, or of one domain for each row."""
        self._check_fitted()
        return self.decode(generator(random_state).standard_normal((n, self.latent_dim or self.shape_[0])), d)

    def nll(self, X: Any, d: Any) -> NDArray[np.float64]:
        """Return the negative log-likelihood of each row in nats; for images the training loss at the mean noise."""
        rows, codes = self._read(X, d)
        return np.asarray(self.model_.nll(rows, codes))

    def do(self, intervention: Intervention | Mapping[str, Any] | None = None, /, **named: Any) -> ChangedDomain:
        """Return the model in which the domain is set: ``model.do(domain="b").counterfactual(X, d)``.

        The domain is the one variable that can be intervened on. It is set to a domain, or to one for each row.

        Raises
        ------
        ParameterError
            E640 for another variable, E667 for a change that does not set the domain.
        DataError
            E665 for a domain that the model does not know.
        """
        self._check_fitted()
        asked = Intervention.of(intervention, **named).check(["domain"])
        change = asked.changes.get("domain")
        if not isinstance(change, SetTo):
            raise ParameterError(
                "E667", f"{asked} does not set the domain.", "Name the domain that rows are moved to: do(domain='b')."
            )
        self._codes(change.value, len(change.value) if isinstance(change.value, tuple) else 1)
        return ChangedDomain(self, asked, change.value)

    def save(self, folder: str | Path) -> Path:
        """Write settings and numbers into a folder: ``config.json`` and ``model.safetensors``."""
        from whence.systems.domains import _networks_training

        self._check_fitted()
        if not isinstance(self.g, str):
            raise ParameterError(
                "E660", "g is a module of your own, whose settings are not known.", "Save its weights yourself."
            )
        config = {
            "settings": self._settings() | {"checkpoint": None, "progress": None, "random_state": None},
            "constructor": self._constructor(),
            "domains": self.domains_,
            "shape": self.shape_,
            "validation_nll": self.validation_nll_,
        }
        return _networks_training.save(folder, self._numbers(), config)

    @classmethod
    def load(cls, folder: str | Path) -> DomainCounterfactuals:
        """Read what `save` wrote."""
        from whence.systems.domains import _networks_training

        config, state = _networks_training.load(folder)
        given: dict[str, Any] = {}
        for name, value in config["constructor"].items():
            given[name] = tuple(value) if isinstance(value, list) else value
        model = cls(**given)
        model.domains_, model.shape_ = list(config["domains"]), tuple(config["shape"])
        model.validation_nll_, model.log_ = float(config["validation_nll"]), None
        if model.g == "linear_leaky":
            arrays = {name: tensor.numpy() for name, tensor in state.items()}
            mechanisms = DomainMechanisms(arrays["weights"], arrays["scales"], arrays["offsets"])
            model.model_ = LinearDomainModel(mechanisms, arrays["mixing"], arrays["intercept"], model.slope)
        else:
            model.model_ = _networks_training.rebuild(config["settings"], model.shape_, len(model.domains_), state)
        return model

    model_: Any
    log_: Any

    def __repr__(self) -> str:
        kind = self.g if isinstance(self.g, str) else type(self.g).__name__
        said = f"DomainCounterfactuals(k={self.k}, g={kind!r}, f={self.f!r}"
        if hasattr(self, "domains_"):
            said += f", domains {self.domains_}, validation {self.validation_nll_:.4g}"
        return said + ")"

    # ---- fitting -------------------------------------------------------------------------------------------------

    def _own(self, m: int) -> int:
        return m if self.f == "dense" else self.k

    def _solver(self) -> str:
        closed = isinstance(self.g, str) and self.g == "linear_leaky"
        return self.solver if self.solver != "auto" else "profile" if closed else "adam"

    def _fit(self, X: Any, d: Any, X_val: Any, d_val: Any, dense: Dense | None) -> Dense | None:
        """Fit, from optima of the model that shares nothing if they are known, and return these."""
        rows = read_rows(X)
        check_settings(self, self._solver(), rows)
        closed = self._solver() == "profile"
        m = rows.shape[1]
        self.domains_, codes = domains_of(read_labels(d, len(rows)), m + 2 if closed else 2)
        self.shape_: tuple[int, ...] = rows.shape[1:]
        rng = generator(self.random_state)
        if X_val is None:
            kept, held = hold_out(codes, self.validation, rng)
            tested, tested_codes = rows[held], codes[held]
            rows, codes = rows[kept], codes[kept]
        else:
            tested = read_rows(X_val, self.shape_)
            tested_codes = codes_of(read_labels(d_val, len(tested)), self.domains_)
        self.log_ = None
        if closed:
            whitened = self._whitened(rows, codes)
            dense = dense or fit_dense(whitened, self.slope, self.starts, rng)
            self._fit_profile(whitened, dense, rng)
        else:
            self._fit_adam(rows, codes, (tested, tested_codes))
        losses = self.model_.nll(tested, tested_codes)
        self.validation_nll_ = float(np.mean([losses[tested_codes == one].mean() for one in np.unique(tested_codes)]))
        return dense

    def _whitened(self, rows: NDArray[Any], codes: Domains) -> Whitened:
        groups = [rows[codes == one].astype(np.float64) for one in range(len(self.domains_))]
        pooled = np.concatenate(groups)
        if np.linalg.matrix_rank(pooled - pooled.mean(axis=0)) < rows.shape[1]:
            raise DataError(
                "E662",
                "a column is constant or a linear combination of others, so rows do not tell all latent variables.",
                "Leave out columns until none follows from the others.",
            )
        return Whitened.of(groups)

    def _fit_profile(self, rows: Whitened, dense: Dense, rng: np.random.Generator) -> None:
        m = len(rows.values) - 1
        shape = Shape(m - self._own(m), self.slope, self.f == "can")
        self.model_ = model_of(fit_shape(rows, dense, shape)[1], rows, shape)
        if self.signed:
            self.model_ = replace(self.model_, mechanisms=self.model_.mechanisms.with_signs(shape.shared, rng))

    def _fit_adam(self, rows: NDArray[Any], codes: Domains, validation: tuple[NDArray[Any], Domains]) -> None:
        from whence.systems.domains._networks_training import train

        network, self.log_ = train(self._settings(), rows, codes, validation, self.random_state)
        if isinstance(self.g, str) and self.g == "linear_leaky":
            weights, scales, offsets = (part.detach().numpy() for part in network.mechanisms.parts())  # type: ignore[union-attr, operator]
            last = network.mixing.blocks[-1]  # type: ignore[union-attr, index]
            scale, center = (getattr(network, name).numpy() for name in ("scale", "center"))
            mixing, bias = (getattr(last, name).detach().numpy() for name in ("weight", "bias"))
            self.model_ = LinearDomainModel(
                DomainMechanisms(weights, scales, offsets), scale[:, None] * mixing, scale * bias + center, self.slope
            )
        else:
            self.model_ = network

    def _settings(self) -> dict[str, Any]:
        names = "latent_dim g f slope signed depth hidden channels kl_weight steps batch_size clip schedule device "
        names += "checkpoint progress"
        rate = self.learning_rate
        rates = (rate, rate) if isinstance(rate, (int, float)) else tuple(rate)
        own = self._own(self.latent_dim or self.shape_[0])
        return {name: getattr(self, name) for name in names.split()} | {"rates": rates, "k": own, "validate_every": 100}

    def _constructor(self) -> dict[str, Any]:
        names = "latent_dim k g f solver slope starts signed depth hidden channels kl_weight steps batch_size "
        names += "learning_rate clip schedule validation"
        return {name: getattr(self, name) for name in names.split()}

    def _numbers(self) -> Any:
        if not isinstance(self.model_, LinearDomainModel):
            return self.model_
        mechanisms = self.model_.mechanisms
        parts = {name: getattr(mechanisms, name) for name in ("weights", "scales", "offsets")}
        return parts | {"mixing": self.model_.mixing, "intercept": self.model_.intercept}

    # ---- reading -------------------------------------------------------------------------------------------------

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise ParameterError("E666", "the model is not fitted.", "Call fit(X, d) first.")

    def _codes(self, domains: Any, n: int) -> Domains:
        return codes_of(read_labels(domains, n), self.domains_)

    def _read(self, X: Any, d: Any) -> tuple[NDArray[Any], Domains]:
        self._check_fitted()
        rows = read_rows(X, self.shape_)
        return rows, self._codes(d, len(rows))
