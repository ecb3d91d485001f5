"""Mechanisms and how independently they change: P(causes) and P(effect | causes) along an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from whence.discovery import _cd_nod_changes as changes
from whence.discovery._cd_nod_changes import Floats, Index, Widths
from whence.parallel import RandomState, check_seed, generator

Names = tuple[str, ...]
Way = tuple[str, Names]
"""An effect with its causes."""

FEWEST_DOMAINS = 5
"""Below this, five, too few permutations of domains exist to tell a chance likeness of changes from a real one."""

NARROW = 0.35
"""Share of a cause's variance within windows of the index below which a slope that changes misleads."""

SLOPE_LEVEL = 0.01
# Cosines along time that count as slow, and those by which a slope may change.
_COSINES, _SLOPES = 32, 16


@dataclass(frozen=True)
class Comparison:
    """Two ways round, by how much the changes of cause and mechanism depend on each other.

    Attributes
    ----------
    score, other : float
        Normalised dependence the way taken and the other way: 0 to 1, smaller is better.
    p_value : float
        How often the two differ so much where no changes are aligned.
    narrow : tuple of str
        Causes, the way taken or the other, with a slope that changes and few values within windows of the index.
    swings : int
        The fewest times that a driver behind the comparison crosses its mean; -1 for domains.
    """

    score: float
    other: float
    p_value: float
    narrow: tuple[str, ...]
    swings: int


class Mechanisms:
    """Embeddings of marginals and conditionals along an index; each is estimated once.

    Parameters
    ----------
    columns : mapping of str to float array of shape (n, w)
        Standardised numbers, or indicators.
    index : Index
    tuned : bool
        Whether kernel widths and noise are fitted by marginal likelihood, else fixed.
    random_state : int
        Seed of the permutations of domains.
    """

    def __init__(self, columns: Mapping[str, Floats], index: Index, *, tuned: bool, random_state: int) -> None:
        self.columns = columns
        self.index = index
        self.tuned = tuned
        self.random_state = random_state
        self._kept: dict[tuple[str, ...], Floats] = {}
        self._grams: dict[tuple[Names, Names], Floats] = {}
        self._embedded: dict[tuple[Names, Names], Floats] = {}
        self._widths: dict[tuple[Names, Names], Widths] = {}

    @cached_property
    def orders(self) -> NDArray[np.int64]:
        """Orders of the grid under the null, shape (k, m)."""
        rng = np.random.default_rng([self.random_state, 4])
        return changes.null_orders(len(self.index.grid), self.index.timed, rng)

    def gram(self, effects: Names, causes: Names = ()) -> Floats:
        """Return the centred Gram matrix of the changes of P(effects | causes), shape (m, m)."""
        key = (tuple(sorted(effects)), tuple(sorted(causes)))
        if key not in self._grams:
            self._grams[key] = changes.change_gram(self.embedding(*key))
        return self._grams[key]

    def embedding(self, effects: Names, causes: Names = ()) -> Floats:
        """Return the embedding of P(effects | causes) at each place of the grid; names are sorted."""
        key = (effects, causes)
        if key not in self._embedded:
            self._embedded[key] = self.embedding_at(effects, causes, self.index)
        return self._embedded[key]

    def embedding_at(self, effects: Names, causes: Names, index: Index) -> Floats:
        """Return the embedding of P(effects | causes) at each place of an index's grid."""
        own = self._factor(effects, 0)
        widths = self.widths(effects, causes)
        if not causes:
            return changes.embed_marginal(own, widths, index)
        points = changes.points_of([self.columns[name] for name in causes])
        return changes.embed_conditional(own, points, self._factor(causes, 1), widths, index)

    def widths(self, effects: Names, causes: Names) -> Widths:
        """Return the settings of the regression behind a mechanism."""
        key = (effects, causes)
        if key not in self._widths:
            if self.tuned:
                points = changes.points_of([self.columns[name] for name in causes]) if causes else None
                self._widths[key] = changes.fit_widths(self._factor(effects, 0), points, self.index)
            else:
                self._widths[key] = Widths(1.0, changes.FIXED_TIME, changes.FIXED_RIDGE)
        return self._widths[key]

    def dependence(self, effect: str, causes: Names) -> float:
        """Return how much the changes of P(causes) and of P(effect | causes) depend on each other, 0 to 1."""
        return changes.dependence(self.gram(causes), self.gram((effect,), causes))

    def compare(self, way: Way, other: Way) -> Comparison:
        """Compare two ways round, each an effect with its causes.

        Under the null neither way has aligned changes: the order of one Gram matrix of each is moved along the index,
        both by as much, and the difference of the two dependences taken again.
        """
        scores = [self.dependence(*one) for one in (way, other)]
        moved = [
            changes.reordered_dependence(self.gram(causes), self.gram((effect,), causes), self.orders)
            for effect, causes in (way, other)
        ]
        extreme = np.abs(moved[0] - moved[1]) >= abs(scores[0] - scores[1])
        p_value = (1.0 + float(extreme.sum())) / (1.0 + len(extreme)) if len(extreme) else 1.0
        return Comparison(scores[0], scores[1], p_value, self._narrow(way, other), self._swings(way))

    def _narrow(self, *ways: Way) -> tuple[str, ...]:
        found = []
        for effect, causes in ways:
            for cause in causes:
                if self.columns[cause].shape[1] != 1 or self.columns[effect].shape[1] != 1:
                    continue
                share, p_value = slope_change(self.columns[cause][:, 0], self.columns[effect][:, 0], self.index)
                if share < NARROW and p_value < SLOPE_LEVEL:
                    found.append(cause)
        return tuple(dict.fromkeys(found))

    def _swings(self, way: Way) -> int:
        if not self.index.timed:
            return -1
        effect, causes = way
        embeddings = (self.embedding(tuple(sorted(causes))), self.embedding((effect,), tuple(sorted(causes))))
        grams = (changes.change_gram(embedding, changes.DRIVER_MEDIANS) for embedding in embeddings)
        return min(changes.swings(changes.components(gram, 1)[0][:, 0]) for gram in grams)

    def _factor(self, names: Names, place: int) -> Floats:
        key = (*names, str(place))
        if key not in self._kept:
            points = changes.points_of([self.columns[name] for name in names])
            self._kept[key] = changes.factor(points, changes.RANKS[place])
        return self._kept[key]

    def at(self, grid: Floats) -> Index:
        """Return the index with another grid."""
        return replace(self.index, grid=grid)


