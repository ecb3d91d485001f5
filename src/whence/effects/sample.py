"""From a table to the arrays that estimators read: complete rows, levels, encoded covariates, everything checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from whence.data import Dataset, Kind
from whence.effects.sums import Array, Labels, dependent_columns
from whence.effects.wording import level_words
from whence.errors import DataError, quote_names

TreatmentKind = Literal["binary", "categorical", "continuous"]

FEWEST_IN_ARM = 3
LARGEST = 1e70
_DISCRETE = frozenset({Kind.BINARY, Kind.CATEGORICAL})
_UNUSABLE = frozenset({Kind.TIME, Kind.ID})


@dataclass(frozen=True, slots=True)
class Sample:
    """Complete rows as arrays.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
    treatment : ndarray, shape (n,)
        Values of a continuous treatment; of a discrete one the index of the arm, the reference being 0.
    covariates : ndarray, shape (n, k)
        Columns adjusted for, in order of name, categories as indicators of all levels but the first, redundant columns
        left out.
    covariate_names, covariate_sources : tuple of str, length k
        Name of each, such as ``"region = north"``, and the column it came from.
    arms : tuple or None
        Levels of a discrete treatment, the reference first; None for a continuous treatment.
    outcome_event : level or None
        For a binary outcome the level whose probability is the outcome.
    extra : dict of str to ndarray, shape (n, m)
        Further columns by part: ``instruments``, ``mediators``.
    rows : int array, shape (n,)
        Position of each row in the table.
    rows_total : int
    notes : tuple of str
        What was left out and why.
    """

    outcome: Array
    treatment: Array
    covariates: Array
    covariate_names: tuple[str, ...]
    covariate_sources: tuple[str, ...]
    arms: tuple[Any, ...] | None
    rows: Labels
    rows_total: int
    outcome_event: Any = None
    extra: dict[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of rows, n."""
        return len(self.outcome)

    @property
    def width(self) -> int:
        """Number of encoded covariates, k."""
        return self.covariates.shape[1]  # type: ignore[no-any-return]

    @property
    def kind(self) -> TreatmentKind:
        """Kind of the treatment."""
        return "continuous" if self.arms is None else "binary" if len(self.arms) == 2 else "categorical"

    @property
    def codes(self) -> Labels:
        """The arm of each row, shape (n,), of a discrete treatment."""
        return self.treatment.astype(np.int64)

    @property
    def arm_sizes(self) -> Labels:
        """Rows in each arm of a discrete treatment."""
        return np.bincount(self.codes, minlength=len(self.arms or ()))

    def with_parts(self, **parts: Any) -> Sample:
        """Return the sample with some of its arrays replaced."""
        return replace(self, **parts)

    def take(self, rows: Labels) -> Sample:
        """Return some rows, by position."""
        return replace(
            self,
            outcome=self.outcome[rows],
            treatment=self.treatment[rows],
            covariates=self.covariates[rows],
            rows=self.rows[rows],
            extra={name: part[rows] for name, part in self.extra.items()},
        )


def build_sample(
    data: Dataset,
    treatment: str,
    outcome: str,
    adjustment: Sequence[str] = (),
    *,
    reference: Any = None,
    instruments: Sequence[str] = (),
    mediators: Sequence[str] = (),
) -> Sample:
    """Return the arrays of the rows that are complete in the columns needed.

    Parameters
    ----------
    reference : level, optional
        Of a discrete treatment: what the other arms are compared with; by default the first level.

    Raises
    ------
    DataError
        E104 for values whose powers overflow; E432 if treatment or outcome do not vary; E433 if they are one column, or
        adjusted for; E434 with too few rows in all or in an arm; E435 with more columns than rows; E438 for a column
        whose kind cannot play its part; E443 if no row is complete.
    """
    _check_parts(data, treatment, outcome, adjustment)
    others = tuple(sorted(set(adjustment)))
    needed = (treatment, outcome, *others, *instruments, *mediators)
    rows, notes = _complete_rows(data, needed)
    outcome_values, event = _outcome(data, outcome, rows)
    treatment_values, arms = _treatment(data, treatment, rows, reference)
    if np.array_equal(outcome_values, treatment_values):
        raise DataError(
            "E433",
            f"the treatment {treatment!r} and the outcome {outcome!r} hold the same values in every row.",
            "They are one variable under two names; choose another outcome.",
        )
    covariates, names, sources = _encode(data, others, rows)
    _check_size(len(rows), len(names), 1 if arms is None else len(arms) - 1, treatment)
    sample = Sample(
        outcome=outcome_values,
        treatment=treatment_values,
        covariates=covariates,
        covariate_names=names,
        covariate_sources=sources,
        arms=arms,
        rows=rows,
        rows_total=data.n_rows,
        outcome_event=event,
        extra={
            part: _encode(data, columns, rows)[0]
            for part, columns in (("instruments", instruments), ("mediators", mediators))
            if columns
        },
        notes=tuple(notes),
    )
    _check_arms(sample, treatment)
    return _without_redundant(sample)


