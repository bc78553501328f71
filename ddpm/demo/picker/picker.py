"""The picker: a checkbox for each of the 24 objects, one row of eight colors for each shape."""

import json
from collections.abc import Sequence
from html import escape

import gradio as gr

from ddpm.demo.adapter.page import asset, part
from ddpm.demo.texts import text
from ddpm.labels import COLORS, SHAPES

EXAMPLES = (
    ("red cube", "cyan sphere"),
    ("green cube", "purple sphere", "yellow cylinder"),
    ("blue cube", "brown cube", "red sphere", "yellow sphere", "cyan cylinder"),
)


def shape_rows(ticked: Sequence[str]) -> list[gr.CheckboxGroup]:
    """Build a row for each shape. Its value is the list of its ticked labels, such as ["red cube"]."""
    return [
        gr.CheckboxGroup(
            [(text(f"label.{color}"), f"{color} {shape}") for color in COLORS],
            value=[label for label in ticked if label.endswith(f" {shape}")],
            label=text(f"picker.{shape}"),
            elem_classes=["shape-row", shape],
        )
        for shape in SHAPES
    ]


def selection(ticked: Sequence[str]) -> gr.HTML:
    """Build the line that names what is ticked. Its value is the labels of all rows, put together by COLLECT."""
    return part("selection", list(ticked), asset("picker/selection.html"), elem_id="selection", label="Scene")


def examples() -> gr.HTML:
    """Build a button for each of EXAMPLES, and one for a random scene. A click sets the value to the labels of it."""
    buttons = "".join(map(_example_button, EXAMPLES))
    chance = '<button type="button" class="chance" data-value="[]" data-text="picker.random"></button>'
    template = f'<div><span class="title" data-text="picker.examples"></span>{buttons}{chance}</div>'
    return part("examples", None, template, elem_id="examples", label="Examples")


def live_switch(on: bool) -> gr.HTML:
    """Build the switch for drawing at every change. Its value is whether it is on; a click turns it."""
    words = '<b data-text="picker.live"></b> <span data-text="picker.live_note"></span>'
    template = f'<label><input type="checkbox"><span>{words}</span></label>'
    return part("live", on, template, elem_id="live", label="Live")


COLLECT = "(...rows) => [rows.flat()]"
"""The script from the values of the rows to that of the selection."""

SPREAD = f"""(labels) => [
    ...{json.dumps(SHAPES)}.map((shape) => labels.filter((label) => label.endsWith(shape))), labels
]"""
"""The script from labels to the values of the rows, and to that of the selection, which a run takes its scene from."""

CLEAR = f"() => {json.dumps([[] for _ in SHAPES])}"
"""The script that empties the rows."""


def _example_button(labels: Sequence[str]) -> str:
    objects = "".join(f'<span class="object {label}"></span>' for label in labels)
    return f'<button type="button" data-value="{escape(json.dumps(labels))}">{objects}</button>'
