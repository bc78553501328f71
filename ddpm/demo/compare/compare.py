"""The tab Compare: the same labels and the same noise under two settings, side by side and in step.

From the runs of the visit, or a link, side B may have labels and a seed of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ddpm.demo.activity import Screen, activity, value_button, waiting
from ddpm.demo.adapter.page import View, ask, part, refusal
from ddpm.demo.checks import MAX_PAGE_SEED
from ddpm.demo.draw.studio import Studio
from ddpm.demo.experiments import Side, compare_runs
from ddpm.demo.frames import PAUSE, bare, shown
from ddpm.demo.hosting.limits import Wait
from ddpm.demo.models import Models
from ddpm.demo.picker.picker import SPREAD
from ddpm.demo.picker.settings import SAMPLER_CHOICES, SAMPLER_NAMES, SLIDER_END, model_choice, suiting
from ddpm.demo.texts import element, text
from ddpm.demo.verdicts import verdict
from ddpm.labels import check
from ddpm.samplers import Step

SIDES = ("A", "B")

Half = dict[str, Any]
"""What one side of a ready comparison changes in the page's model and that model's own settings."""


@dataclass(frozen=True)
class Ready:
    """A ready comparison: a scene and a seed at which the difference can be seen, found by search, and both sides."""

    labels: tuple[str, ...]
    seed: int
    halves: tuple[Half, Half]


THREE = ("green cube", "purple sphere", "yellow cylinder")
READY = {
    "guidance": Ready(THREE, 13, ({"guidance": 0}, {"guidance": 2.5})),
    "strong": Ready(THREE, 0, ({"guidance": 2.5}, {"guidance": 8})),
    "steps": Ready(
        ("red cube", "cyan sphere", "green cylinder", "brown sphere"),
        6,
        ({"sampler": "dpm++", "steps": 3}, {"sampler": "dpm++", "steps": 25}),
    ),
    "ddpm": Ready(
        ("red cube", "cyan sphere", "yellow cylinder"),
        1,
        ({"sampler": "ddpm", "steps": 5}, {"sampler": "dpm++", "steps": 5}),
    ),
    "fresh": Ready(
        ("gray cube", "blue sphere", "green cylinder"),
        17,
        ({"sampler": "dpm++", "steps": 25}, {"sampler": "sde-dpm++", "steps": 25}),
    ),
    "report": Ready(
        THREE,
        0,
        ({"model": "report-taught", "sampler": "ddpm", "steps": 100}, {"sampler": "ddpm", "steps": 100}),
    ),
}
"""The ready comparisons, by the name of their text."""


OWN_SCENE: dict[str, dict[str, Any]] = {
    "b_labels": {"kind": "labels"},
    "b_seed": {"kind": "whole", "most": MAX_PAGE_SEED},
}
"""What only a link says of side B, see `Screen`."""


def compare_tab(studio: Studio, rows: Sequence[gr.CheckboxGroup], scene: gr.HTML, seed: gr.Number) -> Screen:
    """Build and connect the tab. rows, scene, seed: the page's own components."""
    models, own = studio.models, studio.pipeline.config
    gr.HTML(
        f"{element('h2', 'compare.title')}{element('p', 'compare.about')}",
        apply_default_css=False,
        elem_classes=["about"],
    )
    offered = ready_for(models)
    ready = _ready_buttons(offered)
    with gr.Row(elem_id="compare-sides"):
        inputs = _side("A", models, own.guidance) | _side("B", models, 1.0)

    def run(
        labels: list[str],
        seed: int,
        model_a: str,
        sampler_a: str,
        steps_a: int,
        guidance_a: float,
        model_b: str,
        sampler_b: str,
        steps_b: int,
        guidance_b: float,
        labels_b: list[str] | None = None,
        seed_b: int | None = None,
    ) -> Iterator[View]:
        halves = (model_a, sampler_a, steps_a, guidance_a), (model_b, sampler_b, steps_b, guidance_b)
        for letter, (model, _, steps, _) in zip(SIDES, halves, strict=True):
            most = models.get(model).config.schedule.steps
            if not isinstance(steps, int) or not 1 <= steps <= most:
                return iter([refusal("compare.bad_steps", side=letter, most=most)])
        scenes = (labels, seed), (labels_b or labels, seed if seed_b is None else seed_b)
        a, b = (
            Side(*scene, models.get(model).settings(sampler, steps, guidance), model)
            for scene, (model, sampler, steps, guidance) in zip(scenes, halves, strict=True)
        )
        return compare_views(studio, models, (a, b))

    screen = activity("compare", scene, seed, inputs, run, OWN_SCENE)
    fields = [*inputs.values()]
    filled = ready.click(None, ready, [*rows, scene, seed, *fields], js=_fill(offered, models))
    filled.then(None, [scene, seed, *fields], js=ask("compare"))
    return screen


