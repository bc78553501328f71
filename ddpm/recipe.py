"""What a picture follows from, as text: what a link to the page holds, and what our PNG files carry."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from PIL.PngImagePlugin import PngInfo

from ddpm.settings import Settings

KEYWORD = "ddpm"
"""Of the PNG's text chunk."""


def query(
    scene: Sequence[str], seed: int, settings: Settings, model: str | None = None, until: int | None = None
) -> str:
    """The query of a link, such as labels=red+cube,cyan+sphere&seed=7&sampler=dpm%2B%2B&steps=10&guidance=2.

    model: the name of a bundled model, for `&model=`; None is the page's own. until: after how many steps the run was
    stopped; None for a whole one.
    """
    labels = ",".join(label.replace(" ", "+") for label in scene)
    sampler, guidance = quote(settings.sampler, safe=""), f"{settings.guidance:.15g}"
    drawn_by = "" if model is None else f"&model={quote(model, safe='')}"
    stopped = "" if until is None else f"&until={until}"
    return (
        f"labels={labels}&seed={seed}&sampler={sampler}&steps={settings.steps}&guidance={guidance}{drawn_by}{stopped}"
    )


def png_info(
    scene: Sequence[str], seed: int, settings: Settings, model: str | None = None, until: int | None = None
) -> PngInfo:
    """The same for Pillow's `Image.save(..., pnginfo=)`; the page reads it where such a file is dropped on it."""
    info = PngInfo()
    info.add_text(KEYWORD, query(scene, seed, settings, model, until))
    return info
