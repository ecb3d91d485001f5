"""`whence motion`: from files of tracks to a forecaster, forecasts, an adapted one and a report."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from whence.cli.commands import app  # noqa: E402
from whence.errors import DataError  # noqa: E402
from whence.systems.motion import Scenes, simulate_orca  # noqa: E402

torch.set_num_threads(1)


def write_tracks(scenes: Scenes, path: Path) -> Path:
    """Write scenes as one recording: each begins where the one before ended, with agents of its own."""
    steps = scenes.positions.shape[1]
    scene, agent = np.repeat(scenes.scene_of_agent, steps), np.repeat(np.arange(scenes.n_agents), steps)
    frame = 10 * (scene * (steps + 5) + np.tile(np.arange(steps), scenes.n_agents))
    x, y = scenes.positions.reshape(-1, 2).T
    pd.DataFrame({"frame": frame, "agent": agent, "x": x, "y": y}).to_csv(path, index=False)
    return path


def run(*words: object) -> str:
    done = CliRunner().invoke(app, ["motion", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tracks")
    known = simulate_orca(12, (0.1, 0.5), random_state=0)
    made = {f"r{name}": write_tracks(known.of(name), folder / f"r{name}.csv") for name in ("0.1", "0.5")}
    made["new"] = write_tracks(simulate_orca(12, 0.3, random_state=1), folder / "new.csv")
    made["model"] = folder / "model"
    run("fit", made["r0.1"], made["r0.5"], "--out", made["model"], "--steps", 5)
    return made


def test_forecasts_are_written(files: dict[str, Path], tmp_path: Path) -> None:
    said = run("predict", files["model"], files["new"], "--reference", files["r0.5"], "--out", tmp_path / "f.csv")
    assert "agents" in said
    with (tmp_path / "f.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"scene", "domain", "agent", "sample", "time", "x", "y"}
    assert {row["domain"] for row in rows} == {"new"}
    assert len(rows) == 12 * 2 * 13 * 12  # scenes, agents, windows of 8 in 20 frames, future steps
    run("predict", files["model"], files["new"], "--out", tmp_path / "f.parquet")
    assert len(pd.read_parquet(tmp_path / "f.parquet")) == len(rows)


def test_adapted_forecasters_and_reports_are_written(files: dict[str, Path], tmp_path: Path) -> None:
    assert "12 scenes" in run("adapt", files["model"], files["new"], "--out", tmp_path / "new", "--steps", 3)
    run("report", tmp_path / "new", files["r0.1"], files["r0.5"], files["new"], "--out", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    for words in ("Error as the domain shifts", "Error after adaptation", "what happened", "r0.5", "<svg"):
        assert words in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_bad_files_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        run("predict", files["model"], tmp_path / "none.csv", "--out", tmp_path / "f.csv")
    with pytest.raises(DataError, match="differences between domains"):
        run("fit", files["new"], "--out", tmp_path / "m")
