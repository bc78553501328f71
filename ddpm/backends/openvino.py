"""OpenVINO on the CPU: the graph is compiled whole, so that each of its small operators costs less."""

from __future__ import annotations

import copy
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


class Compiled(nn.Module):
    """A network as OpenVINO runs it; several threads may call it at once."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        import openvino

        example = (torch.zeros(2, 3, 64, 64), torch.full((2,), 0.5), torch.zeros(2, NUM_LABELS))
        inputs = [[-1, 3, 64, 64], [-1], [-1, NUM_LABELS]]
        # The conversion patches modules while it traces them; runs of the caller's network may be under way
        with torch.no_grad():
            graph = openvino.convert_model(copy.deepcopy(network).float(), example_input=example, input=inputs)
        self._compiled = openvino.Core().compile_model(
            graph,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            },
        )
        self._own = threading.local()

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """Arguments and result are those of the network."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        inputs = [value.detach().float().contiguous().numpy() for value in (x, time, labels)]
        return torch.from_numpy(self._own.request.infer(inputs)[0])  # a copy, which the next call leaves alone
