"""Which search to run: a pure function of the cards, the profile's facts and the budget. No randomness, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whence.data import Dataset
from whence.errors import DataError, quote_names
from whence.graph import Knowledge
from whence.registry import Card, methods

# Search and bootstrap may take this share of the budget; profile, effect, refutation and report take the rest.
SEARCH_SHARE = 0.6
MOST_DRAWS = 100
DEFAULT = "boss"
# Scores that are closer than this differ by the luck of the simulations: the default search stands until it is beaten.
LUCK = 0.01
FEWEST_DRAWS = 20
# Where a card carries no measured cost, a search is assumed to take this long at n = 1,000, p = 10.
UNKNOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One search that was considered: its score from 0 to 1, what it would cost, and why it was taken or not."""

    method: str
    score: float
    predicted_seconds: float
    settings: Mapping[str, Any]
    reasons: tuple[str, ...]
    refused: str | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The searches in order of preference and how many bootstrap draws the budget allows."""

    candidates: tuple[Candidate, ...]
    draws: int
    budget_seconds: float
    reasons: tuple[str, ...] = field(default=())

    @property
    def chosen(self) -> Candidate:
        """The candidate that will be run."""
        return next(candidate for candidate in self.candidates if candidate.chosen)

    def table(self) -> dict[str, list[Any]]:
        """Return the candidates column by column."""
        return {
            "method": [candidate.method for candidate in self.candidates],
            "score": [candidate.score for candidate in self.candidates],
            "predicted_seconds": [candidate.predicted_seconds for candidate in self.candidates],
            "chosen": [candidate.chosen for candidate in self.candidates],
            "reasons": ["; ".join(c.reasons if c.refused is None else (c.refused,)) for c in self.candidates],
        }


def make_plan(data: Dataset, facts: Mapping[str, Any], knowledge: Knowledge, budget_seconds: float, jobs: int) -> Plan:
    """Rank the registered searches for this table and choose one.

    A search is refused when its card does not take the columns' kinds or the forms of knowledge given. The others
    are scored by how well the profile bears out what their cards assume; of those that score alike the default search
    is taken, else the cheapest.

    Raises
    ------
    DataError
        If no registered search takes the data.
    """
    judged = [_judge(card, data, facts, knowledge) for card in methods("search")]
    fitting = _ranked([candidate for candidate in judged if candidate.refused is None])
    if not fitting:
        refusals = "; ".join(f"{candidate.method}: {candidate.refused}" for candidate in judged)
        raise DataError(
            "E333",
            f"no registered search takes this table ({refusals}).",
            "Select columns of one sort, or override kinds with wh.read(..., kinds={...}).",
        )
    allowance = SEARCH_SHARE * budget_seconds
    affordable = [c for c in fitting if c.predicted_seconds * (1 + FEWEST_DRAWS / jobs) <= allowance]
    best = (affordable or sorted(fitting, key=lambda candidate: candidate.predicted_seconds))[0]
    draws = int(max(allowance / max(best.predicted_seconds, 1e-4) - 1, 0) * jobs)
    draws = min(MOST_DRAWS, draws) if draws >= FEWEST_DRAWS else FEWEST_DRAWS
    reasons = (
        _choice(best, fitting, budget_seconds),
        f"{draws} bootstrap draws fit the budget at a predicted {best.predicted_seconds:.2g} s a search",
    )
    ordered = tuple(
        Candidate(c.method, c.score, c.predicted_seconds, c.settings, c.reasons, c.refused, chosen=c is best)
        for c in (*fitting, *(candidate for candidate in judged if candidate.refused is not None))
    )
    return Plan(ordered, draws, budget_seconds, reasons)


def _ranked(candidates: list[Candidate]) -> list[Candidate]:
    """Return candidates by falling score; of those that score as high as the best but for luck, the default first."""
    best = max((candidate.score for candidate in candidates), default=0.0)
    return sorted(
        candidates,
        key=lambda c: (c.method != DEFAULT or c.score < best - LUCK, -round(c.score, 2), c.predicted_seconds),
    )


def _choice(best: Candidate, fitting: list[Candidate], budget_seconds: float) -> str:
    if best is fitting[0]:
        return f"{best.method} scores highest among the {len(fitting)} searches that take these columns"
    return f"{fitting[0].method} scores higher, but {best.method} is the best that fits {budget_seconds:.0f} s"


def _judge(card: Card, data: Dataset, facts: Mapping[str, Any], knowledge: Knowledge) -> Candidate:
    """Score one search: the mean of its marks for form, noise and accuracy, each between 0 and 1."""
    seconds = card.cost.predict(data.n_rows, len(data.names)) if card.cost else UNKNOWN_SECONDS
    refused = _refusal(card, data, knowledge)
    if refused is not None:
        return Candidate(card.name, 0.0, seconds, {}, (), refused)
    judged = (_form(card, facts), _noise(card, facts), _accuracy(card, facts))
    score = sum(mark for mark, _ in judged) / len(judged)
    return Candidate(card.name, round(score, 3), seconds, {}, tuple(reason for _, reason in judged))


def _refusal(card: Card, data: Dataset, knowledge: Knowledge) -> str | None:
    unfit = [name for name, kind in data.kinds().items() if str(kind) not in card.kinds]
    if unfit:
        return f"does not take {quote_names(unfit, 3)} ({data.columns[unfit[0]].kind})"
    if "discrete" in card.assumes and any(kind not in _DISCRETE for kind in map(str, data.kinds().values())):
        return "takes discrete columns only"
    if card.output in ("PAG", "ADMG"):
        return "leaves room for hidden causes, which the steps after the search do not weigh yet; run it by itself"
    if card.columns is not None or "additive-noise" in card.assumes:
        return "orders columns by kernel regressions, too slow to resample within a study; run it by itself"
    if card.most_columns is not None and len(data.names) > card.most_columns:
        return f"takes up to {card.most_columns} columns here: its time doubles with each"
    missing_forms = knowledge.forms() - card.knowledge
    if missing_forms:
        return f"cannot respect knowledge of the form {quote_names(sorted(missing_forms))}"
    return None


_DISCRETE = frozenset({"binary", "categorical", "ordinal"})


def _form(card: Card, facts: Mapping[str, Any]) -> tuple[float, str]:
    if "linear" not in card.assumes:
        return 1.0, "assumes no linear form"
    if facts.get("linear") is None:
        return 0.7, "linearity does not apply to these columns or could not be tested"
    share = float(facts.get("share_nonlinear") or 0.0)
    return 1.0 - share, f"assumes linear relations; {share:.0%} of the tested pairs bend"


def _noise(card: Card, facts: Mapping[str, Any]) -> tuple[float, str]:
    share = facts.get("share_nongaussian")
    if "non-gaussian" in card.assumes:
        # All noise terms but one must be non-Gaussian; discrete columns leave nothing to orient by.
        if share is None or facts.get("linear") is not True or facts.get("discrete_share", 0) > 0:
            return 0.0, "needs linear relations with non-Gaussian noise between continuous columns"
        return (1.0 if share >= 0.8 else 0.0), f"needs non-Gaussian noise; {share:.0%} of the columns have it"
    if "equal-variances" in card.assumes:
        return 0.0, "reads directions from the variances of the columns, which change with their units"
    if "gaussian" in card.assumes and share is not None:
        return 1.0 - 0.2 * float(share), f"its score is Gaussian; {share:.0%} of the columns are not (mild)"
    return 1.0, "makes no assumption on the noise"


def _accuracy(card: Card, facts: Mapping[str, Any]) -> tuple[float, str]:
    """Mark a search by what it reached on simulations like this table, as the benchmark measured it."""
    scenario = "discrete" if facts.get("discrete_share") == 1 else "gaussian"
    if "non-gaussian" in card.assumes:
        scenario = "laplace"
    reached = card.accuracy.get(scenario)
    if reached is None:
        return 0.5, "its accuracy was not measured"
    return reached, f"strict F1 {reached:.2f} on simulated {scenario} tables"
