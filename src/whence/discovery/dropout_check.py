"""Whether the zeros of a table behave as the causal dropout model says: each switched by its own gene alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from whence.data import Dataset, as_dataset
from whence.discovery.dropouts import DropoutSearch
from whence.errors import DataError, GraphError, ParameterError, quote_names
from whence.graph import Graph
from whence.graph.separation import representative
from whence.independence._dropouts import Cells, cells_of
from whence.registry import Card, Paper, register
from whence.results import CheckResult

# The graph is learned at this level: an edge that is missed counts as an independence that the model implies.
LEARNING_ALPHA = 0.05
# On top of what a normal model allows, for expression that is none. Of 60 simulated tables for each mechanism, all that
# obey the model pass and 93 to 95 % of the others are found; 1.0 flags 3 % of the truncated that obey, 1.5 finds 85 to
# 90 % of the others.
MARGIN = 1.2


@dataclass(frozen=True)
class _Line:
    """One implication: what zeros and values of a gene owe to another given a set, and how sure the excess is."""

    zeros: str
    other: str
    given: tuple[str, ...]
    of_zeros: float
    of_values: float
    p_value: float
    rows_used: int


@register(
    Card(
        name="dropout-model",
        family="check",
        answers="Does what zeroes a gene depend on anything but that gene's own expression?",
        assumes=frozenset({"acyclic", "faithful", "no-hidden-causes", "iid"}),
        kinds=frozenset({"continuous", "count"}),
        output="check",
        missing="complete-rows",
        paper=Paper(
            "Dai, Ng, Luo, Spirtes, Stojanov and Zhang",
            "Gene Regulatory Network Inference in the Presence of Dropouts: a Causal View",
            2024,
            "ICLR; arXiv 2403.15500",
        ),
    )
)
def dropout_model_check(
    data: Any,
    graph: Graph | None = None,
    *,
    dropouts: Collection[str] | bool = True,
    alpha: float = 0.05,
    most_given: int = 4,
    min_rows: int = 100,
) -> CheckResult:
    """Test what the causal dropout model implies for the zeros of a table.

    In the model a gene's switch is a child of that gene alone. A set S that separates genes i and j in the graph then
    also makes the zeros of j independent of the values of i, among the rows in which no gene of S is zero. Since a
    learned graph misses weak edges, an implication counts as broken only if the zeros of j owe more to i, given S, than
    the values seen of j allow in a normal model, times 1.2. What those owe is their largest correlation with i over
    cubic functions of both, as an edge may be missed because its relation has no slope. The p-values of all
    implications are adjusted by Holm's rule; genes whose zeros break one are named.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
    graph : Graph, optional
        A DAG or CPDAG over the columns. By default it is learned here from rows in which the two columns of a test are
        not zero either: a graph learned with those zeros takes a violation for an edge, and then implies nothing that
        it could break.
    dropouts : bool or collection of str
        As in `DropoutSearch`.
    alpha : float
        Chance of flagging any gene of a table that obeys the model.
    most_given : int
        Separating sets of more columns are not tested.
    min_rows : int
        Nor are implications with fewer rows left.

    Returns
    -------
    CheckResult
        ``passed`` is None if nothing could be tested. The table has one line for each implication, worst first.

    Raises
    ------
    DataError
        If no column has zeros.
    GraphError
        If the graph lacks a column.
    ParameterError
        If alpha is not between 0 and 1.

    Notes
    -----
    A driver of the switch that is also joined to the gene leaves no trace in the independences and is not found. Where
    all cells share a technical cause such as the sequencing depth, add it as a column that is not among ``dropouts``.

    References
    ----------
    Dai et al. (2024), section 3.3; Shah and Peters (2020) for the covariance of residuals; Holm (1979).

    Examples
    --------
    >>> from whence.data import simulate
    >>> cells = simulate.expression_scm([("a", "b"), ("b", "c"), ("d", "c")], 3000, random_state=1)
    >>> fine = simulate.drop_out(cells, simulate.Logistic(), random_state=0)
    >>> broken = simulate.drop_out(cells, simulate.Logistic(), drivers={"d": "a"}, random_state=0)
    >>> dropout_model_check(fine.data).passed, dropout_model_check(broken.data).passed
    (True, False)
    """
    if not 0 < alpha < 1:
        raise ParameterError("E311", f"the level alpha is {alpha}.", "Give a number between 0 and 1.")
    dataset = as_dataset(data)
    table = dataset.select(sorted(dataset.names)).complete()
    cells = cells_of(table, dropouts)
    if all(seen is None for seen in cells.seen):
        raise DataError(
            "E321",
            f"no column of {dataset.source} has zeros that may be dropouts; there is no switch to check.",
            "Name the columns with dropouts=[...], or pass the values as measured, before scaling.",
        )
    if graph is None:
        graph = DropoutSearch(alpha=LEARNING_ALPHA, dropouts=cells.dropouts, delete="all").fit(table).graph
    absent = [name for name in table.names if name not in graph.names]
    if absent:
        raise GraphError("E213", f"the graph lacks the column {absent[0]!r}.", "Pass a graph on the table's columns.")
    implied = list(_implied(graph, table.names, cells, most_given))
    found = [_compare(table, cells, *one, min_rows) for one in implied]
    tested = sorted((line for line in found if line is not None), key=lambda line: line.p_value)
    return _verdict(tested, alpha, len(implied) - len(tested))


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted so that any false rejection has at most the level's chance (Holm 1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    count = len(p_values)
    scaled = np.minimum(p_values[order] * np.arange(count, 0, -1), 1.0)
    adjusted = np.empty(count)
    adjusted[order] = np.maximum.accumulate(scaled) if count else scaled
    return adjusted


def _implied(
    graph: Graph, names: tuple[str, ...], cells: Cells, most_given: int
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield (gene whose zeros, other gene, separating set) for pairs that the graph does not join.

    The parents of whichever of the two is no ancestor of the other separate them.
    """
    model = representative(graph)
    for i, j in combinations(range(len(names)), 2):
        a, b = names[i], names[j]
        if model.edge(a, b) is not None:
            continue
        later = b if b not in model.ancestors([a]) else a
        given = tuple(sorted(set(model.parents(later)) & set(names)))
        if len(given) > most_given:
            continue
        for k, zeros, other in ((i, a, b), (j, b, a)):
            if cells.seen[k] is not None:
                yield zeros, other, given


