"""What sort of variable a column is, and why it was taken for that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The sorts of columns. What a method takes is stated in these words on its card."""

    CONTINUOUS = "continuous"
    COUNT = "count"
    ORDINAL = "ordinal"
    CATEGORICAL = "categorical"
    BINARY = "binary"
    TIME = "time"
    ID = "id"
    CONSTANT = "constant"


NUMERIC = frozenset({Kind.CONTINUOUS, Kind.COUNT, Kind.ORDINAL, Kind.BINARY})
DISCRETE = frozenset({Kind.ORDINAL, Kind.CATEGORICAL, Kind.BINARY})
HAS_LEVELS = frozenset({Kind.BINARY, Kind.CATEGORICAL, Kind.ORDINAL, Kind.CONSTANT})

_NUMBERS = "it holds numbers"
# Text with this many distinct values, almost one for each row, tells rows apart rather than groups.
_ID_SHARE = 0.95
_ID_ROWS = 20
_ID_NAME = re.compile(r"(?:^|[_\W])(?:id|uuid|guid|key|index|rownames?|unnamed: 0)$", re.IGNORECASE)
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, what sort it is and why, and how much of it is missing.

    Attributes
    ----------
    name : str
    kind : Kind
    missing : int
        Rows without a value.
    distinct : int or None
        Distinct values; None where the kind was plain without counting them, see `Dataset.distinct`.
    levels : tuple or None
        The values of a binary, ordinal, categorical or constant column, in order; None also where there are too many
        to list.
    unit : str or None
    reason : str
        Why it was taken for this kind.
    """

    name: str
    kind: Kind
    missing: int
    distinct: int | None
    levels: tuple[Any, ...] | None
    unit: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What kind inference looks at: the storage type and a summary of the values present.

    ``distinct`` is None for floats that are not whole and more than two, and were not counted.
    """

    storage: str  # "float", "integer", "boolean", "text", "time", "category", "ordered category"
    rows: int
    distinct: int | None
    whole: bool = False
    smallest: float = 0.0
    sample: Sequence[Any] = ()


def infer_kind(name: str, facts: Facts) -> tuple[Kind, str]:
    """Return the kind of a column and the reason, by the first rule that holds.

    1. one distinct value or none: constant; 2. two: binary; 3. a time type or ISO dates as text: time; 4. whole
    numbers or text, distinct in every row and named like an identifier, or text distinct in 95 % of the rows: id;
    5. an ordered category: ordinal; 6. other text or category: categorical; 7. whole numbers from zero up: count;
    8. other numbers: continuous. Whole numbers with few values, such as years of schooling, stay numbers: reading them
    as categories would hide that they are ordered. Override with ``wh.read(..., kinds={...})``.
    """
    if facts.distinct is None:
        return Kind.CONTINUOUS, _NUMBERS
    if facts.distinct <= 1:
        return Kind.CONSTANT, "it holds one value" if facts.distinct else "it holds no value"
    if facts.distinct == 2:
        return Kind.BINARY, "it holds two values"
    if facts.storage == "time":
        return Kind.TIME, "it is stored as dates or times"
    unique = facts.distinct == facts.rows
    if facts.storage == "text" and facts.sample and all(_ISO_TIME.fullmatch(str(v).strip()) for v in facts.sample):
        return Kind.TIME, "its text is ISO dates"
    if unique and facts.rows >= _ID_ROWS and named_like_id(name) and (facts.storage == "text" or facts.whole):
        return Kind.ID, "it is different in every row and named like an identifier"
    if facts.storage == "text" and facts.rows >= _ID_ROWS and facts.distinct >= _ID_SHARE * facts.rows:
        return Kind.ID, f"its text is different in {facts.distinct / facts.rows:.0%} of the rows"
    if facts.storage == "ordered category":
        return Kind.ORDINAL, "it is stored as an ordered category"
    if facts.storage in ("text", "category"):
        return Kind.CATEGORICAL, f"it holds text with {facts.distinct} different values"
    if facts.whole and facts.smallest >= 0:
        return Kind.COUNT, "it holds whole numbers from zero up"
    return Kind.CONTINUOUS, _NUMBERS


def named_like_id(name: str) -> bool:
    """Return whether a column's name is an identifier's."""
    return _ID_NAME.search(name) is not None


def level_numbers(kind: Kind, levels: Sequence[Any]) -> list[float]:
    """Return the number that stands for each level: numbers for themselves, other values for their rank.

    A binary column is 0 and 1 whatever its two levels are.
    """
    itself = all(isinstance(level, (int, float)) for level in levels)
    if kind is Kind.BINARY:
        itself = itself and set(levels) <= {0, 1}
    return [float(level) if itself else float(rank) for rank, level in enumerate(levels)]


def plain(value: Any) -> Any:
    """Return whole floats as integers, so that 1.0 from one library and 1 from another are one level."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
