"""The settings of a run, with the model's own as defaults."""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from ddpm.checkpoint import ModelConfig
from ddpm.demo.adapter.page import part
from ddpm.demo.models import Models
from ddpm.demo.texts import TEXTS, text

Configs = Mapping[str, ModelConfig]
"""Of the models that can be chosen, by their names; the first is the page's own."""

SAMPLER_CHOICES = [("DDPM", "ddpm"), ("DDIM", "ddim"), ("DPM-Solver++", "dpm++"), ("SDE-DPM-Solver++", "sde-dpm++")]
SAMPLER_NAMES = {key: name for name, key in SAMPLER_CHOICES}
STEPS = (1, 2, 5, 10, 25, 50, 100, 250, 1000)
SLIDER_END = 8  # beyond it colors only burn out; by program 20 is allowed

DICE = "() => Math.floor(Math.random() * 1e6)"  # runs in the browser


def seed_number() -> gr.Number:
    """Ask for a whole number that names the noise to start from."""
    return gr.Number(0, label=text("settings.seed"), info=text("settings.seed_info"), precision=0)


def model_choice(models: Models) -> gr.Dropdown:
    """Offer the models, where there are several, with a line on the chosen one; see `suiting`."""
    names = models.names
    several = len(names) > 1
    choice = gr.Dropdown(
        list(names), value=names[0], label=text("settings.model"), visible=several, elem_classes=["model"]
    )
    known = {name: f"models.{folder}" for name, folder in models.bundled.items() if f"models.{folder}" in TEXTS["en"]}
    template = '<p class="info-text"></p>'
    line = part("about", known.get(names[0]), template, visible=several, elem_classes=["about-model"], label="About it")
    choice.change(None, choice, line, js=f"(name) => ({json.dumps(known)})[name] ?? null")
    return choice


def suiting(configs: Configs) -> str:
    """The script from a model's name to the sampler, steps and guidance that suit it."""
    own: dict[str, list[Any]] = {name: [its.sampler, its.steps, its.guidance] for name, its in configs.items()}
    return f"(name) => ({json.dumps(own)})[name]"


def sampler_choice(config: ModelConfig) -> gr.Radio:
    """Offer the samplers, with the model's own chosen."""
    return gr.Radio(
        SAMPLER_CHOICES,
        value=config.sampler,
        label=text("settings.sampler"),
        info=text("settings.sampler_info"),
        elem_id="sampler",
    )


def steps_choice(configs: Configs) -> gr.Radio:
    """Offer the usual numbers of steps and the models' own, up to T."""
    config = next(iter(configs.values()))
    choices = sorted({*STEPS, *(its.steps for its in configs.values())})
    return gr.Radio(
        [steps for steps in choices if steps <= config.schedule.steps],
        value=config.steps,
        label=text("settings.steps"),
        info=text("settings.steps_info"),
        elem_id="steps",
    )


def guidance_slider(config: ModelConfig) -> gr.Slider:
    """Offer the guidance scale, with the model's own chosen."""
    return gr.Slider(
        0,
        max(SLIDER_END, config.guidance),
        value=config.guidance,
        step=0.5,
        label=text("settings.guidance"),
        info=text("settings.guidance_info"),
        buttons=[],
    )