def _compare(
    data: Dataset, cells: Cells, zeros: str, other: str, given: tuple[str, ...], min_rows: int
) -> _Line | None:
    """Hold what the zeros of a gene owe to another gene against what its values owe; None for want of rows.

    Both are correlations of residuals on polynomials of the set, with the error of the generalised covariance measure;
    of the values, it is the largest over cubic functions of both. All columns enter by their normal scores, so that no
    form of expression is assumed.
    """
    index = {name: k for k, name in enumerate(data.names)}
    rows = np.ones(data.n_rows, dtype=bool)
    for name in given:
        seen = cells.seen[index[name]]
        if seen is not None:
            rows &= seen
    switch = cells.seen[index[zeros]]
    assert switch is not None
    shown = switch[rows]
    if shown.sum() < min_rows or (~shown).sum() < min_rows:
        return None
    values = data.numeric([zeros, other, *given])[rows]
    lost = (~shown).astype(np.float64)[:, None]
    of_zeros = _residual_correlation(lost, _normal_scores(values[:, 1])[:, None], values[:, 2:])
    of_values = _residual_correlation(
        _powers(_normal_scores(values[shown, 0])), _powers(_normal_scores(values[shown, 1])), values[shown, 2:]
    )
    if of_zeros is None or of_values is None:
        return None
    factor = MARGIN * _most_ratio(float(np.mean(~shown)))
    excess = abs(of_zeros[0]) - factor * abs(of_values[0])
    p_value = float(ndtr(-excess / np.hypot(of_zeros[1], factor * of_values[1])))
    return _Line(zeros, other, given, of_zeros[0], of_values[0], p_value, int(rows.sum()))


