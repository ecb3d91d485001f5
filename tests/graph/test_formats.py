"""Formats: every graph comes back from every format, and texts as other programs write them are understood."""

from __future__ import annotations

import contextlib
import json
import warnings

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence.errors import GraphError, ParameterError
from whence.graph import Edge, Graph, Mark

TAIL, ARROW, CIRCLE = Mark.TAIL, Mark.ARROW, Mark.CIRCLE
JOINS = {
    "DAG": ["->"],
    "CPDAG": ["->", "---"],
    "PDAG": ["->", "---"],
    "ADMG": ["->", "<->", "bow"],
    "MAG": ["->", "<->"],
    "PAG": ["->", "<->", "---", "o->", "o-o", "--o"],
}
ENDS = {
    "->": (TAIL, ARROW), "<->": (ARROW, ARROW), "---": (TAIL, TAIL),
    "o->": (CIRCLE, ARROW), "o-o": (CIRCLE, CIRCLE), "--o": (TAIL, CIRCLE),
}  # fmt: skip
ODD_NAMES = [
    "a,b", "semi;colon", 'say "hi"', "it's", "[brackets]", "{braces}", "<tag>", "a -> b", "x --> y", "o-o", "-", "->",
    "50% & more", "back\\slash", "ends in \\", "new\nline", "carriage\rreturn", "tab\tbed", "😀", "体重", "größe",
    "1", "1. a --> b", "Graph Edges:", "(latent)", "graph", "node", "edge", "subgraph", "dag", "a=b", "a:b", "#no",
    "// no", "/* no */", " spaces ", "&amp;", "&#65;", "\\n", "\u2028", "\x85", "\x1c", "\x0b", "é", "@", "}",
    "\x00", "NUL\x01", "x" * 300,
]  # fmt: skip

any_name = st.sampled_from(ODD_NAMES) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def graphs(draw, kinds=tuple(JOINS)):
    kind = draw(st.sampled_from(kinds))
    names = draw(st.lists(any_name, min_size=1, max_size=6, unique=True))
    edges = []
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            join = draw(st.sampled_from([None, *JOINS[kind]]))
            if join == "bow":
                edges += [Edge(a, b, TAIL, ARROW), Edge(a, b, ARROW, ARROW)]
            elif join:
                edges.append(Edge(a, b, *ENDS[join]))
    order = draw(st.permutations(names))
    try:
        return Graph.from_edges(edges, names=order, kind=kind)
    except GraphError:
        if kind != "MAG":
            raise
        return Graph.from_edges([], names=order, kind=kind)  # the edges are not ancestral


def as_text(graph):
    return sorted(map(str, graph.edges()))


@settings(deadline=None, max_examples=150)
@given(graphs())
def test_formats_that_hold_everything_return_the_same_graph(graph):
    assert Graph.from_dict(json.loads(json.dumps(graph.to_dict()))) == graph
    assert Graph.from_networkx(graph.to_networkx()) == graph
    assert Graph.from_dot(graph.to_dot()) == graph
    assert Graph.from_gml(graph.to_gml()) == graph


@settings(deadline=None, max_examples=150)
@given(graphs())
def test_formats_without_kinds_return_names_and_marks(graph):
    for again in (Graph.from_dagitty(graph.to_dagitty()), Graph.from_tetrad(graph.to_tetrad())):
        assert again.names == graph.names
        assert as_text(again) == as_text(graph)
    said = {"CPDAG": {"PDAG", "DAG"}, "ADMG": {"ADMG", "DAG"}}.get(graph.kind, {graph.kind})
    assert Graph.from_dagitty(graph.to_dagitty()).kind in said


