"""Graphs in files, by their ending."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from whence.errors import DataError, GraphError, ParameterError
from whence.graph import Graph
from whence.results import write_atomically

if TYPE_CHECKING:
    from whence.discovery import DiscoveryResult

_READABLE = ".dot, .gml, .json, .dagitty or .txt (Tetrad or DAGitty)"
_WRITABLE = ".svg, .dot, .gml, .json, .dagitty or .txt (Tetrad)"
_DAGITTY = re.compile(r"\s*(?:dag|pdag|mag|pag)\b[^{]*\{", re.IGNORECASE)
_OURS = "whence</title>"


def write_graph(result: DiscoveryResult, path: str) -> Path:
    """Write a found graph in the format its file name asks for."""
    graph = result.graph
    writers = {
        ".svg": lambda: graph.to_svg(confidence=result.confidence),
        ".dot": graph.to_dot,
        ".gml": graph.to_gml,
        ".json": lambda: json.dumps(graph.to_dict(), indent=2, ensure_ascii=False),
        ".dagitty": graph.to_dagitty,
        ".txt": graph.to_tetrad,
    }
    ending = Path(path).suffix.lower()
    if ending not in writers:
        raise ParameterError("E339", f"no graph format ends in {ending!r}.", f"Use {_WRITABLE}.")
    return write_atomically(path, writers[ending]())


def read_graph(path: str) -> Graph:
    """Read a graph from a DOT, GML, JSON, DAGitty or Tetrad text file, by its ending; a .txt by what it holds.

    Raises
    ------
    DataError
        If the file cannot be read.
    GraphError
        If it does not hold a graph.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise DataError("E339", f"cannot read the graph file {path!r}: {why}.", f"Use {_READABLE}.") from error
    readers = {
        ".dot": Graph.from_dot,
        ".gv": Graph.from_dot,
        ".gml": Graph.from_gml,
        ".json": _from_json,
        ".txt": Graph.from_dagitty if _DAGITTY.match(text) else Graph.from_tetrad,
        ".dagitty": Graph.from_dagitty,
    }
    ending = Path(path).suffix.lower()
    if ending not in readers:
        raise ParameterError("E339", f"no graph format ends in {ending!r}.", f"Use {_READABLE}.")
    try:
        return readers[ending](text)
    except GraphError as error:
        raise GraphError(error.code, f"{Path(path).name}: {error.problem}", error.remedy) from error


def check_folder(path: str | None) -> None:
    """Raise DataError, before any work, if a file is to be written into a folder that does not exist."""
    folder = Path(path).parent if path else Path()
    if not folder.is_dir():
        raise DataError(
            "E110", f"there is no folder {str(folder)!r} to write {Path(str(path)).name!r} into.", "Make it first."
        )


def free_report_name(source: str) -> str:
    """Return the name of a report after its data, in the current folder; files that are no reports are left alone."""
    stem = re.sub(r"\W+", "-", re.sub(r"(\.\w+)+$", "", source)).strip("-") or "whence"
    number, path = 1, Path(f"{stem}-report.html")
    while path.exists() and not _is_report(path):
        number += 1
        path = Path(f"{stem}-report-{number}.html")
    return str(path)


def _is_report(path: Path) -> bool:
    try:
        return _OURS in path.read_text(encoding="utf-8")[:5000]
    except (OSError, UnicodeDecodeError):
        return False


def _from_json(text: str) -> Graph:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise GraphError(
            "E214", f"line {error.lineno} of the graph is not JSON: {error.msg}.", "Write it with graph.to_dict()."
        ) from error
    return Graph.from_dict(document)
