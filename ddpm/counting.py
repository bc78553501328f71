"""The evaluator's second answer: how many objects of each label a picture shows."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm.labels import NUM_LABELS

COUNTER = "counter."  # what the names of the count head's weights begin with


class CountHead(nn.Module):
    """How many objects of each label: a density over the grid of the third stage, summed.

    Features of the third and fourth stage (N, 256, 2H, 2W), (N, 512, H, W) -> (N, 24), about 0, 1 or 2 (and more).
    Unlike the labels' head it looks at places before they are averaged over the picture.
    """

    def __init__(self, channels: int = 128) -> None:
        super().__init__()
        self.fine = nn.Conv2d(256, channels, 1)
        self.coarse = nn.Conv2d(512, channels, 1)
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)
        self.density = nn.Conv2d(channels, NUM_LABELS, 1)
        for parameter in self.density.parameters():  # from no objects at all
            nn.init.zeros_(parameter)

    def forward(self, third: Tensor, fourth: Tensor) -> Tensor:
        """See the class."""
        h = F.relu(self.fine(third) + F.interpolate(self.coarse(fourth), scale_factor=2.0, mode="nearest"))
        return self.density(F.relu(self.mix(h))).sum(dim=(2, 3))


class Judge(nn.Module):
    """Both answers in one pass, sharing the parameters.

    (N, 3, 64, 64) in [-1, 1] -> (N, 2, 24): the labels' logits, and the sums of the count head.
    """

    def __init__(self, network: nn.Module, counter: CountHead) -> None:
        super().__init__()
        *stages, self.fourth_stage, pool, _ = network.children()
        self.to_third_stage = nn.Sequential(*stages)
        self.head = nn.Sequential(pool, nn.Flatten(), network.get_submodule("fc.0"))
        self.counter = counter

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        third = self.to_third_stage(x)
        fourth = self.fourth_stage(third)
        return torch.stack([self.head(fourth), self.counter(third, fourth)], dim=1)


class Look(nn.Module):
    """What an evaluator says of pictures: (N, 3, 64, 64) in [-1, 1] -> (N, 2, 24), the probabilities and the counts.

    Counts are 0, 1, or 2 for two and more; a label is there from 0.5 up. Without a counter it is there once.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], counter: CountHead | None) -> None:
        super().__init__()
        self.counts = counter is not None
        self.judge = Judge(network, counter) if counter is not None and isinstance(network, nn.Module) else network

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.counts:
            logits, sums = self.judge(x).unbind(1)
            p, several = logits.sigmoid(), sums >= 1.5
        else:
            p = self.judge(x)
            several = torch.zeros_like(p, dtype=torch.bool)
        return torch.stack([p, (p >= 0.5).to(p.dtype) * (1 + several.to(p.dtype))], dim=1)
