"""Motion forecasting that stays right when the place changes: scenes, simulator, forecaster, metrics.

Examples
--------
>>> from whence.systems.motion import simulate_orca
>>> simulate_orca(2, 0.3, random_state=0)
Scenes(2 scenes, 4 agents, 8 observed + 12 future steps of 0.4 s, domains: 0.3)
"""

from __future__ import annotations

from whence.systems.motion.drawing import Drawing, draw_scene
from whence.systems.motion.forecast import Forecast
from whence.systems.motion.forecaster import CausalMotionForecaster
from whence.systems.motion.metrics import ade, best_of_k, collision_rate, constant_velocity, fde
from whence.systems.motion.orca import run_orca, simulate_orca, simulate_switch
from whence.systems.motion.readers import read_eth_ucy, read_scenes, read_sdd, read_trajnet
from whence.systems.motion.scenes import Scenes

__all__ = [
    "CausalMotionForecaster",
    "Drawing",
    "Forecast",
    "Scenes",
    "ade",
    "best_of_k",
    "collision_rate",
    "constant_velocity",
    "draw_scene",
    "fde",
    "read_eth_ucy",
    "read_scenes",
    "read_sdd",
    "read_trajnet",
    "run_orca",
    "simulate_orca",
    "simulate_switch",
]
