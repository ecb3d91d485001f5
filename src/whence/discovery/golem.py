"""GOLEM: all edges at once, by the likelihood with a soft price on cycles."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from whence.discovery._continuous import ContinuousSearch, Fitted, Table, objective
from whence.discovery._continuous_schedules import penalised
from whence.discovery.notears import FORMS, KINDS
from whence.graph import Knowledge
from whence.parallel import Progress
from whence.registry import Card, Paper, register

CARD = Card(
    name="golem",
    family="search",
    answers="Which linear Gaussian model is likeliest, with few edges and hardly a cycle?",
    assumes=frozenset({"linear", "gaussian", "equal-variances", "acyclic", "no-hidden-causes", "iid"}),
    kinds=KINDS,
    output="DAG",
    missing="complete-rows",
    knowledge=FORMS,
    moments_only=True,
    paper=Paper(
        "Ng, Ghassami and Zhang",
        "On the role of sparsity and DAG constraints for learning linear DAGs",
        2020,
        "NeurIPS 33",
    ),
)


@register(CARD)
class GOLEM(ContinuousSearch):
    """The likelihood of a linear Gaussian model, with prices on coefficients and on cycles, minimised once.

    With one noise variance for all columns (GOLEM-EV) the model is identified where that holds, from the variances.
    With one for each (GOLEM-NV) the likelihood cannot tell the members of an equivalence class apart; the search then
    starts from the solution with equal variances, so that directions still hang on the columns' units, and every result
    says how far. Only means and covariances are read.

    Parameters
    ----------
    equal_variances : bool
        Whether all noise terms are taken to have one variance.
    sparsity : float, optional
        Price of a coefficient of size 1, in log-likelihood over n; 0.02 by default, with unequal variances 0.002.
    cycle_penalty : float
        Price of the measure of cycles.
    threshold : float
        Coefficients up to this size are cut, in units of the target per unit of the source; raised, with a warning,
        where that leaves a cycle.
    most_steps : int
        Of the minimisation.
    compare_scales : bool
        Whether to search the standardised columns as well, for the warning; doubles the time.
    knowledge : Knowledge, optional
        Forbidden edges are no variables; required ones have no price and are never cut.
    random_state : int
        Seed of the small coefficients that the optimisation starts from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, noise = rng.normal(size=(2, 1000))
    >>> result = GOLEM().fit({"dose": 2 * age + noise, "age": age})
    >>> [str(edge) for edge in result.graph.edges()], round(result.evidence[0].weight)
    (['age -> dose'], 2)
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        equal_variances: bool = True,
        sparsity: float | None = None,
        cycle_penalty: float = 5.0,
        threshold: float = 0.3,
        most_steps: int = 5000,
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
            prices={"sparsity": 0.0 if sparsity is None else sparsity, "cycle_penalty": cycle_penalty},
        )
        self.equal_variances = equal_variances
        self.sparsity = sparsity
        self.cycle_penalty = cycle_penalty

    def _settings(self) -> dict[str, Any]:
        return {
            "equal_variances": self.equal_variances,
            "sparsity": self._price(self.equal_variances),
            "sparsity_rule": "given" if self.sparsity is not None else "0.02 with equal variances, else 0.002",
            "cycle_penalty": self.cycle_penalty,
        }

    def _price(self, equal: bool) -> float:
        return self.sparsity if self.sparsity is not None else 0.02 if equal else 0.002

    def _solve(self, table: Table, progress: Progress) -> Fitted:
        model = table.linear_model(self._price(equal=True), "equal-variances")
        solution = penalised(
            model,
            penalty=self.cycle_penalty,
            most_steps=self.most_steps,
            random_state=self.random_state,
            progress=progress,
        )
        if not self.equal_variances:
            start = model.coefficients(solution.x)
            model = table.linear_model(self._price(equal=False), "unequal-variances", start)
            solution = penalised(
                model,
                penalty=self.cycle_penalty,
                most_steps=self.most_steps,
                random_state=self.random_state,
                progress=progress,
            )
        return Fitted(solution, objective(model, solution), np.abs(model.coefficients(solution.x)))
