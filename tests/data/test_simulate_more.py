"""Nonlinear, discrete, mixed, shifted and damaged tables, series, and treatments with known effects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whence.data import simulate
from whence.errors import DataError

MECHANISMS = ("mlp", "mim", "gp", "sine", "tanh", "quadratic", "additive")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_nonlinear_tables_depend_on_their_parents_and_not_linearly(mechanism):
    simulation = simulate.nonlinear_scm([("x", "y")], 4000, mechanism=mechanism, random_state=2)
    x, y = simulation.values.T
    # Binned means of y over x explain more than a line does, and more than chance would.
    bins = np.digitize(x, np.quantile(x, np.linspace(0, 1, 21)[1:-1]))
    means = np.array([y[bins == level].mean() for level in range(20)])
    binned = means[bins].var() / y.var()
    line = np.corrcoef(x, y)[0, 1] ** 2
    assert binned > 0.05
    assert binned > line + 0.004
    with pytest.raises(DataError, match="total effect"):
        simulation.truth_effect("x", "y")


def test_unknown_mechanisms_and_noises_are_refused():
    for settings in ({"mechanism": "cubic"}, {"noise": "cauchy"}):
        with pytest.raises(DataError) as caught:
            simulate.nonlinear_scm(3, 10, **settings)
        assert caught.value.code == "E152"


@pytest.mark.parametrize("mechanism", ["cpt", "softmax"])
def test_discrete_columns_depend_on_parents_and_on_nothing_else(mechanism):
    p_values = []
    for seed in range(40):
        edges = [("a", "b"), ("c", "d")]
        codes = simulate.discrete_scm(edges, 2000, mechanism=mechanism, random_state=seed).values.astype(int)
        a, b, c, _ = codes.T
        assert stats.chi2_contingency(_crossed(a, b))[1] < 0.2 or mechanism == "cpt"
        p_values.append(stats.chi2_contingency(_crossed(a, c))[1])
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def _crossed(first, second):
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    return table[table.sum(1) > 0][:, table.sum(0) > 0]


def test_a_node_with_too_many_parents_asks_for_softmax():
    edges = [(f"c{number}", "y") for number in range(25)]
    with pytest.raises(DataError, match="softmax"):
        simulate.discrete_scm(edges, 10, random_state=0)
    assert simulate.discrete_scm(edges, 10, mechanism="softmax", random_state=0).values.shape == (10, 26)


def test_mixed_tables_have_both_kinds_and_standardised_numbers():
    simulation = simulate.mixed_scm(20, 2000, share_discrete=0.4, random_state=1)
    smooth = [index for index, name in enumerate(simulation.observed) if name not in simulation.kinds]
    coded = [index for index, name in enumerate(simulation.observed) if name in simulation.kinds]
    assert 3 <= len(coded) <= 13
    np.testing.assert_allclose(simulation.values[:, smooth].std(axis=0), 1)
    assert set(np.unique(simulation.values[:, coded])) <= {0, 1, 2, 3}


@pytest.mark.parametrize("change", ["mean", "weights", "noise"])
def test_only_shifted_variables_change_their_mechanism(change):
    simulation = simulate.domains_scm(8, 30_000, n_domains=3, n_shifted=2, change=change, random_state=4)
    assert len(simulation.shifted) == 2
    labels = simulation.values[:, -1]
    for node, name in enumerate(simulation.names):
        parents = np.flatnonzero(simulation.adjacency[:, node])
        fits = []
        for label in range(3):
            rows = labels == label
            design = np.column_stack([np.ones(rows.sum()), simulation.values[rows][:, parents]])
            target = simulation.values[rows, node]
            fitted = np.linalg.lstsq(design, target, rcond=None)[0]
            fits.append([*fitted, (target - design @ fitted).std()])
        spread = np.ptp(np.array(fits), axis=0).max()
        assert (spread > 0.2) == (name in simulation.shifted)


def test_the_domain_column_is_no_variable_of_the_system():
    simulation = simulate.domains_scm(5, 200, random_state=0)
    assert simulation.observed[-1] == simulation.domain == "domain"
    assert "domain" not in simulation.names
    assert simulation.latent == ()
    assert simulation.var_sortability == 0.5


def test_hidden_variables_keep_their_edges_in_the_truth():
    full = simulate.linear_scm(15, 100, degree=4, random_state=2)
    hidden = simulate.hide_variables(full, 3, random_state=0)
    assert len(hidden.latent) == 3
    assert hidden.values.shape == (100, 12)
    assert sorted(hidden.edges + hidden.hidden_edges) == sorted(full.edges)
    for name in hidden.latent:
        assert sum(parent == name for parent, _ in full.edges) >= 2
    child = hidden.edges[0][1]
    assert hidden.truth_effect(hidden.edges[0][0], child) == full.truth_effect(hidden.edges[0][0], child)
    with pytest.raises(DataError) as caught:
        simulate.hide_variables(full, ["nobody"])
    assert caught.value.code == "E153"


def test_lost_cells_have_their_share_and_their_cause():
    full = simulate.linear_scm([("x", "y"), ("y", "z")], 50_000, random_state=0)
    for mechanism in ("mcar", "mar", "mnar"):
        lost = simulate.lose_cells(full, 0.35, mechanism=mechanism, columns=["y"], random_state=1)
        blank = np.isnan(lost.values)
        assert abs(blank[:, 1].mean() - 0.35) < 0.01
        assert not blank[:, [0, 2]].any()
        cause = lost.missingness["y"]
        gap = {n: abs(full.values[blank[:, 1], i].mean()) for i, n in enumerate(full.observed)}
        if mechanism == "mcar":
            assert cause == "chance"
            assert max(gap.values()) < 0.02
        else:
            assert cause == "y" if mechanism == "mnar" else cause in {"x", "z"}
            assert gap[cause] == max(gap.values()) > 0.3
    assert not np.isnan(simulate.lose_cells(full, 0.0).values).any()
    with pytest.raises(DataError, match="complete"):
        simulate.lose_cells(full, 0.1, mechanism="mar", columns=["x", "y", "z"])


def test_measurement_error_attenuates_by_the_reliability():
    full = simulate.linear_scm([("x", "y")], 100_000, random_state=0)
    noisy = simulate.add_measurement_error(full, 0.5, columns=["x"], random_state=1)
    before, after = np.corrcoef(full.values.T)[0, 1], np.corrcoef(noisy.values.T)[0, 1]
    assert after / before == pytest.approx(1 / np.sqrt(1.25), abs=0.01)
    assert noisy.values[:, 1] is not full.values[:, 1]
    np.testing.assert_array_equal(noisy.values[:, 1], full.values[:, 1])


@pytest.mark.parametrize("lag", [1, 3])
@pytest.mark.parametrize("instantaneous", [0.0, 1.5])
def test_series_obey_their_equations_and_are_stationary(lag, instantaneous):
    simulation = simulate.var_process(4, 60_000, lag=lag, instantaneous_degree=instantaneous, random_state=lag)
    values, coefficients = simulation.values, simulation.coefficients
    now = values[lag:]
    past = np.column_stack([values[lag - step : -step] for step in range(1, lag + 1)])
    for series in range(4):
        within = np.flatnonzero(coefficients[0, :, series])
        design = np.column_stack([now[:, within], past])
        fitted = np.linalg.lstsq(design, now[:, series], rcond=None)[0]
        truth = np.concatenate([coefficients[0, within, series], coefficients[1:, :, series].ravel()])
        np.testing.assert_allclose(fitted, truth, atol=0.04)
    assert any(step == lag and parent != child for parent, child, step in simulation.edges)
    halves = values[:30_000].std(axis=0) / values[30_000:].std(axis=0)
    np.testing.assert_allclose(halves, 1, atol=0.1)


def test_a_binary_treatment_has_the_effects_it_reports():
    simulation = simulate.treatment_outcome(
        400_000, effect=2.0, heterogeneity=0.8, confounding=1.5, share_treated=0.3, random_state=0
    )
    treated = simulation.columns["T"]
    chance = simulation.propensity[:, 1]
    effects = simulation.unit_effects
    assert abs(treated.mean() - 0.3) < 0.005
    assert simulation.ate == 2.0
    assert abs(effects.mean() - simulation.ate) < 0.01
    assert abs(effects[treated == 1].mean() - simulation.att) < 0.01
    weights = chance * (1 - chance)
    assert abs((weights @ effects) / weights.sum() - simulation.ato) < 0.01
    # Weighting by the true propensity recovers the effect, the plain contrast does not.
    outcome = simulation.columns["Y"]
    weighted = np.mean(treated * outcome / chance - (1 - treated) * outcome / (1 - chance))
    naive = outcome[treated == 1].mean() - outcome[treated == 0].mean()
    assert abs(weighted - 2.0) < 0.1
    assert naive > 2.5


def test_a_continuous_treatment_has_its_slope():
    simulation = simulate.treatment_outcome(100_000, treatment="continuous", effect=-0.7, random_state=1)
    design = np.column_stack([simulation.columns[name] for name in ("T", *simulation.covariates)])
    fitted = np.linalg.lstsq(design, simulation.columns["Y"], rcond=None)[0]
    assert fitted[0] == pytest.approx(-0.7, abs=0.02)
    assert simulation.att is simulation.ato is simulation.propensity is None


def test_a_categorical_treatment_has_a_contrast_for_every_arm():
    simulation = simulate.treatment_outcome(200_000, treatment="categorical", n_arms=3, confounding=0.8, random_state=2)
    arms, outcome = simulation.columns["T"].astype(int), simulation.columns["Y"]
    means = [np.mean((arms == arm) * outcome / simulation.propensity[:, arm]) for arm in range(3)]
    for arm, truth in simulation.contrasts.items():
        assert means[arm] - means[0] == pytest.approx(truth, abs=0.1)


def test_instrument_collider_and_hidden_cause_do_what_they_say():
    simulation = simulate.treatment_outcome(
        200_000, treatment="continuous", instrument=1.0, hidden=1.0, collider=True, random_state=3
    )
    column = simulation.columns
    wald = np.cov(column["Z"], column["Y"])[0, 1] / np.cov(column["Z"], column["T"])[0, 1]
    assert wald == pytest.approx(1.0, abs=0.03)
    assert {("U", "T"), ("U", "Y"), ("Z", "T"), ("T", "C"), ("Y", "C")} <= set(simulation.edges)
    assert "U" not in column


def test_an_experiment_has_no_confounding():
    simulation = simulate.treatment_outcome(100_000, confounding=0.0, heterogeneity=0.5, random_state=4)
    assert simulation.att == simulation.ato == simulation.ate == 1.0
    assert simulation.edges == [("T", "Y")]


@pytest.mark.parametrize(
    "call",
    [
        lambda: simulate.treatment_outcome(share_treated=1.0),
        lambda: simulate.treatment_outcome(treatment="dose"),
        lambda: simulate.var_process(3, lag=0),
        lambda: simulate.domains_scm(3, domain="X1"),
        lambda: simulate.discrete_scm(3, levels=(1, 2)),
        lambda: simulate.mixed_scm(3, share_discrete=2),
        lambda: simulate.lose_cells(simulate.linear_scm(3), 1.0),
    ],
)
def test_impossible_settings_are_refused(call):
    with pytest.raises(DataError) as caught:
        call()
    assert caught.value.code == "E152"
