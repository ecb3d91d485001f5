"""Drawings: valid XML that holds every name and mark, whatever the names are, and the same each time."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph import truth
from tests.graph.test_formats import graphs
from whence.errors import GraphError, ParameterError
from whence.graph import Graph
from whence.graph.drawing import BOX_HEIGHT, COLOURS

SVG = "{http://www.w3.org/2000/svg}"


def parts(svg, kind):
    return [group for group in ET.fromstring(svg).iter(f"{SVG}g") if group.get("class") == kind]


def printable(name):
    """Return a name as XML can hold it: control characters are replaced."""
    return "".join("\ufffd" if (ord(c) < 32 and c not in "\t\n\r") or c in "\ufffe\uffff" else c for c in name)


@settings(deadline=None, max_examples=80)
@given(graphs())
def test_a_drawing_is_xml_with_every_name_and_edge(graph):
    svg = graph.to_svg()
    nodes, edges = parts(svg, "node"), parts(svg, "edge")
    assert [node.get("data-name") for node in nodes] == [printable(name) for name in graph.names]
    assert [node.find(f"{SVG}title").text for node in nodes] == [printable(name) for name in graph.names]
    assert [(e.get("data-source"), e.get("data-target")) for e in edges] == [
        (printable(e.source), printable(e.target)) for e in graph.edges()
    ]
    assert graph.to_svg() == svg


ATTACK = '"><script>alert(1)</script><img src=x onerror="alert(2)">&'


def test_names_titles_and_identifiers_cannot_break_out():
    graph = Graph.from_edges([(ATTACK, "b")])
    svg = graph.to_svg(title=ATTACK, identifier=ATTACK)
    tree = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= {
        "svg", "style", "g", "path", "polygon", "circle", "rect", "text", "title",
    }  # fmt: skip
    assert not any(name.startswith("on") for element in tree.iter() for name in element.attrib)
    assert "<script" not in svg
    assert parts(svg, "node")[0].get("data-name") == ATTACK
    assert tree.get("aria-label") == ATTACK
    assert "<script" not in graph._repr_html_()


# edge: arrowheads and circles drawn
MARKS = {
    "a -> b": (1, 0),
    "a --- b": (0, 0),
    "a <-> b": (2, 0),
    "a o-> b": (1, 1),
    "a o-o b": (0, 2),
    "a --o b": (0, 1),
}


@pytest.mark.parametrize("text", MARKS)
def test_each_mark_is_drawn_at_its_end(text):
    svg = Graph.from_edges([text], names="ab", kind="PAG").to_svg()
    (edge,) = parts(svg, "edge")
    heads, circles = edge.findall(f"{SVG}polygon"), edge.findall(f"{SVG}circle")
    assert (len(heads), len(circles)) == MARKS[text]
    assert edge.find(f"{SVG}title").text == text
    if text == "a -> b":
        tip = float(heads[0].get("points").split()[0].split(",")[1])
        box = parts(svg, "node")[1].find(f"{SVG}rect")
        assert 0 <= float(box.get("y")) - tip < 6


def test_the_marks_of_a_bow_are_all_drawn_on_two_lines():
    edges = parts(Graph.from_edges(["a -> b", "a <-> b"], kind="ADMG").to_svg(), "edge")
    assert [len(edge.findall(f"{SVG}polygon")) for edge in edges] == [1, 2]
    lines = {edge.find(f"{SVG}path").get("d") for edge in edges}
    assert len(lines) == 2


@dataclass
class Share:
    adjacency: float


class Confidence:
    def edge(self, a, b):
        return Share(1.0 if "a" in (a, b) else 0.25)


def test_confidence_is_weight():
    edges = parts(Graph.from_edges(["a -> b", "b -> c"]).to_svg(confidence=Confidence()), "edge")
    widths = [float(edge.find(f"{SVG}path").get("stroke-width")) for edge in edges]
    assert widths[0] > 2 * widths[1]
    assert float(edges[0].get("opacity")) > float(edges[1].get("opacity"))
    assert edges[1].find(f"{SVG}title").text == "b -> c, in 25% of bootstrap draws"


def test_roles_are_shown_by_colour_and_word():
    graph = Graph.from_edges(["age -> dose", "dose -> pain"])
    svg = graph.to_svg(highlight={"dose": "treatment", "pain": "outcome"})
    words = [node.find(f"{SVG}text[@class='role']") for node in parts(svg, "node")]
    assert [word.text if word is not None else None for word in words] == [None, "treatment", "outcome"]
    assert COLOURS["treatment"] in svg
    with pytest.raises(GraphError, match="no node 'doze'"):
        graph.to_svg(highlight={"doze": "treatment"})
    with pytest.raises(ParameterError, match=r"no role 'hero'.*'treatment'"):
        graph.to_svg(highlight={"dose": "hero"})


def boxes(svg):
    found = {}
    for node in parts(svg, "node"):
        rect = node.find(f"{SVG}rect")
        found[node.get("data-name")] = tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
    return found


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([0.1, 0.3, 0.6]))
def test_causes_stand_above_effects_and_boxes_never_overlap(seed, p, density):
    graph = truth.random_admg(p, density, np.random.default_rng(seed))
    svg = graph.to_svg()
    placed = boxes(svg)
    for edge in graph.edges():
        if edge.is_directed:
            assert placed[edge.source][1] + BOX_HEIGHT < placed[edge.target][1]
    for (x, y, width, height), (u, v, other_width, other_height) in combinations(placed.values(), 2):
        assert x + width <= u or u + other_width <= x or y + height <= v or v + other_height <= y
    wide, high = (float(ET.fromstring(svg).get(key)) for key in ("width", "height"))
    for x, y, width, height in placed.values():
        assert x >= 0
        assert y >= 0
        assert x + width <= wide + 0.5
        assert y + height <= high + 0.5


def test_long_names_are_shortened_to_read_and_whole_to_hover():
    name = "a very long name of a column that nobody can draw"
    (node, _) = parts(Graph.from_edges([(name, "b")]).to_svg(), "node")
    assert node.findall(f"{SVG}text")[-1].text == "a very long name of a…"
    assert node.find(f"{SVG}title").text == name


def test_nothing_and_much_can_be_drawn():
    assert parts(Graph.from_edges([]).to_svg(), "node") == []
    assert len(parts(Graph.from_edges([], names=[f"X{k}" for k in range(30)]).to_svg(), "node")) == 30
    rng = np.random.default_rng(0)
    dense = Graph.from_adjacency([f"X{k}" for k in range(60)], np.triu(rng.random((60, 60)) < 0.08, k=1))
    start = time.perf_counter()
    assert len(parts(dense.to_svg(), "edge")) == len(dense.edges())
    assert time.perf_counter() - start < 20
    large = Graph.from_edges([f"X{k} -> X{k + 1}" for k in range(100)])
    assert large._repr_html_().startswith("<p>DAG with 101 nodes")


def test_a_drawing_is_the_same_in_every_process():
    code = (
        "from whence.graph import Graph; import hashlib;"
        "g = Graph.from_edges(['a -> c', 'b -> c', 'c <-> d', 'a -> d', 'd -> e', 'a -> e', 'f -> e'], kind='ADMG');"
        "print(hashlib.sha256(g.to_svg().encode()).hexdigest())"
    )
    seen = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                       env={"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(seen) == 1
