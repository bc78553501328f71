"""The second task in training: what stands where."""

import pytest
import torch

from ddpm.networks import build
from training.loop.layout import WithLayout, pixel_weights
from training.scene.placement import Scene, SceneObject
from training.scene.tracer import layouts

OPTIONS = {"channels": [48, 48], "blocks": [1, 1, 1], "embedding": 32}


def test_a_layout_names_the_object_in_each_cell():
    near = SceneObject("red cube", 0.0, 0.0, 0.3)
    far = SceneObject("cyan sphere", -2.0, 2.0, 0.0)
    found = layouts([Scene((near, far)), Scene(())])
    assert found.shape == (2, 16, 16)
    assert found.dtype == torch.uint8
    assert set(found[0].unique().tolist()) == {1, 8 + 6, 24}
    assert (found[1] == 24).all()
    rows = {label: (found[0] == label).nonzero()[:, 0].float().mean() for label in (1, 14)}
    assert rows[1] > rows[14]  # what is nearer stands lower in the picture


def test_the_network_gives_what_it_gives_without_the_head():
    network = build("unet", OPTIONS)
    torch.nn.init.normal_(network.output[-1].weight)
    x, time, labels = torch.randn(2, 3, 64, 64), torch.tensor([0.2, 0.9]), torch.zeros(2, 24)
    plain = network(x, time, labels)
    out, logits = WithLayout(network)(x, time, labels)
    assert torch.equal(out, plain)
    assert logits.shape == (2, 25, 16, 16)


def test_the_head_teaches_the_lower_level():
    network = build("unet", OPTIONS)
    _, logits = WithLayout(network)(torch.randn(1, 3, 64, 64), torch.tensor([0.5]), torch.zeros(1, 24))
    logits.square().mean().backward()
    assert network.grow.weight.grad.abs().sum() > 0


def test_pixels_near_an_object_count_more():
    layouts = torch.full((2, 16, 16), 24, dtype=torch.uint8)
    layouts[0, 5, 7] = 3
    weights = pixel_weights(layouts, focus=4.0)
    assert weights.shape == (2, 1, 64, 64)
    assert weights.mean() == pytest.approx(1)
    heavy = weights > weights.min() * 4.9
    assert heavy.sum() == (3 * 4) ** 2  # the cell and its neighbours, 4x4 pixels each
    assert heavy[0, 0, 16:28, 24:36].all()
    torch.testing.assert_close(weights[heavy], 5 * weights[~heavy].min().expand(144))


def test_without_focus_all_pixels_count_alike():
    assert torch.equal(pixel_weights(torch.zeros(1, 16, 16, dtype=torch.uint8), 0.0), torch.ones(1, 1, 64, 64))
