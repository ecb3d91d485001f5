"""Linear structural models against their closed forms, hand cases and the rung below."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import whence as wh
from whence.errors import WhenceError
from whence.models import LinearSCM, clamp_to, intervene, shift_by

GRAPH = wh.Graph.from_edges(["age -> dose", "age -> cure", "dose -> cure", "cure -> cost"])
WEIGHTS = {("age", "dose"): 0.5, ("age", "cure"): -1.0, ("dose", "cure"): 2.0, ("cure", "cost"): 3.0}


def model(**settings):
    return LinearSCM(GRAPH, WEIGHTS, {"dose": 1.0}, {"age": 2.0, "dose": 0.5}, **settings)


def test_do_moves_descendants_only_and_by_the_total_effect():
    natural, changed = model().mean(), model().do(dose=3.0).mean()
    assert natural == {"age": 0.0, "dose": 1.0, "cure": 2.0, "cost": 6.0}
    assert changed == {"age": 0.0, "dose": 3.0, "cure": 6.0, "cost": 18.0}
    assert model().effect("dose", "cost") == 6.0
    assert model().effect("age", "cost") == 0.0  # 0.5 * 2 - 1 = 0 on cure


def test_the_closed_form_of_the_covariance_by_hand_and_by_sampling():
    chain = LinearSCM(wh.Graph.from_edges(["a -> b"]), {("a", "b"): 2.0}, noise_scale={"a": 3.0, "b": 1.0})
    np.testing.assert_allclose(chain.covariance(), [[9.0, 18.0], [18.0, 37.0]])
    np.testing.assert_allclose(chain.do(a=1.0).covariance(), [[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(chain.do(a=shift_by(1.0)).covariance(), chain.covariance())
    drawn = model().do(dose=shift_by(1.0)).sample(200_000, random_state=0).numeric()
    exact = model().do(dose=shift_by(1.0))
    np.testing.assert_allclose(np.cov(drawn.T), exact.covariance(), rtol=0.03, atol=0.05)
    np.testing.assert_allclose(drawn.mean(axis=0), list(exact.mean().values()), atol=0.1)


def test_fit_finds_the_coefficients_noises_and_units():
    data = wh.read(model().sample(50_000, random_state=1), units={"dose": "mg", "cure": "days"})
    fitted = LinearSCM(GRAPH).fit(data)
    np.testing.assert_allclose(fitted.coefficients_, model().coefficients_, atol=0.03)
    np.testing.assert_allclose(fitted.noise_scale_, model().noise_scale_, rtol=0.03)
    np.testing.assert_allclose(fitted.intercepts_, model().intercepts_, atol=0.05)
    assert fitted.table().to_pylist()[2]["unit"] == "days per mg"
    assert fitted.sample(10, random_state=0).unit("dose") == "mg"
    assert fitted.rows_used_ == 50_000


def test_fit_is_least_squares_with_the_unbiased_noise():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 30))
    y = 1.0 + x - 2 * z + rng.normal(size=30)
    fitted = LinearSCM(wh.Graph.from_edges(["x -> y", "z -> y"])).fit({"y": y, "x": x, "z": z})
    design = np.column_stack([np.ones(30), x, z])
    solution, left, *_ = np.linalg.lstsq(design, y, rcond=None)
    j = fitted.graph.index("y")
    np.testing.assert_allclose(fitted.coefficients_[fitted.graph.indices(["x", "z"]), j], solution[1:])
    np.testing.assert_allclose([fitted.intercepts_[j], fitted.noise_scale_[j] ** 2], [solution[0], left[0] / 27])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_counterfactual_laws_on_random_models(seed):
    simulated = wh.simulate.linear_scm(5, 20, standardise=False, random_state=seed)
    graph = wh.Graph.from_edges(simulated.edges, simulated.names)
    scm = LinearSCM(graph, simulated.weights)
    rows = simulated.values
    rng = np.random.default_rng(seed)
    target = graph.names[rng.integers(5)]
    j = graph.index(target)
    # consistency: setting a variable to what it was changes nothing
    np.testing.assert_allclose(scm.counterfactual(rows, {target: rows[:, j]}), rows, atol=1e-9)
    # the change of every variable is the total effect times the change of the target
    changed = scm.counterfactual(rows, {target: shift_by(2.0)})
    total = np.array([simulated.truth_effect(target, name) for name in graph.names])
    np.testing.assert_allclose(changed - rows, np.tile(2.0 * total, (20, 1)), atol=1e-8)
    # and the reverse intervention undoes it
    np.testing.assert_allclose(scm.counterfactual(changed, {target: shift_by(-2.0)}), rows, atol=1e-8)


def test_the_order_of_nodes_and_columns_does_not_matter():
    data = model().sample(500, random_state=2)
    shuffled = wh.Graph.from_edges(GRAPH.edges(), ["cost", "cure", "dose", "age"])
    one, other = LinearSCM(GRAPH).fit(data), LinearSCM(shuffled).fit(data.select(["dose", "cost", "age", "cure"]))
    asked = intervene(dose=clamp_to(high=0.5))
    a, b = one.counterfactual(data, asked), other.counterfactual(data, asked)
    np.testing.assert_allclose(a.numeric(GRAPH.names), b.numeric(GRAPH.names), atol=1e-10)


def test_rows_come_back_in_the_library_they_came_in():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"age": [1.0, 2.0], "dose": [1.0, 0.0], "cure": [4.0, 1.0], "cost": [0.0, 1.0]}
    for frame in (pd.DataFrame(columns), pl.DataFrame(columns)):
        changed = model().counterfactual(frame, {"cure": 0.0})
        assert type(changed) is type(frame)
        assert list(changed["cost"]) == pytest.approx([-12.0, -2.0])


def test_empirical_noise_keeps_the_shape_of_the_residuals():
    rng = np.random.default_rng(0)
    a = rng.exponential(size=4000)
    fitted = LinearSCM(wh.Graph.from_edges(["a -> b"]), noise="empirical").fit(
        {"a": a, "b": a + rng.uniform(size=4000)}
    )
    drawn = fitted.sample(4000, random_state=0).numeric()
    assert drawn[:, 0].min() >= 0.0  # a normal distribution would go below
    assert np.ptp(drawn[:, 1] - drawn[:, 0]) < 1.2


def test_do_composes_and_leaves_the_model_alone():
    base = model()
    both = base.do(dose=1.0).do(age=2.0)
    assert both.mean()["cure"] == 0.0
    assert base.intervention.targets == ()
    assert "under do(dose = 1, age = 2)" in repr(both)
    assert base.do(dose=1.0).sample(3, random_state=0).source == "do(dose = 1)"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: LinearSCM(GRAPH.to_cpdag()), "E206"),
        (lambda: LinearSCM(GRAPH).mean(), "E645"),
        (lambda: model().do(doze=1.0), "E640"),
        (lambda: model().do(dose=clamp_to(high=1.0)).mean(), "E647"),
        (lambda: LinearSCM(GRAPH, {("dose", "age"): 1.0}), "E648"),
        (lambda: LinearSCM(GRAPH, np.zeros((2, 2))), "E648"),
        (lambda: LinearSCM(GRAPH).fit({"age": [1.0, 2.0]}), "E123"),
        (lambda: LinearSCM(wh.Graph.from_edges(["a -> b"])).fit({"a": [1.0, 2.0], "b": [1.0, 3.0]}), "E643"),
        (
            lambda: LinearSCM(wh.Graph.from_edges(["a -> c", "b -> c"])).fit(
                {"a": [1.0, 2.5, 3.0, 4.0, 7.0], "b": [2.0, 5.0, 6.0, 8.0, 14.0], "c": [1.5, 0.0, 2.0, 4.0, 5.0]}
            ),
            "E644",
        ),
        (
            lambda: LinearSCM(wh.Graph.from_edges(["a -> b"]), {("a", "b"): 1.0}).counterfactual(
                {"a": [1.0, None, 3.5], "b": [1.5, 2.0, 3.0]}
            ),
            "E646",
        ),
    ],
)
def test_errors_name_what_is_wrong(call, code):
    with pytest.raises(WhenceError) as caught:
        call()
    assert caught.value.code == code
