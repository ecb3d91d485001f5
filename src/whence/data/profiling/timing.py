"""The checks that look at the order of the rows: neighbours, lag, stationarity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.kinds import DISCRETE, Kind
from whence.data.profiling.multiple import benjamini_yekutieli
from whence.data.profiling.series import MOST_SERIES, LagChoice, choose_lag, dickey_fuller, kpss, ljung_box
from whence.data.profiling.view import View, unit_range
from whence.errors import quote_names
from whence.results import CheckResult

_LEVEL = 0.05
# Weaker dependence between neighbours than this is not worth a word, whatever its p-value.
_LEAST_CORRELATION = 0.1
# A column can be what the table is sorted by if its values hold this many rows on average.
_ROWS_PER_VALUE = 20
# Rows are a series if more than this share of the columns depends on the row before.
_SERIES_SHARE = 0.5
_STATIONARY_SHARE = 0.8
# The table behind the KPSS test ends at this p-value.
_LEVEL_STATIONARITY = 0.01
_FEWEST_STEPS = 40
_MOST_STEPS = 10_000


def row_order(view: View, time: str | None) -> tuple[CheckResult, dict[str, Any]]:
    """Test whether neighbouring rows resemble each other, as in a series.

    Where the table is sorted by a column of few values, as when treated rows stand before the others, the test looks
    at what is left within each value.
    """
    title = "Order of the rows"
    names = [view.numeric[place] for place in view.smooth]
    facts: dict[str, Any] = {
        "time_ordered": time is not None,
        "time": time,
        "autocorrelated_columns": [],
        "sorted_by": None,
    }
    facts["rows_dependent"] = False
    if view.first is None or view.first.n_rows < _FEWEST_STEPS or not names:
        sentence = "Not applicable: too few rows, no continuous column, or rows without an order."
        return CheckResult("row-order", title, None, sentence), facts
    values = unit_range(view.first.numeric(names))
    sorting = _sorting_column(view.first)
    if sorting is not None:
        values = _within(values, sorting[1])
    statistic, p_value, first = ljung_box(values)
    adjusted = benjamini_yekutieli(p_value)
    dependent = (adjusted <= _LEVEL) & (np.abs(first) >= _LEAST_CORRELATION)
    share = float(dependent.mean())
    found = [name for name, hit in zip(names, dependent) if hit]
    dependent_rows = share > _SERIES_SHARE
    sentence = f"The table is sorted by {sorting[0]!r}. " if sorting is not None else ""
    sentence += "Within each of its values rows" if sorting is not None else "Rows"
    if not found:
        sentence += " do not resemble their neighbours."
    else:
        sentence += f" resemble the row before in {len(found)} of {len(names)} columns ({quote_names(found, 6)})"
        sentence += ": they are not independent." if dependent_rows else ", but not in most."
    if time is not None:
        sentence += f" The column {time!r} gives the time."
    check = CheckResult(
        "row-order",
        title,
        None if time is not None else not dependent_rows,
        sentence,
        statistic=float(statistic.max()),
        p_value=float(adjusted.min()),
        table={"column": names, "correlation with the row before": first.tolist(), "adjusted p": adjusted.tolist()},
    )
    facts |= {
        "time_ordered": time is not None or (dependent_rows and sorting is None),
        "rows_dependent": dependent_rows,
        "autocorrelated_columns": found,
        "sorted_by": None if sorting is None else sorting[0],
    }
    return check, facts


def _sorting_column(first: Dataset) -> tuple[str, NDArray[np.int32]] | None:
    """Return the column of most values whose equal values all stand together, and its codes; None if there is none."""
    best: tuple[int, str, NDArray[np.int32]] | None = None
    for name, kind in first.kinds().items():
        if kind not in DISCRETE and kind is not Kind.COUNT:
            continue
        codes = first.codes([name]).codes[:, 0]
        distinct = len(np.unique(codes))
        together = 1 + int((codes[1:] != codes[:-1]).sum()) == distinct
        if together and 2 <= distinct <= len(codes) / _ROWS_PER_VALUE and (best is None or distinct > best[0]):
            best = (distinct, name, codes)
    return None if best is None else best[1:]


def _within(values: NDArray[np.float64], codes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the values with the mean of each group taken away."""
    left = values.copy()
    for code in np.unique(codes):
        rows = codes == code
        if (~np.isnan(left[rows])).any(axis=0).all():
            left[rows] -= np.nanmean(left[rows], axis=0)
    return left


