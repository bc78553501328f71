"""The kernel distance: its definition on hand-made features, and the foreign network that gives them."""

import sys

import pytest
import torch

from training.measures import kernel


def test_it_is_the_unbiased_estimate_written_out() -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    b = torch.tensor([[2.0, 0.0], [0.0, 0.0]])

    def k(x: torch.Tensor, y: torch.Tensor) -> float:
        return float((x @ y / 2 + 1) ** 3)

    within_a = sum(k(a[i], a[j]) for i in range(3) for j in range(3) if i != j) / 6
    within_b = sum(k(b[i], b[j]) for i in range(2) for j in range(2) if i != j) / 2
    between = sum(k(x, y) for x in a for y in b) / 6
    assert kernel.kernel_distance(a, b) == pytest.approx(within_a + within_b - 2 * between)


def test_it_is_zero_on_average_between_equals_and_grows_with_a_shift() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(1000, 8, generator=generator), torch.randn(1000, 8, generator=generator)
    error = kernel.standard_error(a, b)
    assert error
    assert abs(kernel.kernel_distance(a, b)) < 4 * error
    assert kernel.kernel_distance(a, b + 0.2) < kernel.kernel_distance(a, b + 0.4)
    assert kernel.kernel_distance(a, b + 0.4) > 10 * error
    assert kernel.standard_error(a[:150], b[:150]) is None


def test_the_foreign_network_tells_pictures_apart_and_not_by_their_batch() -> None:
    x = torch.rand(18, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    x[1:] *= 0.1
    network = kernel.load()
    found = kernel.features(network, x)
    assert found.shape == (18, 1280)
    torch.testing.assert_close(kernel.features(network, x[16:]), found[16:], atol=1e-4, rtol=1e-3)
    assert (found[0] - found[1]).norm() > 2 * (found[1] - found[2]).norm()


def test_where_it_is_not_installed_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ValueError, match=r"efficientnet_lite_pytorch.*\.\[dev\]"):
        kernel.load()
