"""The Profile: what a table allows, check by check, and the facts that choose a method."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whence.data.dataset import Dataset
from whence.errors import ParameterError, quote_names
from whence.results import CheckResult, make_frame

_MARKS = {True: "yes", False: "no", None: "-"}


@dataclass(frozen=True)
class Profile:
    """What a table allows.

    Attributes
    ----------
    data : Dataset
        The table.
    diagnostics : tuple of CheckResult
        Each with statistic, p-value, decision and reason. ``passed`` is True where the table meets the simplest
        assumption (enough rows, nothing missing, linear, Gaussian, one regime, independent rows), False where it does
        not, None where nothing is judged or the check does not apply.
    facts : mapping of str to Any
        What the choice of a method rests on: ``n, p, rows_per_column, kinds, discrete_share, missing_share,
        missing_mechanism, near_duplicates, collinear_groups, linear, share_nonlinear, gaussian, share_nongaussian,
        heterogeneous, drift, time_ordered, lag, stationary, meaningful_names`` and more; None means not applicable.
    warnings : tuple of str
        What should be known before any number from this table is believed.
    rows_tested : int
        Rows that the tests looked at.
    rule : str
        How these rows were chosen.
    """

    data: Dataset
    diagnostics: tuple[CheckResult, ...]
    facts: Mapping[str, Any]
    warnings: tuple[str, ...]
    rows_tested: int
    rule: str

    def check(self, name: str) -> CheckResult:
        """Return one diagnostic by its name, such as ``"linearity"``.

        Raises
        ------
        ParameterError
            E155 if there is none of this name.
        """
        for diagnostic in self.diagnostics:
            if diagnostic.name == name:
                return diagnostic
        known = quote_names((diagnostic.name for diagnostic in self.diagnostics), 30)
        raise ParameterError("E155", f"the profile has no diagnostic {name!r}.", f"It has {known}.")

    def table(self) -> Any:
        """Return the diagnostics as a table of the data's own library."""
        listed = self.diagnostics
        return make_frame(
            {
                "diagnostic": [check.title for check in listed],
                "passed": [check.passed for check in listed],
                "statistic": [check.statistic for check in listed],
                "p_value": [check.p_value for check in listed],
                "finding": [check.sentence for check in listed],
            },
            self.data.library,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain values, ready for JSON."""
        return {
            "data": self.data.to_dict(),
            "diagnostics": [check.to_dict() for check in self.diagnostics],
            "facts": dict(self.facts),
            "warnings": list(self.warnings),
            "rows_tested": self.rows_tested,
            "rule": self.rule,
        }

    def __repr__(self) -> str:
        width = max(len(check.title) for check in self.diagnostics)
        lines = [
            f"{self.data.source}: {self.data.n_rows:,} rows, {len(self.data.names)} columns; tested on {self.rule}"
        ]
        lines += [
            f"  {check.title:<{width}}  {_MARKS[check.passed]:<3}  {check.sentence}" for check in self.diagnostics
        ]
        lines += [f"  ! {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(check.title)}</td><td>{_MARKS[check.passed]}</td>"
            f"<td>{html.escape(check.sentence)}</td></tr>"
            for check in self.diagnostics
        )
        notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        head = f"{html.escape(self.data.source)}: {self.data.n_rows:,} rows, tested on {html.escape(self.rule)}"
        warned = f"<ul>{notes}</ul>" if notes else ""
        return f"<p>{head}</p><table><tr><th>check</th><th>holds</th><th>finding</th></tr>{rows}</table>{warned}"
