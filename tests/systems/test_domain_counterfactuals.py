"""Domain counterfactuals: formulas by hand, the theorem as code, recovery of known worlds, and errors that help."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from whence.errors import DataError, ParameterError
from whence.models import intervene, shift_by
from whence.systems.domains import (
    Affine,
    DomainCounterfactuals,
    DomainMechanisms,
    LinearDomainModel,
    counterfactual_report,
    counterfactually_equivalent,
    digit_domains,
    judges_of_digits,
    select_k,
    simulate_domains,
)
from whence.systems.domains._likelihood import Shape, Whitened, mechanism_nll, mechanisms_of, moments, nll_and_slope
from whence.systems.domains._rows import hold_out

torch = pytest.importorskip("torch")
torch.set_num_threads(1)


def by_hand(seed: int = 0, m: int = 6, n_domains: int = 3, places=(4, 5)) -> LinearDomainModel:
    """Return a model in which exactly the mechanisms at these places differ, intercepts included."""
    rng = np.random.default_rng(seed)
    weights = np.repeat(np.tril(rng.normal(size=(m, m)), -1)[None], n_domains, axis=0)
    scales = np.repeat(rng.uniform(0.5, 2.0, size=m)[None], n_domains, axis=0)
    intercepts = np.repeat(rng.normal(size=m)[None], n_domains, axis=0)
    for d in range(1, n_domains):
        for i in places:
            weights[d, i, :i] = rng.normal(size=i)
            scales[d, i], intercepts[d, i] = rng.uniform(0.5, 2.0), rng.normal()
    mechanisms = DomainMechanisms.structural(weights, scales, intercepts)
    return LinearDomainModel(mechanisms, rng.normal(size=(m, m)), rng.normal(size=m))


def lower(rng: np.random.Generator, m: int = 6) -> Affine:
    return Affine(np.tril(rng.normal(size=(m, m)), -1) + np.diag(rng.uniform(0.5, 2.0, m)), rng.normal(size=m))


def rows_of(model: LinearDomainModel, n: int = 50):
    domains = np.arange(n) % model.mechanisms.n_domains
    return model.sample(n, domains, 7), domains


# ---- exactness ---------------------------------------------------------------------------------------------------


def test_a_counterfactual_is_the_formula():
    model = by_hand()
    mechanisms = model.mechanisms
    rows, domains = rows_of(model)
    moved = model.counterfactual(rows, domains, 2)
    for row, d, found in zip(rows, domains, moved):
        before = np.linalg.inv(model.mixing) @ (row - model.intercept)
        z = np.where(before > 0, before, 2 * before)
        eye = np.eye(6)
        noise = np.diag(1 / mechanisms.scales[d]) @ (eye - mechanisms.weights[d]) @ (z - mechanisms.offsets[d])
        new = np.linalg.inv(eye - mechanisms.weights[2]) @ (mechanisms.scales[2] * noise) + mechanisms.offsets[2]
        expected = model.mixing @ np.where(new > 0, new, 0.5 * new) + model.intercept
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_staying_changes_nothing_and_going_back_returns():
    model = by_hand()
    rows, domains = rows_of(model)
    np.testing.assert_allclose(model.counterfactual(rows, domains, domains), rows, atol=1e-10)
    for to in range(3):
        there = model.counterfactual(rows, domains, to)
        np.testing.assert_allclose(model.counterfactual(there, to, domains), rows, atol=1e-8)
    np.testing.assert_allclose(model.decode(model.encode(rows, domains), domains), rows, atol=1e-9)


def test_the_likelihood_of_a_linear_mixing_is_that_of_a_normal_distribution():
    nonlinear = by_hand()
    model = LinearDomainModel(nonlinear.mechanisms, nonlinear.mixing, nonlinear.intercept, slope=1.0)
    rows, domains = rows_of(model, 9)
    for d in range(3):
        one = model.mechanisms.maps[d]
        root = model.mixing @ one.matrix
        normal = multivariate_normal(model.mixing @ one.shift + model.intercept, root @ root.T)
        np.testing.assert_allclose(model.nll(rows[domains == d], d), -normal.logpdf(rows[domains == d]), rtol=1e-9)


def test_the_likelihood_of_a_rectifier_integrates_to_one():
    mechanisms = DomainMechanisms(np.zeros((2, 1, 1)), np.array([[1.0], [0.5]]), np.array([[0.3], [-1.0]]))
    model = LinearDomainModel(mechanisms, np.array([[-2.0]]), np.array([0.7]), slope=0.25)
    grid = np.linspace(-20, 20, 200001)[:, None]
    for d in range(2):
        assert np.exp(-model.nll(grid, d)).sum() * 40 / 200000 == pytest.approx(1.0, abs=1e-4)


# ---- equivalence and the canonical form ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_equivalent_models_have_other_latent_variables_and_the_same_counterfactuals(seed):
    rng = np.random.default_rng(seed)
    model = by_hand(seed)
    other = model.transformed(lower(rng), lower(rng))
    rows, domains = rows_of(model)
    assert counterfactually_equivalent(model, other, rows, domains, tolerance=1e-8)
    assert np.abs(model.encode(rows, domains) - other.encode(rows, domains)).max() > 0.1


def test_a_transformation_that_mixes_later_variables_into_earlier_ones_is_refused():
    model = by_hand()
    turn = Affine(np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0], np.zeros(6))
    with pytest.raises(ParameterError, match="E661"):
        model.transformed(turn, Affine.identity(6))


@pytest.mark.parametrize("places", [(0, 1), (1, 3), (0, 5), (2,), (4, 5), (0, 1, 2, 3, 4, 5)])
def test_the_canonical_member_has_the_intervention_set_last(places):
    model = by_hand(1, places=places)
    assert set(model.mechanisms.changed()) <= set(places)
    k = len(model.mechanisms.changed())
    canonical = model.canonicalise()
    mechanisms = canonical.mechanisms
    assert mechanisms.changed(1e-8) == tuple(range(6 - k, 6))
    np.testing.assert_allclose(mechanisms.maps[0].matrix, np.eye(6), atol=1e-12)
    for one in mechanisms.maps:
        np.testing.assert_allclose(one.matrix[: 6 - k], np.eye(6)[: 6 - k], atol=1e-12)
    rows, domains = rows_of(model)
    assert counterfactually_equivalent(model, canonical, rows, domains, tolerance=1e-8)
    np.testing.assert_allclose(canonical.nll(rows, domains), model.nll(rows, domains), atol=1e-8)


def test_an_offset_that_is_not_passed_on_enlarges_the_intervention_set():
    world = simulate_domains(10, intervened=(0, 1), random_state=0)
    assert set(world.model.mechanisms.changed()) > {0, 1}
    assert simulate_domains(10, intervened=(4, 5), random_state=0).model.mechanisms.changed() == (4, 5)


def test_models_that_differ_in_a_counterfactual_are_not_equivalent():
    model, other = by_hand(0), by_hand(1)
    rows, domains = rows_of(model)
    assert not counterfactually_equivalent(model, other, rows, domains)


# ---- the likelihood that is fitted --------------------------------------------------------------------------------

SHAPES = [Shape(shared, 0.5, anchored) for shared in (0, 4, 6) for anchored in (False, True)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_slope_of_the_likelihood_is_that_of_differences(shape):
    world = simulate_domains(60, random_state=1)
    rows = Whitened.of([world.rows[world.domain == d][: 60 - 7 * d] for d in range(3)])
    at = (np.eye(6, 7) + 0.4 * np.random.default_rng(0).normal(size=(6, 7))).ravel()
    _, slope = nll_and_slope(at, rows, shape, 0.1)
    step = 1e-5
    differences = [
        (nll_and_slope(at + step * e, rows, shape, 0.1)[0] - nll_and_slope(at - step * e, rows, shape, 0.1)[0])
        / (2 * step)
        for e in np.eye(42)
    ]
    np.testing.assert_allclose(slope, differences, atol=1e-6 * np.abs(slope).max())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_closed_form_is_the_likelihood_at_the_regressions(shape):
    world = simulate_domains(200, random_state=2)
    parts = [slice(0, 200), slice(200, 400), slice(400, 600)]
    means, covariances = moments(world.rows.T, parts)
    mechanisms = mechanisms_of(means, covariances, shape)
    assert len(mechanisms.changed(1e-8)) == 6 - shape.shared
    direct = LinearDomainModel(mechanisms, np.eye(6), np.zeros(6), slope=1.0)
    assert mechanism_nll(means, covariances, shape)[0] == pytest.approx(direct.nll(world.rows, world.domain).mean())


# ---- recovery ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    return simulate_domains(1500, random_state=0)


@pytest.fixture(scope="module")
def fitted(world):
    return DomainCounterfactuals(k=2, starts=2).fit(world.rows, world.domain)


def test_a_known_world_is_recovered(world, fitted):
    rows, domains = world.draw(500, 1)
    found = counterfactual_report(fitted, rows, domains, truth=world.counterfactual)
    assert found.error < 0.05 * found.identity_error
    assert fitted.nll(rows, domains).mean() < world.model.nll(rows, domains).mean() + 0.05
    assert found.composition < 1e-20
    assert found.reversibility < 1e-16
    assert found.pairs == 6
    assert "below" in found.sentence
    assert found.table().column_names == ["measure", "model", "nothing"]


def test_the_smallest_number_of_mechanisms_that_fits_is_chosen(world):
    found = select_k(world.rows, world.domain, ks=(1, 2), starts=2)
    assert found.ks == (1, 2, 6)
    assert found.k == 2
    assert found.nll[0] > found.nll[-1] + 0.3
    assert found.apart[found.ks.index(2)] == 0.0
    assert found.table().column("chosen").to_pylist() == [False, True, False]
    assert found.model.k == 2


def test_the_same_seed_gives_the_same_model(world, fitted):
    again = DomainCounterfactuals(k=2, starts=2).fit(world.rows, world.domain)
    np.testing.assert_array_equal(again.model_.mixing, fitted.model_.mixing)


def test_domains_of_different_sizes_and_names_are_taken(world):
    kept = np.r_[0:1500, 1500:2100, 3000:3300]
    names = np.array(["north", "south", "west"])[world.domain[kept]]
    model = DomainCounterfactuals(k=2, starts=1).fit(world.rows[kept], names)
    assert model.domains_ == ["north", "south", "west"]
    moved = model.counterfactual(world.rows[:5], "north", "west")
    each = model.counterfactual(world.rows[:5], ["north"] * 5, ["west", "south", "west", "north", "west"])
    np.testing.assert_allclose(each[[0, 2, 4]], moved[[0, 2, 4]])
    np.testing.assert_allclose(each[3], world.rows[3])


def test_a_model_drawn_from_a_canonical_anchor_is_fitted_as_one():
    weights = np.zeros((2, 3, 3))
    weights[1, 2] = [1.0, -0.5, 0.0]
    mechanisms = DomainMechanisms(weights, np.ones((2, 3)), np.array([[0.0, 0, 0], [0, 0, 2.0]]))
    rng = np.random.default_rng(1)
    model = LinearDomainModel(mechanisms, rng.normal(size=(3, 3)), rng.normal(size=3))
    domains = np.repeat([0, 1], 2000)
    rows = model.sample(4000, domains, 2)
    found = DomainCounterfactuals(k=1, f="can").fit(rows, domains)
    np.testing.assert_array_equal(found.model_.mechanisms.maps[0].matrix, np.eye(3))
    truth = model.counterfactual(rows, domains, 1 - domains)
    error = np.square(found.counterfactual(rows, domains, 1 - domains) - truth).mean()
    assert error < 0.05 * np.square(rows - truth).mean()


# ---- do, samples, files -------------------------------------------------------------------------------------------


def test_setting_the_domain_is_the_counterfactual(world, fitted):
    rows, domains = world.rows[:7], world.domain[:7]
    expected = fitted.counterfactual(rows, domains, 2)
    for changed in (fitted.do(domain=2), fitted.do({"domain": 2}), fitted.do(intervene(domain=2))):
        np.testing.assert_array_equal(changed.counterfactual(rows, domains), expected)
    each = fitted.do(domain=[0, 1, 2, 2, 1, 0, 2]).counterfactual(rows, domains)
    np.testing.assert_array_equal(each[2], expected[2])
    assert fitted.do(domain=1).sample(4, random_state=0).shape == (4, 6)
    assert "do(domain = 1)" in repr(fitted.do(domain=1))


def test_samples_of_a_domain_are_like_its_rows(world, fitted):
    drawn = fitted.sample(20000, 1, random_state=3)
    rows = world.rows[world.domain == 1]
    np.testing.assert_allclose(drawn.mean(axis=0), rows.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), rows.std(axis=0), rtol=0.1)
    noise = fitted.encode(rows, 1)
    assert np.abs(noise.mean(axis=0)).max() < 0.1
    assert np.abs(np.cov(noise.T) - np.eye(6)).max() < 0.15


def test_a_saved_model_is_the_same_model(world, fitted, tmp_path):
    again = DomainCounterfactuals.load(fitted.save(tmp_path / "model"))
    rows, domains = world.rows[:50], world.domain[:50]
    np.testing.assert_array_equal(again.counterfactual(rows, domains, 1), fitted.counterfactual(rows, domains, 1))
    assert again.domains_ == fitted.domains_
    assert json.loads((tmp_path / "model" / "config.json").read_text())["config"]["domains"] == [0, 1, 2]
    thawed = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(thawed.encode(rows, domains), fitted.encode(rows, domains))


# ---- networks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("g", ["linear_leaky", "flow"])
def test_networks_are_trained_by_small_steps(g, tmp_path):
    drawn = simulate_domains(600, n_latents=3, intervened=(2,), random_state=2)
    settings = {"solver": "adam", "steps": 80, "learning_rate": 1e-2, "hidden": 16, "depth": 2, "progress": False}
    model = DomainCounterfactuals(k=1, g=g, **settings).fit(drawn.rows, drawn.domain)
    untrained = DomainCounterfactuals(k=1, g=g, **{**settings, "steps": 1}).fit(drawn.rows, drawn.domain)
    assert model.validation_nll_ < untrained.validation_nll_ - 0.1
    assert model.log_.steps == 80
    found = counterfactual_report(model, drawn.rows, drawn.domain, truth=drawn.counterfactual)
    assert found.composition < 1e-20
    assert found.reversibility < 1e-16
    loaded = DomainCounterfactuals.load(model.save(tmp_path / "model"))
    for d_new in (0, 2):
        np.testing.assert_allclose(
            loaded.counterfactual(drawn.rows[:9], 0, d_new), model.counterfactual(drawn.rows[:9], 0, d_new), atol=1e-12
        )
    noise = model.encode(drawn.rows[:9], 0)
    np.testing.assert_allclose(model.decode(noise, 0), drawn.rows[:9], atol=1e-8)


def test_a_flows_likelihood_integrates_to_one():
    drawn = simulate_domains(300, n_latents=2, intervened=(1,), random_state=4)
    model = DomainCounterfactuals(k=1, g="flow", steps=60, learning_rate=1e-2, hidden=8, depth=2, progress=False)
    model.fit(drawn.rows, drawn.domain)
    step = 0.1
    grid = np.stack(np.meshgrid(*[np.arange(-12, 12, step)] * 2), axis=-1).reshape(-1, 2)
    assert np.exp(-model.nll(grid, 1)).sum() * step**2 == pytest.approx(1.0, abs=0.02)


def test_a_mixing_of_ones_own_is_taken():
    from whence.nn import reproducible
    from whence.nn.invertible import real_nvp

    drawn = simulate_domains(100, n_latents=3, intervened=(2,), random_state=2)
    with reproducible(0):
        mixing = real_nvp(3, 1, 8)
    model = DomainCounterfactuals(k=1, g=mixing, steps=3, progress=False).fit(drawn.rows, drawn.domain)
    np.testing.assert_allclose(model.counterfactual(drawn.rows, drawn.domain, drawn.domain), drawn.rows, atol=1e-9)
    with pytest.raises(ParameterError, match="E660"):
        model.save("nowhere")


def test_images_are_turned_by_an_autoencoder(tmp_path):
    training, testing = digit_domains()
    model = DomainCounterfactuals(
        10, 2, g="vae", channels=(4, 8), steps=20, batch_size=16, learning_rate=(1e-3, 1e-2), progress=False
    ).fit(training.images, training.domain)
    moved = model.counterfactual(testing.images[:3], testing.domain[:3], 1)
    assert moved.shape == (3, 3, 8, 8)
    assert 0 <= moved.min() <= moved.max() <= 1
    np.testing.assert_allclose(model.counterfactual(testing.images[:1], testing.domain[:1], 1), moved[:1], atol=1e-5)
    again = DomainCounterfactuals.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.counterfactual(testing.images[:3], testing.domain[:3], 1), moved)
    domain, digit = judges_of_digits()
    found = counterfactual_report(
        model,
        testing.images,
        testing.domain,
        domain_judge=domain,
        label_judge=digit,
        labels=testing.digit,
    )
    assert found.identity_preservation > 0.95
    assert found.identity_effectiveness < 0.05
    assert 0 <= found.effectiveness <= 1
    assert math.isfinite(found.composition)
    assert "truth is not known" in found.sentence


def test_digits_are_turned_and_coloured_by_the_rule():
    training, testing = digit_domains(random_state=3)
    whole = np.concatenate([training.colour, testing.colour])
    own = np.concatenate([2 * one.domain + one.digit for one in (training, testing)])
    assert np.mean(whole == own) == pytest.approx(0.5, abs=0.08)
    assert training.images.max() <= 1.0
    assert set(training.domain) == {0, 1}


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda x, d: (x, np.where(np.arange(len(d)) == 3, "odd", "usual")), "E664", "'odd' has 1 row;"),
        (lambda x, d: (x, np.zeros(len(d))), "E664", "one domain"),
        (lambda x, d: (np.where(np.arange(len(x))[:, None] == 5, np.nan, x), d), "E663", "row 5, column 0"),
        (lambda x, d: (x[:, 0], d), "E662", "shape"),
        (lambda x, d: (x.astype(str) + "a", d), "E662", "not numbers"),
        (lambda x, d: (x, d[:-1]), "E662", "domains of shape"),
        (lambda x, d: (np.hstack([x, x[:, :1]]), d), "E662", "linear combination"),
    ],
)
def test_rows_that_cannot_be_used_are_named(world, change, code, word):
    with pytest.raises(DataError, match=code) as raised:
        DomainCounterfactuals(k=1).fit(*change(world.rows[::15], world.domain[::15]))
    assert word in str(raised.value)


def test_what_a_fitted_model_does_not_know_is_named(world, fitted):
    with pytest.raises(DataError, match=r"knows no domain 'nowhere'.*E665"):
        fitted.counterfactual(world.rows[:2], 0, "nowhere")
    with pytest.raises(DataError, match="E665"):
        fitted.do(domain=9)
    with pytest.raises(DataError, match=r"shape \(5,\).*E662"):
        fitted.encode(world.rows[:2, :5], 0)
    with pytest.raises(DataError, match="E662"):
        fitted.decode(np.zeros((2, 4)), 0)
    with pytest.raises(ParameterError, match="E640"):
        fitted.do(colour=1)
    with pytest.raises(ParameterError, match="E667"):
        fitted.do(domain=shift_by(1))
    with pytest.raises(ParameterError, match="E666"):
        DomainCounterfactuals().sample(2, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"k": 7},
        {"k": -1},
        {"g": "cycle"},
        {"f": "sparse"},
        {"solver": "sgd"},
        {"g": "flow", "solver": "profile"},
        {"slope": 0.0},
        {"starts": 0},
        {"validation": 1.0},
        {"g": "vae"},
        {"latent_dim": 4},
    ],
)
def test_impossible_settings_are_named(world, settings):
    with pytest.raises(ParameterError, match="E660"):
        DomainCounterfactuals(**settings).fit(world.rows[:100], world.domain[::45])


def test_images_need_an_autoencoder_and_judges_need_labels(fitted, world):
    with pytest.raises(ParameterError, match="E660"):
        DomainCounterfactuals().fit(np.zeros((4, 3, 8, 8)), [0, 0, 1, 1])
    with pytest.raises(ParameterError, match="E660"):
        counterfactual_report(fitted, world.rows, world.domain, label_judge=lambda rows: rows[:, 0])


def test_rows_held_out_are_a_share_of_each_domain():
    codes = np.repeat([0, 1, 2], [100, 50, 5])
    kept, held = hold_out(codes, 0.1, np.random.default_rng(0))
    assert np.bincount(codes[held]).tolist() == [10, 5, 5]
    assert not set(kept[codes[kept] < 2]) & set(held)
