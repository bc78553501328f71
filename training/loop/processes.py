"""The work of a measure or of the renderer, shared by the processes of `torchrun` or `accelerate launch`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from accelerate import PartialState

J = TypeVar("J")
R = TypeVar("R")


@functools.cache
def state() -> PartialState | None:
    """What accelerate knows of the other processes; None where this is the only one."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def is_main() -> bool:
    """Whether this is the process that writes and prints."""
    return state() is None or state().is_main_process  # type: ignore[union-attr]


def device() -> str | None:
    """This process's own GPU; None where there are no others, which leaves the choice to what is loaded."""
    others = state()
    if others is None:
        return None
    return "cpu" if others.device.type == "cpu" else str(others.device)


def local_processes() -> int:
    """How many processes share this machine."""
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))) if state() else 1


def wait() -> None:
    """Let all processes come to here."""
    if state():
        state().wait_for_everyone()  # type: ignore[union-attr]


def map_shared(work: Callable[[Sequence[J]], Sequence[R]], jobs: Sequence[J]) -> list[R]:
    """The results of all jobs, in order and in every process, each process having done its share.

    work: does some jobs in order. A job is done as one process alone would do it, so that the figures are the same.
    """
    others = state()
    if others is None:
        return list(work(jobs))
    from accelerate.utils import gather_object

    rank, world = others.process_index, others.num_processes
    results: list[list[R]] = gather_object([list(work(jobs[rank::world]))])
    return [results[i % world][i // world] for i in range(len(jobs))]
