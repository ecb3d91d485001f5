"""Reasons in plain sentences: which path or edge blocks identification, and what would settle it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from whence.effects.adjustment import find_adjustment
from whence.effects.class_effects import MOST_POSSIBILITIES, ClassRange
from whence.effects.identification import AdjustmentSet, Strategy
from whence.effects.identify_frame import Frame
from whence.effects.identify_functional import blocking_district
from whence.effects.identify_model import DirectedModel
from whence.errors import quote_names
from whence.graph import Edge, Mark

_MOST_REMEDIES = 3
_DIRECT = "To settle it, say its direction: Knowledge(required=[({source!r}, {target!r})]) or the reverse."
_NO_HIDDEN = "No two variables of the graph share a cause that it does not show"
_GRAPH_ASSUMPTIONS = {
    "DAG": f"No edge is missing from the graph or points the wrong way. {_NO_HIDDEN}.",
    "ADMG": f"No edge, directed or bidirected, is missing from the graph or points the wrong way. {_NO_HIDDEN}.",
    "CPDAG": f"The true graph is one of the class. {_NO_HIDDEN}.",
    "PDAG": f"The true graph is one of the class. {_NO_HIDDEN}.",
    "MAG": "No edge is missing from the graph or has a wrong mark; hidden common causes are allowed for.",
    "PAG": "The true graph is one of the class; hidden common causes are allowed for.",
}
_OVERLAP = "Every combination of the adjusted variables occurs at every value of the treatment (overlap)."
_STRATEGY_ASSUMPTIONS: dict[Strategy, tuple[str, ...]] = {
    "front-door": (
        "The mediators carry the whole effect.",
        "Every value of the mediators occurs at every value of the treatment.",
    ),
    "instrument": (
        "The instruments move the treatment, and the outcome only through it.",
        "The effect is the same for all units (linear model); otherwise the answer is an average over those whose "
        "treatment follows the instrument, which needs an instrument that moves nobody the other way.",
    ),
}
SELECTION_SENTENCE = (
    "The graph has edges with a tail at both ends or a tail opposite a circle, which stand for selection; "
    "no criterion for effects under selection is built in. Data gathered without selection would settle it."
)
INCONSISTENT_SENTENCE = (
    "The directions in the graph contradict each other: no model has all of its edges, directions and colliders. "
    "A search that returns consistent graphs (ges, boss), or knowledge given to the search, would settle it."
)


def open_path(frame: Frame) -> list[int] | None:
    """Return a path that is not causal and stays open when all measured ancestors that may be are adjusted for.

    If that set leaves a path open, so does every other (van der Zander, Liskiewicz & Textor 2019, section 5).
    """
    model = frame.back_door
    given = model.ancestors([*frame.x, frame.y]) & frame.allowed
    return _connecting_path(model, frame.x, frame.y, given)


def _connecting_path(model: DirectedModel, x: Iterable[int], y: int, given: set[int]) -> list[int] | None:
    """Return a shortest d-connecting path: a search over nodes and whether they were entered by an arrowhead."""
    opened = model.ancestors(given)
    start = [(node, None) for node in x]
    came_from: dict[tuple[int, bool | None], tuple[int, bool | None] | None] = dict.fromkeys(start)
    queue = deque(came_from)
    while queue:
        state = queue.popleft()
        node, by_arrowhead = state
        if node == y:
            return _trace(came_from, state)
        steps: list[tuple[int, bool | None]] = []
        if by_arrowhead is None or (node in opened if by_arrowhead else node not in given):
            steps += [(parent, False) for parent in model.parents[node]]
        if by_arrowhead is None or node not in given:
            steps += [(child, True) for child in model.children[node]]
        for step in steps:
            if step not in came_from:
                came_from[step] = state
                queue.append(step)
    return None


def _trace(
    came_from: dict[tuple[int, bool | None], tuple[int, bool | None] | None], end: tuple[int, bool | None]
) -> list[int]:
    path, state = [], end
    while True:
        path.append(state[0])
        before = came_from[state]
        if before is None:
            return path[::-1]
        state = before


def _path_clause(frame: Frame) -> str | None:
    """Say, without a full stop, which path no adjustment closes; None where adjustment closes all."""
    path = open_path(frame)
    if path is None:
        return None
    parents = frame.member.parents
    colliders = {node for before, node, after in zip(path, path[1:], path[2:]) if {before, after} <= set(parents[node])}
    if colliders:
        at = quote_names(frame.names(colliders))
        return f"Closing the other paths opens the path '{describe_path(frame, path)}' at {at}"
    return f"No adjustment for measured variables closes the path '{describe_path(frame, path)}'"


def describe_path(frame: Frame, path: list[int]) -> str:
    """Write a path with its arrows; a hidden common cause without a name becomes ``<->``."""
    names, text = frame.graph.names, ""
    for k, node in enumerate(path):
        if node >= len(names):
            continue
        if k and path[k - 1] >= len(names):
            text += " <-> "
        elif k:
            text += " -> " if path[k - 1] in frame.member.parents[node] else " <- "
        text += names[node]
    return text


def settling_measurements(frame: Frame) -> list[str]:
    """Return the hidden variables of which measuring one alone would give a valid adjustment set."""
    model, n_names = frame.member, len(frame.graph.names)
    if frame.unsettled:
        return []
    relevant = model.ancestors([*frame.x, frame.y]) - model.observed - frame.forbidden - {frame.y}
    found = []
    for node in sorted(relevant):
        measured = DirectedModel(model.parents, model.children, model.observed | {node})
        asked = Frame(frame.graph, frame.x, frame.y, frame.causal, frame.forbidden, (), measured)
        if find_adjustment(asked) is not None:
            shared = " and ".join(map(repr, frame.names(model.children[node])))
            found.append(repr(frame.graph.names[node]) if node < n_names else f"the hidden cause of {shared}")
        if len(found) == _MOST_REMEDIES:
            break
    return found


def unidentified_sentence(frame: Frame, strategy: str | None) -> str:
    """Say why no strategy, or not the one that was asked for, gives the effect."""
    if strategy == "no-effect":
        return f"There is a possibly directed path from {_treatments(frame)} to {_outcome(frame)}."
    if frame.y not in frame.causal:
        return no_effect_sentence(frame)
    if strategy == "class-range" and not frame.unsettled:
        return "The graph settles every edge that matters here, so there is no class of answers to range over."
    if (adjustment := find_adjustment(frame)) is not None:
        return f"There is no {strategy} here. {adjustment_sentence(frame, frame.names(adjustment.preferred))}"
    blocked = _unsettled_sentence(frame) if frame.unsettled else _blocked_sentence(frame)
    return blocked if strategy in (None, "adjustment") else f"There is no {strategy} here. {blocked}"


def _blocked_sentence(frame: Frame) -> str:
    """Say which path no adjustment blocks, whether any formula is left, and what to measure."""
    parts = [f"{_path_clause(frame)}."]
    stuck = blocking_district(frame.member, frame.x, frame.y) if frame.single else None
    if frame.single and stuck is None:
        parts.append(
            "A formula in the measured variables does give the effect (ID algorithm), but no estimator takes it."
        )
    elif stuck:
        joined = quote_names(frame.names(stuck))
        parts.append(f"No formula in the measured variables gives the effect: hidden causes tie {joined} together.")
    remedies = settling_measurements(frame)
    if remedies:
        parts.append(f"Measuring {' or '.join(remedies)} would settle it.")
    elif stuck:
        parts.append("An instrument, a mediator free of the hidden causes or an experiment would settle it.")
    return " ".join(parts)


def _unsettled_sentence(frame: Frame) -> str:
    """Say which edge out of the treatment is not settled, and what would settle it."""
    source, target = (frame.graph.names[node] for node in frame.unsettled[0])
    edge = frame.graph.edge(source, target)
    if frame.graph.kind == "PDAG":
        return f"The edge '{edge}' has no direction. {_DIRECT.format(source=source, target=target)}"
    remedy = (
        f"A measured cause of {source!r} without another link to {target!r}, the shared cause itself "
        "or an experiment would settle it."
    )
    if frame.graph.edge(source, target) == Edge(source, target, Mark.TAIL, Mark.ARROW):
        return f"The edge '{edge}' may hide a common cause of {source!r} and {target!r}. {remedy}"
    return f"The edge '{edge}' may mean that {source!r} causes {target!r} or that a hidden cause moves both. {remedy}"


def no_effect_sentence(frame: Frame) -> str:
    """Say that no directed path leads to the outcome."""
    possibly = "" if frame.single else "possibly "
    return (
        f"No {possibly}directed path leads from {_treatments(frame)} to {_outcome(frame)}, "
        "so by the graph the effect is zero."
    )


def outcome_first_sentence(frame: Frame) -> str:
    """Say that the outcome comes first in time."""
    return f"The knowledge puts {_outcome(frame)} in an earlier tier than {_treatments(frame)}, so the effect is zero."


def adjustment_sentence(frame: Frame, adjustment: AdjustmentSet) -> str:
    """Say what adjustment achieves."""
    if not adjustment:
        return f"Only causal paths connect {_treatments(frame)} and {_outcome(frame)}: there is nothing to adjust for."
    return (
        f"Adjusting for {quote_names(adjustment)} blocks every path between {_treatments(frame)} and {_outcome(frame)} "
        "that is not causal."
    )


def front_door_sentence(frame: Frame, mediators: AdjustmentSet, conditioning: AdjustmentSet) -> str:
    """Say why the front door is needed and what it rests on."""
    one = len(mediators) == 1
    given = f", given {quote_names(conditioning)}" if conditioning else ""
    return (
        f"{_despite(frame)}{quote_names(mediators)} {'carries' if one else 'carry'} the whole effect and "
        f"{'is' if one else 'are'} free of the hidden causes{given} (front door)."
    )


def instrument_sentence(frame: Frame, instruments: AdjustmentSet, conditioning: AdjustmentSet) -> str:
    """Say why an instrument is needed and what it rests on."""
    given = f", given {quote_names(conditioning)}" if conditioning else ""
    return (
        f"{_despite(frame)}{quote_names(instruments)} {'moves' if len(instruments) == 1 else 'each move'} "
        f"{_outcome(frame)} through {_treatments(frame)} alone{given} (instrument)."
    )


def class_range_sentence(frame: Frame, sets: tuple[AdjustmentSet | None, ...]) -> str:
    """Say which edge is open, how many answers that leaves and what would leave fewer."""
    source, target = (frame.graph.names[node] for node in frame.unsettled[0])
    edge = frame.graph.edge(source, target)
    zero = ", one of them no effect" if None in sets else ""
    return (
        f"The edge '{edge}' has no direction, so the effect is one of {len(sets)} possibilities{zero}. "
        f"{_DIRECT.format(source=source, target=target)}"
    )


def incomplete_range_sentence(frame: Frame, found: ClassRange) -> str:
    """Say why not even a range follows from the class."""
    if found.blocked is not None:
        return f"{_unsettled_sentence(frame)} In one of the possibilities: {_blocked_sentence(found.blocked)}"
    return f"{_unsettled_sentence(frame)} There are more than {MOST_POSSIBILITIES} possibilities to range over."


def assumptions_of(kind: str, strategy: Strategy | None, *, adjusted: bool) -> tuple[str, ...]:
    """Return what must hold for the answer of a strategy, as plain sentences."""
    if strategy is None:
        return ()
    return (_GRAPH_ASSUMPTIONS[kind], *_STRATEGY_ASSUMPTIONS.get(strategy, ()), *((_OVERLAP,) if adjusted else ()))


def _treatments(frame: Frame) -> str:
    return quote_names(frame.names(frame.x))


def _outcome(frame: Frame) -> str:
    return quote_names([frame.graph.names[frame.y]])


def _despite(frame: Frame) -> str:
    clause = _path_clause(frame)
    return f"{clause}, but " if clause else ""
