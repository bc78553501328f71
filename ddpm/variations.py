"""Ways to move among a model's pictures: from one to another, and back into the noise and out again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ddpm.labels import encode
from ddpm.pipeline import Pipeline
from ddpm.samplers import Step
from ddpm.settings import Settings

End = tuple[Sequence[str], int]
"""Where a walk begins or ends: the labels of a scene, and a seed."""

DETERMINISTIC = ("ddim", "dpm++")
"""The samplers whose picture follows from the first noise alone, so that near noises mean near pictures."""


def slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Walk along the great circle from noise a to noise b (Shoemake 1985; Song et al. 2020, section 5.3).

    a, b: of the same shape. share: (N,) in 0..1. Returns (N, ...). Normal noise lies close to a sphere, which a
    straight line would leave: its middle is too quiet, and the model has never seen such.
    """
    cosine = torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0).clamp(-1, 1)
    angle = torch.arccos(cosine)
    share = share.reshape(-1, *[1] * a.ndim)
    if angle.sin() < 1e-4:  # the same direction, or opposite ones: no single great circle joins them
        return (1 - share) * a + share * b
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / angle.sin()


def walk(pipe: Pipeline, start: End, end: End, count: int, settings: Settings) -> Tensor:
    """Draw `count` >= 2 pictures from one scene and seed to another: float32 (count, 3, 64, 64); see `walk_steps`."""
    for step in walk_steps(pipe, start, end, count, settings):
        last = step.x0
    return last


def walk_steps(pipe: Pipeline, start: End, end: End, count: int, settings: Settings) -> Iterator[Step]:
    """Return a generator of denoising Steps of `count` >= 2 images on the way from one scene and seed to another.

    The noise turns from the one to the other (`slerp`), labels are exchanged one at a time (`turnover`), so that every
    picture is asked for a scene. The first and the last are those of the ends. Raises ValueError for a count below 2
    and for a sampler that is not deterministic, LabelError.
    """
    if count < 2:
        raise ValueError(f"a walk needs at least 2 pictures, not {count}")
    if settings.sampler not in DETERMINISTIC:
        raise ValueError(
            f"a walk needs a deterministic sampler: {' or '.join(DETERMINISTIC)}, not {settings.sampler!r}"
        )
    (scene_a, seed_a), (scene_b, seed_b) = start, end
    share = torch.linspace(0, 1, count)
    noise_a, noise_b = pipe.noise([seed_a, seed_b])
    x = slerp(noise_a, noise_b, share)  # (count, 3, 64, 64)
    return pipe.denoise(x, encode(turnover(scene_a, scene_b, count)), settings)


def turnover(start: Sequence[str], end: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Label sets for `count` >= 2 stops from one to another: each is a scene, and labels are exchanged one at a time.

    A label gives way to one of the same shape where there is such, then to one of the same color.
    """
    leaving = [label for label in start if label not in end]
    coming = [label for label in end if label not in start]
    moves: list[tuple[str | None, str | None]] = []
    for part in (1, 0, slice(0)):  # the shape, the color, nothing at all
        for old in list(leaving):
            match = next((new for new in coming if new.split()[part] == old.split()[part]), None)
            if match:
                moves.append((old, match))
                leaving.remove(old)
                coming.remove(match)
    moves += [(old, None) for old in leaving] + [(None, new) for new in coming]
    scenes = [tuple(start)]
    for gone, added in moves:
        kept = [added if label == gone else label for label in scenes[-1]] if gone else [*scenes[-1], added]
        scenes.append(tuple(label for label in kept if label))
    return [scenes[round(i * len(moves) / (count - 1))] for i in range(count)]


def redraw(
    pipe: Pipeline, x0: Tensor, scene: Sequence[str], start: int, seed: int, settings: Settings
) -> Iterator[Step]:
    """Noise pictures x0 (N, 3, 64, 64) to timestep `start` and denoise them again under a scene of the caller's choice.

    What the noise has not covered stays: much with a low start, only the rough composition with a high one (SDEdit,
    Meng et al. 2022). seed: of the new noise. Raises ValueError for a start outside 1..T, LabelError.
    """
    schedule = pipe.config.schedule
    schedule.timesteps(1, start)  # checks it
    noise = pipe.noise([seed + i for i in range(len(x0))])
    conditions = encode([scene]).expand(len(x0), -1)
    return pipe.denoise(schedule.add_noise(x0, noise, start), conditions, settings, seed, start)
