"""One interface for every network: noisy image, timestep and labels in, clean image and noise out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ddpm.labels import NULL
from ddpm.schedule import NoiseSchedule

Parameterisation = Literal["eps", "x0", "v"]
PARAMETERISATIONS: tuple[Parameterisation, ...] = get_args(Parameterisation)

Network = Callable[[Tensor, Tensor, Tensor], Tensor]
"""network(x (N, 3, 64, 64), time = t / T (N,) in [0, 1], labels (N, 24)) -> (N, 3, 64, 64)"""


Steering = Callable[[Tensor, Tensor, Tensor], Tensor]
"""steering(x0 (N, 3, 64, 64), sigma (N or 1, 1, 1, 1), labels (N, 24)) -> the predicted clean image, changed"""


class Prediction(NamedTuple):
    """What the denoiser makes of x_t: the clean image and the noise, float32 (N, 3, 64, 64) each.

    pull: the guided x0 less the one without labels, before clipping: where the labels act. None where guidance is 0
    or 1, for which the network is asked only once.
    """

    x0: Tensor
    eps: Tensor
    pull: Tensor | None


@dataclass(frozen=True)
class Denoiser:
    """A network with its parameterisation, precision and classifier-free guidance around it.

    prediction: what the network was trained to give, see `target`.
    guidance: w in `uncond + w (cond - uncond)`: 0 ignores the labels, 1 is the plain conditional model.
    dtype: float32, or bfloat16 for autocast inside the network; everything outside it stays float32.
    clip: keep x0 in [-1, 1], with eps following it. steering: what changes x0 after that, see `Steering`.
    """

    network: Network
    schedule: NoiseSchedule
    prediction: Parameterisation
    guidance: float = 1.0
    dtype: torch.dtype = torch.float32
    clip: bool = True
    steering: Steering | None = None

    def __post_init__(self) -> None:
        if self.prediction not in PARAMETERISATIONS:
            raise ValueError(f"prediction {self.prediction!r} is unknown; allowed are {', '.join(PARAMETERISATIONS)}")

    def __call__(self, x: Tensor, t: Tensor | int, labels: Tensor) -> Prediction:
        """Predict from x_t (N, 3, 64, 64), t in 1..T (int, or int64 (N,)) and labels (N, 24)."""
        alpha, sigma = self.schedule.coefficients(t, x)
        time = torch.as_tensor(t, device=x.device).expand(len(x)) / self.schedule.steps
        null = torch.full_like(labels, NULL)
        pull = None
        if self.guidance in (0, 1):
            x0 = self._clean(x, self._run(x, time, labels if self.guidance == 1 else null), alpha, sigma)
        else:
            both = self._run(torch.cat([x, x]), torch.cat([time, time]), torch.cat([labels, null]))
            cond, uncond = (self._clean(x, out, alpha, sigma) for out in both.chunk(2))
            # Ho & Salimans 2022, eq. 6, with w for their 1 + w; on x0, which is linear in what the network gives
            pull = self.guidance * (cond - uncond)
            x0 = uncond + pull
        if self.clip:
            x0 = x0.clamp(-1, 1)
        if self.steering:
            x0 = self.steering(x0, sigma, labels)
            if self.clip:
                x0 = x0.clamp(-1, 1)
        return Prediction(x0, (x - alpha * x0) / sigma, pull)

    def _clean(self, x: Tensor, out: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The clean image that the network's output at x means."""
        if self.prediction == "eps":
            return (x - sigma * out) / alpha  # alpha > 0 at every t, but tiny at T: clip
        if self.prediction == "v":
            return alpha * x - sigma * out
        return out

    def _run(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        if self.dtype == torch.float32:
            return self.network(x, time, labels)
        with torch.autocast(x.device.type, self.dtype):
            return self.network(x, time, labels).float()


def target(prediction: Parameterisation, x0: Tensor, eps: Tensor, alpha_bar_t: Tensor) -> Tensor:
    """Return what the network learns to give at x_t = sqrt(alpha_bar_t) x0 + sqrt(1 - alpha_bar_t) eps.

    x0, eps: (N, 3, 64, 64). alpha_bar_t: (N,), in float64 best. "v" is from Salimans & Ho 2022, appendix D.
    """
    if prediction == "eps":
        return eps
    if prediction == "x0":
        return x0
    if prediction == "v":
        alpha_bar_t = alpha_bar_t.reshape(-1, 1, 1, 1)
        return alpha_bar_t.sqrt().to(x0) * eps - (1 - alpha_bar_t).sqrt().to(x0) * x0
    raise ValueError(f"prediction {prediction!r} is unknown; allowed are {', '.join(PARAMETERISATIONS)}")
