"""Gene networks from cells full of zeros: PC and greedy equivalence search on test-wise deletion."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from whence.data import Dataset
from whence.discovery._common import dependent_columns, gaussian_input, knowledge_arrays, open_table
from whence.discovery._orient import ColliderRule
from whence.discovery._scan import scanner_of
from whence.discovery._score_search import Climb, ScoreInput, climb_classes, narrow, result_of
from whence.discovery._skeleton import find_skeleton
from whence.discovery.pc import MOST_SETS, PC
from whence.discovery.result import DiscoveryResult
from whence.errors import DataError, ParameterError, quote_names
from whence.graph import Knowledge
from whence.graph.orientation import Marks, cpdag_of_dag
from whence.independence import TestwiseDeletion
from whence.independence._dropouts import Cells, Transform, cells_of, negative_values, numbers_of
from whence.independence.deletion import Delete
from whence.registry import Card, Paper, register
from whence.scores.deletion import DeletionScore, deletion_bic

SearchName = Literal["pc", "ges"]
# A column with more zeros than this leaves few rows to any test that is given it.
_MANY_ZEROS = 0.9

CARD = Card(
    name="dropouts",
    family="system",
    answers="Which gene network explains cells full of zeros, without imputing them?",
    assumes=frozenset({"linear", "gaussian", "acyclic", "faithful", "no-hidden-causes", "iid"}),
    kinds=frozenset({"continuous", "count", "ordinal", "binary"}),
    output="CPDAG",
    missing="complete-rows",
    knowledge=frozenset({"required", "forbidden", "tiers", "roots", "leaves"}),
    paper=Paper(
        "Dai, Ng, Luo, Spirtes, Stojanov and Zhang",
        "Gene Regulatory Network Inference in the Presence of Dropouts: a Causal View",
        2024,
        "ICLR; arXiv 2403.15500",
    ),
)


@register(CARD)
class DropoutSearch:
    """Learn a network from columns whose zeros may hide values, such as single-cell expression.

    Nothing is imputed. Each test, or each gain of a score, uses the rows in which no column given is zero, so that the
    graph is that of the values before they were lost, provided that what hides a gene's value depends on that gene
    alone. `dropout_model_check` tests that.

    Parameters
    ----------
    search : {"pc", "ges"}
        Tests of independence, or greedy equivalence search on gains that are brought to one sample size. The edges
        that the latter finds are tested as PC tests them, and it climbs again without those that a set of neighbours
        separates, until all stay: gains that rest on different rows are not differences of one score, and leave false
        edges, about two and a half on tables of ten genes of degree three, that no deletion removes.
    alpha : float
        Level of the tests; 0.05 as in the paper, since deletion costs power.
    penalty : float
        Price of an edge under ``"ges"``: ``penalty * log(n) / 2``; 2 as in the authors' runs.
    dropouts : bool or collection of str
        Columns whose exact zeros mean "not seen"; True for all counts and continuous numbers. Name the genes where
        covariates stand beside them.
    delete : {"conditioned", "all"}
        Whether zeros of the two columns tested go as well; under ``"pc"`` only.
    min_rows : int
        A test on fewer rows after deletion says nothing; the pair stays joined unless another test separates it.
    transform : {"log1p", "log-nonzero"}, optional
        Taken of the columns with dropouts; see `TestwiseDeletion`.
    max_depth, collider
        As in `PC`.
    knowledge : Knowledge, optional
        Respected throughout.

    Raises
    ------
    ParameterError
        For a setting that does not exist or does not go with the search.

    Notes
    -----
    Rows with a missing value (which is not a zero) are left out first. For test-wise deletion of those too, pass the
    test to the search: ``PC(test=TestwiseDeletion(data)).fit()``.

    Examples
    --------
    >>> from whence.data import simulate
    >>> cells = simulate.expression_scm([("a", "b"), ("b", "c")], 4000, weights=(0.8, 0.8), random_state=4)
    >>> seen = simulate.drop_out(cells, simulate.Constant((0.5, 0.5)), random_state=0)
    >>> [str(edge) for edge in DropoutSearch().fit(seen.data).graph.edges()]
    ['a --- b', 'b --- c']
    """

    card: ClassVar[Card]

    def __init__(
        self,
        *,
        search: SearchName = "pc",
        alpha: float = 0.05,
        penalty: float = 2.0,
        dropouts: Collection[str] | bool = True,
        delete: Delete = "conditioned",
        min_rows: int = 50,
        transform: Transform | None = None,
        max_depth: int | None = None,
        collider: ColliderRule = "majority",
        knowledge: Knowledge | None = None,
    ) -> None:
        if search not in ("pc", "ges"):
            raise ParameterError("E311", f"there is no search {search!r} with deletion.", "Choose pc or ges.")
        if search == "ges" and delete != "conditioned":
            raise ParameterError(
                "E311",
                f"delete={delete!r} was asked for with search='ges'.",
                "Use search='pc', or delete='conditioned'.",
            )
        self.search: SearchName = search
        self.alpha = alpha
        self.penalty = penalty
        self.dropouts = dropouts
        self.delete: Delete = delete
        self.min_rows = min_rows
        self.transform: Transform | None = transform
        self.max_depth = max_depth
        self.collider: ColliderRule = collider
        self.knowledge = knowledge

    def fit(self, data: Any) -> DiscoveryResult:
        """Search a table.

        Raises
        ------
        DataError
            For columns that do not vary, are the same or are not numbers, too few complete rows, or negative values
            under a logarithm.
        """
        started = time.perf_counter()
        dataset = open_table(data, self.card)
        ordered = dataset.select(sorted(dataset.names))
        checked = gaussian_input(ordered)
        complete = ordered.complete()
        cells = cells_of(complete, self.dropouts)
        found = self._pc(complete, cells) if self.search == "pc" else self._ges(complete, cells, started)
        parameters = {
            **found.parameters,
            "search": self.search,
            "dropouts": list(cells.dropouts),
            "dropouts_rule": "all counts and continuous numbers" if self.dropouts is True else "given",
            "delete": self.delete,
            "min_rows": self.min_rows,
            "transform": self.transform,
        }
        back = [name for name in dataset.names if name in cells.zero_rates]
        return replace(
            found,
            graph=found.graph.subgraph(dataset.names),
            method=self.card.name,
            parameters=parameters,
            rows_used=complete.n_rows,
            seconds=time.perf_counter() - started,
            warnings=(*checked.warnings, *_sparse(cells), *found.warnings),
            details={**found.details, "zero_rates": {name: cells.zero_rates[name] for name in back}},
            library=dataset.library,
        )

    def _test(self, data: Dataset, cells: Cells) -> TestwiseDeletion:
        return TestwiseDeletion(
            data, dropouts=cells.dropouts, delete=self.delete, min_rows=self.min_rows, transform=self.transform
        )

    def _pc(self, data: Dataset, cells: Cells) -> DiscoveryResult:
        test = self._test(data, cells)
        search = PC(
            alpha=self.alpha, test=test, max_depth=self.max_depth, collider=self.collider, knowledge=self.knowledge
        )
        found = search.fit()
        details = {**found.details, "starved": test.starved, "queries": test.queries}
        warnings = (*found.warnings, *test.warnings)
        separations = test.table([(*pair, given) for pair, given in found.separating_sets.items()])
        return replace(found, warnings=warnings, details={**details, "separations": _columns(separations)})

    def _ges(self, data: Dataset, cells: Cells, started: float) -> DiscoveryResult:
        required, forbidden = knowledge_arrays(self.knowledge, data.names, self.card)
        values = numbers_of(data, self.transform, cells).T
        hidden = [np.ones(data.n_rows, dtype=bool) if seen is None else seen for seen in cells.seen]
        score = deletion_bic(values, np.column_stack(hidden), penalty=self.penalty, min_rows=self.min_rows)
        _refuse_dependent(data)
        found = ScoreInput(
            score=score,
            names=data.names,
            given=data.names,
            required=required,
            forbidden=forbidden,
            parameters={
                "score": "deletion-bic",
                "penalty": self.penalty,
                "per_edge": score.edge,
                "alpha": self.alpha,
                "knowledge": (self.knowledge or Knowledge()).to_dict(),
            },
            rows_used=data.n_rows,
            warnings=(),
            library=data.library,
        )
        # Without zeros the gains are differences of one score, and its best class needs no tests beside it.
        test = self._test(data, cells) if any(seen is not None for seen in cells.seen) else None
        marks, climb, sets = self._climb(found, test)
        separations = test.table([(*pair, given) for pair, given in sets.items()]) if test is not None else None
        marks, narrowed = narrow(marks, forbidden)
        result = result_of(
            found,
            marks,
            "PDAG" if narrowed else "CPDAG",
            self.card,
            started,
            parameters={},
            details={"insertions": climb.insertions, "deletions": climb.deletions, "separated": len(sets)},
            interrupted=climb.interrupted,
        )
        told = {} if separations is None else {"separations": _columns(separations)}
        return replace(
            result,
            warnings=(*result.warnings, *_starved(score), *negative_values(cells)),
            details={**result.details, "starved": score.starved, **told},
        )

    def _climb(
        self, found: ScoreInput, test: TestwiseDeletion | None
    ) -> tuple[Marks, Climb, dict[tuple[str, str], tuple[str, ...]]]:
        """Climb, test the edges found as PC does, and climb again without those separated, until all edges stay.

        A gain depends on what it is conditioned on, which decides its rows: no deletion that is open at the end need
        ask about the set that separates two columns. Under the model every such set is as right as the others.
        """
        names, required = found.names, found.required
        sets: dict[tuple[str, str], tuple[str, ...]] = {}
        while True:
            marks = cpdag_of_dag(required)
            apart = bool(self.knowledge) or bool(sets)
            climb = climb_classes(found, marks, known=apart, most_parents=len(names))
            if test is None or climb.interrupted:
                return marks, climb, sets
            joined = (marks != 0) | (marks != 0).T
            skeleton = find_skeleton(
                scanner_of(test), self.alpha, required, ~joined, max_depth=self.max_depth, most_sets=MOST_SETS
            )
            separated = np.argwhere(np.triu(joined & ~skeleton.adjacency)).tolist()
            if skeleton.interrupted_at is not None:
                return marks, replace(climb, interrupted=True), sets
            if not separated:
                return marks, climb, sets
            forbidden = found.forbidden.copy()
            for i, j in separated:
                forbidden[i, j] = forbidden[j, i] = True
                sets[names[i], names[j]] = tuple(names[k] for k in skeleton.sets.get((i, j), ()))
            found = replace(found, forbidden=forbidden)


def _starved(score: DeletionScore) -> tuple[str, ...]:
    if not score.starved:
        return ()
    assert score.counters is not None
    return (
        f"{score.starved:,} times a set of parents had fewer than {score.counters[0]} rows in which none of them is "
        "zero: no edge was inserted or deleted on those.",
    )


def _sparse(cells: Cells) -> list[str]:
    sparse = {name: rate for name, rate in cells.zero_rates.items() if rate > _MANY_ZEROS}
    if not sparse:
        return []
    return [
        f"column {quote_names(sparse, 4)} is zero in more than {_MANY_ZEROS:.0%} of the rows (up to "
        f"{max(sparse.values()):.1%}): few rows are left to tests that are given it. Leave it out with "
        "data.select([...]).",
    ]


def _refuse_dependent(data: Dataset) -> None:
    if data.n_rows <= len(data.names) + 1:
        return
    dependent = dependent_columns(data.moments().correlation, data.names)
    if dependent:
        raise DataError(
            "E318",
            f"{quote_names(dependent, 4)} follows exactly from other columns; a score cannot tell them apart.",
            f"Leave {quote_names(dependent, 4)} out, or use search='pc'.",
        )


def _columns(table: Any) -> dict[str, list[Any]]:
    """Return a table of any library column by column."""
    import narwhals as nw

    found: dict[str, list[Any]] = nw.from_native(table, eager_only=True).to_dict(as_series=False)
    return found
