"""Take it with you: the files of a run, a link that leads back to it, and presets of the settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import gradio as gr

from ddpm.checkpoint import ModelConfig
from ddpm.demo.files import FORMATS, run_file
from ddpm.demo.handlers import MAX_PAGE_SEED, MODEL_QUEUE, Studio
from ddpm.demo.texts import element
from ddpm.demo.theme import asset
from ddpm.labels import LABELS, MAX_OBJECTS
from ddpm.pipeline import Settings

PRESET_SETTINGS = {
    "fast": Settings("dpm++", 10, 2.5),
    "accurate": Settings("sde-dpm++", 25, 2.5),
    "textbook": Settings("ddpm", 1000, 2.5),
}
"""Settings by the name of their text, from the curve of quality against cost (docs/QUALITY.md)."""

KEYS = ("labels", "seed", "sampler", "steps", "guidance")
"""What a run follows from: what a link holds, and what the stage says of the run that it shows."""


@dataclass(frozen=True)
class Controls:
    """Where people say what they want; a link sets all of it."""

    rows: Sequence[gr.CheckboxGroup]
    seed: gr.Number
    sampler: gr.Radio
    steps: gr.Radio
    guidance: gr.Slider

    @property
    def settings(self) -> list[gr.components.Component]:
        """What a preset sets."""
        return [self.sampler, self.steps, self.guidance]

    @property
    def all(self) -> list[gr.components.Component]:
        """All of it, in the order that restore.js wants."""
        return [*self.rows, self.seed, *self.settings]


def share_row(stage: gr.HTML) -> gr.HTML:
    """Build the row of files and the link, for the run that the stage shows. Its value says which run that is.

    It has the keys of KEYS and "state", as the stage has; null while there is no finished run. Its event `save` asks
    for a file: the data are those of the run, and the format.
    """
    return gr.HTML(
        _run_of(stage.value),
        html_template=asset("share.html").replace("__BUTTONS__", "".join(map(_save_button, FORMATS))),
        js_on_load=asset("share.js").replace("__KEYS__", json.dumps(KEYS)),
        apply_default_css=False,
        elem_id="share",
        label="Take it with you",
    )


def link_notice() -> gr.HTML:
    """Build the line that says what a link has restored, and what of it was wrong. It is empty without a link."""
    return gr.HTML(
        None,
        html_template='<div role="status"></div>',
        js_on_load=asset("notice.js"),
        apply_default_css=False,
        elem_id="notice",
        label="Link",
    )


def preset_buttons(config: ModelConfig) -> gr.HTML:
    """Build a button for each of PRESET_SETTINGS that the model allows. A click sets the value to its settings."""
    buttons = "".join(
        f'<button type="button" data-settings="{_attribute(astuple(preset))}" data-text="share.{name}"></button>'
        for name, preset in PRESET_SETTINGS.items()
        if preset.steps <= config.schedule.steps
    )
    return gr.HTML(
        html_template=f"<div>{element('span', 'share.presets')}{buttons}</div>",
        js_on_load="""
            element.addEventListener("click", (event) => {
              const button = event.target.closest("button");
              if (!button) return;
              props.value = JSON.parse(button.dataset.settings);
              trigger("click");
            });
        """,
        apply_default_css=False,
        elem_id="presets",
        label="Presets",
    )


def connect(
    demo: gr.Blocks,
    studio: Studio,
    stage: gr.HTML,
    row: gr.HTML,
    notice: gr.HTML,
    presets: gr.HTML,
    controls: Controls,
    asked: gr.events.Dependency,
    run: gr.events.Dependency,
) -> None:
    """Connect the three. asked: the event with which a run is waited for; run: the one that draws it."""

    def save(event: gr.EventData) -> dict[str, Any]:
        chosen = {key: getattr(event, key) for key in KEYS}
        problems = [check["message"] for check in studio.validate(**chosen) if not check["is_valid"]]
        if problems or event.format not in FORMATS:
            raise gr.Error(" ".join(problems) or "There is no such format.")
        settings = studio.pipeline.settings(chosen["sampler"], chosen["steps"], chosen["guidance"])
        file = run_file(row, studio.trajectory(chosen["labels"], chosen["seed"], settings), event.format)
        return {"asked": event.asked, "file": file}

    asked.then(None, None, [row, notice], js="() => [null, null]")
    run.success(None, stage, row, js=SHOWN)
    saved = row.save(save, None, row, show_progress="hidden", api_visibility="private", **MODEL_QUEUE)
    saved.failure(None, None, row, js="() => [{ failed: Date.now() }]")
    presets.click(None, presets, controls.settings, js="(settings) => settings").then(None, None, None, js=START)
    demo.load(None, controls.all, [*controls.all, notice], js=_restore(controls))


SHOWN = f"""(stage) => [
    stage.state === "done" ? Object.fromEntries({json.dumps(("state", *KEYS))}.map((key) => [key, stage[key]])) : null
]"""
"""The script from the value of the stage to that of the row."""

START = "() => { DDPM.start('generate'); }"
"""The script that presses Generate, which does nothing while a run is on."""


def _restore(controls: Controls) -> str:
    allowed = {
        "labels": LABELS,
        "mostLabels": MAX_OBJECTS,
        "seed": MAX_PAGE_SEED,
        "sampler": {value: name for name, value in controls.sampler.choices},
        "steps": [value for _, value in controls.steps.choices],
        "guidance": [controls.guidance.minimum, controls.guidance.maximum],
    }
    return asset("restore.js").replace("__ALLOWED__", json.dumps(allowed))


def _run_of(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in ("state", *KEYS)}


def _save_button(format: str) -> str:
    texts = f'data-text="share.{format}" data-text-title="share.{format}_note"'
    return f'<button type="button" data-format="{format}" {texts}></button>'


def _attribute(value: Any) -> str:
    return json.dumps(value).replace('"', "&quot;")
