"""One network for many runs at once: calls that wait at the same time share a forward.

Iteration-level scheduling, as language model servers do it (Yu et al. 2022, "Orca", section 3.1): after every forward
the next batch is made anew from whatever waits, so that a short run never waits for a long one to end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ddpm import cores

GRACE = 0.004
"""Seconds that a batch waits for small calls where a large one could fill it alone: less than a tenth of a forward."""

Run = Callable[[Tensor, Tensor, Tensor], Tensor]
"""run(x (N, 3, 64, 64), time (N,), labels (N, 24)) -> (N, 3, 64, 64)"""


@dataclass(eq=False)
class _Call:
    """What one thread waits for; rows are handed out and come back in order."""

    inputs: tuple[Tensor, Tensor, Tensor]
    kind: object
    taken: int = 0  # rows in a forward or past it
    outputs: list[Tensor] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def rows(self) -> int:
        return len(self.inputs[0])

    @property
    def done(self) -> bool:
        return self.error is not None or sum(map(len, self.outputs)) == self.rows


class Batcher:
    """Calls `run` for several threads together, one forward at a time.

    A call blocks until its rows are computed. `run` is always called in the thread of `ddpm.cores`, with autograd
    off: its memory and its team of cores are there once, not for every caller. rows: the most rows of one forward; a
    larger call takes several, and shares each of them evenly with the other calls. kind: of a call's time; only calls
    of one kind share a forward, such as those that one of several networks computes. An error of `run` is raised in
    each call that had rows in that forward.
    """

    def __init__(self, run: Run, rows: int = 32, kind: Callable[[Tensor], object] = lambda time: None) -> None:
        if rows < 1:
            raise ValueError(f"rows must be at least 1, not {rows}")
        self.run = run
        self.rows = rows
        self.kind = kind
        self._calls: list[_Call] = []  # those with rows that no forward has taken, the one to be served first in front
        self._running = False
        self._changed = threading.Condition()

    def __call__(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """Compute run(x, time, labels): x (N, 3, 64, 64), time (N,), labels (N, 24); returns like x."""
        if cores.inside():  # where all forwards are computed: to wait for one would be for ever
            parts = zip(*(value.split(self.rows) for value in (x, time, labels)), strict=True)
            return torch.cat([self._compute(*part) for part in parts])
        call = _Call((x, time, labels), self.kind(time))
        with self._changed:
            self._calls.append(call)
            while not call.done:
                if self._running:
                    self._changed.wait()
                else:
                    self._serve()
        if call.error is not None:
            raise call.error
        return torch.cat(call.outputs) if len(call.outputs) > 1 else call.outputs[0]

    def _serve(self) -> None:
        """Run one batch. The lock is held on entry and on return, but not while the network runs."""
        self._running = True
        if any(call.rows > self.rows for call in self._calls):  # the small calls of the last batch may be back soon
            self._changed.wait(GRACE)
        parts = self._take()
        self._changed.release()
        error: BaseException | None = None
        outputs: tuple[Tensor, ...] = ()
        try:
            batch = [torch.cat(column) for column in zip(*(_rows(*part) for part in parts), strict=True)]
            outputs = cores.alone(self._compute, *batch).split([end - start for _, start, end in parts])
        except BaseException as raised:  # also KeyboardInterrupt: the others must not wait for ever
            error = raised
        finally:
            self._changed.acquire()
            self._running = False
            for i, (call, _, _) in enumerate(parts):
                if error is None:
                    call.outputs.append(outputs[i])
                else:
                    call.error = error
                    if call in self._calls:
                        self._calls.remove(call)
            self._changed.notify_all()

    @torch.no_grad()
    def _compute(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        return self.run(x, time, labels)

    def _take(self) -> list[tuple[_Call, int, int]]:
        """Choose the rows of the next forward: an even share for each call that waits, and what is left in order.

        The first call's kind is served.
        """
        free = self.rows
        alike = [call for call in self._calls if call.kind == self._calls[0].kind]
        ends = {call: call.taken for call in alike[: self.rows]}
        while free:
            hungry = [call for call, end in ends.items() if end < call.rows]
            if not hungry:
                break
            for call in hungry[:free]:
                share = min(call.rows - ends[call], max(1, free // len(hungry)))
                ends[call] += share
            free = self.rows - sum(end - call.taken for call, end in ends.items())
        parts = [(call, call.taken, end) for call, end in ends.items() if end > call.taken]
        for call, _, end in parts:
            call.taken = end
            self._calls.remove(call)
            if call.taken < call.rows:
                self._calls.append(call)
        return parts


def _rows(call: _Call, start: int, end: int) -> tuple[Tensor, Tensor, Tensor]:
    x, time, labels = call.inputs
    return x[start:end], time[start:end], labels[start:end]
