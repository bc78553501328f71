"""OpenVINO on the CPU: the graph is compiled whole, so that each of its small operators costs less."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ddpm import IMAGE_SHAPE, cores
from ddpm.backends import Run
from ddpm.labels import NUM_LABELS
from ddpm.networks.staged import Staged

Shapes = Sequence[tuple[int, ...]]
"""Of one row of each of a network's inputs."""

DENOISER: Shapes = (IMAGE_SHAPE, (), (NUM_LABELS,))


def prepare(network: nn.Module, dtype: torch.dtype, rows: int = 2) -> Run:
    """Compile a denoiser for this CPU, at any batch size. Raises ImportError, OSError, or what OpenVINO raises.

    rows: of the forwards that should be quickest, those of one picture: 2 with guidance, 1 without.
    """
    # In float32 a graph of fixed shapes can end the process (OpenVINO 2026.4)
    sizes = SIZES[rows] if dtype == torch.bfloat16 and has_amx() else OPEN
    if not isinstance(network, Staged):
        return Compiled(converted([network], dtype, DENOISER)[0], dtype, DENOISER, sizes)
    shell = copy.copy(network)  # keeps the choice of the stage in one place; the caller's own stages stay as they are
    graphs = converted(list(network.stages), dtype, DENOISER)
    shell._modules = {"stages": nn.ModuleList(Compiled(graph, dtype, DENOISER, sizes) for graph in graphs)}
    return shell


def prepare_judge(network: nn.Module, dtype: torch.dtype) -> Run:
    """Compile a network that takes pictures (N, 3, 64, 64) alone; raises as `prepare` does."""
    (graph,) = converted([network], dtype, [IMAGE_SHAPE])
    return Compiled(graph, dtype, [IMAGE_SHAPE], OPEN)  # without group norms, it is as fast


def converted(networks: list[nn.Module], dtype: torch.dtype, shapes: Shapes) -> list[Any]:
    """The networks as graphs of OpenVINO, their weights in float16 where bfloat16 will take their place.

    A process of its own makes them of the networks: tracing leaves some hundred megabytes behind, and it patches
    modules, of which runs may be under way.
    """
    openvino = _openvino()
    with tempfile.TemporaryDirectory() as folder:
        plain = [copy.deepcopy(network).float() for network in networks]
        short = dtype == torch.bfloat16
        torch.save({"networks": plain, "shapes": list(shapes), "short": short}, Path(folder) / "networks.pt")
        code = "import sys; from ddpm.backends.openvino import convert; convert(sys.argv[1])"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run([sys.executable, "-c", code, folder], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"the conversion failed: {(done.stderr.strip() or str(done.returncode)).splitlines()[-1]}")
        core = openvino.Core()
        core.set_property({"ENABLE_MMAP": False})  # the files go
        return [core.read_model(Path(folder) / f"{i}.xml") for i in range(len(networks))]


def convert(folder: str) -> None:
    """Turn the networks in networks.pt into graphs, 0.xml and so on."""
    import ddpm._torchvision  # noqa: F401  # whose networks are among them

    openvino = _openvino()
    order = torch.load(Path(folder) / "networks.pt", weights_only=False)  # written by `converted`
    example = tuple(torch.zeros(2, *shape) for shape in order["shapes"])
    for i, network in enumerate(order["networks"]):
        with torch.no_grad():
            graph = openvino.convert_model(network, example_input=example)
        openvino.save_model(graph, Path(folder) / f"{i}.xml", compress_to_fp16=order["short"])


OPEN = (-1,)
"""The batch size is left open."""

SIZES = {2: (8, 2), 1: (1,)}
"""Batch sizes that are compiled, the largest first, by the rows of one picture; where that is known to work: OpenVINO
fuses far more of a graph whose shapes are all known. On two cores with AMX a batch of 1, 2, 4, 8 and 16 takes 3.2, 4.5,
7.0, 11.6 and 22.4 ms. Each size takes 35 MB for each stage, so that a model without guidance has but one."""


class Compiled(nn.Module):
    """A network as OpenVINO runs it; several threads may call it at once."""

    def __init__(self, graph: Any, dtype: torch.dtype, shapes: Shapes, sizes: tuple[int, ...]) -> None:
        super().__init__()
        openvino = _openvino()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": cores.count(),
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
        }
        self.sizes = sizes
        core, self._tensor = openvino.Core(), openvino.Tensor
        self._compiled = {}
        for size in sizes:
            graph.reshape({i: openvino.PartialShape([size, *shape]) for i, shape in enumerate(shapes)})
            self._compiled[size] = core.compile_model(graph, "CPU", options)
        self._own = threading.local()

    def forward(self, *inputs: Tensor) -> Tensor:
        """Inputs and result are those of the network."""
        if not hasattr(self._own, "requests"):
            self._own.requests = {size: graph.create_infer_request() for size, graph in self._compiled.items()}
        outputs, start = [], 0
        for size in pieces(len(inputs[0]), self.sizes):
            rows = [value[start : start + size].detach().float() for value in inputs]
            missing = size - len(rows[0])  # the last piece is filled up; what is added is left out again
            if missing:
                rows = [torch.cat([value, value[:1].expand(missing, *value.shape[1:])]) for value in rows]
            request = self._own.requests[size if size in self._compiled else -1]
            held = [value.contiguous().numpy() for value in rows]  # until the end of `infer`, which reads their memory
            for i, value in enumerate(held):  # by itself `infer` takes a tenth of a millisecond for each input
                request.set_input_tensor(i, self._tensor(value, shared_memory=True))
            request.infer()
            outputs.append(torch.from_numpy(request.get_output_tensor(0).data)[: size - missing].clone())
            start += size
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]


def pieces(rows: int, sizes: tuple[int, ...]) -> list[int]:
    """How many rows to run at a time: large pieces, and small ones for a rest of up to half a large one."""
    if sizes == OPEN:
        return [rows]
    large, small = sizes[0], sizes[-1]
    whole, rest = divmod(rows, large)
    return [large] * whole + ([large] if 2 * rest > large else [small] * -(-rest // small))


def _openvino() -> Any:
    # It reports its use to Google Analytics by way of this package, and goes without where that is missing
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def has_amx() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 as such (Intel AMX)."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("amx_bf16"))