def test_a_search_result_that_is_not_ancestral_is_read_as_a_pag():
    for edges in (["a <-> b", "b --- c"], ["a -> b", "b -> c", "a <-> c", "d --- e"]):
        graph = Graph.from_edges(edges, kind="PAG")
        assert Graph.from_tetrad(graph.to_tetrad()) == graph


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_gml_is_what_networkx_reads(graph):
    read = Graph.from_networkx(networkx.parse_gml(graph.to_gml()))
    assert read == graph
    written = "\n".join(networkx.generate_gml(graph.to_networkx()))
    assert as_text(Graph.from_gml(written)) == as_text(graph)


def test_dot_is_what_pydot_reads():
    pydot = pytest.importorskip("pydot")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its parser is built with deprecated calls
        import pydot.dot_parser
    graph = Graph.from_edges([("a b", "c,d"), ("c,d", 'e"f'), ("größe", "a b")])
    parsed = pydot.graph_from_dot_data(graph.to_dot())[0]
    assert [node.get_name() for node in parsed.get_nodes()] == ['"a b"', '"c,d"', r'"e\"f"', '"größe"']
    assert Graph.from_dot(parsed.to_string()) == graph
    pag = Graph.from_edges(["a o-> b", "b -> c", "c o-o d"], kind="PAG")
    for one in (graph.subgraph(["a b", "c,d", "größe"]), pag):
        assert as_text(Graph.from_dot(networkx.nx_pydot.to_pydot(one.to_networkx()).to_string())) == as_text(one)


# As written by hand, by graphviz's users, DoWhy, causal-learn and Tetrad.
DOT = {
    "digraph { a -> b -> c; d }": ("DAG", ["a -> b", "b -> c"]),
    "digraph{a->b}": ("DAG", ["a -> b"]),
    'strict digraph "my graph" {\n  rankdir=LR;\n  node [shape=box];\n  "dose" -> "pain" [label="+", color=red]\n}': (
        "DAG",
        ["dose -> pain"],
    ),
    "digraph { {a b} -> c; subgraph cluster_0 { label=x; c -> d } }": ("DAG", ["a -> c", "b -> c", "c -> d"]),
    'digraph {U[label="Unobserved"]; U->x; U->y; x->y;}': ("DAG", ["U -> x", "U -> y", "x -> y"]),
    "graph { a -- b; b -- c }": ("PDAG", ["a --- b", "b --- c"]),
    "digraph { a -> b [dir=both]; b -> c }": ("ADMG", ["a <-> b", "b -> c"]),
    "digraph { a -> b [dir=back] }": ("DAG", ["b -> a"]),
    "digraph { a -> b [dir=none]; b -> c }": ("PDAG", ["a --- b", "b -> c"]),
    "digraph { edge [dir=none]; a -> b; b -> c [dir=forward] }": ("PDAG", ["a --- b", "b -> c"]),
    "digraph { a -> b [arrowhead=none] }": ("PDAG", ["a --- b"]),
    'digraph g {\n"X1" -> "X2" [arrowtail=odot, arrowhead=normal, dir=both]; // circle\n}': ("PAG", ["X1 o-> X2"]),
    'digraph { 0 [label="dose"]; 1 [label="pain"]; 0 -> 1 [dir=both, arrowtail=none, arrowhead=normal] }': (
        "DAG",
        ["dose -> pain"],
    ),
    "# preprocessor\ndigraph { /* a\n comment */ a:p -> b:q:n [weight=-1.5]; 1 -> .5 }": ("DAG", ["a -> b", "1 -> .5"]),
    "digraph { a [label=<<b>bold</b>>]; a -> b; }": ("DAG", ["a -> b"]),
    "digraph CPDAG { a -> b [dir=none] }": ("CPDAG", ["a --- b"]),
    "DIGRAPH { größe -> 体重 }": ("DAG", ["größe -> 体重"]),
    "digraph { }": ("DAG", []),
}


@pytest.mark.parametrize("text", DOT)
def test_dot_of_other_programs_is_read(text):
    graph = Graph.from_dot(text)
    assert (graph.kind, [str(edge) for edge in graph.edges()]) == DOT[text]


