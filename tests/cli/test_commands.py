"""The commands as a user runs them: exit codes, one JSON object, the same answer as the library's."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from tests.cli.bad_input import called, good_table, run, write_csv
from whence.cli import show
from whence.cli.files import free_report_name, read_graph, write_graph
from whence.data import simulate
from whence.errors import DataError, GraphError, ParameterError
from whence.graph import Graph
from whence.results import CheckResult


def whence(*arguments, cwd):
    return called(arguments, cwd)


def test_the_module_is_the_command(tmp_path):
    command = [sys.executable, "-m", "whence", "analyze", "absent.csv"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("whence: ")
    assert len(finished.stderr.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("cli") / "trial.csv", good_table(400))


def test_analyze_prints_one_json_object(table, tmp_path):
    arguments = [str(table), "--treatment", "dose", "--outcome", "cure", "--tiers", "age < dose < cure"]
    finished = run([*arguments, "--budget", "10s", "--json", "--report", "r.html"], tmp_path)
    assert finished.returncode == 0, finished.stderr
    payload = json.loads(finished.stdout)
    assert payload["schema_version"] == 1
    assert {"from", "to", "mark_from", "mark_to", "confidence"} <= set(payload["graph"]["edges"][0])
    effect = payload["effect"]
    assert effect["identified"]
    assert effect["interval"][0] < 2.0 < effect["interval"][1]
    assert effect["adjustment"] == ["age"]
    assert {"name", "passed", "detail"} <= set(payload["refutations"][0])
    assert (tmp_path / payload["report"]).read_text().startswith("<!doctype html>")


def test_not_identified_is_exit_code_3(table, tmp_path):
    graph = Graph.from_edges(["dose -> cure", "dose <-> cure", "age -> cure"], kind="ADMG")
    (tmp_path / "graph.dagitty").write_text(graph.to_dagitty())
    asked = ["--treatment", "dose", "--outcome", "cure", "--graph", "graph.dagitty"]
    finished = whence("estimate", str(table), *asked, cwd=tmp_path)
    assert finished.returncode == 3
    assert finished.stdout == ""
    assert "not identified" in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1


def test_not_identified_as_json_is_one_object(table, tmp_path):
    (tmp_path / "graph.txt").write_text("dag { dose -> cure\n dose <-> cure\n age -> cure }")
    asked = ["--treatment", "dose", "--outcome", "cure", "--graph", "graph.txt", "--json"]
    finished = whence("estimate", str(table), *asked, cwd=tmp_path)
    payload = json.loads(finished.stdout)
    effect = payload["effect"]
    assert finished.returncode == 3
    assert (effect["treatment"], effect["outcome"], effect["identified"]) == ("dose", "cure", False)
    assert "dose <-> cure" in effect["reason"]
    assert payload["error"]["code"] == "E430"
    assert len(finished.stderr.strip().splitlines()) == 1


BAD = {
    "an absent column": (["profile", "TABLE", "--drop", "weight"], "E123", "'weight'"),
    "an absent file": (["estimate", "absent.csv", "--treatment", "dose"], "E106", "absent.csv"),
    "an unknown option": (["discover", "TABLE", "--nope"], "E342", "--nope"),
    "no processor": (["discover", "TABLE", "--jobs", "0"], "E342", "--jobs"),
    "no number": (["discover", "TABLE", "--draws", "abc"], "E342", "--draws"),
    "fewer draws than none": (["discover", "TABLE", "--draws", "-5"], "E313", "-5"),
    "an unknown family": (["methods", "--family", "nope"], "E301", "'nope'"),
    "a kind without a column": (["profile", "TABLE", "--kind", "categorical"], "E112", "categorical"),
    "an open quote": (["profile", "TABLE", "--drop", '"age'], "E251", "open quote"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_as_json_is_one_object(case, table, tmp_path):
    arguments, code, words = BAD[case]
    arguments = [str(table) if word == "TABLE" else word for word in arguments]
    finished = whence(*arguments, "--json", cwd=tmp_path)
    error = json.loads(finished.stdout)["error"]
    assert (finished.returncode, error["code"]) == (2, code)
    assert words in error["problem"]
    assert error["remedy"]
    assert len(finished.stderr.strip().splitlines()) == 1
    assert "error" in json.loads(whence("schema", cwd=tmp_path).stdout)["properties"]


def test_no_draws_are_allowed_and_said_so(table, tmp_path):
    finished = whence("discover", str(table), "--draws", "-5", cwd=tmp_path)
    assert "0 for none" in finished.stderr
    assert whence("discover", str(table), "--draws", "0", cwd=tmp_path).returncode == 0


def test_columns_with_any_name_are_adjusted_for_and_left_out(tmp_path):
    columns = good_table(300)
    odd = {"age, y": columns["age"], 'dose "d"': columns["dose"], "cure": columns["cure"], "id": list(range(300))}
    path = str(write_csv(tmp_path / "odd.csv", odd))
    asked = ["--treatment", 'dose "d"', "--outcome", "cure", "--adjust", '"age, y"', "--json"]
    assert json.loads(whence("estimate", path, *asked, cwd=tmp_path).stdout)["effect"]["adjustment"] == ["age, y"]
    asked = ["--drop", '"age, y",id', "--kind", "cure=continuous", "--tiers", '"dose ""d""" < cure', "--json"]
    found = json.loads(whence("discover", path, *asked, "--draws", "0", cwd=tmp_path).stdout)["graph"]
    assert found["nodes"] == ['dose "d"', "cure"]
    assert [(edge["from"], edge["to"]) for edge in found["edges"]] == [('dose "d"', "cure")]


