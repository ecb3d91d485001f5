"""From a study to a file: HTML by a template with automatic escaping, Markdown by another."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whence.errors import ParameterError
from whence.report.page import build_page
from whence.report.protocol import StudyLike
from whence.results import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment


def write_report(study: StudyLike, path: str | Path) -> Path:
    """Write the report of a study, whole or not at all.

    Parameters
    ----------
    path : str or Path
        ``.html`` or ``.htm`` for the page, ``.md`` for Markdown.

    Returns
    -------
    Path
        Where the report is.

    Raises
    ------
    ParameterError
        E340 for another ending.
    DataError
        E110 if the file cannot be written; nothing is left behind.
    """
    target = Path(path)
    renderers = {".html": render_html, ".htm": render_html, ".md": render_markdown}
    render = renderers.get(target.suffix.lower())
    if render is None:
        raise ParameterError(
            "E340", f"no report is written in the format {target.suffix or target.name!r}.", "Name it .html or .md."
        )
    return write_atomically(target, render(study))


def render_html(study: StudyLike) -> str:
    """Return the report as one self-contained HTML page: no network, no script that must run."""
    template = _environment(html=True).get_template("report.html")
    return template.render(page=build_page(study), style=_asset("report.css"), script=_asset("report.js"))


def render_markdown(study: StudyLike) -> str:
    """Return the report as Markdown, without figures."""
    return _environment(html=False).get_template("report.md").render(page=build_page(study)).strip() + "\n"


@cache
def _environment(*, html: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("whence.report"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["cell"] = _cell
    return made


def _asset(name: str) -> str:
    return (files("whence.report") / "templates" / name).read_text(encoding="utf-8")


def _cell(value: Any) -> str:
    """Return text that cannot break a Markdown table or become markup."""
    flat = " ".join(str(value).split())
    for sign in "\\|<>*_`[]":
        flat = flat.replace(sign, "\\" + sign)
    return flat
