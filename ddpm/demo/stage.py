"""The stage: both pictures of a step side by side, how far the run is, and what the evaluator sees."""

import base64
import io
from typing import Any, Literal

import gradio as gr
from torch import Tensor

from ddpm.demo.theme import asset
from ddpm.labels import LABELS
from ddpm.samplers import Step
from ddpm.schedule import NoiseSchedule
from ddpm.trajectory import to_picture

State = Literal["example", "running", "done"]

THRESHOLD = 0.5
"""The probability from which a label counts as seen."""


WAITING, STOPPED, FAILED = (f'() => [{{ state: "{state}" }}]' for state in ("waiting", "stopped", "failed"))
"""The scripts that give the stage a new state."""


def stage(value: dict[str, Any]) -> gr.HTML:
    """Build the component. Its value is a dict from `view`, or just a new state, which leaves the rest as it is.

    stage.js draws it in place, and lets Generate and Stop be pressed when the state allows it.
    """
    return gr.HTML(
        value,
        html_template=asset("stage.html"),
        js_on_load=asset("stage.js"),
        apply_default_css=False,
        elem_id="stage",
        label="Denoising",
    )


def view(step: Step, schedule: NoiseSchedule, labels: tuple[str, ...], p: Tensor, state: State) -> dict[str, Any]:
    """Describe one step of a single picture as plain data for the browser.

    labels: those requested. p: (24,) the evaluator's probabilities for the predicted clean image.
    """
    return {
        "state": state,
        "x": png_uri(step.x[0]),
        "x0": png_uri(step.x0[0]),
        "index": step.index,
        "total": step.total,
        "t": step.t,
        "T": schedule.steps,
        "noise": 1 - float(schedule.alpha_bar[step.t]),  # share of the variance
        "labels": labels,
        "verdict": verdict(labels, p),
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


def png_uri(x: Tensor) -> str:
    """Return an image (3, H, W) in [-1, 1], which noise may leave, as a data URI: lossless and quick to encode."""
    file = io.BytesIO()
    to_picture(x).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
