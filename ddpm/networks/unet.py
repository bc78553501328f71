"""The network of the default checkpoint: a small U-Net on 4x4 patches, conditioned on time and labels at every block.

The picture becomes a 16x16 grid by pixel-unshuffling, so that nearly all arithmetic happens at 16x16 and 8x8. Time and
labels reach every residual block through adaptive group normalization (Dhariwal & Nichol 2021, section 3); at 8x8 every
position also attends to all others and to one token a label (Nichol et al. 2022, "GLIDE", section 4.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm import IMAGE_SIZE
from ddpm.labels import NUM_LABELS

PATCH = 4  # pixels, the side of what becomes one position
MAX_BLOCKS = 64
HEAD_CHANNELS = 48
GROUP_CHANNELS = 16


class UNet(nn.Module):
    """Two resolutions with a skip between them; attention at the lower one.

    channels: at 16x16 and at 8x8, multiples of 48. blocks: residual blocks at 16x16 on the way down, at 8x8, and at
    16x16 on the way up. embedding: width of the vector that carries time and labels.
    """

    def __init__(
        self,
        channels: Sequence[int] = (96, 192),
        blocks: Sequence[int] = (2, 4, 3),
        embedding: int = 256,
    ) -> None:
        super().__init__()
        if len(channels) != 2 or any(c < HEAD_CHANNELS or c % HEAD_CHANNELS for c in channels):
            raise ValueError(f"channels must be two positive multiples of {HEAD_CHANNELS}, not {channels}")
        if len(blocks) != 3 or any(not 1 <= b <= MAX_BLOCKS for b in blocks):
            raise ValueError(f"blocks must be three numbers from 1 to {MAX_BLOCKS}, not {blocks}")
        if embedding < 2 or embedding % 2:
            raise ValueError(f"embedding must be a positive even number, not {embedding}")
        high, low = channels
        down, middle, up = blocks
        self.condition = Condition(embedding, tokens=low)
        self.stem = nn.Conv2d(3 * PATCH**2, high, 3, padding=1)
        self.position = nn.Parameter(torch.zeros(1, high, IMAGE_SIZE // PATCH, IMAGE_SIZE // PATCH))
        self.down = nn.ModuleList(ResidualBlock(high, high, embedding) for _ in range(down))
        self.shrink = nn.Conv2d(high, low, 2, stride=2)
        self.middle = nn.ModuleList(ResidualBlock(low, low, embedding) for _ in range(middle))
        self.attention = nn.ModuleList(LabelAttention(low) for _ in range(middle))
        self.grow = nn.ConvTranspose2d(low, high, 2, stride=2)
        self.up = nn.ModuleList(ResidualBlock(2 * high if i == 0 else high, high, embedding) for i in range(up))
        self.output = nn.Sequential(group_norm(high), nn.SiLU(), zeroed(nn.Conv2d(high, 3 * PATCH**2, 3, padding=1)))

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """x: (N, 3, 64, 64); time: t / T, (N,); labels: (N, 24), all -1 for the null condition. Returns like x."""
        vector, tokens = self.condition(time, labels)
        h = self.stem(F.pixel_unshuffle(x, PATCH)) + self.position  # (N, high, 16, 16)
        for block in self.down:
            h = block(h, vector)
        skip = h
        h = self.shrink(h)  # (N, low, 8, 8)
        for block, attention in zip(self.middle, self.attention, strict=True):
            h = attention(block(h, vector), tokens)
        h = torch.cat([self.grow(h), skip], 1)  # (N, 2 high, 16, 16)
        for block in self.up:
            h = block(h, vector)
        return F.pixel_shuffle(self.output(h), PATCH)


class Condition(nn.Module):
    """Time and labels as one vector (N, embedding), and the labels as one token each (N, 24, tokens).

    A label between 0 and 1 lies on the line between absent and present. The null condition (all -1) has a vector and a
    token of its own and so differs from the empty scene.
    """

    def __init__(self, embedding: int, tokens: int) -> None:
        super().__init__()
        self.frequencies = embedding // 2
        self.time = nn.Linear(embedding, embedding)
        self.labels = nn.Linear(NUM_LABELS, embedding)
        self.null = nn.Parameter(torch.zeros(embedding))
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU())
        self.present = nn.Parameter(torch.randn(NUM_LABELS, tokens))
        self.absent = nn.Parameter(torch.randn(tokens))
        self.null_token = nn.Parameter(torch.randn(tokens))

    def forward(self, time: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        is_null = labels[:, :1] < 0  # (N, 1)
        vector = self.time(sinusoids(1000 * time, self.frequencies))
        vector = vector + torch.where(is_null, self.null, self.labels(labels))
        share = labels[:, :, None]
        tokens = share * self.present + (1 - share) * self.absent  # (N, 24, tokens)
        return self.mix(vector), torch.where(is_null[:, :, None], self.null_token, tokens)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions; the second one's input is normalized, then scaled and shifted by the condition."""

    def __init__(self, channels_in: int, channels_out: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = group_norm(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * channels_out)
        self.norm2 = group_norm(channels_out)
        self.conv2 = zeroed(nn.Conv2d(channels_out, channels_out, 3, padding=1))
        self.skip = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        scale, shift = self.modulation(vector)[:, :, None, None].chunk(2, 1)  # (N, channels_out, 1, 1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        return self.skip(x) + self.conv2(F.silu(h))


class LabelAttention(nn.Module):
    """Every position attends to all positions and to the 24 label tokens."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.norm = group_norm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.label_kv = nn.Linear(channels, 2 * channels)
        self.output = zeroed(nn.Linear(channels, channels))

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        n, c, height, width = x.shape
        h = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, c)
        q, k, v = (self._split(part) for part in self.qkv(h).chunk(3, -1))  # (N, heads, 64, 48)
        label_k, label_v = (self._split(part) for part in self.label_kv(tokens).chunk(2, -1))  # (N, heads, 24, 48)
        # Written out: at this size the fused kernel's backward pass takes twice as long on a CPU
        weights = (q * HEAD_CHANNELS**-0.5) @ torch.cat([k, label_k], 2).transpose(-1, -2)  # (N, heads, 64, 88)
        h = weights.softmax(-1) @ torch.cat([v, label_v], 2)
        h = self.output(h.transpose(1, 2).reshape(n, height * width, c))
        return x + h.reshape(n, height, width, c).permute(0, 3, 1, 2)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, HEAD_CHANNELS)).transpose(1, 2)


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalization in groups of 16 channels."""
    return nn.GroupNorm(channels // GROUP_CHANNELS, channels)


def zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Start a layer at zero, so that its branch is silent at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def sinusoids(t: Tensor, count: int) -> Tensor:
    """Sines and cosines of t (N,) at geometrically spaced frequencies: (N, 2 count) (Vaswani et al. 2017, 3.5)."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(count, device=t.device) / count)
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)
