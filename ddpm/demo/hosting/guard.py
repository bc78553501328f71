"""What the server takes from one caller, and what it refuses before Gradio sees it."""

from __future__ import annotations

import inspect
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.route_utils import FnIndexInferError
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import is_file_obj_with_meta
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from ddpm.demo.hosting.address import address
from ddpm.demo.hosting.disk import Disk
from ddpm.demo.hosting.limits import MAX_PENDING, MAX_QUEUE
from ddpm.demo.hosting.uncollected import Uncollected
from ddpm.labels import brief

log = logging.getLogger(__name__)

MAX_BODY = 2**20
"""Bytes of a request that is no upload."""

MAX_UPLOAD = 10 * 2**20
"""Bytes of an uploaded file."""

MAX_SESSIONS = 16
"""Visitors whose last values Gradio keeps, megabytes each; nothing of ours needs them."""

_OPEN = re.compile(r"/gradio_api/(queue/join|call/.+|cancel|reset|upload|component_server|mcp(/.*)?)$")
"""What may be posted to; Gradio has other routes, some of which keep files or work past the queue."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def serving(demo: gr.Blocks, routes: list[Route]) -> dict[str, Any]:
    """What `Blocks.launch` takes so that the limits hold; routes: what else is served."""
    middleware = [Middleware(Zipped, minimum_size=1000), Middleware(Guard, demo=demo)]
    return {
        "app_kwargs": {"middleware": middleware, "routes": routes},
        "max_file_size": MAX_UPLOAD,
        "max_threads": 2 * MAX_QUEUE,  # one for each run, and as many for all else
        "state_session_capacity": MAX_SESSIONS,
        "enable_monitoring": False,
    }


class Zipped(GZipMiddleware):
    """Compresses what is served, but for files: they are compressed already, or too large for the processor."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        serve = self.app if "/gradio_api/file=" in scope.get("path", "") else super().__call__
        await serve(scope, receive, send)


