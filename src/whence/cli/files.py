"""Graphs in files, by their ending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from whence.errors import DataError, ParameterError
from whence.graph import Graph
from whence.results import write_atomically

if TYPE_CHECKING:
    from whence.discovery import DiscoveryResult

_ENDINGS = ".svg, .dot, .gml, .json, .dagitty or .txt (Tetrad)"


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
        raise ParameterError("E339", f"no graph format ends in {ending!r}.", f"Use {_ENDINGS}.")
    return write_atomically(path, writers[ending]())


def read_graph(path: str) -> Graph:
    """Read a graph from a JSON, DAGitty or Tetrad text file.

    Raises
    ------
    DataError
        If the file cannot be read.
    GraphError
        If it does not hold a graph.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError("E339", f"cannot read the graph file {path!r}: {error.strerror}.", "Check the path.") from error
    ending = Path(path).suffix.lower()
    if ending == ".json":
        return Graph.from_dict(json.loads(text))
    return Graph.from_tetrad(text) if ending == ".txt" else Graph.from_dagitty(text)
