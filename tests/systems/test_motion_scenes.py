"""Scenes, windows, readers and frames: counts by hand, exact inverses, errors that name what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whence.errors import DataError, ParameterError
from whence.systems.motion import Scenes, read_eth_ucy, read_scenes, read_sdd, read_trajnet
from whence.systems.motion.benchmark import SpuriousChannel, read_places
from whence.systems.motion.frame import heading_frames, pair_frames
from whence.systems.motion.resample import resample_tracks
from whence.systems.motion.views import nearest_neighbours, views_of


def windows_by_hand(frames: list[int], agents: list[int], length: int, least: int) -> list[tuple[int, list[int]]]:
    """Return the first frame and the agents of every window, by loops over frames and agents."""
    seen = set(zip(frames, agents))
    found = []
    for first in sorted(set(frames)):
        inside = [a for a in sorted(set(agents)) if all((first + k, a) in seen for k in range(length))]
        if len(inside) >= least:
            found.append((first, inside))
    return found


@given(
    rows=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 3)), min_size=1),
    length=st.integers(2, 4),
    least=st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_windows_are_those_of_loops_over_frames_and_agents(rows: set[tuple[int, int]], length: int, least: int) -> None:
    listed = list(rows)
    frames, agents = [row[0] for row in listed], [row[1] for row in listed]
    table = pd.DataFrame({"frame": frames, "agent": agents, "x": frames, "y": agents})
    expected = windows_by_hand(frames, agents, length, least)
    settings_ = {"observed": 2, "future": length - 2, "min_agents": least, "frame_step": 1}
    if not expected:
        with pytest.raises(DataError):
            Scenes.from_dataframe(table, **settings_)
        return
    scenes = Scenes.from_dataframe(table, **settings_)
    found = [
        (int(frame), [int(a) for a in scenes.agents[begin:end]])
        for frame, begin, end in zip(scenes.frames, scenes.starts[:-1], scenes.starts[1:])
    ]
    assert found == expected
    assert np.array_equal(scenes.positions[..., 0], scenes.frames[scenes.scene_of_agent][:, None] + np.arange(length))
    assert np.array_equal(scenes.positions[..., 1], np.repeat(scenes.agents[:, None].astype(float), length, axis=1))


def two_walks(frames: int = 24, step: float = 10.0) -> pd.DataFrame:
    rows = [(f * step, a, 0.5 * f, 2.0 * a) for f in range(frames) for a in (0, 1)]
    return pd.DataFrame(rows, columns=["frame", "agent", "x", "y"])


def test_every_library_and_order_of_rows_gives_the_same_scenes() -> None:
    table = two_walks()
    plain = Scenes.from_dataframe(table)
    shuffled = Scenes.from_dataframe(table.sample(frac=1.0, random_state=0))
    other = Scenes.from_dataframe(pl.from_pandas(table))
    assert len(plain) == 5
    for scenes in (shuffled, other):
        assert np.array_equal(scenes.positions, plain.positions)


def test_recordings_are_not_crossed_and_name_the_domain() -> None:
    parts = [two_walks().assign(place=place) for place in ("hall", "square")]
    scenes = Scenes.from_dataframe(pd.concat(parts), scene="place")
    assert sorted(scenes.domains.tolist()) == ["hall"] * 5 + ["square"] * 5
    assert len(scenes.of("hall")) == 5


def test_choosing_joining_and_alone() -> None:
    walks = [np.full((agents, 20, 2), float(agents)) for agents in (1, 3, 2)]
    scenes = Scenes.from_tracks(walks, domains=["a", "b", "b"])
    assert scenes[[2, 0]].counts.tolist() == [2, 1]
    assert scenes[1].positions.tolist() == walks[1].tolist()
    again = Scenes.concatenate([scenes[:1], scenes[1:]])
    assert np.array_equal(again.positions, scenes.positions)
    assert again.domains.tolist() == scenes.domains.tolist()
    assert scenes.each_agent().counts.tolist() == [1] * 6
    assert scenes.only_past().steps_ahead == 0
    with pytest.raises(ValueError, match="read-only"):
        scenes.positions[0, 0, 0] = 1.0


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda t: t.assign(x=t["x"].where(t.index != 3)), "E620", "row 3"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "E621", "stands twice"),
        (lambda t: t[t["frame"] < 100], "E622", "longest track"),
        (lambda t: t.assign(frame=t["frame"] + (t["frame"] % 30 == 0) * 4.0), "E623", "not evenly"),
        (lambda t: t[t["agent"] == 0], "E626", "2 agents"),
        (lambda t: t.rename(columns={"agent": "person"}), "E123", "agent"),
        (lambda t: t.assign(y="far"), "E103", "'y'"),
        (lambda t: t.iloc[:0], "E622", "no rows"),
        (lambda t: "tracks.csv", "E105", "str"),
        (lambda t: t.assign(agent=None), "E620", "'agent'"),
    ],
)
def test_errors_say_what_is_wrong(change, code: str, word: str) -> None:
    with pytest.raises(DataError) as caught:
        Scenes.from_dataframe(change(two_walks()))
    assert caught.value.code == code
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("tracks", "settings_", "code"),
    [
        ([], {}, "E622"),
        ([np.zeros((2, 20))], {}, "E625"),
        ([np.zeros((2, 20, 2)), np.zeros((2, 19, 2))], {}, "E625"),
        ([np.zeros((2, 7, 2))], {}, "E625"),
        ([np.full((2, 20, 2), np.nan)], {}, "E620"),
        ([np.zeros((2, 20, 2))], {"domains": ["a", "b"]}, "E625"),
        ([np.zeros((2, 20, 2))], {"dt": 0.0}, "E623"),
        ([np.zeros((2, 20, 2))], {"channels": np.zeros((2, 7, 1))}, "E625"),
    ],
)
def test_tracks_that_do_not_fit(tracks: list, settings_: dict, code: str) -> None:
    with pytest.raises(DataError) as caught:
        Scenes.from_tracks(tracks, **settings_)
    assert caught.value.code == code


def test_gaps_break_windows_and_a_runner_is_noticed() -> None:
    table = two_walks(40)
    gap = table[~((table["agent"] == 1) & (table["frame"] == 200.0))]
    assert len(Scenes.from_dataframe(table)) == 21
    assert Scenes.from_dataframe(gap).frames.tolist() == [0]  # the only window before the gap, and none fits after it
    fast = Scenes.from_dataframe(table.assign(x=2.0 * table["x"]))
    assert "2.50 m/s" in fast.warnings[0]
    assert not Scenes.from_dataframe(table).warnings


# ---- readers ---------------------------------------------------------------------------------------------------------


def test_eth_ucy_and_trajnet_read_the_same_tracks(tmp_path: Path) -> None:
    table = two_walks()
    (tmp_path / "place.txt").write_text("\n".join(f"{r.frame}\t{r.agent}\t{r.x}\t{r.y}" for r in table.itertuples()))
    lines = [json.dumps({"scene": {"id": 0, "p": 0, "s": 0, "e": 190}})]
    lines += [json.dumps({"track": {"f": r.frame, "p": r.agent, "x": r.x, "y": r.y}}) for r in table.itertuples()]
    lines.append(json.dumps({"track": {"f": 0, "p": 0, "x": 9, "y": 9, "prediction_number": 0, "scene_id": 0}}))
    (tmp_path / "place.ndjson").write_text("\n".join(lines))
    table.to_csv(tmp_path / "place.csv", index=False)
    expected = Scenes.from_dataframe(table)
    for name in ("place.txt", "place.ndjson", "place.csv"):
        scenes = read_scenes(tmp_path / name)
        assert np.array_equal(scenes.positions, expected.positions), name
    assert read_trajnet(tmp_path / "place.ndjson", domain="here").domains.tolist() == ["here"] * 5


def test_biwi_eth_warns_and_is_mended(tmp_path: Path) -> None:
    walk = [(10 * f, a, 1.37 * (2 / 3) * f, float(a)) for f in range(40) for a in (1, 2)]  # a step is two thirds of a s
    path = tmp_path / "biwi_eth.txt"
    path.write_text("\n".join("\t".join(map(str, row)) for row in walk))
    with pytest.warns(UserWarning, match="wrong time step"):
        assert "wrong time step" in read_eth_ucy(path).warnings[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mended = read_eth_ucy(path, eth_time_fix=True)
    speed = np.linalg.norm(np.diff(mended.positions, axis=1), axis=2) / 0.4
    assert np.allclose(speed, 1.37, atol=1e-3)
    assert not mended.warnings


def test_resampling_to_the_same_step_changes_nothing() -> None:
    table = two_walks(8)
    columns = [table[name].to_numpy() for name in ("frame", "agent")]
    frame, agent, places = resample_tracks(*columns, table[["x", "y"]].to_numpy(), dt=0.4, new_dt=0.4)
    order = np.lexsort((frame, agent))
    assert np.allclose(places[order], table.sort_values(["agent", "frame"])[["x", "y"]].to_numpy())
    assert sorted(set(frame)) == list(range(8))


def test_sdd_drops_lost_boxes_and_names_bands(tmp_path: Path) -> None:
    rows = []
    for track, speed in ((0, 0.5), (1, 1.5), (2, 1.0)):  # pixels a frame; the last is in no band
        for frame in range(0, 20 * 12 + 1, 6):
            x, lost = 100 + speed * frame, int(frame == 6)
            rows.append(f'{track} {x - 5} 45 {x + 5} 55 {frame} {lost} 0 0 "Pedestrian"')
    path = tmp_path / "annotations.txt"
    path.write_text("\n".join(rows))
    scenes = read_sdd(path)
    assert sorted(scenes.domains.tolist()) == ["0.25-0.75 px/frame", "1.25-1.75 px/frame"]
    assert scenes.counts.tolist() == [1, 1]
    assert len(read_scenes(path, bands=None)) == 3
    assert np.allclose(read_sdd(path, scale=0.5).positions, scenes.positions / 2)
    with pytest.raises(DataError, match="mean speed"):
        read_sdd(path, bands=[(7.0, 8.0)])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "1 2 3"),
        ("a.txt", "1 2 x 4"),
        ("a.txt", ""),
        ("a.ndjson", "{"),
        ("a.ndjson", '{"track": {"f": 1}}'),
        ("a.ndjson", '{"scene": {}}'),
        ("annotations.txt", "0 1 2 3"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*no data.*:UserWarning")
def test_files_that_do_not_follow_their_format(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        read_scenes(tmp_path / name)
    assert caught.value.code == "E624"


def test_files_and_formats_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_scenes(tmp_path / "none.txt")
    (tmp_path / "a.txt").write_text("0 1 2 3")
    with pytest.raises(ParameterError, match="csv3"):
        read_scenes(tmp_path / "a.txt", "csv3")  # type: ignore[arg-type]


def test_places_of_the_leave_one_out_protocol(tmp_path: Path) -> None:
    text = "\n".join(f"{r.frame}\t{r.agent}\t{r.x}\t{r.y}" for r in two_walks().itertuples())
    names = (
        "biwi_hotel",
        "students001",
        "students003",
        "uni_examples",
        "crowds_zara01",
        "crowds_zara02",
        "crowds_zara03",
    )
    (tmp_path / "eth" / "train").mkdir(parents=True)
    for name in names:
        (tmp_path / "eth" / "train" / f"{name}_train.txt").write_text(text)
    places = read_places(tmp_path, test="eth", split="train")
    assert {name: len(scenes) for name, scenes in places.items()} == {"hotel": 5, "univ": 15, "zara1": 5, "zara2": 10}
    with pytest.raises(DataError, match="biwi_eth_train"):
        read_places(tmp_path, test="hotel", split="train")


def test_the_spurious_channel_is_that_of_its_formula() -> None:
    rng = np.random.default_rng(0)
    scenes = Scenes.from_tracks(rng.normal(size=(1, 2, 20, 2)))
    steps = np.diff(scenes.positions, axis=1, prepend=scenes.positions[:, :1])
    for t in (0, 7):
        change = np.linalg.norm(steps[:, t + 8] - steps[:, t], axis=1)
        assert np.allclose(SpuriousChannel(4.0)(scenes).channels[:, t, 0], 4.0 * (change + 1.0))


# ---- frames ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd() -> Scenes:
    rng = np.random.default_rng(1)
    return Scenes.from_tracks([rng.normal(size=(agents, 20, 2)).cumsum(axis=1) for agents in (1, 2, 5, 3)])


def test_frames_are_left_exactly_and_moves_of_the_world_do_not_show(crowd: Scenes) -> None:
    angle, shift = 0.7, np.array([3.0, -2.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = crowd.with_positions(crowd.positions @ turn.T + shift)
    for frame in ("pair", "heading"):
        here, there = views_of(crowd, frame, 2), views_of(moved, frame, 2)
        for part in ("own", "others", "pace", "gaps"):
            assert np.allclose(getattr(here, part), getattr(there, part), atol=1e-9), (frame, part)
        assert np.allclose(there.frames.leave(there.own), moved.past, atol=1e-12)
    one, two = crowd.past[1:2], crowd.past[2:3]
    pair = pair_frames(one, two)
    assert np.allclose(pair.enter(one)[:, -1] + pair.enter(two)[:, -1], 0.0, atol=1e-12)
    assert np.allclose(pair.enter(two)[0, -1, 1], 0.0, atol=1e-12)
    still = np.zeros((1, 8, 2))
    assert heading_frames(still).axis.tolist() == [[1.0, 0.0]]


def test_neighbours_are_those_of_a_full_search(crowd: Scenes) -> None:
    places = crowd.past[:, -1]
    near, seen = nearest_neighbours(places, crowd.starts, 3)
    for agent, scene in enumerate(crowd.scene_of_agent):
        others = [b for b in range(crowd.starts[scene], crowd.starts[scene + 1]) if b != agent]
        others.sort(key=lambda b: float(np.linalg.norm(places[b] - places[agent])))
        assert near[agent][seen[agent]].tolist() == others[:3]


# ---- without PyTorch ------------------------------------------------------------------------------------------------


def test_without_pytorch_scenes_work_and_forecasters_say_what_is_missing() -> None:
    code = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else found(name, *rest)
from whence.errors import MissingExtra
from whence.systems.motion import CausalMotionForecaster, constant_velocity, simulate_orca
scenes = simulate_orca(2, 0.3, random_state=0)
assert constant_velocity(scenes).shape == (4, 12, 2)
try:
    CausalMotionForecaster().fit(scenes)
except MissingExtra as error:
    assert "whence[nn]" in str(error), error
else:
    raise SystemExit("no error")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
