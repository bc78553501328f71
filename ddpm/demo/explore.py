"""The tab Explore: several pictures at once, a walk from one to another, and back into the noise and out again."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from torch import Tensor

from ddpm.demo.activity import Activity, View, buttons, refusal, screen
from ddpm.demo.experiments import (
    MAX_GALLERY,
    MAX_STOPS,
    MIN_STOPS,
    WALKER,
    Pictures,
    Redrawn,
    gallery,
    redraw_picture,
    walk_pictures,
    walking,
)
from ddpm.demo.handlers import Studio, is_seed
from ddpm.demo.settings import SAMPLER_NAMES
from ddpm.demo.texts import element, text
from ddpm.demo.theme import asset
from ddpm.labels import LABELS, MAX_OBJECTS, check
from ddpm.trajectory import to_uint8

LOOKS = 8
"""A run shows itself about so often while it denoises."""

REST = 0.25  # seconds, about the longest time after Stop that a run goes on

KEEP = 70
"""Percent of the way back that recoloring takes: the color can still change, and the places stay."""

SEED, LABELS_TOO = "seed", "labels"
"""The two ways to walk."""


@dataclass(frozen=True)
class _Page:
    """What the parts of the tab are connected to."""

    studio: Studio
    scene: gr.HTML
    seed: gr.Number
    settings: Sequence[gr.components.Component]


def explore_tab(
    studio: Studio, scene: gr.HTML, seed: gr.Number, sampler: gr.Radio, steps: gr.Radio, guidance: gr.Slider
) -> None:
    """Build and connect the tab; the components are the page's own."""
    page = _Page(studio, scene, seed, [sampler, steps, guidance])
    with gr.Tabs(elem_id="explore"):
        with gr.Tab(text("gallery.title"), id="gallery"):
            _gallery_part(page)
        with gr.Tab(text("walk.title"), id="walk"):
            _walk_part(page)
        with gr.Tab(text("redraw.title"), id="redraw"):
            _redraw_part(page)


def _gallery_part(page: _Page) -> None:
    _about("gallery")
    with gr.Row(elem_classes=["inputs"]):
        count = gr.Slider(1, MAX_GALLERY, 8, step=1, label=text("gallery.count"), buttons=[])
    activity = Activity("gallery", *buttons("gallery"), screen("gallery"))

    def run(labels: list[str], seed: int, count: int, sampler: str, steps: int, guidance: float) -> Iterator[View]:
        settings = page.studio.pipeline.settings(sampler, steps, guidance)
        return map(_pictures_view, _now_and_then(gallery(page.studio, labels, seed, count, settings)))

    activity.connect(page.scene, page.seed, run, [count, *page.settings])
    activity.screen.select(None, activity.screen, page.seed, js="(view) => view.picked")


def _walk_part(page: _Page) -> None:
    _about("walk")
    with gr.Row(elem_classes=["inputs"]):
        way = gr.Radio(
            [(text("walk.to_seed"), SEED), (text("walk.to_labels"), LABELS_TOO)], value=SEED, label=text("walk.way")
        )
        other_seed = gr.Number(1, label=text("walk.other_seed"))
        other_labels = _labels_choice(text("walk.other_labels"), visible=False)
        stops = gr.Slider(MIN_STOPS, MAX_STOPS, 8, step=1, label=text("walk.stops"), buttons=[])
    activity = Activity("walk", *buttons("walk"), screen("walk"))
    way.change(
        lambda chosen: (gr.update(visible=chosen == SEED), gr.update(visible=chosen == LABELS_TOO)),
        way,
        [other_seed, other_labels],
        show_progress="hidden",
        api_visibility="private",
    )

    def run(
        labels: list[str],
        seed: int,
        way: str,
        other_seed: int,
        other_labels: list[str],
        stops: int,
        sampler: str,
        steps: int,
        guidance: float,
    ) -> Iterator[View]:
        settings = page.studio.pipeline.settings(sampler, steps, guidance)
        if way == LABELS_TOO and not other_labels:
            yield refusal("walk.no_labels")
            return
        if way == SEED and not is_seed(other_seed):
            yield refusal("walk.bad_seed")
            return
        end = (labels, other_seed) if way == SEED else (other_labels, seed)
        if check(end[0]) == check(labels) and end[1] == seed:
            yield refusal("walk.same")
            return
        walk = walk_pictures(page.studio, (labels, seed), end, stops, settings)
        note = None if walking(settings) == settings else SAMPLER_NAMES[WALKER]
        for view in map(_pictures_view, _now_and_then(walk)):
            yield {**view, "ends": [{"labels": labels, "seed": seed}, {"labels": end[0], "seed": end[1]}], "note": note}

    activity.connect(page.scene, page.seed, run, [way, other_seed, other_labels, stops, *page.settings])


