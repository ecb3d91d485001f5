"""The page as a reader, a browser and an attacker meet it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

import whence as wh
from tests.report.conftest import ODD, trial
from tests.report.reading import Tree, contrast, markdown_tables, outside_fences
from whence.autopilot.study import Decision
from whence.effects.wording import number
from whence.graph import Graph
from whence.report import effect_part, method_part, render_html, render_markdown
from whence.report.graph_part import graph_part
from whence.report.page import build_page
from whence.report.pieces import counted
from whence.report.verdict import verdict_of
from whence.results import CheckResult

SECTIONS = [
    "answer", "overturn", "graph", "effect", "refutations", "data", "assumptions", "choice", "methods", "reproduce",
]  # fmt: skip


def test_every_section_is_there_in_the_order_of_reading(any_study):
    tree = Tree(render_html(any_study))
    assert [name for name in tree.ids if name in SECTIONS] == SECTIONS
    assert len(tree.ids) == len(set(tree.ids))
    for sentence in (any_study.question.text, any_study.answer, *any_study.warnings):
        assert " ".join(sentence.split()) in tree.words
    linked = {attributes["href"] for attributes in tree.all("a")}
    assert linked == {f"#{name}" for name in SECTIONS[1:]}


def test_nothing_is_loaded_from_anywhere(any_study):
    text = render_html(any_study)
    tree = Tree(text)
    for tag, attributes in tree.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "video", "audio", "use", "image")
        assert not {"src", "srcset", "data", "poster", "action", "xlink:href"} & set(attributes)
        assert attributes.get("href", "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    style = "".join(re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL))
    assert "url(" not in style
    assert "@import" not in style


def test_only_the_own_script_may_run(odd_study):
    text = render_html(odd_study)
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert scripts == [(files("whence.report") / "templates" / "report.js").read_text(encoding="utf-8")]
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = next(a["content"] for a in Tree(text).all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_odd_names_are_shown_and_never_run(odd_study):
    tree = Tree(render_html(odd_study))
    assert not tree.all("img")
    assert len(tree.all("script")) == 1
    for name in ODD.values():
        assert name in tree.words
    named = {attributes.get("data-name") for attributes in tree.all("g")}
    assert set(ODD.values()) <= named


def test_names_that_no_file_can_hold_are_replaced():
    names = {"dose": "dose\x00\x1b[31m", "cure": "cure\u009f", "age": "age\u0085", "side": "side\r\nnote"}
    table = {names[name]: values for name, values in trial().items()}
    study = wh.analyze(table, names["dose"], names["cure"], budget="3s")
    for text in (render_html(study), render_markdown(study)):
        text.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
        assert "dose\ufffd" in text


def test_every_drawn_edge_finds_its_evidence(any_study):
    tree = Tree(render_html(any_study))
    drawn = [(a["data-source"], a["data-target"]) for a in tree.all("g") if "edge" in a.get("class", "").split()]
    listed = [(a["data-source"], a["data-target"]) for a in tree.all("tr") if "data-source" in a]
    assert sorted(drawn) == sorted(listed)
    assert len(drawn) == len(any_study.graph.edges())
    assert all(a["tabindex"] == "0" for a in tree.all("g") if "edge" in a.get("class", "").split())


def test_evidence_says_what_the_bootstrap_counted(effect_study):
    evidence = build_page(effect_study).graph.evidence
    for edge, row in zip(effect_study.graph.edges(), evidence.rows):
        seen = effect_study.discovery.confidence.edge(edge.source, edge.target)
        cells = dict(zip(evidence.heads, row))
        assert cells["joined in"] == f"{seen.adjacency:.0%}"
        assert cells["as drawn"] == f"{seen.forward:.0%}"
        assert cells["reversed"] == f"{seen.backward:.0%}"
        assert cells["known beforehand"] == "only this direction allowed"


def test_separating_sets_of_a_constraint_search_are_shown(effect_study):
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=500), rng.normal(size=500)
    middle = first + last + rng.normal(size=500)
    end = middle + rng.normal(size=500)
    table = {"first": first, "last": last, "middle": middle, "end": end}
    found = wh.discovery.PC().fit(table)
    study = replace(effect_study, discovery=found, identification=None, effect=None, judgements=())
    apart = build_page(study).graph.apart
    told = {row[0]: row[1] for row in apart.rows}
    assert apart.heads[1] == "independent given"
    assert told["first · last"].startswith("nothing")
    assert told["first · end"] == "middle"


def test_the_number_is_the_estimate_in_its_units(effect_study, binary_study):
    shown = {figure.label: figure for figure in build_page(effect_study).key_figures}
    assert shown["effect"].value == number(effect_study.effect.estimate)
    assert shown["effect"].note == effect_study.effect.units
    points = {figure.label: figure for figure in build_page(binary_study).key_figures}["effect"]
    assert points.value == number(100 * binary_study.effect.estimate)
    assert points.note == "percentage points"
    assert points.value in binary_study.effect.sentence()


def test_a_figure_that_is_no_comparison_is_not_put_up_large(overlapless_study):
    page = build_page(overlapless_study)
    assert overlapless_study.effect.failed_comparisons
    assert page.verdict.title.startswith("Do not use")
    assert page.verdict.tone == "bad"
    assert page.key_figures == ()
    assert "overlap" in page.verdict.title


def test_verdicts(effect_study, explored_study, range_study, unidentified_study):
    assert verdict_of(effect_study).title == "Defended"
    assert verdict_of(explored_study).title == "Exploratory"
    assert verdict_of(range_study).title == "A range, not a number"
    assert verdict_of(unidentified_study).title == "Not identified"
    effect = effect_study.effect
    broken = CheckResult("subset", "Random subsets", False, "The estimate moves.")
    fragile = replace(effect_study, effect=replace(effect, refutations=(*effect.refutations, broken)))
    judged = sum(check.passed is not None for check in (*effect.diagnostics, *effect.refutations))
    assert verdict_of(fragile).title == f"Fragile: 1 of {judged + 1} checks fails"
    assert "The estimate moves." in build_page(fragile).overturn
    wide = replace(effect_study, effect=replace(effect, interval=(-1.0, 5.0)))
    assert verdict_of(wide).title == "No clear effect"
    unattacked = replace(effect_study, effect=replace(effect, refutations=()))
    assert verdict_of(unattacked).title == "Not attacked"


def test_a_range_and_an_unidentified_effect_say_what_would_settle_them(range_study, unidentified_study):
    page = build_page(range_study)
    assert page.overturn_title == "What would settle it"
    assert any("age — dose" in line or "dose — age" in line for line in page.overturn)
    page = build_page(unidentified_study)
    assert page.overturn
    assert "hidden cause" in page.answers[0]
    assert page.figures == ()


def test_a_large_graph_is_drawn_around_the_question(effect_study):
    names = ["dose", "cure", "age", *(f"other {k}" for k in range(100))]
    graph = wh.graph.Graph.from_edges(["age -> dose", "age -> cure", "dose -> cure"], names=names)
    study = replace(effect_study, discovery=replace(effect_study.discovery, graph=graph, confidence=None, evidence=()))
    part = build_page(study).graph
    assert part.svg.count('class="node"') == 3
    assert any("3 of 103 columns" in sentence for sentence in part.sentences)
    assert len(part.evidence.rows) == 3


def test_the_code_in_the_report_repeats_the_study(effect_study):
    space = {"data": trial()}
    code = build_page(effect_study).command
    exec(code.replace("print(study.digest)", ""), space)
    assert space["study"].digest == effect_study.digest


def test_the_command_line_is_shown_where_there_is_one(effect_study):
    study = replace(effect_study, command="whence analyze trial.csv --treatment dose")
    assert "whence analyze trial.csv --treatment dose" in Tree(render_html(study)).words


def test_markdown_tables_are_whole(any_study):
    tables = markdown_tables(render_markdown(any_study))
    assert len(tables) >= 4
    for table in tables:
        assert len({len(row) for row in table}) == 1
        assert all(re.fullmatch(r"-{3}:?", cell) for cell in table[1])
        assert len(table) > 2


def test_markdown_has_the_sections_of_the_page(any_study):
    text = render_markdown(any_study)
    page = build_page(any_study)
    heads = [line[3:] for line in outside_fences(text) if line.startswith("## ")]
    expected = [
        page.overturn_title, "The graph", page.effect_title, "Attempts to refute it", "The data", "What was assumed",
        "How the method was chosen", "Methods and their sources", "Reproduce it",
    ]  # fmt: skip
    assert heads == (["Read this before you use it"] if page.warnings else []) + expected
    assert any_study.digest in text


def test_markdown_holds_no_live_markup(odd_study):
    lines = "\n".join(outside_fences(render_markdown(odd_study)))
    assert not re.search(r"(?<!\\)<", lines)
    assert not re.search(r"(?<!\\)`", lines)
    assert "\\<img src=x onerror=alert(1)\\>" in lines


def test_the_same_study_gives_the_same_file(effect_study, tmp_path):
    loaded = wh.Study.load(effect_study.save(tmp_path / "trial.whence"))
    assert render_html(effect_study) == render_html(effect_study)
    assert render_html(replace(loaded, seconds=effect_study.seconds)) == render_html(effect_study)
    assert render_markdown(replace(loaded, seconds=effect_study.seconds)) == render_markdown(effect_study)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_words_can_be_read_on_their_backgrounds(mode):
    style = (files("whence.report") / "templates" / "report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root\{(.*?)\}", style, flags=re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", light if mode == "light" else dark))
    for words in ("ink", "soft", "link"):
        for ground in ("paper", "shade", "open"):
            assert contrast(colours[words], colours[ground]) >= 4.5
    for tone in ("good", "bad", "open"):
        assert contrast(colours[f"{tone}-ink"], colours[tone]) >= 4.5
        assert contrast(colours["ink"], colours[tone]) >= 4.5
        assert contrast(colours[f"{tone}-ink"], colours["paper"]) >= 4.5
    for mark in ("blue", "orange"):
        assert contrast(colours[mark], colours["paper"]) >= 3


def test_the_edge_allowed_for_the_question_is_drawn_dotted_and_explained(effect_study):
    graph = Graph.from_edges(["age -> dose", "age -> cure"], names=effect_study.graph.names)
    step = Decision("identify", "allowed the edge dose -> cure", "the search found no path between them")
    study = replace(
        effect_study,
        discovery=replace(effect_study.discovery, graph=graph),
        decisions=(*effect_study.decisions, step),
    )
    part = graph_part(study)
    assert part.svg.count('class="edge allowed"') == 1
    assert 'data-source="dose" data-target="cure"' in part.svg.partition("edge allowed")[2][:200]
    assert any("allowed for the question" in words for _, words in part.legend)
    assert ("dose", "cure") not in part.ends
    assert "edge allowed" not in graph_part(effect_study).svg


def test_edges_without_a_settled_direction_are_dashed(range_study):
    part = graph_part(range_study)
    seen = range_study.discovery.confidence
    edges = range_study.graph.edges()
    unsettled = [e for e in edges if e.is_undirected or seen.edge(e.source, e.target).word == "undetermined"]
    assert unsettled
    assert part.svg.count('class="edge open"') == len(unsettled)
    assert any("does not settle the direction" in words for _, words in part.legend)


def test_a_drawing_wider_than_a_phone_says_so(effect_study):
    hint = "wider than this screen"
    assert (hint in render_html(effect_study)) is graph_part(effect_study).wide
    names = [f"a rather long name {k}" for k in range(6)]
    graph = Graph.from_edges([(name, "cure") for name in names], names=[*names, *effect_study.graph.names])
    wide = replace(effect_study, discovery=replace(effect_study.discovery, graph=graph, confidence=None))
    assert hint in render_html(wide)


def test_single_rows_are_numbered_as_the_errors_number_them(effect_study):
    data = effect_study.effect.figures["influence"]
    figure = next(figure for figure in effect_part.figures(effect_study.effect) if figure.title == "Single rows")
    assert [row[0] for row in figure.table.rows] == [f"{row + 1:,}" for row in data["row"]]
    assert f">row {data['row'][0] + 1:,}<" in figure.svg


def test_things_are_counted_in_words_and_no_heading_is_empty(any_study):
    text = render_html(any_study)
    summaries = re.findall(r"<summary>(.*?)</summary>", text) + re.findall(r'class="kicker">(.*?)</p>', text)
    assert len(summaries) > 3
    assert not any(re.search(r"\b1 (columns|rows|diagnostics|decisions)\b", summary) for summary in summaries)
    assert all(method_part.candidates(any_study).heads)
    assert [counted(k, "row") for k in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_a_search_on_levels_assumes_no_line_and_no_bell_curve(explored_study):
    def said(parameters):
        discovery = replace(explored_study.discovery, method="boss", parameters=parameters)
        return " ".join(build_page(replace(explored_study, discovery=discovery)).assumptions)

    of_numbers, of_levels = said({"score": "gaussian-bic"}), said({"score": "bdeu"})
    for word in ("linear", "Gaussian"):
        assert word in of_numbers
        assert word not in of_levels
    assert "nothing causes itself" in of_levels
