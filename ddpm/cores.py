"""All heavy work of a process in one thread, to which all cores can be given.

torch computes in teams, one for each thread that calls it. GNU OpenMP lets their members wait awake for the next piece
of work while there are no more of them than cores (its manual, GOMP_SPINCOUNT). With a second team they sleep, and each
of the hundreds of pieces of a forward begins by waking somebody: 15 ms in place of 9.5, for one picture on two cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")

_NAME = "cores"
_thread = ThreadPoolExecutor(1, thread_name_prefix=_NAME)


def alone(work: Callable[..., T], *arguments: object) -> T:
    """Do `work` in that thread, when what others have asked for is done; returns or raises what it does.

    It must not wait for another thread's work.
    """
    if inside():
        return work(*arguments)
    return _thread.submit(work, *arguments).result()


def inside() -> bool:
    """Whether this is that thread."""
    return threading.current_thread().name.startswith(_NAME)


def gather() -> None:
    """Give that thread all the cores that torch uses now, and every other thread one.

    For a program that serves many from many threads; a notebook, which calls the network itself, would become slow.
    """
    alone(_take, max(count(), torch.get_num_threads()))
    torch.set_num_threads(1)  # of this thread, and of those that have not met torch yet


def count() -> int:
    """How many cores that thread has."""
    return alone(torch.get_num_threads)


def _take(cores: int) -> None:
    torch.get_num_threads()  # the first call in a thread sets it to what holds for all
    torch.set_num_threads(cores)


def _renew() -> None:
    global _thread
    _thread = ThreadPoolExecutor(1, thread_name_prefix=_NAME)


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_renew)