def _check_parts(data: Dataset, treatment: str, outcome: str, adjustment: Iterable[str]) -> None:
    names = [treatment, outcome, *adjustment]
    data.select(dict.fromkeys(names))  # names the absent column
    if treatment == outcome:
        raise DataError(
            "E433",
            f"treatment and outcome are both {treatment!r}.",
            "Name two different columns as the question's ends.",
        )
    clash = {treatment, outcome} & set(adjustment)
    if clash:
        raise DataError(
            "E433",
            f"{quote_names(sorted(clash))} is to be adjusted for and is itself the treatment or the outcome.",
            "Leave it out of the adjustment.",
        )
    for name in names:
        if data.columns[name].kind in _UNUSABLE:
            raise DataError(
                "E438",
                f"column {name!r} is of kind {str(data.columns[name].kind)!r}: {data.columns[name].reason}.",
                "Leave it out, or override its kind with wh.read(..., kinds={...}).",
            )


def _complete_rows(data: Dataset, names: Sequence[str]) -> tuple[Labels, list[str]]:
    with_gaps = [name for name in dict.fromkeys(names) if data.columns[name].missing]
    if not with_gaps:
        return np.arange(data.n_rows), []
    absent = {name: data.is_missing(name) for name in with_gaps}
    complete = ~np.any(list(absent.values()), axis=0)
    rows = np.flatnonzero(complete)
    gaps = ", ".join(f"{name} {int(mask.sum()):,}" for name, mask in absent.items())
    if not len(rows):
        raise DataError(
            "E443",
            f"no row has a value in all of the columns {quote_names(names)} (missing: {gaps}).",
            "Adjust for fewer columns, or fill in the missing values first.",
        )
    lost = data.n_rows - len(rows)
    if not lost:
        return rows, []
    return rows, [
        f"{lost:,} of {data.n_rows:,} rows lack a needed value and were left out (missing: {gaps}); the answer is "
        "about "
        "the complete rows."
    ]


def _values(data: Dataset, name: str, rows: Labels) -> Array:
    values = data.numeric([name])[:, 0]
    values = values if len(rows) == len(values) else values[rows]
    _check_scale(name, values)
    return values


def _check_scale(name: str, values: Array) -> None:
    """Raise DataError if sums of fourth powers, of which errors are made, would overflow."""
    largest = max(values.max(), -values.min())
    if largest > LARGEST:
        raise DataError(
            "E104",
            f"column {name!r} has values as large as {largest:.3g}: sums of their powers overflow.",
            "Divide the column by its unit, or declare the values missing with wh.read(..., missing=[...]).",
        )


def _outcome(data: Dataset, name: str, rows: Labels) -> tuple[Array, Any]:
    column = data.columns[name]
    if column.kind is Kind.CATEGORICAL:
        raise DataError(
            "E438",
            f"the outcome {name!r} is categorical ({quote_names(column.levels or ())}); an average of categories "
            "has no meaning.",
            "Make a column that is 1 where the category of interest occurs and 0 elsewhere.",
        )
    values = _values(data, name, rows)
    if values.min() == values.max():
        raise DataError(
            "E432",
            f"the outcome {name!r} has one value in all {len(values):,} rows used.",
            "An effect on something that does not vary cannot be seen; choose another outcome or more rows.",
        )
    if column.kind is not Kind.BINARY:
        return values, None
    low, high = column.levels or (0, 1)
    numbers = all(isinstance(level, (int, float)) and not isinstance(level, bool) for level in (low, high))
    if numbers and {low, high} != {0, 1} and (data.unit(name) or "").strip():
        values = low + (high - low) * values  # two numbers that carry a unit, such as 0 and 1,000 dollars
        _check_scale(name, values)
        return values, None
    return values, high


