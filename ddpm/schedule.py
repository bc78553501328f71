"""The noise schedule: how much of an image is left at each of T timesteps."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import torch
from torch import Tensor

ScheduleKind = Literal["linear", "cosine"]
KINDS: tuple[ScheduleKind, ...] = get_args(ScheduleKind)

MAX_STEPS = 10_000  # ten times what the field uses; the tables of a schedule are as long

_COSINE_OFFSET = 0.008  # s in Nichol & Dhariwal 2021, eq. 17
_MAX_BETA = 0.999  # keeps alpha_bar[T] above 0


@dataclass(frozen=True)
class NoiseSchedule:
    """x_t = sqrt(alpha_bar[t]) x_0 + sqrt(1 - alpha_bar[t]) eps for t = 0..T, where t = 0 is the clean image.

    kind: "linear": beta_t = (beta_end - beta_start) t / T + beta_start, the source report's formula. Ho et al. 2020,
          section 4, rise from beta_start at t = 1, not t = 0: theirs is (beta_end - beta_start) (t - 1) / (T - 1) +
          beta_start, so that the report's first beta is 1.2e-4 where theirs is 1e-4;
          "cosine": Nichol & Dhariwal 2021, eq. 17, with betas of at most 0.999; it ignores beta_start and beta_end.
    steps: the number of training timesteps T (`num_train_timesteps` in diffusers), 1..MAX_STEPS.
    beta_start, beta_end: 0 < beta_start <= beta_end < 1.
    """

    kind: ScheduleKind = "cosine"
    steps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"schedule kind {self.kind!r} is unknown; allowed are {', '.join(KINDS)}")
        if not isinstance(self.steps, int) or isinstance(self.steps, bool) or not 1 <= self.steps <= MAX_STEPS:
            raise ValueError(f"schedule steps must be a whole number from 1 to {MAX_STEPS}, not {self.steps!r}")
        betas = (self.beta_start, self.beta_end)
        if not all(isinstance(beta, float) for beta in betas) or not 0 < self.beta_start <= self.beta_end < 1:
            raise ValueError(f"beta_start and beta_end must be numbers, 0 < start <= end < 1, not {betas}")
        if self.alpha_bar[-1].sqrt().float() == 0:
            raise ValueError(f"{self.steps} steps up to beta {self.beta_end:g} leave nothing of a picture: take fewer")

    @cached_property
    def betas(self) -> Tensor:
        """float64 (T + 1,): the variance that step t adds; betas[0] = 0."""
        t = torch.arange(self.steps + 1, dtype=torch.float64) / self.steps
        if self.kind == "linear":
            betas = (self.beta_end - self.beta_start) * t + self.beta_start
        else:
            f = torch.cos((t + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * math.pi / 2) ** 2
            betas = (1 - f / f.roll(1)).clamp(max=_MAX_BETA)
        betas[0] = 0.0
        return betas

    @cached_property
    def alpha_bar(self) -> Tensor:
        """float64 (T + 1,): the share of the signal's variance left at t; 1 at t = 0, then falling, above 0 at T."""
        return torch.log1p(-self.betas).cumsum(0).exp()

    def coefficients(self, t: Tensor | int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return (alpha, sigma) = (sqrt(alpha_bar[t]), sqrt(1 - alpha_bar[t])), with dtype and device of `like`.

        t: int, or int64 (N,). Both are shaped to multiply `like` (N, ...): (1, 1, ...) or (N, 1, ...).
        """
        alpha_bar = self.alpha_bar[_index(t)].reshape(-1, *[1] * (like.ndim - 1))
        alpha, sigma = alpha_bar.sqrt().to(like.dtype), (1 - alpha_bar).sqrt().to(like.dtype)
        return alpha.to(like.device), sigma.to(like.device)  # in this order: not every device knows float64

    def add_noise(self, x0: Tensor, eps: Tensor, t: Tensor | int) -> Tensor:
        """Return x_t (N, ...) from clean images x0 (N, ...), noise eps of the same shape and t, int or int64 (N,)."""
        alpha, sigma = self.coefficients(t, x0)
        return alpha * x0 + sigma * eps  # Ho et al. 2020, eq. 4

    def snr(self, t: Tensor | int) -> Tensor:
        """Return alpha_bar / (1 - alpha_bar) at t in float64, shaped as t; infinite at t = 0."""
        alpha_bar = self.alpha_bar[_index(t)]
        return alpha_bar / (1 - alpha_bar)

    def log_snr(self, t: Tensor | int) -> Tensor:
        """Return the natural logarithm of `snr(t)`."""
        return self.snr(t).log()

    def timesteps(self, n: int, start: int | None = None) -> list[int]:
        """Return n of 1..start, evenly spaced and descending from it ("trailing" spacing, Lin et al. 2024, table 2).

        start: T where it is None. Raises ValueError unless 1 <= start <= T and 1 <= n <= start.
        """
        start = self.steps if start is None else start
        if not isinstance(start, int) or not 1 <= start <= self.steps:
            raise ValueError(f"start must be a timestep from 1 to {self.steps}, not {start!r}")
        if not isinstance(n, int) or not 1 <= n <= start:
            raise ValueError(f"steps must be a whole number from 1 to {start}, not {n!r}")
        return [round(start * i / n) for i in range(n, 0, -1)]


def _index(t: Tensor | int) -> Tensor | int:
    return t.cpu() if isinstance(t, Tensor) else t
