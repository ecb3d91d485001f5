"""The data profile: what a table allows, check by check."""

from __future__ import annotations

from whence.data.profiling.run import profile
from whence.data.profiling.summary import Profile

__all__ = ["Profile", "profile"]
