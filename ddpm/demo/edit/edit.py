"""The tab Edit: one object of the picture changes, comes or goes, and the rest stays; edits stack in the browser."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator, Mapping, Sequence

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from ddpm import IMAGE_SHAPE
from ddpm.demo.activity import Screen, about, described, waiting
from ddpm.demo.adapter.page import View, asset, endpoint, part, refusing
from ddpm.demo.checks import requested
from ddpm.demo.draw.studio import Studio
from ddpm.demo.experiments import edit_picture
from ddpm.demo.frames import PAUSE, bare, gray, shown
from ddpm.demo.hosting.limits import Wait
from ddpm.demo.picker.settings import Configs, suiting
from ddpm.editing import object_places
from ddpm.samplers import Step
from ddpm.settings import Settings


def edit_tab(studio: Studio, seed: gr.Number, settings: Mapping[str, gr.components.Component]) -> Screen:
    """Build and connect the tab. seed, settings (sampler, steps, guidance, model): the page's own components.

    A link has the run of the first picture, the labels after each edit, and how all of them were made.
    """
    about("edit")
    desk = part("edit", None, asset("edit/edit.html"), elem_id="edit", label="Edit")

    def run(
        labels: list[str],
        seed: int,
        after: list[str],
        picture: str,
        place: str | None,
        sampler: str,
        steps: int,
        guidance: float,
    ) -> Iterator[View]:
        where = None if place is None else _decoded(place, (1, *IMAGE_SHAPE[1:]), "place").float()
        return edit_views(
            studio, _picture(picture), labels, after, seed, studio.pipeline.settings(sampler, steps, guidance), where
        )

    def objects(labels: list[str], picture: str) -> dict[str, str]:
        places = object_places(studio.pipeline, _picture(picture), requested(labels))
        return {label: gray(place) for label, place in places.items()}

    endpoint("edit", refusing(run))
    endpoint("objects", objects)
    desk.click(None, [desk, seed, *settings.values()], None, js=_ask(studio.models.configs))
    made = {"seed": seed, **{name: settings[name] for name in ("sampler", "steps", "guidance")}}
    about_edits = {f"edit_{name}": described(component) for name, component in made.items()}
    return Screen("edit", desk, settings, {"edits": {"kind": "scenes"}, **about_edits})


def _ask(configs: Configs) -> str:
    """The script from the wish that the part leaves in its value, the seed and the settings to a run.

    The page's own model edits; where another one is chosen, with settings of its own.
    """
    own = json.dumps(next(iter(configs)))
    return f"""({{ before, after, picture, place }}, seed, sampler, steps, guidance, model) => {{
        const chosen = model === {own} ? [sampler, steps, guidance] : ({suiting(configs)})({own});
        ddpm.ask('edit', before, seed, after, picture, place, ...chosen);
    }}"""


def edit_views(
    studio: Studio,
    picture: Tensor,
    before: Sequence[str],
    after: Sequence[str],
    seed: int,
    settings: Settings,
    where: Tensor | None,
) -> Iterator[View]:
    """Edit a picture (3, 64, 64), and yield what is new about every 0.1 s; where: (1, 64, 64), or None to find it."""
    schedule = studio.pipeline.config.schedule
    view: View = {"state": "running", "run": time.time_ns(), "labels": list(requested(after))}
    gathered: list[Step] = []
    due = 0.0
    for edited in edit_picture(studio, picture, before, after, seed, settings, where):
        if isinstance(edited, Wait):
            yield waiting(edited)
            continue
        step = edited.step
        done = step.index == step.total
        if step.index in shown(step.total):
            gathered.append(step)
        if not done and time.monotonic() < due:
            continue
        view |= {"total": step.total, "place": gray(edited.place), "verdict": edited.verdict}
        yield {
            **view,
            "state": "done" if done else "running",
            "chunks": bare(gathered, schedule),
        }
        gathered.clear()
        due = time.monotonic() + PAUSE


def _picture(data: str) -> Tensor:
    """A picture of the browser as (3, 64, 64) in [-1, 1]. Raises ValueError."""
    return _decoded(data, (*IMAGE_SHAPE[1:], 3), "picture").permute(2, 0, 1).float() / 127.5 - 1


def _decoded(data: str, shape: tuple[int, ...], what: str) -> Tensor:
    """Bytes in base64 as a tensor of this shape. Raises ValueError."""
    try:
        values = np.frombuffer(base64.b64decode(data, validate=True), dtype=np.uint8)
    except (binascii.Error, TypeError, ValueError):
        values = np.empty(0, np.uint8)
    if values.size != np.prod(shape):
        raise ValueError(f"the {what} must be base64 of {int(np.prod(shape))} bytes")
    return torch.from_numpy(values.copy()).reshape(shape)
