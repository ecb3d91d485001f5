"""From a study to a file: HTML by a template with automatic escaping, Markdown by another."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from whence.errors import ParameterError
from whence.report.page import build_page
from whence.report.pieces import counted
from whence.report.protocol import StudyLike
from whence.results import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment

Format = Literal["html", "md"]
_ENDINGS: dict[str, Format] = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md"}
# Characters that no HTML or Markdown file may hold: control characters, halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def write_report(study: StudyLike, path: str | Path, *, format: Format | None = None) -> Path:
    """Write the report of a study, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Where to write it; ``.html`` or ``.htm`` gives the page, ``.md`` Markdown.
    format : {"html", "md"}, optional
        Overrides the ending.

    Returns
    -------
    Path
        Where the report is.

    Raises
    ------
    ParameterError
        E340 for another ending or format.
    DataError
        E110 if the file cannot be written; nothing is left behind, and an older report is untouched.
    """
    target = Path(path)
    chosen = format if format is not None else _ENDINGS.get(target.suffix.lower())
    if chosen not in ("html", "md"):
        asked = format or target.suffix or target.name
        raise ParameterError("E340", f"no report is written in the format {asked!r}.", "Name it .html or .md.")
    return write_atomically(target, render_html(study) if chosen == "html" else render_markdown(study))


def render_html(study: StudyLike) -> str:
    """Return the report as one self-contained HTML page: no network, no script that must run."""
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _environment(html=True).get_template("report.html")
    text = page.render(page=build_page(study), style=_asset("report.css"), script=script, script_hash=digest)
    return _printable(text.strip() + "\n")


def render_page(template: str, page: Any, style: str = "") -> str:
    """Return another report as one HTML page in the same looks; ``style`` is what it adds to them."""
    made = _environment(html=True).get_template(template)
    return _printable(made.render(page=page, style=_asset("report.css") + style).strip() + "\n")


def render_markdown(study: StudyLike) -> str:
    """Return the report as Markdown: the same sections, the charts as tables of their numbers."""
    page = build_page(study)
    longest = max((len(run) for run in re.findall("`+", page.command)), default=0)
    text = _environment(html=False).get_template("report.md").render(page=page, fence="`" * max(3, longest + 1))
    return _printable(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


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
    made.filters["counted"] = counted
    return made


def _asset(name: str) -> str:
    return (files("whence.report") / "templates" / name).read_text(encoding="utf-8")


def _cell(value: Any) -> str:
    """Return text that cannot break a Markdown table or become markup."""
    flat = " ".join(str(value).split()).replace("&", "&amp;")
    for sign in "\\|<>*_`[]~#":
        flat = flat.replace(sign, "\\" + sign)
    return flat


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
