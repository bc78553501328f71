"""What the tabs Compare and Explore compute, as plain data: for the page and by program alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import Tensor

from ddpm.demo.checks import check_seed, requested, whole
from ddpm.demo.draw.studio import Judge, Studio
from ddpm.demo.hosting.limits import Room, Wait, check_work
from ddpm.demo.models import Models
from ddpm.demo.verdicts import verdict
from ddpm.editing import check_edits, edit, edit_place
from ddpm.labels import brief
from ddpm.samplers import Step
from ddpm.settings import Settings
from ddpm.variations import DETERMINISTIC, End, redraw, turnover, walk_steps

T = TypeVar("T")

MAX_GALLERY = 16
MIN_STOPS, MAX_STOPS = 5, 16
WALKER = "dpm++"
"""The sampler of a walk where the chosen one is not deterministic."""

Verdict = dict[str, dict[str, float]]
"""See `verdicts.verdict`."""


@dataclass(frozen=True)
class Side:
    """One of two runs that are compared. model: one of the `Models`, None for the page's own."""

    labels: Sequence[str]
    seed: int
    settings: Settings
    model: str | None = None

    @property
    def cost(self) -> int:
        """How often the network is asked at each step: guidance wants it with and without the labels."""
        return 1 if self.settings.guidance in (0, 1) else 2


@dataclass(frozen=True)
class Progress:
    """A step of side 0 or 1, and the seconds that this side has computed so far."""

    side: int
    step: Step
    seconds: float


@dataclass(frozen=True, eq=False)
class Pictures:
    """Several pictures after `index` of `total` steps.

    images: float32 (N, 3, 64, 64), the predicted clean ones. seeds: one for each, where they differ in nothing else.
    verdicts: one for each once they are finished, before that none.
    """

    index: int
    total: int
    images: Tensor
    seeds: tuple[int, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, eq=False)
class Edited:
    """A step of an edit. place: (1, 64, 64), 1 where the picture may change. verdict: by the new labels, at the end."""

    step: Step
    place: Tensor
    verdict: Verdict | None


def compare_runs(models: Models, sides: tuple[Side, Side], room: Room) -> Iterator[Progress | Wait]:
    """Draw two runs in step: always the side goes on that has more noise left.

    The last `Progress` of a side holds its result. A `Wait` may come before the first. Raises ValueError or LabelError
    before the first step.
    """
    work = sum(side.settings.steps for side in sides)
    check_work(work)
    runs = []
    for side in sides:
        scene, settings = requested(side.labels), side.settings
        check_seed(side.seed)
        pipeline = models.get(side.model)
        runs.append(pipeline.stream([scene], side.seed, settings.sampler, settings.steps, settings.guidance))
    return _in_turn(room, work, _in_step(runs))


def _in_step(runs: Sequence[Iterator[Step]]) -> Iterator[Progress]:
    seconds = [0.0] * len(runs)
    noise_left: dict[int, float] = {side: float("inf") for side in range(len(runs))}  # the last timestep of each
    while noise_left:
        side = max(noise_left, key=noise_left.__getitem__)
        start = time.perf_counter()
        step = next(runs[side])
        seconds[side] += time.perf_counter() - start
        yield Progress(side, step, seconds[side])
        noise_left[side] = step.t
        if step.index == step.total:
            del noise_left[side]


def gallery(
    studio: Studio, scene: Sequence[str], seed: int, count: int, settings: Settings, model: str | None = None
) -> Iterator[Pictures | Wait]:
    """Draw 1 to 16 pictures of the same labels in one batch, with the seeds from `seed` on; the last has the verdicts.

    model: the name of one of the studio's, here and below. A `Wait` may come before the first. Raises ValueError or
    LabelError before the first step.
    """
    scene = requested(scene)
    whole("pictures", 1, MAX_GALLERY)(count)
    check_seed(seed)
    check_seed(seed + count - 1)
    check_work(settings.steps, count)
    seeds = tuple(range(seed, seed + count))
    pipeline = studio.models.get(model)
    steps = pipeline.stream([scene] * count, seed, settings.sampler, settings.steps, settings.guidance)
    pictures = _pictures(studio.look, steps, [scene] * count, seeds)
    return _in_turn(studio.room, settings.steps * count, pictures)


