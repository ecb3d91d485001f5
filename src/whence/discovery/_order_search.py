"""What searches over orders of the columns share: their settings, and the way from a table to the class found."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from whence.discovery._common import order_within, precedence
from whence.discovery._orders import BestOrder, start_order
from whence.discovery._score_choice import ScoreName
from whence.discovery._score_search import ScoreSearch, climb_classes, narrow, result_of
from whence.discovery.result import DiscoveryResult
from whence.errors import ParameterError
from whence.graph import Knowledge
from whence.graph.orientation import cpdag_of_dag
from whence.registry import Card

# Where a search may choose how often it starts again: so often, up to so many columns.
_RESTARTS = 5
_FEW_COLUMNS = 20


class OrderSearch(ScoreSearch):
    """A search that improves orders, keeps the best of its attempts, and polishes the class of that one's graph."""

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        score: ScoreName = "auto",
        penalty: float = 1.0,
        per_edge: float | None = None,
        ess: float = 1.0,
        restarts: int | None = None,
        most_parents: int | None = None,
        knowledge: Knowledge | None = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            score=score,
            penalty=penalty,
            per_edge=per_edge,
            ess=ess,
            most_parents=most_parents,
            knowledge=knowledge,
        )
        if restarts is not None and restarts < 0:
            raise ParameterError("E311", f"restarts is {restarts}.", "Give 0 or more.")
        self.restarts = restarts
        self.random_state = random_state

    def _search(
        self, data: Any, improve: Callable[..., BestOrder], details: tuple[str, str], **own: Any
    ) -> DiscoveryResult:
        """Search a table with ``improve(..., **own)``; ``details`` name its changes and rounds in the result."""
        started = time.perf_counter()
        found = self._input(data)
        before = precedence(found.names, self.knowledge, found.required)
        p = len(found.names)
        limit = p if self.most_parents is None else max(self.most_parents, int(found.required.sum(axis=0).max()))
        restarts, rules = self.restarts, {}
        if restarts is None:
            restarts = _RESTARTS if p <= _FEW_COLUMNS and self.score != "kernel" else 0
            rules["restarts_rule"] = f"{_RESTARTS} up to {_FEW_COLUMNS} columns, none with the kernel score; else none"
        rng = np.random.default_rng(self.random_state)
        wishes = [start_order(found.score), *(rng.permutation(p) for _ in range(restarts))]
        free = not before.any()
        attempts: list[BestOrder] = []
        interrupted = False
        try:
            for wish in wishes:
                order = wish if free else order_within(before, wish)
                attempts.append(
                    improve(found.score, found.required, found.forbidden, limit, before, order.copy(), **own)
                )
                if attempts[-1].interrupted:
                    break
        except KeyboardInterrupt:
            if not attempts:
                raise
            interrupted = True
        best = attempts[0]
        if len(attempts) > 1:
            best = max(attempts, key=lambda attempt: found.score.total(attempt.adjacency))
        marks = cpdag_of_dag(best.adjacency)
        interrupted = interrupted or attempts[-1].interrupted
        if not interrupted and found.score.equivalent:
            climb = climb_classes(found, marks, known=bool(self.knowledge), most_parents=limit)
            interrupted = climb.interrupted
        marks, narrowed = narrow(marks, found.forbidden)
        cut = self.most_parents is not None and any(attempt.cut for attempt in attempts)
        changes, rounds = details
        return result_of(
            found,
            marks,
            "PDAG" if narrowed else "CPDAG",
            self.card,
            started,
            interrupted=interrupted,
            parameters={
                **own,
                "restarts": restarts,
                **rules,
                "most_parents": self.most_parents,
                "random_state": self.random_state,
            },
            details={changes: best.moves, "tree_nodes": best.nodes, rounds: best.sweeps},
            warnings=[f"Some columns reached the limit of {limit} parents: others may be missing."] if cut else [],
        )
