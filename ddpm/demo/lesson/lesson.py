"""How it works: noising, schedule, denoising, network and figures, explained on the model that is loaded.

What can be read from the model is read from it: no number in the texts is typed by hand.
"""

from __future__ import annotations

import base64
import json
import logging
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image
from torch import nn

from ddpm.checkpoint import ModelConfig
from ddpm.demo.adapter.page import HOME, asset, part
from ddpm.demo.lesson.diagram import blocks, draw
from ddpm.demo.picker.settings import SAMPLER_NAMES
from ddpm.hub import FIGURES, read_figures
from ddpm.labels import NUM_LABELS
from ddpm.networks.context_unet import ContextUNet
from ddpm.networks.staged import Staged
from ddpm.networks.unet import Condition
from ddpm.pipeline import Pipeline
from ddpm.schedule import KINDS, NoiseSchedule

log = logging.getLogger(__name__)


def lesson(pipeline: Pipeline, folder: Path | None) -> gr.HTML:
    """Build the section about the model in a pipeline.

    folder: where the checkpoint and perhaps its figures.json lie; None for a model from elsewhere.
    """
    template = _page(pipeline, folder)
    return part("lesson", _data(pipeline.config.schedule), template, elem_id="lesson", label="How it works")


def _data(schedule: NoiseSchedule) -> dict[str, Any]:
    """Return what lesson.js draws: the scene as RGB bytes in base64, and alpha_bar (T + 1,) of each schedule."""
    with Image.open(HOME / "lesson" / "scene.png") as picture:
        scene = picture.convert("RGB").tobytes()
    schedules = {schedule.kind: schedule} | {
        kind: NoiseSchedule(kind, schedule.steps) for kind in KINDS if kind != schedule.kind
    }
    return {
        "scene": base64.b64encode(scene).decode("ascii"),
        "kind": schedule.kind,
        "alphaBar": {
            kind: [float(f"{share:.7g}") for share in schedule.alpha_bar.tolist()]
            for kind, schedule in schedules.items()
        },
    }


def _page(pipeline: Pipeline, folder: Path | None) -> str:
    config, network = pipeline.config, pipeline.network
    parts = {
        "T": str(config.schedule.steps),
        "KIND": config.schedule.kind,
        "NETWORK": draw(config, wide=True) + draw(config, wide=False),
        "NETWORK_TEXT": "networks_text" if isinstance(network, Staged) else "network_text",
        "SIZE": _values(
            parameters=f"{sum(parameter.numel() for parameter in network.parameters()):,}",
            labels=NUM_LABELS,
            deepest=min(block.shape[1] for block in blocks(config)),
            boundaries=_boundaries(network, config.schedule.steps) if isinstance(network, Staged) else None,
        ),
        "CONDITION": _condition(config, network),
        "PREDICTION": config.prediction,
        "FIGURES": _figures(folder) if folder else "",
    }
    page = asset("lesson/lesson.html")
    for name, value in parts.items():
        page = page.replace(f"__{name}__", value)
    return page


def _boundaries(network: Staged, steps: int) -> str:
    """Return the timesteps at which one network takes over from the other, noisiest first."""
    return ", ".join(str(round(until * steps)) for until in reversed(network.until[:-1]))


def _values(**values: object) -> str:
    """Return what `data-values` takes."""
    return escape(json.dumps(values))


def _condition(config: ModelConfig, network: nn.Module) -> str:
    """Say how the conditions reach the blocks, for the badges that occur in the picture."""
    found = blocks(config)
    badges = []
    if any(block.vector for block in found):
        badges.append(("vector", _way(network)))
    if any(block.tokens for block in found):
        badges.append(("tokens", "told_tokens"))
    width = next((layer.time.out_features for layer in network.modules() if isinstance(layer, Condition)), None)
    values = _values(width=width, labels=NUM_LABELS)
    return "".join(
        f'<li><span class="badge {badge}"></span><span data-text="lesson.{key}" data-values="{values}"></span></li>'
        for badge, key in badges
    )


def _way(network: nn.Module) -> str:
    """Name the text on how time and labels reach the blocks that are conditioned on them."""
    if not isinstance(network, ContextUNet):
        return "told_vector"
    if network.fusion == "down":
        return "told_sum"
    return "told_scale" if network.labels and network.times else "told_labels" if network.labels else "told_time"


def _figures(folder: Path) -> str:
    """Return the section with the measured figures of a checkpoint's folder, empty where there are none to read."""
    try:
        report = read_figures(folder)
        return _tables(report) if report else ""
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("%s is left out: %s: %s", folder / FIGURES, type(error).__name__, error)
        return ""


def _tables(report: dict[str, Any]) -> str:
    """Return the section with the tables of a report as `training.evaluate --json` writes it."""
    specs = report["specs"]
    first = specs[0]
    command = [
        f"python -m training.evaluate --checkpoint {report['checkpoint']}",
        *(f"--spec {Path(spec['spec']).name}" for spec in specs),
        f"--seeds {first['seeds']} --json {FIGURES}",
    ]
    drawn = _values(
        seeds=first["seeds"],
        sampler=SAMPLER_NAMES[first["sampler"]],
        steps=first["steps"],
        guidance=f"{first['guidance']:g}",
    )
    page = asset("lesson/lesson_figures.html").replace("__ROWS__", "".join(map(_rows, specs)))
    return page.replace("__DRAWN__", drawn).replace(
        "__COMMAND__", escape("\n    ".join(command)).replace("\n", " &#92;\n")
    )


def _rows(spec: dict[str, Any]) -> str:
    heads = [(f'<th scope="row">{escape(Path(spec["spec"]).name)}</th>', spec)]
    heads += [
        (
            f'<th scope="row" data-text="lesson.objects_{"one" if count == "1" else "many"}"'
            f' data-values="{_values(n=count)}"></th>',
            figures,
        )
        for count, figures in spec["by_object_count"].items()
    ]
    return f"<tbody>{''.join(_row(head, figures) for head, figures in heads)}</tbody>"


def _row(head: str, figures: dict[str, Any]) -> str:
    topk = _number(figures["topk_accuracy"], figures["topk_standard_error"])
    exact = _number(figures["exact_match"], figures["exact_standard_error"])
    return f"<tr>{head}<td>{figures['images']}</td><td>{topk}</td><td>{exact}</td></tr>"


def _number(value: float | None, error: float | None = None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" + (f' <span class="error">± {error:.3f}</span>' if error is not None else "")
