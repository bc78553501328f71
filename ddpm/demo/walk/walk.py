"""From one picture to another in even steps: the noise turns, or the labels change."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from ddpm.demo.activity import Screen, about, activity
from ddpm.demo.adapter.page import View, refusal
from ddpm.demo.checks import MAX_PAGE_SEED, is_seed
from ddpm.demo.experiments import MAX_STOPS, MIN_STOPS, WALKER, walk_pictures, walking
from ddpm.demo.explore import Page, labels_choice, now_and_then, pictures_view
from ddpm.demo.picker.settings import SAMPLER_NAMES
from ddpm.demo.texts import text
from ddpm.labels import check
from ddpm.variations import turnover

SEED, LABELS_TOO = "seed", "labels"
"""The two ways to walk; explore.css shows the field that belongs to the chosen one."""


def walk_part(page: Page) -> Screen:
    """Build the tab."""
    about("walk")
    with gr.Row(elem_classes=["inputs"]):
        way = gr.Radio(
            [(text("walk.to_seed"), SEED), (text("walk.to_labels"), LABELS_TOO)], value=SEED, label=text("walk.way")
        )
        other_seed = gr.Number(1, label=text("walk.other_seed"), elem_classes=["to-seed"])
        other_labels = labels_choice(text("walk.other_labels"), elem_classes=["to-labels"])
        stops = gr.Slider(MIN_STOPS, MAX_STOPS, 8, step=1, label=text("walk.stops"), buttons=[])

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
        model: str,
    ) -> Iterator[View]:
        settings = page.studio.models.get(model).settings(sampler, steps, guidance)
        if way == LABELS_TOO and not other_labels:
            yield refusal("walk.no_labels")
            return
        if way == SEED and not is_seed(other_seed):
            yield refusal("walk.bad_seed", max=MAX_PAGE_SEED)
            return
        end = (labels, other_seed) if way == SEED else (other_labels, seed)
        if check(end[0]) == check(labels) and end[1] == seed:
            yield refusal("walk.same")
            return
        walk = walk_pictures(page.studio, (labels, seed), end, stops, settings, model)
        scenes = turnover(check(labels), check(end[0]), stops)
        note = None if walking(settings) == settings else SAMPLER_NAMES[WALKER]
        for view in map(pictures_view, now_and_then(walk)):
            ends = [{"labels": labels, "seed": seed}, {"labels": end[0], "seed": end[1]}]
            yield {**view, "ends": ends, "scenes": scenes, "note": note}

    inputs = {"way": way, "to_seed": other_seed, "to_labels": other_labels, "stops": stops, **page.settings}
    return activity("walk", page.scene, page.seed, inputs, run)