def _residual_correlation(
    one: NDArray[np.float64], other: NDArray[np.float64], given: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Return the largest correlation of residuals of two sets of columns, and its standard error.

    It is the first canonical correlation; None where nothing is left to correlate.
    """
    scores = [_normal_scores(column) for column in given.T]
    design = _polynomials(np.column_stack(scores) if scores else np.empty((len(one), 0)))
    residuals = np.hstack([one, other])
    residuals -= design @ np.linalg.lstsq(design, residuals, rcond=None)[0]
    if residuals.std(axis=0).min() < 1e-9:
        return None
    sides = [_basis(side) for side in (residuals[:, : one.shape[1]], residuals[:, one.shape[1] :])]
    left, strength, right = np.linalg.svd(sides[0].T @ sides[1])
    product = len(one) * (sides[0] @ left[:, 0]) * (sides[1] @ right[0])
    return float(strength[0]), float(product.std() / np.sqrt(len(one)))


def _basis(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of what columns span; powers of a gene with few values depend on one another."""
    directions, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(directions[:, size > 1e-8 * size[0]])


def _most_ratio(rate: float) -> float:
    """Return how much more a gene's zeros can owe to another gene than its values seen, in a normal model.

    Zeros of a share ``rate`` carry at most the correlation of a normal variable with its sign at that quantile. The
    values seen vary least if they are all above it; a slope does not change by selecting on its own variable, so that a
    correlation shrinks no more than the spread.
    """
    cut = float(ndtri(rate))
    density = np.exp(-cut * cut / 2) / np.sqrt(2 * np.pi)
    hazard = density / (1 - rate)
    return float(density / np.sqrt(rate * (1 - rate)) / np.sqrt(1 - hazard * (hazard - cut)))


def _normal_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))


def _powers(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([scores, scores**2, scores**3])


def _polynomials(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a constant, powers up to the third and products of pairs, shape (n, terms)."""
    n, k = scores.shape
    powers = [scores**power for power in (1, 2, 3)]
    products = [scores[:, [a]] * scores[:, [b]] for a, b in combinations(range(k), 2)]
    return np.hstack([np.ones((n, 1)), *powers, *products])


def _verdict(tested: list[_Line], alpha: float, untested: int) -> CheckResult:
    name, title = "dropout-model", "Causal dropout model"
    if not tested:
        return CheckResult(name, title, None, "The graph implies nothing about the zeros that could be tested.")
    p_values = np.array([line.p_value for line in tested])
    adjusted = holm(p_values)
    flagged = list(dict.fromkeys(line.zeros for line, p in zip(tested, adjusted) if p < alpha))
    first = tested[0]
    if flagged:
        given = f" given {quote_names(first.given)}" if first.given else ""
        sentence = (
            f"The zeros of {quote_names(flagged, 6)} depend on more than the gene's own expression: those of "
            f"{first.zeros!r} correlate with {first.other!r}{given} at {first.of_zeros:.2f}, its values at "
            f"{first.of_values:.2f} (p = {adjusted[0]:.2g} after Holm's rule over {len(tested):,} tests)."
        )
    else:
        sentence = (
            f"None of {len(tested):,} independences that the model implies for the zeros is broken (smallest p = "
            f"{adjusted[0]:.2g} after Holm's rule)."
        )
    left_out = f" {untested:,} could not be tested for want of rows." if untested else ""
    table = {
        "zeros_of": [line.zeros for line in tested],
        "other": [line.other for line in tested],
        "given": [", ".join(line.given) for line in tested],
        "correlation_of_zeros": [line.of_zeros for line in tested],
        "correlation_of_values": [line.of_values for line in tested],
        "p_value": p_values.tolist(),
        "adjusted": adjusted.tolist(),
        "rows_used": [line.rows_used for line in tested],
    }
    return CheckResult(name, title, not flagged, sentence + left_out, p_value=float(adjusted[0]), table=table)
