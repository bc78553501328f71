"""Pictures to be measured: drawn from labels, or noised renders that are denoised again."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ddpm import Pipeline
from ddpm.export import write_file
from ddpm.pictures import sheet
from ddpm.pipeline import BATCH
from ddpm.scores import Scenes
from ddpm.settings import Settings
from ddpm.trajectory import to_picture
from training.loop import processes


def draw(pipe: Pipeline, scenes: Scenes, seeds: int, settings: Settings) -> tuple[Tensor, float]:
    """Images (seeds, N, 3, 64, 64) of N scenes and the seconds they took; no two share their noise.

    Image i of a call has the seed `seed + i`, so that the repetitions are spaced by N. Processes share the work.
    """
    start = time.perf_counter()
    count = len(scenes)
    jobs = [(seed, first) for seed in range(0, seeds * count, count) for first in range(0, count, BATCH)]

    def work(some: Sequence[tuple[int, int]]) -> list[Tensor]:
        return [
            pipe.generate(scenes[first : first + BATCH], seed=seed + first, **asdict(settings))
            for seed, first in tqdm(some, desc="batches", leave=False, disable=not processes.is_main())
        ]

    images = torch.cat(processes.map_shared(work, jobs))
    return images.unflatten(0, (seeds, count)), time.perf_counter() - start


def make_folder(folder: Path, count: int) -> None:
    """Make the folder that `save_images` will write so many pictures to.

    Raises OSError, and ValueError where pictures of another run would be left beside them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.glob("*.png")):
        if file.stem.isdecimal() and int(file.stem) >= count:
            raise ValueError(f"{file} is there already, and only {count} pictures are to be drawn: clear that folder")


def save_images(images: Tensor, folder: Path) -> None:
    """Write images (N, 3, 64, 64) as folder/0.png, 1.png, ..., and all of them as the sheet folder.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        write_file(folder / f"{i}.png", functools.partial(to_picture(image).save, format="PNG"))
    write_file(folder.with_name(f"{folder.name}.png"), functools.partial(sheet(images).save, format="PNG"))


def recovered(pipe: Pipeline, x0: Tensor, conditions: Tensor, start: int, settings: Settings) -> Tensor:
    """True pictures x0 (N, 3, 64, 64), noised to timestep `start` and denoised under their own labels (N, 24).

    Picture i has the seed i, for the noise on the way, too.
    """
    drawn = []
    for first in range(0, len(x0), BATCH):
        part = slice(first, first + BATCH)
        noise = pipe.noise(range(first, first + len(x0[part])))
        x = pipe.config.schedule.add_noise(x0[part], noise, start)
        for step in pipe.denoise(x, conditions[part], settings, seed=first, start=start):
            last = step.x0
        drawn.append(last)
    return torch.cat(drawn)
