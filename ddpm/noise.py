"""Noise that a seed means: what a picture starts from, and what a sampler adds to it on the way.

The noise on the way is a function of the seed and the timesteps alone, whatever the sampler and the number of steps:
the increments of one Brownian motion an image, so that runs over 25 and over 50 steps go through the same
disturbances. Its clock is the signal-to-noise ratio: the solution of the denoising SDE between two timesteps adds
noise in proportion to the motion's increment between them (Lu et al. 2022, "DPM-Solver++", eq. 10: there in lambda,
half the logarithm of the ratio). All of it is drawn on the CPU, so that a seed means the same picture on every device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ddpm import IMAGE_SHAPE
from ddpm.schedule import NoiseSchedule

_MASK = 2**64 - 1


def start(seeds: Sequence[int]) -> Tensor:
    """Standard normal noise for each seed: float32 (N, 3, 64, 64)."""
    return torch.stack([torch.randn(IMAGE_SHAPE, generator=generator(seed)) for seed in seeds])


def generator(seed: int) -> torch.Generator:
    """A CPU generator. Torch's keeps only a seed's low 32 bits, so larger seeds are scattered over these."""
    return torch.Generator().manual_seed(seed if seed < 2**32 else scatter(seed))


class BrownianPath:
    """One image's Brownian motion B at the timesteps T..1, with B(T) = 0 and B(s) - B(t) of variance snr[s] - snr[t].

    Values are found by bisection (Li et al. 2020, "Scalable gradients for stochastic differential equations", section
    4), so that they do not depend on what was asked before. Cheapest where timesteps fall or rise: the values that led
    to the last one are kept.
    snr: (T + 1,), falling; snr[0] is not used.
    """

    def __init__(self, seed: int, snr: Sequence[float]) -> None:
        self.seed = seed
        self._snr = snr
        self._strides = _strides(len(snr) - 1)
        self._generator = torch.Generator()
        self._kept: dict[int, Tensor] = {}

    def __call__(self, t: int) -> Tensor:
        """B(t), float32 (3, 64, 64), for t in 1..T."""
        snr, low, high = self._snr, 1, len(self._snr) - 1
        found = {high: torch.zeros(IMAGE_SHAPE)}
        found[low] = self._kept[low] if self._kept else math.sqrt(snr[low] - snr[high]) * self._normal(low)
        while t not in found:
            middle = self._between(low, high)
            value = self._kept.get(middle)
            if value is None:  # a Brownian bridge between its neighbors
                share = (snr[middle] - snr[high]) / (snr[low] - snr[high])
                spread = math.sqrt(share * (snr[low] - snr[middle]))
                value = torch.lerp(found[high], found[low], share) + spread * self._normal(middle)
            found[middle] = value
            low, high = (low, middle) if t < middle else (middle, high)
        self._kept = found
        return found[t]

    def _between(self, low: int, high: int) -> int:
        """Where the way from low to high is cut: near the middle, at the roundest number there is."""
        stride = next(stride for stride in self._strides if (low // stride + 1) * stride < high)
        first, last = (low // stride + 1) * stride, (high - 1) // stride * stride
        return min(max(round((low + high) / 2 / stride) * stride, first), last)

    def _normal(self, t: int) -> Tensor:
        """Standard normal noise that belongs to B(t)."""
        return torch.randn(IMAGE_SHAPE, generator=self._generator.manual_seed(scatter(scatter(self.seed) + t)))


class Brownian:
    """The noise of a batch on the way: called with t > s, standard normal noise (N, 3, 64, 64) for the step between."""

    def __init__(self, seeds: Sequence[int], schedule: NoiseSchedule, device: str | torch.device = "cpu") -> None:
        self._snr = schedule.snr(torch.arange(schedule.steps + 1)).tolist()
        self._paths = [BrownianPath(seed, self._snr) for seed in seeds]
        self._device = device

    def __call__(self, t: int, s: int) -> Tensor:
        increments = torch.stack([-path(t) + path(s) for path in self._paths])  # t first: it was the last one's s
        return (increments / math.sqrt(self._snr[s] - self._snr[t])).to(self._device)


def _strides(steps: int) -> list[int]:
    """Divisors of T, each dividing the one before, down to 1: the timesteps of evenly spaced runs are found at once."""
    strides, left, prime = [steps], steps, 2
    primes = []
    while left > 1:
        if left % prime == 0:
            primes.append(prime)
            left //= prime
        else:
            prime += 1
    for prime in reversed(primes):
        strides.append(strides[-1] // prime)
    return strides


def scatter(x: int) -> int:
    """Scatter 64-bit numbers (Steele et al. 2014, "Fast splittable pseudorandom number generators": SplitMix64)."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
