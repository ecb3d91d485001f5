"""What searches by continuous optimisation share: from a table to a solution, and from its strengths to a DAG."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.discovery._common import gaussian_input, knowledge_arrays, open_table, precedence, rows_input
from whence.discovery._continuous_cycles import acyclic_part
from whence.discovery._continuous_models import LinearModel, Loss, Model
from whence.discovery._continuous_scale import same_variance, scale_report
from whence.discovery._continuous_schedules import Solution
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError
from whence.graph import Graph, Knowledge
from whence.graph.orientation import marks_of_dag
from whence.parallel import Progress, check_seed, silent
from whence.registry import Card

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """What a model is fitted to, its columns in an order that neither their names nor their places decide.

    Attributes
    ----------
    names : tuple of str
    covariance : float array, shape (p, p)
        With divisor n.
    values : float array, shape (n, p), or None
        Centred rows, where the model needs them.
    allowed, required : bool arrays, shape (p, p)
        Edges that may and that must be there.
    rows_used : int
    warnings : tuple of str
    library : str
    """

    names: tuple[str, ...]
    covariance: Array
    values: Array | None
    allowed: Booleans
    required: Booleans
    rows_used: int
    warnings: tuple[str, ...]
    library: str

    @property
    def unit(self) -> float:
        """The mean variance of the columns, in which losses are measured so that no common unit matters."""
        return float(np.trace(self.covariance)) / len(self.covariance)

    def ordered(self) -> Table:
        """Return the table with its columns by how strongly they are correlated with the others, ties by name.

        Where the optimisation ends may depend on the order; so it does not depend on how columns are named or placed.
        """
        scale = np.sqrt(np.diag(self.covariance))
        order = np.argsort(((self.covariance / np.outer(scale, scale)) ** 2).sum(axis=0), kind="stable")
        within = np.ix_(order, order)
        return replace(
            self,
            names=tuple(self.names[k] for k in order),
            covariance=self.covariance[within],
            values=None if self.values is None else self.values[:, order],
            allowed=self.allowed[within],
            required=self.required[within],
        )

    def standardised(self) -> Table:
        """Return the table with every column divided by its standard deviation."""
        scale = np.sqrt(np.diag(self.covariance))
        values = None if self.values is None else self.values / scale
        return replace(self, covariance=self.covariance / np.outer(scale, scale), values=values)

    def linear_model(self, price: float, loss: Loss = "squares", start: Array | None = None) -> LinearModel:
        """Return linear equations on this table; squares are measured in the mean variance, and so is their price."""
        unit = self.unit if loss == "squares" else 1.0
        return LinearModel(self.covariance / unit, self.allowed, self.required, price / unit, loss=loss, start=start)


@dataclass(frozen=True)
class Fitted:
    """A solution with what it says of every edge, shape (p, p): how strong it is, and its slope where not refitted.

    ``objective`` is loss and price without the measure of cycles, in the units of the table.
    """

    solution: Solution
    objective: float
    strength: Array
    slopes: Array | None = None


class ContinuousSearch(ABC):
    """A search that minimises a smooth function of all edges at once, cuts the weak ones and leaves a DAG."""

    card: ClassVar[Card]
    needs_rows: ClassVar[bool] = False

    def __init__(
        self,
        *,
        threshold: float,
        most_steps: int,
        compare_scales: bool,
        knowledge: Knowledge | None,
        random_state: int,
        prices: Mapping[str, float],
        counts: Mapping[str, int] | None = None,
    ) -> None:
        for name, value in {"threshold": threshold, **prices}.items():
            if not value >= 0:
                raise ParameterError("E311", f"{name} is {value}.", "Give 0 or more.")
        for name, count in {"most_steps": most_steps, **(counts or {})}.items():
            if count < 1:
                raise ParameterError("E311", f"{name} is {count}.", "Give 1 or more.")
        check_seed(random_state)
        self.threshold = threshold
        self.most_steps = most_steps
        self.compare_scales = compare_scales
        self.knowledge = knowledge
        self.random_state = random_state

    @abstractmethod
    def _solve(self, table: Table, progress: Progress) -> Fitted:
        """Minimise on one table."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return the settings of this search alone."""

    def fit(self, data: Any, *, progress: Progress = silent) -> DiscoveryResult:
        """Search a table.

        Parameters
        ----------
        data : table
        progress : callable, optional
            Called with a stage's name, the steps done and how many there may be.

        Raises
        ------
        DataError
            For columns that are no numbers, constant or the same as another, or too few complete rows.
        """
        started = time.perf_counter()
        dataset = open_table(data, self.card)
        given = dataset.names
        table = self._table(dataset.select(sorted(given))).ordered()
        fitted = self._solve(table, progress)
        adjacency, threshold = acyclic_part(fitted.strength, table.required, self.threshold)
        variances = np.diag(table.covariance)
        other = None
        if self.compare_scales and adjacency.any() and not same_variance(variances):
            strength = self._solve(table.standardised(), progress).strength
            other, _ = acyclic_part(strength, table.required, self.threshold)
        scale = scale_report(table.names, adjacency, other, variances)
        back = [table.names.index(name) for name in given]
        graph = Graph(given, marks_of_dag(adjacency[np.ix_(back, back)]), "DAG")
        weights = least_squares(table.covariance, adjacency) if fitted.slopes is None else fitted.slopes
        index = {name: k for k, name in enumerate(table.names)}
        places = [(edge.source, edge.target) for edge in graph.edges()]
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                **self._settings(),
                "threshold": self.threshold,
                "most_steps": self.most_steps,
                "compare_scales": self.compare_scales,
                "random_state": self.random_state,
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            evidence=tuple(EdgeEvidence(a, b, weight=float(weights[index[a], index[b]])) for a, b in places),
            rows_used=table.rows_used,
            seconds=time.perf_counter() - started,
            warnings=(*table.warnings, *self._findings(fitted.solution, threshold), *scale.sentences),
            details={
                "strength": [float(fitted.strength[index[a], index[b]]) for a, b in places],
                "objective": fitted.objective,
                "threshold_used": threshold,
                "cycles_left": fitted.solution.cycles,
                "evaluations": fitted.solution.evaluations,
                "converged": fitted.solution.converged,
                "scale": {name: value for name, value in asdict(scale).items() if name != "sentences"},
            },
            library=table.library,
        )

    def _table(self, ordered: Any) -> Table:
        """Return what the model is fitted to, of columns sorted by name."""
        required, forbidden = knowledge_arrays(self.knowledge, ordered.names, self.card)
        before = precedence(ordered.names, self.knowledge, required)
        allowed = ~forbidden & ~before.T
        if self.needs_rows:
            rows = rows_input(ordered)
            values = rows.values - rows.values.mean(axis=0)
            covariance = values.T @ values / len(values)
            return Table(rows.names, covariance, values, allowed, required, len(values), rows.warnings, rows.library)
        found = gaussian_input(ordered)
        n = found.moments.n
        covariance = found.moments.covariance * ((n - 1) / n)
        return Table(found.names, covariance, None, allowed, required, n, found.warnings, found.library)

    def _findings(self, solution: Solution, threshold: float) -> list[str]:
        found = []
        if not solution.converged:
            found.append(
                f"The optimisation did not converge (measure of cycles {solution.cycles:.1e} after "
                f"{solution.evaluations:,} evaluations): the graph may be another one with more steps (most_steps), or "
                "with columns in units of like size."
            )
        if threshold > self.threshold:
            found.append(
                f"Edges stronger than the threshold of {self.threshold:g} made cycles; it was raised to "
                f"{threshold:.3g}, where none is left."
            )
        return found


def objective(model: Model, solution: Solution, unit: float = 1.0) -> float:
    """Return loss and price of a solution, times the unit in which they were measured."""
    return unit * (model.loss(solution.x)[0] + float(model.price @ np.abs(solution.x)))


def least_squares(covariance: Array, adjacency: Booleans) -> Array:
    """Return the coefficients of every column on its parents, in units of the columns, shape (p, p)."""
    weights = np.zeros_like(covariance)
    for target in range(len(covariance)):
        parents = np.flatnonzero(adjacency[:, target])
        if parents.size:
            among = covariance[np.ix_(parents, parents)]
            weights[parents, target] = np.linalg.lstsq(among, covariance[parents, target], rcond=None)[0]
    return weights
