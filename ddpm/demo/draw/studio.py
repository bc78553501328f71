"""What happens when somebody presses Generate, or asks where a label acts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddpm import cores
from ddpm.anatomy import Anatomy, take_apart
from ddpm.counting import Look
from ddpm.demo import frames
from ddpm.demo.activity import waiting
from ddpm.demo.checks import check_seed, requested, whole
from ddpm.demo.draw import stage
from ddpm.demo.draw.remembered import About, Remembered
from ddpm.demo.hosting.limits import MAX_WORK, Room, check_work
from ddpm.demo.models import Models
from ddpm.demo.verdicts import repeated
from ddpm.evaluator import Evaluator
from ddpm.influence import influence
from ddpm.labels import check
from ddpm.pipeline import Elsewhere, Pipeline
from ddpm.samplers import Step
from ddpm.settings import Settings
from ddpm.trajectory import Trajectory

PREVIEW_STEPS = 25
"""At most so many steps are taken before the page can be shown."""

GLANCE_PAUSE = 0.25
"""Seconds between two looks at a run on its way, at least."""

GLANCE_SHARE = 0.05
"""How much of a run's time they may take, waiting for their turn included: the more runs there are, the fewer looks."""

LOOKS = 8
"""Pictures that are judged at once."""

Judge = Callable[[Tensor], Tensor]
"""Images (N, 3, 64, 64) -> probabilities (N, 24), as an `Evaluator` gives them; or with counts, as its `look` does."""