DAGITTY = {
    "dag { a -> b ; b <- c }": ("DAG", ["a -> b", "c -> b"]),
    "dag{a->b}": ("DAG", ["a -> b"]),
    "dag { x -> y -> z ; x <-> z }": ("ADMG", ["x -> y", "x <-> z", "y -> z"]),
    "dag { {x m} -> y -> {u v} }": ("DAG", ["x -> y", "m -> y", "y -> u", "y -> v"]),
    # As dagitty.net writes it.
    'dag {\nbb="-2.4,-2.9,2.3,2.9"\n"D 2" [pos="-0.3,1.5"]\nA [exposure,pos="-2.2,-1.5"]\nB [latent,pos="1.4,-1.4"]\n'
    'D [outcome,pos="1.4,1.6"]\nA -> "D 2" [pos="-0.7,-1.0"]\nB -> A\nB -> D\n"D 2" -> D\n}\n': (
        "DAG",
        ["D 2 -> D", "A -> D 2", "B -> A", "B -> D"],
    ),
    "pdag { a -- b ; b -> c }": ("PDAG", ["a --- b", "b -> c"]),
    "mag { a -> b ; b <-> c }": ("MAG", ["a -> b", "b <-> c"]),
    "pag { a @-> b ; b @-@ c ; d --@ c ; e <-@ c}": ("PAG", ["a o-> b", "b o-o c", "d --o c", "c o-> e"]),
    "graph { a -- b }": ("PDAG", ["a --- b"]),
    'dag my.graph { X.1 [pos="1,]2"] ; X.1 -> Y_2 }': ("DAG", ["X.1 -> Y_2"]),
    "DAG { a }": ("DAG", []),
}


@pytest.mark.parametrize("text", DAGITTY)
def test_dagitty_of_other_programs_is_read(text):
    graph = Graph.from_dagitty(text)
    assert graph.kind == DAGITTY[text][0]
    assert {str(edge) for edge in graph.edges()} == set(DAGITTY[text][1])


TETRAD = {
    "Graph Nodes:\nX1;X2;X3\n\nGraph Edges:\n1. X1 --> X2\n2. X3 --> X2\n": ("DAG", ["X1 -> X2", "X3 -> X2"]),
    "Graph Nodes:\nX1,X2,X3\n\nGraph Edges:\n1. X1 --- X2\n2. X2 --> X3": ("PDAG", ["X1 --- X2", "X2 -> X3"]),
    "Graph Nodes:\r\nX1;(L1)\r\n\r\nGraph Edges:\r\n1. L1 --> X1 dd nl\r\n": ("DAG", ["L1 -> X1"]),
    "Graph Nodes:\nblood pressure;dose\n\nGraph Edges:\n1. dose --> blood pressure pd\n": (
        "DAG",
        ["dose -> blood pressure"],
    ),
    "Graph Nodes:\nA;B;C;D\n\nGraph Edges:\n1. A o-> B\n2. B o-o C\n3. C <-> D\n": (
        "PAG",
        ["A o-> B", "B o-o C", "C <-> D"],
    ),
    "Graph Nodes:\nA;B;C\n\nGraph Edges:\n1. A <-> B\n2. A --> B\n3. B <-- C\n": (
        "ADMG",
        ["A -> B", "A <-> B", "C -> B"],
    ),
    "Graph Nodes:\nA;B\n\nGraph Edges:\n1. A --> B [A --> B]:0.9;[no edge]:0.1;\n\nGraph Attributes:\nBIC: -12.5\n\n"
    "Graph Node Attributes:\nBIC: [A: -1;B: -2]\n": ("DAG", ["A -> B"]),
    "Graph Nodes:\nA;B\n\nGraph Edges:\n1. A --- B\n\nAmbiguous triples (i.e. list of triples for which there is "
    "ambiguous data about whether they are colliders or not): \n": ("PDAG", ["A --- B"]),
    "Graph Nodes:\nA\n\nGraph Edges:\n": ("DAG", []),
}


