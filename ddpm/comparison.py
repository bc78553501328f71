"""Runs beside each other, in step, as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from ddpm.export import enlarge
from ddpm.trajectory import FILM_FRAMES, Trajectory, to_picture

GAP = 4
"""White pixels between two runs."""


def film(runs: Sequence[Trajectory], image: int = 0) -> list[Image.Image]:
    """Return frames for a film of one image of each run, from left to right: noisy above, predicted clean below.

    A frame shows all runs after the same share of their steps, so that a short one waits for a long one. Pixel for
    pixel, (64 R + 4 (R - 1)) x 128 for R runs.
    """
    count = min(max(len(run.timesteps) for run in runs), FILM_FRAMES)
    columns = [_columns(run, count, image) for run in runs]
    return [_join(frame, dim=-1) for frame in zip(*columns, strict=True)]


def film_strip(runs: Sequence[Trajectory], image: int = 0, columns: int = 10) -> Image.Image:
    """Return `columns` moments of each run in one picture, the runs below each other: noisy above predicted clean."""
    strips = [torch.cat(_columns(run, columns, image), dim=-1) for run in runs]  # (3, 128, 64 C) each
    return enlarge(_join(strips, dim=-2))


def _columns(run: Trajectory, count: int, image: int) -> list[Tensor]:
    """Return `count` moments of a run, evenly spread from the first step to the last: (3, 128, 64) each."""
    last = len(run.timesteps) - 1
    chosen = [round(i * last / (count - 1)) for i in range(count)] if count > 1 else [last]
    return [torch.cat([run.x[i, image], run.x0[i, image]], dim=-2) for i in chosen]


def _join(images: Sequence[Tensor], dim: int) -> Image.Image:
    shape = list(images[0].shape)
    shape[dim] = GAP
    parts = [part for image in images for part in (torch.ones(shape), image)]
    return to_picture(torch.cat(parts[1:], dim=dim))
