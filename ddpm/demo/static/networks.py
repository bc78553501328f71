"""The bundled networks as ONNX files in half precision, and what the browser has to know of them."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from ddpm import IMAGE_SHAPE, editing, influence
from ddpm.counting import Look
from ddpm.demo.experiments import WALKER
from ddpm.demo.frames import EPS_RANGE, PULL_RANGE, SHOWN
from ddpm.demo.models import Models
from ddpm.demo.picker.settings import SAMPLER_NAMES
from ddpm.demo.verdicts import THRESHOLD
from ddpm.labels import LABELS, MAX_OBJECTS, NUM_LABELS
from ddpm.networks.staged import Staged
from ddpm.schedule import NoiseSchedule
from ddpm.variations import DETERMINISTIC

OPSET = 17
SMALL = 1024
"""Tensors of fewer numbers stay in float32: they weigh nothing."""


def write_networks(models: Models, look: Look, folder: Path) -> dict[str, Any]:
    """Write all networks into a folder, and return what models.json holds.

    models: for each model what it predicts, the name of its schedule, its own settings, and its networks: file, bytes
    and until which share of T each is asked. schedules: alpha_bar (T + 1,) by name. evaluator: its file and bytes.
    The rest are constants of the Python that the scripts follow.
    """
    found: dict[str, Any] = {}
    schedules: dict[str, list[float]] = {}
    for name in models.names:
        pipeline = models.get(name)
        config, network = pipeline.config, pipeline.network
        stages = list(network.stages) if isinstance(network, Staged) else [network]
        until = network.until if isinstance(network, Staged) else [1.0]
        files = [_write(exported(stage), f"{name}-{i}", folder) for i, stage in enumerate(stages)]
        schedule = _name(config.schedule)
        schedules[schedule] = config.schedule.alpha_bar.tolist()
        found[name] = {
            "prediction": config.prediction,
            "schedule": schedule,
            "T": config.schedule.steps,
            "networks": [{**file, "until": share} for file, share in zip(files, until, strict=True)],
        }
    judge = _write(_onnx(look, (torch.zeros(1, *IMAGE_SHAPE),), ["x"]), "evaluator", folder)
    return {
        "own": models.names[0],
        "labels": LABELS,
        "mostLabels": MAX_OBJECTS,
        "samplers": SAMPLER_NAMES,
        "models": found,
        "schedules": schedules,
        "evaluator": judge,
        "threshold": THRESHOLD,
        "walker": WALKER,
        "deterministic": DETERMINISTIC,
        "influence": {"telling": influence.TELLING, "steps": influence.STEPS},
        "editing": {
            "looks": editing.LOOKS,
            "threshold": editing.THRESHOLD,
            "grown": editing.GROWN,
            "exchange": editing.EXCHANGE,
            "new": editing.NEW,
            "exchangeGuidance": editing.EXCHANGE_GUIDANCE,
        },
        "frames": {"most": SHOWN, "eps": EPS_RANGE, "pull": PULL_RANGE},
    }


def exported(network: nn.Module) -> onnx.ModelProto:
    """A network that draws: x, time and labels in, as far as it uses them, and `out` out.

    For one picture: where all shapes are known, nothing is left of the arithmetic that works them out.
    """
    example = (torch.zeros(1, *IMAGE_SHAPE), torch.full((1,), 0.5), torch.zeros(1, NUM_LABELS))
    return _onnx(network, example, ["x", "time", "labels"])


def _onnx(network: nn.Module, example: tuple[torch.Tensor, ...], inputs: Sequence[str]) -> onnx.ModelProto:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of tracing, and of the newer exporter, which needs more packages
        torch.onnx.export(
            network.eval().float(),
            example,
            buffer,  # type: ignore[arg-type]  # a file does too
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=["out"],
        )
    return _halved(onnx.load_from_string(buffer.getvalue()))


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its weights stored in float16, and cast to float32 where they are used, once when it is loaded."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or np.prod(weight.dims) < SMALL:
            continue
        name = weight.name
        half = onnx.numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    return model


def _write(model: onnx.ModelProto, name: str, folder: Path) -> dict[str, Any]:
    """Write it under a name that changes with what is in it, so that browsers may keep it."""
    data = model.SerializeToString()
    file = f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.onnx"
    (folder / file).write_bytes(data)
    return {"file": file, "bytes": len(data)}


def _name(schedule: NoiseSchedule) -> str:
    if schedule.kind == "cosine":
        return f"cosine-{schedule.steps}"
    return f"linear-{schedule.steps}-{schedule.beta_start:g}-{schedule.beta_end:g}"
