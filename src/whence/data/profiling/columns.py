"""Size, kinds, missing shares, constants, repeated rows, far values, names: what can be read off column by column."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.kinds import DISCRETE, Kind
from whence.data.profiling.view import View
from whence.errors import quote_names
from whence.results import CheckResult

# Below this many rows per column estimates are mostly noise; below 1 they do not exist.
_ROWS_PER_COLUMN = 5
# Shares of missing cells from which a column is better filled with care, and better left out.
FILL_WITH_CARE = 0.3
LEAVE_OUT = 0.5
# A column with at least this share of distinct values tells rows apart.
_TELLING = 0.9
# Rounded values take up at least this share of the steps between the smallest and the largest.
_FILLED = 0.1
# A value is far, isolated as a code is, or beyond belief when it lies this many robust standard deviations from the
# median.
_FAR = 6.0
_FAR_CODE = 10.0
_BEYOND_BELIEF = 1000.0
_MOST_CODES = 4
_CODE = re.compile(r"-?(9{2,}|8{2,}|7{2,})|-[1789]")
_NINES = (-99.0, -999.0, -9999.0, -99999.0)
_PLAIN_NAME = re.compile(r"(?:v|x|y|z|f|c|var|variable|col|column|feat|feature|attr|field|unnamed)?[\s_:.-]*\d+", re.I)


def size(data: Dataset, variables: int) -> tuple[CheckResult, dict[str, Any]]:
    """Compare the number of rows with the number of columns."""
    ratio = data.n_rows / max(variables, 1)
    enough = ratio >= _ROWS_PER_COLUMN
    if enough:
        verdict = "enough for the methods here"
    elif ratio >= 1:
        verdict = "few: leave out columns that the question does not need"
    else:
        verdict = "fewer rows than columns: most methods cannot run; leave out columns"
    sentence = f"{data.n_rows:,} rows for {variables} variables, {ratio:,.1f} rows each: {verdict}."
    check = CheckResult("size", "Rows and columns", enough, sentence, statistic=ratio)
    return check, {"n": data.n_rows, "p": variables, "rows_per_column": ratio}


def kinds(data: Dataset) -> tuple[CheckResult, dict[str, Any]]:
    """Count the kinds of columns."""
    counted = {kind: sum(column.kind is kind for column in data.columns.values()) for kind in Kind}
    listed = ", ".join(f"{count} {kind}" for kind, count in counted.items() if count)
    variables = sum(counted[kind] for kind in Kind if kind not in (Kind.ID, Kind.TIME, Kind.CONSTANT))
    discrete = sum(counted[kind] for kind in DISCRETE) / max(variables, 1)
    check = CheckResult(
        "kinds",
        "Kinds of columns",
        None,
        f"The columns are {listed}.",
        statistic=discrete,
        table={
            "column": list(data.names),
            "kind": [str(column.kind) for column in data.columns.values()],
            "reason": [column.reason for column in data.columns.values()],
        },
    )
    facts = {
        "kinds": {str(kind): count for kind, count in counted.items() if count},
        "discrete_share": discrete,
        "identifiers": [name for name, kind in data.kinds().items() if kind is Kind.ID],
    }
    return check, facts


def constants(data: Dataset) -> tuple[CheckResult, dict[str, Any]]:
    """Find columns that do not vary."""
    found = [name for name, kind in data.kinds().items() if kind is Kind.CONSTANT]
    sentence = f"{quote_names(found)} hold one value only and can explain nothing." if found else "Every column varies."
    return CheckResult("constants", "Constant columns", not found, sentence, len(found)), {"constants": found}


def missing_shares(data: Dataset) -> tuple[CheckResult, dict[str, Any]]:
    """Measure how much is missing, and say what that suggests for each column."""
    shares = {name: column.missing / max(data.n_rows, 1) for name, column in data.columns.items()}
    affected = {name: share for name, share in shares.items() if share > 0}
    advice = {name: _advice(share) for name, share in affected.items()}
    overall = sum(shares.values()) / max(len(shares), 1)
    too_many = [name for name, share in affected.items() if share >= LEAVE_OUT]
    if not affected:
        sentence = "No value is missing."
    else:
        worst = max(affected, key=lambda name: affected[name])
        sentence = (
            f"{overall:.1%} of all cells are missing, in {len(affected)} of {len(shares)} columns; "
            f"{worst!r} lacks most ({affected[worst]:.0%})."
        )
        if too_many:
            sentence += f" {quote_names(too_many)} lack half or more: better left out."
    check = CheckResult(
        "missing",
        "Missing values",
        not too_many,
        sentence,
        statistic=overall,
        table={"column": list(affected), "share": list(affected.values()), "advice": list(advice.values())},
    )
    facts = {
        "missing_share": overall,
        "missing_columns": affected,
        "missing_advice": advice,
        "mostly_missing": too_many,
    }
    return check, facts


def _advice(share: float) -> str:
    if share >= LEAVE_OUT:
        return "leave out"
    return "fill with care" if share >= FILL_WITH_CARE else "fill or use complete rows"


def repeated_rows(view: View) -> tuple[CheckResult, dict[str, Any]]:
    """Count rows that repeat another one; judged only where some column tells nearly all different rows apart."""
    cells = np.column_stack([np.nan_to_num(view.values, nan=np.inf), view.codes]).astype(np.float64)
    first = np.unique(_row_hashes(cells), return_index=True)[1] if cells.size else np.arange(len(cells))
    repeats = len(cells) - len(first)
    share = repeats / max(len(cells), 1)
    expected = not any(_tells_apart(view.values[first, place], len(cells)) for place in view.smooth)
    sentence = f"{repeats:,} of {len(cells):,} rows repeat another row exactly ({share:.1%})"
    sentence += ", as is to be expected where values repeat in every column." if expected and repeats else "."
    verdict = None if expected else share < 0.01
    check = CheckResult("repeated-rows", "Repeated rows", verdict, sentence, statistic=share)
    return check, {"repeated_rows_share": share, "repeated_rows_suspect": verdict is False}


def _tells_apart(values: NDArray[np.float64], rows: int) -> bool:
    """Tell whether nearly all different rows differ in a column, and not for want of values such as 0.1, 0.2, ... ."""
    distinct = np.unique(values[~np.isnan(values)])
    if len(distinct) < max(_TELLING * len(values), 2):
        return False
    steps = (distinct[-1] - distinct[0]) / np.diff(distinct).min()
    return bool(len(distinct) >= _TELLING * rows or len(distinct) < _FILLED * steps)


def _row_hashes(cells: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of every row: its bits times fixed odd numbers, wrapped around."""
    bits = np.ascontiguousarray(cells + 0.0).view(np.uint64)
    factors = np.random.default_rng(20).integers(1, 2**63, size=cells.shape[1], dtype=np.uint64) * np.uint64(
        2
    ) + np.uint64(1)
    mixed = (bits ^ (bits >> np.uint64(29))) * factors
    return np.asarray((mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64))


