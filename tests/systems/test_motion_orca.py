"""The simulator of crossings: laws of avoidance, a second solver for its linear programs, pairs and switches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from whence.errors import ParameterError
from whence.systems.motion import (
    Scenes,
    ade,
    best_of_k,
    collision_rate,
    constant_velocity,
    fde,
    run_orca,
    simulate_orca,
    simulate_switch,
)
from whence.systems.motion import _kernels_orca as kernels


def closest(scenes: Scenes, agents: int) -> np.ndarray:
    """Return the least distance of any two agents of each scene at the recorded steps."""
    at = scenes.positions.reshape(len(scenes), agents, -1, 2)
    gap = np.linalg.norm(at[:, :, None] - at[:, None], axis=-1)
    gap += 1e3 * np.eye(agents)[None, :, :, None]
    return gap.min(axis=(1, 2, 3))


@pytest.mark.parametrize("agents", [2, 5])
def test_agents_keep_their_distance_and_their_speed(agents: int) -> None:
    scenes = simulate_orca(40, 0.3, agents=agents, random_state=0)
    assert closest(scenes, agents).min() > 0.6 - 0.01
    assert np.linalg.norm(np.diff(scenes.positions, axis=1), axis=2).max() <= 0.4 + 1e-9
    assert closest(simulate_orca(40, 0.5, agents=2, random_state=0), 2).min() > 1.0 - 0.01


def test_one_who_meets_nobody_walks_straight() -> None:
    path = run_orca([[[-4.0, 0.0], [0.0, 40.0]]], [[[4.0, 0.0], [0.0, 80.0]]], 0.3)
    assert np.allclose(path[0, 0, :18, 0], -4.0 + 0.4 * np.arange(18))
    assert 3.0 < path[0, 0, 18, 0] < path[0, 0, 19, 0] < 4.0  # slower within the last metre
    assert np.allclose(path[0, 0, :, 1], 0.0)


def test_mirrored_scenes_are_mirrored() -> None:
    starts = np.random.default_rng(0).normal(size=(5, 3, 2)) * 4
    flip = np.array([1.0, -1.0])
    assert np.allclose(run_orca(starts, -starts, 0.3), flip * run_orca(flip * starts, -flip * starts, 0.3), atol=1e-9)
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = run_orca(starts @ quarter.T, -starts @ quarter.T, 0.3)
    assert np.allclose(turned, run_orca(starts, -starts, 0.3) @ quarter.T, atol=1e-6)


def test_pairs_and_switches_share_what_they_must() -> None:
    scenes = simulate_orca(20, (0.1, 0.5), paired=True, random_state=3)
    near, wide = scenes.of("0.1"), scenes.of("0.5")
    assert np.allclose(near.positions[:, 0], wide.positions[:, 0], atol=1e-9)
    assert not np.allclose(near.positions[:, -1], wide.positions[:, -1], atol=0.05)
    factual, counterfactual = simulate_switch(20, 0.1, 0.5, random_state=3)
    assert np.array_equal(factual.past, counterfactual.past)
    assert ade(factual.future, counterfactual.future) > 0.05
    again = simulate_orca(20, (0.1, 0.5), paired=True, random_state=3)
    assert np.array_equal(again.positions, scenes.positions)


@pytest.mark.parametrize("seed", range(25))
def test_the_velocity_is_the_best_that_the_half_planes_permit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4))
    angle = rng.uniform(0, 2 * np.pi, count)
    planes = np.column_stack([rng.uniform(-0.5, 0.5, (count, 2)), np.cos(angle), np.sin(angle)])
    wish = rng.uniform(-1, 1, 2)
    found = np.empty(2)
    obeyed = kernels.best_velocity(planes, count, 1.0, *wish, False, found)

    def room(v: np.ndarray) -> np.ndarray:  # how far inside each half plane, positive where it is obeyed
        return planes[:, 2] * (v[1] - planes[:, 1]) - planes[:, 3] * (v[0] - planes[:, 0])

    if obeyed == count:
        rules = [{"type": "ineq", "fun": room}, {"type": "ineq", "fun": lambda v: 1.0 - v @ v}]
        starts = [found * 0.0, wish * 0.5, found + 0.01]
        other = min(
            (minimize(lambda v: ((v - wish) ** 2).sum(), start, constraints=rules, method="SLSQP") for start in starts),
            key=lambda solved: solved.fun if room(solved.x).min() > -1e-6 else np.inf,
        )
        assert room(found).min() > -1e-9
        assert np.linalg.norm(found) <= 1.0 + 1e-9
        assert ((found - wish) ** 2).sum() <= other.fun + 1e-5
        return
    kernels.least_violation(planes, count, obeyed, 1.0, found, np.empty((count, 4)))
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, 201),) * 2), axis=-1).reshape(-1, 2)
    grid = grid[(grid**2).sum(axis=1) <= 1.0]
    best = max(room(v).min() for v in grid)
    assert room(found).min() >= best - 0.02


@pytest.mark.parametrize(
    "settings",
    [{"radius": 0.0}, {"radius": (0.1, 0.1)}, {"radius": 2.0}, {"agents": 1}, {"agents": 9}, {"n": 0}, {"horizon": 0}],
)
def test_settings_out_of_range(settings: dict) -> None:
    with pytest.raises(ParameterError) as caught:
        simulate_orca(**{"n": 2, "radius": 0.3, **settings})
    assert caught.value.code == "E633"


# ---- metrics ---------------------------------------------------------------------------------------------------------


def test_errors_by_hand() -> None:
    truth = np.zeros((2, 2, 2))
    forecast = np.array([[[3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 2.0]]])
    assert ade(forecast, truth) == (5 + 0 + 0 + 2) / 4
    assert fde(forecast, truth) == 1.0
    assert ade(np.stack([forecast, truth]), truth) == 7 / 8


def test_the_best_sample_is_chosen_by_scene_not_by_agent() -> None:
    scenes = Scenes.from_tracks(np.zeros((2, 2, 3, 2)), observed=2)  # two scenes of two agents, one future step
    samples = np.zeros((2, 4, 1, 2))
    samples[0, :, 0, 0] = [0.0, 3.0, 1.0, 1.0]  # sums of the scenes: 3 and 2
    samples[1, :, 0, 0] = [2.0, 0.5, 9.0, 9.0]  # 2.5 and 18
    assert best_of_k(samples, scenes) == ((2.5 + 2.0) / 4, (2.5 + 2.0) / 4)


def test_collisions_between_two_steps_are_seen() -> None:
    tracks = np.zeros((1, 3, 10, 2))
    tracks[0, 0, :, 0] = np.arange(10.0)  # meets the second half-way between steps 8 and 9
    tracks[0, 1, :, 0] = 17.0 - np.arange(10.0)
    tracks[0, 2, :, 1] = 50.0
    scenes = Scenes.from_tracks(tracks)
    assert collision_rate(scenes.future, scenes) == pytest.approx(2 / 3)
    assert collision_rate(scenes.future, scenes, touch=1e-6) == 0.0


def test_constant_velocity_goes_on_as_before() -> None:
    walk = np.cumsum(np.full((1, 1, 20, 2), 0.5), axis=2)
    scenes = Scenes.from_tracks(walk)
    assert np.allclose(constant_velocity(scenes), scenes.future)
