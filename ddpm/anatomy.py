"""One step of a run taken apart: what guidance makes of two predictions, and what the next noisy image is mixed of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm import noise
from ddpm.denoiser import Denoiser
from ddpm.labels import brief, encode
from ddpm.pipeline import Pipeline
from ddpm.samplers import MIXINGS, Mix
from ddpm.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A step of one image, from timestep t to s; pictures are float32 (3, 64, 64).

    uncond, cond: the clean images that the network predicts without and with the labels, before clipping.
    x, x0: the step's own, see `ddpm.samplers.Step`. x0 is uncond + guidance (cond - uncond), clipped to [-1, 1].
    mix: how much of x, x0, before (the x0 of the step before) and fresh (the new noise) the next x is the sum of. At
    the last step s is 0, and there is none of it: x0 is the picture. A run that was stopped does not know its next x.
    """

    t: int
    s: int
    uncond: Tensor
    cond: Tensor
    x: Tensor
    x0: Tensor
    mix: Mix | None
    before: Tensor | None
    fresh: Tensor | None
    next: Tensor | None


@torch.no_grad()
def take_apart(pipe: Pipeline, run: Trajectory, index: int, image: int = 0) -> Anatomy:
    """Take step `index` (1..total) of one image of a run apart. Raises ValueError for one that is not there."""
    total = len(run.timesteps)
    if not isinstance(index, int) or not 1 <= index <= total:
        raise ValueError(f"index must be a whole number from 1 to {total}, not {brief(index)}")
    i = index - 1
    schedule = pipe.config.schedule
    t, s = run.timesteps[i], 0
    if index < total:
        s = run.timesteps[index]
    elif total < run.settings.steps:  # a run that was stopped
        s = schedule.timesteps(run.settings.steps)[index]
    x = run.x[i, image]
    labels = encode([run.scenes[image]]).to(pipe.device)

    def predicted(guidance: float) -> Tensor:
        denoiser = Denoiser(pipe.ask, schedule, pipe.config.prediction, guidance, dtype=pipe.dtype, clip=False)
        return denoiser(x[None].to(pipe.device), t, labels).x0[0].cpu()

    mix, before, fresh = None, None, None
    if s:
        u = run.timesteps[i - 1] if i else None
        mix = MIXINGS[run.settings.sampler](schedule.alpha_bar.tolist(), t, s, u)
        before = run.x0[i - 1, image] if mix.before else None
        fresh = noise.Brownian([run.seed + image], schedule)(t, s)[0] if mix.noise else None
    following = run.x[index, image] if index < total else None
    return Anatomy(t, s, predicted(0), predicted(1), x, run.x0[i, image], mix, before, fresh, following)
