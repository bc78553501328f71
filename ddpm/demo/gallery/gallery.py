"""Several pictures of the same labels, from seeds that follow each other."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from ddpm.demo.activity import Screen, about, activity
from ddpm.demo.adapter.page import View, refusal
from ddpm.demo.checks import MAX_PAGE_SEED, is_seed
from ddpm.demo.experiments import MAX_GALLERY, gallery
from ddpm.demo.explore import Page, now_and_then, pictures_view
from ddpm.demo.texts import text


def gallery_part(page: Page) -> Screen:
    """Build the tab. A click on a picture sets the page's seed to the picture's."""
    about("gallery")
    with gr.Row(elem_classes=["inputs"]):
        count = gr.Slider(1, MAX_GALLERY, 8, step=1, label=text("gallery.count"), buttons=[])

    def run(
        labels: list[str], seed: int, count: int, sampler: str, steps: int, guidance: float, model: str
    ) -> Iterator[View]:
        last = count - 1 if isinstance(count, int) else 0
        if isinstance(seed, int) and not is_seed(seed + last):
            yield refusal("picker.seed", max=MAX_PAGE_SEED - last)
            return
        settings = page.studio.models.get(model).settings(sampler, steps, guidance)
        yield from map(pictures_view, now_and_then(gallery(page.studio, labels, seed, count, settings, model)))

    screen = activity("gallery", page.scene, page.seed, {"count": count, **page.settings}, run)
    screen.part.select(None, screen.part, page.seed, js="(seed) => seed")
    return screen
