"""Graphs as SVG: layered, with exact marks at both ends, confidence as weight, readable in light, dark and print."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from whence.errors import ParameterError, quote_names
from whence.graph.layout import Point, layered
from whence.graph.marks import Edge, Mark

if TYPE_CHECKING:
    from whence.graph.graph import Graph

# Okabe and Ito's colour-blind-safe palette.
COLOURS = {
    "treatment": "#0072B2",
    "outcome": "#D55E00",
    "adjustment": "#009E73",
    "instrument": "#CC79A7",
    "mediator": "#E69F00",
}
BOX_HEIGHT = 34.0
LAYER_HEIGHT = 92.0
GAP = 26.0
LONGEST = 22
LETTER = 7.6
MARK_SIZE = 5.0
MARGIN = 14.0
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class HasAdjacency(Protocol):
    """What `draw` needs of a bootstrap confidence."""

    def edge(self, a: str, b: str) -> Any:
        """Return an object with ``adjacency``, between 0 and 1."""


def draw(
    graph: Graph,
    *,
    confidence: HasAdjacency | None = None,
    highlight: Mapping[str, str] | None = None,
    allowed: Collection[tuple[str, str]] = (),
    title: str = "Causal graph",
    identifier: str = "whence-graph",
) -> str:
    """Return the graph as a self-contained SVG.

    Parameters
    ----------
    confidence : object with ``edge(a, b).adjacency``, optional
        Drawn as the weight of each edge; an edge without a direction or with ``word`` ``undetermined`` is dashed.
    allowed : collection of (source, target)
        Edges that were not found but allowed: dotted, without a confidence.
    highlight : mapping of node name to role, optional
        ``treatment``, ``outcome``, ``adjustment``, ``instrument`` or ``mediator``; shown by colour and by a word.
    title : str
        Read by screen readers.
    identifier : str
        Prefix of the ids, for pages that hold several graphs.

    Raises
    ------
    GraphError
        If ``highlight`` names a node that is not there.
    ParameterError
        If it gives a role that is none.

    Notes
    -----
    Each edge is a group with ``data-source`` and ``data-target``, focusable, so that a page can make it clickable.
    """
    roles = dict(highlight or {})
    for name, role in roles.items():
        graph.index(name)
        if role not in COLOURS:
            raise ParameterError("E301", f"there is no role {role!r} to highlight.", f"Roles: {quote_names(COLOURS)}.")
    labels = {name: _shorten(name) for name in graph.names}
    widths = {n: max(88.0 if n in roles else 48.0, len(labels[n]) * LETTER + 24.0) for n in graph.names}
    layout = layered(graph, widths, GAP, LAYER_HEIGHT)
    boxes = {name: (x + MARGIN, y + MARGIN + BOX_HEIGHT / 2 + 8) for name, (x, y) in layout.positions.items()}
    width = layout.width + 2 * MARGIN
    height = layout.height + BOX_HEIGHT + 2 * MARGIN + 16
    edges = []
    for k, edge in enumerate(graph.edges()):
        ends = tuple(sorted((edge.source, edge.target), key=lambda name: boxes[name][1]))
        route = layout.routes.get((ends[0], ends[1]), layout.routes.get((ends[1], ends[0]), []))
        inner = [(x + MARGIN, y + MARGIN + BOX_HEIGHT / 2 + 8) for x, y in route]
        if (edge.source, edge.target) != ends and inner and boxes[edge.source][1] > boxes[edge.target][1]:
            inner = inner[::-1]
        added = (edge.source, edge.target) in allowed
        seen = None if added or confidence is None else confidence.edge(edge.source, edge.target)
        edges.append(_edge(edge, k, boxes, widths, inner, seen, added, identifier, graph))
    nodes = [_node(name, labels[name], boxes[name], widths[name], roles.get(name)) for name in graph.names]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" class="whence-graph" role="img" aria-label="{_attribute(title)}" '
        f'id="{_attribute(identifier)}"><style>{_STYLE}</style>'
        f"<g>{''.join(edges)}</g><g>{''.join(nodes)}</g></svg>"
    )


_STYLE = (
    ".whence-graph{font:13px system-ui,sans-serif;max-width:100%;height:auto;color:#1b2733}"
    ".whence-graph .node rect{fill:#fff;stroke:#55636f;stroke-width:1.3}"
    ".whence-graph text{fill:currentColor;text-anchor:middle}"
    ".whence-graph .role{font-size:10px;font-weight:600}"
    ".whence-graph .edge{color:#34414c}"
    ".whence-graph .line{fill:none;stroke:currentColor}"
    ".whence-graph .open .line{stroke-dasharray:7 4}"
    ".whence-graph .allowed .line{stroke-dasharray:2 4}"
    ".whence-graph .hit{fill:none;stroke:transparent;stroke-width:16;cursor:pointer}"
    ".whence-graph .mark{fill:currentColor;stroke:currentColor}"
    ".whence-graph .circle{fill:#fff;stroke:currentColor;stroke-width:1.6}"
    ".whence-graph .edge:hover,.whence-graph .edge:focus,.whence-graph .edge.on{color:#0072B2;outline:none}"
    "@media (prefers-color-scheme:dark){.whence-graph{color:#e4eaef}.whence-graph .node rect,.whence-graph .circle"
    "{fill:#1d2730}.whence-graph .edge{color:#b4c0ca}.whence-graph .edge:hover,.whence-graph .edge:focus,"
    ".whence-graph .edge.on{color:#56B4E9}}"
    "@media print{.whence-graph{color:#000}.whence-graph .node rect,.whence-graph .circle{fill:#fff}"
    ".whence-graph .edge{color:#000}}"
)


def _node(name: str, label: str, centre: Point, width: float, role: str | None) -> str:
    x, y = centre
    colour = COLOURS.get(role or "", "")
    style = f' style="stroke:{colour};stroke-width:2.6"' if colour else ""
    word = f'<text class="role" x="{x:.1f}" y="{y + 12.5:.1f}">{role}</text>' if colour else ""
    baseline = y if colour else y + 4.5
    return (
        f'<g class="node" data-name="{_attribute(name)}"><title>{_text(name)}</title>'
        f'<rect x="{x - width / 2:.1f}" y="{y - BOX_HEIGHT / 2:.1f}" width="{width:.1f}" height="{BOX_HEIGHT:.0f}" '
        f'rx="8"{style}/>{word}'
        f'<text x="{x:.1f}" y="{baseline:.1f}">{_text(label)}</text></g>'
    )


def _edge(
    edge: Edge,
    number: int,
    boxes: Mapping[str, Point],
    widths: Mapping[str, float],
    inner: list[Point],
    seen: Any,
    added: bool,
    identifier: str,
    graph: Graph,
) -> str:
    share = seen.adjacency if seen is not None else None
    unsettled = getattr(seen, "word", "") == "undetermined" or (seen is not None and edge.is_undirected)
    style = " allowed" if added else " open" if unsettled else ""
    start, end = boxes[edge.source], boxes[edge.target]
    i, j = sorted((graph.index(edge.source), graph.index(edge.target)))
    if (i, j) in graph.bows and edge.is_bidirected:  # beside the directed edge between the same nodes
        inner = [((start[0] + end[0]) / 2 + 46, (start[1] + end[1]) / 2)]
    elif not inner and abs(start[1] - end[1]) < 1:
        inner = [((start[0] + end[0]) / 2, start[1] - 38)]
    points = [start, *inner, end]
    first = _border(points[1], start, widths[edge.source])
    last = _border(points[-2], end, widths[edge.target])
    path = _smooth([first, *inner, last])
    weight = 1.6 if share is None else 0.8 + 2.4 * share
    opacity = 1.0 if share is None else 0.35 + 0.65 * share
    note = f"{edge}" if share is None else f"{edge}, in {share:.0%} of bootstrap draws"
    note += {" allowed": ", allowed for the question", " open": ", direction not settled"}.get(style, "")
    inner_end = inner[-1] if inner else first
    inner_start = inner[0] if inner else last
    marks = _mark(edge.mark_source, first, inner_start) + _mark(edge.mark_target, last, inner_end)
    return (
        f'<g class="edge{style}" id="{_attribute(identifier)}-edge-{number}" tabindex="0" role="button" '
        f'data-source="{_attribute(edge.source)}" data-target="{_attribute(edge.target)}" '
        f'opacity="{opacity:.2f}"><title>{_text(note)}</title><path class="line" stroke-width="{weight:.2f}" '
        f'd="{path}"/>{marks}<path class="hit" d="{path}"/></g>'
    )


def _border(towards: Point, centre: Point, width: float) -> Point:
    """Return where the line from a box's centre towards a point leaves the box, with room for the mark."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    reach = math.hypot(dx, dy) or 1.0
    half_width, half_height = width / 2 + 3, BOX_HEIGHT / 2 + 3
    scale = min(half_width / abs(dx) if dx else math.inf, half_height / abs(dy) if dy else math.inf, reach)
    return centre[0] + dx * scale, centre[1] + dy * scale


