"""The same numbers as statsmodels and DoubleML, given the same nuisances and folds."""

from __future__ import annotations

import numpy as np
import pytest

from whence.data import simulate
from whence.effects import estimate
from whence.effects.aipw import from_nuisances
from whence.effects.crossfit import cross_fit
from whence.effects.dml import plr_from_nuisances
from whence.effects.estimation import sample_of
from whence.effects.identification import Identification
from whence.effects.iv import reduced_form, wald_score
from whence.effects.nuisance import logistic_model
from whence.effects.residuals import residual_check
from whence.graph import Graph

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def statsmodels():
    pytest.importorskip("statsmodels.api", reason="compares with statsmodels, of the extra 'peers'")
    import statsmodels.api

    return statsmodels.api


@pytest.fixture
def doubleml():
    return pytest.importorskip("doubleml", reason="compares with DoubleML, of the extra 'peers'", exc_type=ImportError)


def covariates(table):
    return np.column_stack([table.columns[name] for name in table.covariates])


def test_slope_and_error_of_hc3(statsmodels):
    table = simulate.treatment_outcome(300, treatment="continuous", noise="laplace", random_state=0)
    design = statsmodels.add_constant(np.column_stack([table.columns["T"], covariates(table)]))
    peer = statsmodels.OLS(table.columns["Y"], design).fit(cov_type="HC3", use_t=True)
    effect = estimate(table.data, None, "T", "Y", adjustment=table.covariates, method="regression")
    assert effect.estimate == pytest.approx(peer.params[1])
    assert effect.standard_error == pytest.approx(peer.bse[1])
    assert effect.interval == pytest.approx(tuple(peer.conf_int()[1]))
    assert effect.p_value == pytest.approx(peer.pvalues[1], abs=1e-12)


def test_own_slopes_are_the_interactions_with_centred_covariates(statsmodels):
    table = simulate.treatment_outcome(300, heterogeneity=0.5, random_state=1)
    centred = covariates(table) - covariates(table).mean(axis=0)
    treated = table.columns["T"]
    design = statsmodels.add_constant(np.column_stack([treated, centred, treated[:, None] * centred]))
    peer = statsmodels.OLS(table.columns["Y"], design).fit(cov_type="HC3")
    effect = estimate(table.data, None, "T", "Y", adjustment=table.covariates, method="regression")
    assert effect.estimate == pytest.approx(peer.params[1])
    assert effect.standard_error >= peer.bse[1]  # theirs takes the covariates' means for known


def test_two_stage_least_squares(statsmodels):
    from statsmodels.sandbox.regression.gmm import IV2SLS

    table = simulate.treatment_outcome(400, treatment="continuous", instrument=1.0, hidden=1.0, random_state=2)
    columns = table.columns
    edges = ["X1 -> Z", "Z -> T", "T -> Y", "T <-> Y", "X1 -> Y", "X1 -> T"]
    effect = estimate(table.data, Graph.from_edges(edges, kind="ADMG"), "T", "Y")
    assert (effect.estimator, effect.identification.conditioning) == ("iv", ("X1",))
    exogenous = statsmodels.add_constant(columns["X1"])
    peer = IV2SLS(
        columns["Y"],
        np.column_stack([columns["T"], exogenous]),
        np.column_stack([columns["Z"], exogenous]),
    ).fit()
    assert effect.estimate == pytest.approx(peer.params[0])
    sample = sample_of(table.data, effect.identification)
    assert wald_score(reduced_form(sample)).value == pytest.approx(peer.params[0])


def test_reset_statistic(statsmodels):
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    y = x + 0.3 * x**2 + rng.normal(size=400)
    fit = statsmodels.OLS(y, statsmodels.add_constant(x)).fit()
    wider = np.column_stack([statsmodels.add_constant(x), fit.fittedvalues**2, fit.fittedvalues**3])
    peer = statsmodels.OLS(y, wider).fit(cov_type="HC3", use_t=True).f_test(np.eye(4)[2:])
    check = residual_check(y, fit.fittedvalues, judge=True)
    assert check is not None
    assert check.statistic == pytest.approx(float(peer.fvalue))
    assert check.passed is False


def same_folds(table, learner="linear"):
    names = tuple(sorted(table.covariates))
    found = Identification("T", "Y", True, "adjustment", "", adjustment=names, minimal=names)
    sample = sample_of(table.data, found)
    nuisances, record = cross_fit(sample, learner=learner, repeats=1, random_state=0)
    folds = nuisances[0].folds
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]
    return sample, nuisances, record, splits


def test_partially_linear_model(doubleml):
    from sklearn.linear_model import LinearRegression

    table = simulate.treatment_outcome(500, treatment="continuous", random_state=4)
    sample, nuisances, record, splits = same_folds(table)
    data = doubleml.DoubleMLData.from_arrays(sample.covariates, sample.outcome, sample.treatment)
    peer = doubleml.DoubleMLPLR(data, LinearRegression(), LinearRegression(), n_folds=5, draw_sample_splitting=False)
    peer.set_sample_splitting([splits])
    peer.fit()
    ours = plr_from_nuisances(sample, nuisances, record).primary
    assert ours.value == pytest.approx(float(peer.coef[0]))
    assert ours.standard_error == pytest.approx(float(peer.se[0]))


@pytest.mark.parametrize(("population", "score"), [("all", "ATE"), ("treated", "ATTE")])
def test_interactive_model(doubleml, population, score):
    from sklearn.linear_model import LinearRegression

    table = simulate.treatment_outcome(800, heterogeneity=0.5, random_state=5)
    sample, nuisances, record, splits = same_folds(table)
    data = doubleml.DoubleMLData.from_arrays(sample.covariates, sample.outcome, sample.treatment)
    peer = doubleml.DoubleMLIRM(
        data, LinearRegression(), logistic_model(), n_folds=5, score=score, draw_sample_splitting=False
    )
    peer.set_sample_splitting([splits])
    peer.fit()
    ours = from_nuisances("dml-irm", sample, nuisances, population, record, normalise=False).primary
    assert ours.value == pytest.approx(float(peer.coef[0]), rel=1e-6)
    assert ours.standard_error == pytest.approx(float(peer.se[0]), rel=1e-6)