class Guard:
    """ASGI middleware that refuses large bodies, and what a caller asks beyond MAX_PENDING requests on the way.

    What is asked for and not collected is forgotten, see `Uncollected`; old files make room for new ones, see `Disk`.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], demo: gr.Blocks) -> None:
        self.app = app
        self.demo = demo
        self.uncollected = Uncollected(demo)
        self.disk = Disk(demo)
        self._asking: Counter[str] = Counter()  # requests that are not in the queue yet, by session and by address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, headers = scope["path"].rstrip("/"), Headers(scope=scope)
        if scope["method"] == "POST" or "/file=" in path:
            await self.disk.make_room()
        if scope["method"] == "POST" and "/gradio_api/" in path and not _OPEN.search(path):
            await _refuse(404, "there is nothing beside the queue: use /gradio_api/call/", scope, receive, send)
            return
        most = MAX_UPLOAD + MAX_BODY if path.endswith("/upload") else MAX_BODY
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            await _refuse(413, f"the request is too large: at most {most:,} bytes are taken", scope, receive, send)
            return
        if scope["method"] == "POST" and ("/queue/join" in path or "/call/" in path):
            body = await _read(receive, most)
            if body is None:
                await _refuse(413, f"the request is too large: at most {most:,} bytes are taken", scope, receive, send)
                return
            asked = _parsed(body)
            event = self._event(path, asked)
            if event is not None and (whole := _completed(event, asked)) is not None:
                asked, body = whole
            receive = _again(body, receive)
            if reason := self._mistake(event, asked):
                await _refuse(422, reason, scope, receive, send)
                return
            if reason := self._too_many(scope, headers, asked):
                await _refuse(429, reason, scope, receive, send)
                return
            callers = {caller for caller in (_session(asked), address(scope, headers)) if caller}
            self._asking.update(callers)
            try:
                await self._answer(scope, receive, send)
            finally:
                self._asking.subtract(callers)
                self._asking += Counter()  # lets go of those that ask no more
                self.uncollected.watch(_session(asked))
            return
        if scope["method"] == "GET":
            if not self.uncollected.is_there(path):
                await _refuse(404, "nothing was asked for under this name lately", scope, receive, send)
                return
            with self.uncollected.listening(path, scope.get("query_string", b"")):
                await self._answer(scope, receive, send)
            return
        if scope["method"] in ("POST", "PUT", "PATCH"):
            receive = _capped(receive, most)
        await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what Gradio cannot make sense of is the caller's mistake, and one line in the log."""
        begun = False

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except ClientDisconnect:
            pass  # in the middle of an upload
        except OSError as error:  # mostly a full disk, beneath an upload
            log.warning("%s: %s", brief(scope["path"]), error)
            if not begun:
                await _refuse(507, f"the server cannot do that: {error.strerror}", scope, receive, send)
        except (LookupError, TypeError, ValueError, AttributeError, FnIndexInferError) as error:
            log.warning("%s: %s: %s", brief(scope["path"]), type(error).__name__, brief(str(error)))
            if not begun:
                unknown = isinstance(error, FnIndexInferError)
                reason = "there is no such endpoint" if unknown else "the request makes no sense to this endpoint"
                await _refuse(404 if unknown else 400, reason, scope, receive, send)

    def _event(self, path: str, asked: dict[str, Any]) -> BlockFunction | None:
        """The event that is asked for."""
        events = self.demo.fns
        if path.endswith("/queue/join"):
            return events.get(_whole(asked.get("fn_index")))
        name = path.rsplit("/call/", 1)[-1].removeprefix("v2/")
        return next((fn for fn in events.values() if fn.api_name == name and fn.api_visibility != "private"), None)

    def _mistake(self, event: BlockFunction | None, asked: dict[str, Any]) -> str | None:
        """What is wrong with the event asked for, where Gradio would print it into the log with all its values."""
        data = asked.get("data")
        if event is None or event.fn is None:
            return "there is no such event"
        if isinstance(data, list) and len(data) < len(event.inputs):
            return f"this event takes {len(event.inputs)} values, not {len(data)}"
        home = get_upload_folder()
        for path in _files(asked):  # an address, too, which Gradio would fetch however large that file is
            if path.startswith(("http://", "https://")) or "\0" in path or not is_in_or_equal(path, home):
                return f"{brief(path)} is no uploaded file"
        return None

    def _too_many(self, scope: Scope, headers: Headers, asked: dict[str, Any]) -> str | None:
        """Why a request has to wait outside, or None where it may come in."""
        queue = self.demo._queue
        if self._pending(scope, headers, asked) >= MAX_PENDING:
            return f"You have {MAX_PENDING} requests on the way already: wait for one of them to end."
        if len(queue) >= MAX_QUEUE:
            times = [times.avg_time for times in queue.process_time_per_fn.values()]
            seconds = round(max(times, default=1.0)) + 1
            return f"{len(queue)} others are waiting: try again in about {seconds} seconds."
        return None

    def _pending(self, scope: Scope, headers: Headers, asked: dict[str, Any]) -> int:
        """How many events the caller has on the way: of this session, or of this address where that tells callers."""
        session, here = _session(asked), address(scope, headers)
        sessions = addresses = 0
        for event in list(self.demo._queue.event_ids_to_events.values()):
            sessions += session is not None and event.session_hash == session
            addresses += here is not None and here == address(event.request.scope, event.request.headers)
        sessions += self._asking[session] if session else 0
        addresses += self._asking[here] if here else 0
        tool = here is None and headers.get("x-gradio-user") == "mcp"  # all callers of tools share one session
        return addresses if tool else max(sessions, addresses)


def _parsed(body: bytes) -> dict[str, Any]:
    """A body's JSON object; empty for anything else, which Gradio refuses."""
    import orjson

    try:
        value = orjson.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _completed(event: BlockFunction, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes] | None:
    """The same with the defaults of the values that are left out at the end, and its body; None where none are."""
    import orjson

    data = asked.get("data")
    if event.fn is None or not isinstance(data, list) or len(data) >= len(event.inputs):
        return None
    missing = [value.default for value in inspect.signature(event.fn).parameters.values()][len(data) :]
    if inspect.Parameter.empty in missing or len(data) + len(missing) != len(event.inputs):
        return None
    whole = {**asked, "data": [*data, *missing]}
    return whole, orjson.dumps(whole)


def _session(asked: dict[str, Any]) -> str | None:
    session = asked.get("session_hash")
    return session if isinstance(session, str) else None


def _files(value: Any) -> Iterator[str]:
    """The paths of all that Gradio would take for files."""
    if is_file_obj_with_meta(value):
        yield str(value["path"])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _files(part)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else -1


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body, or None where it is larger."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Let a body that has been read be read once more, and then what follows it."""
    left = [body]

    async def again() -> MutableMapping[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


def _capped(receive: Receive, most: int) -> Receive:
    """Cut a body off that is larger than it may be; what reads it finds it damaged and refuses it."""
    seen = 0

    async def capped() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            return {"type": "http.disconnect"}
        return message

    return capped


async def _refuse(status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"detail": reason}, status)(scope, receive, send)
