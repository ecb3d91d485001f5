"""`profile`: all diagnostics of a table, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.kinds import Kind
from whence.data.profiling import association, columns, domains, form, missingness, timing
from whence.data.profiling.groups import rank_scores
from whence.data.profiling.series import LagChoice
from whence.data.profiling.summary import Profile
from whence.data.profiling.view import View, make_view
from whence.errors import DataError
from whence.parallel import Progress, RandomState, generator, silent
from whence.results import CheckResult

_NO_VARIABLES = (Kind.ID, Kind.TIME, Kind.CONSTANT)
# A domain column with more values than this is hardly a domain.
_MOST_DOMAINS = 100


def profile(
    data: Any,
    *,
    domain: str | None = None,
    time: str | None = None,
    random_state: RandomState = 0,
    progress: Progress = silent,
) -> Profile:
    """Say what a table allows: size, kinds, gaps, copies, form of the relations, noise, regimes, order of the rows.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
    domain : str, optional
        Column that tells regimes apart (site, batch, experiment). Default: the column with the role ``domain``.
    time : str, optional
        Column that orders the rows. Default: the column with the role ``time``, or the only one of that kind.
    random_state : int or Generator, optional
        Seed of the subsamples: tests look at no more than 10,000 rows and 2,000,000 cells.
    progress : callable
        Called with a stage, how many of its steps are done and how many there are.

    Returns
    -------
    Profile

    Raises
    ------
    DataError
        E123 for a column that does not exist, E156 if the domain column holds numbers without levels.

    Examples
    --------
    >>> from whence.data import simulate
    >>> found = profile(simulate.linear_scm(6, 1000, noise="uniform", random_state=1).data)
    >>> found.facts["linear"], found.facts["gaussian"]
    (True, False)
    """
    from whence.data.reading import as_dataset

    table = as_dataset(data)
    domain, time = _column_or_role(table, domain, "domain"), _time_column(table, time)
    rng = generator(random_state)
    variables = [
        name for name, kind in table.kinds().items() if kind not in _NO_VARIABLES and name not in (domain, time)
    ]
    steps = _Steps(progress)
    steps.add(columns.size(table, len(variables)))
    steps.add(columns.kinds(table))
    steps.add(columns.names(table))
    steps.add(columns.constants(table))
    steps.add(columns.missing_shares(table))

    outside = tuple(name for name in (domain, time) if name is not None)
    view = make_view(table, rng, leave_out=outside)
    steps.add(columns.repeated_rows(view))
    steps.add(columns.far_values(view))
    steps.add(columns.missing_codes(view))
    correlation = association.correlations(view)
    steps.add(association.near_duplicates(view, correlation))
    steps.add(association.collinearity(view, correlation))
    ranks = rank_scores(view.values)
    steps.add(missingness.missing_mechanism(view, ranks))

    row_check, row_facts = timing.row_order(view, time)
    steps.add((row_check, row_facts))
    choice: LagChoice | None = None
    if row_facts["time_ordered"]:
        checks, facts, choice = timing.time_series(table, view, time)
        steps.extend(checks, facts)
    else:
        steps.facts |= {"lag": None, "stationary": None}
    drift = domains.drift(view, ranks, ordered=row_facts["time_ordered"], sorted_by=row_facts["sorted_by"])
    steps.add(drift)
    labels, levels = _domain_labels(table, view, domain)
    steps.extend(*domains.heterogeneity(view, ranks, domain, labels, levels))

    names, values = _tested_columns(view, choice)
    groups = form.choose_groups(values, association.pairwise_correlation(values), rng)
    orders = form.order_groups(groups, progress)
    if choice is not None and choice.lag > 0:
        group, order = form.lagged_tests(choice.fitted, choice.residuals)
        steps.add(form.linearity(names, [*groups, group], [*orders, order]))
    else:
        steps.add(form.linearity(names, groups, orders))
    steps.add(form.gaussianity(names, groups, orders, steps.facts["linear"], rng, progress))
    return Profile(
        data=table,
        diagnostics=tuple(steps.checks),
        facts=steps.facts,
        warnings=tuple(_warnings(steps.facts, domain)),
        rows_tested=view.part.n_rows,
        rule=view.rule,
    )


class _Steps:
    """Collects checks and facts and reports each finished check."""

    total = 19

    def __init__(self, progress: Progress) -> None:
        self.checks: list[CheckResult] = []
        self.facts: dict[str, Any] = {}
        self._progress = progress

    def add(self, found: tuple[CheckResult, dict[str, Any]]) -> None:
        """Take one check and its facts."""
        self.extend([found[0]], found[1])

    def extend(self, checks: Sequence[CheckResult], facts: dict[str, Any]) -> None:
        """Take several checks and their facts."""
        self.checks += checks
        self.facts |= facts
        self._progress("profile", min(len(self.checks), self.total), self.total)


def _column_or_role(table: Dataset, name: str | None, role: str) -> str | None:
    chosen = name if name is not None else table.roles.get(role)
    if chosen is not None:
        table.select([chosen])  # raises for a column that does not exist, naming the closest ones
    return chosen


def _time_column(table: Dataset, time: str | None) -> str | None:
    chosen = _column_or_role(table, time, "time")
    if chosen is not None:
        return chosen
    clocks = [name for name, kind in table.kinds().items() if kind is Kind.TIME]
    return clocks[0] if len(clocks) == 1 else None


def _domain_labels(table: Dataset, view: View, domain: str | None) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Return the domain of every row of the view as a code, and the values behind the codes."""
    if domain is None:
        return np.zeros(view.part.n_rows, dtype=np.int64), ()
    column = table.columns[domain]
    if column.kind in (Kind.CONTINUOUS, Kind.ID) or (column.distinct or 0) > _MOST_DOMAINS:
        raise DataError(
            "E156",
            f"column {domain!r} cannot be the domain: it is {column.kind} with {column.distinct or 'many'} values.",
            f"Name a column that divides the rows into at most {_MOST_DOMAINS} groups.",
        )
    coded = view.part.codes([domain])
    return coded.codes[:, 0].astype(np.int64), coded.levels[0]


