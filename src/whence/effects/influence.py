"""Influence: whether single rows, or few, carry the estimate."""

from __future__ import annotations

from typing import Any

import numpy as np

from whence.effects.fitted import Score
from whence.effects.sample import Sample
from whence.effects.wording import number, percent
from whence.registry import Card, Paper, register
from whence.results import CheckResult

# In standard errors of the other rows: the answer without the row would lie outside its interval with it.
MOST_MOVED = 2.0
_SHOWN = 10


@register(
    Card(
        name="influence",
        family="check",
        answers="Do single rows carry the estimate?",
        kinds=frozenset({"binary", "categorical", "continuous"}),
        output="diagnostic",
        paper=Paper(
            "Broderick, T., Giordano, R. and Meager, R.",
            "An automatic finite-sample robustness metric: when can dropping a little data make a big difference?",
            2020,
            "arXiv 2011.14999",
        ),
    )
)
def influence_check(sample: Sample, score: Score) -> tuple[CheckResult, dict[str, Any]]:
    """Judge by how far leaving out one row would move the estimate; return the check and the plot's data.

    It fails if one row moves it by more than two standard errors, computed without that row: a wild row swells the
    standard error with the estimate, and measured by the whole it could never be seen. The sentence also tells how
    many rows, chosen for the purpose, would have to go for the estimate to change its sign.
    """
    n = sample.size
    moved = -score.influence / (n - 1)
    most = np.argsort(-np.abs(moved), kind="stable")[:_SHOWN]
    largest = float(np.abs(moved[most[0]]))
    error = float(np.sqrt(np.sum(np.delete(score.influence, most[0]) ** 2))) / n
    passed = bool(largest <= MOST_MOVED * error)
    flipping = rows_to_flip(score)
    row = int(sample.rows[most[0]])
    sentence = (
        f"The most influential row (row {row + 1:,}, counted from 1) moves the estimate by {number(largest)}, "
        f"{number(largest / error) if error else 'no'} standard errors without it. {_flip_words(flipping, n)}"
    )
    if not passed:
        sentence += " One row carries much of the answer: check it before anything else."
    figure = {
        "row": sample.rows[most].tolist(),
        "change": moved[most].tolist(),
        "standard_error": score.standard_error,
        "rows_to_flip": flipping,
    }
    table = {"row": figure["row"], "change": figure["change"]}
    return CheckResult("influence", "Influence of single rows", passed, sentence, largest, table=table), figure


def rows_to_flip(score: Score) -> int | None:
    """Return how few rows, if left out together, would change the estimate's sign; None if no half of them does.

    To first order, leaving out a set of rows moves the estimate by minus the sum of their influences over n.
    """
    n = len(score.influence)
    helping = np.sort(np.sign(score.value) * score.influence)[::-1][: n // 2]
    lost = np.cumsum(helping) / (n - np.arange(1, len(helping) + 1))
    enough = np.flatnonzero(lost > abs(score.value))
    return int(enough[0]) + 1 if len(enough) else None


def _flip_words(flipping: int | None, n: int) -> str:
    if flipping is None:
        return "No small set of rows could change its sign by leaving."
    rows = "1 row" if flipping == 1 else f"{flipping:,} rows"
    return f"Leaving out the {rows} ({percent(flipping / n)}) that favour it most would change its sign."
