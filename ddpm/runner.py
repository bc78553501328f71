"""How a model's network is run: eagerly or by a faster backend, by each run alone or by several together."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from ddpm.backends import Switching, openvino
from ddpm.batching import Batcher
from ddpm.denoiser import Network
from ddpm.networks.staged import Staged


@dataclass
class _Way:
    """How a network is run, by all runners on it: eagerly, or as the backend says."""

    backend: Switching | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Runner:
    """A network with the device and the precision that it works in."""

    def __init__(self, network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        self._network, self._device, self._dtype = network, device, dtype
        self._way = _Way()
        self._batcher: Batcher | None = None
        self._before: Callable[[], None] = _nothing

    def accelerate(self, rows: int) -> Switching | None:
        """See `ddpm.pipeline.Pipeline.accelerate`. rows: those of a step of one picture."""
        with self._way.lock:
            if self._way.backend is None and self._device.type == "cpu":
                prepare = partial(openvino.prepare, rows=rows)
                paced = rows, 4 * rows  # a step of one picture, and of several runs at once
                self._way.backend = Switching(self._network, self._dtype, "OpenVINO", prepare, paced=paced)
            return self._way.backend

    @property
    def accelerated(self) -> bool:
        """Whether `accelerate` was called, on this runner or one that shares its network."""
        return self._way.backend is not None

    def shared(self, before: Callable[[], None] | None, rows: int | None) -> Runner:
        """One whose runs in several threads share forwards, see `ddpm.pipeline.Pipeline.shared`."""
        other = copy.copy(self)
        other._before = before or _nothing

        def run(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
            with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
                return self._fastest()(x, time, labels)

        def stage(time: Tensor) -> int:  # a run's rows are all at one timestep
            return self._network.asked(time[:1])[0] if isinstance(self._network, Staged) else 0

        other._batcher = Batcher(run, rows or (8 if self._device.type == "cpu" else 64), stage)
        return other

    def ask(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """Run the network in the way that is fastest now; arguments and result as `ddpm.denoiser.Network` has them."""
        self._before()
        run = self._fastest() if self._batcher is None else self._batcher
        return run(x, time, labels)

    def for_one_run(self) -> Network:
        """What the steps of one run call.

        Alone, a run computes all of them in one way; shared forwards are run by whatever is fastest meanwhile.
        """
        return self._fastest() if self._batcher is None else self.ask

    def _fastest(self) -> Network:
        return self._network if self._way.backend is None else self._way.backend.current()


def _nothing() -> None:
    pass