@pytest.mark.parametrize("text", TETRAD)
def test_tetrad_text_of_other_programs_is_read(text):
    graph = Graph.from_tetrad(text)
    assert (graph.kind, [str(edge) for edge in graph.edges()]) == TETRAD[text]


GML = {
    # DoWhy's form: ids are texts.
    'graph[directed 1 node[id "Z" label "Z"] node[id "X" label "X"] edge[source "Z" target "X"]]': ("DAG", ["Z -> X"]),
    'Creator "yEd"\ngraph [\n  directed 1\n  node [\n id 5\n label "dose"\n graphics [ x 1.5e2 y -3 type "oval" ]\n ]\n'
    '  node [ id 7 label "pain" ]\n  edge [ source 5 target 7 graphics [ Line [ point [ x 0 y 0 ] ] ] ]\n]': (
        "DAG",
        ["dose -> pain"],
    ),
    "graph [ node [ id 1 ] node [ id 2 ] edge [ source 2 target 1 ] ]": ("DAG", ["2 -> 1"]),
    'graph [ directed 0 node [ id 0 label "a&amp;b" ] node [ id 1 label "&#8364;" ] edge [ source 0 target 1 ] ]': (
        "PDAG",
        ["a&b --- €"],
    ),
    "# a comment\ngraph [ ]": ("DAG", []),
}


@pytest.mark.parametrize("text", GML)
def test_gml_of_other_programs_is_read(text):
    graph = Graph.from_gml(text)
    assert (graph.kind, [str(edge) for edge in graph.edges()]) == GML[text]


def test_networkx_graphs_of_other_origin_are_read():
    plain = networkx.DiGraph([(1, 2), (2, "three")])
    assert as_text(Graph.from_networkx(plain)) == ["1 -> 2", "2 -> three"]
    assert Graph.from_networkx(networkx.path_graph(3)).kind == "PDAG"
    with pytest.raises(GraphError, match="directed cycle"):
        Graph.from_networkx(networkx.DiGraph([(1, 2), (2, 3), (3, 1)]))
    with pytest.raises(GraphError, match="'1' occur more than once"):
        Graph.from_networkx(networkx.DiGraph([(1, "1")]))
    odd = networkx.DiGraph()
    odd.add_edge("a", "b", mark_from="star")
    with pytest.raises(GraphError, match=r"no edge mark 'star'.*'tail'"):
        Graph.from_networkx(odd)


