"""The report's network: its shapes, and that it listens to all three inputs."""

import pytest
import torch
from torch import nn

from ddpm.labels import NULL, encode
from ddpm.networks import build
from ddpm.networks.context_unet import ContextUNet


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ContextUNet(width=8).eval()


def inputs(n: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x = torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return x, torch.linspace(0.1, 0.9, n), encode([["red cube"], ["blue sphere", "gray cube"]])[:n]


def test_the_report_s_width_gives_the_report_s_layers():
    with torch.device("meta"):
        network = ContextUNet()
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert shapes["initial.layers.0.weight"] == (256, 3, 3, 3)
    assert shapes["downs.0.0.layers.0.weight"] == (256, 256, 3, 3)
    assert shapes["downs.1.0.layers.0.weight"] == (512, 256, 3, 3)
    assert shapes["bottleneck.2.weight"] == (512, 512, 8, 8)
    assert shapes["ups.0.0.weight"] == (1024, 256, 2, 2)  # h and down2
    assert shapes["ups.1.0.weight"] == (512, 256, 2, 2)  # up1 and down1
    assert shapes["output.0.weight"] == (256, 512, 3, 3)  # up2 and the initial features
    assert shapes["output.3.weight"] == (3, 256, 3, 3)
    assert [shapes[f"{name}.2.weight"][0] for name in ("labels.0", "times.0", "labels.1", "times.1")] == [
        *(512, 512, 256, 256)
    ]
    assert [shapes[f"{name}.0.weight"][1] for name in ("labels.0", "times.0")] == [24, 1]
    assert sum(value.numel() for value in network.parameters()) == 30_395_907


def test_features_have_the_resolutions_of_the_report(network):
    sizes = {}
    for name in ("initial", "downs.0", "downs.1", "bottleneck", "ups.0", "ups.1"):
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: sizes.update({name: tuple(output.shape[1:])})
        )
    with torch.no_grad():
        assert network(*inputs()).shape == (2, 3, 64, 64)
    assert sizes == {
        "initial": (8, 64, 64),
        "downs.0": (8, 32, 32),
        "downs.1": (16, 16, 16),
        "bottleneck": (16, 16, 16),
        "ups.0": (8, 32, 32),
        "ups.1": (8, 64, 64),
    }


@pytest.mark.parametrize(("patch", "levels"), [(2, 2), (4, 2), (4, 4)])
def test_patches_take_the_place_of_pixels(patch, levels):
    network = ContextUNet(width=8, levels=levels, patch=patch).eval()
    sizes = []
    network.initial.register_forward_hook(lambda _module, _inputs, output: sizes.append(tuple(output.shape[1:])))
    with torch.no_grad():
        assert network(*inputs()).shape == (2, 3, 64, 64)
    assert sizes == [(8, 64 // patch, 64 // patch)]


@torch.no_grad()
def test_image_time_and_labels_all_count(network):
    x, time, labels = inputs()
    result = network(x, time, labels)
    for changed in (
        (x + 1, time, labels),
        (x, time + 0.05, labels),
        (x, time, torch.full((2, 24), NULL)),
        (x, time, encode([[], []])),
    ):
        assert not torch.allclose(network(*changed), result, atol=1e-5)
    assert not torch.allclose(
        network(x, time, torch.full((2, 24), NULL)), network(x, time, encode([[], []])), atol=1e-5
    )


@torch.no_grad()
def test_every_image_is_on_its_own(network):
    both = network(*inputs())
    for i in range(2):
        alone = network(*(value[i : i + 1] for value in inputs()))
        torch.testing.assert_close(alone, both[i : i + 1], atol=1e-5, rtol=0)


def test_every_parameter_learns():
    network = ContextUNet(width=8)
    network(*inputs()).square().mean().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in network.parameters())


@pytest.mark.parametrize("width", [0, -8, 12])
def test_widths_that_cannot_be_grouped_are_refused(width):
    with pytest.raises(ValueError, match="width must be a positive multiple of 8"):
        ContextUNet(width)


VARIANTS = {
    "without time": {"time": False},
    "without labels": {"labels": False},
    "deeper": {"levels": 4},
    "summed early": {"fusion": "down"},
    "groups": {"norm": "group"},
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_draws_and_learns(options):
    network = ContextUNet(width=8, **options)
    out = network(*inputs())
    assert out.shape == (2, 3, 64, 64)
    out.square().mean().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize(("options", "deaf"), [({"time": False}, 1), ({"labels": False}, 2)])
def test_a_variant_does_not_hear_what_it_is_not_told(options, deaf):
    network = ContextUNet(width=8, **options).eval()
    x, time, labels = inputs()
    other = (x, time + 0.1, labels) if deaf == 1 else (x, time, encode([[], []]))
    assert torch.equal(network(x, time, labels), network(*other))


def test_levels_halve_and_widen():
    sizes = []
    network = ContextUNet(width=8, levels=4)
    for level in network.downs:
        level.register_forward_hook(lambda _module, _inputs, output: sizes.append(tuple(output.shape[1:])))
    network(*inputs())
    assert sizes == [(8, 32, 32), (16, 16, 16), (24, 8, 8), (32, 4, 4)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 5}, "levels must be 2, 3 or 4"),
        ({"patch": 3}, "patch must be 1, 2 or 4"),
        ({"norm": "layer"}, "norm must be one of batch, group"),
        ({"fusion": "left"}, "fusion must be one of up, down"),
        ({"fusion": "down", "levels": 3}, "for 2 levels"),
    ],
)
def test_variants_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ContextUNet(width=8, **options)


def test_networks_are_built_by_name():
    assert isinstance(build("context_unet", {"width": 8}), ContextUNet)
    with pytest.raises(ValueError, match="network 'resnet' is unknown; allowed are unet, staged, context_unet"):
        build("resnet", {})
    for options in ({"depth": 3}, {"width": "8"}):
        with pytest.raises(ValueError, match="'context_unet' does not take the options"):
            build("context_unet", options)
