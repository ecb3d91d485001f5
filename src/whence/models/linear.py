"""The linear structural causal model: fitted along a graph, intervened on, asked what would have been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.data import Dataset, Moments, as_dataset, read
from whence.errors import DataError, GraphError, ParameterError, quote_names
from whence.graph import Graph
from whence.models.intervention import Intervention, SetTo, ShiftBy
from whence.parallel import RandomState, generator
from whence.results import make_frame

Array = NDArray[np.float64]
Noise = Literal["gaussian", "empirical"]


class LinearSCM:
    """A structural causal model ``x_j = intercept_j + sum_i coefficients[i, j] x_i + noise_j`` along a DAG.

    Parameters
    ----------
    graph : Graph
        A DAG, over p nodes.
    coefficients : mapping of (parent, child) to float, or array of shape (p, p), optional
        ``[i, j]`` is the change of j per unit of i. Left out, `fit` finds them.
    intercepts, noise_scale : mapping of str to float, or array of shape (p,), optional
        In the units of each variable; 0 and 1 where left out.
    noise : {"gaussian", "empirical"}
        What `sample` draws noises from: normal distributions, or the residuals of the rows given to `fit`.
    units : mapping of str to str, optional
        `fit` takes them from the data.

    Attributes
    ----------
    coefficients_ : ndarray, shape (p, p)
    intercepts_, noise_scale_ : ndarray, shape (p,)
    residuals_ : ndarray of shape (n, p), or None
        Kept for ``noise="empirical"``.
    intervention : Intervention
        What `do` has changed; empty in the model as fitted.
    rows_used_ : int
        Complete rows that `fit` used; 0 for a model whose coefficients were given.
    warnings_ : tuple of str

    Raises
    ------
    GraphError
        E206 if the graph is no DAG.

    References
    ----------
    Pearl (2009), Causality, definitions 3.2.1 (do) and 7.1.5 with theorem 7.1.7 (counterfactuals in three steps).

    Examples
    --------
    >>> import whence as wh
    >>> graph = wh.Graph.from_edges(["age -> dose", "age -> cure", "dose -> cure"])
    >>> model = LinearSCM(graph, {("age", "dose"): 0.5, ("age", "cure"): -1.0, ("dose", "cure"): 2.0})
    >>> model.effect("age", "cure"), model.do(dose=3.0).mean()["cure"]
    (0.0, 6.0)
    >>> model.counterfactual({"age": [1.0], "dose": [1.0], "cure": [4.0]}, do={"dose": 0.0})["cure"]
    array([2.])
    """

    def __init__(
        self,
        graph: Graph,
        coefficients: Mapping[tuple[str, str], float] | ArrayLike | None = None,
        intercepts: Mapping[str, float] | ArrayLike | None = None,
        noise_scale: Mapping[str, float] | ArrayLike | None = None,
        *,
        noise: Noise = "gaussian",
        units: Mapping[str, str] | None = None,
    ) -> None:
        if graph.kind != "DAG":
            raise GraphError(
                "E206", f"a structural causal model needs a DAG, not a {graph.kind}.", "Use graph.extension() for one."
            )
        if noise not in ("gaussian", "empirical"):
            raise ParameterError("E301", f"there is no noise {noise!r}.", "Noises: 'gaussian', 'empirical'.")
        self.graph = graph
        self.noise: Noise = noise
        self.units = dict(units or {})
        self.intervention = Intervention()
        self.residuals_: Array | None = None
        self.rows_used_ = 0
        self.warnings_: tuple[str, ...] = ()
        if coefficients is not None:
            self.coefficients_ = _matrix(graph, coefficients)
            self.intercepts_ = _vector(graph, intercepts, 0.0)
            self.noise_scale_ = _vector(graph, noise_scale, 1.0)

    @property
    def names(self) -> tuple[str, ...]:
        """The variables, in the order of the graph."""
        return self.graph.names

    # ---- fitting ------------------------------------------------------------------------------------------------

    def fit(self, data: Any) -> LinearSCM:
        """Regress every variable on its parents by least squares, over complete rows.

        With Gaussian noise nothing but the moments is read, so the table may be beyond memory.

        Raises
        ------
        DataError
            E123 for a node without a column, E112 for a column of text, E643 for too few rows, E644 for parents that
            determine one another.
        """
        dataset = self._numbers(as_dataset(data))
        moments: Moments = dataset.moments()
        most = max(len(self.graph.parents(name)) for name in self.names)
        if moments.n < most + 2:
            raise DataError(
                "E643",
                f"{moments.n} complete rows are too few for a variable with {most} causes.",
                f"Give at least {most + 2} rows without missing values in {quote_names(self.names)}.",
            )
        p = len(self.names)
        self.coefficients_, self.noise_scale_ = np.zeros((p, p)), np.zeros(p)
        for j, name in enumerate(self.names):
            parents = self.graph.indices(self.graph.parents(name))
            self.coefficients_[parents, j] = _least_squares(moments, parents, j)
            weights = self.coefficients_[:, j]
            left = moments.covariance[j, j] - weights @ moments.covariance[:, j]
            free = max(moments.n - 1 - len(parents), 1)
            self.noise_scale_[j] = np.sqrt(max(left, 0.0) * (moments.n - 1) / free)
        self.intercepts_ = moments.mean - moments.mean @ self.coefficients_
        self.units = {name: dataset.unit(name) for name in self.names if dataset.unit(name)}
        self.residuals_ = None
        if self.noise == "empirical":
            self.residuals_ = self._abduct(dataset.complete().numeric())
        self.rows_used_ = moments.n
        left_out = moments.rows - moments.n
        self.warnings_ = (f"{left_out:,} of {moments.rows:,} rows with missing values were left out.",) * bool(left_out)
        return self

    # ---- do -----------------------------------------------------------------------------------------------------

    def do(self, intervention: Intervention | Mapping[str, Any] | None = None, /, **named: Any) -> LinearSCM:
        """Return the model in which the named variables are set, shifted, clamped or transformed.

        Parameters are those of `intervene`; the model itself is unchanged, and calls can be chained.

        Raises
        ------
        ParameterError
            E640 for a variable that is not in the graph.
        """
        asked = Intervention.of(intervention, **named).check(self.names)
        changed = LinearSCM(self.graph, noise=self.noise, units=self.units)
        changed.__dict__.update(self.__dict__)
        changed.intervention = self.intervention.then(asked)
        return changed

    def sample(self, n: int = 1000, *, random_state: RandomState = None) -> Dataset:
        """Draw rows from the model under its intervention; a Dataset that carries the units.

        Raises
        ------
        ParameterError
            E645 if the model is not fitted.
        """
        self._check_fitted()
        rng = generator(random_state)
        if self.residuals_ is not None:
            rows = rng.integers(len(self.residuals_), size=(n, len(self.names)))
            noise = np.take_along_axis(self.residuals_, rows, axis=0)
        else:
            noise = rng.normal(size=(n, len(self.names))) * self.noise_scale_
        values = self._run(noise, self.intervention)
        return self._dataset(values, repr(self.intervention) if self.intervention else "a sample of the model")

    def counterfactual(self, rows: Any, do: Intervention | Mapping[str, Any] | None = None) -> Any:
        """Return what the same rows would have been: abduction of their noises, action, prediction.

        Parameters
        ----------
        rows : table
            Every variable observed, in the model without intervention; any table `whence.read` takes, or an array
            whose columns are in the order of the graph's nodes.
        do : Intervention or mapping of str to value or change
            On top of what `do` has already changed in the model.

        Returns
        -------
        table
            Of the kind the rows came in: a Dataset, a frame, or for a mapping one of name to array.

        Raises
        ------
        DataError
            E646 for missing values.
        """
        self._check_fitted()
        asked = self.intervention.then(Intervention.of(do).check(self.names))
        names = self.names if isinstance(rows, np.ndarray) else None
        dataset = self._numbers(rows if isinstance(rows, Dataset) else read(rows, names=names))
        observed = dataset.numeric()
        if np.isnan(observed).any():
            name = self.names[int(np.argmax(np.isnan(observed).any(axis=0)))]
            raise DataError(
                "E646",
                f"column {name!r} has missing values, and without its value a row's noises are not known.",
                "Leave such rows out: data.complete().",
            )
        values = self._run(self._abduct(observed), asked)
        if isinstance(rows, Dataset):
            return self._dataset(values, f"{rows.source} under {asked!r}")
        if isinstance(rows, np.ndarray):
            return values
        columns = dict(zip(self.names, values.T))
        return columns if isinstance(rows, Mapping) else make_frame(columns, dataset.library)

    # ---- closed forms -------------------------------------------------------------------------------------------

    def mean(self) -> dict[str, float]:
        """Return the exact mean of every variable under the intervention (which must set or shift)."""
        reach, offset, _ = self._closed_form()
        return dict(zip(self.names, (offset @ reach).tolist()))

    def covariance(self) -> Array:
        """Return the exact covariance under the intervention (which must set or shift), shape (p, p)."""
        reach, _, variance = self._closed_form()
        return reach.T @ (variance[:, None] * reach)

    def effect(self, treatment: str, outcome: str) -> float:
        """Return the total effect: units of ``outcome`` per unit of ``treatment`` set by intervention."""
        self._check_fitted()
        cause, effect = self.graph.index(treatment), self.graph.index(outcome)
        return float(_reach(self.coefficients_)[cause, effect])

    def _closed_form(self) -> tuple[Array, Array, Array]:
        """Return (I - W)^-1, the constants and the noise variances of the model under its intervention."""
        self._check_fitted()
        weights, offset = self.coefficients_.copy(), self.intercepts_.copy()
        variance = self.noise_scale_**2
        for name, change in self.intervention.changes.items():
            j = self.graph.index(name)
            amount = change.value if isinstance(change, SetTo) else getattr(change, "amount", None)
            if not isinstance(change, (SetTo, ShiftBy)) or not isinstance(amount, float):
                raise ParameterError(
                    "E647",
                    f"there is no closed form for {name!r} {change}.",
                    "Draw rows instead: model.do(...).sample(100_000).",
                )
            offset[j] = amount if isinstance(change, SetTo) else offset[j] + amount
            if isinstance(change, SetTo):
                weights[:, j], variance[j] = 0.0, 0.0
        return _reach(weights), offset, variance

    # ---- the equations ------------------------------------------------------------------------------------------

    def _run(self, noise: Array, intervention: Intervention) -> Array:
        """Return the rows that noises of shape (n, p) make, causes first."""
        values = np.zeros_like(noise)
        for name in self.graph.topological_order():
            j = self.graph.index(name)
            natural = self.intercepts_[j] + values @ self.coefficients_[:, j] + noise[:, j]
            values[:, j] = intervention.apply(name, natural)
        return values

    def _abduct(self, values: Array) -> Array:
        """Return the noises behind rows of shape (n, p)."""
        return values - self.intercepts_ - values @ self.coefficients_

    def _numbers(self, dataset: Dataset) -> Dataset:
        """Return the model's columns as they are: a column of two numbers too is numbers, not codes 0 and 1."""
        chosen = dataset.select(self.names)
        return chosen.with_kinds({name: "continuous" for name, kind in chosen.kinds().items() if kind != "continuous"})

    def _dataset(self, values: Array, source: str) -> Dataset:
        kinds = dict.fromkeys(self.names, "continuous")
        return read(dict(zip(self.names, values.T)), units=self.units, kinds=kinds).with_source(source)

    def _check_fitted(self) -> None:
        if not hasattr(self, "coefficients_"):
            raise ParameterError(
                "E645", "the model has no coefficients yet.", "Call fit(data), or give coefficients= when making it."
            )

    # ---- looks --------------------------------------------------------------------------------------------------

    def table(self, library: str = "pyarrow") -> Any:
        """Return one row for each edge: cause, effect, coefficient and its unit."""
        self._check_fitted()
        edges = self.graph.edges()
        weights = [self.coefficients_[self.graph.index(e.source), self.graph.index(e.target)] for e in edges]
        return make_frame(
            {
                "cause": [edge.source for edge in edges],
                "effect": [edge.target for edge in edges],
                "coefficient": [float(weight) for weight in weights],
                "unit": [self._per(edge.source, edge.target) for edge in edges],
            },
            library,
        )

    def _per(self, cause: str, effect: str) -> str:
        if cause not in self.units and effect not in self.units:
            return ""
        return f"{self.units.get(effect, effect)} per {self.units.get(cause, cause)}"

    def __repr__(self) -> str:
        fitted = f"fitted on {self.rows_used_:,} rows" if self.rows_used_ else "with given coefficients"
        state = fitted if hasattr(self, "coefficients_") else "not fitted"
        under = f", under {self.intervention!r}" if self.intervention else ""
        return f"LinearSCM over {quote_names(self.names)}, {len(self.graph.edges())} edges, {state}{under}"


