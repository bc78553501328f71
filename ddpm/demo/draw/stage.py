"""The stage: a run as a film with a player, what the evaluator saw along the way, and where each label acted."""

from __future__ import annotations

from typing import Any, Literal

import gradio as gr

from ddpm.demo import frames
from ddpm.demo.adapter.page import asset, part
from ddpm.schedule import NoiseSchedule
from ddpm.settings import Settings

State = Literal["example", "running", "done"]


def stage() -> gr.HTML:
    """Build the component; its script asks the endpoint `page_example` for a first run."""
    return part("stage", None, asset("draw/stage.html"), elem_id="stage", label="Denoising")


def view(
    run: int,
    scene: tuple[str, ...],
    seed: int,
    settings: Settings,
    model: str | None,
    schedule: NoiseSchedule,
    chunks: list[dict[str, Any]],
    p: dict[int, list[float]],
    twice: list[str],
    seconds: float,
    state: State,
) -> dict[str, Any]:
    """Describe a run and what is new of it, as plain data for the browser.

    run: tells runs apart. scene: the requested labels. model: see `Trajectory`. chunks: the frames that have come since
    the last view, see `frames.chunk`. p: for frames that the evaluator has looked at since then, by their number from
    0, its 24 probabilities; in the view as pairs. twice: the labels that it sees more than once in the finished
    picture. seconds: how long the run has taken.
    """
    timesteps = schedule.timesteps(settings.steps)
    return {
        "run": run,
        "state": state,
        "labels": scene,
        "seed": seed,
        "sampler": settings.sampler,
        "steps": settings.steps,
        "guidance": settings.guidance,
        "model": model,
        "frames": len(frames.shown(settings.steps)),
        "logSnr": [float(schedule.log_snr(t)) for t in (timesteps[0], timesteps[-1])],
        "seconds": seconds,
        "chunks": chunks,
        "p": list(p.items()),
        "twice": twice,
    }
