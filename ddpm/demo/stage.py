"""The stage: a run as a film with a player, what the evaluator saw along the way, and where each label acted."""

from __future__ import annotations

import json
from typing import Any, Literal

import gradio as gr
from torch import Tensor

from ddpm.demo import frames
from ddpm.demo.theme import asset
from ddpm.labels import LABELS
from ddpm.pipeline import Settings
from ddpm.schedule import NoiseSchedule

State = Literal["example", "running", "done"]

THRESHOLD = 0.5
"""The probability from which a label counts as seen."""

WAITING, STOPPED, FAILED = (f'() => [{{ state: "{state}" }}]' for state in ("waiting", "stopped", "failed"))
"""The scripts that give the stage, or the screen of another activity, a new state."""


def closed(place: str) -> str:
    """The script that tells an element of the page, by its selector, that a run is over: finished, or ended by Stop.

    After Stop the run may say before that, once or twice, that it failed.
    """
    return f"""() => {{
        document.querySelector('{place}').dispatchEvent(new CustomEvent("closed", {{ bubbles: true }}));
    }}"""


UNKNOWN = "() => [{ maps: null }]"
"""The script that tells the stage that there are no heat maps."""


def stage(value: dict[str, Any]) -> gr.HTML:
    """Build the component. Its value is a dict from `view`; or just a new state or heat maps for the run that it shows.

    stage.js draws it in place, and lets Generate and Stop be pressed when the state allows it. Its event `where` asks
    for the heat maps of the run: the event's data is what `view` says of the run.
    """
    return gr.HTML(
        value,
        html_template=asset("stage.html"),
        js_on_load=asset("stage.js")
        .replace("__LABELS__", json.dumps(LABELS))
        .replace("__THRESHOLD__", json.dumps(THRESHOLD)),
        apply_default_css=False,
        elem_id="stage",
        label="Denoising",
    )


def view(
    run: int,
    scene: tuple[str, ...],
    seed: int,
    settings: Settings,
    schedule: NoiseSchedule,
    chunks: list[dict[str, Any]],
    p: list[list[float] | None],
    seconds: float,
    state: State,
) -> dict[str, Any]:
    """Describe a run as far as it has come, as plain data for the browser.

    run: tells runs apart; later ones have larger numbers. scene: the requested labels. seconds: how long it has taken.
    chunks: see `frames.chunk`. p: for each frame of the chunks together 24 probabilities, or None as yet.
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
        "frames": len(frames.shown(settings.steps)),
        "logSnr": [float(schedule.log_snr(t)) for t in (timesteps[0], timesteps[-1])],
        "seconds": seconds,
        "chunks": chunks,
        "p": p,
    }


def verdict(labels: tuple[str, ...], p: Tensor) -> dict[str, dict[str, float]]:
    """Sort the evaluator's probabilities (24,) into what was found, missing, and seen without being requested.

    Each group maps labels to probabilities: the requested ones in the order of LABELS, the others surest first.
    """
    chance = dict(zip(LABELS, p.tolist(), strict=True))
    seen = {label for label, value in chance.items() if value >= THRESHOLD}
    unrequested = sorted(seen.difference(labels), key=lambda label: -chance[label])
    return {
        "found": {label: chance[label] for label in labels if label in seen},
        "missing": {label: chance[label] for label in labels if label not in seen},
        "unrequested": {label: chance[label] for label in unrequested},
    }
