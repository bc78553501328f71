"""What the parts of the tab Explore have in common: gallery and walk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ddpm.demo.activity import waiting
from ddpm.demo.adapter.page import View
from ddpm.demo.draw.studio import Studio
from ddpm.demo.experiments import Pictures
from ddpm.demo.frames import rgb
from ddpm.demo.hosting.limits import Wait
from ddpm.demo.texts import text
from ddpm.labels import LABELS, MAX_OBJECTS

LOOKS = 8
"""A run shows itself about so often while it denoises."""

REST = 0.25  # seconds, about the longest time after Stop that a run goes on


@dataclass(frozen=True)
class Page:
    """What the parts are connected to: the page's own components."""

    studio: Studio
    scene: gr.HTML
    seed: gr.Number
    settings: Mapping[str, gr.components.Component]  # sampler, steps, guidance, model


def labels_choice(label: Any, **options: Any) -> gr.Dropdown:
    """Let some of the objects be chosen."""
    choices = [(text(f"label.{name}"), name) for name in LABELS]
    return gr.Dropdown(choices, value=[], multiselect=True, max_choices=MAX_OBJECTS, label=label, **options)


def now_and_then(run: Iterator[Any]) -> Iterator[Any]:
    """Of a run's states pass on about LOOKS, with the first and the last.

    Between them one is passed on again every REST seconds: a run can only be stopped where it passes something on.
    """
    passed, due = None, 0.0
    for state in run:
        if isinstance(state, Wait):
            yield state
            continue
        look = state.index in (1, state.total) or state.index % -(-state.total // LOOKS) == 0
        if look or time.monotonic() >= due:
            passed = state if look else passed
            yield passed
            due = time.monotonic() + REST


def pictures_view(pictures: Pictures | Wait) -> View:
    """Describe pictures in the making for the browser, or where a waiting run stands."""
    if isinstance(pictures, Wait):
        return waiting(pictures)
    done = pictures.index == pictures.total
    return {
        "state": "done" if done else "running",
        "index": pictures.index,
        "total": pictures.total,
        "count": len(pictures.images),
        "pictures": rgb(pictures.images),
        "seeds": list(pictures.seeds),
        "verdicts": list(pictures.verdicts),
    }
