"""Take it with you: the files of a run, a link that leads back to it, and presets of the settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import gradio as gr

from ddpm.checkpoint import ModelConfig
from ddpm.demo.activity import Screen, described, value_button
from ddpm.demo.adapter.page import LINK_KEYS, MAIN, ask, asset, endpoint, part
from ddpm.demo.checks import check_seed, one_of, requested
from ddpm.demo.draw.studio import Studio
from ddpm.demo.models import STUDENT
from ddpm.demo.picker.settings import Configs
from ddpm.demo.share.files import FORMATS, File, Format, run_file
from ddpm.demo.texts import element
from ddpm.labels import LABELS, MAX_OBJECTS
from ddpm.settings import Settings

PRESET_SETTINGS = {
    "fast": Settings("dpm++", 10, 2.5),
    "accurate": Settings("sde-dpm++", 25, 2.5),
    "textbook": Settings("ddpm", 1000, 2.5),
}
"""Settings by the name of their text, from the curve of quality against cost (docs/QUALITY.md)."""

_SCENE = "labels=red+cube,cyan+sphere,yellow+cylinder&seed=18"
_DEFAULT = "&sampler=sde-dpm%2B%2B&steps=25&guidance=2.5"
EXPERIMENTS = {
    "two": f"{_SCENE}&sampler=dpm%2B%2B&steps=2&guidance=2.5",
    "twin": f"labels=blue+cube,cyan+sphere,yellow+cylinder&seed=18{_DEFAULT}",
    "deaf": "labels=green+cube,purple+sphere,yellow+cylinder&seed=13&sampler=sde-dpm%2B%2B&steps=25&guidance=0",
    "loud": "labels=green+cube,purple+sphere,yellow+cylinder&seed=0&sampler=sde-dpm%2B%2B&steps=25&guidance=8",
    "crowd": f"labels=blue+cube,brown+cube,red+sphere,yellow+sphere,cyan+cylinder&seed=3{_DEFAULT}",
    "fresh": f"{_SCENE}&sampler=ddpm&steps=100&guidance=2.5",
}
"""Small experiments, as queries of links by the names of their texts; each says after a press what to look at."""


@dataclass(frozen=True)
class Controls:
    """Where people say what they want; a link sets all of it.

    settings: sampler, steps, guidance and model, by their names in a link; a preset sets them. screens: what else a
    link may lead to, with inputs of its own.
    """

    rows: Sequence[gr.CheckboxGroup]
    seed: gr.Number
    settings: Mapping[str, gr.components.Component]
    screens: Sequence[Screen]

    @property
    def fields(self) -> dict[str, gr.components.Component]:
        """All but the rows, by their names in a link."""
        fields = {"seed": self.seed, **self.settings}
        for screen in self.screens:
            fields.update(screen.inputs)
        return fields


def share_row() -> gr.HTML:
    """Build the row of files and the link, for the run that the stage shows.

    A click on the component is a picture that was opened, whose query is the value.
    """
    template = asset("share/share.html").replace("__BUTTONS__", "".join(map(_save_button, FORMATS)))
    return part("share", None, template, elem_id="share", label="Take it with you")


def experiment_buttons() -> gr.HTML:
    """Build a button for each of EXPERIMENTS. A click sets the value to its query."""
    buttons = "".join(
        value_button({"query": query, "source": f"try_{name}"}, f"share.try_{name}")
        for name, query in EXPERIMENTS.items()
    )
    template = f'<div><span class="title" data-text="share.try"></span>{buttons}</div>'
    return part("values", None, template, elem_id="tryit", label="Try this")


def link_notice() -> gr.HTML:
    """Build the line that says what a link or a picture has restored, and what of it was wrong; empty without one."""
    return part("notice", None, '<div role="status"></div>', elem_id="notice", label="Link")


def preset_buttons(configs: Configs) -> gr.HTML:
    """Build a button for each preset that the models allow. A click sets the value to its settings and its model."""
    buttons = "".join(value_button(preset, f"share.{name}") for name, preset in presets(configs).items())
    template = f"<div>{element('span', 'share.presets')}{buttons}</div>"
    return part("values", None, template, elem_id="presets", label="Presets")


def presets(configs: Configs) -> dict[str, tuple[str, int, float, str]]:
    """Return sampler, steps, guidance and model of each preset that the models allow, by the name of its text."""
    own, config = next(iter(configs.items()))
    found = {"student": _suiting(STUDENT, configs[STUDENT])} if STUDENT in configs else {}
    for name, preset in PRESET_SETTINGS.items():
        if preset.steps <= config.schedule.steps:
            found[name] = (*astuple(preset), own)
    return found


def _suiting(name: str, config: ModelConfig) -> tuple[str, int, float, str]:
    return config.sampler, config.steps, config.guidance, name


def live(configs: Configs) -> str:
    """The script that draws at a change, by the first preset: from the switch Live, the labels and the seed."""
    first = next(iter(presets(configs).values()))
    return f"(on, labels, seed) => {{ if (on) ddpm.live(labels, seed, ...{json.dumps(first)}); }}"


def connect(
    demo: gr.Blocks,
    studio: Studio,
    row: gr.HTML,
    notice: gr.HTML,
    presets: gr.HTML,
    experiments: gr.HTML,
    controls: Controls,
    scene: gr.HTML,
) -> None:
    """Connect them; scene: the line that names what is ticked."""

    def save(
        labels: list[str],
        seed: int,
        sampler: str,
        steps: int,
        guidance: float,
        model: str | None,
        format: Format,
        captions: bool = False,
        until: int | None = None,
    ) -> File:
        one_of("format", FORMATS)(format)
        check_seed(seed)
        settings = studio.models.get(model).settings(sampler, steps, guidance)
        run = studio.trajectory(requested(labels), seed, settings, model, until)
        return run_file(row, run, format, captions)

    endpoint("save", save)
    configs = studio.models.configs
    settings = [*controls.settings.values()]
    chosen = presets.click(None, presets, settings, js="(settings) => settings")
    chosen.then(None, [scene, controls.seed, *settings], js=ask("stage"))
    every = [*controls.rows, *controls.fields.values()]
    demo.load(None, every, [*every, scene, notice], js=_restore(controls, configs)).then(js=DRAW_RESTORED)
    for source in (row, experiments):
        opened = source.click(
            None, [*every, source], [*every, scene, notice], js=_restore(controls, configs, given=True)
        )
        opened.then(js=DRAW_RESTORED)


DRAW_RESTORED = f"async () => {{ (await {MAIN}).drawRestored(); }}"
"""The script that draws what a link, a picture or an earlier run asks for."""


def _restore(controls: Controls, configs: Configs, given: bool = False) -> str:
    """The script that sets the controls to what a link says, or the query that is the last value; see restore.js."""
    suiting = {name: _suiting(name, config)[:3] for name, config in configs.items()}
    fields = {name: described(component) for name, component in controls.fields.items()}
    views = {"stage": [*controls.settings]}
    for screen in controls.screens:
        fields |= screen.more
        views[screen.name] = [*screen.inputs, *screen.more]
    if unknown := fields.keys() - set(LINK_KEYS):
        raise ValueError(f"LINK_KEYS lacks {', '.join(sorted(unknown))}: the page's address would keep what they said")
    allowed = json.dumps(
        {"labels": LABELS, "mostLabels": MAX_OBJECTS, "fields": fields, "views": views, "suiting": suiting}
    )
    return f"async (...values) => (await {MAIN}).restore(values, {allowed}{', values.pop()' if given else ''})"


def _save_button(format: str) -> str:
    texts = f'data-text="share.{format}" data-text-title="share.{format}_note"'
    return f'<button type="button" data-format="{format}" {texts}></button>'
