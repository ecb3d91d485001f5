"""The pieces a page is made of, as plain data: tables, checks, figures and key figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from whence.effects.wording import number, p_words
from whence.results import CheckResult

_MARKS = {True: ("holds", "✓"), False: ("fails", "✗"), None: ("informs", "·")}


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows of text; ``numeric`` holds the positions of right-aligned columns."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()

    def without_empty_columns(self) -> Table:
        """Return the table without columns that say nothing in any row."""
        kept = [k for k in range(len(self.heads)) if any(row[k] for row in self.rows)]
        return Table(
            tuple(self.heads[k] for k in kept),
            tuple(tuple(row[k] for k in kept) for row in self.rows),
            frozenset(place for place, k in enumerate(kept) if k in self.numeric),
        )


@dataclass(frozen=True, slots=True)
class Check:
    """A check as a reader sees it."""

    title: str
    state: str
    mark: str
    sentence: str
    statistic: str = ""
    p_value: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with what it means and the numbers it shows."""

    title: str
    svg: str
    caption: str
    table: Table


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One number that should be seen from afar, with what it is."""

    label: str
    value: str
    note: str = ""


def counted(count: int, thing: str) -> str:
    """Return a number of things.

    >>> counted(1, "column"), counted(1200, "row")
    ('1 column', '1,200 rows')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def checks(results: Iterable[CheckResult]) -> tuple[Check, ...]:
    """Return checks as rows of words."""
    return tuple(
        Check(
            result.title,
            *_MARKS[result.passed],
            result.sentence,
            number(result.statistic) if result.statistic is not None else "",
            p_words(result.p_value) if result.p_value is not None else "",
        )
        for result in results
    )
