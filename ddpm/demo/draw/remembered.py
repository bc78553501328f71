"""The last few runs, so that what is asked of one need not draw it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ddpm.samplers import Step
from ddpm.settings import Settings
from ddpm.trajectory import Trajectory

MEMORY = 2**25
"""Bytes of runs that are remembered: a run of 25 steps takes 2.4 million."""


@dataclass(frozen=True)
class About:
    """What a run of one scene follows from; model is None for the page's own."""

    scene: tuple[str, ...]
    seed: int
    settings: Settings
    model: str | None


class Remembered:
    """Runs as far as they went, the least recently drawn forgotten first; for several threads."""

    def __init__(self) -> None:
        self._runs: OrderedDict[About, Trajectory] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, about: About, count: int) -> Trajectory | None:
        """A remembered run of at least so many steps."""
        with self._lock:
            run = self._runs.get(about)
            return run if run and len(run.timesteps) >= count else None

    @contextmanager
    def keeping(self, about: About, stream: Iterable[Step]) -> Iterator[Iterator[Step]]:
        """The steps of a run, which are remembered: all, or those before it was stopped."""
        kept: list[Step] = []

        def keep(step: Step) -> Step:
            kept.append(replace(step, eps=step.x[:0], pull=None))
            return step

        try:
            yield map(keep, stream)
        finally:
            if kept:
                steps = (kept.pop(0) for _ in range(len(kept)))  # let go one by one
                run = Trajectory.collect(steps, [about.scene], about.seed, about.settings, about.model)
                self._add(about, run)

    def _add(self, about: About, run: Trajectory) -> None:
        with self._lock:
            known = self._runs.get(about)
            if known is None or len(known.timesteps) <= len(run.timesteps):
                self._runs[about] = run
            self._runs.move_to_end(about)
            while len(self._runs) > 1 and sum(map(_size, self._runs.values())) > MEMORY:
                self._runs.popitem(last=False)


def _size(run: Trajectory) -> int:
    return run.x.nbytes + run.x0.nbytes
