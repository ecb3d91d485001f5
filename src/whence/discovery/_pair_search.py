"""What the methods for pairs share: two columns checked, a score each way, and a graph that may stay undecided."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whence.data import Dataset
from whence.discovery._common import RowsInput, knowledge_arrays, open_table, rows_input
from whence.discovery._pair_scores import Way, dependence_of_pair
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import DataError, ParameterError, quote_names
from whence.graph import Graph, Knowledge, Mark
from whence.registry import Card

Array = NDArray[np.float64]

UNDECIDED, NO_EDGE = "undecided", "no edge"
_MARKS = {
    "forward": (Mark.ARROW, Mark.TAIL),
    "backward": (Mark.TAIL, Mark.ARROW),
    UNDECIDED: (Mark.TAIL, Mark.TAIL),
    NO_EDGE: (Mark.NONE, Mark.NONE),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """``forward``, ``backward``, ``undecided`` or ``no edge``, and why in a sentence."""

    verdict: str
    reason: str


class PairSearch:
    """The base of the methods for pairs: a subclass scores one direction and says when scores decide."""

    card: ClassVar[Card]
    alpha: float
    knowledge: Knowledge | None

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table of two columns.

        Returns
        -------
        DiscoveryResult
            The graph holds ``a -> b``, ``a --- b`` where the direction is undecided, or no edge where the two look
            independent. ``details`` has ``verdict``, ``reason``, ``scores`` each way, their ``margin`` (positive for
            the first column as cause), ``leaning``, the direction of the higher score, ``p_independent`` and, for
            methods with a test, ``p_values`` and ``fits`` each way.

        Raises
        ------
        DataError
            For more or fewer than two columns, columns that are no numbers, do not vary or are the same up to scale.
        """
        started = time.perf_counter()
        self._check()
        dataset = open_table(data, self.card)
        _two_columns(dataset, self.card)
        required, forbidden = knowledge_arrays(self.knowledge, dataset.names, self.card)
        rows = rows_input(dataset)
        x, y = rows.values.T
        independent = dependence_of_pair(x, y)
        ways = self._score(*_sorted(x, y)), self._score(*_sorted(y, x))
        decision = self._decide(ways, independent, rows.names)
        known = _by_knowledge(required, forbidden, decision, rows.names)
        return self._result(rows, ways, independent, decision if known is None else known, known is not None, started)

    def _score(self, cause: Array, effect: Array) -> Way:
        raise NotImplementedError

    def _settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def _judge(self, ways: tuple[Way, Way], names: tuple[str, ...]) -> Decision:
        """Return what the scores say of two columns that depend on each other."""
        raise NotImplementedError

    def _check(self) -> None:
        if not 0 < self.alpha < 1:
            raise ParameterError("E311", f"the level alpha is {self.alpha}.", "Give a number between 0 and 1.")

    def _decide(self, ways: tuple[Way, Way], independent: float, names: tuple[str, ...]) -> Decision:
        if independent > self.alpha:
            return Decision(
                NO_EDGE,
                f"{names[0]!r} and {names[1]!r} look independent (p = {independent:.3g}): no direction to tell.",
            )
        return self._judge(ways, names)

    def _result(
        self,
        rows: RowsInput,
        ways: tuple[Way, Way],
        independent: float,
        decision: Decision,
        known: bool,
        started: float,
    ) -> DiscoveryResult:
        names, (forward, backward) = rows.names, ways
        arrows = f"{names[0]} -> {names[1]}", f"{names[1]} -> {names[0]}"
        margin = forward.score - backward.score
        marks = np.zeros((2, 2), dtype=np.int8)
        marks[0, 1], marks[1, 0] = _MARKS[decision.verdict]
        graph = Graph(names, marks, "PDAG")
        details: dict[str, Any] = {
            "verdict": dict(zip(("forward", "backward"), arrows)).get(decision.verdict, decision.verdict),
            "reason": decision.reason,
            "scores": dict(zip(arrows, (forward.score, backward.score))),
            "margin": margin,
            "leaning": UNDECIDED if margin == 0.0 else arrows[0] if margin > 0.0 else arrows[1],
            "p_independent": independent,
        }
        if forward.p_value is not None and backward.p_value is not None:
            p_values = forward.p_value, backward.p_value
            details["p_values"] = dict(zip(arrows, p_values))
            details["fits"] = {arrow: p > self.alpha for arrow, p in zip(arrows, p_values)}
        signed = -margin if decision.verdict == "backward" else margin
        warnings = (decision.reason,) if decision.verdict == UNDECIDED and not known else ()
        return DiscoveryResult(
            graph=graph,
            method=self.card.name,
            parameters={
                "alpha": self.alpha,
                **self._settings(),
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
                "verdict_rule": "knowledge" if known else "scores",
            },
            evidence=tuple(
                EdgeEvidence(e.source, e.target, p_value=independent, score_difference=signed) for e in graph.edges()
            ),
            rows_used=len(rows.values),
            seconds=time.perf_counter() - started,
            warnings=(*rows.warnings, *warnings),
            details=details,
            library=rows.library,
        )


