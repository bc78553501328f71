"""Where in a picture each label acts: the clean image predicted with the label against that without it."""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.denoiser import Denoiser
from ddpm.labels import LABEL_ID, encode
from ddpm.pipeline import Pipeline
from ddpm.trajectory import Trajectory

TELLING = (0.02, 0.8)
"""Between these shares of signal (alpha_bar) it is decided what stands where: before all is mist, after all is set."""

STEPS = 6
"""At most so many steps of a run are looked at."""


@torch.no_grad()
def influence(pipe: Pipeline, run: Trajectory, image: int = 0) -> dict[str, Tensor]:
    """How much each requested label changes each pixel: (64, 64) for each label, the largest of all being 1.

    At some steps of the run the network is asked again with each label taken away, and the changes of its predicted
    clean image are averaged: the root of the mean square over colors and steps. That is the plain conditional
    prediction, without guidance, so that guidance does not blow it up. Empty for an empty scene.
    """
    scene = list(run.scenes[image])
    if not scene:
        return {}
    chosen = telling_steps(pipe, run.timesteps)
    with_all = encode([scene])[0]
    conditions = with_all.repeat(1 + len(scene), 1)  # (1 + K, 24)
    for row, label in enumerate(scene, start=1):
        conditions[row, LABEL_ID[label]] = 0
    denoiser = Denoiser(pipe.ask, pipe.config.schedule, pipe.config.prediction, dtype=pipe.dtype)
    change = torch.zeros(len(scene), 64, 64)
    for i in chosen:
        x = run.x[i, image].to(pipe.device).expand(len(conditions), -1, -1, -1)
        x0 = denoiser(x, run.timesteps[i], conditions.to(pipe.device)).x0.cpu()
        change += (x0[1:] - x0[:1]).square().mean(1)  # (K, 64, 64)
    change = (change / len(chosen)).sqrt()
    change = change / change.max().clamp_min(1e-6)
    return dict(zip(scene, change, strict=True))


def telling_steps(pipe: Pipeline, timesteps: tuple[int, ...]) -> list[int]:
    """Indices of at most STEPS steps between the bounds of TELLING, evenly spread; the nearest one where none is."""
    alpha_bar = pipe.config.schedule.alpha_bar[list(timesteps)]
    low, high = TELLING
    inside = [i for i, value in enumerate(alpha_bar.tolist()) if low <= value <= high]
    if not inside:
        return [int((alpha_bar - (low + high) / 2).abs().argmin())]
    count = min(STEPS, len(inside))
    return [inside[round(k * (len(inside) - 1) / max(count - 1, 1))] for k in range(count)]
