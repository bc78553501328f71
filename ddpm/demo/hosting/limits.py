"""How much one run may ask of the models, so that the others get their turn and the memory holds.

`MAX_WORK` and `MAX_PENDING` are read from the environment variables DDPM_MAX_WORK and DDPM_MAX_PENDING at the start.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from ddpm.labels import brief


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    if value and not (value.isascii() and value.isdecimal() and int(value) > 0):
        print(f"app.py: error: {name} must be a whole number above 0, not {brief(value)}", file=sys.stderr)
        raise SystemExit(2)
    return int(value or default)


MAX_WORK = _number("DDPM_MAX_WORK", 2000)
"""Steps times pictures of one request: the textbook's 1000 steps for two pictures, or 125 steps for sixteen."""

MAX_PENDING = _number("DDPM_MAX_PENDING", 6)
"""Requests that one session, and one address, may have running or waiting."""

MAX_QUEUE = 32
"""Requests that may wait in all, and as many may run: they share the network's forwards."""

MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": MAX_QUEUE}
"""Runs from the page and by program share the network, see `ddpm.pipeline.Pipeline.shared`."""

SHORT_WORK = 60
"""A run of so few steps times pictures starts at once; longer ones share `ROOM`."""

ROOM = 1200
"""Steps times pictures of longer runs that may be under way at the same time; one run alone may be larger."""


PACE, PACE_SHARE = 0.01, 0.3
"""Seconds that a step of one picture is thought to take before any has been measured, and the weight of a new one."""

TOLD_EVERY = 1.0
"""Seconds between two words to somebody who waits."""


class Gone(RuntimeError):
    """The caller of a run has left or has cancelled it."""


class TooMuch(ValueError):
    """A request that asks for more than MAX_WORK."""

    def __init__(self, steps: int, pictures: int) -> None:
        what = f"{pictures} pictures of {steps} steps" if pictures > 1 else f"a run of {steps} steps"
        super().__init__(f"{what} would take too long: steps times pictures must be at most {MAX_WORK}")
        self.values = {"steps": steps, "pictures": pictures, "most": MAX_WORK}


def check_work(steps: int, pictures: int = 1) -> None:
    """Raise TooMuch for a request that asks for more than MAX_WORK."""
    if steps * pictures > MAX_WORK:
        raise TooMuch(steps, pictures)


def answering(work: Callable[..., Any]) -> Callable[..., Any]:
    """Let the caller of an endpoint read what was wrong, and keep it out of the log."""

    @wraps(work)
    def answer(*arguments: Any) -> Any:
        try:
            return work(*arguments)
        except gr.Error:  # a ValueError, too
            raise
        except (ValueError, Gone) as error:
            raise gr.Error(str(error), print_exception=False) from error

    return answer


def leaving(demo: gr.Blocks) -> Callable[[], None]:
    """A check that raises Gone in the thread of an event whose caller is gone; it passes where there is no event."""

    def check() -> None:
        event_id = LocalContext.event_id.get(None)
        if event_id is None:
            return
        event = demo._queue.event_ids_to_events.get(event_id)
        if event is None or not event.alive:
            raise Gone("nobody waits for this run any more")

    return check


@dataclass(frozen=True)
class Wait:
    """Where a waiting run stands: how many are before it, and about how many seconds it still has to wait."""

    ahead: int
    seconds: float


@dataclass(eq=False)
class _Ticket:
    work: int
    entered: float = 0.0  # when, by the monotonic clock


class Room:
    """Lets longer runs in by turns, so that what they hold in memory is bounded."""

    def __init__(self, check: Callable[[], None] | None = None) -> None:
        """check: called while a run waits; what it raises ends the waiting."""
        self.check = check or (lambda: None)
        self._changed = threading.Condition()
        self._waiting: list[_Ticket] = []
        self._inside: list[_Ticket] = []
        self._pace = PACE

    @contextmanager
    def taken(self, work: int) -> Iterator[Iterator[Wait]]:
        """Room for a run of so many steps times pictures, held once what this gives has come to its end.

        Until then that tells about once a second where the run stands; nothing, where there is room at once.
        """
        ticket = _Ticket(work)
        try:
            yield self._wait(ticket) if work > SHORT_WORK else iter(())
        finally:
            with self._changed:
                if ticket in self._inside:
                    self._inside.remove(ticket)
                    self._pace += PACE_SHARE * ((time.monotonic() - ticket.entered) / work - self._pace)
                self._changed.notify_all()

    def _wait(self, ticket: _Ticket) -> Iterator[Wait]:
        with self._changed:
            self._waiting.append(ticket)
        told = time.monotonic()
        try:
            while not self._enter(ticket):
                self.check()
                if time.monotonic() - told > TOLD_EVERY:
                    told = time.monotonic()
                    yield self._standing(ticket)
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _enter(self, ticket: _Ticket) -> bool:
        """Let a run in whose turn it is, where there is room; else wait for a moment."""
        with self._changed:
            used = sum(other.work for other in self._inside)
            if self._waiting[0] is ticket and (not used or used + ticket.work <= ROOM):
                ticket.entered = time.monotonic()
                self._inside.append(ticket)
                return True
            self._changed.wait(0.2)
            return False

    def _standing(self, ticket: _Ticket) -> Wait:
        with self._changed:
            now, before = time.monotonic(), self._waiting[: self._waiting.index(ticket)]
            left = [other.work * self._pace - (now - other.entered) for other in self._inside]
            seconds = sum(max(0.0, rest) for rest in left) + sum(other.work for other in before) * self._pace
            return Wait(len(self._inside) + len(before), seconds)


def bound_heap() -> None:
    """Let freed memory go back to the system soon, and not gather in a heap for each thread; glibc's allocator only."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    for option, value in ((-8, 2), (-3, 2**20), (-1, 2**23)):  # M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
        mallopt(option, value)
