"""A second task for a network in training: to say what stands where.

The loss on pixels hardly tells a cube from a cylinder of the same color: a few pixels differ. Asked for the layout as
well (see `training.scene.tracer.layouts`), from its features halfway, a network has to settle early which object goes
where, and hears of it when it is wrong. The idea is that of REPA (Yu et al. 2024) with the scene's own truth as the
goal. The head that answers is thrown away after training: the network that draws is as it was.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ddpm.labels import NUM_LABELS
from ddpm.networks.unet import UNet


class WithLayout(nn.Module):
    """A UNet with a head on the features that come up from its 8x8 level."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Conv2d(network.grow.out_channels, NUM_LABELS + 1, 1)
        self._features: Tensor
        network.grow.register_forward_hook(self._keep)

    def _keep(self, _layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._features = output

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What the network gives, and the layout's logits (N, 25, 16, 16); arguments as the network's."""
        out = self.network(x, time, labels)
        return out, self.head(self._features)


def pixel_weights(layouts: Tensor, focus: float) -> Tensor:
    """How much each pixel counts in the loss: float32 (N, 1, 64, 64) with a mean of 1.

    layouts: int (N, 16, 16) as of `training.scene.tracer.layouts`. Cells that show an object, and those around them,
    count 1 + focus times as much as the rest. The best answer at a pixel is the same under any weights; they say where
    a network spends its strength, and most of a picture is plain ground.
    """
    near = F.max_pool2d((layouts < NUM_LABELS).float()[:, None], 3, stride=1, padding=1)  # (N, 1, 16, 16)
    weights = 1 + focus * F.interpolate(near, scale_factor=4.0, mode="nearest")
    return weights / weights.mean()
