"""What was asked, checked against the graph: names become nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from whence.errors import GraphError, ParameterError, quote_names
from whence.graph import Graph, Knowledge


@dataclass(frozen=True, slots=True)
class Question:
    """A checked question: the effect of the nodes ``x`` on the node ``y``, with the ``observed`` nodes measured.

    ``outcome_first`` says that known tiers put the outcome before all treatments.
    """

    graph: Graph
    treatments: tuple[str, ...]
    outcome: str
    x: tuple[int, ...]
    y: int
    observed: frozenset[int]
    outcome_first: bool


def read_question(
    graph: Graph,
    treatment: str | Iterable[str],
    outcome: str,
    observed: Collection[str] | None = None,
    knowledge: Knowledge | None = None,
) -> Question:
    """Check names and return their nodes; a search result may stand for its graph.

    Raises
    ------
    GraphError
        If there is no graph or a name is not in it.
    ParameterError
        If the treatment is the outcome, is given twice or not at all, or one of the two is not measured.
    """
    given, graph = graph, getattr(graph, "graph", graph)
    if not isinstance(graph, Graph):
        raise GraphError(
            "E401",
            f"the graph is of type {type(given).__name__}.",
            "Pass a whence.Graph, for example Graph.from_edges(['dose -> pain']), or the result of a search.",
        )
    treatments = (treatment,) if isinstance(treatment, str) else tuple(treatment)
    known = graph.names if observed is None else tuple(observed)
    x, y, measured = graph.indices(treatments), graph.index(outcome), graph.indices(known)
    if not treatments or len(set(treatments)) < len(treatments):
        raise ParameterError("E402", f"the treatments are {treatments!r}.", "Name at least one, each once.")
    if outcome in treatments:
        raise ParameterError(
            "E402", f"{outcome!r} is given as treatment and as outcome.", "Choose two different variables."
        )
    hidden = [name for name in (*treatments, outcome) if name not in known]
    if hidden:
        raise ParameterError(
            "E402", f"{quote_names(hidden)} is not among the observed variables.", "Add it to `observed`."
        )
    first = knowledge is not None and _outcome_first(graph, treatments, outcome, knowledge)
    return Question(graph, treatments, outcome, tuple(x), y, frozenset(measured), first)


def _outcome_first(graph: Graph, treatments: tuple[str, ...], outcome: str, knowledge: Knowledge) -> bool:
    """Tell whether tiers put the outcome before all treatments; the graph must not say the contrary."""
    tier_of = {name: k for k, tier in enumerate(knowledge.tiers) for name in tier}
    if not all(tier_of.get(name, -1) > tier_of.get(outcome, len(tier_of)) for name in treatments):
        return False
    if outcome in graph.descendants(treatments):
        raise GraphError(
            "E404",
            f"the graph leads from {quote_names(treatments)} to {outcome!r}, which the knowledge puts before.",
            "Drop one of the two, or give the knowledge to the search that makes the graph.",
        )
    return True
