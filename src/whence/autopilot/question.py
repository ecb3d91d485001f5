"""What is asked: treatment, outcome, domain, from arguments, roles or a sentence, in that order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from whence.data import Dataset
from whence.errors import DataError, ParameterError, suggest

# "does T affect Y", "effect of T on Y", "T -> Y", "what happens to Y if T", "why Y": the forms a sentence may take.
# {t} and {y} stand for a column's name.
_FORMS = (
    r"(?:effect|impact|influence) of {t} (?:on|upon) {y}",
    r"(?:do|does|did|will|would|can|could) (?:the )?{t} (?:\w+ ){{0,2}}?(?:affect|cause|raise|increase|lower|reduce|"
    r"decrease|change|improve|drive|influence|impact|help|hurt)s? (?:the )?{y}",
    r"{t} (?:\w+ ){{0,1}}?(?:affect|cause|raise|increase|lower|reduce|decrease|change|improve|drive|influence)s? "
    r"(?:the )?{y}",
    r"{t} ?(?:->|→) ?{y}",
    r"what (?:happens|would happen|happened) to {y} (?:if|when) (?:\w+ ){{0,3}}?{t}",
)
_DOMAIN = r"(?:domain|site|environment|group)(?: index)?(?: is|:|=) {t}"


@dataclass(frozen=True, slots=True)
class Question:
    """The question a study answers, with where each part came from."""

    treatment: str | None
    outcome: str | None
    domain: str | None
    text: str
    source: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the question as plain values."""
        return {
            "treatment": self.treatment,
            "outcome": self.outcome,
            "domain": self.domain,
            "text": self.text,
            "source": dict(self.source),
        }


def ask(data: Dataset, treatment: str | None, outcome: str | None, domain: str | None, query: str | None) -> Question:
    """Settle the question: an argument wins over the sentence, the sentence over the dataset's roles.

    Raises
    ------
    DataError
        If a named column does not exist, or treatment and outcome are the same column.
    ParameterError
        If a sentence is given in which no treatment and outcome can be found.
    """
    said = read_sentence(query, data.names) if query else {}
    parts: dict[str, str | None] = {}
    source: dict[str, str] = {}
    for role, argument in (("treatment", treatment), ("outcome", outcome), ("domain", domain)):
        for value, origin in ((argument, "argument"), (said.get(role), "query"), (data.roles.get(role), "role")):
            if value is not None:
                parts[role], source[role] = require_column(data, value, role), origin
                break
    if query and "treatment" not in parts and "outcome" not in parts:
        raise ParameterError(
            "E330",
            f"no treatment and outcome could be read from the query {query!r}.",
            "Write it as 'does COLUMN affect COLUMN?' with the column names as they stand in the table, or pass "
            "treatment= and outcome=.",
        )
    if parts.get("treatment") is not None and parts.get("treatment") == parts.get("outcome"):
        raise DataError(
            "E331",
            f"treatment and outcome are the same column, {parts['treatment']!r}.",
            "Name two different columns.",
        )
    question = Question(parts.get("treatment"), parts.get("outcome"), parts.get("domain"), "", source)
    return replace(question, text=query or _in_words(question))


def read_sentence(sentence: str, names: Sequence[str]) -> dict[str, str]:
    """Read treatment, outcome and domain from a sentence that names columns.

    >>> read_sentence("Does training raise re78? domain is site", ["re78", "training", "site", "age"])
    {'treatment': 'training', 'outcome': 're78', 'domain': 'site'}
    """
    any_name = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    quoted = r"['\"`“‘]?(?P<{group}>" + any_name + r")['\"`”’]?"
    lookup = {name.casefold(): name for name in reversed(names)}
    found: dict[str, str] = {}
    for form in _FORMS:
        pattern = form.format(t=quoted.format(group="treatment"), y=quoted.format(group="outcome"))
        match = re.search(rf"(?<!\w){pattern}(?!\w)", sentence, flags=re.IGNORECASE)
        if match:
            found = {role: lookup[name.casefold()] for role, name in match.groupdict().items()}
            break
    match = re.search(rf"{_DOMAIN.format(t=quoted.format(group='domain'))}(?!\w)", sentence, flags=re.IGNORECASE)
    if match:
        found["domain"] = lookup[match["domain"].casefold()]
    return found


def require_column(data: Dataset, name: str, role: str) -> str:
    """Return the name if the column exists, else raise DataError with the closest names."""
    if isinstance(name, str) and name in data.columns:
        return name
    raise DataError("E332", f"the {role} {name!r} is not a column of {data.source}.", suggest(name, data.names))


def _in_words(question: Question) -> str:
    if question.treatment and question.outcome:
        return f"What does {question.treatment} do to {question.outcome}?"
    if question.outcome:
        return f"What causes {question.outcome}?"
    if question.treatment:
        return f"What does {question.treatment} cause?"
    return "What causes what in this table?"
