"""The commands as a user runs them: exit codes, one JSON object, the same answer as the library's."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.cli.bad_input import good_table, run, write_csv
from whence.cli.files import read_graph, write_graph
from whence.errors import DataError, GraphError, ParameterError
from whence.graph import Graph


def whence(*arguments, cwd):
    command = [sys.executable, "-m", "whence", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


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
