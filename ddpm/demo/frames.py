"""Frames of a run as the browser takes them: raw bytes in base64, several steps at a time. See shared/frames.js."""

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ddpm.samplers import Step
from ddpm.schedule import NoiseSchedule
from ddpm.trajectory import to_uint8

SHOWN = 100  # longer runs are thinned to about so many frames
PAUSE = 0.12  # seconds between two chunks: quick for the eye, and little work beside the sampling
FEW = 5  # steps
EPS_RANGE = 3.0  # predicted noise beyond it is clipped; a normal deviate rarely is
PULL_RANGE = 0.5  # a mean change of this much, of the 2 between black and white, is shown as white


def chunk(steps: Sequence[Step], schedule: NoiseSchedule, image: int = 0) -> dict[str, Any]:
    """Describe k steps of one image as plain data.

    Lists of k: index, t: as in `Step`; noise: its share of the variance, 0..1; logSnr: see `NoiseSchedule.log_snr`.
    x, x0, eps: base64 of uint8 RGB, k*64*64*3 bytes: x and x0 from [-1, 1], eps from [-3, 3], clipped.
    pull: base64 of uint8, k*64*64 bytes, the mean magnitude over the channels, 0.5 and more being 255; or None.
    """
    timesteps = torch.tensor([step.t for step in steps])
    pulls = [step.pull[image] for step in steps if step.pull is not None]
    return {
        "index": [step.index for step in steps],
        "t": timesteps.tolist(),
        "noise": (1 - schedule.alpha_bar[timesteps]).tolist(),
        "logSnr": schedule.log_snr(timesteps).tolist(),
        "x": rgb(torch.stack([step.x[image] for step in steps])),
        "x0": rgb(torch.stack([step.x0[image] for step in steps])),
        "eps": rgb(torch.stack([step.eps[image] for step in steps]), EPS_RANGE),
        "pull": gray(torch.stack(pulls).abs().mean(1) / PULL_RANGE) if pulls else None,
    }


def bare(steps: Sequence[Step], schedule: NoiseSchedule) -> list[dict[str, Any]]:
    """Describe steps as `chunk` does, without eps and pull, which the stage alone shows; empty for no steps."""
    if not steps:
        return []
    whole = chunk(steps, schedule)
    return [{key: value for key, value in whole.items() if key not in ("eps", "pull")}]


def shown(total: int) -> list[int]:
    """Return which of the steps 1..total become frames: all, or about SHOWN of them with the first and the last."""
    indices = list(range(1, total + 1, -(-total // SHOWN)))
    return indices if indices[-1] == total else [*indices, total]


def chunks(steps: Iterable[Step], pause: float = PAUSE) -> Iterator[list[Step]]:
    """Gather those steps of a run that become frames, and yield them about every `pause` seconds and at the end.

    The first one comes at once and alone, but for a run of FEW steps, which may be over in a moment.
    """
    gathered: list[Step] = []
    wanted: set[int] = set()
    due = 0.0
    for step in steps:
        if not wanted:
            wanted = set(shown(step.total))
            due = time.monotonic() + (pause if step.total <= FEW else 0)
        if step.index in wanted:
            gathered.append(step)
        if gathered and (step.index == step.total or time.monotonic() >= due):
            yield gathered
            gathered = []
            due = time.monotonic() + pause


def rgb(images: Tensor, most: float = 1.0) -> str:
    """Encode images (..., 3, 64, 64) in [-most, most], clipped, as base64 of uint8 RGB."""
    return base64.b64encode(to_uint8(images / most).tobytes()).decode("ascii")


def gray(shares: Tensor) -> str:
    """Encode values (..., 64, 64) in 0..1 as base64 of uint8."""
    data = (shares * 255).clamp(0, 255).round().to("cpu", torch.uint8).numpy().tobytes()
    return base64.b64encode(data).decode("ascii")
