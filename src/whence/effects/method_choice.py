"""Which estimator answers: by strategy, kind of treatment, number of rows and overlap, with the reason."""

from __future__ import annotations

from whence.effects.identification import Identification
from whence.effects.overlap import share_outside
from whence.effects.sample import Sample
from whence.effects.sums import Array
from whence.errors import ParameterError, quote_names

ADJUSTING = ("regression", "aipw", "dml-plr", "dml-irm")
POPULATIONS = ("all", "treated", "overlap")
ROWS_FOR_MACHINE_LEARNING = 500
ARM_ROWS = 100
ARM_ROWS_WITHOUT_OVERLAP = 50
_SHARE_OUTSIDE = 0.05
_FOR_STRATEGY = {"instrument": "iv", "front-door": "front-door"}


def choose_method(
    method: str, identification: Identification, sample: Sample, population: str, propensity: Array | None
) -> tuple[str, str]:
    """Return the estimator's name and why it was taken.

    The rule of ``"auto"``: instruments take ``iv``, a front door ``front-door``. With nothing to adjust for, or fewer
    than 500 rows, ``regression``. A discrete treatment then takes ``aipw`` if its smallest arm has 100 rows (50 where
    overlap is poor, since regression would hide that in a narrow interval), a continuous one ``dml-plr``.

    Raises
    ------
    ParameterError
        E439 for an unknown method or one that does not fit; E441 for an unknown population or one that does not fit.
    """
    _check_population(population, sample, identification, method)
    special = _FOR_STRATEGY.get(str(identification.strategy))
    if special is not None:
        if method not in ("auto", special):
            raise ParameterError(
                "E439",
                f"the effect is identified by {identification.strategy}; the method {method!r} adjusts instead.",
                f"Leave method out, or use {special!r}.",
            )
        return special, f"the effect is identified by {identification.strategy}"
    if method != "auto":
        _check_method(method, sample)
        return method, "asked for"
    n = sample.size
    if not sample.width:
        return "regression", "nothing to adjust for: means of the arms, or one slope, say it all"
    if n < ROWS_FOR_MACHINE_LEARNING:
        return "regression", f"{n} rows are fewer than {ROWS_FOR_MACHINE_LEARNING}"
    if sample.arms is None:
        return "dml-plr", f"continuous treatment and {n:,} rows"
    smallest = int(sample.arm_sizes.min())
    poor = propensity is not None and share_outside(propensity, sample.codes, population) > _SHARE_OUTSIDE
    needed = ARM_ROWS_WITHOUT_OVERLAP if poor else ARM_ROWS
    if smallest < needed:
        return "regression", f"{smallest} rows in the smallest arm are fewer than {needed}"
    return "aipw", f"{n:,} rows with {smallest:,} in the smallest arm" + (" and poor overlap" if poor else "")


def _check_method(method: str, sample: Sample) -> None:
    if method not in ADJUSTING:
        known = ("auto", *ADJUSTING, *_FOR_STRATEGY.values())
        remedy = f"Choose one of {quote_names(known)}."
        if method in _FOR_STRATEGY.values():
            remedy = "It needs a graph by which the effect is identified that way; see identify(graph, ...)."
        raise ParameterError("E439", f"the method {method!r} does not fit an effect found by adjustment.", remedy)
    fitting = {
        "continuous": ("regression", "dml-plr"),
        "binary": ADJUSTING,
        "categorical": ("regression", "aipw", "dml-irm"),
    }[sample.kind]
    if method not in fitting:
        raise ParameterError(
            "E439",
            f"the method {method!r} does not take a {sample.kind} treatment.",
            f"Choose one of {quote_names(fitting)}.",
        )


def _check_population(population: str, sample: Sample, identification: Identification, method: str) -> None:
    if population not in POPULATIONS:
        raise ParameterError(
            "E441", f"there is no population {population!r}.", f"Choose one of {quote_names(POPULATIONS)}."
        )
    if population == "all":
        return
    if sample.arms is None:
        raise ParameterError(
            "E441",
            f"population={population!r} needs a treatment with levels; this one is a number.",
            "Leave it out: the answer is the average slope over all rows.",
        )
    if str(identification.strategy) in _FOR_STRATEGY:
        raise ParameterError(
            "E441",
            f"population={population!r} is not offered for effects identified by {identification.strategy}.",
            "Leave it out.",
        )
    if population == "treated" and method == "dml-plr":
        raise ParameterError(
            "E441", "the partially linear model has no effect on the treated of its own.", "Use 'aipw' or 'dml-irm'."
        )
