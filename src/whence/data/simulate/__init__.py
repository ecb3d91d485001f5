"""Simulated tables with a known truth.

Every simulator returns the table together with the graph, the coefficients and the effects behind it, in
the units of the returned columns. Columns are standardised unless asked otherwise, and every simulation
reports how far its scales give away the causal order (`var_sortability`, `r2_sortability`).
"""

from __future__ import annotations

from whence.data.simulate.changing import (
    ChangingSimulation,
    changing_chain,
    changing_confounder,
    changing_forms,
    changing_pair,
    smooth_driver,
)
from whence.data.simulate.dags import causal_order, node_names, random_dag
from whence.data.simulate.damage import add_measurement_error, hide_variables, lose_cells
from whence.data.simulate.discrete import discrete_scm, mixed_scm
from whence.data.simulate.domains import domains_scm
from whence.data.simulate.expression import (
    Constant,
    Logistic,
    MichaelisMenten,
    Probit,
    Truncation,
    drop_out,
    expression_scm,
)
from whence.data.simulate.groups import exchangeable_scm
from whence.data.simulate.linear import linear_scm
from whence.data.simulate.noise import NOISES, draw_noise
from whence.data.simulate.nonlinear import nonlinear_scm
from whence.data.simulate.series import SeriesSimulation, var_process
from whence.data.simulate.simulation import Simulation
from whence.data.simulate.sortability import r2_sortability, var_sortability
from whence.data.simulate.treatments import TreatmentSimulation, treatment_outcome

__all__ = [
    "NOISES",
    "ChangingSimulation",
    "Constant",
    "Logistic",
    "MichaelisMenten",
    "Probit",
    "SeriesSimulation",
    "Simulation",
    "TreatmentSimulation",
    "Truncation",
    "add_measurement_error",
    "causal_order",
    "changing_chain",
    "changing_confounder",
    "changing_forms",
    "changing_pair",
    "discrete_scm",
    "domains_scm",
    "draw_noise",
    "drop_out",
    "exchangeable_scm",
    "expression_scm",
    "hide_variables",
    "linear_scm",
    "lose_cells",
    "mixed_scm",
    "node_names",
    "nonlinear_scm",
    "r2_sortability",
    "random_dag",
    "smooth_driver",
    "treatment_outcome",
    "var_process",
    "var_sortability",
]
