"""OpenVINO on the CPU: the graph is compiled whole, so that each of its small operators costs less."""

from __future__ import annotations

import copy
import sys
import threading

import torch
from torch import Tensor, nn

from ddpm.denoiser import Network
from ddpm.labels import NUM_LABELS
from ddpm.networks.staged import Staged


def prepare(network: nn.Module, dtype: torch.dtype) -> Network:
    """Compile a network for this CPU, at any batch size. Raises ImportError, or what OpenVINO raises."""
    if not isinstance(network, Staged):
        return Compiled(network, dtype)
    shell = copy.copy(network)  # keeps the choice of the stage in one place; the caller's own stages stay as they are
    shell._modules = {"stages": nn.ModuleList(Compiled(stage, dtype) for stage in network.stages)}
    return shell


SIZES = (8, 2)
"""Batch sizes that are compiled where that is known to work, the largest first: OpenVINO fuses far more of a graph
whose shapes are all known. On two cores with AMX a batch of 2 takes 9 ms in place of 14, one of 8 25 in place of 41."""


class Compiled(nn.Module):
    """A network as OpenVINO runs it; several threads may call it at once."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        # OpenVINO reports its use to Google Analytics by way of this package, and goes without where it is missing
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        import openvino

        example = (torch.zeros(2, 3, 64, 64), torch.full((2,), 0.5), torch.zeros(2, NUM_LABELS))
        # The conversion patches modules while it traces them; runs of the caller's network may be under way
        with torch.no_grad():
            graph = openvino.convert_model(copy.deepcopy(network).float(), example_input=example)
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
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


def has_amx() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 as such (Intel AMX)."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("amx_bf16"))