def time_series(
    data: Dataset, view: View, time: str | None
) -> tuple[list[CheckResult], dict[str, Any], LagChoice | None]:
    """Return the lag and the stationarity of a table that is a series, and the residuals of its autoregression."""
    series, names, obstacle = _in_time_order(data, view, time)
    if obstacle:
        checks = [
            CheckResult("lag", "Lag", None, f"Not applicable: {obstacle}."),
            CheckResult("stationarity", "Stationarity", None, f"Not applicable: {obstacle}."),
        ]
        return checks, {"lag": None, "stationary": None}, None
    used = series[:, :MOST_SERIES]
    choice = choose_lag(used, names[:MOST_SERIES])
    lag_check = CheckResult(
        "lag",
        "Lag",
        None,
        f"The longest lag with an effect is {choice.lag} (of {len(choice.p_values)} tried, likelihood ratio tests on "
        f"{used.shape[1]} series; each series by itself would choose {int(np.median(choice.votes))} in the median).",
        statistic=float(choice.lag),
        p_value=choice.p_values[choice.lag - 1] if choice.lag else min(choice.p_values),
        table={"lag": list(range(1, len(choice.p_values) + 1)), "p": list(choice.p_values)},
    )
    stationary_check, stationary = _stationarity(series, names)
    return [lag_check, stationary_check], {"lag": choice.lag, "stationary": stationary}, choice


def _in_time_order(data: Dataset, view: View, time: str | None) -> tuple[NDArray[np.float64], list[str], str]:
    """Return the continuous columns in time order with gaps filled, their names, and what stands in the way."""
    nothing = np.zeros((0, 0))
    names = [view.numeric[place] for place in view.smooth if view.numeric[place] != time]
    if not names:
        return nothing, [], "there is no continuous column"
    if not data.in_memory:
        return nothing, [], "rows beyond memory have no order"
    if time is None:
        values = unit_range(view.first.numeric(names)) if view.first is not None else nothing
    else:
        clock = _clock(data, time)
        if len(np.unique(clock)) < len(clock):
            return nothing, [], f"several rows share a value of {time!r} (a panel, or a coarse clock)"
        rows = np.argsort(clock, kind="stable")[:_MOST_STEPS]
        values = unit_range(data.select(names).take(rows).numeric(names))
    if len(values) < _FEWEST_STEPS:
        return nothing, [], f"fewer than {_FEWEST_STEPS} steps"
    if np.isnan(values).mean() > 0.3:
        return nothing, [], "too many values are missing"
    filled = np.column_stack([_interpolate(column) for column in values.T])
    varying = filled.std(axis=0) > 0
    return filled[:, varying], [name for name, keep in zip(names, varying) if keep], ""


def _clock(data: Dataset, time: str) -> NDArray[Any]:
    column = data.select([time]).to_arrow().column(time)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _interpolate(column: NDArray[np.float64]) -> NDArray[np.float64]:
    blank = np.isnan(column)
    if not blank.any():
        return column
    steps = np.arange(len(column))
    return np.interp(steps, steps[~blank], column[~blank])


def _stationarity(series: NDArray[np.float64], names: list[str]) -> tuple[CheckResult, bool]:
    """Augmented Dickey-Fuller per series (Bonferroni), with KPSS, whose null is the opposite, beside it."""
    roots = np.array([dickey_fuller(column)[1] for column in series.T])
    levels = np.array([kpss(column)[1] for column in series.T])
    passes = (roots * len(roots) <= _LEVEL) & (levels > _LEVEL_STATIONARITY)
    share = float(passes.mean())
    stationary = share >= _STATIONARY_SHARE
    wandering = [name for name, good in zip(names, passes) if not good]
    sentence = (
        f"{'Stationary' if stationary else 'Not stationary'}: {int(passes.sum())} of {len(names)} series refuse a unit "
        f"root (Dickey-Fuller) and not a fixed level (KPSS); {_STATIONARY_SHARE:.0%} are asked for."
    )
    if wandering and not stationary:
        sentence += f" {quote_names(wandering, 6)} wander: take differences first."
    check = CheckResult(
        "stationarity",
        "Stationarity",
        stationary,
        sentence,
        statistic=share,
        p_value=float(min(roots.max() * len(roots), 1.0)),
        table={"series": names, "unit root p": roots.tolist(), "level p": levels.tolist()},
    )
    return check, stationary