class Studio:
    """The handlers, around the models that draw and the one that judges.

    pipeline: the page's own model, which draws unless another of `models` is named. glance: judges the steps on the
    way, quickly; the word on a finished picture is always the evaluator's.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        evaluator: Judge,
        glance: Judge | None = None,
        check: Callable[[], None] | None = None,
        elsewhere: Elsewhere | None = None,
        bundled: Path | None = None,
    ) -> None:
        """check: called in the thread of a run before each forward; what it raises ends the run.

        elsewhere: see `Pipeline.shared`. bundled: the folder of the other models, see `Models`.
        """
        self.pipeline = pipeline.shared(check, elsewhere=elsewhere)
        self.models = Models(self.pipeline, bundled, check)
        self.room = Room(check)
        self.look = _alone(evaluator.look if isinstance(evaluator, Evaluator) else Look(evaluator, None))
        self.glance = _alone(glance or evaluator)
        self.remembered = Remembered()
        self._lock = threading.Lock()
        self._last_id = 0

    def evaluator(self, x: Tensor) -> Tensor:
        """Probabilities (N, 24) of images (N, 3, 64, 64)."""
        return self.look(x)[:, 0]

    def example(self, labels: Sequence[str]) -> Callable[[], dict[str, Any]]:
        """Draw a run to try, before anybody has pressed a button; return what returns one view of all of it."""
        config = self.pipeline.config
        views = [*self.run(labels, 0, config.sampler, min(config.steps, PREVIEW_STEPS, MAX_WORK), config.guidance)]
        chunks = [chunk for view in views for chunk in view["chunks"]]
        p = [pair for view in views for pair in view["p"]]
        whole = {**views[-1], "chunks": chunks, "p": p, "state": "example"}

        def example() -> dict[str, Any]:
            return whole

        return example

    def run(
        self,
        labels: Sequence[str],
        seed: int,
        sampler: str,
        steps: int,
        guidance: float,
        model: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Denoise one scene, and yield a view of the stage about ten times a second. Raises ValueError.

        On the way the evaluator looks at a step now and then, so that it does not keep the sampler waiting. At the end
        the picture and the word on it come first; what it says of all other steps follows in a last view.
        """
        pipeline, model = self.models.get(model), self.models.other(model)
        scene, settings = requested(labels), pipeline.settings(sampler, steps, guidance)
        check_seed(seed)
        check_work(settings.steps)
        schedule = pipeline.config.schedule
        run, about = self._new_id(), About(scene, seed, settings, model)
        shown: list[Tensor] = []
        seen: set[int] = set()  # the frames that the evaluator has looked at
        twice: list[str] = []  # what it sees more than once in the picture

        def view(state: stage.State, seconds: float, some: list[Step], p: dict[int, list[float]]) -> dict[str, Any]:
            chunks = [frames.chunk(some, schedule)] if some else []
            return stage.view(run, scene, seed, settings, model, schedule, chunks, p, twice, seconds, state)

        with self.room.taken(settings.steps) as waits:
            yield from map(waiting, waits)
            start = time.monotonic()
            due = start + GLANCE_PAUSE
            with self.remembered.keeping(about, _stream(pipeline, about)) as kept:
                for some in frames.chunks(kept):
                    newest, done = some[-1], some[-1].index == some[-1].total
                    shown += [step.x0 for step in some]
                    p: dict[int, list[float]] = {}
                    if done:
                        sure, counts = self.look(newest.x0)[0]
                        p[len(shown) - 1], twice = _rows(sure[None])[0], repeated(counts.tolist())
                        seen.update(p)
                    elif (asked := time.monotonic()) > due:
                        p[len(shown) - 1] = _rows(self.glance(newest.x0))[0]
                        seen.update(p)
                        due = (now := time.monotonic()) + max(GLANCE_PAUSE, (now - asked) / GLANCE_SHARE)
                    if not done:
                        yield view("running", time.monotonic() - start, some, p)
        seconds = time.monotonic() - start
        yield view("done", seconds, some, p)
        rest = [k for k in range(len(shown)) if k not in seen]
        if rest:
            rows = _rows(self.glance(torch.cat([shown[k] for k in rest])))
            yield view("done", seconds, [], dict(zip(rest, rows, strict=True)))

    def trajectory(
        self,
        scene: Sequence[str],
        seed: int,
        settings: Settings,
        model: str | None = None,
        until: int | None = None,
    ) -> Trajectory:
        """Return a run of one scene: one of the last few, or drawn anew. Raises LabelError, ValueError.

        until: how many of its steps, all if left out.
        """
        if until is not None:
            whole("until", 1, settings.steps)(until)
        about = About(check(scene), seed, settings, self.models.other(model))
        count = settings.steps if until is None else until
        while (known := self.remembered.get(about, count)) is None:
            check_work(settings.steps)
            with self.room.taken(settings.steps) as waits:
                for _ in waits:
                    pass
                with self.remembered.keeping(about, _stream(self.models.get(model), about)) as kept:
                    for _ in islice(kept, count):
                        pass
        return known.until(count)

    def where(
        self,
        labels: Sequence[str],
        seed: int,
        sampler: str,
        steps: int,
        guidance: float,
        model: str | None = None,
    ) -> dict[str, str]:
        """Return where each requested label acted in a run: base64 of 64*64 gray bytes. Raises ValueError."""
        pipeline = self.models.get(model)
        run = self.trajectory(labels, seed, pipeline.settings(sampler, steps, guidance), model)
        return {label: frames.gray(heat) for label, heat in influence(pipeline, run).items()}

    def apart(
        self,
        labels: Sequence[str],
        seed: int,
        sampler: str,
        steps: int,
        guidance: float,
        model: str | None,
        index: int,
    ) -> dict[str, Any]:
        """Return step `index` of a run taken apart, see `ddpm.anatomy.Anatomy`; pictures are base64 of 64*64*3 bytes.

        difference: what the labels change, gray where it is nothing. fresh: the noise from -3 to 3. Raises ValueError.
        """
        pipeline = self.models.get(model)
        run = self.trajectory(labels, seed, pipeline.settings(sampler, steps, guidance), model)
        step = take_apart(pipeline, run, index)
        shown = {name: None if picture is None else frames.rgb(picture) for name, picture in pictures_of(step).items()}
        return {"t": step.t, "s": step.s, "guidance": guidance, "mix": step.mix and asdict(step.mix), **shown}

    def _new_id(self) -> int:
        """Return a number for a run, larger than all before, also those of an earlier start of this program."""
        with self._lock:
            self._last_id = max(self._last_id + 1, int(1000 * time.time()))
            return self._last_id


def pictures_of(step: Anatomy) -> dict[str, Tensor | None]:
    """The pictures of a step that was taken apart, (3, 64, 64) in [-1, 1], or None for what has no part in it."""
    fresh = None if step.fresh is None else step.fresh / frames.EPS_RANGE
    return {
        "x": step.x,
        "uncond": step.uncond,
        "cond": step.cond,
        "difference": step.cond - step.uncond,
        "x0": step.x0,
        "before": step.before,
        "fresh": fresh,
        "next": step.next,
    }


def _stream(pipeline: Pipeline, about: About) -> Iterator[Step]:
    settings = about.settings
    return pipeline.stream([about.scene], about.seed, settings.sampler, settings.steps, settings.guidance)


def _alone(judge: Judge) -> Judge:
    """Judge where the network's forwards are, a few pictures at a time, so that no run waits long for a look."""

    def look(x: Tensor) -> Tensor:
        return torch.cat([cores.alone(judge, some) for some in x.split(LOOKS)])

    return look


def _rows(p: Tensor) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in p.tolist()]