def seed_of(random_state: RandomState) -> int:
    """Return a whole number for a seed, one drawn from a generator, or a fresh one for None."""
    check_seed(random_state)
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(generator(random_state).integers(2**31))


def slope_change(cause: Floats, effect: Floats, index: Index) -> tuple[float, float]:
    """Return the share of a cause's variance within windows of the index, and a p-value for a slope that changes.

    The effect is regressed on functions of the index and on the cause; products of the cause with these functions are
    tested together by their scores, which allows for noise of any size (White 1980).
    """
    basis = _basis(index)
    within = cause - basis @ np.linalg.lstsq(basis, cause, rcond=None)[0]
    share = float(within.var() / cause.var())
    if share < 1e-6:
        return share, 1.0
    design = np.column_stack([basis, within])
    products = within[:, None] * basis[:, 1 : 1 + _SLOPES] if index.timed else within[:, None] * basis[:, 1:]
    left = np.column_stack([effect, products])
    left -= design @ np.linalg.lstsq(design, left, rcond=None)[0]
    scores = left[:, 1:] * left[:, :1]
    total = scores.sum(axis=0)
    solved, _, rank, _ = np.linalg.lstsq(scores.T @ scores, total, rcond=None)
    return share, float(gammaincc(0.5 * rank, 0.5 * float(total @ solved)))


def _basis(index: Index) -> Floats:
    """Return a constant and cosines along time, or indicators of domains, shape (n, k)."""
    n = len(index.places)
    if index.timed:
        count = min(_COSINES, n // 12)
        return np.asarray(np.cos(np.pi * np.multiply.outer(index.places, np.arange(count + 1.0))))
    codes = index.places.astype(int)
    indicators: Floats = np.eye(len(index.grid))[codes]
    indicators[:, 0] = 1.0
    return indicators