def _redraw_part(page: _Page) -> None:
    _about("redraw")
    with gr.Row(elem_classes=["inputs"]):
        with gr.Column():
            percent = gr.Slider(5, 100, KEEP, step=5, label=text("redraw.percent"), buttons=[])
            meaning = _meaning(page.studio)
        new_labels = _labels_choice(text("redraw.new_labels"), info=text("redraw.new_labels_info"))
        noise_seed = gr.Number(1, label=text("redraw.noise_seed"))
    recolor = _recolor(page.scene)
    activity = Activity("redraw", *buttons("redraw"), screen("redraw"))

    def run(
        labels: list[str],
        seed: int,
        percent: int,
        new_labels: list[str],
        noise_seed: int,
        sampler: str,
        steps: int,
        guidance: float,
    ) -> Iterator[View]:
        if not is_seed(noise_seed):
            return iter([refusal("redraw.bad_seed")])
        settings = page.studio.pipeline.settings(sampler, steps, guidance)
        run = redraw_picture(page.studio, labels, seed, settings, percent, new_labels or labels, noise_seed)
        return map(_redrawn_view, _now_and_then(run))

    percent.change(None, percent, meaning, js="(percent) => percent")
    # other labels were chosen for the scene as it was
    page.scene.change(None, page.scene, [recolor, new_labels], js="(labels) => [{ labels }, []]")
    recolor.click(None, recolor, [new_labels, percent], js=f"(recolor) => [recolor.wanted, {KEEP}]").then(
        None, [page.scene, page.seed], js=activity.ask
    )
    activity.connect(page.scene, page.seed, run, [percent, new_labels, noise_seed, *page.settings])


def _about(part: str) -> None:
    gr.HTML(element("p", f"{part}.about"), apply_default_css=False, elem_classes=["about"])


def _labels_choice(label: Any, **options: Any) -> gr.Dropdown:
    choices = [(text(f"label.{name}"), name) for name in LABELS]
    return gr.Dropdown(choices, value=[], multiselect=True, max_choices=MAX_OBJECTS, label=label, **options)


def _meaning(studio: Studio) -> gr.HTML:
    """Say what the chosen percentage means. Its value is the percentage."""
    schedule = studio.pipeline.config.schedule
    timesteps = [max(1, round(schedule.steps * percent / 100)) for percent in range(101)]
    return gr.HTML(
        KEEP,
        html_template='<p class="meaning"></p>',
        js_on_load=asset("meaning.js"),
        apply_default_css=False,
        elem_id="meaning",
        label="Meaning",
        timesteps=timesteps,
        noise=(1 - schedule.alpha_bar[timesteps]).tolist(),
    )


def _recolor(scene: gr.HTML) -> gr.HTML:
    """Offer every requested object in the other colors. Value: "labels" requested, and "wanted" after a click."""
    return gr.HTML(
        {"labels": scene.value},
        html_template='<div class="recolor"><p data-text="redraw.recolor"></p><div class="rows"></div></div>',
        js_on_load=asset("recolor.js"),
        apply_default_css=False,
        elem_id="recolor",
        label="Recolor",
    )


def _now_and_then(run: Iterator[Any]) -> Iterator[Any]:
    """Of a run's states pass on about LOOKS, with the first and the last.

    Between them one is passed on again every REST seconds: a run can only be stopped where it passes something on.
    """
    passed, due = None, 0.0
    for state in run:
        look = state.index in (1, state.total) or (state.index and state.index % -(-state.total // LOOKS) == 0)
        if look or time.monotonic() >= due:
            passed = state if look or not state.index else passed
            yield passed
            due = time.monotonic() + REST


def _pictures_view(pictures: Pictures) -> View:
    done = pictures.index == pictures.total
    return {
        "state": "done" if done else "running",
        "index": pictures.index,
        "total": pictures.total,
        "count": len(pictures.images),
        "pictures": _encode(pictures.images),
        "seeds": list(pictures.seeds),
        "verdicts": list(pictures.verdicts),
    }


def _redrawn_view(redrawn: Redrawn) -> View:
    done = redrawn.index == redrawn.total
    return {
        "state": "done" if done else "running",
        "start": redrawn.start,
        "before": _encode(redrawn.before),
        "noised": None if redrawn.noised is None else _encode(redrawn.noised),
        "after": None if redrawn.after is None else _encode(redrawn.after),
        "verdicts": [redrawn.verdict_before, redrawn.verdict_after],
    }


def _encode(images: Tensor) -> str:
    """Images (..., 3, 64, 64) as base64 of uint8 RGB."""
    return base64.b64encode(to_uint8(images).tobytes()).decode("ascii")
