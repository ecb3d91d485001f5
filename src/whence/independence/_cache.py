"""A memory of arrays under a budget: what was asked for longest ago is forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

_T = TypeVar("_T")

BUDGET = 32_000_000
"""Floats that one memory keeps: 256 MB."""


class Cache(Generic[_T]):
    """Values by key, each with the number of floats it holds; copies and pickles of it start empty.

    Examples
    --------
    >>> cache: Cache[str] = Cache(budget=3)
    >>> cache.get("a", 2, lambda: "first"), cache.get("a", 2, lambda: "second")
    ('first', 'first')
    >>> cache.get("b", 2, lambda: "third"), cache.get("a", 2, lambda: "fourth")
    ('third', 'fourth')
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._held: OrderedDict[Hashable, tuple[int, _T]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, key: Hashable, size: int, make: Callable[[], _T]) -> _T:
        """Return the value of a key, made now if it is not held."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                return found[1]
        value = make()
        with self._lock:
            if key not in self._held:
                self._held[key] = (size, value)
                self._size += size
                while self._size > self.budget and len(self._held) > 1:
                    self._size -= self._held.popitem(last=False)[1][0]
        return value

    def __reduce__(self) -> tuple[type[Cache[_T]], tuple[int]]:
        return Cache, (self.budget,)
