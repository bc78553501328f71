"""The source report's network, the "context U-Net": conditions multiply and shift the features on the way up."""

import torch
from torch import Tensor, nn

from ddpm.labels import NUM_LABELS

IMAGE_SIZE = 64
_GROUPS = 8


class ContextUNet(nn.Module):
    """Two levels down, a bottleneck that keeps 2x2 numbers a channel, and two levels up, each told labels and time.

    width: channels at full resolution, twice as many below; a multiple of 8. The report has 256.
    """

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        if width < _GROUPS or width % _GROUPS:
            raise ValueError(f"width must be a positive multiple of {_GROUPS}, not {width}")
        deep = 2 * width
        self.initial = ResidualBlock(3, width)
        self.down1 = down(width, width)
        self.down2 = down(width, deep)
        self.bottleneck = bottleneck(deep, IMAGE_SIZE // 4)
        self.up1 = up(deep + deep, width)
        self.up2 = up(width + width, width)
        self.output = nn.Sequential(
            nn.Conv2d(width + width, width, 3, padding=1),
            nn.GroupNorm(_GROUPS, width),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1),
        )
        self.label1, self.label2 = embedding(NUM_LABELS, deep), embedding(NUM_LABELS, width)
        self.time1, self.time2 = embedding(1, deep), embedding(1, width)

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """x: (N, 3, 64, 64); time: t / T, (N,); labels: (N, 24). Returns (N, 3, 64, 64)."""
        time = time[:, None]
        initial = self.initial(x)  # (N, width, 64, 64)
        down1 = self.down1(initial)  # (N, width, 32, 32)
        down2 = self.down2(down1)  # (N, 2 width, 16, 16)
        h = self.bottleneck(down2)  # (N, 2 width, 16, 16)
        h = self.label1(labels) * h + self.time1(time)
        h = self.up1(torch.cat([h, down2], 1))  # (N, width, 32, 32)
        h = self.label2(labels) * h + self.time2(time)
        h = self.up2(torch.cat([h, down1], 1))  # (N, width, 64, 64)
        return self.output(torch.cat([h, initial], 1))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each with BatchNorm and GELU, and a skip (1x1 where the channels change)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*convolution(channels_in, channels_out), *convolution(channels_out, channels_out))
        self.skip = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.layers(x)


def convolution(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """Give the layers of one 3x3 convolution with BatchNorm and GELU."""
    return nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out), nn.GELU()


def down(channels_in: int, channels_out: int) -> nn.Sequential:
    """Halve the resolution."""
    return nn.Sequential(ResidualBlock(channels_in, channels_out), nn.MaxPool2d(2))


def bottleneck(channels: int, size: int) -> nn.Sequential:
    """Squeeze size x size (16) to 2x2 by average-pooling and spread it out again."""
    return nn.Sequential(
        nn.AvgPool2d(7),
        nn.GELU(),
        nn.ConvTranspose2d(channels, channels, kernel_size=size // 2, stride=size // 2),
        nn.GroupNorm(_GROUPS, channels),
        nn.ReLU(),
    )


def up(channels_in: int, channels_out: int) -> nn.Sequential:
    """Double the resolution."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, channels_out, kernel_size=2, stride=2),
        ResidualBlock(channels_out, channels_out),
        ResidualBlock(channels_out, channels_out),
    )


def embedding(numbers: int, channels: int) -> nn.Sequential:
    """Turn (N, numbers) into one value a channel: (N, channels, 1, 1)."""
    return nn.Sequential(
        nn.Linear(numbers, channels), nn.GELU(), nn.Linear(channels, channels), nn.Unflatten(1, (channels, 1, 1))
    )
