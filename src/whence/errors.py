"""Errors a person can act on: what was asked, what there is, what to do.

    WhenceError
    ├── DataError        the table, a column or a value           E1xx
    ├── GraphError       a graph, an edge or knowledge            E2xx
    ├── ParameterError   a setting of a function or the command   E3xx
    ├── NotIdentified    the data and graph cannot answer         E4xx
    ├── NotConverged     a computation did not reach its end      E5xx
    └── MissingExtra     an optional dependency is not installed  E9xx

Every error carries a short stable code; `whence explain E101` prints its page from `whence/error_pages/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.resources import files


class WhenceError(Exception):
    """Root of all errors that whence raises on purpose.

    Parameters
    ----------
    code : str
        Stable code such as ``"E101"``; a page of that name is in ``whence/error_pages``.
    problem : str
        What was asked and what was found, naming the column, edge or parameter.
    remedy : str
        What to do about it, as an instruction.
    """

    def __init__(self, code: str, problem: str, remedy: str = "") -> None:
        self.code = code
        self.problem = problem
        self.remedy = remedy
        super().__init__(code, problem, remedy)

    def __str__(self) -> str:
        text = " ".join(part for part in (self.problem, self.remedy) if part)
        return f"{text} [{self.code}]"


class DataError(WhenceError, ValueError):
    """The table, a column or a value does not allow what was asked."""


class GraphError(WhenceError, ValueError):
    """A graph, an edge or a piece of knowledge is not what it should be."""


class ParameterError(WhenceError, ValueError):
    """A setting is outside what the function or the command takes."""


class NotIdentified(WhenceError):
    """The effect does not follow from the graph and the observed variables."""


class NotConverged(WhenceError, RuntimeError):
    """A computation stopped before its answer can be trusted."""


class WorkerLost(WhenceError, RuntimeError):
    """A process that worked on a part of the task was killed."""


class MissingExtra(WhenceError, ImportError):
    """An optional dependency is needed and not installed."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> MissingExtra:
        """Build the error for ``package``, which the extra ``extra`` installs and ``purpose`` needs."""
        return cls(
            "E901",
            f"{purpose} needs the package {package!r}, which is not installed.",
            f"Install it with: pip install 'whence[{extra}]'",
        )


def error_codes() -> tuple[str, ...]:
    """Return all documented error codes, sorted."""
    pages = files("whence") / "error_pages"
    return tuple(sorted(page.name[:-3] for page in pages.iterdir() if page.name.endswith(".md")))


def explain(code: str) -> str:
    """Return the page that explains an error code, as Markdown.

    >>> print(explain("E901").splitlines()[0])
    # E901: an optional dependency is not installed
    """
    wanted = code.strip().upper()
    if wanted not in error_codes():
        raise ParameterError("E301", f"there is no error code {code!r}.", "Codes look like E101; see docs/errors.md.")
    return (files("whence") / "error_pages" / f"{wanted}.md").read_text(encoding="utf-8")


def suggest(name: object, names: Iterable[str]) -> str:
    """Return the remedy for a name that is not there: the same in other letters, else the closest, else what there is.

    >>> suggest("Dose", ["dose", "age"]), suggest("doze", ["dose", "age"])
    ("Did you mean 'dose'?", "Closest: 'dose'.")
    """
    listed, wanted = list(names), str(name).strip().casefold()
    same = [one for one in listed if one.strip().casefold() == wanted]
    if same:
        return f"Did you mean {quote_names(same)}?"
    close = get_close_matches(str(name), listed, n=3, cutoff=0.5)
    return f"Closest: {quote_names(close)}." if close else f"Columns: {quote_names(listed)}."


def quote_names(names: object, limit: int = 8) -> str:
    """Return names for a message: quoted, comma-separated, at most ``limit`` of them, long ones shortened.

    >>> quote_names(["dose", "age"])
    "'dose', 'age'"
    """
    listed = [str(name) for name in names]  # type: ignore[attr-defined]
    shown = [repr(name if len(name) <= 60 else name[:57] + "...") for name in listed[:limit]]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(shown) + more
