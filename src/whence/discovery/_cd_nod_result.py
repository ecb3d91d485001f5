"""What CD-NOD returns: a graph with the index in it, the mechanisms that change, and what drives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whence.discovery._cd_nod_directions import Decision
from whence.discovery.driving_force import DrivingForce
from whence.discovery.result import DiscoveryResult, EdgeEvidence
from whence.errors import ParameterError, suggest
from whence.results import make_frame, to_jsonable


@dataclass(frozen=True, slots=True)
class ChangeEvidence(EdgeEvidence):
    """What speaks for one edge, and what settled its direction.

    Attributes
    ----------
    provenance : str
        ``"index"``: from the index to a column whose mechanism changes. ``"invariance"``: an unshielded triple with the
        index. ``"collider"``: one of columns alone. ``"changes"``: independence of changes. ``"rules"``: Meek's rules.
        ``"knowledge"``. ``"skeleton"``: undirected.
    """

    provenance: str = "skeleton"


@dataclass(frozen=True)
class ChangingResult(DiscoveryResult):
    """A causal graph with the index as one of its nodes, and the mechanisms that change along it.

    Attributes
    ----------
    index : str
        The column along which mechanisms change; nothing causes it. An edge from it says that the mechanism of a column
        changes, as a soft intervention on that column would change it.
    changing : tuple of str
        The columns that the index is joined to.
    tests : mapping of str to list
        Every test made: ``x, y, given, statistic, p_value``.
    decisions : tuple of Decision
        How independence of changes was asked, sinks first, and whether it answered.
    driving_forces : mapping of str to DrivingForce
        By changing column.
    """

    index: str = ""
    changing: tuple[str, ...] = ()
    tests: Mapping[str, list[Any]] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    driving_forces: Mapping[str, DrivingForce] = field(default_factory=dict)

    def table(self) -> Any:
        """Return one row per edge, with its evidence and what settled its direction."""
        listed = [item for item in self.evidence if isinstance(item, ChangeEvidence)]
        edges = {frozenset((edge.source, edge.target)): edge.connector for edge in self.graph.edges()}
        columns: dict[str, list[Any]] = {
            "source": [item.source for item in listed],
            "edge": [edges[frozenset((item.source, item.target))] for item in listed],
            "target": [item.target for item in listed],
            "provenance": [item.provenance for item in listed],
            "p_value": [item.p_value for item in listed],
            "statistic": [item.statistic for item in listed],
        }
        return make_frame(columns, self.library)

    def test_table(self) -> Any:
        """Return one row per test, as a table of the data's library."""
        return make_frame(self.tests, self.library)

    def driving_force(self, column: str) -> DrivingForce:
        """Return what drives the mechanism of a changing column.

        Raises
        ------
        ParameterError
            If the column does not change, or driving forces were not asked for.
        """
        if column not in self.driving_forces:
            known = list(self.driving_forces)
            raise ParameterError(
                "E364",
                f"there is no driving force of {column!r}.",
                suggest(column, known) if known else "No mechanism changes, or phase 4 was left out.",
            )
        return self.driving_forces[column]

    def mechanism_shifts(self) -> Any:
        """Return one row per column: whether its mechanism changes, the test behind that, and what it is given.

        ``p_value`` is the largest over the tests of the column against the index: small where it changes. ``strength``
        is the share of all change that the first component of its driving force carries.
        """
        columns = [name for name in self.graph.names if name != self.index]
        forces = [self.driving_forces.get(name) for name in columns]
        rows: dict[str, list[Any]] = {
            "column": columns,
            "changes": [name in self.changing for name in columns],
            "p_value": [self._largest(name) for name in columns],
            "causes": [", ".join(c for c in self.graph.parents(name) if c != self.index) for name in columns],
            "swings": [force.swings if force else None for force in forces],
            "strength": [float(force.share[0]) if force else None for force in forces],
        }
        return make_frame(rows, self.library)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole result as plain JSON values."""
        return {
            **super().to_dict(),
            "index": self.index,
            "changing": list(self.changing),
            "tests": to_jsonable(self.tests),
            "decisions": to_jsonable(self.decisions),
            "driving_forces": {name: force.to_dict() for name, force in self.driving_forces.items()},
        }

    def _largest(self, name: str) -> float | None:
        ends = {name, self.index}
        found = [p for x, y, p in zip(self.tests["x"], self.tests["y"], self.tests["p_value"]) if {x, y} == ends]
        return max((p for p in found if not math.isnan(p)), default=None)

    def __repr__(self) -> str:
        changing = ", ".join(self.changing) or "none"
        return f"{super().__repr__()[:-1]}; changing along {self.index}: {changing})"
