"""The two questions that decide which search fits: linear relations and Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data.profiling.linearity import Ordered, linear_order, reset_tests
from whence.data.profiling.multiple import benjamini_yekutieli
from whence.data.profiling.noise import additive_noise_residuals, normality_p_values
from whence.parallel import Progress, silent
from whence.results import CheckResult

_LEVEL = 0.05
# A pair is nonlinear if the test says so and the powers explain this much of what the line leaves: at many rows a
# test alone would notice bends that no linear method suffers from.
_LEAST_GAIN = 0.01
# The relations are nonlinear if more than this share of the linked pairs is.
NONLINEAR_SHARE = 0.05
# The noise is not Gaussian if more than this share of the residuals is not. Residuals of a fitted curve carry some of
# its misfit, and so more of them must speak against the Gaussian.
NONGAUSSIAN_SHARE = 0.25
NONGAUSSIAN_SHARE_CURVED = 2 / 3
# Columns are tested in groups of this many that are correlated with one another.
_GROUP = 10
_MOST_GROUPS = 8
_MOST_CURVED_GROUPS = 2
_GROUP_ROWS = 5_000
_CURVED_ROWS = 2_000
# A group keeps this share of the rows of the column it began with, unless it is still small and has rows enough.
_KEPT_ROWS = 0.75
_SMALL_GROUP = 4
_SMALL_GROUP_ROWS = 300
_FEWEST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that are tested together, and the rows complete in them."""

    columns: NDArray[np.intp]
    values: NDArray[np.float64]


def choose_groups(
    values: NDArray[np.float64], correlation: NDArray[np.float64], rng: np.random.Generator
) -> list[Group]:
    """Return groups of columns: a random one not yet in a group, with those most correlated with the group so far.

    Columns with fewest gaps begin groups first, and a group takes in no column that costs it many complete rows, so
    that complete columns are tested on all rows and a column with gaps on its own. Where all columns have gaps, small
    groups are drawn again and again.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        No constant column; NaN where missing.
    correlation : ndarray, shape (p, p)
    """
    present = ~np.isnan(values)
    strength = np.abs(correlation)
    groups: list[Group] = []
    for _ in range(_MOST_GROUPS):
        shuffled = rng.permutation(values.shape[1])
        waiting = shuffled[np.argsort(-present.sum(axis=0)[shuffled], kind="stable")].tolist()
        while waiting and len(groups) < _MOST_GROUPS:
            chosen, rows = _grow_group(int(waiting[0]), present, strength)
            part = values[np.ix_(rows, chosen)]
            part = part[rng.choice(len(part), _GROUP_ROWS, replace=False)] if len(part) > _GROUP_ROWS else part
            varying = part.std(axis=0) > 0 if len(part) else np.zeros(len(chosen), dtype=bool)
            if len(part) >= _FEWEST_ROWS and varying.any():
                groups.append(Group(chosen[varying], part[:, varying]))
            waiting = [column for column in waiting if column not in chosen]
        if len(groups) == 0 or max(len(group.columns) for group in groups) >= min(values.shape[1], _GROUP) / 2:
            break
    return groups


