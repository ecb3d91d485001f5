"""What a report needs of a study. The autopilot's Study has it all; anything else with these attributes does, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from whence.data import Dataset, Profile
from whence.discovery import DiscoveryResult
from whence.effects import Effect, Identification
from whence.graph import Graph, Knowledge


class StudyLike(Protocol):
    """The attributes of `whence.autopilot.Study` that a report reads."""

    @property
    def question(self) -> Any:
        """With ``text``, ``treatment`` and ``outcome``."""

    @property
    def data(self) -> Dataset:
        """The table."""

    @property
    def profile(self) -> Profile:
        """Its profile."""

    @property
    def knowledge(self) -> Knowledge:
        """What was required and forbidden."""

    @property
    def plan(self) -> Any:
        """With ``candidates``, each with ``method``, ``score``, ``predicted_seconds``, ``reasons``, ``refused``."""

    @property
    def discovery(self) -> DiscoveryResult:
        """The search with its confidence."""

    @property
    def judgements(self) -> Sequence[Any]:
        """Each with ``source``, ``target``, ``decision``, ``why``."""

    @property
    def graph(self) -> Graph:
        """The judged graph."""

    @property
    def identification(self) -> Identification | None:
        """Of the effect that was asked for."""

    @property
    def effect(self) -> Effect | None:
        """The effect that was asked for."""

    @property
    def other_effects(self) -> Sequence[Effect]:
        """The same effect under other defensible choices."""

    @property
    def effects(self) -> Sequence[Any]:
        """The strongest effects where none was asked for."""

    @property
    def findings(self) -> Sequence[Any]:
        """Each with ``kind`` and ``sentence``."""

    @property
    def warnings(self) -> Sequence[str]:
        """One sentence each."""

    @property
    def decisions(self) -> Sequence[Any]:
        """Each with ``step``, ``what``, ``why``, ``alternatives``."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the study was run with."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Of the packages that matter."""

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall time by stage."""

    @property
    def command(self) -> str:
        """The command line, if one made the study."""

    @property
    def digest(self) -> str:
        """SHA-256 of the record."""