def far_values(view: View) -> tuple[CheckResult, dict[str, Any]]:
    """Find columns with values far from all others, by median and median absolute deviation."""
    values = view.values[:, view.smooth]
    names = [view.numeric[place] for place in view.smooth]
    if not names:
        return CheckResult("far-values", "Far values", None, "Not applicable: no continuous column."), {
            "far_values": {},
            "absurd_values": {},
        }
    distance = _distances(values, values)
    shares = (distance > _FAR).mean(axis=0)
    absurd = dict(zip(names, np.nanmax(distance, axis=0, initial=0.0).tolist()))
    absurd = {name: distance for name, distance in absurd.items() if distance > _BEYOND_BELIEF}
    found = {name: float(share) for name, share in zip(names, shares) if share > 0}
    many = [name for name, share in found.items() if share > 0.01]
    if found:
        worst = max(found, key=lambda name: found[name])
        sentence = (
            f"{len(found)} of {len(names)} columns have values more than {_FAR:g} robust standard deviations from the "
            f"median; {worst!r} most ({found[worst]:.1%} of its values)."
        )
    else:
        sentence = f"No value lies more than {_FAR:g} robust standard deviations from its column's median."
    table = {"column": list(found), "share": list(found.values())}
    check = CheckResult("far-values", "Far values", not many, sentence, float(shares.max()), table=table)
    return check, {"far_values": found, "absurd_values": absurd}


def _distances(values: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many robust standard deviations of ``among`` values lie from its median, column by column."""
    middle = np.nanmedian(among, axis=0)
    spread = np.nanmedian(np.abs(among - middle), axis=0) * 1.4826
    # Where half of the values are one value the median deviation is 0 and the standard deviation takes its place.
    spread = np.where(spread > 0, spread, np.nanstd(among, axis=0))
    return np.asarray(np.abs(values - middle) / np.where(spread > 0, spread, 1.0))


def missing_codes(view: View) -> tuple[CheckResult, dict[str, Any]]:
    """Find extreme values that repeat and stand apart, such as -999: as a rule codes for a missing value."""
    found: dict[str, list[float]] = {}
    for name in view.numeric:
        if view.part.columns[name].kind is not Kind.BINARY and (codes := _codes(view.part.numeric([name])[:, 0])):
            found[name] = codes
    listed = sorted({code for codes in found.values() for code in codes})
    sentence = "No extreme value looks like a code for missing."
    if found:
        named = ", ".join(f"{code:g}" for code in listed)
        sentence = (
            f"{quote_names(found)} repeat {named} far from all other values, which looks like a code for missing; "
            f"declare it with wh.read(..., missing=[{named}])."
        )
    check = CheckResult("missing-codes", "Codes for missing", not found, sentence, len(found))
    return check, {"missing_codes": found}


def _codes(values: NDArray[np.float64]) -> list[float]:
    """Return the values of a column, from the outside inwards, that look like codes for missing."""
    left = values[~np.isnan(values)]
    found: list[float] = []
    for end in (np.min, np.max):
        for _ in range(_MOST_CODES):
            if not len(left):
                break
            code = float(end(left))
            rest = left[left != code]
            often = len(left) - len(rest) >= max(2, min(3, 0.01 * len(values)))
            if not often or len(np.unique(rest)) < 2 or not _stands_apart(code, rest):
                break
            found.append(code)
            left = rest
    return found


def _stands_apart(code: float, rest: NDArray[np.float64]) -> bool:
    alone = code < 0 <= rest[~np.isin(rest, _NINES)].min(initial=0.0)
    if alone and code in _NINES:
        return True
    far = bool(_distances(np.array([code]), rest)[0] > _FAR_CODE)
    return far and (alone or _CODE.fullmatch(f"{code:g}") is not None)


def names(data: Dataset) -> tuple[CheckResult, dict[str, Any]]:
    """Tell names that say what was measured from V1, X2, ... ."""
    plain = [name for name in data.names if _PLAIN_NAME.fullmatch(name.strip()) or len(name.strip()) == 0]
    share = len(plain) / max(len(data.names), 1)
    meaningful = share <= 0.5
    sentence = (
        "The column names say what was measured."
        if meaningful
        else f"{len(plain)} of {len(data.names)} column names are mere numbers ({quote_names(plain, 3)}): "
        "what was measured cannot be read off them."
    )
    check = CheckResult("names", "Names of columns", None, sentence, statistic=share)
    return check, {"meaningful_names": meaningful}