def _tested_columns(view: View, choice: LagChoice | None) -> tuple[list[str], NDArray[np.float64]]:
    """Return the columns whose form is tested: as they are, or in a series what the lags leave of them."""
    if choice is not None and choice.lag > 0:
        return list(choice.names), choice.residuals
    values = view.values[:, view.smooth]
    varying = np.nanstd(values, axis=0) > 0 if values.size else np.zeros(values.shape[1], dtype=bool)
    return [view.numeric[place] for place in view.smooth[varying]], values[:, varying]


def _warnings(facts: dict[str, Any], domain: str | None) -> list[str]:
    """Return the findings that should be known before any number from the table is believed."""
    found = []
    if facts["rows_per_column"] < 5:
        found.append(f"Only {facts['rows_per_column']:.1f} rows per column: results will be unstable.")
    if facts["mostly_missing"]:
        found.append(f"Half or more of the values are missing in: {', '.join(facts['mostly_missing'])}.")
    if facts["missing_mechanism"] == "depends on observed columns":
        found.append("Values are not missing completely at random: complete rows are not a fair sample.")
    if facts["near_duplicates"]:
        listed = "; ".join(", ".join(group) for group in facts["near_duplicates"][:3])
        found.append(f"Some columns are all but copies of each other: {listed}.")
    if facts["repeated_rows_suspect"]:
        found.append(f"{facts['repeated_rows_share']:.0%} of the rows repeat another row.")
    for name, codes in facts["missing_codes"].items():
        listed = ", ".join(f"{code:g}" for code in codes)
        found.append(f"In {name}, {listed} looks like a code for missing; declare it with missing=[{listed}].")
    for name, distance in facts["absurd_values"].items():
        if name not in facts["missing_codes"]:
            found.append(f"{name} holds a value {distance:,.0f} robust standard deviations from its median: check it.")
    if facts["heterogeneous"]:
        found.append(f"The rows come from different regimes (column {domain}): pooled results mix them.")
    if facts["time_ordered"] or facts["rows_dependent"]:
        found.append("Rows depend on the rows before them: methods that take rows as independent are too confident.")
    elif facts["drift"] and len(facts["drifting_columns"]) > facts["p"] / 2:
        found.append("Columns change over the rows: the table is sorted, or the process drifted.")
    return found
