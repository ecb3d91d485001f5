"""The forecaster at tiny sizes: laws that hold for any weights, and the effects of seconds of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from whence.errors import DataError, ParameterError  # noqa: E402
from whence.systems.motion import (  # noqa: E402
    CausalMotionForecaster,
    Scenes,
    ade,
    constant_velocity,
    simulate_orca,
)
from whence.systems.motion.benchmark import SpuriousChannel  # noqa: E402

torch.set_num_threads(1)
TINY = {"steps": 4, "width": 8, "batch": 4}
BACKBONES = {
    "mlp": {},
    "lstm": {"backbone": "lstm"},
    "stgat": {"backbone": "stgat", "samples": 2, "residual": False},
    "counterfactual": {"backbone": "stgat", "counterfactual": True, "style_dim": 0, "residual": False},
    "pecnet": {"backbone": "pecnet", "samples": 2, "residual": False},
}


def crowds(seed: int = 0) -> Scenes:
    """Return scenes of one to four agents in two domains."""
    rng = np.random.default_rng(seed)
    walks = [rng.normal(0.3, 0.2, size=(1 + k % 4, 20, 2)).cumsum(axis=1) for k in range(16)]
    return Scenes.from_tracks(walks, domains=[f"{k % 2}" for k in range(16)])


@pytest.fixture(scope="module")
def models() -> dict[str, CausalMotionForecaster]:
    return {
        name: CausalMotionForecaster(**TINY, **setting).fit(crowds(), progress=False)
        for name, setting in BACKBONES.items()
    }


@pytest.fixture(scope="module")
def styled() -> CausalMotionForecaster:
    """A forecaster that has learned something: two known styles, some seconds of training."""
    known = simulate_orca(500, (0.1, 0.5), random_state=0)
    model = CausalMotionForecaster(steps=220, width=32, batch=32, style_dim=3)
    return model.fit(known, progress=False)


# ---- no look at the future -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(BACKBONES))
@given(seed=st.integers(0, 10_000))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_future_changes_a_forecast(models: dict[str, CausalMotionForecaster], name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scenes = crowds(seed)
    other = scenes.positions.copy()
    other[:, scenes.observed :] += rng.normal(scale=5.0, size=other[:, scenes.observed :].shape)
    changed = scenes.with_positions(other)
    mates = Scenes.concatenate([scenes[:3], changed[3:]])  # only the futures of the others in the batch
    expected = models[name].predict(scenes).positions
    assert np.array_equal(models[name].predict(changed).positions, expected)
    assert np.array_equal(models[name].predict(mates).positions, expected)
    assert np.array_equal(models[name].predict(scenes.only_past()).positions, expected)


def test_a_reference_among_the_scenes_is_refused(models: dict[str, CausalMotionForecaster]) -> None:
    scenes = crowds(1)
    with pytest.raises(DataError) as caught:
        models["mlp"].predict(scenes[:4], scenes[3:])
    assert caught.value.code == "E630"
    assert models["mlp"].predict(scenes[:4], scenes[4:]).similarity is not None


@pytest.mark.parametrize("name", ["mlp", "lstm", "stgat", "pecnet"])
def test_batch_mates_and_the_world_do_not_matter(models: dict[str, CausalMotionForecaster], name: str) -> None:
    model, scenes = models[name], crowds(2)
    together = model.predict(scenes).positions
    angle, shift = 2.1, np.array([30.0, -20.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if name in ("mlp", "lstm"):
        alone = model.predict(scenes[:1]).positions
        assert np.allclose(alone, together[:, : scenes.counts[0]], atol=1e-5)
        moved = model.predict(scenes.with_positions(scenes.positions @ turn.T + shift)).positions
        assert np.allclose(moved, together @ turn.T + shift, atol=1e-3)
    else:
        moved = model.predict(scenes.with_positions(scenes.positions + shift)).positions
        assert np.allclose(moved, together + shift, atol=1e-3)


# ---- fitting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(BACKBONES))
def test_seeds_and_folders_give_the_same_forecast(
    models: dict[str, CausalMotionForecaster], name: str, tmp_path: Path
) -> None:
    scenes = crowds(3)
    expected = models[name].predict(scenes)
    assert expected.positions.shape == (models[name].settings.samples, scenes.n_agents, 12, 2)
    models[name].save(tmp_path / name)
    loaded = CausalMotionForecaster.load(tmp_path / name)
    assert np.array_equal(loaded.predict(scenes).positions, expected.positions)
    assert loaded.domains_ == ("0", "1")
    before = torch.get_rng_state()
    again = CausalMotionForecaster(**TINY, **BACKBONES[name]).fit(crowds(), progress=False)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(again.predict(scenes).positions, expected.positions)


@pytest.mark.parametrize("invariance", ["irm", "irm-split", "vrex"])
def test_invariance_is_trained(invariance: str) -> None:
    model = CausalMotionForecaster(**TINY, invariance=invariance, lam=3.0).fit(crowds(), progress=False)
    assert np.isfinite(model.log_.losses["penalty"]).all()


def test_style_can_be_read_from_the_past(tmp_path: Path) -> None:
    model = CausalMotionForecaster(**TINY, style_frames="past").fit(crowds(), progress=False)
    scenes = crowds(4).only_past()
    assert model.style(scenes).shape == (16, 8)
    assert model.predict(scenes, scenes).positions.shape == (1, scenes.n_agents, 12, 2)
    with pytest.raises(ParameterError, match="from the past"):
        model.predict(scenes, scenes, refine="gated")


def test_channels_must_be_those_of_training() -> None:
    marked = SpuriousChannel(2.0)(crowds())
    model = CausalMotionForecaster(**TINY, neighbours=0, style_dim=0, coordinates="steps").fit(marked, progress=False)
    assert model.predict(SpuriousChannel(8.0)(crowds(5))).positions.shape == (1, 40, 12, 2)
    with pytest.raises(DataError, match="0 channels"):
        model.predict(crowds(5))


@pytest.mark.parametrize(
    ("setting", "change", "code"),
    [
        ({}, lambda s: s.with_domains("one"), "E628"),
        ({}, lambda s: s.with_domains(["a", *["b"] * 15]), "E628"),
        ({}, lambda s: s.only_past(), "E627"),
        ({}, lambda s: s.each_agent(), "E626"),
        ({"backbone": "tree"}, lambda s: s, "E631"),
        ({"samples": 3}, lambda s: s, "E631"),
        ({"width": 0}, lambda s: s, "E631"),
        ({"counterfactual": True}, lambda s: s, "E631"),
    ],
)
def test_what_cannot_be_fitted(setting: dict, change, code: str) -> None:
    with pytest.raises((DataError, ParameterError)) as caught:
        CausalMotionForecaster(**setting).fit(change(crowds()))
    assert caught.value.code == code


def test_what_cannot_be_asked(models: dict[str, CausalMotionForecaster]) -> None:
    model, scenes = models["mlp"], crowds(6)
    with pytest.raises(DataError, match="not been fitted"):
        CausalMotionForecaster().predict(scenes)
    slow = Scenes.from_tracks(scenes.positions[None, :2], dt=0.1)
    for call, code in (
        (lambda: model.predict(slow), "E623"),
        (lambda: model.predict(Scenes.from_tracks(np.zeros((1, 2, 20, 2)), observed=5)), "E625"),
        (lambda: model.predict(scenes, np.zeros(3)), "E630"),
        (lambda: model.predict(scenes, refine="gated"), "E631"),
        (lambda: model.adapt(scenes[:1]), "E634"),
        (lambda: model.adapt(scenes, "some"), "E631"),
        (lambda: model.score(scenes, metrics=("mse",)), "E631"),
        (lambda: model.score(scenes.only_past()), "E627"),
        (lambda: models["counterfactual"].what_if(scenes, scenes), "E631"),
    ):
        with pytest.raises((DataError, ParameterError)) as caught:
            call()
        assert caught.value.code == code


# ---- what training brings --------------------------------------------------------------------------------------------


def test_style_is_learned_recognised_and_set(styled: CausalMotionForecaster) -> None:
    tests = simulate_orca(150, (0.1, 0.5), random_state=1)
    near, wide = tests.of("0.1"), tests.of("0.5")
    own = styled.score(wide[64:], wide[:64])["ade"]
    assert own < 0.7 * ade(constant_velocity(wide[64:]), wide[64:].future)
    assert styled.score(wide[64:], near[:64])["ade"] > 1.5 * own  # the wrong style
    centres = np.array([styled.style(part[:64]).mean(axis=0) for part in (near, wide)])
    for k, part in enumerate((near, wide)):
        away = np.linalg.norm(styled.style(part[64:])[:, None] - centres, axis=2)
        assert (away.argmin(axis=1) == k).mean() > 0.8
    asked = styled.what_if(near[64:], wide[:64]).path
    assert np.array_equal(asked, styled.predict(near[64:], styled.style(wide[:64]).mean(axis=0)).path)
    assert ade(asked, styled.predict(near[64:], near[:64]).path) > 0.1  # setting the style moves people


def test_adaptation_leaves_the_original_and_what_is_frozen(styled: CausalMotionForecaster) -> None:
    few = simulate_orca(40, 0.3, random_state=3)
    before = {name: value.clone() for name, value in styled._network.state_dict().items()}
    adapted = styled.adapt(few, "modulator", steps=10, progress=False)
    assert all(torch.equal(value, before[name]) for name, value in styled._network.state_dict().items())
    moved = {name for name, value in adapted._network.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split(".")[1] for name in moved if name != "default_code"} == {"modulator"}
    assert np.allclose(adapted.style_, adapted.style(few).mean(axis=0), atol=1e-5)
    chosen = styled.adapt(few[:30], "all", steps=60, held_out=few[30:], patience=2, progress=False)
    assert chosen.log_.best_step is not None


def test_refinement_touches_flagged_scenes_only(styled: CausalMotionForecaster) -> None:
    tests = simulate_orca(90, 0.7, random_state=4)
    plain = styled.predict(tests[30:], tests[:30])
    better = styled.predict(tests[30:], tests[:30], refine="gated")
    flagged = plain.unusual
    assert np.array_equal(better.refined, flagged)
    same = np.repeat(~flagged, 2)
    assert np.allclose(better.positions[:, same], plain.positions[:, same])
    if flagged.any():
        assert better.scenes is tests or not np.allclose(better.positions, plain.positions)


@pytest.mark.parametrize("name", ["mlp", "stgat"])
def test_the_style_of_a_forecast_that_is_true_is_that_of_the_scene(
    models: dict[str, CausalMotionForecaster], name: str
) -> None:
    from whence.systems.motion import _networks_answers as answers

    model, scenes = models[name], crowds(7)
    whole, _ = model._inputs(scenes)
    seen, views = model._inputs(scenes.only_past())
    _, unit = answers.styles(model._network, whole)
    compare = answers._Similarity(model._network, seen, views, scenes.only_past(), None, unit)
    with torch.no_grad():
        assert torch.allclose(compare.of_paths(whole.target), unit @ compare.centre, atol=1e-4)


def test_forecasts_tabulate_and_draw(styled: CausalMotionForecaster, tmp_path: Path) -> None:
    scenes = simulate_orca(70, 0.3, random_state=5)
    forecast = styled.predict(scenes[64:], scenes[:64])
    table = forecast.table()
    assert len(table) == 12 * 12
    assert list(table.columns) == ["scene", "domain", "agent", "sample", "time", "x", "y"]
    drawing = forecast.plot(0, other=styled.predict(scenes[64:]))
    text = drawing.save(tmp_path / "scene.svg").read_text()
    assert text.count("<polyline") == 2 * 4  # seen, true, forecast and what-if of two agents
    assert "what if" in text
    assert "6 scenes" in repr(forecast)