def _treatment(data: Dataset, name: str, rows: Labels, reference: Any) -> tuple[Array, tuple[Any, ...] | None]:
    column = data.columns[name]
    if column.kind not in _DISCRETE:
        values = _values(data, name, rows)
        if values.min() == values.max():
            raise _constant_treatment(name, values[0], len(rows))
        return values, None
    coded = data.codes([name])
    codes = coded.codes[rows, 0]
    present = np.unique(codes)
    levels = [coded.levels[0][code] for code in present]
    if len(levels) < 2:
        raise _constant_treatment(name, levels[0] if levels else None, len(rows))
    first = 0 if reference is None else find_level(name, levels, reference)
    order = [first, *(k for k in range(len(levels)) if k != first)]
    place = np.zeros(int(present.max()) + 1)
    place[present[order]] = np.arange(len(order))
    return place[codes], tuple(levels[k] for k in order)


def find_level(name: str, levels: Sequence[Any], wanted: Any) -> int:
    """Return the position of a level of the treatment, also when it is given as text.

    Raises
    ------
    DataError
        E440 naming the levels there are.
    """
    for k, level in enumerate(levels):
        if level == wanted or str(level) == str(wanted):
            return k
    raise DataError("E440", f"the treatment {name!r} has no level {wanted!r}.", f"Its levels: {quote_names(levels)}.")


def _constant_treatment(name: str, value: Any, rows: int) -> DataError:
    return DataError(
        "E431",
        f"the treatment {name!r} is {level_words(value)} in all {rows:,} rows used.",
        "An effect needs rows with different values of the treatment; check the filter and the missing values.",
    )


def _encode(data: Dataset, names: Sequence[str], rows: Labels) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Return covariates as numbers: categories become indicators of every level but the first."""
    parts: list[Array] = []
    labels: list[str] = []
    sources: list[str] = []
    for name in names:
        column = data.columns[name]
        if column.kind is Kind.CONSTANT:
            continue
        if column.kind is Kind.CATEGORICAL:
            coded = data.codes([name])
            codes = coded.codes[rows, 0]
            for code, level in list(enumerate(coded.levels[0]))[1:]:
                parts.append((codes == code).astype(np.float64))
                labels.append(f"{name} = {level}")
                sources.append(name)
        else:
            parts.append(_values(data, name, rows))
            labels.append(name)
            sources.append(name)
    matrix = np.column_stack(parts) if parts else np.empty((len(rows), 0))
    return matrix, tuple(labels), tuple(sources)


def _check_size(n: int, k: int, contrasts: int, treatment: str) -> None:
    if n < k + contrasts + 3:
        raise DataError(
            "E435",
            f"adjusting for {k} columns (categories counted by level) needs more than {k + contrasts + 2} rows; "
            f"{n} are complete.",
            f"Adjust for fewer columns: only what affects both {treatment!r} and the outcome is needed.",
        )


def _check_arms(sample: Sample, treatment: str) -> None:
    if sample.arms is None:
        return
    small = {str(arm): int(size) for arm, size in zip(sample.arms, sample.arm_sizes) if size < FEWEST_IN_ARM}
    if small:
        counts = ", ".join(f"{arm!r} {size}" for arm, size in small.items())
        raise DataError(
            "E434",
            f"levels of the treatment {treatment!r} with fewer than {FEWEST_IN_ARM} complete rows: {counts}.",
            "Merge rare levels, or leave their rows out before reading.",
        )


def _without_redundant(sample: Sample) -> Sample:
    """Leave out covariates that are exact linear combinations of those before them, and say so."""
    if not sample.width:
        return sample
    drop = dependent_columns([sample.covariates])
    if not drop.any():
        return sample
    gone = [name for name, dropped in zip(sample.covariate_names, drop) if dropped]
    note = (
        f"{quote_names(gone)} {'adds' if len(gone) == 1 else 'add'} nothing to the other adjusted columns "
        "(constant, or an "
        "exact linear combination of them) and left out."
    )
    note = note.replace("and left out", "and was left out" if len(gone) == 1 else "and were left out")
    return replace(
        sample,
        covariates=np.ascontiguousarray(sample.covariates[:, ~drop]),
        covariate_names=tuple(n for n, d in zip(sample.covariate_names, drop) if not d),
        covariate_sources=tuple(n for n, d in zip(sample.covariate_sources, drop) if not d),
        notes=(*sample.notes, note),
    )