def _grow_group(
    start: int, present: NDArray[np.bool_], strength: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the columns of a group, sorted, and its complete rows."""
    chosen, rows = [start], present[:, start]
    closeness = strength[start].copy()
    candidates = [column for column in range(len(strength)) if column != start]
    while candidates and len(chosen) < _GROUP:
        best = max(candidates, key=lambda column: closeness[column])
        candidates.remove(best)
        left = (rows & present[:, best]).sum()
        affordable = left >= _KEPT_ROWS * present[:, start].sum() or (
            left >= _SMALL_GROUP_ROWS and len(chosen) < _SMALL_GROUP
        )
        # Exact copies of a member say nothing new.
        if affordable and closeness[best] < 0.9999:
            chosen.append(best)
            rows = rows & present[:, best]
            closeness = np.maximum(closeness, strength[best])
    return np.array(sorted(chosen), dtype=np.intp), rows


def linearity(names: Sequence[str], groups: list[Group], orders: list[Ordered]) -> tuple[CheckResult, dict[str, Any]]:
    """Test whether relations between continuous columns are linear: RESET along the most linear order.

    ``names`` are the columns that the positions in the groups speak of.
    """
    title = "Linear relations"
    pairs = sum(len(order.p_values) for order in orders)
    if pairs == 0:
        sentence = "Not applicable: fewer than two continuous columns with enough complete rows."
        return CheckResult("linearity", title, None, sentence), {"linear": None, "share_nonlinear": None}
    adjusted = benjamini_yekutieli(np.concatenate([order.p_values for order in orders]))
    gains = np.concatenate([order.gains for order in orders])
    bent = (adjusted <= _LEVEL) & (gains >= _LEAST_GAIN)
    linked = np.concatenate([order.linked for order in orders]) | bent
    share = float(bent.sum() / max(linked.sum(), 1))
    linear = share <= NONLINEAR_SHARE
    found = np.concatenate([group.columns[order.pairs] for group, order in zip(groups, orders)])
    ends = np.array(names, dtype=object)[found].reshape(-1, 2)
    worst = int(np.argmin(np.where(bent, adjusted, 2.0)))
    example = f" (most clearly {ends[worst, 1]!r} in {ends[worst, 0]!r})" if bent.any() else ""
    sentence = (
        f"{'Linear' if linear else 'Not linear'}: RESET finds a bend in {bent.sum()} of {linked.sum()} related pairs "
        f"of columns, {share:.0%}{example}; up to {NONLINEAR_SHARE:.0%} count as linear."
    )
    check = CheckResult(
        "linearity",
        title,
        linear,
        sentence,
        statistic=share,
        p_value=float(adjusted.min()),
        table={
            "in": ends[linked, 0].tolist(),
            "outcome": ends[linked, 1].tolist(),
            "adjusted p": adjusted[linked].tolist(),
            "gain": gains[linked].tolist(),
        },
    )
    return check, {"linear": linear, "share_nonlinear": share}


def gaussianity(
    names: Sequence[str],
    groups: list[Group],
    orders: list[Ordered],
    linear: bool | None,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> tuple[CheckResult, dict[str, Any]]:
    """Test residuals for normality (Shapiro and Wilk): of lines if relations are linear, else of curves."""
    title = "Gaussian noise"
    if not groups:
        sentence = "Not applicable: no continuous column with enough complete rows."
        return CheckResult("gaussianity", title, None, sentence), {"gaussian": None, "share_nongaussian": None}
    curved = linear is False
    columns: list[int] = []
    p_values: list[float] = []
    tested = groups[:_MOST_CURVED_GROUPS] if curved else groups
    for number, (group, order) in enumerate(zip(tested, orders)):
        if curved:
            members, residuals = group.columns, additive_noise_residuals(group.values[:_CURVED_ROWS], rng)
        else:
            members, residuals = group.columns[order.columns], order.residuals
        for column, p_value in zip(members, normality_p_values(residuals, rng)):
            if column not in columns:
                columns.append(int(column))
                p_values.append(float(p_value))
        progress("noise", number + 1, len(tested))
    adjusted = benjamini_yekutieli(p_values)
    share = float((adjusted <= _LEVEL).mean())
    limit = NONGAUSSIAN_SHARE_CURVED if curved else NONGAUSSIAN_SHARE
    gaussian = share <= limit
    sentence = (
        f"{'Gaussian' if gaussian else 'Not Gaussian'}: the residuals of {(adjusted <= _LEVEL).sum()} of "
        f"{len(columns)} columns ({share:.0%}) fail Shapiro and Wilk's test; up to {limit:.0%} count as Gaussian "
        f"({'curves' if curved else 'lines'} were fitted)."
    )
    check = CheckResult(
        "gaussianity",
        title,
        gaussian,
        sentence,
        statistic=share,
        p_value=float(adjusted.min()),
        table={
            "column": [names[column] for column in columns],
            "adjusted p": adjusted.tolist(),
        },
    )
    return check, {"gaussian": gaussian, "share_nongaussian": share}


def lagged_tests(fitted: NDArray[np.float64], residuals: NDArray[np.float64]) -> tuple[Group, Ordered]:
    """Return RESET tests of the equations of an autoregression: powers of the fitted values against the residuals.

    They take part in `linearity` as a group in which every series is paired with itself.
    """
    own = np.arange(fitted.shape[1], dtype=np.intp)
    tests = [reset_tests(fitted[:, place], (fitted + residuals)[:, [place]]) for place in own]
    ordered = Ordered(
        columns=own,
        residuals=residuals,
        pairs=np.column_stack([own, own]),
        p_values=np.concatenate([test.p_values for test in tests]),
        gains=np.concatenate([test.gains for test in tests]),
        linked=np.concatenate([test.linked for test in tests]),
    )
    return Group(own, residuals), ordered


def order_groups(groups: list[Group], progress: Progress = silent) -> list[Ordered]:
    """Return the most linear order of every group and the tests along it."""
    orders = []
    for number, group in enumerate(groups):
        orders.append(linear_order(group.values))
        progress("linearity", number + 1, len(groups))
    return orders
