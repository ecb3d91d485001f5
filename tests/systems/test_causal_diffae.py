"""CausalDiffAE at a tiny size: laws that hold for any weights, and the effects of a few seconds of training."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import whence as wh  # noqa: E402
from whence.errors import WhenceError  # noqa: E402
from whence.systems.vision import CausalDiffAE, Reader, pendulum  # noqa: E402
from whence.systems.vision.evaluation import dci, evaluate, frechet_distance, mcc, relative_error  # noqa: E402

torch.set_num_threads(1)
CHAIN = wh.Graph.from_edges(["a -> b", "b -> c"])
TINY = {"width": 2, "hidden": 32, "levels": 50, "batch": 32}


def world(rows, seed=0):
    """Return vectors (rows, 6) that two rotations mix from a chain of three labels and two nuisances."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=rows)
    b = 0.8 * a + 0.6 * rng.normal(size=rows)
    c = -0.8 * b + 0.6 * rng.normal(size=rows)
    labels = np.column_stack([10 + 2 * a, b, 5 * c])
    sources = np.column_stack([a, b, c, rng.normal(size=(rows, 3))])
    mixing = np.linalg.qr(np.random.default_rng(7).normal(size=(6, 6)))[0]
    return sources @ mixing, labels


@pytest.fixture(scope="module")
def trained():
    X, labels = world(1500)
    return CausalDiffAE(CHAIN, **{**TINY, "hidden": 64}, steps=700, learning_rate=3e-3).fit(X, labels)


@pytest.fixture(scope="module")
def untrained():
    X, labels = world(64)
    return CausalDiffAE(CHAIN, **TINY, steps=2).fit(X, labels)


def test_the_code_reads_the_labels_and_an_intervention_moves_what_it_should(trained):
    X, labels = world(300, seed=1)
    assert min(trained.evaluate("r2", X, labels).values()) > 0.9
    assert np.abs(trained.read_labels(X) - labels).mean() < 1.0
    # The labels are a linear function of the vectors here, so a linear reader judges exactly.
    design = np.column_stack([np.ones(len(X)), X])
    reader = np.linalg.lstsq(design, labels, rcond=None)[0]
    changed = trained.counterfactual(X, {"b": wh.shift_by(0.6)}, steps=15)
    moved = np.column_stack([np.ones(len(X)), changed]) @ reader - labels
    np.testing.assert_allclose(moved.mean(axis=0) / labels.std(axis=0), [0.0, 0.6, -0.48], atol=0.12)
    assert abs(moved[:, 0]).mean() < 0.2 * labels[:, 0].std()  # the cause stays


def test_nothing_changes_where_nothing_is_asked_and_noise_loses_the_row(trained):
    X, _ = world(100, seed=2)
    assert relative_error(trained.counterfactual(X, {}, steps=15), X) < 0.02
    assert relative_error(trained.counterfactual(X, {}, steps=15, abduction="noise"), X) > 0.3
    behind = trained.abduct(X, steps=15)
    assert behind.z.shape == (100, 3, 2)
    assert behind.noise.std() == pytest.approx(1.0, abs=0.2)


def test_strength_exaggerates(trained):
    X, _ = world(100, seed=3)
    mean = [trained.counterfactual(X, {"a": 14.0}, strength, steps=10).mean(axis=0) for strength in (1.0, 2.0, 3.0)]
    toward = mean[0] - X.mean(axis=0)
    assert (mean[2] - mean[1]) @ toward > 0 < (mean[1] - mean[0]) @ toward


def test_save_and_load_give_the_same_counterfactuals(untrained, tmp_path):
    X, _ = world(10)
    untrained.save(tmp_path / "model")
    again = CausalDiffAE.load(tmp_path / "model")
    asked = wh.intervene(a=12.0, c=wh.clamp_to(-1, 1))
    np.testing.assert_array_equal(again.counterfactual(X, asked, steps=4), untrained.counterfactual(X, asked, steps=4))
    np.testing.assert_array_equal(again.read_labels(X), untrained.read_labels(X))
    assert repr(again) == repr(untrained)


