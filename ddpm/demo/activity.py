"""A start button, a stop button and a screen for what the models do in between; see shared/screen.js."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from ddpm.demo.adapter.page import View, ask, asset, endpoint, part, refusing
from ddpm.demo.checks import MAX_PAGE_SEED
from ddpm.demo.hosting.limits import Wait
from ddpm.demo.texts import element, text


@dataclass(frozen=True)
class Screen:
    """What draws with a start and a stop button of its own. inputs: by the names that they have in a link.

    more: what only a link says, see `described`; it comes after the inputs.
    """

    name: str
    part: gr.HTML
    inputs: Mapping[str, gr.components.Component]
    more: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def activity(
    name: str,
    scene: gr.HTML,
    seed: gr.Number,
    inputs: Mapping[str, gr.components.Component],
    run: Callable[..., Iterator[View]],
    more: Mapping[str, dict[str, Any]] | None = None,
) -> Screen:
    """Build #NAME-start, #NAME-stop and the screen #NAME, and let `run(labels, seed, *inputs, *more)` draw on it.

    The text of the first button is "NAME.start"; the screen is NAME/NAME.html with NAME/NAME.js.
    """
    more = more or {}
    with gr.Row(elem_classes=["starter"]):
        start = gr.Button(text(f"{name}.start"), variant="primary", interactive=False, elem_id=f"{name}-start")
        gr.Button(text("activity.stop"), interactive=False, elem_id=f"{name}-stop")
    keys = escape(json.dumps([*inputs, *more]))
    template = asset(f"{name}/{name}.html").replace("<section ", f'<section data-link="{keys}" ', 1)
    screen = part(name, None, template, elem_id=name, label=name.capitalize())
    endpoint(name, refusing(run))
    start.click(None, [scene, seed, *inputs.values()], None, js=ask(name))
    return Screen(name, screen, inputs, more)


def described(component: gr.components.Component) -> dict[str, Any]:
    """What a field may hold, for restore.js."""
    match component:
        case gr.Slider():
            whole = component.step == int(component.step)
            return {"kind": "range", "least": component.minimum, "most": component.maximum, "whole": whole}
        case gr.Dropdown(multiselect=True):
            return {"kind": "labels"}
        case gr.Radio() | gr.Dropdown():
            choices = [(value, name if isinstance(name, str) else value) for name, value in component.choices]
            return {"kind": "choice", "choices": choices}
        case gr.Number():
            return {"kind": "whole", "most": MAX_PAGE_SEED}
    raise ValueError(f"a link cannot hold the value of a {type(component).__name__}")


def waiting(wait: Wait) -> View:
    """Say where a waiting run stands."""
    return {"state": "waiting", "ahead": wait.ahead, "left": max(1, round(wait.seconds))}


def about(name: str) -> gr.HTML:
    """Show what the part is about."""
    return gr.HTML(element("p", f"{name}.about"), apply_default_css=False, elem_classes=["about"])


def value_button(value: Any, title: str) -> str:
    """Return the HTML of a button that sets a value, see shared/values.js. title: the name of its text."""
    return f'<button type="button" data-value="{escape(json.dumps(value))}" data-text="{title}"></button>'
