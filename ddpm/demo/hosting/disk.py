"""Room on the disk: uploads and downloads stay for an hour (`delete_cache`), and of them the newest alone."""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress

import gradio as gr
from starlette.concurrency import run_in_threadpool

MAX_KEPT = 2 * 2**30
"""Bytes of uploads and downloads together."""

OVERHEAD = 2 * 4096
"""Bytes that a file takes beside its own, with a folder for each."""

PAUSE = 5.0
"""Seconds between two looks at them."""


class Disk:
    """The files that Gradio keeps for a page."""

    def __init__(self, demo: gr.Blocks) -> None:
        self._demo = demo
        self._last = -math.inf

    async def make_room(self) -> None:
        """Remove the oldest files until the others take at most MAX_KEPT; nothing within PAUSE of the last time."""
        now = time.monotonic()
        if now - self._last >= PAUSE:
            self._last = now
            await run_in_threadpool(self._remove_oldest)

    def _remove_oldest(self) -> None:
        found = []  # when, how large, where
        for file in {file for known in list(self._demo.temp_file_sets) for file in list(known)}:  # some are in two
            with suppress(OSError):  # it may be cleared away
                about = os.stat(file)
                found.append((about.st_mtime_ns, about.st_size + OVERHEAD, file))
        found.sort()
        total = sum(size for _, size, _ in found)
        for when, size, file in found[:-1]:  # the newest stays, however large
            if total <= MAX_KEPT:
                break
            with suppress(OSError):  # as on Windows, while somebody reads it
                if os.stat(file).st_mtime_ns == when:  # nobody has asked for it again meanwhile
                    os.remove(file)
                    total -= size
