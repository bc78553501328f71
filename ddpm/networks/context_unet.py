"""The source report's network, the "context U-Net", and its variants, as options.

Conditions multiply and shift the features on the way up; the report also tried leaving them out, more levels, and
adding them on the way down.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm import IMAGE_SIZE
from ddpm.labels import NUM_LABELS

_GROUPS = 8
_POOL = 7  # side of the average-pooling in the report's bottleneck

Norm = Literal["batch", "group"]
Fusion = Literal["up", "down"]


class ContextUNet(nn.Module):
    """Levels down, a bottleneck that keeps few numbers a channel, and levels up, each conditioned on labels and time.

    width: channels at full resolution, a multiple of 8; level i has i times as many. The report has 256.
    levels: 2 in the report, 4 in its deeper variant.
    time, labels: whether the network is conditioned on them.
    fusion: "up": on the way up labels multiply and time shifts the features at each level, as in the report. "down":
    both are summed once and added to the input of every level down, and the way up has no conditions; for 2 levels.
    norm: of the residual blocks, "batch" in the report, "group" in groups that make 8 of the channels.
    patch: side of the patches of pixels that it works on, 1, 2 or 4; the report works on single pixels. A patch's
    pixels are channels of one position, so that patches of 4 cost a sixteenth at the same width.
    """

    def __init__(
        self,
        width: int = 256,
        levels: int = 2,
        time: bool = True,
        labels: bool = True,
        fusion: Fusion = "up",
        norm: Norm = "batch",
        patch: int = 1,
    ) -> None:
        super().__init__()
        if width < _GROUPS or width % _GROUPS:
            raise ValueError(f"width must be a positive multiple of {_GROUPS}, not {width}")
        if patch not in (1, 2, 4):
            raise ValueError(f"patch must be 1, 2 or 4, not {patch}")
        if levels not in (2, 3, 4):
            raise ValueError(f"levels must be 2, 3 or 4, not {levels}")
        for name, value, kind in (("fusion", fusion, Fusion), ("norm", norm, Norm)):
            if value not in get_args(kind):
                raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}, not {value!r}")
        if fusion == "down" and levels != 2:
            raise ValueError(
                "fusion 'down' adds one vector to every level, so it is for 2 levels, which are equally wide"
            )
        channels = [width, *(width * (level + 1) for level in range(levels))]  # before the first level and after each
        self.fusion, self.patch = fusion, patch
        self.initial = ResidualBlock(3 * patch**2, width, norm)
        self.downs = nn.ModuleList(down(channels[i], channels[i + 1], norm) for i in range(levels))
        self.bottleneck = bottleneck(channels[-1], IMAGE_SIZE // patch // 2**levels)
        self.ups = nn.ModuleList(up(2 * channels[i], channels[i - 1], norm) for i in range(levels, 0, -1))
        self.output = nn.Sequential(
            nn.Conv2d(width + width, width, 3, padding=1),
            nn.GroupNorm(_GROUPS, width),
            nn.ReLU(),
            nn.Conv2d(width, 3 * patch**2, 3, padding=1),
        )
        widths = channels[:0:-1] if fusion == "up" else [width]  # of the features that are conditioned
        self.labels = nn.ModuleList(embedding(NUM_LABELS, c) for c in widths if labels)
        self.times = nn.ModuleList(embedding(1, c) for c in widths if time)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """x: (N, 3, 64, 64); time: t / T, (N,); labels: (N, 24). Returns (N, 3, 64, 64)."""
        of_labels = [layer(labels) for layer in self.labels]  # (N, C, 1, 1) each
        of_time = [layer(time[:, None]) for layer in self.times]
        h = initial = self.initial(F.pixel_unshuffle(x, self.patch))  # (N, width, 64 / patch, 64 / patch)
        skips = []
        for level in self.downs:
            if self.fusion == "down":
                h = h + sum(of_labels + of_time)
            h = level(h)  # half as high and wide at each level
            skips.append(h)
        h = self.bottleneck(h)
        for i, level in enumerate(self.ups):
            if self.fusion == "up":
                h = of_labels[i] * h if of_labels else h
                h = h + of_time[i] if of_time else h
            h = level(torch.cat([h, skips.pop()], 1))
        return F.pixel_shuffle(self.output(torch.cat([h, initial], 1)), self.patch)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each with a norm and GELU, and a skip (1x1 where the channels change)."""

    def __init__(self, channels_in: int, channels_out: int, norm: Norm) -> None:
        super().__init__()
        first, second = convolution(channels_in, channels_out, norm), convolution(channels_out, channels_out, norm)
        self.layers = nn.Sequential(*first, *second)
        self.skip = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.layers(x)


def convolution(channels_in: int, channels_out: int, norm: Norm) -> tuple[nn.Module, ...]:
    """Give the layers of one 3x3 convolution with its norm and GELU."""
    layer = nn.BatchNorm2d(channels_out) if norm == "batch" else nn.GroupNorm(_GROUPS, channels_out)
    return nn.Conv2d(channels_in, channels_out, 3, padding=1), layer, nn.GELU()


def down(channels_in: int, channels_out: int, norm: Norm) -> nn.Sequential:
    """Halve the resolution."""
    return nn.Sequential(ResidualBlock(channels_in, channels_out, norm), nn.MaxPool2d(2))


def bottleneck(channels: int, size: int) -> nn.Sequential:
    """Squeeze size x size by average-pooling, 16x16 to the report's 2x2 and 8x8 to one, and spread it out again."""
    pool = min(_POOL, size)
    scale = size // (size // pool)
    return nn.Sequential(
        nn.AvgPool2d(pool),
        nn.GELU(),
        nn.ConvTranspose2d(channels, channels, kernel_size=scale, stride=scale),
        nn.GroupNorm(_GROUPS, channels),
        nn.ReLU(),
    )


def up(channels_in: int, channels_out: int, norm: Norm) -> nn.Sequential:
    """Double the resolution."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, channels_out, kernel_size=2, stride=2),
        ResidualBlock(channels_out, channels_out, norm),
        ResidualBlock(channels_out, channels_out, norm),
    )


def embedding(numbers: int, channels: int) -> nn.Sequential:
    """Turn (N, numbers) into one value a channel: (N, channels, 1, 1)."""
    return nn.Sequential(
        nn.Linear(numbers, channels), nn.GELU(), nn.Linear(channels, channels), nn.Unflatten(1, (channels, 1, 1))
    )
