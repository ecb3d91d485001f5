"""The result of `estimate`: one causal effect with its interval, its diagnostics and what was done to refute it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from whence.effects.identification import Identification
from whence.effects.wording import effect_sentence, level_words, names_in_words, number
from whence.results import SCHEMA_VERSION, CheckResult, make_frame, to_jsonable

if TYPE_CHECKING:
    from whence.effects.fitted import Fitted


_VITAL = frozenset({"overlap", "balance", "instrument-strength"})


@dataclass(frozen=True, slots=True)
class Contrast:
    """The effect of one value of the treatment against another.

    Attributes
    ----------
    to, reference : level of the treatment, or None
        Both None for the slope of a continuous treatment: one unit more against none.
    estimate, standard_error : float
        In units of the outcome; for a slope per unit of the treatment.
    interval : (float, float)
    p_value : float or None
        Of no effect at all.
    mean, reference_mean : float or None
        Mean outcome if everybody in the population had the one value or the other.
    ratio : float or None
        ``mean / reference_mean`` of a binary outcome: the risk ratio.
    ratio_interval : (float, float) or None
    """

    to: Any
    reference: Any
    estimate: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float | None
    mean: float | None = None
    reference_mean: float | None = None
    ratio: float | None = None
    ratio_interval: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Effect:
    """One causal effect: identified, estimated, diagnosed and, after `refute`, attacked.

    Attributes
    ----------
    treatment, outcome : str
    estimand : str
        ``ATE`` (all rows), ``ATT`` (the treated), ``ATO`` (the overlap population, weights e(1 - e)), ``slope`` (one
        unit more of a continuous treatment), ``LATE`` (those whose treatment follows a binary instrument), ``none``.
    population : str
        ``all``, ``treated`` or ``overlap``.
    identification : Identification
        Why the data can answer, and under which assumptions.
    adjustment : tuple of str or None
        The columns adjusted for; None where the strategy is no adjustment.
    estimator : str
        The name of the estimator's card.
    estimate, standard_error : float
        In `units`. NaN where the answer is a range.
    interval : (float, float)
        At `level`; infinite ends mean that the data set no bound there.
    level : float
    p_value : float or None
        How often an effect of exactly zero would give an estimate at least this far from zero.
    units : str
        Of the estimate: the outcome's unit, for a slope per unit of the treatment; ``probability`` for a binary outcome
        (0.01 is one percentage point).
    rows_used : int
        Rows with every needed value.
    naive : float or None
        The same contrast without any adjustment, for comparison.
    naive_interval : (float, float) or None
    contrasts : tuple of Contrast
        All contrasts estimated; `estimate` is the first.
    range : (float, float) or None
        Smallest and largest estimate over the possibilities that the graph leaves open.
    diagnostics, refutations : tuple of CheckResult
    figures : dict of str to dict
        Plain data of the plots: ``overlap``, ``balance``, ``influence``, ``sensitivity``, ``placebo``, ``comparison``.
    warnings : tuple of str
    parameters : dict
        Everything that was decided and the rule that decided it.
    random_state : int or None

    Examples
    --------
    >>> from whence.data.simulate import treatment_outcome
    >>> from whence.effects import estimate
    >>> table = treatment_outcome(400, effect=2.0, random_state=1)
    >>> effect = estimate(table.data, None, "T", "Y", adjustment=table.covariates)
    >>> effect.estimand, effect.interval[0] < 2.0 < effect.interval[1]
    ('ATE', True)
    """

    treatment: str
    outcome: str
    estimand: str
    population: str
    identification: Identification
    adjustment: tuple[str, ...] | None
    estimator: str
    estimate: float
    standard_error: float
    interval: tuple[float, float]
    level: float
    p_value: float | None
    units: str
    rows_used: int
    naive: float | None = None
    naive_interval: tuple[float, float] | None = None
    contrasts: tuple[Contrast, ...] = ()
    range: tuple[float, float] | None = None
    diagnostics: tuple[CheckResult, ...] = ()
    refutations: tuple[CheckResult, ...] = ()
    figures: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    random_state: int | None = 0
    library: str = field(default="pyarrow", repr=False)
    fitted: Fitted | None = field(default=None, repr=False)
    """The fitted nuisances, kept so that `refute` need not fit them again; not part of the record."""

    def sentence(self) -> str:
        """Return the answer in one plain sentence, in the user's units."""
        return effect_sentence(self)

    @property
    def failed_comparisons(self) -> tuple[CheckResult, ...]:
        """The failed diagnostics without which an estimate is a model's guess: overlap, balance, instruments."""
        return tuple(check for check in self.diagnostics if check.passed is False and check.name in _VITAL)

    def check(self, name: str) -> CheckResult:
        """Return one diagnostic or refutation by its name.

        Raises
        ------
        KeyError
            If it was not run.
        """
        return {check.name: check for check in (*self.diagnostics, *self.refutations)}[name]

    def table(self) -> Any:
        """Return one row for each contrast, and the unadjusted one, in the user's own table library.

        Of a range: one row for each possibility that the graph leaves open.
        """
        if self.range is not None:
            return make_frame(dict(self.figures["comparison"]), self.library)
        rows: list[tuple[Any, ...]] = [
            ("adjusted", c.to, c.reference, c.estimate, c.standard_error, *c.interval, c.p_value)
            for c in self.contrasts
        ]
        if self.naive is not None and self.naive_interval is not None and self.contrasts:
            first = self.contrasts[0]
            rows.append(("unadjusted", first.to, first.reference, self.naive, None, *self.naive_interval, None))
        names = ("contrast", "to", "reference", "estimate", "standard_error", "low", "high", "p_value")
        columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
        for name in ("to", "reference"):  # levels of several types do not fit in one typed column
            columns[name] = [None if value is None else level_words(value) for value in columns[name]]
        return make_frame(columns, self.library)

    def plot(self) -> Any:
        """Return the figures as one Altair chart; `whence.effects.plots.draw` gives them singly."""
        from whence.effects.plots import draw_all

        return draw_all(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the effect as plain JSON values, with a schema version."""
        left_out = {"library", "fitted"}
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in left_out}
        return {"schema_version": SCHEMA_VERSION, "sentence": self.sentence(), **to_jsonable(values)}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the fitted nuisances out: they are as large as the data and follow from it and the seed."""
        return {**self.__dict__, "fitted": None}

    def __repr__(self) -> str:
        lines = [self.sentence()]
        if self.naive is not None and self.range is None:
            lines.append(f"  without adjustment: {number(self.naive)}; {self.estimator}, {self.rows_used:,} rows")
        lines += [f"  {_mark(check)} {check.sentence}" for check in (*self.diagnostics, *self.refutations)]
        lines += [f"  ! {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        checks = "".join(
            f"<li>{_mark(check)} <b>{html.escape(check.title)}</b>: {html.escape(check.sentence)}</li>"
            for check in (*self.diagnostics, *self.refutations)
        )
        warned = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        assumed = html.escape(" ".join(self.identification.assumptions))
        facts = f"{self.estimand} by {self.estimator}, {self.rows_used:,} rows"
        if self.adjustment:
            facts += f", adjusting for {names_in_words(self.adjustment)}"
        return (
            f"<p><strong>{html.escape(self.sentence())}</strong></p><p>{html.escape(facts)}</p>"
            f"<ul>{checks}</ul>" + (f"<ul>{warned}</ul>" if warned else "") + (f"<p>{assumed}</p>" if assumed else "")
        )


def _mark(check: CheckResult) -> str:
    return {True: "✓", False: "✗", None: "·"}[check.passed]
