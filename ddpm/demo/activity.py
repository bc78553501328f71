"""A start button, a stop button and a screen for what the models do in between; see shared/screen.js."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

import gradio as gr

from ddpm.demo.adapter.page import View, ask, asset, endpoint, part, refusing
from ddpm.demo.hosting.limits import Wait
from ddpm.demo.texts import element, text


def activity(
    name: str,
    scene: gr.HTML,
    seed: gr.Number,
    inputs: Sequence[gr.components.Component],
    run: Callable[..., Iterator[View]],
) -> gr.HTML:
    """Build #NAME-start, #NAME-stop and the screen #NAME, and let `run(labels, seed, *inputs)` draw on it.

    The text of the first button is "NAME.start"; the screen is NAME/NAME.html with NAME/NAME.js.
    """
    with gr.Row(elem_classes=["starter"]):
        start = gr.Button(text(f"{name}.start"), variant="primary", interactive=False, elem_id=f"{name}-start")
        gr.Button(text("activity.stop"), interactive=False, elem_id=f"{name}-stop")
    screen = part(name, None, asset(f"{name}/{name}.html"), elem_id=name, label=name.capitalize())
    endpoint(name, refusing(run))
    start.click(None, [scene, seed, *inputs], None, js=ask(name))
    return screen


def waiting(wait: Wait) -> View:
    """Say where a run stands that waits."""
    return {"state": "waiting", "ahead": wait.ahead, "left": max(1, round(wait.seconds))}


def about(name: str) -> gr.HTML:
    """Show what the part is about."""
    return gr.HTML(element("p", f"{name}.about"), apply_default_css=False, elem_classes=["about"])


def value_button(value: Any, title: str) -> str:
    """Return the HTML of a button that sets a value, see shared/values.js. title: the name of its text."""
    return f'<button type="button" data-value="{escape(json.dumps(value))}" data-text="{title}"></button>'
