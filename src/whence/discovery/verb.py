"""The verb: what causes what, with a confidence on every edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from whence.data import Dataset, Kind, as_dataset
from whence.discovery.resampling import bootstrap
from whence.discovery.result import DiscoveryResult
from whence.graph import Knowledge
from whence.parallel import Progress, RandomState, silent
from whence.registry import Card, lookup, methods

DRAWS = 100
# From here on the permutations of BOSS take minutes, PC stays below a second.
_MOST_COLUMNS = 500


def discover(
    data: Any,
    method: str = "auto",
    *,
    knowledge: Knowledge | None = None,
    confidence: bool | int = True,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> DiscoveryResult:
    """Find what causes what in a table.

    Parameters
    ----------
    data : Dataset or anything `whence.read` takes
    method : str
        A search of `whence.methods("search")`. ``"auto"`` takes BOSS where it accepts the columns and the knowledge,
        with up to 500 columns and more rows than columns, else PC; the reason stands in ``parameters``.
        `whence.analyze` chooses by the profile of the data.
    knowledge : Knowledge, optional
        Edges that are required or forbidden, tiers, roots, leaves.
    confidence : bool or int
        Bootstrap draws behind the confidence of every edge: True for 100, False for none.
    random_state : int or Generator
        Seed of the search, if it is random, and of the bootstrap.
    **settings
        Passed to the search.

    Returns
    -------
    DiscoveryResult

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 500))
    >>> result = discover({"dose": dose, "age": age, "cure": dose + age + rng.normal(size=500)}, "pc", confidence=20)
    >>> result.graph.parents("cure"), result.confidence.edge("dose", "cure").word
    (('dose', 'age'), 'high')
    """
    dataset = as_dataset(data)
    name, reason = _choose(dataset, knowledge or Knowledge()) if method == "auto" else (method, "given")
    search = lookup("search", name)(knowledge=knowledge, **settings)
    result: DiscoveryResult = search.fit(dataset)
    result = replace(result, parameters={**result.parameters, "method_rule": reason})
    draws = DRAWS if confidence is True else int(confidence)
    if not draws:
        return result
    seen = bootstrap(search, dataset, draws=draws, random_state=random_state, n_jobs=n_jobs, progress=progress)
    return replace(result, confidence=seen)


def _choose(data: Dataset, knowledge: Knowledge) -> tuple[str, str]:
    """Return the name of the search that ``auto`` stands for, and why."""
    cards = {card.name: card for card in methods("search")}
    n, p = data.n_rows, len(data.names)
    if "boss" in cards and _takes(cards["boss"], data, knowledge) and p < n and p <= _MOST_COLUMNS:
        return "boss", f"{p} columns and {n} rows: a score over the whole graph is affordable and more accurate"
    return "pc", f"{p} columns, {n} rows or the knowledge rule out BOSS: tests on few columns at a time"


def _takes(card: Card, data: Dataset, knowledge: Knowledge) -> bool:
    kinds = {str(kind) for kind in data.kinds().values()} - {str(Kind.CONSTANT)}
    return kinds <= card.kinds and knowledge.forms() <= card.knowledge
