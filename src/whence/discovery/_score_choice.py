"""From a table and the name of a score to the local score that a search climbs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from whence.data import Dataset
from whence.data.mixed import MixedRows, mixed_rows
from whence.discovery._common import (
    SORT_RULES,
    check_rows,
    constant_columns,
    dependent_columns,
    discrete_input,
    gaussian_input,
    sort_of,
)
from whence.discovery._mixed import follows_exactly, mixed_input, settled
from whence.errors import DataError, ParameterError
from whence.scores import (
    LocalScore,
    bdeu,
    conditional_gaussian_bic,
    degenerate_gaussian_bic,
    discrete_bic,
    extended_bic,
    gaussian_bic,
    kernel_score,
)
from whence.scores.extended import default_gamma
from whence.scores.local import gaussian_rule

ScoreName = Literal["auto", "bic", "extended-bic", "bdeu", "degenerate-gaussian", "conditional-gaussian", "kernel"]


@dataclass(frozen=True)
class Chosen:
    """A local score of a table, its name, the rules behind it and its price, and what reading the table had to say."""

    score: LocalScore
    name: str
    rule: str
    rows: int
    warnings: tuple[str, ...]
    price_rule: str


def check_score(score: str) -> None:
    """Raise ParameterError for a score that does not exist."""
    if score not in get_args(ScoreName):
        raise ParameterError("E311", f"there is no score {score!r}.", f"Choose {', '.join(get_args(ScoreName))}.")


def choose_score(data: Dataset, score: ScoreName, *, penalty: float, per_edge: float | None, ess: float) -> Chosen:
    """Return the score of that name; ``auto`` and ``bic`` take the BIC that fits the columns.

    Raises
    ------
    DataError
        For columns that the score cannot take: constant, the same as another, determined by others; or too few complete
        rows.
    ParameterError
        If the extended BIC is given a price by edge, which it has of its own.
    """
    sort = sort_of(data)
    price: dict[str, Any] = {"penalty": penalty, "per_edge": per_edge}
    price_rule = "given" if per_edge is not None else f"log p at p = {len(data.names)}"
    rule = "given" if score != "auto" else SORT_RULES[sort]

    def chosen(local: LocalScore, name: str, warnings: tuple[str, ...]) -> Chosen:
        return Chosen(local, name, rule, int(local.n), warnings, price_rule)

    if score == "extended-bic":
        if per_edge is not None:
            raise ParameterError("E316", f"score='extended-bic' was given per_edge={per_edge}.", "Give one of the two.")
        return _extended(choose_score(data, "bic", penalty=penalty, per_edge=None, ess=ess), len(data.names))
    if score in ("conditional-gaussian", "kernel"):
        rows, warnings = _rows(data)
        if score == "kernel":
            return chosen(kernel_score(rows, per_edge=per_edge), score, warnings)
        local = conditional_gaussian_bic(rows.values, rows.codes, rows.sizes, rows.place, **price)
        return chosen(local, score, warnings)
    if score == "bdeu" and sort != "discrete":
        raise DataError("E317", "the score bdeu takes discrete columns; some are numbers.", "Use score='bic'.")
    if score == "degenerate-gaussian" or sort == "mixed":
        found = mixed_input(data)
        embedded, said = settled(found)
        return chosen(degenerate_gaussian_bic(embedded, **price), "degenerate-gaussian", (*found.warnings, *said))
    if sort == "discrete":
        coded = discrete_input(data)
        if score == "bdeu":
            return chosen(bdeu(coded.codes, coded.sizes, ess=ess, per_edge=per_edge), score, coded.warnings)
        return chosen(discrete_bic(coded.codes, coded.sizes, **price), "discrete-bic", coded.warnings)
    gaussian = gaussian_input(data)
    moments = gaussian.moments
    # With no more rows than columns every column follows from others; small sets of parents still tell them apart.
    if moments.n > len(data.names) + 1 and (dependent := dependent_columns(moments.correlation, data.names)):
        raise follows_exactly(dependent)
    plain = chosen(gaussian_bic(moments.correlation, moments.n, **price), "gaussian-bic", gaussian.warnings)
    return plain if per_edge is not None else replace(plain, price_rule=gaussian_rule(moments.n, len(data.names)))


def _extended(plain: Chosen, p: int) -> Chosen:
    gamma = default_gamma(plain.rows, p)
    where = f"{gamma:.3g} at n = {plain.rows}, p = {p}"
    return replace(
        plain,
        score=extended_bic(plain.score, gamma),
        rule="given",
        price_rule=f"2 gamma log p with gamma = 1 - log n / (4 log p), at least 0: {where}",
    )


def _rows(data: Dataset) -> tuple[MixedRows, tuple[str, ...]]:
    """Return the complete rows of a table of either sort, checked, and what there is to say of them."""
    rows = mixed_rows(data)
    warnings = check_rows(data, rows.n, rows_per_column=False)
    flat = [
        name
        for name, place in zip(rows.names, rows.place.tolist())
        if not (rows.values[place].any() if place >= 0 else rows.sizes[-1 - place] > 1)
    ]
    if flat:
        raise constant_columns(flat, rows.n)
    mixed_input(data)  # refuses columns that are the same
    return rows, tuple(warnings)