def test_the_order_of_nodes_and_labels_does_not_matter(untrained):
    X, labels = world(64)
    shuffled = wh.Graph.from_edges(CHAIN.edges(), ["c", "a", "b"])
    other = CausalDiffAE(shuffled, **TINY, steps=2).fit(X, labels[:, [2, 0, 1]])
    by_name = CausalDiffAE(shuffled, ["b", "c", "a"], **TINY, steps=2).fit(X, dict(zip("abc", labels.T)))
    wanted = untrained.counterfactual(X, {"a": 12.0}, steps=4)
    for model in (other, by_name):
        np.testing.assert_allclose(model.counterfactual(X, {"a": 12.0}, steps=4), wanted, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(other.encode(X)[1], untrained.encode(X)[1][:, [2, 0, 1]])


def test_the_same_seed_gives_the_same_model_and_leaves_global_chance_alone():
    X, labels = world(40)
    before = torch.get_rng_state()
    one, two = (CausalDiffAE(CHAIN, **TINY, steps=3).fit(X, labels).encode(X)[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_label_that_is_unknown_drops_out_of_its_own_column_only():
    X, labels = world(64)
    mask = np.ones((64, 3), dtype=bool)
    mask[::2, 1] = False
    blanked = np.where(mask, labels, np.nan)
    models = [CausalDiffAE(CHAIN, **TINY, steps=3) for _ in range(2)]
    one, two = models[0].fit(X, labels, mask), models[1].fit(X, blanked)
    np.testing.assert_array_equal(one.encode(X)[0], two.encode(X)[0])
    assert one.label_center_[1] == pytest.approx(labels[1::2, 1].mean())
    never = CausalDiffAE(CHAIN, **TINY, steps=3).fit(X, {"a": labels[:, 0], "c": labels[:, 2]})
    assert "No label was given for 'b'" in never.warnings_[0]
    assert never.counterfactual(X[:2], {"b": 1.0}, steps=3).shape == (2, 6)
    assert len(CausalDiffAE(CHAIN, **TINY, steps=2).fit(X).warnings_) == 1


def test_the_loss_has_two_masks():
    from whence.systems.vision._networks_diffae import DiffusionAutoencoder, Plan, Rows

    plan = Plan((6,), 2, "additive", "values", 50, "linear", "eps", 16, (), 1, (), 1, "learned", 0.5, 0.1)
    model = DiffusionAutoencoder(CHAIN, plan)
    x = torch.randn(8, 6)
    batch = Rows(model, x, torch.randn(8, 3), torch.ones(8, 3, dtype=torch.bool), 8)(torch.Generator().manual_seed(0))
    whole = model.loss(batch, 1.0)
    hidden = {**batch, "known": batch["known"] & torch.tensor([True, False, True])}
    parts = model.loss(hidden, 1.0)
    assert torch.equal(parts["denoising"], whole["denoising"])  # an unknown label does not hide the code
    assert parts["label divergence"] < whole["label divergence"]
    dropped = model.loss({**batch, "keep": torch.zeros(8)}, 1.0)
    assert torch.equal(dropped["label divergence"], whole["label divergence"])  # and a hidden code keeps its label
    assert not torch.equal(dropped["denoising"], whole["denoising"])
    known_by_nobody = model.loss({**batch, "known": torch.zeros(8, 3, dtype=torch.bool)}, 1.0)
    assert float(known_by_nobody["label divergence"].detach()) == 0.0


def test_images_come_back_in_their_shape_and_range():
    rows = pendulum.scenes(40, size=12)
    options = {"width": 2, "channels": (8, 8), "levels": 25, "steps": 2, "mechanism": "flow", "patch": 2}
    for X in (rows.X, rows.X[:, 0], 2 * rows.X - 1):
        model = CausalDiffAE(pendulum.GRAPH, **options).fit(X, rows.labels)
        drawn = model.traverse(X[:2], "angle", [-30.0, 0.0, 30.0], steps=3)
        assert drawn.shape == (3, 2, *X.shape[1:])
        assert X.min() <= drawn.min()
        assert drawn.max() <= X.max()
    assert repr(model).endswith("fitted on images of 1 x 12 x 12")


def test_rows_do_not_depend_on_their_batch(untrained):
    X, _ = world(700, seed=5)
    values = np.linspace(8, 12, 700)
    whole = untrained.counterfactual(X, {"a": values}, steps=3, refine=1)
    part = untrained.counterfactual(X[600:], {"a": values[600:]}, steps=3, refine=1)
    np.testing.assert_allclose(whole[600:], part, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda m, X, y: CausalDiffAE(CHAIN.to_cpdag()), "E206"),
        (lambda m, X, y: CausalDiffAE(CHAIN, ["a", "b"]), "E653"),
        (lambda m, X, y: CausalDiffAE(CHAIN).encode(X), "E645"),
        (lambda m, X, y: CausalDiffAE(CHAIN).fit(X[:, :, None, None, None], y), "E652"),
        (lambda m, X, y: CausalDiffAE(CHAIN).fit(255 * np.abs(X[:, None]), y), "E652"),
        (lambda m, X, y: CausalDiffAE(CHAIN).fit(np.where(X > 2, np.nan, X), y), "E652"),
        (lambda m, X, y: CausalDiffAE(CHAIN).fit(X, y[:, :2]), "E654"),
        (lambda m, X, y: CausalDiffAE(CHAIN).fit(X, y[:5]), "E654"),
        (lambda m, X, y: CausalDiffAE(CHAIN).fit(X, {"x": y[:, 0]}), "E654"),
        (lambda m, X, y: CausalDiffAE(CHAIN).fit(X, y, np.ones((5, 3))), "E654"),
        (lambda m, X, y: m.encode(X[:, :4]), "E652"),
        (lambda m, X, y: m.counterfactual(X, {"d": 1.0}), "E640"),
        (lambda m, X, y: m.counterfactual(X, {"a": [1.0, 2.0]}), "E642"),
        (lambda m, X, y: m.counterfactual(X, {"a": 1.0}, steps=500), "E649"),
        (lambda m, X, y: m.counterfactual(X, {"a": 1.0}, abduction="guess"), "E301"),
        (lambda m, X, y: m.evaluate("effectiveness", X, y), "E656"),
        (lambda m, X, y: m.evaluate("beauty", X, y), "E656"),
        (lambda m, X, y: CausalDiffAE.load("no such folder"), "E605"),
    ],
)
def test_errors_say_what_is_wrong(untrained, call, code):
    X, labels = world(40)
    X[0] = 3.0
    with pytest.raises(WhenceError) as caught:
        call(untrained, X, labels)
    assert caught.value.code == code


def test_a_folder_of_something_else_is_refused(tmp_path):
    from whence.nn import save

    save(tmp_path, torch.nn.Linear(1, 1), {"system": "other"})
    with pytest.raises(WhenceError, match="not a CausalDiffAE"):
        CausalDiffAE.load(tmp_path)


def test_the_report_shows_images_labels_and_graph(tmp_path, monkeypatch, capsys):
    import sys

    from whence.cli import main

    rows = pendulum.scenes(30, size=12)
    options = {"width": 2, "channels": (8, 8), "levels": 25, "steps": 2}
    CausalDiffAE(pendulum.GRAPH, **options).fit(rows.X, rows.labels).save(tmp_path / "model")
    np.save(tmp_path / "images.npy", rows.X[:3])
    page = tmp_path / "page.html"
    call = ["counterfactual-image", str(tmp_path / "model"), str(tmp_path / "images.npy"), "--do", "angle=30"]
    monkeypatch.setattr(sys, "argv", ["whence", *call, "--report", str(page), "--steps", "3"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 6
    assert "do(angle = 30)" in text
    assert "<svg" in text
    assert "://" not in text.replace("http://www.w3.org", "")
    monkeypatch.setattr(sys, "argv", ["whence", *call[:-1], "angle"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "NAME=NUMBER" in capsys.readouterr().err


# ---- measures -------------------------------------------------------------------------------------------------------


def test_a_code_that_is_the_factors_is_disentangled_and_a_mixture_is_not():
    factors = np.random.default_rng(0).normal(size=(400, 3))
    turned = factors @ np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    clean, mixed = dci(factors[:, [2, 0, 1]], factors), dci(turned, factors)
    assert clean["disentanglement"] > 0.9 < clean["completeness"]
    assert mixed["disentanglement"] < 0.6
    assert mcc(-factors[:, [2, 0, 1]], factors) == pytest.approx(1.0)
    assert mcc(turned, factors) < 0.95


def test_frechet_distance_by_hand():
    one = np.random.default_rng(0).normal(size=(5000, 2))
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(one, one + np.array([3.0, 0.0])) == pytest.approx(9.0, rel=1e-3)
    assert frechet_distance(one, 2 * one) == pytest.approx(2.0, rel=0.05)  # two variances: (2 - 1)^2 each


def test_effectiveness_is_measured_against_the_truth_given(untrained):
    X, labels = world(80)
    reader = Reader((16,), steps=20).fit(X, labels)

    def unmoved(rows, intervention):
        return reader.read(untrained.counterfactual(X, intervention, steps=4))

    found = evaluate(untrained, "effectiveness", X, labels, do={"a": 1.0}, reader=reader, truth=unmoved, steps=4)
    assert max(found.values()) == pytest.approx(0.0, abs=1e-12)
    assert set(evaluate(untrained, "identity", X[:20], labels[:20], steps=3)) == {"ddim", "noise"}
    assert 0 <= untrained.evaluate("mcc", X, labels)["mcc"] <= 1
    assert reader.features(X).shape == (80, 16)
