"""A test of whether missing values depend on what is seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from whence.data.profiling.groups import RankScores, contingency_test, group_tests, membership
from whence.data.profiling.multiple import benjamini_yekutieli
from whence.data.profiling.view import View
from whence.results import CheckResult

_LEVEL = 0.05
# A column with fewer missing or fewer present rows than this tells nothing about the mechanism.
_FEWEST = 10


def missing_mechanism(view: View, ranks: RankScores) -> tuple[CheckResult, dict[str, Any]]:
    """Test, for every column with missing values, whether the other columns differ between its two sorts of rows.

    Where they do not, the table is consistent with values missing completely at random (MCAR). Whether a value is
    missing because of itself (MNAR) no table can tell.
    """
    absent = {name: np.isnan(view.values[:, place]) for place, name in enumerate(view.numeric)}
    absent |= {name: view.codes[:, place] < 0 for place, name in enumerate(view.coded)}
    affected = {name: rows for name, rows in absent.items() if rows.sum() >= _FEWEST and (~rows).sum() >= _FEWEST}
    if not affected:
        some = any(rows.any() for rows in absent.values())
        sentence = "Too few values are missing to test why." if some else "Not applicable: no value is missing."
        check = CheckResult("missing-mechanism", "Why values are missing", None, sentence)
        return check, {"missing_mechanism": "unknown" if some else "none"}
    found: list[tuple[str, str, float, float]] = []
    for name, rows in affected.items():
        labels = rows.astype(np.int64)
        statistic, p_value, _ = group_tests(ranks, membership(labels, 2), degrees=2)
        for other, one_statistic, one_p in zip(view.numeric, statistic, p_value):
            if other != name and not np.isnan(one_p):
                found.append((name, other, float(one_statistic), float(one_p)))
        for place, other in enumerate(view.coded):
            one_statistic, one_p = contingency_test(labels, view.codes[:, place])
            if other != name and not np.isnan(one_p):
                found.append((name, other, float(one_statistic), float(one_p)))
    if not found:
        sentence = "There is no other column that missing values could depend on."
        return CheckResult("missing-mechanism", "Why values are missing", None, sentence), {
            "missing_mechanism": "unknown"
        }
    lost, seen, statistics, p_values = (list(part) for part in zip(*found))
    adjusted = benjamini_yekutieli(p_values)
    smallest = int(np.argmin(adjusted))
    random = bool(adjusted[smallest] > _LEVEL)
    if random:
        sentence = (
            f"Missing values look unrelated to the other columns ({len(p_values)} tests, smallest adjusted "
            f"p = {adjusted[smallest]:.2g}): consistent with missing completely at random."
        )
    else:
        sentence = (
            f"Missing values depend on what is seen: rows without {lost[smallest]!r} differ in {seen[smallest]!r} "
            f"(adjusted p = {adjusted[smallest]:.2g}). Dropping such rows shifts results; adjust for these columns."
        )
    check = CheckResult(
        "missing-mechanism",
        "Why values are missing",
        random,
        sentence,
        statistic=float(statistics[smallest]),
        p_value=float(adjusted[smallest]),
        table={"missing": lost, "depends on": seen, "adjusted p": adjusted.tolist()},
    )
    return check, {"missing_mechanism": "completely at random" if random else "depends on observed columns"}
