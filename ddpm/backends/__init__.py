"""How a network is run: eager torch, or a backend that has been shown to give the same, faster.

A backend is `prepare(network, dtype) -> run`, for a network on its device; who calls it does not know which it is.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ddpm import IMAGE_SHAPE, cores
from ddpm.labels import NULL, NUM_LABELS

Run = Callable[..., Tensor]
Prepare = Callable[[nn.Module, torch.dtype], Run]

Inputs = Sequence[Tensor]
Examples = Callable[[int], Sequence[Inputs]]
"""examples(rows): what a network takes, all with so many rows, once or several times."""

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2}
"""Largest difference from eager that the first check lets pass, as a share of eager's largest output."""

ROUNDS = 5  # of both in turn; the quickest counts

log = logging.getLogger(__name__)
_building = threading.Lock()  # one at a time: each takes a core for some seconds, and some hundred megabytes


class BackendError(RuntimeError):
    """A backend that is missing here, does not give what eager gives, or takes longer."""


def denoising(rows: int) -> Sequence[Inputs]:
    """What a denoiser takes, at both ends of time, with labels and without."""
    x = torch.randn(rows, *IMAGE_SHAPE, generator=torch.Generator().manual_seed(0))
    labels = torch.full((rows, NUM_LABELS), float(NULL))
    labels[::2] = torch.eye(NUM_LABELS)[0]
    return [(x, torch.full((rows,), share), labels) for share in (0.05, 0.95)]


class Switching:
    """Runs a network eagerly at first, and with the backend as soon as a thread of its own has built and checked it.

    So nobody waits for a compiler, and where the backend fails, eager stays, with one line in the log.
    A run takes `current()` once and keeps it to its end: within one run all steps are computed in one way.
    examples: what the network takes. paced: rows of the forwards that are timed.
    """

    def __init__(
        self,
        network: nn.Module,
        dtype: torch.dtype,
        name: str,
        prepare: Prepare,
        examples: Examples = denoising,
        paced: Sequence[int] = (2, 8),
    ) -> None:
        self.name = "eager"
        self._network: Run = network
        self._thread = threading.Thread(
            target=self._build,
            args=(network, dtype, name, prepare, examples, paced),
            name=f"{name} backend",
            daemon=True,
        )
        self._thread.start()

    def current(self) -> Run:
        """The fastest way that is ready."""
        return self._network

    def wait(self, timeout: float | None = None) -> str:
        """Wait for the backend to be ready or refused; returns the name of what runs now."""
        self._thread.join(timeout)
        return self.name

    def _build(
        self,
        network: nn.Module,
        dtype: torch.dtype,
        name: str,
        prepare: Prepare,
        examples: Examples,
        paced: Sequence[int],
    ) -> None:
        try:
            with _building:
                run = prepare(network, dtype)
                check(network, run, dtype, examples(2))
                check_pace(network, run, dtype, [examples(rows)[0] for rows in paced])
        except Exception as error:  # whatever a foreign runtime raises, eager still works
            log.warning("%s is not used, eager torch runs the network: %s", name, str(error).partition("\n")[0])
            return
        self._network, self.name = run, name


@torch.no_grad()
def check(network: nn.Module, run: Run, dtype: torch.dtype, examples: Sequence[Inputs]) -> None:
    """Compare a backend with eager. Raises BackendError."""
    eager = _eager(network, dtype)
    for number, inputs in enumerate(_placed(examples, network), start=1):
        wanted = cores.alone(eager, *inputs).float()
        given = run(*inputs)
        if given.shape != wanted.shape:
            raise BackendError(f"it gives shape {tuple(given.shape)}, not {tuple(wanted.shape)}")
        worst = float((given - wanted).abs().max() / wanted.abs().max().clamp_min(1e-6))
        if not worst <= TOLERANCE[dtype]:  # a NaN fails too
            raise BackendError(f"it differs from eager by {worst:.2g} of the largest output, at example {number}")


@torch.no_grad()
def check_pace(network: nn.Module, run: Run, dtype: torch.dtype, examples: Sequence[Inputs]) -> None:
    """Time a backend and eager in turn. Raises BackendError where it is slower with one of these inputs."""
    eager = _eager(network, dtype)
    for inputs in _placed(examples, network):
        best = {eager: math.inf, run: math.inf}
        for _ in range(ROUNDS):
            for way in best:
                best[way] = min(best[way], cores.alone(_seconds, way, inputs))
        if best[run] > best[eager]:
            took, wanted = (f"{1000 * best[way]:.1f}" for way in (run, eager))
            raise BackendError(f"it takes {took} ms for {len(inputs[0])} rows, where eager takes {wanted}")


def _placed(examples: Sequence[Inputs], network: nn.Module) -> list[Inputs]:
    device = next(network.parameters()).device
    return [[value.to(device) for value in inputs] for inputs in examples]


@torch.no_grad()  # here and below, since each thread has its own word on gradients
def _seconds(way: Run, inputs: Inputs) -> float:
    start = time.perf_counter()
    way(*inputs)
    return time.perf_counter() - start


def _eager(network: nn.Module, dtype: torch.dtype) -> Run:
    device = next(network.parameters()).device.type

    @torch.no_grad()
    def forward(*inputs: Tensor) -> Tensor:
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            result: Tensor = network(*inputs)
        return result

    return forward
