"""Back into the noise and out again: a picture is noised part of the way, and denoised under labels old or new."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from ddpm.demo.activity import about, activity
from ddpm.demo.adapter.page import View, ask, part, refusal
from ddpm.demo.draw.studio import MAX_PAGE_SEED, Studio, is_seed
from ddpm.demo.experiments import Redrawn, redraw_picture
from ddpm.demo.explore import Page, encode, labels_choice, now_and_then
from ddpm.demo.texts import text

KEEP = 70
"""Percent of the way back that recoloring takes: the color can still change, and the places stay."""


def redraw_part(page: Page) -> None:
    """Build the tab."""
    about("redraw")
    with gr.Row(elem_classes=["inputs"]):
        with gr.Column():
            percent = gr.Slider(5, 100, KEEP, step=5, label=text("redraw.percent"), buttons=[])
            meaning = _meaning(page.studio)
        new_labels = labels_choice(text("redraw.new_labels"), info=text("redraw.new_labels_info"))
        noise_seed = gr.Number(1, label=text("redraw.noise_seed"))
    recolor = _recolor(page.scene)

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
            return iter([refusal("redraw.bad_seed", max=MAX_PAGE_SEED)])
        settings = page.studio.pipeline.settings(sampler, steps, guidance)
        run = redraw_picture(page.studio, labels, seed, settings, percent, new_labels or labels, noise_seed)
        return map(_redrawn_view, now_and_then(run))

    inputs = [percent, new_labels, noise_seed, *page.settings]
    activity("redraw", page.scene, page.seed, inputs, run)
    percent.change(None, percent, meaning, js="(percent) => percent")
    # other labels were chosen for the scene as it was
    page.scene.change(None, page.scene, [recolor, new_labels], js="(labels) => [{ labels }, []]")
    recolor.click(None, recolor, [new_labels, percent], js=f"(recolor) => [recolor.wanted, {KEEP}]").then(
        None, [page.scene, page.seed, *inputs], js=ask("redraw")
    )


def _meaning(studio: Studio) -> gr.HTML:
    """Say what the chosen percentage means. Its value is the percentage."""
    schedule = studio.pipeline.config.schedule
    timesteps = [max(1, round(schedule.steps * percent / 100)) for percent in range(101)]
    return part(
        "meaning",
        KEEP,
        '<p class="meaning"></p>',
        elem_id="meaning",
        label="Meaning",
        timesteps=timesteps,
        noise=(1 - schedule.alpha_bar[timesteps]).tolist(),
    )


def _recolor(scene: gr.HTML) -> gr.HTML:
    """Offer every requested object in the other colors. Value: "labels" requested, and "wanted" after a click."""
    return part(
        "recolor",
        {"labels": scene.value},
        '<div class="recolor"><p data-text="redraw.recolor"></p><div class="rows"></div></div>',
        elem_id="recolor",
        label="Recolor",
    )


def _redrawn_view(redrawn: Redrawn) -> View:
    done = redrawn.index == redrawn.total
    return {
        "state": "done" if done else "running",
        "start": redrawn.start,
        "before": encode(redrawn.before),
        "noised": None if redrawn.noised is None else encode(redrawn.noised),
        "after": None if redrawn.after is None else encode(redrawn.after),
        "verdicts": [redrawn.verdict_before, redrawn.verdict_after],
    }