def walk_pictures(
    studio: Studio, start: End, end: End, count: int, settings: Settings, model: str | None = None
) -> Iterator[Pictures | Wait]:
    """Draw 5 to 16 pictures on the way from one scene and seed to another, see `ddpm.variations.walk`.

    settings: DPM-Solver++ takes the place of a sampler that is not deterministic, see `walking`. Each picture is judged
    by what it was asked for. Raises ValueError or LabelError before the first step.
    """
    first, last = requested(start[0]), requested(end[0])
    check_seed(start[1])
    check_seed(end[1])
    whole("stops", MIN_STOPS, MAX_STOPS)(count)
    check_work(settings.steps, count)
    steps = walk_steps(studio.models.get(model), (first, start[1]), (last, end[1]), count, walking(settings))
    pictures = _pictures(studio.look, steps, turnover(first, last, count))
    return _in_turn(studio.room, settings.steps * count, pictures)


def walking(settings: Settings) -> Settings:
    """Return the settings that a walk uses in place of these."""
    return settings if settings.sampler in DETERMINISTIC else replace(settings, sampler=WALKER)


def redraw_picture(
    studio: Studio,
    scene: Sequence[str],
    seed: int,
    settings: Settings,
    percent: float,
    new_scene: Sequence[str],
    noise_seed: int,
) -> tuple[int, Tensor, Tensor]:
    """Draw a picture, noise it `percent` (1..100) of the way to pure noise, and denoise it under the new scene.

    noise_seed: names the new noise. Returns the timestep that the noise reaches and the pictures before and after,
    (1, 3, 64, 64). Raises ValueError, LabelError.
    """
    scene, new_scene = requested(scene), requested(new_scene)
    check_seed(seed)
    check_seed(noise_seed)
    if not 1 <= percent <= 100:
        raise ValueError(f"the way back must be a number from 1 to 100 percent, not {brief(percent)}")
    check_work(2 * settings.steps)
    start = max(1, round(studio.pipeline.config.schedule.steps * percent / 100))
    before = studio.trajectory(scene, seed, settings).x0[-1]
    for step in redraw(studio.pipeline, before, new_scene, start, noise_seed, settings):
        after = step.x0
    return start, before, after


def edit_picture(
    studio: Studio,
    picture: Tensor,
    before: Sequence[str],
    after: Sequence[str],
    seed: int,
    settings: Settings,
    where: Tensor | None = None,
) -> Iterator[Edited | Wait]:
    """Edit a picture (3, 64, 64) that shows the labels `before`, see `ddpm.editing.edit`.

    where: (1, 64, 64), what may change; None finds it. A `Wait` may come before the first. Raises ValueError or
    LabelError before the first step.
    """
    before, after = requested(before), requested(after)
    check_edits([before], [after])
    check_seed(seed)
    check_work(settings.steps)
    return _in_turn(studio.room, settings.steps, _edited(studio, picture, before, after, seed, settings, where))


def _edited(
    studio: Studio,
    picture: Tensor,
    before: tuple[str, ...],
    after: tuple[str, ...],
    seed: int,
    settings: Settings,
    where: Tensor | None,
) -> Iterator[Edited]:
    x0 = picture[None]
    place = edit_place(studio.pipeline, x0, [before], [after], seed) if where is None else where[None]
    for step in edit(studio.pipeline, x0, [before], [after], settings, seed, place):
        done = step.index == step.total
        yield Edited(step, place[0], verdict(after, studio.look(step.x0)[0]) if done else None)


def _in_turn(room: Room, work: int, results: Iterator[T]) -> Iterator[T | Wait]:
    with room.taken(work) as waits:
        yield from waits
        yield from results


def _pictures(
    look: Judge,
    steps: Iterator[Step],
    scenes: Sequence[tuple[str, ...]],
    seeds: tuple[int, ...] = (),
) -> Iterator[Pictures]:
    """scenes: what each picture was asked for."""
    for step in steps:
        verdicts: tuple[Verdict, ...] = ()
        if step.index == step.total:
            verdicts = tuple(verdict(scene, said) for scene, said in zip(scenes, look(step.x0), strict=True))
        yield Pictures(step.index, step.total, step.x0, seeds, verdicts)