def test_the_report_is_named_after_the_data_and_replaces_only_reports(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert free_report_name("trial.csv") == "trial-report.html"
    assert free_report_name("3 files part-*.parquet") == "3-files-part-report.html"
    (tmp_path / "trial-report.html").write_text("mine")
    asked = ["--treatment", "dose", "--outcome", "cure", "--tiers", "age < dose < cure", "--budget", "5s"]
    finished = run([str(table), *asked], tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "trial-report.html").read_text() == "mine"
    assert "trial-report-2.html" in finished.stdout
    assert free_report_name("trial.csv") == "trial-report-2.html"
    assert "report into the current folder" in whence("analyze", "--help", cwd=tmp_path).stdout


def test_a_folder_that_is_not_there_is_not_made(table, tmp_path):
    for option, name in (("--report", "r.html"), ("--save", "s.whence")):
        finished = whence("analyze", str(table), option, str(tmp_path / "absent" / name), cwd=tmp_path)
        assert finished.returncode == 2
        assert "[E110]" in finished.stderr
        assert "absent" in finished.stderr
    assert not (tmp_path / "absent").exists()


def test_a_direction_that_is_ruled_out_is_an_effect_of_zero(tmp_path):
    rng = np.random.default_rng(0)
    dose = rng.normal(size=300)
    path = write_csv(tmp_path / "two.csv", {"dose": dose.tolist(), "cure": (dose + rng.normal(size=300)).tolist()})
    finished = run(
        [str(path), "--treatment", "dose", "--outcome", "cure", "--require", "cure -> dose", "--json"], tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    effect = json.loads(finished.stdout)["effect"]
    assert (effect["estimate"], effect["interval"]) == (0.0, [0.0, 0.0])


@pytest.mark.parametrize("ending", [".dot", ".gml", ".json", ".dagitty", ".txt"])
def test_a_graph_is_read_in_every_format_it_is_written_in(ending, tmp_path):
    graph = Graph.from_edges(["age -> dose", "age -> cure", "dose -> cure"])
    path = str(tmp_path / f"graph{ending}")
    write_graph(SimpleNamespace(graph=graph, confidence=None), path)
    assert read_graph(path) == graph


def test_a_graph_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    (tmp_path / "graph.json").write_text('{"nodes": [\n"a",,]}')
    with pytest.raises(GraphError, match="line 2"):
        read_graph(str(tmp_path / "graph.json"))
    (tmp_path / "graph.dot").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"graph\.dot.*not text"):
        read_graph(str(tmp_path / "graph.dot"))
    (tmp_path / "graph.txt").write_text("dag { age -> ")
    with pytest.raises(GraphError, match=r"graph\.txt.*DAGitty"):
        read_graph(str(tmp_path / "graph.txt"))
    with pytest.raises(DataError, match="absent"):
        read_graph(str(tmp_path / "absent.dot"))
    (tmp_path / "graph.xml").write_text("<graph/>")
    with pytest.raises(ParameterError, match=r"\.xml"):
        read_graph(str(tmp_path / "graph.xml"))


@pytest.mark.parametrize("command", ["profile", "discover"])
def test_profile_and_discover_speak_json(command, table, tmp_path):
    finished = whence(command, str(table), "--json", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["command"] == command


def test_estimate_with_an_adjustment_set(table, tmp_path):
    finished = whence(
        "estimate", str(table), "--treatment", "dose", "--outcome", "cure", "--adjust", "age", "--json", cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    low, high = json.loads(finished.stdout)["effect"]["interval"]
    assert low < 2.0 < high


def test_lists_and_pages(tmp_path):
    assert "53" in whence("systems", cwd=tmp_path).stdout
    assert "boss" in whence("methods", "--family", "search", cwd=tmp_path).stdout
    listed = json.loads(whence("methods", "--family", "search", "--json", cwd=tmp_path).stdout)["details"]["methods"]
    assert {card["family"] for card in listed} == {"search"}
    assert "disk" in whence("explain", "e110", cwd=tmp_path).stdout
    assert whence("explain", "E000", cwd=tmp_path).returncode == 2
    assert json.loads(whence("schema", cwd=tmp_path).stdout)["title"] == "Payload"
    assert whence("--version", cwd=tmp_path).stdout.strip() == "0.1.0"


def test_import_is_light(tmp_path):
    code = (
        "import sys, whence; heavy = {'torch', 'sklearn', 'duckdb', 'numba', 'pandas', 'numpy'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_the_terminal_says_everything_once(capsys):
    said = CheckResult("overlap", "Overlap", False, "Few rows of one arm are like the other's.")
    found = SimpleNamespace(
        sentence=lambda: "An effect.", warnings=(said.sentence, "Something else."), diagnostics=(said,), refutations=()
    )
    show.effect(found)
    printed = " ".join(re.sub("[│┃]", " ", capsys.readouterr().out).split())
    assert printed.count("Few rows") == 1
    assert printed.count("Something else.") == 1


def test_settings_of_a_search_and_the_index_of_cd_nod(tmp_path):
    drawn = simulate.changing_chain(300, random_state=1).data
    path = write_csv(tmp_path / "drift.csv", {name: drawn.to_arrow()[name].to_pylist() for name in drawn.names})
    asked = ("--method", "cd-nod", "--index", "time", "--setting", "phases=[1, 2]", "--setting", "alpha=0.01", "--json")
    found = json.loads(whence("discover", str(path), *asked, cwd=tmp_path).stdout)
    assert found["details"]["parameters"]["alpha"] == 0.01
    assert found["details"]["parameters"]["index"] == "time"
    assert any("No bootstrap" in warning for warning in found["warnings"])
    refused = whence("discover", str(path), "--setting", "alpha", cwd=tmp_path)
    assert refused.returncode == 2
    assert "NAME=VALUE" in refused.stderr


@pytest.mark.slow  # waits until the search is on its way
def test_an_interrupted_search_prints_what_it_found(tmp_path):
    drawn = simulate.linear_scm(simulate.random_dag(120, degree=4.0, random_state=0), 300, random_state=0).data
    path = write_csv(tmp_path / "wide.csv", {name: drawn.to_arrow()[name].to_pylist() for name in drawn.names})
    command = [sys.executable, "-m", "whence", "discover", str(path), "--method", "boss", "--draws", "0"]
    with subprocess.Popen(
        [*command, "--setting", "restarts=100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(25)
        process.send_signal(signal.SIGINT)
        told, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in told
    assert "Edges (boss" in told
    assert "Traceback" not in said
