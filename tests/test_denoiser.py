"""The denoiser: parameterisations that mean the same, guidance identities, clipping, precision."""

import pytest
import torch
from torch import Tensor

from ddpm.denoiser import PARAMETERISATIONS, Denoiser, target
from ddpm.labels import NULL, encode
from ddpm.schedule import NoiseSchedule

SCHEDULES = [NoiseSchedule("linear"), NoiseSchedule("cosine")]
LABELS = encode([["red cube"], []])
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.kind)
each_prediction = pytest.mark.parametrize("prediction", PARAMETERISATIONS)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Recorder:
    """A network that answers with the mean label, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        self.calls.append((x, time, labels))
        return 0.1 * x + labels.sum(1)[:, None, None, None]


@each_schedule
@each_prediction
def test_a_perfect_network_gives_back_image_and_noise(prediction, schedule):
    x0, eps = normal(4, 3, 8, 8).clamp(-1, 1), normal(4, 3, 8, 8, seed=1)
    t = torch.tensor([1, 100, 500, 900])
    goal = target(prediction, x0, eps, schedule.alpha_bar[t])
    denoiser = Denoiser(lambda *_: goal, schedule, prediction, clip=False)
    result = denoiser(schedule.add_noise(x0, eps, t), t, torch.zeros(4, 24))
    torch.testing.assert_close(result.x0, x0, atol=2e-5, rtol=0)
    torch.testing.assert_close(result.eps, eps, atol=2e-4, rtol=0)


def test_v_is_the_golden_mixture():
    v = target("v", torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 3.0), torch.tensor([0.36]))
    assert v.item() == pytest.approx(0.6 * 3 - 0.8 * 2)


@each_schedule
@each_prediction
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("t", [1, 500, 1000])
def test_image_and_noise_always_make_up_the_input(prediction, schedule, clip, t):
    x = normal(2, 3, 8, 8)
    network = normal(2, 3, 8, 8, seed=1)
    x0, eps, _ = Denoiser(lambda *_: network, schedule, prediction, clip=clip)(x, t, LABELS)
    assert x0.isfinite().all()
    assert eps.isfinite().all()
    if clip:
        assert x0.abs().max() <= 1
    torch.testing.assert_close(schedule.add_noise(x0, eps, t), x, atol=1e-4, rtol=1e-5)


def test_guidance_one_is_the_conditional_model_alone():
    network, x = Recorder(), normal(2, 3, 8, 8)
    result = Denoiser(network, SCHEDULES[1], "x0", guidance=1.0, clip=False)(x, 500, LABELS)
    ((_, time, labels),) = network.calls
    assert torch.equal(labels, LABELS)
    assert torch.equal(time, torch.tensor([0.5, 0.5]))
    assert torch.equal(result.x0, Recorder()(x, time, LABELS))


def test_guidance_zero_is_the_unconditional_model_alone():
    network, x = Recorder(), normal(2, 3, 8, 8)
    result = Denoiser(network, SCHEDULES[1], "x0", guidance=0.0, clip=False)(x, 500, LABELS)
    ((_, time, labels),) = network.calls
    assert torch.equal(labels, torch.full((2, 24), NULL))
    assert torch.equal(result.x0, Recorder()(x, time, labels))


def test_guidance_extrapolates_from_one_forward_of_both_halves():
    network, x = Recorder(), normal(2, 3, 8, 8)
    result = Denoiser(network, SCHEDULES[1], "x0", guidance=3.0, clip=False)(x, 500, LABELS)
    ((_, time, labels),) = network.calls
    assert labels.shape == (4, 24)
    cond, uncond = (Recorder()(x, time, half) for half in labels.chunk(2))
    torch.testing.assert_close(result.x0, uncond + 3 * (cond - uncond))


@each_prediction
def test_guidance_means_the_same_in_every_parameterisation(prediction):
    schedule, x, t = SCHEDULES[1], normal(2, 3, 8, 8), 400
    eps = {"cond": 0.3 * x, "uncond": 0.5 * x}
    alpha, sigma = schedule.coefficients(t, x)

    def network(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        chosen = torch.cat([eps["cond"], eps["uncond"]])
        return target(prediction, (x - sigma * chosen) / alpha, chosen, schedule.alpha_bar[[t]])

    result = Denoiser(network, schedule, prediction, guidance=2.0, clip=False)(x, t, LABELS)
    torch.testing.assert_close(result.eps, 0.1 * x, atol=1e-5, rtol=0)


def test_one_timestep_for_all_or_one_each():
    network, x = Recorder(), normal(2, 3, 8, 8)
    denoiser = Denoiser(network, SCHEDULES[0], "eps")
    each = denoiser(x, torch.tensor([700, 20]), LABELS)
    for i, t in enumerate([700, 20]):
        alone = denoiser(x[i : i + 1], t, LABELS[i : i + 1])
        torch.testing.assert_close(each.x0[i : i + 1], alone.x0)
        torch.testing.assert_close(each.eps[i : i + 1], alone.eps)
    assert network.calls[0][1].tolist() == pytest.approx([0.7, 0.02])


def test_bfloat16_stays_inside_the_network():
    layer = torch.nn.Conv2d(3, 3, 3, padding=1)
    seen = []

    def network(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        seen.append(layer(x).dtype)
        return layer(x)

    with torch.no_grad():
        result = Denoiser(network, SCHEDULES[1], "v", dtype=torch.bfloat16)(normal(2, 3, 8, 8), 500, LABELS)
        exact = Denoiser(network, SCHEDULES[1], "v")(normal(2, 3, 8, 8), 500, LABELS)
    assert seen == [torch.bfloat16, torch.float32]
    assert result.x0.dtype == result.eps.dtype == torch.float32
    torch.testing.assert_close(result.x0, exact.x0, atol=0.03, rtol=0)


def test_an_unknown_parameterisation_is_refused():
    with pytest.raises(ValueError, match="'score' is unknown; allowed are eps, x0, v"):
        Denoiser(Recorder(), SCHEDULES[0], "score")
    with pytest.raises(ValueError, match="'score' is unknown; allowed are eps, x0, v"):
        target("score", LABELS, LABELS, torch.ones(2))


@each_prediction
def test_pull_is_the_guided_image_less_the_unconditional_one(prediction):
    x = normal(2, 3, 8, 8)
    denoisers = {w: Denoiser(Recorder(), SCHEDULES[1], prediction, guidance=w, clip=False) for w in (0, 1, 3)}
    results = {w: denoiser(x, 500, LABELS) for w, denoiser in denoisers.items()}
    assert results[0].pull is None
    assert results[1].pull is None
    torch.testing.assert_close(results[3].pull, results[3].x0 - results[0].x0, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(results[3].pull, 3 * (results[1].x0 - results[0].x0), atol=2e-5, rtol=1e-5)
