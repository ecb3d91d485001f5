"""DAGMA: all edges at once, along a path of smooth problems inside a barrier of log-determinants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from whence.discovery._continuous import ContinuousSearch, Fitted, Table, objective
from whence.discovery._continuous_schedules import central_path
from whence.discovery._mlp import NetworkModel
from whence.discovery.notears import FORMS, KINDS
from whence.errors import ParameterError
from whence.graph import Knowledge
from whence.parallel import Progress
from whence.registry import Card, Paper, register

PAPER = Paper(
    "Bello, Aragam and Ravikumar",
    "DAGMA: learning DAGs via M-matrices and a log-determinant acyclicity characterization",
    2022,
    "NeurIPS 35",
)

CARD = Card(
    name="dagma",
    family="search",
    answers="Which linear model without cycles has the least squares, if all noise has the same variance, quickly?",
    assumes=frozenset({"linear", "equal-variances", "acyclic", "no-hidden-causes", "iid"}),
    kinds=KINDS,
    output="DAG",
    missing="complete-rows",
    knowledge=FORMS,
    moments_only=True,
    paper=PAPER,
)

NONLINEAR_CARD = Card(
    name="dagma-mlp",
    family="search",
    answers="Which nonlinear model without cycles fits best, if all noise has the same variance?",
    assumes=frozenset({"equal-variances", "acyclic", "no-hidden-causes", "iid"}),
    kinds=KINDS,
    output="DAG",
    missing="complete-rows",
    knowledge=FORMS,
    paper=PAPER,
)


@register(CARD)
class DAGMA(ContinuousSearch):
    """Least squares with a price on coefficients, over linear models without a cycle, by a path inside a barrier.

    The paper descends by Adam; here each problem of the path is minimised by a quasi-Newton method, which ends where
    the slope vanishes, in a hundredth of the steps. Directions come from variances and hang on the columns' units as in
    `NOTEARS`, and every result says how far. Only means and covariances are read.

    Parameters
    ----------
    sparsity : float
        Price of a coefficient of size 1, in half the square of the columns' unit.
    threshold : float
        Coefficients up to this size are cut, in units of the target per unit of the source; raised, with a warning,
        where that leaves a cycle.
    path : sequence of float
        Falling weights of the fit against the measure of cycles.
    scales : sequence of float
        For each of them, how strong a cycle may be at most.
    most_steps : int
        Of the minimisation at each point of the path.
    compare_scales : bool
        Whether to search the standardised columns as well, for the warning; doubles the time.
    knowledge : Knowledge, optional
        Forbidden edges are no variables; required ones have no price and are never cut.
    random_state : int
        Seed of the small shifts by which each problem leaves saddle points.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, noise = rng.normal(size=(2, 1000))
    >>> result = DAGMA().fit({"dose": 2 * age + noise, "age": age})
    >>> [str(edge) for edge in result.graph.edges()], round(result.evidence[0].weight)
    (['age -> dose'], 2)
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        sparsity: float = 0.03,
        threshold: float = 0.3,
        path: Sequence[float] = (1.0, 0.1, 0.01, 0.001, 0.0001),
        scales: Sequence[float] = (1.0, 0.9, 0.8, 0.7, 0.6),
        most_steps: int = 2000,
        compare_scales: bool = True,
        knowledge: Knowledge | None = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            threshold=threshold,
            most_steps=most_steps,
            compare_scales=compare_scales,
            knowledge=knowledge,
            random_state=random_state,
            prices={"sparsity": sparsity},
        )
        check_path(path, scales)
        self.sparsity = sparsity
        self.path = tuple(path)
        self.scales = tuple(scales)

    def _settings(self) -> dict[str, Any]:
        return {"sparsity": self.sparsity, "path": self.path, "scales": self.scales}

    def _solve(self, table: Table, progress: Progress) -> Fitted:
        model = table.linear_model(self.sparsity)
        solution = central_path(
            model,
            weights=self.path,
            scales=self.scales,
            most_steps=self.most_steps,
            random_state=self.random_state,
            progress=progress,
        )
        return Fitted(solution, objective(model, solution, table.unit), np.abs(model.coefficients(solution.x)))


@register(NONLINEAR_CARD)
class NonlinearDAGMA(ContinuousSearch):
    """Small neural networks, one for each column, without a cycle among what enters them, by a path inside a barrier.

    The fit is p / 2 times the logarithm of the mean squared residual over all columns, so that a common unit of all
    columns does not matter; that of one against the others does, and every result says how far. The weight of an edge
    is the mean slope of the target's network in the source.

    Parameters
    ----------
    hidden_units : int
        Sigmoid units of a column.
    sparsity : float
        Price of an input weight of size 1.
    decay : float
        Price of half the square of each input and output weight.
    threshold : float
        Edges up to this strength are cut, in hidden units per unit of the source; raised, with a warning, where that
        leaves a cycle.
    path, scales, most_steps, compare_scales, knowledge
        As in `DAGMA`.
    random_state : int
        Seed of the weights that the optimisation starts from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, noise = rng.normal(size=(2, 300))
    >>> result = NonlinearDAGMA().fit({"dose": 3 * np.tanh(2 * age) + noise, "age": age})
    >>> [str(edge) for edge in result.graph.edges()]
    ['age -> dose']
    """

    card: ClassVar[Card]
    needs_rows = True

    def __init__(
        self,
        *,
        hidden_units: int = 10,
        sparsity: float = 0.02,
        decay: float = 0.005,
        threshold: float = 0.3,
        path: Sequence[float] = (0.1, 0.01, 0.001, 0.0001),
        scales: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
        most_steps: int = 2000,
        compare_scales: bool = True,
        knowledge: Knowledge | None = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            threshold=threshold,
            most_steps=most_steps,
            compare_scales=compare_scales,
            knowledge=knowledge,
            random_state=random_state,
            prices={"sparsity": sparsity, "decay": decay},
            counts={"hidden_units": hidden_units},
        )
        check_path(path, scales)
        self.hidden_units = hidden_units
        self.sparsity = sparsity
        self.decay = decay
        self.path = tuple(path)
        self.scales = tuple(scales)

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("hidden_units", "sparsity", "decay", "path", "scales")}

    def _solve(self, table: Table, progress: Progress) -> Fitted:
        assert table.values is not None
        model = NetworkModel(
            table.values,
            table.allowed,
            table.required,
            units=self.hidden_units,
            price=self.sparsity,
            decay=self.decay,
            loss="log-squares",
            random_state=self.random_state,
        )
        solution = central_path(
            model,
            weights=self.path,
            scales=self.scales,
            most_steps=self.most_steps,
            random_state=self.random_state,
            progress=progress,
        )
        strength, slopes = np.sqrt(model.strengths(solution.x)), model.slopes(solution.x)
        return Fitted(solution, objective(model, solution), strength, slopes)


def check_path(path: Sequence[float], scales: Sequence[float]) -> None:
    """Raise ParameterError for a path that is empty or has no scale for each weight, or for one not above 0."""
    if len(path) == 0 or len(path) != len(scales):
        raise ParameterError(
            "E311", f"path has {len(path)} weights, scales has {len(scales)}.", "Give one scale for each weight."
        )
    if not (min(path) > 0 and min(scales) > 0):
        raise ParameterError("E311", "path and scales must be above 0.", "Usual are 1, 0.1, 0.01 and so on.")
