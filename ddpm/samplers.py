"""Ways from noise to an image, each a generator of Steps over the one denoiser interface."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from typing import Literal

import torch
from torch import Tensor

from ddpm.denoiser import Denoiser

Noise = Callable[[int, int], Tensor]
"""noise(t, s) is standard normal noise, shaped as x, for the step from t to s; asked for once a step, t falling."""

Variance = Literal["fixed_small", "fixed_large"]
"""Of the ancestral step, in the words of diffusers: the posterior's, or the forward process's beta."""


@dataclass(frozen=True)
class Step:
    """One denoising step: the image the network saw and what it made of it.

    index: 1..total. t: timestep, total of them descending from T to at least 1.
    x: the noisy image x_t, x0: the predicted clean one, float32 (N, 3, 64, 64). The last x0 is the result.
    eps, pull: the predicted noise and where the labels act, see `ddpm.denoiser.Prediction`; shaped as x.
    """

    index: int
    total: int
    t: int
    x: Tensor
    x0: Tensor
    eps: Tensor
    pull: Tensor | None


@dataclass(frozen=True)
class Mix:
    """What the next noisy image is the sum of: shares of x, x0, the x0 of the step before, and fresh noise."""

    x: float
    x0: float
    before: float = 0.0
    noise: float = 0.0


Mixing = Callable[[Sequence[float], int, int, int | None], Mix]
"""mixing(alpha_bar, t, s, u): of the step from t to s > 0, after one that came from u (None: the first)."""


def ancestral(
    alpha_bar: Sequence[float], t: int, s: int, u: int | None = None, variance: Variance | None = None
) -> Mix:
    """The step of `ddpm`."""
    alpha = alpha_bar[t] / alpha_bar[s]  # of the step from t to s
    large = t - s == 1 if variance is None else variance == "fixed_large"
    share = 1.0 if large else (1 - alpha_bar[s]) / (1 - alpha_bar[t])
    return Mix(  # Ho et al. 2020, eq. 7
        x=math.sqrt(alpha) * (1 - alpha_bar[s]) / (1 - alpha_bar[t]),
        x0=math.sqrt(alpha_bar[s]) * (1 - alpha) / (1 - alpha_bar[t]),
        noise=math.sqrt((1 - alpha) * share),
    )


def implicit(alpha_bar: Sequence[float], t: int, s: int, u: int | None = None, eta: float = 0.0) -> Mix:
    """The step of `ddim`, whose eps is (x - sqrt(alpha_bar) x0) / sqrt(1 - alpha_bar)."""
    variance = eta**2 * (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * (1 - alpha_bar[t] / alpha_bar[s])  # eq. 16
    of_eps = math.sqrt(1 - alpha_bar[s] - variance) / math.sqrt(1 - alpha_bar[t])
    of_x0 = math.sqrt(alpha_bar[s]) - math.sqrt(alpha_bar[t]) * of_eps  # Song et al. 2020, eq. 12
    return Mix(of_eps, of_x0, noise=math.sqrt(variance))


def multistep(alpha_bar: Sequence[float], t: int, s: int, u: int | None = None, eta: float = 0.0) -> Mix:
    """The step of `dpm_solver_pp`."""
    h = _half_log_snr(alpha_bar[s]) - _half_log_snr(alpha_bar[t])
    h_before = math.inf if u is None else _half_log_snr(alpha_bar[t]) - _half_log_snr(alpha_bar[u])
    of_d = -math.sqrt(alpha_bar[s]) * math.expm1(-(1 + eta) * h)
    ahead = h / (2 * h_before)  # d = x0 + ahead (x0 - before)
    shrink = math.sqrt((1 - alpha_bar[s]) / (1 - alpha_bar[t]))  # sigma_s / sigma_t
    fresh = math.sqrt(-(1 - alpha_bar[s]) * math.expm1(-2 * eta * h))
    return Mix(shrink * math.exp(-eta * h), of_d * (1 + ahead), -of_d * ahead, fresh)


MIXINGS: dict[str, Mixing] = {
    "ddpm": ancestral,
    "ddim": implicit,
    "dpm++": multistep,
    "sde-dpm++": partial(multistep, eta=1.0),
}
"""How the samplers step, by their keys in SAMPLERS."""


@torch.no_grad()
def _steps(
    denoiser: Denoiser, x: Tensor, labels: Tensor, timesteps: Sequence[int], noise: Noise, mixing: Mixing
) -> Iterator[Step]:
    alpha_bar = denoiser.schedule.alpha_bar.tolist()
    before, u = x, None
    for index, (t, s) in enumerate(pairwise([*timesteps, 0]), start=1):
        x0, eps, pull = denoiser(x, t, labels)
        yield Step(index, len(timesteps), t, x, x0, eps, pull)
        if s > 0:
            mix = mixing(alpha_bar, t, s, u)
            x = mix.x * x + mix.x0 * x0
            if mix.before:
                x = x + mix.before * before
            if mix.noise:
                x = x + mix.noise * noise(t, s)
            before, u = x0, t


def ddpm(
    denoiser: Denoiser,
    x: Tensor,
    labels: Tensor,
    timesteps: Sequence[int],
    noise: Noise,
    variance: Variance | None = None,
) -> Iterator[Step]:
    """Ancestral sampling (Ho et al. 2020, algorithm 2), also over fewer than T steps.

    variance: "fixed_large" is sigma_t^2 = beta_t, "fixed_small" the posterior's (ibid., section 3.2). By default the
    first for steps of one timestep, as the source report has it, and the second for longer ones: there beta_t leaves
    more noise in x than the network expects.
    """
    return _steps(denoiser, x, labels, timesteps, noise, partial(ancestral, variance=variance))


def ddim(
    denoiser: Denoiser, x: Tensor, labels: Tensor, timesteps: Sequence[int], noise: Noise, eta: float = 0.0
) -> Iterator[Step]:
    """DDIM (Song et al. 2020): deterministic at eta = 0, which asks for no noise, and ancestral at eta = 1."""
    return _steps(denoiser, x, labels, timesteps, noise, partial(implicit, eta=eta))


def dpm_solver_pp(
    denoiser: Denoiser, x: Tensor, labels: Tensor, timesteps: Sequence[int], noise: Noise, eta: float = 0.0
) -> Iterator[Step]:
    """DPM-Solver++(2M) (Lu et al. 2022, "DPM-Solver++", algorithm 2): second order, but first at both ends.

    eta: 0 follows the ODE and asks for no noise; 1 is the solver for the SDE, SDE-DPM-Solver++(2M). Both work on x0 and
    on differences of lambda = log(alpha / sigma), so that they are stable where alpha is almost 0.
    """
    return _steps(denoiser, x, labels, timesteps, noise, partial(multistep, eta=eta))


SAMPLERS: dict[str, Callable[..., Iterator[Step]]] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "dpm++": dpm_solver_pp,
    "sde-dpm++": partial(dpm_solver_pp, eta=1.0),
}


def sample(
    denoiser: Denoiser,
    x: Tensor,
    labels: Tensor,
    sampler: str = "ddim",
    steps: int = 50,
    eta: float = 0.0,
    noise: Noise | None = None,
    start: int | None = None,
) -> Iterator[Step]:
    """Start denoising x, and return the generator of its Steps; the last one's x0 is the result.

    x: noisy images at timestep `start`, float32 (N, 3, 64, 64); at T, the default, standard normal noise. labels: (N,
    24). sampler: a key of SAMPLERS. steps: 1..start. eta: 0..1, for "ddim" alone.
    noise: the source of later noise, see `Noise`; by default torch.randn_like(x).
    Raises ValueError at once for arguments out of range.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler {sampler!r} is unknown; allowed are {', '.join(SAMPLERS)}")
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must be a number from 0 to 1, not {eta!r}")
    if eta and sampler != "ddim":
        raise ValueError(f"eta is for the sampler 'ddim', not for {sampler!r}")
    timesteps = denoiser.schedule.timesteps(steps, start)
    options = {"eta": eta} if sampler == "ddim" else {}
    return SAMPLERS[sampler](denoiser, x, labels, timesteps, noise or (lambda t, s: torch.randn_like(x)), **options)


def continued(begun: Iterator[Step], here: Callable[[], Iterator[Step]]) -> Iterator[Step]:
    """All steps of a run: those that another place has computed, and where it left off, the rest of `here()`."""
    taken, total = 0, 1  # a run has at least one step
    for step in begun:
        yield step
        taken, total = step.index, step.total
    if taken < total:
        yield from islice(here(), taken, None)


def _half_log_snr(alpha_bar: float) -> float:
    return (math.log(alpha_bar) - math.log1p(-alpha_bar)) / 2