def ready_for(models: Models) -> dict[str, Ready]:
    """Return READY without what asks for a model that is not there, or for the page's own beside itself."""
    there = {None, *models.names[1:]}
    return {key: ready for key, ready in READY.items() if all(half.get("model") in there for half in ready.halves)}


def compare_views(studio: Studio, models: Models, sides: tuple[Side, Side]) -> Iterator[View]:
    """Compare, and yield what is new about every 0.1 s; long runs are thinned to about 100 frames."""
    halves = [_describe(models, side) for side in sides]
    view: View = {"state": "running", "run": time.time_ns(), "sides": halves}
    gathered: list[list[Step]] = [[], []]
    frames = [set(shown(side.settings.steps)) for side in sides]
    due = 0.0
    for progress in compare_runs(models, sides, studio.room):
        if isinstance(progress, Wait):
            yield waiting(progress)
            continue
        step = progress.step
        half = halves[progress.side]
        half["seconds"] = progress.seconds
        if step.index in frames[progress.side]:
            gathered[progress.side].append(step)
        if step.index == step.total:
            half["verdict"] = verdict(tuple(half["labels"]), studio.look(step.x0)[0])
        if time.monotonic() >= due:
            yield _news(view, models, sides, gathered)
            due = time.monotonic() + PAUSE
    yield {**_news(view, models, sides, gathered), "state": "done"}


def _describe(models: Models, side: Side) -> dict[str, Any]:
    settings = side.settings
    return {
        "labels": list(check(side.labels)),
        "seed": side.seed,
        "model": side.model if len(models.names) > 1 else None,
        "sampler": SAMPLER_NAMES[settings.sampler],
        "total": settings.steps,
        "guidance": settings.guidance,
        "cost": side.cost,
        "T": models.get(side.model).config.schedule.steps,
        "seconds": 0.0,
        "verdict": None,
    }


def _news(view: View, models: Models, sides: Sequence[Side], gathered: list[list[Step]]) -> View:
    """Return the view with what was gathered since the last one, which is let go."""
    halves = []
    for side, half, steps in zip(sides, view["sides"], gathered, strict=True):
        halves.append({**half, "chunks": bare(steps, models.get(side.model).config.schedule)})
        steps.clear()
    return {**view, "sides": halves}


def _side(name: str, models: Models, guidance: float) -> dict[str, gr.components.Component]:
    """Build the settings of a side, by their names in a link."""
    own = models.configs[models.names[0]]
    with gr.Column(elem_classes=["compare-side", f"side-{name.lower()}"], min_width=120):
        gr.HTML(f'<h3><span class="letter">{name}</span></h3>', apply_default_css=False)
        model = model_choice(models)
        with gr.Row(elem_classes=["choices"]):
            sampler = gr.Dropdown(SAMPLER_CHOICES, value=own.sampler, label=text("settings.sampler"))
            steps = gr.Number(own.steps, label=text("settings.steps"))
        chosen = gr.Slider(
            0, max(SLIDER_END, own.guidance), guidance, step=0.5, label=text("settings.guidance"), buttons=[]
        )
    settings = [sampler, steps, chosen]
    model.input(None, model, settings, js=suiting(models.configs))
    fields = zip(("model", "sampler", "steps", "guidance"), (model, *settings), strict=True)
    return {f"{name.lower()}_{key}": value for key, value in fields}


def _ready_buttons(keys: Iterable[str]) -> gr.HTML:
    """Build a button for each of these keys of READY. A click sets the value to its key."""
    buttons = "".join(value_button(key, f"compare.{key}") for key in keys)
    template = f'<div><span class="title" data-text="compare.ready"></span>{buttons}</div>'
    return part("values", "", template, elem_id="compare-ready", label="Ready comparisons")


def _fill(offered: dict[str, Ready], models: Models) -> str:
    """The script from the key of a ready comparison to the scene, the seed and the settings of both sides."""
    values: dict[str, list[Any]] = {}
    for key, ready in offered.items():
        values[key] = [ready.seed]
        for half in ready.halves:
            name = half.get("model", models.names[0])
            own = models.configs[name]
            settings = {"sampler": own.sampler, "steps": own.steps, "guidance": own.guidance, **half}
            values[key] += [name, settings["sampler"], settings["steps"], settings["guidance"]]
    scenes = {key: ready.labels for key, ready in offered.items()}
    return f"(key) => [...({SPREAD})(({json.dumps(scenes)})[key]), ...({json.dumps(values)})[key]]"
