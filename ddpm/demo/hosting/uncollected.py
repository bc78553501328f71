"""Answers that nobody collects: they are forgotten after a while, and the runs that make them end.

A caller asks with one request and listens with another. Gradio keeps what it has to say for whoever never comes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import gradio as gr
from gradio.queueing import Queue

PATIENCE = 30.0
"""Seconds that a caller has to come back and listen."""


class Uncollected:
    """Knows who listens, and forgets the sessions that nobody has listened to for PATIENCE."""

    def __init__(self, demo: gr.Blocks) -> None:
        self._demo = demo
        self._listening: Counter[str] = Counter()
        self._since: dict[str, float] = {}
        self._watch: asyncio.Task[None] | None = None

    @property
    def _queue(self) -> Queue:
        return self._demo._queue  # another one after each `Blocks.queue`

    def is_there(self, path: str) -> bool:
        """Whether an event that is listened to is known: Gradio prints a traceback for another."""
        return "/gradio_api/call/" not in path or self._session(path, b"") in self._queue.pending_messages_per_session

    @contextmanager
    def listening(self, path: str, query: bytes) -> Iterator[None]:
        """While this lasts, somebody listens to what the request asks for, if it asks for answers at all."""
        session = self._session(path, query)
        if session is None:
            yield
            return
        self._listening[session] += 1
        try:
            yield
        finally:
            self._listening[session] -= 1
            if not self._listening[session]:
                del self._listening[session]

    def watch(self, session: str | None) -> None:
        """Begin to count the time of what was asked for just now, by this session if it was named."""
        if session:
            self._since.pop(session, None)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._forget())

    def _session(self, path: str, query: bytes) -> str | None:
        if path.endswith("/queue/data"):
            return parse_qs(query.decode("latin-1")).get("session_hash", [None])[0]
        if "/gradio_api/call/" not in path:
            return None
        name, queue = path.rsplit("/", 1)[-1], self._queue
        if event := queue.event_ids_to_events.get(name):
            return event.session_hash
        events = queue.pending_event_ids_session  # of those, too, that are over and have not been heard
        return next((session for session, ids in list(events.items()) if name in ids), name)

    async def _forget(self) -> None:
        queue = self._queue
        messages, events = queue.pending_messages_per_session, queue.pending_event_ids_session
        while True:
            now = time.monotonic()
            waiting = [
                session
                for session, its in list(messages.items())
                if not self._listening[session] and (not its.empty() or events.get(session))
            ]
            self._since = {session: self._since.get(session, now) for session in waiting}
            for session, since in list(self._since.items()):
                if now - since >= PATIENCE:
                    await queue.clean_events(session_hash=session)  # first: then nothing more is said to it
                    messages.pop(session, None)
                    events.pop(session, None)
                    del self._since[session]
            if not self._since:
                return
            await asyncio.sleep(1)