def _smooth(points: list[Point]) -> str:
    """Return a path through the points, rounded at the inner ones."""
    if len(points) == 2:
        (x0, y0), (x1, y1) = points
        return f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for k in range(1, len(points) - 1):
        (x, y), (nx, ny) = points[k], points[k + 1]
        target = ((x + nx) / 2, (y + ny) / 2) if k < len(points) - 2 else (nx, ny)
        parts.append(f"Q{x:.1f} {y:.1f} {target[0]:.1f} {target[1]:.1f}")
    return "".join(parts)


def _mark(mark: Mark, tip: Point, origin: Point) -> str:
    """Return the mark at the end of a line that arrives at ``tip`` from ``origin``."""
    if mark == Mark.TAIL:
        return ""
    angle = math.atan2(tip[1] - origin[1], tip[0] - origin[0])
    if mark == Mark.CIRCLE:
        x, y = tip[0] - MARK_SIZE * math.cos(angle), tip[1] - MARK_SIZE * math.sin(angle)
        return f'<circle class="circle" cx="{x:.1f}" cy="{y:.1f}" r="{MARK_SIZE - 0.6:.1f}"/>'
    corners = [tip]
    for turn in (0.42, -0.42):
        back = 2.3 * MARK_SIZE
        corners.append((tip[0] - back * math.cos(angle + turn), tip[1] - back * math.sin(angle + turn)))
    return f'<polygon class="mark" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"/>'


def _shorten(name: str) -> str:
    flat = " ".join(name.split()) or name
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"


def _text(value: str) -> str:
    """Return a text for the inside of an element; what XML cannot hold becomes the replacement character."""
    return escape(_NOT_XML.sub("\ufffd", value), quote=False).replace("\r", "&#13;")


def _attribute(value: str) -> str:
    """Return a text for an attribute, line breaks kept."""
    spaces = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
    return "".join(spaces.get(letter, letter) for letter in escape(_NOT_XML.sub("\ufffd", value), quote=True))
