"""How a network is run: eager torch, or a backend that has shown to give what eager gives, and sooner.

A backend is `prepare(network, dtype) -> Network`, for a network on its device; the denoiser does not know which.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ddpm import cores
from ddpm.denoiser import Network
from ddpm.labels import NULL, NUM_LABELS

Prepare = Callable[[nn.Module, torch.dtype], Network]

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2}
"""Largest difference from eager that the first check lets pass, as a share of eager's largest output."""

PACED = 1, 4
"""Pictures of the forwards that are timed: a step of one, and of several runs at once."""

ROUNDS = 5  # of both in turn; the quickest counts

log = logging.getLogger(__name__)


class BackendError(RuntimeError):
    """A backend that is missing here, does not give what eager gives, or takes longer."""


class Switching:
    """Runs a network eagerly at first, and with the backend as soon as a thread of its own has built and checked it.

    So nobody waits for a compiler, and where the backend fails, eager stays, with one line in the log.
    A run takes `current()` once and keeps it to its end: within one run all steps are computed in one way.
    rows: of a forward for one picture, 2 with guidance.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype, name: str, prepare: Prepare, rows: int = 2) -> None:
        self.name = "eager"
        self._network: Network = network
        self._thread = threading.Thread(
            target=self._build, args=(network, dtype, name, prepare, rows), name=f"{name} backend", daemon=True
        )
        self._thread.start()

    def current(self) -> Network:
        """The fastest way that is ready."""
        return self._network

    def wait(self, timeout: float | None = None) -> str:
        """Wait for the backend to be ready or refused; returns the name of what runs now."""
        self._thread.join(timeout)
        return self.name

    def _build(self, network: nn.Module, dtype: torch.dtype, name: str, prepare: Prepare, rows: int) -> None:
        try:
            run = prepare(network, dtype)
            check(network, run, dtype)
            check_pace(network, run, dtype, [rows * pictures for pictures in PACED])
        except Exception as error:  # whatever a foreign runtime raises, eager still works
            log.warning("%s is not used, eager torch runs the network: %s", name, str(error).partition("\n")[0])
            return
        self._network, self.name = run, name


@torch.no_grad()
def check(network: nn.Module, run: Network, dtype: torch.dtype) -> None:
    """Compare a backend with eager at both ends of time, with labels and without. Raises BackendError."""
    parameter = next(network.parameters())
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 64, 64, generator=generator).to(parameter.device)
    labels = torch.stack([torch.eye(NUM_LABELS)[0], torch.full((NUM_LABELS,), float(NULL))]).to(parameter.device)
    for share in (0.05, 0.95):
        at = torch.full((2,), share, device=parameter.device)
        wanted = cores.alone(_eager(network, dtype), x, at, labels).float()
        given = run(x, at, labels)
        if given.shape != wanted.shape:
            raise BackendError(f"it gives shape {tuple(given.shape)}, not {tuple(wanted.shape)}")
        worst = float((given - wanted).abs().max() / wanted.abs().max().clamp_min(1e-6))
        if not worst <= TOLERANCE[dtype]:  # a NaN fails too
            raise BackendError(f"it differs from eager by {worst:.2g} of the largest output at t / T = {share}")


@torch.no_grad()
def check_pace(network: nn.Module, run: Network, dtype: torch.dtype, paced: Sequence[int]) -> None:
    """Time a backend and eager in turn. Raises BackendError where it is slower with one of these numbers of rows."""
    eager, device = _eager(network, dtype), next(network.parameters()).device
    for rows in paced:
        inputs = [value.to(device) for value in (torch.zeros(rows, 3, 64, 64), torch.full((rows,), 0.5))]
        inputs.append(torch.zeros(rows, NUM_LABELS, device=device))
        best = {eager: math.inf, run: math.inf}
        for _ in range(ROUNDS):
            for way in best:
                best[way] = min(best[way], cores.alone(_seconds, way, inputs))
        if best[run] > best[eager]:
            took, wanted = (f"{1000 * best[way]:.1f}" for way in (run, eager))
            raise BackendError(f"it takes {took} ms for {rows} rows, where eager takes {wanted}")


@torch.no_grad()  # here and below, since each thread has its own word on gradients
def _seconds(way: Network, inputs: Sequence[Tensor]) -> float:
    start = time.perf_counter()
    way(*inputs)
    return time.perf_counter() - start


def _eager(network: nn.Module, dtype: torch.dtype) -> Network:
    device = next(network.parameters()).device.type

    @torch.no_grad()
    def forward(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            result: Tensor = network(x, time, labels)
        return result

    return forward
