"""Identification: whether and how the effect of a treatment on an outcome follows from a graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from whence.effects.adjustment import MOST_ALTERNATIVES, find_adjustment, is_valid
from whence.effects.class_effects import find_class_range
from whence.effects.frontdoor import find_front_door
from whence.effects.identification import Identification, Strategy
from whence.effects.identify_frame import Frame, has_selection
from whence.effects.identify_functional import blocking_district
from whence.effects.identify_knowledge import apply_knowledge, is_consistent
from whence.effects.identify_question import Question, read_question
from whence.effects.identify_reasons import (
    INCONSISTENT_SENTENCE,
    SELECTION_SENTENCE,
    adjustment_sentence,
    assumptions_of,
    class_range_sentence,
    front_door_sentence,
    incomplete_range_sentence,
    instrument_sentence,
    no_effect_sentence,
    outcome_first_sentence,
    unidentified_sentence,
)
from whence.effects.instruments import find_instruments
from whence.errors import ParameterError, quote_names
from whence.graph import Graph, Knowledge

STRATEGIES: tuple[Strategy, ...] = ("no-effect", "adjustment", "front-door", "instrument", "class-range")
"""All strategies, in the order in which they are tried."""


def identify(
    graph: Graph,
    treatment: str | Iterable[str],
    outcome: str,
    *,
    knowledge: Knowledge | None = None,
    observed: Collection[str] | None = None,
    strategy: Strategy | None = None,
) -> Identification:
    """Decide whether and how the total effect of a treatment on an outcome follows from a graph.

    Parameters
    ----------
    graph : Graph
        Of any kind. In a DAG or ADMG every edge is taken at its word; in a CPDAG or PDAG undirected edges may point
        either way; in a MAG or PAG a directed edge may hide a common cause unless the graph rules it out.
    treatment : str or sequence of str
        The treatment; several for a joint intervention.
    outcome : str
        The outcome.
    knowledge : Knowledge, optional
        Directs undirected edges of a CPDAG or PDAG, consequences included; an outcome in an earlier tier than the
        treatment is not affected. It must not contradict the graph. The marks of a PAG do not change by it: give it to
        the search.
    observed : collection of str, optional
        The measured variables; all of the graph's by default. The others are hidden.
    strategy : str, optional
        Try this one alone. By default, in this order: ``no-effect``, ``adjustment``, ``front-door``, ``instrument``,
        ``class-range``.

    Returns
    -------
    Identification
        With a reason in plain words, also where the effect is not identified.

    Raises
    ------
    GraphError
        For a name that is not in the graph, or knowledge that contradicts the graph.
    ParameterError
        For a treatment that is the outcome, an unmeasured treatment or outcome, an unknown strategy.

    Examples
    --------
    >>> graph = Graph.from_edges(["age -> dose", "age -> pain", "dose -> pain"])
    >>> identify(graph, "dose", "pain").adjustment
    ('age',)
    >>> hidden = identify(graph, "dose", "pain", observed=["dose", "pain"])
    >>> print(hidden.reason.split(".")[0])
    No adjustment for measured variables closes the path 'dose <- age -> pain'
    """
    if strategy is not None and strategy not in STRATEGIES:
        raise ParameterError(
            "E403", f"there is no strategy {strategy!r}.", f"Choose one of {quote_names(STRATEGIES)}, or None for all."
        )
    question = read_question(graph, treatment, outcome, observed, knowledge)
    if not is_consistent(question.graph):
        return _answer(question, None, INCONSISTENT_SENTENCE)
    if has_selection(question.graph):
        return _answer(question, None, SELECTION_SENTENCE)
    settled = apply_knowledge(question.graph, knowledge)
    frame = Frame.of(settled, question.x, question.y, question.observed)
    for name in STRATEGIES if strategy is None else (strategy,):
        found = _TRIES[name](question, frame)
        if found is not None:
            return found
    return _answer(question, None, unidentified_sentence(frame, strategy), functional=_functional(frame))


def is_valid_adjustment(
    graph: Graph,
    treatment: str | Iterable[str],
    outcome: str,
    adjustment: Collection[str],
    *,
    knowledge: Knowledge | None = None,
) -> bool:
    """Decide whether adjusting for a given set gives the total effect in every model the graph stands for.

    Raises
    ------
    GraphError, ParameterError
        As `identify`.

    Examples
    --------
    >>> graph = Graph.from_edges(["age -> dose", "age -> pain", "dose -> sleep", "sleep -> pain"])
    >>> is_valid_adjustment(graph, "dose", "pain", ["age"])
    True
    >>> is_valid_adjustment(graph, "dose", "pain", ["age", "sleep"])
    False
    """
    question = read_question(graph, treatment, outcome)
    nodes = set(question.graph.indices(tuple(adjustment)))
    if not is_consistent(question.graph) or has_selection(question.graph) or question.y in nodes:
        return False
    settled = apply_knowledge(question.graph, knowledge)
    return is_valid(Frame.of(settled, question.x, question.y, question.observed), nodes)


def _try_no_effect(question: Question, frame: Frame) -> Identification | None:
    if question.outcome_first:
        return _answer(question, "no-effect", outcome_first_sentence(frame), functional=True)
    if frame.y in frame.causal:
        return None
    return _answer(question, "no-effect", no_effect_sentence(frame), functional=True)


def _try_adjustment(question: Question, frame: Frame) -> Identification | None:
    found = find_adjustment(frame, alternatives=MOST_ALTERNATIVES)
    if found is None:
        return None
    preferred = frame.names(found.preferred)
    return _answer(
        question,
        "adjustment",
        adjustment_sentence(frame, preferred),
        adjustment=preferred,
        minimal=frame.names(found.minimal),
        optimal=None if found.optimal is None else frame.names(found.optimal),
        alternatives=tuple(frame.names(nodes) for nodes in found.alternatives),
        functional=True,
    )


def _try_front_door(question: Question, frame: Frame) -> Identification | None:
    found = find_front_door(frame)
    if found is None:
        return None
    mediators, conditioning = frame.names(found.mediators), frame.names(found.conditioning)
    return _answer(
        question,
        "front-door",
        front_door_sentence(frame, mediators, conditioning),
        mediators=mediators,
        conditioning=conditioning,
        functional=True,
    )


def _try_instrument(question: Question, frame: Frame) -> Identification | None:
    found = find_instruments(frame)
    if found is None:
        return None
    instruments, conditioning = frame.names(found.instruments), frame.names(found.conditioning)
    return _answer(
        question,
        "instrument",
        instrument_sentence(frame, instruments, conditioning),
        instruments=instruments,
        conditioning=conditioning,
        functional=_functional(frame),
    )


def _try_class_range(question: Question, frame: Frame) -> Identification | None:
    if frame.graph.kind != "PDAG" or not frame.unsettled:
        return None
    found = find_class_range(frame)
    if not found.complete:
        return _answer(question, None, incomplete_range_sentence(frame, found))
    sets = tuple(None if nodes is None else frame.names(nodes) for nodes in found.sets)
    return _answer(
        question, "class-range", class_range_sentence(frame, sets), adjustment_sets_over_class=sets, functional=None
    )


_TRIES: dict[Strategy, Callable[[Question, Frame], Identification | None]] = {
    "no-effect": _try_no_effect,
    "adjustment": _try_adjustment,
    "front-door": _try_front_door,
    "instrument": _try_instrument,
    "class-range": _try_class_range,
}


def _functional(frame: Frame) -> bool | None:
    """Return the ID algorithm's verdict where the graph is one model."""
    return blocking_district(frame.member, frame.x, frame.y) is None if frame.single else None


def _answer(question: Question, strategy: Strategy | None, reason: str, **fields: Any) -> Identification:
    over_class = fields.get("adjustment_sets_over_class", ())
    adjusted = bool(fields.get("adjustment")) or any(over_class)
    return Identification(
        treatment=" and ".join(question.treatments),
        outcome=question.outcome,
        identified=strategy is not None and strategy != "class-range",
        strategy=strategy,
        reason=reason,
        assumptions=assumptions_of(question.graph.kind, strategy, adjusted=adjusted),
        treatments=question.treatments,
        **fields,
    )
