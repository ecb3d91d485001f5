"""Diffusion arithmetic against identities, the exact Gaussian case and round trips."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from whence.errors import ParameterError
from whence.nn.diffusion import GaussianDiffusion, NoiseSchedule, guided
from whence.nn.seeds import reproducible, seeded

torch.set_num_threads(1)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [25, 200, 1000])
def test_schedules_fall_from_all_data_to_all_noise(kind, steps):
    schedule = NoiseSchedule(kind, steps)
    assert schedule.signal[0] == 1.0
    assert (np.diff(schedule.signal) < 0).all()
    assert schedule.signal[-1] < 1e-3
    np.testing.assert_allclose(schedule.signal[1:] / schedule.signal[:-1], 1 - schedule.betas, rtol=1e-12)
    plan = schedule.levels(20)
    assert (plan[0], plan[-1], len(plan)) == (0, steps, 21)
    assert (np.diff(plan) > 0).all()


def test_the_linear_schedule_is_that_of_the_paper():
    betas = NoiseSchedule("linear", 1000).betas
    np.testing.assert_allclose([betas[0], betas[-1]], [1e-4, 0.02])


def test_variance_of_noisy_data_is_that_of_the_schedule():
    diffusion = GaussianDiffusion(NoiseSchedule(steps=100))
    generator = seeded(0)
    x = 2.0 * torch.randn(100_000, 1, generator=generator, dtype=torch.float64)
    for level in (1, 30, 100):
        noisy = diffusion.q_sample(
            x, torch.full((len(x),), level), torch.randn(x.shape, generator=generator, dtype=x.dtype)
        )
        signal = diffusion.schedule.signal[level]
        assert float(noisy.var()) == pytest.approx(4 * signal + 1 - signal, rel=0.02)


@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
def test_every_prediction_says_the_same(prediction):
    diffusion = GaussianDiffusion(NoiseSchedule(steps=50), prediction)
    generator = seeded(1)
    x, noise = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    level = torch.tensor([1, 10, 20, 30, 40, 50])
    noisy, target = diffusion.q_sample(x, level, noise), diffusion.target(x, level, noise)
    torch.testing.assert_close(diffusion.noise_of(target, noisy, level), noise)
    torch.testing.assert_close(diffusion.data_of(target, noisy, level), x)
    assert float(diffusion.loss(lambda *_: target, x, level, noise).abs().max()) == 0.0


@pytest.mark.parametrize(("start", "end"), [(0, 30), (30, 0), (5, 50), (50, 5), (7, 7)])
def test_a_step_with_the_true_noise_lands_on_the_true_path(start, end):
    diffusion = GaussianDiffusion(NoiseSchedule(steps=50))
    x, noise = torch.randn(2, 4, 3, generator=seeded(2), dtype=torch.float64)
    here, there = (diffusion.q_sample(x, torch.full((4,), level), noise) for level in (start, end))
    torch.testing.assert_close(diffusion.ddim(here, start, end, noise), there)


def gaussian_field(diffusion, mean, variance):
    """Return the exact noise prediction for data from a normal distribution."""

    def field(x, level):
        signal = torch.as_tensor(diffusion.schedule.signal)[level][:, None]
        return (1 - signal).sqrt() * (x - signal.sqrt() * mean) / (signal * variance + 1 - signal)

    return field


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_exact_noise_of_a_gaussian_gives_that_gaussian(eta):
    diffusion = GaussianDiffusion(NoiseSchedule(steps=400))
    field = gaussian_field(diffusion, 3.0, 0.25)
    generator = seeded(3)
    x = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    drawn = diffusion.sample(field, x, diffusion.schedule.levels(400), eta=eta, generator=generator)
    assert float(drawn.mean()) == pytest.approx(3.0, abs=0.02)
    assert float(drawn.std()) == pytest.approx(0.5, rel=0.03)


def test_inversion_is_of_first_order_and_exact_when_refined():
    diffusion = GaussianDiffusion(NoiseSchedule(steps=200))
    field = gaussian_field(diffusion, 1.0, 0.25)
    x = 1.0 + 0.5 * torch.randn(50, 1, generator=seeded(4), dtype=torch.float64)

    def error(steps, refine):
        levels = diffusion.schedule.levels(steps)
        back = diffusion.sample(field, diffusion.invert(field, x, levels, refine=refine), levels)
        return float((back - x).norm() / x.norm())

    coarse, fine = error(50, 0), error(200, 0)
    assert 2.5 < coarse / fine < 5.0  # four times as many steps, a quarter of the error
    assert error(50, 60) < 1e-12


def test_round_trip_through_an_untrained_network():
    from whence.nn.denoisers import MLPDenoiser

    diffusion = GaussianDiffusion(NoiseSchedule(steps=100))
    with reproducible(0):
        net = MLPDenoiser(5, width=32, blocks=1).double()
    x = torch.randn(8, 5, generator=seeded(5), dtype=torch.float64)
    levels = diffusion.schedule.levels(25)
    with torch.no_grad():
        rough = diffusion.sample(net, diffusion.invert(net, x, levels), levels)
        exact = diffusion.sample(net, diffusion.invert(net, x, levels, refine=30), levels)
    assert float((exact - x).norm() / x.norm()) < 1e-8 < float((rough - x).norm() / x.norm())


def test_ddpm_step_has_the_posterior_variance():
    diffusion = GaussianDiffusion(NoiseSchedule(steps=100))
    x = torch.zeros(200_000, 1, dtype=torch.float64)
    drawn = diffusion.sample(lambda x, level: torch.zeros_like(x), x, [0, 40, 60], eta=1.0, generator=seeded(6))
    signal = diffusion.schedule.signal
    last = (signal[40] / signal[60]) ** 0.5  # what the step from 40 to 0 multiplies by, after one to 40
    posterior = (1 - signal[40]) / (1 - signal[60]) * (1 - signal[60] / signal[40])
    assert float(drawn.var()) == pytest.approx(posterior / signal[40], rel=0.02)
    assert last > 1  # sanity of the order of levels


def test_guidance_of_scale_one_is_the_identity_and_other_scales_extrapolate():
    toward, away = (lambda x, level: x + 1), (lambda x, level: x - 1)
    assert guided(toward, away, 1) is toward
    x = torch.zeros(2, 1)
    assert guided(toward, away, 3.0)(x, None).tolist() == [[5.0], [5.0]]
    assert guided(toward, away, 0.0)(x, None).tolist() == [[-1.0], [-1.0]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: NoiseSchedule("square"),
        lambda: NoiseSchedule(steps=3),
        lambda: NoiseSchedule(steps=100).levels(101),
        lambda: GaussianDiffusion(prediction="score"),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(ParameterError):
        make()
