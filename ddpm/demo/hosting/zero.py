"""Hugging Face ZeroGPU: a GPU that is lent for seconds, to a decorated function that says how many.

Visitors have a quota of GPU seconds a day, and it takes a second or two until a GPU is there; so what two CPU cores
draw within seconds stays on them, and only long runs go to the GPU. `import spaces` makes torch say that there is a
GPU in this process too, where no kernel runs: models are loaded on DEVICE.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from os import PathLike

import numpy as np
import torch
from torch import Tensor

from ddpm.pipeline import Elsewhere, Pipeline
from ddpm.samplers import Step
from ddpm.settings import Settings

log = logging.getLogger(__name__)

ACTIVE = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")

DEVICE = "cpu" if ACTIVE else None
"""Where models are loaded; None leaves it to them."""

LONG = 400
"""Steps times pictures from which on a run is worth a GPU: about ten seconds of two CPU cores."""

Sent = tuple[int, int, int, bytes, bytes, bytes | None]
"""A Step on its way between processes: index, total, t, and x, x0 and pull as float32."""


def seconds(x: np.ndarray, conditions: np.ndarray, settings: Settings, *_: object) -> int:
    """The GPU time to ask for: to get there, and for each step of up to 16 pictures what a slow moment takes."""
    return 10 + round(0.04 * settings.steps * max(1, len(x) / 16))


def lend(source: str | PathLike[str], check: Callable[[], None]) -> Elsewhere | None:
    """What runs long runs of the model at `source` on the GPU, for `Pipeline.shared`; None away from ZeroGPU.

    Call it before the page is launched. check: called before each step is passed on. A run that gets no GPU, as when
    the visitor's quota is used up, is left to the CPU, and so is what is left of one that loses it.
    """
    if not ACTIVE:
        return None
    import spaces

    model = Pipeline.from_pretrained(source, "cuda", torch.float32)

    @spaces.GPU(duration=seconds)
    def sample_on_gpu(
        x: np.ndarray, conditions: np.ndarray, settings: Settings, seeds: Sequence[int], start: int | None
    ) -> Iterator[Sent]:
        device = next(model.network.parameters()).device  # here, in a process of its own, a real one
        pipe = Pipeline(model.network, model.config, device)
        for step in pipe.sample(torch.from_numpy(x), torch.from_numpy(conditions), settings, seeds, start):
            yield _packed(step)

    def elsewhere(
        x: Tensor, conditions: Tensor, settings: Settings, seeds: Sequence[int], start: int | None
    ) -> Iterator[Step] | None:
        if settings.steps * len(x) < LONG:
            return None
        sent = sample_on_gpu(x.numpy(), conditions.numpy(), settings, list(seeds), start)
        try:
            first = next(sent)
        except Exception as error:  # what `spaces` raises is meant for the page
            log.warning("no GPU for a run of %d steps, the CPU draws it: %s", settings.steps, error)
            return None
        return _received(first, sent)

    def _received(item: Sent | None, others: Iterator[Sent]) -> Iterator[Step]:
        while item is not None:
            yield _unpacked(item, model)
            check()
            index, total, *_ = item
            try:
                item = next(others, None)
            except Exception as error:
                log.warning("the GPU is gone after step %d of %d, the CPU draws the rest: %s", index, total, error)
                return

    return elsewhere


def _packed(step: Step) -> Sent:
    x, x0, pull = (None if value is None else value.cpu().numpy().tobytes() for value in (step.x, step.x0, step.pull))
    assert x is not None and x0 is not None
    return step.index, step.total, step.t, x, x0, pull


def _unpacked(sent: Sent, model: Pipeline) -> Step:
    index, total, t, *values = sent
    x, x0, pull = (
        None if value is None else torch.frombuffer(bytearray(value), dtype=torch.float32).unflatten(0, (-1, 3, 64, 64))
        for value in values
    )
    assert x is not None and x0 is not None
    alpha, sigma = model.config.schedule.coefficients(t, x)
    return Step(index, total, t, x, x0, (x - alpha * x0) / sigma, pull)  # eps as the denoiser has it
