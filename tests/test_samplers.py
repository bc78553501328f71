"""The samplers: parity with diffusers' schedulers, and what holds for every one of them."""

import subprocess
import sys
from typing import get_args

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from ddpm.denoiser import Denoiser
from ddpm.labels import encode
from ddpm.samplers import SAMPLERS, Step, Variance, ddpm, sample
from ddpm.schedule import NoiseSchedule

LABELS = encode([["red cube"], ["blue sphere", "gray cube"]])
SHAPE = (2, 3, 8, 8)
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)
each_prediction = pytest.mark.parametrize("prediction", ["eps", "v"])
each_schedule = pytest.mark.parametrize("kind", ["linear", "cosine"])
THEIR_PREDICTION = {"eps": "epsilon", "v": "v_prediction"}


class TinyNetwork(torch.nn.Module):
    """A small random network that takes its time and its labels into account."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
            self.condition = torch.nn.Linear(25, 8)
            self.last = torch.nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        condition = self.condition(torch.cat([time[:, None], labels], 1))[:, :, None, None]
        return 0.8 * x + 0.4 * self.last(torch.nn.functional.silu(self.first(x) + condition))


NETWORK = TinyNetwork()


def source_of_noise(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda *_: torch.randn(SHAPE, generator=generator)


def in_turn(draws: list[Tensor]):
    left = iter(draws)
    return lambda *_: next(left)


def run(
    sampler: str, steps: int, *, prediction="v", schedule=None, clip=True, network=NETWORK, **options
) -> list[Step]:
    noise = source_of_noise(0)
    denoiser = Denoiser(network, schedule or NoiseSchedule("cosine"), prediction, guidance=1.5, clip=clip)
    return list(sample(denoiser, noise(), LABELS, sampler, steps, noise=noise, **options))


def run_theirs(scheduler, steps: int, **options) -> list[tuple[Tensor, Tensor | None]]:
    """Denoise with a scheduler of diffusers, whose timestep t is our t + 1. Returns (x, x0 where it tells) a step."""
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SHAPE, generator=generator)
    result = []
    with torch.no_grad():
        for t in scheduler.timesteps:
            time = ((t + 1) / scheduler.config.num_train_timesteps).expand(len(x))
            cond, uncond = NETWORK(x, time, LABELS), NETWORK(x, time, torch.full_like(LABELS, -1))
            step = scheduler.step(uncond + 1.5 * (cond - uncond), t, x, generator=generator, **options)
            result.append((x, getattr(step, "pred_original_sample", None)))
            x = step.prev_sample
    return [*result, (x, None)]


def their_options(prediction: str, schedule: NoiseSchedule) -> dict:
    betas = {"trained_betas": schedule.betas[1:].tolist()}
    if schedule.kind == "cosine":
        betas = {"beta_schedule": "squaredcos_cap_v2"}
    return {
        "num_train_timesteps": schedule.steps,
        "prediction_type": THEIR_PREDICTION[prediction],
        "timestep_spacing": "trailing",
        **betas,
    }


def assert_same_run(ours: list[Step], theirs: list[tuple[Tensor, Tensor | None]], schedule: NoiseSchedule) -> None:
    assert len(ours) == len(theirs) - 1
    for step, (x, x0) in zip(ours, theirs, strict=False):
        torch.testing.assert_close(step.x, x, atol=1e-4, rtol=0)
        if x0 is not None:  # compared as it enters x: an x0 made from eps has x's error over alpha
            alpha, _ = schedule.coefficients(step.t, x0)
            torch.testing.assert_close(alpha * step.x0, alpha * x0, atol=1e-4, rtol=0)


@each_prediction
@each_schedule
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 20])
def test_ddim_agrees_with_diffusers(prediction, kind, eta, steps):
    schedule = NoiseSchedule(kind)
    ours = run("ddim", steps, prediction=prediction, schedule=schedule, eta=eta)
    scheduler = DDIMScheduler(**their_options(prediction, schedule), clip_sample=True, set_alpha_to_one=True)
    theirs = run_theirs(scheduler, steps, eta=eta, use_clipped_model_output=True)
    assert_same_run(ours, theirs, schedule)
    if eta == 0:  # else diffusers has the noise of one more step in its result
        torch.testing.assert_close(ours[-1].x0, theirs[-1][0], atol=1e-4, rtol=0)


@each_prediction
@each_schedule
@pytest.mark.parametrize("steps", [1, 2, 20, 37])
@pytest.mark.parametrize(("sampler", "theirs"), [("dpm++", "dpmsolver++"), ("sde-dpm++", "sde-dpmsolver++")])
def test_dpm_solver_agrees_with_diffusers(prediction, kind, steps, sampler, theirs):
    schedule = NoiseSchedule(kind)
    scheduler = DPMSolverMultistepScheduler(
        **their_options(prediction, schedule),
        algorithm_type=theirs,
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
        thresholding=True,  # with a largest value of 1, this clips to [-1, 1]
        sample_max_value=1.0,
    )
    ours, run_of_theirs = run(sampler, steps, prediction=prediction, schedule=schedule), run_theirs(scheduler, steps)
    assert [step.t - 1 for step in ours] == scheduler.timesteps.tolist()
    assert_same_run(ours, run_of_theirs, schedule)
    torch.testing.assert_close(ours[-1].x0, run_of_theirs[-1][0], atol=1e-4, rtol=0)


@each_prediction
@each_schedule
@pytest.mark.parametrize("steps", [100, 20])
@pytest.mark.parametrize("variance", get_args(Variance))
def test_ddpm_agrees_with_diffusers_given_the_same_noise(prediction, kind, steps, variance):
    schedule = NoiseSchedule(kind, steps=100)
    scheduler = DDPMScheduler(**their_options(prediction, schedule), variance_type=variance, clip_sample=True)
    noise = source_of_noise(0)
    denoiser = Denoiser(NETWORK, schedule, prediction, guidance=1.5)
    with torch.no_grad():
        ours = list(ddpm(denoiser, noise(), LABELS, schedule.timesteps(steps), noise, variance))
    theirs = run_theirs(scheduler, steps)
    assert_same_run(ours, theirs, schedule)
    if steps == 100:  # over fewer steps diffusers adds noise after the last one
        torch.testing.assert_close(ours[-1].x0, theirs[-1][0], atol=1e-4, rtol=0)


@each_schedule
@pytest.mark.parametrize(("steps", "variance"), [(100, "fixed_large"), (50, "fixed_small"), (7, "fixed_small")])
def test_where_steps_are_skipped_ancestral_noise_has_the_posterior_variance(kind, steps, variance):
    schedule, noise = NoiseSchedule(kind, steps=100), source_of_noise(0)
    denoiser = Denoiser(NETWORK, schedule, "v", guidance=1.5)
    *_, expected = ddpm(denoiser, noise(), LABELS, schedule.timesteps(steps), noise, variance)
    torch.testing.assert_close(run("ddpm", steps, schedule=schedule)[-1].x0, expected.x0, atol=0, rtol=0)


@each_schedule
def test_posterior_variance_is_ddim_at_eta_1(kind):
    schedule = NoiseSchedule(kind)
    ancestral, ddim = run("ddpm", 20, schedule=schedule), run("ddim", 20, schedule=schedule, eta=1.0)
    for a, b in zip(ancestral, ddim, strict=True):
        torch.testing.assert_close(a.x, b.x, atol=1e-4, rtol=0)


@each_schedule
def test_samplers_agree_with_diffusers_without_clipping(kind):
    schedule = NoiseSchedule(kind)
    options = their_options("v", schedule)
    theirs = run_theirs(DDIMScheduler(**options, clip_sample=False), 20)
    assert_same_run(run("ddim", 20, schedule=schedule, clip=False), theirs, schedule)
    theirs = run_theirs(DPMSolverMultistepScheduler(**options, algorithm_type="dpmsolver++"), 20)
    assert_same_run(run("dpm++", 20, schedule=schedule, clip=False), theirs, schedule)


def test_ancestral_step_is_the_formula_of_the_report():
    schedule, eps = NoiseSchedule("linear"), 0.1
    first, second = run(
        "ddpm", 1000, schedule=schedule, prediction="eps", clip=False, network=lambda x, *_: eps + 0 * x
    )[:2]
    noise = source_of_noise(0)
    x, z = noise(), noise()
    beta, alpha_bar = schedule.betas[1000].item(), schedule.alpha_bar[1000].item()
    expected = (x - beta / (1 - alpha_bar) ** 0.5 * eps) / (1 - beta) ** 0.5 + beta**0.5 * z
    assert torch.equal(first.x, x)
    torch.testing.assert_close(second.x, expected, atol=1e-5, rtol=0)


@each_sampler
@pytest.mark.parametrize("steps", [1, 2, 7, 10])
def test_steps_count_up_and_timesteps_fall(sampler, steps):
    trajectory = run(sampler, steps)
    assert [step.index for step in trajectory] == list(range(1, steps + 1))
    assert {step.total for step in trajectory} == {steps}
    assert [step.t for step in trajectory] == NoiseSchedule("cosine").timesteps(steps)
    for step in trajectory:
        assert step.x.shape == step.x0.shape == SHAPE
        assert step.x.dtype == step.x0.dtype == torch.float32
        assert step.x0.abs().max() <= 1
    assert torch.equal(trajectory[0].x, source_of_noise(0)())


@each_sampler
@each_schedule
@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
def test_a_perfect_network_leads_every_sampler_to_the_image(sampler, kind, prediction):
    schedule, goal = NoiseSchedule(kind), torch.linspace(-1, 1, 2 * 3 * 64).reshape(SHAPE)

    def network(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        alpha, sigma = schedule.coefficients((time * schedule.steps).round().long(), x)
        goals = goal.repeat(len(x) // 2, 1, 1, 1)
        eps = (x - alpha * goals) / sigma
        return {"eps": eps, "x0": goals, "v": alpha * eps - sigma * goals}[prediction]

    last = run(sampler, 20, prediction=prediction, schedule=schedule, network=network)[-1]
    torch.testing.assert_close(last.x0, goal, atol=1e-3, rtol=0)


@each_sampler
def test_every_image_is_on_its_own(sampler):
    noise = source_of_noise(0)
    draws = [noise() for _ in range(6)]
    denoiser = Denoiser(NETWORK, NoiseSchedule("cosine"), "v", guidance=2.0)
    *_, both = sample(denoiser, draws[0], LABELS, sampler, 5, noise=in_turn(draws[1:]))
    for i in range(2):
        alone = in_turn([draw[i : i + 1] for draw in draws[1:]])
        *_, single = sample(denoiser, draws[0][i : i + 1], LABELS[i : i + 1], sampler, 5, noise=alone)
        torch.testing.assert_close(single.x0, both.x0[i : i + 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("sampler", "eta", "draws"),
    [("ddpm", 0.0, 9), ("ddim", 0.0, 0), ("ddim", 0.5, 9), ("dpm++", 0.0, 0), ("sde-dpm++", 0.0, 9)],
)
def test_noise_is_drawn_only_where_it_is_used(sampler, eta, draws):
    count = 0

    def noise(t: int, s: int) -> Tensor:
        nonlocal count
        count += 1
        return torch.zeros(SHAPE)

    denoiser = Denoiser(NETWORK, NoiseSchedule("cosine"), "v")
    list(sample(denoiser, torch.zeros(SHAPE), LABELS, sampler, 10, eta, noise))
    assert count == draws  # none after the last step


def test_dpm_solver_converges_faster_than_ddim():
    fine = run("ddim", 500)[-1].x0
    error = {name: (run(name, 20)[-1].x0 - fine).abs().mean().item() for name in ("ddim", "dpm++")}
    assert error["dpm++"] < error["ddim"] / 2


@each_sampler
@pytest.mark.parametrize("enabled", [True, False])
def test_grad_mode_is_the_callers_between_steps_and_after_an_early_close(sampler, enabled):
    denoiser = Denoiser(NETWORK, NoiseSchedule("cosine"), "v")
    with torch.set_grad_enabled(enabled):
        stream = sample(denoiser, torch.zeros(SHAPE), LABELS, sampler, 10)
        for _ in range(3):
            step = next(stream)
            assert torch.is_grad_enabled() == enabled
            assert not step.x0.requires_grad
        stream.close()
        assert torch.is_grad_enabled() == enabled
        assert list(stream) == []


def test_an_error_in_the_network_leaves_the_grad_mode_alone():
    def network(*_: Tensor) -> Tensor:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run("ddim", 5, network=network)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampler": "euler"}, "'euler' is unknown; allowed are ddpm, ddim, dpm++, sde-dpm++"),
        ({"steps": 0}, "steps must be a whole number from 1 to 1000"),
        ({"steps": 1001}, "steps must be a whole number from 1 to 1000"),
        ({"eta": -0.1}, "eta must be a number from 0 to 1"),
        ({"eta": float("nan")}, "eta must be a number from 0 to 1"),
        ({"sampler": "dpm++", "eta": 0.5}, "eta is for the sampler 'ddim'"),
    ],
)
def test_arguments_out_of_range_are_refused_before_the_first_step(arguments, message):
    with pytest.raises(ValueError) as caught:
        sample(Denoiser(NETWORK, NoiseSchedule("cosine"), "v"), torch.zeros(SHAPE), LABELS, **arguments)
    assert message in str(caught.value)


def test_samplers_need_nothing_but_torch():
    code = (
        "import sys, ddpm.samplers\n"
        "names = ('safetensors', 'huggingface_hub', 'PIL', 'matplotlib', 'gradio', 'torchvision')\n"
        "print([name for name in names if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@each_sampler
def test_a_run_can_start_from_a_step_of_another_one(sampler):
    whole = run(sampler, 10)
    noise = source_of_noise(1)
    denoiser = Denoiser(NETWORK, NoiseSchedule("cosine"), "v", guidance=1.5)
    rest = list(sample(denoiser, whole[4].x, LABELS, sampler, 6, noise=noise, start=600))
    assert [step.t for step in rest] == [step.t for step in whole[4:]]
    assert torch.equal(rest[0].x0, whole[4].x0)
    if sampler == "ddim":  # no memory and no noise: the very same way
        assert torch.equal(rest[-1].x0, whole[-1].x0)


@each_sampler
def test_a_step_shows_noise_and_pull_as_well(sampler):
    alpha_bar = NoiseSchedule("cosine").alpha_bar
    for step in run(sampler, 4):
        mixed = alpha_bar[step.t].sqrt() * step.x0 + (1 - alpha_bar[step.t]).sqrt() * step.eps
        torch.testing.assert_close(mixed.float(), step.x, atol=1e-4, rtol=0)
        assert step.pull is not None and step.pull.shape == step.x.shape
