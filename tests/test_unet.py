"""The default network: its size, and that time, labels and the null condition all reach the picture."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ddpm import labels
from ddpm.networks import build
from ddpm.networks.unet import UNet, sinusoids
from training.loop.presets import PRESETS


@pytest.fixture(scope="module")
def awake():
    """A small network whose silent branches have been given weights."""
    torch.manual_seed(0)
    network = UNet(channels=(48, 48), blocks=(1, 1, 1), embedding=32)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def inputs(n: int = 2):
    x = torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return x, torch.full((n,), 0.5), labels.encode([["red cube"]] * n)


def test_the_default_network_is_small():
    network = build(PRESETS["default"].network, PRESETS["default"].options)
    assert sum(p.numel() for p in network.parameters()) <= 20e6
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs(1))
    assert counter.get_total_flops() <= 5e9


def test_a_new_network_is_silent():
    assert torch.equal(UNet()(*inputs(1)), torch.zeros(1, 3, 64, 64))


@torch.no_grad()
def test_time_and_labels_matter(awake):
    x, time, y = inputs()
    out = awake(x, time, y)
    assert out.shape == x.shape
    for other in ((x, 0.9 * time, y), (x, time, labels.encode([["red sphere"]] * 2)), (0.9 * x, time, y)):
        assert not torch.allclose(awake(*other), out, atol=1e-3)


@torch.no_grad()
def test_the_null_condition_is_not_the_empty_scene(awake):
    x, time, _ = inputs()
    empty, null = labels.encode([[], []]), torch.full((2, 24), labels.NULL)
    assert not torch.allclose(awake(x, time, empty), awake(x, time, null), atol=1e-3)


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(awake):
    x, time, y = inputs()
    mixed = torch.stack([y[0], torch.full((24,), labels.NULL)])
    assert torch.allclose(awake(x, time, mixed)[:1], awake(x[:1], time[:1], y[:1]), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"channels": [50, 96]}, "multiples of 48"), ({"blocks": [1, 0, 1]}, "blocks")],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build("unet", options)


def test_sinusoids_start_at_zero_and_one():
    assert torch.equal(sinusoids(torch.zeros(1), 4), torch.tensor([[0.0, 0, 0, 0, 1, 1, 1, 1]]))