def _least_squares(moments: Moments, parents: Sequence[int], child: int) -> Array:
    """Return the coefficients of one regression from the moments, computed on the scale of correlations."""
    if not parents:
        return np.zeros(0)
    scale = np.sqrt(np.diag(moments.covariance))[parents]
    among = moments.covariance[np.ix_(parents, parents)]
    correlation = among / np.outer(np.where(scale > 0, scale, 1.0), np.where(scale > 0, scale, 1.0))
    if np.linalg.eigvalsh(correlation)[0] < 1e-10:
        raise DataError(
            "E644",
            f"the causes {quote_names([moments.names[i] for i in parents])} of {moments.names[child]!r} determine one "
            "another in these rows, so their coefficients are not unique.",
            "Take an edge out of the graph, or give rows in which the causes vary separately.",
        )
    solved = np.linalg.solve(correlation, moments.covariance[parents, child] / scale)
    return np.asarray(solved / scale, dtype=np.float64)


def _reach(weights: Array) -> Array:
    """Return the total effects, (I - W)^-1."""
    return np.asarray(np.linalg.inv(np.eye(len(weights)) - weights), dtype=np.float64)


def _matrix(graph: Graph, given: Mapping[tuple[str, str], float] | ArrayLike) -> Array:
    p = graph.n_nodes
    weights = np.zeros((p, p))
    if isinstance(given, Mapping):
        for (cause, effect), weight in given.items():
            weights[graph.index(cause), graph.index(effect)] = weight
    else:
        weights = np.array(given, dtype=np.float64)
    if weights.shape != (p, p):
        raise ParameterError(
            "E648", f"coefficients of shape {weights.shape} do not fit a graph of {p} nodes.", f"Give shape ({p}, {p})."
        )
    edges = {(graph.index(edge.source), graph.index(edge.target)) for edge in graph.edges()}
    beside = [(i, j) for i, j in zip(*np.nonzero(weights)) if (i, j) not in edges]
    if beside:
        i, j = beside[0]
        raise ParameterError(
            "E648",
            f"a coefficient is given for {graph.names[i]} -> {graph.names[j]}, which is no edge of the graph.",
            "Add the edge, or leave the coefficient out.",
        )
    return weights


def _vector(graph: Graph, given: Mapping[str, float] | ArrayLike | None, default: float) -> Array:
    values = np.full(graph.n_nodes, default)
    if isinstance(given, Mapping):
        for name, value in given.items():
            values[graph.index(name)] = value
    elif given is not None:
        values = np.array(given, dtype=np.float64)
        if values.shape != (graph.n_nodes,):
            raise ParameterError(
                "E648", f"{values.size} values do not fit a graph of {graph.n_nodes} nodes.", "Give one a node."
            )
    return values
