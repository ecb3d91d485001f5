"""NOTEARS: all edges at once, by smooth optimisation under a smooth constraint that there is no cycle."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from whence.discovery._continuous import ContinuousSearch, Fitted, Table, objective
from whence.discovery._continuous_schedules import augmented_lagrangian
from whence.discovery._mlp import NetworkModel
from whence.graph import Knowledge
from whence.parallel import Progress
from whence.registry import Card, Paper, register

KINDS = frozenset({"continuous", "count", "ordinal", "binary"})
FORMS = frozenset({"required", "forbidden", "tiers", "roots", "leaves"})

CARD = Card(
    name="notears",
    family="search",
    answers="Which linear model without cycles has the least squares, if all noise has the same variance?",
    assumes=frozenset({"linear", "equal-variances", "acyclic", "no-hidden-causes", "iid"}),
    kinds=KINDS,
    output="DAG",
    missing="complete-rows",
    knowledge=FORMS,
    moments_only=True,
    paper=Paper(
        "Zheng, Aragam, Ravikumar and Xing",
        "DAGs with NO TEARS: continuous optimization for structure learning",
        2018,
        "NeurIPS 31",
    ),
)

NONLINEAR_CARD = Card(
    name="notears-mlp",
    family="search",
    answers="Which nonlinear model without cycles has the least squares, if all noise has the same variance?",
    assumes=frozenset({"equal-variances", "acyclic", "no-hidden-causes", "iid"}),
    kinds=KINDS,
    output="DAG",
    missing="complete-rows",
    knowledge=FORMS,
    paper=Paper(
        "Zheng, Dan, Aragam, Ravikumar and Xing",
        "Learning sparse nonparametric DAGs",
        2020,
        "AISTATS, PMLR 108, 3414-3425",
    ),
)


@register(CARD)
class NOTEARS(ContinuousSearch):
    """Least squares with a price on coefficients, over linear models without a cycle.

    Directions come from variances: where the noise of all columns has the same variance the true model has the least
    squares, elsewhere the order of the variances decides, and a change of units changes the graph (Reisach, Seiler and
    Weichwald 2021). Every result says what is left of it on standardised columns. Only means and covariances are read.

    Parameters
    ----------
    sparsity : float
        Price of a coefficient of size 1, in half the square of the columns' unit.
    threshold : float
        Coefficients up to this size are cut, in units of the target per unit of the source; raised, with a warning,
        where that leaves a cycle.
    tolerance : float
        How small the measure of cycles must get.
    most_rounds, most_steps : int
        Rounds of the augmented Lagrangian, and steps of the minimisation in each.
    compare_scales : bool
        Whether to search the standardised columns as well, for the warning; doubles the time.
    knowledge : Knowledge, optional
        Forbidden edges are no variables; required ones have no price and are never cut.
    random_state : int
        Seed of the small shifts by which each round leaves saddle points.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, noise = rng.normal(size=(2, 1000))
    >>> result = NOTEARS().fit({"dose": 2 * age + noise, "age": age})
    >>> [str(edge) for edge in result.graph.edges()], round(result.evidence[0].weight)
    (['age -> dose'], 2)
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        sparsity: float = 0.1,
        threshold: float = 0.3,
        tolerance: float = 1e-8,
        most_rounds: int = 100,
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
            prices={"sparsity": sparsity, "tolerance": tolerance},
            counts={"most_rounds": most_rounds},
        )
        self.sparsity = sparsity
        self.tolerance = tolerance
        self.most_rounds = most_rounds

    def _settings(self) -> dict[str, Any]:
        return {"sparsity": self.sparsity, "tolerance": self.tolerance, "most_rounds": self.most_rounds}

    def _solve(self, table: Table, progress: Progress) -> Fitted:
        model = table.linear_model(self.sparsity)
        solution = augmented_lagrangian(
            model,
            tolerance=self.tolerance,
            most_rounds=self.most_rounds,
            most_steps=self.most_steps,
            random_state=self.random_state,
            progress=progress,
        )
        return Fitted(solution, objective(model, solution, table.unit), np.abs(model.coefficients(solution.x)))


@register(NONLINEAR_CARD)
class NonlinearNOTEARS(ContinuousSearch):
    """Least squares of small neural networks, one for each column, without a cycle among what enters them.

    The strength of an edge is the norm of the source's weights into the hidden units of the target. As with `NOTEARS`,
    directions come from variances and hang on the columns' units, and every result says how far. The weight of an edge
    is the mean slope of the target's network in the source.

    Parameters
    ----------
    hidden_units : int
        Sigmoid units of a column.
    sparsity : float
        Price of an input weight of size 1, in half the square of the columns' unit.
    decay : float
        Price of half the square of each input and output weight, in the same unit.
    threshold : float
        Edges up to this strength are cut, in hidden units per unit of the source; raised, with a warning, where that
        leaves a cycle.
    tolerance, most_rounds, most_steps, compare_scales, knowledge
        As in `NOTEARS`.
    random_state : int
        Seed of the weights that the optimisation starts from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, noise = rng.normal(size=(2, 300))
    >>> result = NonlinearNOTEARS().fit({"dose": 3 * np.tanh(2 * age) + noise, "age": age})
    >>> [str(edge) for edge in result.graph.edges()]
    ['age -> dose']
    """

    card: ClassVar[Card]
    needs_rows = True

    def __init__(
        self,
        *,
        hidden_units: int = 10,
        sparsity: float = 0.01,
        decay: float = 0.01,
        threshold: float = 0.3,
        tolerance: float = 1e-8,
        most_rounds: int = 100,
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
            prices={"sparsity": sparsity, "decay": decay, "tolerance": tolerance},
            counts={"hidden_units": hidden_units, "most_rounds": most_rounds},
        )
        self.hidden_units = hidden_units
        self.sparsity = sparsity
        self.decay = decay
        self.tolerance = tolerance
        self.most_rounds = most_rounds

    def _settings(self) -> dict[str, Any]:
        named = ("hidden_units", "sparsity", "decay", "tolerance", "most_rounds")
        return {name: getattr(self, name) for name in named}

    def _solve(self, table: Table, progress: Progress) -> Fitted:
        assert table.values is not None
        model = NetworkModel(
            table.values,
            table.allowed,
            table.required,
            units=self.hidden_units,
            price=self.sparsity / table.unit,
            decay=self.decay / table.unit,
            loss="squares",
            random_state=self.random_state,
            unit=table.unit,
        )
        solution = augmented_lagrangian(
            model,
            tolerance=self.tolerance,
            most_rounds=self.most_rounds,
            most_steps=self.most_steps,
            random_state=self.random_state,
            progress=progress,
        )
        strength, slopes = np.sqrt(model.strengths(solution.x)), model.slopes(solution.x)
        return Fitted(solution, objective(model, solution, table.unit), strength, slopes)