def by_test(ways: tuple[Way, Way], names: tuple[str, ...], alpha: float, model: str) -> Decision:
    """Return the one direction that the test does not reject; where it rejects none or both, say so."""
    p_values = [way.p_value if way.p_value is not None else math.nan for way in ways]
    fits = [p > alpha for p in p_values]
    first, second = f"{names[0]} -> {names[1]}", f"{names[1]} -> {names[0]}"
    said = f"{first}: p = {p_values[0]:.3g}; {second}: p = {p_values[1]:.3g}"
    if fits[0] != fits[1]:
        return Decision("forward" if fits[0] else "backward", f"{model} fits one direction only ({said}).")
    if fits[0]:
        return Decision(
            UNDECIDED,
            f"{model} fits both directions ({said}): too few rows, or a relation that looks alike from both sides, as "
            "a straight line with Gaussian noise does.",
        )
    return Decision(
        UNDECIDED,
        f"{model} fits neither direction ({said}): the noise acts in another way, or a hidden cause drives both.",
    )


def by_score(ways: tuple[Way, Way], names: tuple[str, ...], least: float) -> Decision:
    """Return the direction of the higher score if it is higher by more than ``least``."""
    margin = ways[0].score - ways[1].score
    said = f"{names[0]} -> {names[1]}: {ways[0].score:.4g}; {names[1]} -> {names[0]}: {ways[1].score:.4g}"
    if abs(margin) <= least:
        return Decision(UNDECIDED, f"the scores of the two directions do not differ enough ({said}).")
    return Decision("forward" if margin > 0 else "backward", f"the higher score decides ({said}); nothing is tested.")


def _sorted(cause: Array, effect: Array) -> tuple[Array, Array]:
    """Return the rows in an order of their own, so that the one in which they came changes nothing."""
    order = np.lexsort((effect, cause))
    return cause[order], effect[order]


def _two_columns(data: Dataset, card: Card) -> None:
    if len(data.names) != 2:
        raise DataError(
            "E327",
            f"{card.name} tells the direction between two columns; {data.source} has {len(data.names)}: "
            f"{quote_names(data.names)}.",
            f"Choose two with data.select([{data.names[0]!r}, {data.names[1]!r}]), or order all of them with 'resit'.",
        )


def _by_knowledge(
    required: NDArray[np.bool_], forbidden: NDArray[np.bool_], decision: Decision, names: tuple[str, ...]
) -> Decision | None:
    """Return what the knowledge settles, or None where it leaves the question to the scores."""
    first, second = f"{names[0]} -> {names[1]}", f"{names[1]} -> {names[0]}"
    for place, verdict, arrow in (((0, 1), "forward", first), ((1, 0), "backward", second)):
        if required[place]:
            return Decision(verdict, f"the knowledge requires {arrow}.")
    if decision.verdict == NO_EDGE:
        return None
    if forbidden[0, 1] and forbidden[1, 0]:
        return Decision(NO_EDGE, "the knowledge forbids both directions; what the two share has a hidden cause.")
    if forbidden[0, 1] or forbidden[1, 0]:
        verdict, arrow = ("backward", first) if forbidden[0, 1] else ("forward", second)
        return Decision(verdict, f"the knowledge forbids {arrow}.")
    return None
