"""The verb: identify, build the sample, choose the estimator, fit, diagnose, and keep the user's units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, cast

from whence.data import Dataset, as_dataset
from whence.effects.contrasts import Question, as_asked, comparison, contrast_of, units_of, without_adjustment
from whence.effects.diagnostics import diagnose
from whence.effects.effect import Effect
from whence.effects.fitting import fit
from whence.effects.identification import Identification
from whence.effects.identify import identify, is_valid_adjustment
from whence.effects.method_choice import POPULATIONS, choose_method
from whence.effects.overlap import check_separation, logistic_propensity
from whence.effects.regression import Population
from whence.effects.sample import Sample, build_sample
from whence.errors import NotIdentified, ParameterError, quote_names
from whence.graph import Graph, Knowledge
from whence.parallel import Progress, RandomState, silent


def estimate(
    data: Any,
    graph: Graph | None = None,
    treatment: str | None = None,
    outcome: str | None = None,
    *,
    adjustment: Iterable[str] | None = None,
    identification: Identification | None = None,
    knowledge: Knowledge | None = None,
    method: str = "auto",
    population: str = "all",
    contrast: tuple[Any, Any] | None = None,
    level: float = 0.95,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress = silent,
) -> Effect:
    """Estimate the effect of a treatment on an outcome, with interval and diagnostics.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
        Rows with a missing value in a needed column are left out, counted and reported.
    graph : Graph, optional
        From which the effect is identified; its nodes that are no columns count as unobserved.
    treatment, outcome : str, optional
        Columns; by default those with these roles in ``data``.
    adjustment : iterable of str, optional
        Adjust for these columns. Without a graph this is taken at its word; with one it must be valid.
    identification : Identification, optional
        From `identify`, instead of a graph.
    knowledge : Knowledge, optional
        As in `identify`.
    method : str
        ``"regression"``, ``"aipw"``, ``"dml-plr"``, ``"dml-irm"``, or ``"auto"``: by kind of treatment, rows and
        overlap; the reason stands in ``parameters["method_reason"]``. Front door and instruments bring their own
        estimator.
    population : str
        ``"all"``, ``"treated"`` or ``"overlap"`` (rows weighted by e(1 - e)).
    contrast : (to, reference), optional
        Two levels of a discrete treatment, or two values of a continuous one; by default the second level against the
        first, and one unit more.
    level : float
        Coverage of the intervals.
    random_state : int or Generator
        Seed of the splits into folds.
    n_jobs : int, optional
    progress : callable, optional

    Returns
    -------
    Effect
        In the user's units.

    Raises
    ------
    NotIdentified
        If graph and observed columns do not determine the effect, with the reason.
    DataError
        If the columns cannot answer: no variation, no overlap, too few rows.
    GraphError, ParameterError
        For names that do not exist and settings that do not fit.

    Examples
    --------
    >>> from whence.data.simulate import treatment_outcome
    >>> table = treatment_outcome(500, effect=2.0, random_state=0)
    >>> effect = estimate(table.data, None, "T", "Y", adjustment=table.covariates)
    >>> effect.estimator, effect.interval[0] < 2 < effect.interval[1]
    ('aipw', True)
    """
    dataset = as_dataset(data)
    names = _ends(dataset, treatment, outcome, identification)
    if not 0 < level < 1:
        raise ParameterError("E441", f"level must lie between 0 and 1; got {level!r}.", "0.95 is usual.")
    if population not in POPULATIONS:
        raise ParameterError("E441", f"there is no population {population!r}.", f"Use {quote_names(POPULATIONS)}.")
    question = Question(names[0], names[1], method, cast("Population", population), contrast, level, random_state)
    found = identification or _identified(dataset, graph, question, adjustment, knowledge)
    if found.strategy is None:
        remedy = "Measure what the reason names, add knowledge, or settle the direction it leaves open."
        raise NotIdentified(
            "E430", f"the effect of {found.treatment} on {found.outcome} is not identified: {found.reason}", remedy
        )
    if len(found.treatments) > 1:
        raise ParameterError(
            "E439",
            f"the effect of {found.treatment} together is identified, but joint effects are not estimated yet.",
            "Estimate the effect of one treatment at a time.",
        )
    if found.strategy == "no-effect":
        effect = _no_effect(dataset, question, found)
    elif found.strategy == "class-range":
        effect = _range(dataset, question, found)
    else:
        effect = _one(dataset, question, found, n_jobs, progress)
    return replace(effect, warnings=(*_unobserved(dataset, graph), *effect.warnings))


def _unobserved(data: Dataset, graph: Graph | None) -> tuple[str, ...]:
    """Warn of nodes that are no columns, with the column that may have been meant."""
    absent = [name for name in graph.names if name not in data.columns] if graph is not None else []
    if not absent:
        return ()
    count = "is no column and counts" if len(absent) == 1 else "are no columns and count"
    meant = [text for name in absent if (text := _meant(name, data.names))]
    return (" ".join([f"Of the graph's nodes, {quote_names(absent)} {count} as unobserved.", *meant]),)


def _meant(name: str, columns: Sequence[str]) -> str:
    same = [column for column in columns if column.strip().casefold() == name.strip().casefold()]
    close = same or get_close_matches(name, columns, n=1, cutoff=0.75)
    return f"For {name!r}, did you mean the column {close[0]!r}?" if close else ""


def _ends(
    data: Dataset, treatment: str | None, outcome: str | None, identification: Identification | None
) -> tuple[str, str]:
    """Return treatment and outcome: as named, else as identified, else by the roles of the columns."""
    found = {}
    for role, name in (("treatment", treatment), ("outcome", outcome)):
        identified = getattr(identification, role, None)
        if name is not None and identified is not None and name != identified:
            raise ParameterError(
                "E442",
                f"the identification is about the {role} {identified!r}; {name!r} is asked for.",
                f"Leave {role} out, or identify the effect that is asked for.",
            )
        chosen = name or identified or data.roles.get(role)
        if chosen is None:
            raise ParameterError(
                "E442",
                f"no {role} is named.",
                f"Pass {role}=, or give a column this role with wh.read(..., roles={{...}}).",
            )
        found[role] = chosen
    return found["treatment"], found["outcome"]


def _identified(
    data: Dataset,
    graph: Graph | None,
    question: Question,
    adjustment: Iterable[str] | None,
    knowledge: Knowledge | None,
) -> Identification:
    treatment, outcome = question.treatment, question.outcome
    if graph is None and adjustment is None:
        raise ParameterError(
            "E442",
            "neither a graph nor an adjustment set is given, so nothing says what has to be held equal.",
            "Pass a graph, or adjustment=[...] (an empty list for a randomised treatment).",
        )
    if graph is not None and not isinstance(graph, Graph):
        raise ParameterError(
            "E442",
            f"graph must be a Graph; got {type(graph).__name__}.",
            "Pass wh.Graph.from_edges([...]), or the graph of a search: wh.discover(...).graph.",
        )
    if graph is not None and adjustment is None:
        observed = [name for name in graph.names if name in data.columns]
        return identify(graph, treatment, outcome, knowledge=knowledge, observed=observed)
    given = tuple(dict.fromkeys([adjustment] if isinstance(adjustment, str) else adjustment or ()))
    if graph is not None and not is_valid_adjustment(graph, treatment, outcome, given, knowledge=knowledge):
        proper = identify(graph, treatment, outcome, knowledge=knowledge)
        valid = (
            f"Valid by the graph: {quote_names(proper.adjustment) or 'the empty set'}."
            if proper.adjustment is not None
            else proper.reason
        )
        raise NotIdentified(
            "E446",
            f"by the graph, adjusting for {quote_names(given) or 'nothing'} does not give the effect of "
            f"{treatment!r} on {outcome!r}.",
            valid,
        )
    held = f"holding {quote_names(given)} equal" if given else "without holding anything equal"
    why = "valid by the graph" if graph is not None else "as given, not derived from a graph"
    return Identification(
        treatment,
        outcome,
        True,
        "adjustment",
        f"Adjusting for {quote_names(given) or 'nothing'} is {why}.",
        assumptions=(f"No common cause of {treatment} and {outcome} is left open {held}.",),
        adjustment=given,
        minimal=given,
    )


def _one(data: Dataset, question: Question, found: Identification, n_jobs: int | None, progress: Progress) -> Effect:
    sample = sample_of(data, found, question.contrast)
    propensity = None
    if found.strategy == "adjustment" and sample.arms is not None and sample.width:
        propensity = logistic_propensity(sample)
        check_separation(sample, propensity, question.treatment)
    method, why = choose_method(question.method, found, sample, question.population, propensity)
    if method == "dml-plr" and sample.arms is not None:  # whatever was asked about, this is whom it answers for
        question = replace(question, population="overlap")
    fitted = fit(
        method,
        sample,
        population=question.population,
        level=question.level,
        random_state=question.random_state,
        n_jobs=n_jobs,
        progress=progress,
    )
    fitted = as_asked(fitted, sample, question)
    diagnosis = diagnose(sample, fitted, propensity, question.population, question.treatment)
    shaky = tuple(check.sentence for check in diagnosis.checks if check.passed is False)
    naive = without_adjustment(sample, question)
    contrasts = tuple(contrast_of(one, fitted, sample, question) for one in fitted.contrasts)
    first = contrasts[0]
    parameters = {
        **fitted.parameters,
        "method_reason": why,
        "outcome_event": sample.outcome_event,
        "outcome_unit": data.unit(question.outcome),
        "treatment_unit": data.unit(question.treatment),
        "columns_adjusted": list(sample.covariate_names),
    }
    return Effect(
        treatment=question.treatment,
        outcome=question.outcome,
        estimand=fitted.estimand,
        population=question.population,
        identification=found,
        adjustment=found.adjustment if found.strategy == "adjustment" else None,
        estimator=method,
        estimate=first.estimate,
        standard_error=first.standard_error,
        interval=first.interval,
        level=question.level,
        p_value=first.p_value,
        units=units_of(data, sample, question),
        rows_used=sample.size,
        naive=naive.estimate,
        naive_interval=naive.interval,
        contrasts=contrasts,
        diagnostics=diagnosis.checks,
        figures={**diagnosis.figures, "comparison": comparison(first, naive)},
        warnings=(*sample.notes, *fitted.warnings, *shaky),
        parameters=parameters,
        random_state=question.random_state if isinstance(question.random_state, int) else None,
        library=data.library,
        fitted=fitted,
    )


def sample_of(data: Dataset, found: Identification, contrast: tuple[Any, Any] | None = None) -> Sample:
    """Return the rows that an identified effect is estimated from."""
    reference = contrast[1] if contrast is not None else None
    discrete = (
        str(data.columns[found.treatment].kind) in ("binary", "categorical")
        if found.treatment in data.columns
        else False
    )
    given = found.adjustment if found.strategy == "adjustment" else found.conditioning
    return build_sample(
        data,
        found.treatment,
        found.outcome,
        given or (),
        reference=reference if discrete else None,
        instruments=found.instruments if found.strategy == "instrument" else (),
        mediators=found.mediators if found.strategy == "front-door" else (),
    )


def _no_effect(data: Dataset, question: Question, found: Identification) -> Effect:
    return Effect(
        question.treatment,
        question.outcome,
        "none",
        question.population,
        found,
        None,
        "none",
        0.0,
        0.0,
        (0.0, 0.0),
        question.level,
        None,
        data.unit(question.outcome) or "",
        data.n_rows,
        parameters={"method_reason": "the graph rules an effect out"},
        library=data.library,
    )


def _range(data: Dataset, question: Question, found: Identification) -> Effect:
    """Estimate under every adjustment set that the graph leaves possible; the answer is their range."""
    sets: Sequence[tuple[str, ...] | None] = found.adjustment_sets_over_class
    method = "regression" if question.method == "auto" else question.method
    quiet = replace(question, method=method)
    effects = []
    for given in sets:
        if given is not None:
            part = replace(found, identified=True, strategy="adjustment", adjustment=given, minimal=given)
            effects.append(_one(data, quiet, part, None, silent))
    lows, highs = [effect.interval[0] for effect in effects], [effect.interval[1] for effect in effects]
    values = [effect.estimate for effect in effects]
    labels = ["adjusting for " + (", ".join(s) or "nothing") for s in sets if s is not None]
    if None in sets:
        values, lows, highs, labels = [*values, 0.0], [*lows, 0.0], [*highs, 0.0], [*labels, "no effect"]
    first = effects[0]
    return replace(
        first,
        identification=found,
        adjustment=None,
        estimate=math.nan,
        standard_error=math.nan,
        interval=(min(lows), max(highs)),
        p_value=None,
        contrasts=(),
        range=(min(values), max(values)),
        diagnostics=(),
        figures={"comparison": {"label": labels, "estimate": values, "low": lows, "high": highs}},
        warnings=tuple(dict.fromkeys(warning for effect in effects for warning in effect.warnings)),
        parameters={
            **{key: first.parameters[key] for key in ("outcome_event", "outcome_unit", "treatment_unit")},
            "contrast": (first.contrasts[0].to, first.contrasts[0].reference),
            "method_reason": f"one {method} for each of the {len(sets)} possibilities that the graph leaves open",
        },
        fitted=None,
    )
