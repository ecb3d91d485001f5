"""Speed of motion forecasting: cutting windows, simulating crossings, forecasting.

Windows of all files of ETH-UCY, beside the published way (every agent looked up in every window, in Python), which is
written out below; crossings of two and of eight agents; forecasts for 1,000 agents.

    python -m benchmarks.motion --data DIR        # DIR holds the places: eth/train/*.txt ...

Without ``--data`` the windows are those of simulated tracks of the same size. Processor time in one thread; for
forecasts also the time on the clock with a thread on each processor. Writes ``results/motion.json``.
"""

from __future__ import annotations

import argparse
import math
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from reproductions import machine
from threadpoolctl import threadpool_limits

import whence as wh
from whence.results import write_json
from whence.systems.motion import CausalMotionForecaster, Scenes, read_eth_ucy, simulate_orca

RESULTS = Path(__file__).parent / "results" / "motion.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # biwi_eth and its time step
    import torch

    torch.set_num_threads(1)
    with threadpool_limits(1):
        simulate_orca(2, 0.3, random_state=0)  # compiles
        rows = [*windows(options.data), *crossings(), *forecasts()]
    for row in rows:
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    write_json(options.out, {"whence": wh.__version__, "machine": machine(), "times": rows})


def windows(data: Path | None) -> list[dict[str, Any]]:
    """Time reading and cutting, and cutting alone beside the published way on the busiest recording."""
    tracks = busiest(data)
    found = []
    if data is not None:
        files = sorted(data.glob("*/*/*.txt"))
        seconds, scenes = timed(lambda: [read_eth_ucy(path) for path in files], 3)
        agents = sum(part.n_agents for part in scenes)
        found.append({"what": "all files of ETH-UCY, read and cut", "files": len(files), "agents": agents, **seconds})
    ours, scenes = timed(lambda: cut(tracks), 3)
    theirs, listed = timed(lambda: list(published_windows(tracks)), 1)
    assert len(listed) == len(scenes)
    assert np.allclose(np.concatenate(listed), scenes.positions)
    ratio = round(theirs["seconds"] / ours["seconds"], 1)
    what = "one busy recording, cut" if data is not None else "simulated tracks, cut"
    found.append({"what": what, "rows": len(tracks), **ours, "published way": theirs["seconds"], "ratio": ratio})
    return found


def busiest(data: Path | None) -> np.ndarray:
    """Return rows of frame, agent, x and y: students001 if there is data, else 400 walkers on a clock."""
    if data is not None:
        return np.loadtxt(data / "univ" / "test" / "students001.txt")
    rng = np.random.default_rng(0)
    parts = []
    for agent in range(400):
        frames = 10 * (int(rng.integers(0, 400)) + np.arange(int(rng.integers(20, 80))))
        walk = np.cumsum(rng.normal(0.3, 0.05, (len(frames), 2)), axis=0)
        parts.append(np.column_stack([frames, np.full(len(frames), agent), walk]))
    return np.concatenate(parts)


def cut(tracks: np.ndarray) -> Scenes:
    table = {"frame": tracks[:, 0], "agent": tracks[:, 1], "x": tracks[:, 2], "y": tracks[:, 3]}
    import pyarrow as pa

    return Scenes.from_dataframe(pa.table(table))


def published_windows(tracks: np.ndarray, length: int = 20) -> Any:
    """Yield positions (agents, 20, 2) window by window, agent by agent, as the published loaders do."""
    frames = np.unique(tracks[:, 0]).tolist()
    by_frame = [tracks[tracks[:, 0] == frame] for frame in frames]
    for first in range(len(frames) - length + 1):
        inside = np.concatenate(by_frame[first : first + length])
        kept = []
        for agent in np.unique(inside[:, 1]):
            rows = np.around(inside[inside[:, 1] == agent], 4)
            begin, end = frames.index(rows[0, 0]) - first, frames.index(rows[-1, 0]) - first + 1
            if end - begin == length and len(rows) == length:
                kept.append(rows[:, 2:])
        if len(kept) > 1:
            yield np.stack(kept)


def crossings() -> list[dict[str, Any]]:
    found = []
    for agents, count in ((2, 1000), (8, 200)):
        seconds, _ = timed(
            lambda agents=agents, count=count: simulate_orca(count, 0.3, agents=agents, random_state=0), 3
        )
        each = round(1000 * seconds["seconds"] / count, 3)
        found.append({"what": f"crossings of {agents} agents", "scenes": count, **seconds, "milliseconds each": each})
    return found


def forecasts() -> list[dict[str, Any]]:
    """Time forecasts for 1,000 agents in scenes of 5, with reference scenes and without, and on all processors."""
    known = simulate_orca(64, (0.1, 0.3), agents=5, random_state=0)
    test = simulate_orca(200, 0.2, agents=5, random_state=1)
    reference = simulate_orca(64, 0.2, agents=5, random_state=2)
    found = []
    for backbone in ("mlp", "lstm", "stgat", "pecnet"):
        model = CausalMotionForecaster(backbone=backbone, steps=8, batch=16).fit(known, progress=False)
        for what, given in (("the mean style", None), ("a reference of 64 scenes", reference)):
            call = partial(model.predict, test, given)
            seconds, threaded = timed(call, 5)[0], on_all_processors(call, 5)
            found.append({"what": f"forecast of 1,000 agents in {what}", "backbone": backbone, **seconds, **threaded})
    return found


def on_all_processors(call: Callable[[], Any], times: int) -> dict[str, float]:
    """Return the least time on the clock of some calls with a thread on each processor."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    least = math.inf
    for _ in range(times):
        started = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - started)
    torch.set_num_threads(1)
    return {"on the clock, all processors": round(least, 4)}


def timed(call: Callable[[], Any], times: int) -> tuple[dict[str, float], Any]:
    """Return the least processor time of some calls, and what the last returned."""
    least, result = math.inf, None
    for _ in range(times):
        started = time.process_time()
        result = call()
        least = min(least, time.process_time() - started)
    return {"seconds": round(least, 4)}, result


if __name__ == "__main__":
    main()