# text, the reader, and what the error says
MALFORMED = {
    "dot, no brace": ("digraph {\n a -> b", "dot", "line 2 of the DOT text .*the text ends where"),
    "dot, no end of an edge": ("digraph {\n a -> ;\n}", "dot", "line 2 .*';' stands there where word or quoted"),
    "dot, open quote": ('digraph {\n\n "a -> b;\n}', "dot", "line 3 .*is not understood"),
    "dot, open list": ("digraph { a [x=\n}", "dot", "line 2 "),
    "dot, more after the end": ("digraph { a }\n}", "dot", "line 2 .*the graph has ended"),
    "dot, not dot": ("hello", "dot", "not in the DOT language"),
    "dot, empty": ("", "dot", "not in the DOT language"),
    "dagitty, not dagitty": ("digraf { a -> b }", "dagitty", "not in the DAGitty language"),
    "dagitty, half an edge": ("dag {\na -> b\nb > c\n}", "dagitty", "line 3 of the DAGitty text"),
    "dagitty, edge without end": ("dag {\na ->\n}", "dagitty", "line 3 .*'}' stands there"),
    "dagitty, open quote": ('dag {\n"a -> b\n}', "dagitty", "line 2 "),
    "dagitty, no brace": ("dag {\na -> b\n", "dagitty", "line 3 .*the text ends"),
    "tetrad, not tetrad": ("X1 --> X2", "tetrad", "not a Tetrad graph"),
    "tetrad, no nodes": ("Graph Edges:\n1. A --> B\n", "tetrad", "line 2 .*does not join two of the nodes"),
    "tetrad, unknown node": ("Graph Nodes:\nA;B\nGraph Edges:\n1. A --> C\n", "tetrad", "line 4 of the Tetrad text"),
    "tetrad, unknown edge": ("Graph Nodes:\nA;B\nGraph Edges:\n1. A ==> B\n", "tetrad", "line 4 "),
    "tetrad, no number": ("Graph Nodes:\nA;B\nGraph Edges:\nA --> B\n", "tetrad", "line 4 .*not a numbered edge"),
    "tetrad, open quote": ('Graph Nodes:\nA;"B\nGraph Edges:\n', "tetrad", "line 2 .*not a list of names"),
    "gml, open list": ("graph [\n node [ id 0 ]\n", "gml", "line 3 of the GML text .*the text ends where key"),
    "gml, no id": ('graph [\n node [ label "a" ]\n]', "gml", "line 2 .*'id' is missing"),
    "gml, no end": ("graph [ node [ id 0 ]\n edge [ source 0 ]\n]", "gml", "line 2 .*'target' is missing"),
    "gml, unknown end": ("graph [ node [ id 0 ]\n edge [ source 0 target 4 ] ]", "gml", "line 2 .*names '4'"),
    "gml, an id twice": ("graph [ node [ id 0 ]\nnode [ id 0 ] ]", "gml", "line 2 .*'0' is given a second time"),
    "gml, no graph": ("node [ id 0 ]", "gml", "not a GML graph"),
    "gml, no list": ("graph 3", "gml", "not a GML graph"),
    "gml, odd letters": ("graph [\n%\n]", "gml", "line 2 .*'%' is not understood"),
    "gml, unknown mark": (
        'graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 mark_to "star" ] ]',
        "gml",
        "no edge mark 'star'",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_text_is_refused_with_its_line(case):
    text, reader, message = MALFORMED[case]
    with pytest.raises(GraphError, match=message) as caught:
        getattr(Graph, f"from_{reader}")(text)
    assert caught.value.code in ("E212", "E214")


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["dot", "dagitty", "tetrad", "gml"]), graphs(), st.integers(0, 400), st.text(max_size=3))
def test_damaged_text_is_read_or_refused_and_never_breaks(reader, graph, place, damage):
    text = getattr(graph, f"to_{reader}")()
    place = min(place, len(text))
    with contextlib.suppress(GraphError, ParameterError):
        getattr(Graph, f"from_{reader}")(text[:place] + damage + text[place + len(damage) :])


def test_documents_that_are_no_graph_say_what_is_missing():
    good = Graph.from_edges(["a -> b"]).to_dict()
    assert good["schema_version"] == 1
    for change, message in [
        ({"edges": None}, "lacks or misstates"),
        ({"nodes": None}, "lacks or misstates"),
        ({"edges": ["a -> b"]}, "lacks or misstates"),
        ({"edges": [{"from": "a", "to": "b", "mark_from": "tail"}]}, "'mark_to'"),
        ({"edges": [{"from": "a", "to": "b", "mark_from": "tail", "mark_to": "star"}]}, "'star'"),
        ({"edges": [{"from": 1, "to": ["b"], "mark_from": "tail", "mark_to": "arrow"}]}, "names that are not text"),
        ({"nodes": ["a", "c"]}, "name 'b'"),
        ({"schema_version": 99}, "schema version 99; this release reads 1"),
    ]:
        with pytest.raises(GraphError, match=message):
            Graph.from_dict({**good, **change})
    for document in ({}, [], None, "graph"):
        with pytest.raises(GraphError, match="not a graph"):
            Graph.from_dict(document)
