"""A layered layout: causes above effects, few crossings, long edges bent around nodes.

Sugiyama, Tagawa and Toda (1981): layers by longest path, order within layers by barycentres, coordinates by relaxation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from whence.graph.graph import Graph

SWEEPS = 24
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where nodes stand (their centres, by name) and which points each edge passes between its ends."""

    positions: dict[str, Point]
    routes: dict[tuple[str, str], list[Point]]
    width: float
    height: float


def layered(graph: Graph, widths: dict[str, float], gap: float, layer_height: float) -> Layout:
    """Lay a graph out in layers.

    Parameters
    ----------
    widths : dict of str to float
        The width of each node's box.
    gap : float
        Least space between boxes of a layer.
    layer_height : float
        Distance between the centres of neighbouring layers.
    """
    layer = _layers(graph)
    columns: list[list[str | tuple[str, str, int]]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for name in graph.names:
        columns[layer[name]].append(name)
    links: list[tuple[object, object]] = []
    chains: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for edge in graph.edges():
        upper, lower = sorted((edge.source, edge.target), key=lambda name: layer[name])
        if (upper, lower) in chains:  # a bow: its two edges share one route
            continue
        chain = [(upper, lower, k) for k in range(layer[upper] + 1, layer[lower])]
        chains[upper, lower] = chain
        for dummy in chain:
            columns[dummy[2]].append(dummy)
        path = [upper, *chain, lower]
        links += list(pairwise(path))
    place = _order(columns, links)
    x = _coordinates(columns, links, place, {**widths}, gap)
    left = min((x[name] - widths[name] / 2 for name in graph.names), default=0.0)
    left = min([left, *(x[d] for chain in chains.values() for d in chain)])
    positions = {name: (x[name] - left, layer[name] * layer_height) for name in graph.names}
    routes = {ends: [(x[d] - left, d[2] * layer_height) for d in chain] for ends, chain in chains.items()}
    right = max((positions[name][0] + widths[name] / 2 for name in graph.names), default=0.0)
    right = max([right, *(point[0] for route in routes.values() for point in route)])
    return Layout(positions, routes, right, (len(columns) - 1) * layer_height)


def _layers(graph: Graph) -> dict[str, int]:
    """Return each node's layer: below all its causes; neighbours without a direction next to each other where possible.

    Undirected, bidirected and circle edges pull their ends apart by one layer in node order, which keeps the drawing
    readable without claiming a direction: the marks say what is known.
    """
    below: dict[str, list[str]] = defaultdict(list)
    above = dict.fromkeys(graph.names, 0)
    rank = {name: k for k, name in enumerate(_consistent_order(graph))}
    for edge in graph.edges():
        first, second = sorted((edge.source, edge.target), key=rank.__getitem__)
        below[first].append(second)
        above[second] += 1
    layer = dict.fromkeys(graph.names, 0)
    for name in sorted(graph.names, key=rank.__getitem__):
        for lower in below[name]:
            layer[lower] = max(layer[lower], layer[name] + 1)
    for name in sorted(graph.names, key=rank.__getitem__, reverse=True):
        if below[name] and not above[name]:  # sources move down to their effects
            layer[name] = min(layer[lower] for lower in below[name]) - 1
    linked = {name for name in graph.names if below[name] or above[name]}
    lowest = max((layer[name] for name in linked), default=-1)
    loose = [name for name in graph.names if name not in linked]
    per_row = max(4, round(len(graph.names) ** 0.5))
    for k, name in enumerate(loose):  # unconnected nodes stand in rows of their own at the bottom
        layer[name] = lowest + 1 + k // per_row
    return layer


def _consistent_order(graph: Graph) -> list[str]:
    """Return the nodes so that directed edges point forward, undirected neighbours following one another."""
    waiting = {name: len(graph.parents(name)) for name in graph.names}
    order: list[str] = []
    ready = [name for name in graph.names if not waiting[name]]
    placed: set[str] = set()
    while ready:
        ready.sort(key=lambda name: -sum(other in placed for other in graph.adjacent(name)))
        name = ready.pop(0)
        order.append(name)
        placed.add(name)
        for child in graph.children(name):
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return order


def _order(columns: Sequence[list[Any]], links: Sequence[tuple[object, object]]) -> dict[object, int]:
    """Reorder each layer in place by the barycentres of its neighbours, sweeping down and up; keep the best."""
    up: dict[object, list[object]] = defaultdict(list)
    down: dict[object, list[object]] = defaultdict(list)
    for upper, lower in links:
        down[upper].append(lower)
        up[lower].append(upper)
    place = {item: k for column in columns for k, item in enumerate(column)}
    best, fewest = [list(column) for column in columns], _crossings(columns, down, place)
    for sweep in range(SWEEPS):
        near = up if sweep % 2 == 0 else down
        for column in columns if sweep % 2 == 0 else reversed(columns):
            centre = {
                item: sum(place[other] for other in near[item]) / len(near[item]) if near[item] else place[item]
                for item in column
            }
            column.sort(key=centre.__getitem__)
            place.update((item, k) for k, item in enumerate(column))
        crossings = _crossings(columns, down, place)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    for column, kept in zip(columns, best):
        column[:] = kept
    return {item: k for column in columns for k, item in enumerate(column)}


def _crossings(columns: Sequence[list[Any]], down: dict[Any, list[Any]], place: dict[object, int]) -> int:
    total = 0
    for column in columns:
        ends = [place[lower] for item in column for lower in sorted(down[item], key=place.__getitem__)]
        starts = [place[item] for item in column for _ in down[item]]
        for k in range(len(ends)):
            total += sum(starts[j] < starts[k] and ends[j] > ends[k] for j in range(k))
    return total


def _coordinates(
    columns: Sequence[list[Any]],
    links: Sequence[tuple[object, object]],
    place: dict[object, int],
    widths: dict[Any, float],
    gap: float,
) -> dict[Any, float]:
    """Return horizontal positions: each item near the mean of its neighbours, never closer than the gap."""
    near: dict[object, list[object]] = defaultdict(list)
    for upper, lower in links:
        near[upper].append(lower)
        near[lower].append(upper)
    x: dict[object, float] = {}
    for column in columns:
        cursor = 0.0
        for item in column:
            half = widths.get(item, gap / 2) / 2
            x[item] = cursor + half
            cursor += 2 * half + gap
        shift = cursor / 2
        x.update((item, x[item] - shift) for item in column)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [sum(x[o] for o in near[item]) / len(near[item]) if near[item] else x[item] for item in column]
            x.update(zip(column, _spread(column, wanted, widths, gap)))
    return x


def _spread(column: Sequence[Any], wanted: Sequence[float], widths: dict[Any, float], gap: float) -> list[float]:
    """Return positions as near to ``wanted`` as order and gaps allow: neighbours that collide move as one."""
    blocks: list[list[Any]] = []  # [sum of targets, count, members' offsets]
    offset = 0.0
    previous = 0.0
    for k, item in enumerate(column):
        half = widths.get(item, gap / 2) / 2
        offset = offset + previous + gap + half if k else 0.0
        previous = half
        blocks.append([wanted[k] - offset, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    offsets = [0.0]
    for left, right in pairwise(column):
        offsets.append(offsets[-1] + widths.get(left, gap / 2) / 2 + gap + widths.get(right, gap / 2) / 2)
    levels = [total / count for total, count in blocks for _ in range(count)]
    return [level + step for level, step in zip(levels, offsets)]
