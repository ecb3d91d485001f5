"""What a Dataset needs of the place its rows are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from whence.data.kinds import Column, Kind
from whence.data.statistics import Codes, Counts, Moments

if TYPE_CHECKING:
    import pyarrow as pa


class Table(Protocol):
    """The least that a table of rows answers."""

    in_memory: bool

    @property
    def n_rows(self) -> int:
        """Rows of the table."""

    def matrix(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        """Return columns as floats, shape (n, p)."""

    def moments(self, columns: Sequence[Column]) -> Moments:
        """Return mean and covariance over complete rows."""

    def block_moments(self, columns: Sequence[Column], blocks: int) -> list[Moments]:
        """Return the moments of disjoint sets of rows."""

    def codes(self, columns: Sequence[Column]) -> Codes:
        """Return columns as codes, shape (n, p)."""

    def counts(self, columns: Sequence[Column]) -> Counts:
        """Return a contingency table."""

    def arrow(self, names: Sequence[str]) -> pa.Table:
        """Return columns as an Arrow table in memory."""

    def sample(self, columns: Sequence[Column], rows: int, seed: int) -> pa.Table:
        """Return about so many random rows as an Arrow table in memory, the same for the same seed."""


@runtime_checkable
class Stored(Table, Protocol):
    """A table that holds its rows and describes them itself; `memory.MemoryTable` and `sql.SqlTable` do."""

    def grouped_moments(self, columns: Sequence[Column], by: Column) -> dict[Any, Moments]:
        """Return the moments of the rows of each level of a column."""

    def first(self, names: Sequence[str], rows: int) -> pa.Table:
        """Return the first rows as an Arrow table in memory."""

    def described(self, kinds: Mapping[str, Kind | str], units: Mapping[str, str | None]) -> list[Column]:
        """Return columns anew, with the kinds given."""
