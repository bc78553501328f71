"""The noise schedule: golden values, and what holds for any."""

import math

import pytest
import torch
from diffusers import DDPMScheduler

from ddpm.schedule import NoiseSchedule

LINEAR, COSINE = NoiseSchedule("linear"), NoiseSchedule("cosine")
both = pytest.mark.parametrize("schedule", [LINEAR, COSINE], ids=lambda schedule: schedule.kind)


def test_linear_betas_are_those_of_the_report():
    assert LINEAR.betas[500].item() == pytest.approx((0.02 - 1e-4) * 500 / 1000 + 1e-4)
    assert LINEAR.betas[1000].item() == pytest.approx(0.02)
    log_alpha = sum(math.log(1 - ((0.02 - 1e-4) * t / 1000 + 1e-4)) for t in range(1, 1001))
    assert LINEAR.alpha_bar[1000].item() == pytest.approx(math.exp(log_alpha), rel=1e-9)
    assert LINEAR.alpha_bar[1000].item() == pytest.approx(4.0e-5, rel=0.01)  # Ho et al. 2020: almost pure noise


def test_cosine_alpha_bar_is_equation_17():
    def f(t: int) -> float:
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (1, 10, 500, 900, 999):
        assert COSINE.alpha_bar[t].item() == pytest.approx(f(t) / f(0), rel=1e-9)
    assert COSINE.betas.max().item() == 0.999
    assert COSINE.alpha_bar[1000].item() == pytest.approx(0.001 * COSINE.alpha_bar[999].item())


def test_cosine_agrees_with_diffusers():
    theirs = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2").alphas_cumprod.double()
    torch.testing.assert_close(COSINE.alpha_bar[1:], theirs, atol=1e-6, rtol=1e-4)


@both
def test_alpha_bar_falls_from_one_and_stays_above_zero(schedule):
    alpha_bar = schedule.alpha_bar
    assert alpha_bar.shape == (1001,)
    assert alpha_bar.dtype == torch.float64
    assert alpha_bar[0] == 1
    assert (alpha_bar.diff() < 0).all()
    assert alpha_bar[-1] > 0
    torch.testing.assert_close(alpha_bar[1:] / alpha_bar[:-1], 1 - schedule.betas[1:])


@both
def test_added_noise_has_the_variance_of_the_schedule(schedule):
    x0, eps = torch.full((3, 3, 64, 64), 2.0), torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0, 300, 1000])
    x = schedule.add_noise(x0, eps, t)
    assert x.dtype == torch.float32
    assert torch.equal(x[0], x0[0])
    for i in (1, 2):
        alpha_bar = schedule.alpha_bar[t[i]].item()
        assert x[i].mean().item() == pytest.approx(2 * math.sqrt(alpha_bar), abs=0.05)
        assert x[i].var().item() == pytest.approx(1 - alpha_bar, rel=0.05)
        assert torch.equal(schedule.add_noise(x0[i], eps[i], int(t[i])), x[i])


@both
def test_snr_falls_from_infinity(schedule):
    assert schedule.snr(0) == math.inf
    t = torch.tensor([1, 10, 1000])
    torch.testing.assert_close(schedule.log_snr(t).exp(), schedule.snr(t))
    assert (schedule.log_snr(torch.arange(1001)).diff() < 0).all()
    assert schedule.snr(500).item() == pytest.approx(1 / (1 / schedule.alpha_bar[500].item() - 1))


def test_timesteps_are_evenly_spaced_from_the_noisiest():
    assert COSINE.timesteps(1) == [1000]
    assert COSINE.timesteps(4) == [1000, 750, 500, 250]
    assert COSINE.timesteps(1000) == list(range(1000, 0, -1))
    assert NoiseSchedule(steps=10).timesteps(3) == [10, 7, 3]


def test_timesteps_are_distinct_for_every_number_of_steps():
    for n in range(1, 1001):
        timesteps = COSINE.timesteps(n)
        assert len(timesteps) == n
        assert timesteps[0] == 1000
        assert timesteps[-1] >= 1
        assert all(a > b for a, b in zip(timesteps, timesteps[1:], strict=False))


@pytest.mark.parametrize("n", [0, -1, 1001])
def test_timesteps_out_of_range_are_refused(n):
    with pytest.raises(ValueError, match="steps must be a whole number from 1 to 1000"):
        COSINE.timesteps(n)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "sigmoid"}, "'sigmoid' is unknown; allowed are linear, cosine"),
        ({"steps": 0}, "steps must be"),
        ({"steps": 10.5}, "steps must be"),
        ({"steps": True}, "steps must be"),
        ({"beta_start": 0.0}, "0 < start <= end < 1"),
        ({"beta_start": "1e-4"}, "0 < start <= end < 1"),
        ({"beta_end": 1.0}, "0 < start <= end < 1"),
        ({"beta_start": 0.5, "beta_end": 0.1}, "0 < start <= end < 1"),
        ({"beta_end": math.nan}, "0 < start <= end < 1"),
        ({"kind": "linear", "beta_end": 0.999}, "1000 steps up to beta 0.999 leave nothing of a picture"),
        ({"kind": "linear", "steps": 10_000, "beta_end": 0.3}, "leave nothing of a picture"),
    ],
)
def test_impossible_schedules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        NoiseSchedule(**arguments)


def test_timesteps_can_start_below_the_noisiest():
    assert COSINE.timesteps(4, start=400) == [400, 300, 200, 100]
    assert COSINE.timesteps(3, start=3) == [3, 2, 1]


@pytest.mark.parametrize(
    ("n", "start", "message"), [(5, 4, "from 1 to 4"), (1, 0, "start must be"), (1, 1001, "start")]
)
def test_a_start_out_of_range_is_refused(n, start, message):
    with pytest.raises(ValueError, match=message):
        COSINE.timesteps(n, start)


def test_the_reports_linear_schedule_is_one_step_off_that_of_ho_et_al():
    theirs = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear", beta_start=1e-4, beta_end=0.02).betas
    assert theirs[0].item() == pytest.approx(1e-4) and LINEAR.betas[1].item() == pytest.approx(1.199e-4)
    # theirs at t = 1..1000 rises over 999 steps, the report's from t = 0 over 1000
    torch.testing.assert_close(
        (LINEAR.betas[1:] - 1e-4) * 1000, (theirs.double() - 1e-4) * 999 + (0.02 - 1e-4), atol=1e-5, rtol=0
    )
