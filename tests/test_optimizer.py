"""What moves the weights, with Muon: which weights, how far, and that a run goes on to the bit."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ddpm.networks import build
from training.loop.optimizer import MuonAndAdamW, optimizer_of, peaks
from training.loop.presets import PRESETS

CONFIG = replace(PRESETS["report-muon"], options={"width": 16, "patch": 2}, weight_decay=0.0)


def network(channels_last: bool = True) -> nn.Module:
    torch.manual_seed(0)
    built = build(CONFIG.network, CONFIG.options)
    return built.to(memory_format=torch.channels_last) if channels_last else built


def learn(net: nn.Module, optimizer, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    x, labels = torch.randn(2, 3, 64, 64, generator=random), torch.rand(2, 24, generator=random)
    net(x, torch.tensor([0.2, 0.8]), labels).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_every_weight_moves_and_the_ends_keep_adamw():
    net = network()
    optimizer = optimizer_of(net, CONFIG)
    assert isinstance(optimizer, MuonAndAdamW)
    assert len(peaks(CONFIG)) == len(optimizer.param_groups)
    inner = {name for name, p in net.named_parameters() if any(p is k for k in optimizer.kernels)}
    assert {"initial.layers.0.weight", "initial.skip.weight", "output.3.weight"}.isdisjoint(inner)
    assert {"downs.0.0.layers.0.weight", "ups.0.0.weight", "bottleneck.2.weight", "output.0.weight"} <= inner
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    learn(net, optimizer, 1)
    learn(net, optimizer, 2)
    unmoved = [name for name, p in net.named_parameters() if torch.equal(p, before[name])]
    assert unmoved == []
    assert all(p.grad is None for p in net.parameters())


def test_a_step_of_a_convolution_is_orthogonal_and_as_long_as_one_of_adamw():
    net = network()
    optimizer = optimizer_of(net, CONFIG)
    kernel = net.downs[0][0].layers[0].weight  # 16 x 16 x 3 x 3
    before = kernel.detach().clone()
    learn(net, optimizer, 1)
    step = (kernel.detach() - before).permute(0, 2, 3, 1).flatten(1)
    # sqrt(max(outputs, inputs x kernel)) / 5 times an orthogonal matrix, by Newton and Schulz to within a third
    values = torch.linalg.svdvals(step) / (CONFIG.muon * 0.2 * (16 * 9) ** 0.5)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_it_goes_on_to_the_bit():
    straight, broken = network(), network()
    optimizer, first = optimizer_of(straight, CONFIG), optimizer_of(broken, CONFIG)
    for seed in range(3):
        learn(straight, optimizer, seed)
    learn(broken, first, 0)
    second = optimizer_of(broken, CONFIG)
    second.load_state_dict(first.state_dict())
    for seed in (1, 2):
        learn(broken, second, seed)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), broken.parameters(), strict=True))


def test_a_network_whose_kernels_are_no_matrices_is_refused():
    with pytest.raises(ValueError, match="channels_last"):
        optimizer_of(network(channels_last=False), CONFIG)


def test_an_older_torch_is_named(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ValueError, match="report-muon.*2.9"):
        optimizer_of(network(), CONFIG)


def test_without_muon_it_is_adamw_alone():
    net = network()
    assert type(optimizer_of(net, replace(CONFIG, muon=0.0))) is torch.optim.AdamW
    assert peaks(replace(CONFIG, muon=0.0)) == [CONFIG.learning_rate]
