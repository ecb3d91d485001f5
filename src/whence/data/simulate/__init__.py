"""Simulated tables with a known truth.

Every simulator returns the table together with the graph, the coefficients and the effects behind it, in
the units of the returned columns. Columns are standardised unless asked otherwise, and every simulation
reports how far its scales give away the causal order (`var_sortability`, `r2_sortability`).
"""

from __future__ import annotations

from whence.data.simulate.dags import causal_order, node_names, random_dag
from whence.data.simulate.linear import linear_scm
from whence.data.simulate.noise import NOISES, draw_noise
from whence.data.simulate.simulation import Simulation
from whence.data.simulate.sortability import r2_sortability, var_sortability

__all__ = [
    "NOISES",
    "Simulation",
    "causal_order",
    "draw_noise",
    "linear_scm",
    "node_names",
    "r2_sortability",
    "random_dag",
    "var_sortability",
]
