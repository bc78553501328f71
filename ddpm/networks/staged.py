"""Two networks that share the way from noise to picture, each for its own part (Balaji et al. 2022, "eDiff-I", 4).

What a network has to do at the noisy end, to settle what stands where, is another task than to draw it sharply. A
second network doubles what can be learned and costs nothing at a step, since only one of the two is asked.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ddpm.networks.unet import UNet


class Staged(nn.Module):
    """Two UNets of one size: `fine` for t / T up to `boundary`, where the picture shows, and `coarse` above it.

    boundary: 0..1, exclusive. options: what both UNets are built with.
    """

    def __init__(self, boundary: float, **options: Any) -> None:
        super().__init__()
        if isinstance(boundary, bool) or not isinstance(boundary, (int, float)) or not 0 < boundary < 1:
            raise ValueError(f"boundary must be a number between 0 and 1, not {boundary!r}")
        self.boundary = boundary
        self.coarse = UNet(**options)
        self.fine = UNet(**options)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """x: (N, 3, 64, 64); time: t / T, (N,); labels: (N, 24), all -1 for the null condition. Returns like x."""
        is_fine = time <= self.boundary
        if is_fine.all():
            return self.fine(x, time, labels)
        if not is_fine.any():
            return self.coarse(x, time, labels)
        out = torch.empty_like(x)
        for network, chosen in ((self.fine, is_fine), (self.coarse, ~is_fine)):
            out[chosen] = network(x[chosen], time[chosen], labels[chosen]).to(out.dtype)
        return out
