"""The page under load and abuse, on loopback: `make soak` runs all of it and fills in docs/RELIABILITY.md.

Starts app.py as people do, and is its visitors: HTTP clients of the endpoints. `--seconds` is how long each number of
clients draws.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
LABELS = ["red cube", "cyan sphere", "yellow cylinder", "gray cube", "blue sphere"]
TIMEOUT = 600.0


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(log: Path, **environment: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve the page from a process of its own; yields its address and the process."""
    port = free_port()
    env = {**os.environ, "PORT": str(port), **environment}
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env, stdout=out, stderr=out)
        try:
            for _ in range(600):
                if process.poll() is not None:
                    raise RuntimeError(f"the page did not start: {log.read_text()}")
                try:
                    httpx.get(f"{address}/config", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield address, process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def memory(process: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


async def call(client: httpx.AsyncClient, name: str, data: list[Any], session: str | None = None) -> Any:
    """Call an endpoint and wait for its answer. Raises RuntimeError with the server's words where it refuses."""
    body: dict[str, Any] = {"data": data} | ({"session_hash": session} if session else {})
    reply = await client.post(f"/gradio_api/call/{name}", json=body)
    if reply.status_code != 200:
        raise RuntimeError(reply.text)
    event = reply.json()["event_id"]
    async with client.stream("GET", f"/gradio_api/call/{name}/{event}") as stream:
        kind = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: ") and kind in ("complete", "error"):
                if kind == "error":
                    raise RuntimeError(line[6:])
                return json.loads(line[6:])
    raise RuntimeError("the stream ended without an answer")


async def visitors(address: str, count: int, seconds: float, steps: int = 25) -> dict[str, float]:
    """So many clients draw one picture after another: pictures a second, and how long one waits for its picture."""
    waits: list[float] = []
    pages: list[float] = []
    end = time.monotonic() + seconds
    dice = random.Random(0)

    async def visitor() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
            while time.monotonic() < end:
                start = time.monotonic()
                await call(client, "generate", [dice.sample(LABELS, 2), dice.randrange(2**31), None, steps, None])
                waits.append(time.monotonic() - start)

    async def reader() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
            while time.monotonic() < end:
                start = time.monotonic()
                await client.get("/")
                pages.append(time.monotonic() - start)
                await asyncio.sleep(1)

    start = time.monotonic()
    await asyncio.gather(*(visitor() for _ in range(count)), reader())
    elapsed = time.monotonic() - start
    ordered = sorted(waits)
    return {
        "clients": count,
        "pictures per second": round(len(waits) / elapsed, 2),
        "wait, median (s)": round(statistics.median(waits), 2),
        "wait, 95 % (s)": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "page, 95 % (s)": round(sorted(pages)[int(0.95 * (len(pages) - 1))], 2),
    }


def measured(work: Awaitable[Any] | Callable[[], Any]) -> Any:
    """Run a coroutine."""
    return asyncio.run(work)  # type: ignore[arg-type]


def main(arguments: list[str] | None = None) -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long each number of clients draws")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 8, 16])
    args = parser.parse_args(arguments)
    log = ROOT / "runs" / "soak.log"
    log.parent.mkdir(exist_ok=True)
    with served(log) as (address, process):
        print("memory at start", round(memory(process)))
        for count in args.clients:
            print(measured(visitors(address, count, args.seconds)), "memory", round(memory(process)), flush=True)


if __name__ == "__main__":
    main()
