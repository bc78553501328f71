"""Noise: what a seed means, and that runs of different lengths share one Brownian path."""

import pytest
import torch

from ddpm import Pipeline, noise
from ddpm.hub import bundled
from ddpm.labels import encode
from ddpm.noise import Brownian, BrownianPath
from ddpm.schedule import NoiseSchedule

SCHEDULE = NoiseSchedule("cosine")


def test_a_picture_starts_from_the_generator_of_its_seed() -> None:
    expected = torch.randn((3, 64, 64), generator=torch.Generator().manual_seed(7))
    assert torch.equal(noise.start([7, 8])[0], expected)


def test_no_two_seeds_start_alike() -> None:
    seeds = [5, 5 + 2**32, 5 + 2**33, 6 + 2**32, 2**53 - 1, 2**63 - 1]
    starts = noise.start(seeds).flatten(1)
    assert (torch.corrcoef(starts) - torch.eye(len(seeds))).abs().max() < 0.04  # 12,288 values: standard error 0.009
    assert torch.equal(noise.start([2**32 - 1])[0], torch.randn((3, 64, 64), generator=noise.generator(2**32 - 1)))


def path(seed: int, steps: int = 1000) -> BrownianPath:
    return BrownianPath(seed, SCHEDULE.snr(torch.arange(steps + 1)).tolist())


@pytest.mark.parametrize("steps", [2, 7, 600, 997, 1000])
def test_a_path_starts_at_zero_and_its_increments_are_normal_and_independent(steps: int) -> None:
    motion, snr = path(3, steps), SCHEDULE.snr(torch.arange(steps + 1))
    times = sorted({max(1, round(steps * i / 9)) for i in range(10)}, reverse=True)
    values = [motion(t).double() for t in times]
    assert values[0].abs().max() == 0
    draws = torch.stack(
        [
            (values[i + 1] - values[i]).flatten() / (snr[times[i + 1]] - snr[times[i]]).sqrt()
            for i in range(len(times) - 1)
        ]
    )
    assert draws.mean(1).abs().max() < 0.03  # 12,288 values each: standard error 0.009
    assert (draws.std(1) - 1).abs().max() < 0.03
    if len(draws) > 1:
        assert (torch.corrcoef(draws) - torch.eye(len(draws))).abs().max() < 0.04


def test_its_values_do_not_depend_on_what_was_asked_before() -> None:
    falling, up, times = path(3), path(3), range(1000, 0, -30)
    values = [falling(t) for t in times]
    assert all(torch.equal(path(3)(t), value) for t, value in zip(times, values, strict=True))
    assert all(torch.equal(up(t), value) for t, value in list(zip(times, values, strict=True))[::-1])
    assert not torch.equal(path(4)(500), falling(500))


def test_large_seeds_that_differ_are_other_paths() -> None:
    assert not torch.equal(path(1)(500), path(1 + 2**32)(500))
    assert path(2**63 - 1)(500).isfinite().all()


def test_long_steps_see_the_sum_of_what_short_ones_see() -> None:
    long, short = (Brownian([5, 6], SCHEDULE) for _ in range(2))
    snr = SCHEDULE.snr(torch.arange(1001))
    whole = long(520, 480) * (snr[480] - snr[520]).sqrt()
    parts = sum(short(t, t - 10) * (snr[t - 10] - snr[t]).sqrt() for t in (520, 510, 500, 490))
    torch.testing.assert_close(whole, parts, atol=1e-4, rtol=0)
    assert whole.shape == (2, 3, 64, 64)


@pytest.mark.parametrize(("steps", "draws"), [(25, 26), (50, 125), (1000, 1000)])
def test_evenly_spaced_steps_cost_few_draws(steps: int, draws: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    normal = BrownianPath._normal
    monkeypatch.setattr(BrownianPath, "_normal", lambda self, t: asked.append(t) or normal(self, t))
    increments, timesteps = Brownian([1], SCHEDULE), SCHEDULE.timesteps(steps)
    for t, s in zip(timesteps, timesteps[1:], strict=False):
        increments(t, s)
    assert len(asked) <= draws


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["ddpm", "sde-dpm++"])
def test_runs_of_different_lengths_draw_like_pictures(sampler: str) -> None:
    pipe = Pipeline.from_pretrained(bundled("default"), "cpu")
    scenes = [["red cube", "blue sphere"]] * 5
    short, long = (pipe.generate(scenes, 11, sampler, steps) for steps in (25, 50))
    start = pipe.noise(range(11, 16))
    *_, other = pipe.denoise(start, encode(scenes), pipe.settings(sampler, 50), seed=77)  # other noise on the way
    shared, apart = ((short - x).square().mean(dim=(1, 2, 3)).median() for x in (long, other.x0))
    assert shared < 0.1 * apart  # of the median picture: now and then a scene tips over to another one
