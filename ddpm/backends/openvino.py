"""OpenVINO on the CPU: the graph is compiled whole, so that each of its small operators costs less."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ddpm import cores
from ddpm.denoiser import Network
from ddpm.labels import NUM_LABELS
from ddpm.networks.staged import Staged


def prepare(network: nn.Module, dtype: torch.dtype) -> Network:
    """Compile a network for this CPU, at any batch size. Raises ImportError, OSError, or what OpenVINO raises."""
    if not isinstance(network, Staged):
        return Compiled(converted([network])[0], dtype)
    shell = copy.copy(network)  # keeps the choice of the stage in one place; the caller's own stages stay as they are
    graphs = converted(list(network.stages))
    shell._modules = {"stages": nn.ModuleList(Compiled(graph, dtype) for graph in graphs)}
    return shell


def converted(networks: list[nn.Module]) -> list[Any]:
    """The networks as graphs of OpenVINO.

    A process of its own makes them of the networks: tracing leaves some hundred megabytes behind, and it patches
    modules, of which runs may be under way.
    """
    openvino = _openvino()
    with tempfile.TemporaryDirectory() as folder:
        torch.save([copy.deepcopy(network).float() for network in networks], Path(folder) / "networks.pt")
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
    openvino = _openvino()
    example = (torch.zeros(2, 3, 64, 64), torch.full((2,), 0.5), torch.zeros(2, NUM_LABELS))
    for i, network in enumerate(torch.load(Path(folder) / "networks.pt", weights_only=False)):  # written by `converted`
        with torch.no_grad():
            graph = openvino.convert_model(network, example_input=example)
        openvino.save_model(graph, Path(folder) / f"{i}.xml", compress_to_fp16=False)


SIZES = (8, 2)
"""Batch sizes that are compiled where that is known to work, the largest first: OpenVINO fuses far more of a graph
whose shapes are all known. On two cores with AMX a batch of 2 takes 9 ms in place of 14, one of 8 25 in place of 41."""


class Compiled(nn.Module):
    """A network as OpenVINO runs it; several threads may call it at once."""

    def __init__(self, graph: Any, dtype: torch.dtype) -> None:
        super().__init__()
        openvino = _openvino()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": cores.count(),
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
        }
        # In float32 a graph of fixed shapes can end the process (OpenVINO 2026.4): -1 leaves the batch open there
        self.sizes = SIZES if dtype == torch.bfloat16 and has_amx() else (-1,)
        core = openvino.Core()
        self._compiled = {}
        for size in self.sizes:
            shapes = ([size, 3, 64, 64], [size], [size, NUM_LABELS])
            graph.reshape(dict(enumerate(map(openvino.PartialShape, shapes))))
            self._compiled[size] = core.compile_model(graph, "CPU", options)
        self._own = threading.local()

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """Arguments and result are those of the network."""
        if not hasattr(self._own, "requests"):
            self._own.requests = {size: graph.create_infer_request() for size, graph in self._compiled.items()}
        outputs, start = [], 0
        for size in pieces(len(x), self.sizes):
            rows = [value[start : start + size].detach().float() for value in (x, time, labels)]
            missing = size - len(rows[0])  # the last piece is filled up; what is added is left out again
            if missing:
                rows = [torch.cat([value, value[:1].expand(missing, *value.shape[1:])]) for value in rows]
            found = self._own.requests[size if size in self._compiled else -1].infer(
                [value.contiguous().numpy() for value in rows]
            )
            outputs.append(torch.from_numpy(found[0])[: size - missing])  # a copy, which the next call leaves alone
            start += size
        return torch.cat(outputs)


def pieces(rows: int, sizes: tuple[int, ...] = SIZES) -> list[int]:
    """How many rows to run at a time: large pieces, and small ones for a rest of up to half a large one."""
    if sizes == (-1,):
        return [rows]
    large, small = sizes
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
