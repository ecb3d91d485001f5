"""The front door in linear models: what the treatment does to the mediators times what they do to the outcome."""

from __future__ import annotations

import numpy as np

from whence.effects.fitted import ContrastFit, Fitted, Score
from whence.effects.regression import determined_treatment, influences, least_squares
from whence.effects.sample import Sample
from whence.effects.sums import Array, LinAlgError
from whence.errors import DataError
from whence.registry import Card, Paper, register


@register(
    Card(
        name="front-door",
        family="estimator",
        answers="What does the treatment do, followed through the variables that carry all of its effect?",
        assumes=frozenset({"linear", "iid"}),
        kinds=frozenset({"continuous", "count", "ordinal", "binary", "categorical"}),
        output="effect",
        missing="complete-rows",
        paper=Paper("Pearl, J.", "Causal diagrams for empirical research", 1995, "Biometrika 82(4), 669-688"),
    )
)
def front_door(sample: Sample) -> Fitted:
    """Estimate the effect in two stages of least squares.

    First each mediator on the treatment, then the outcome on mediators and treatment; the effect is the sum of products
    over mediators. The influences (HC3) of both stages add up, so that the standard error knows how they vary together.

    Parameters
    ----------
    sample : Sample
        With ``extra["mediators"]``, shape (n, m); the covariates are conditioned on in both stages.

    Raises
    ------
    DataError
        E437 if the covariates, or the mediators, determine the treatment; E445 if no mediator varies.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hidden, d = rng.normal(size=500), rng.normal(size=500)
    >>> d = d + hidden
    >>> m = 2 * d + rng.normal(size=500)
    >>> y = 3 * m + 5 * hidden + rng.normal(size=500)
    >>> rows = Sample(y, d, np.empty((500, 0)), (), (), None, np.arange(500), 500, extra={"mediators": m[:, None]})
    >>> bool(abs(front_door(rows).primary.value - 6) < 1)
    True
    """
    mediators = sample.extra["mediators"]
    if not mediators.shape[1]:
        raise DataError(
            "E445",
            "none of the mediators varies, so nothing can be followed through them.",
            "Check the filter and the missing values of the mediators.",
        )
    treated = _treatment_columns(sample)
    given = [sample.covariates] if sample.width else []
    try:
        first = [least_squares([treated, *given], column) for column in mediators.T]
        second = least_squares([mediators, treated, *given], sample.outcome)
    except LinAlgError:
        raise determined_treatment() from None
    contrasts = []
    for arm in range(treated.shape[1]):
        value, influence = 0.0, np.zeros(sample.size)
        for m, fit in enumerate(first):
            on_mediator, on_outcome = float(fit.coefficients[1 + arm]), float(second.coefficients[1 + m])
            value += on_mediator * on_outcome
            influence += on_outcome * influences(fit, [treated, *given], _unit(fit.coefficients, 1 + arm))
            influence += on_mediator * influences(
                second, [mediators, treated, *given], _unit(second.coefficients, 1 + m)
            )
        score = Score.of(value, influence)
        contrasts.append(ContrastFit(score) if sample.arms is None else ContrastFit(score, arm + 1, 0))
    return Fitted(
        "front-door",
        "slope" if sample.arms is None else "ATE",
        tuple(contrasts),
        float(second.degrees_of_freedom),
        second.fitted,
        parameters={"errors": "HC3"},
    )


def _treatment_columns(sample: Sample) -> Array:
    if sample.arms is None:
        return sample.treatment[:, None]
    return np.column_stack([sample.codes == arm for arm in range(1, len(sample.arms))]).astype(np.float64)


def _unit(like: Array, position: int) -> Array:
    unit = np.zeros(len(like))
    unit[position] = 1.0
    return unit
