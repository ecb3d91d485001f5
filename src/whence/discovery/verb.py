"""The verb: what causes what, with a confidence on every edge."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np

from whence.data import Dataset, Kind, as_dataset
from whence.discovery._common import Sort, sort_of
from whence.discovery._incomplete import has_gaps
from whence.discovery.confidence import Confidence
from whence.discovery.resampling import bootstrap
from whence.discovery.result import DiscoveryResult
from whence.errors import ParameterError, quote_names
from whence.graph import Knowledge
from whence.parallel import Progress, RandomState, check_seed, silent
from whence.registry import Card, lookup, methods

DRAWS = 100
# From here on the permutations of BOSS take minutes, PC stays below a second.
_MOST_COLUMNS = 500
# Share of complete rows below which tests on all rows find more than a score on the complete ones.
_FEW_COMPLETE: dict[Sort, float] = {"numeric": 0.25, "mixed": 0.4, "discrete": 0.4}


def discover(
    data: Any,
    method: str = "auto",
    *,
    knowledge: Knowledge | str | None = None,
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
        A search of `whence.methods("search")`, or ``"cd-nod"``, ``"definetti"``, ``"dropouts"``. ``"auto"`` takes BOSS
        where it accepts the columns and the knowledge, with up to 500 columns and more rows than columns, else PC; PC
        as well where few rows are complete (a quarter of numbers, two fifths with categories), since its tests use
        every row that has their columns. The reason stands in ``parameters``. `whence.analyze` chooses by the profile
        of the data.
    knowledge : Knowledge or str, optional
        Edges that are required or forbidden, tiers, roots, leaves. A text is read as tiers: ``"age < dose < cure"``.
    confidence : bool or int
        Bootstrap draws behind the confidence of every edge: True for 100, False for none.
    random_state : int, Generator or None
        Seed of the search, if it is random, and of the bootstrap.
    **settings
        Passed to the search.

    Returns
    -------
    DiscoveryResult
        Ctrl-C ends a long search and returns what it has found until then, ``interrupted`` set and said in
        ``warnings``; without confidence, or with that of the draws that were made.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> dose, age = rng.normal(size=(2, 500))
    >>> result = discover({"dose": dose, "age": age, "cure": dose + age + rng.normal(size=500)}, "pc", confidence=20)
    >>> result.graph.parents("cure"), result.confidence.edge("dose", "cure").word
    (('dose', 'age'), 'high')
    """
    draws = _draws(confidence)
    known = Knowledge.of(knowledge)
    check_seed(random_state)
    dataset = as_dataset(data)
    known.for_names(dataset.names)
    name, reason = _choose(dataset, known) if method == "auto" else (method, "given")
    search = _search(name, known, settings)
    result: DiscoveryResult = search.fit(dataset)
    result = replace(result, parameters={**result.parameters, "method_rule": reason})
    if not draws or result.interrupted:
        return result
    unit = getattr(search, "unit", "row")
    if unit != "row":
        said = f"No bootstrap was run: the search compares rows of one {unit} with each other."
        return replace(result, warnings=(*result.warnings, said))
    seen = bootstrap(search, dataset, draws=draws, random_state=random_state, n_jobs=n_jobs, progress=progress)
    return with_confidence(result, seen, draws)


def with_confidence(result: DiscoveryResult, seen: Confidence, draws: int) -> DiscoveryResult:
    """Return the result with its confidence, and a warning where the bootstrap was interrupted before its last draw."""
    if not seen.interrupted:
        return replace(result, confidence=seen)
    said = f"The bootstrap was interrupted: confidence rests on {seen.draws:,} draws instead of {draws:,}."
    return replace(result, confidence=seen, warnings=(*result.warnings, said))


def _draws(confidence: bool | int) -> int:
    draws = DRAWS if confidence is True else confidence
    if not isinstance(draws, (int, np.integer)) or draws < 0:
        raise ParameterError(
            "E313", f"{draws!r} bootstrap draws were asked for.", f"Give 0 for none, or a number; {DRAWS} is usual."
        )
    return int(draws)


def _search(name: str, knowledge: Knowledge, settings: dict[str, Any]) -> Any:
    """Return the search of that name with its settings; names that are nearly right are said."""
    known = _searches()
    near = name.strip().casefold().replace("_", "-") if isinstance(name, str) else ""
    if name not in known and near in known:
        raise ParameterError("E301", f"there is no search named {name!r}.", f"Did you mean {near!r}?")
    made = known[name] if name in known else lookup("search", name)
    takes = [setting for setting in signature(made).parameters if setting != "knowledge"]
    absent = [setting for setting in settings if setting not in takes]
    if absent:
        raise ParameterError(
            "E301", f"the search {name!r} has no setting {quote_names(absent)}.", f"Settings: {quote_names(takes)}."
        )
    return made(knowledge=knowledge, **settings)


def _searches() -> dict[str, Any]:
    """Return by name what finds a graph in a table: the searches, and the systems that are called like one."""
    found = {card.name: lookup("search", card.name) for card in methods("search")}
    systems = {card.name: lookup("system", card.name) for card in methods("system")}
    return found | {name: made for name, made in systems.items() if "knowledge" in signature(made).parameters}


def _choose(data: Dataset, knowledge: Knowledge) -> tuple[str, str]:
    """Return the name of the search that ``auto`` stands for, and why."""
    cards = {card.name: card for card in methods("search")}
    n, p = data.n_rows, len(data.names)
    if (complete := _few_complete(data)) is not None:
        return "pc", f"{complete:,} of {n:,} rows are complete: tests use every row that has their columns"
    if "boss" in cards and _takes(cards["boss"], data, knowledge) and p < n and p <= _MOST_COLUMNS:
        return "boss", f"{p} columns and {n} rows: a score over the whole graph is affordable and more accurate"
    return "pc", f"{p} columns, {n} rows or the knowledge rule out BOSS: tests on few columns at a time"


def _few_complete(data: Dataset) -> int | None:
    """Return how many rows are complete, if they are few; None if they are not.

    On simulated tables of 10 to 50 numbers BOSS was the more accurate on the complete rows as long as three in ten were
    complete, PC on all rows where one in eight was. With categories among 10 to 20 columns it was BOSS where more than
    half were complete, and PC where a third was.
    """
    if not has_gaps(data):
        return None
    complete = data.complete().n_rows
    return complete if complete < _FEW_COMPLETE[sort_of(data)] * data.n_rows else None


def _takes(card: Card, data: Dataset, knowledge: Knowledge) -> bool:
    kinds = {str(kind) for kind in data.kinds().values()} - {str(Kind.CONSTANT)}
    return kinds <= card.kinds and knowledge.forms() <= card.knowledge
