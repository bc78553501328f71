"""The page under load and abuse, on loopback: `make soak` runs all of it (docs/RELIABILITY.md).

Starts app.py as people do, and is its visitors: HTTP clients of the endpoints. `--seconds` is how long each number of
clients draws; the largest number draws twice as long.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import pickle
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

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
                    raise RuntimeError(f"the page did not start: {log.read_text(encoding='utf-8')}")
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


def memory(process: subprocess.Popen[bytes], which: str = "VmRSS") -> float:
    """Resident memory of a process in MB; which: "VmHWM" for its peak so far."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith(which)).split()[1]) / 1024


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


async def visitors(
    address: str, process: subprocess.Popen[bytes], count: int, seconds: float, steps: int = 25
) -> dict[str, float]:
    """So many clients draw one picture after another: pictures a second, how long one waits for its picture, memory."""
    waits: list[float] = []
    held: list[float] = []
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
                held.append(memory(process))
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
        "memory after a minute (MB)": round(held[min(len(held) - 1, 60)]),
        "memory at the end (MB)": round(held[-1]),
    }


async def short_behind_long(address: str) -> dict[str, float]:
    """How long a picture of 25 steps takes while others draw 1000 steps, and a gallery."""
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        found = {}
        for name, work in (
            ("behind 1000 steps (s)", ("generate", [["red cube"], 1, "ddpm", 1000, None])),
            ("behind a gallery (s)", ("gallery", [["red cube"], 1, 16, None, 100, None])),
        ):
            long = asyncio.create_task(call(client, *work))
            await asyncio.sleep(2)
            start = time.monotonic()
            await call(client, "generate", [["cyan sphere"], random.randrange(2**31), None, 25, None])
            found[name] = round(time.monotonic() - start, 2)
            long.cancel()
            await asyncio.sleep(1)
    return found


async def leaving(address: str, process: subprocess.Popen[bytes]) -> dict[str, float]:
    """How long the server goes on computing after the caller of a run of 1000 steps has gone, in each way of going."""
    found = {}
    for way in ("disconnects", "cancels"):
        async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
            session = f"leaving-{way}"
            endpoints = (await client.get("/config")).json()["dependencies"]
            generate = next(fn["id"] for fn in endpoints if fn["api_name"] == "generate")
            body = {"data": [["red cube"], random.randrange(2**31), "ddpm", 1000, None], "session_hash": session}
            event = (await client.post("/gradio_api/call/generate", json=body)).json()["event_id"]

            async def listen(client: httpx.AsyncClient = client, event: str = event) -> None:
                async with client.stream("GET", f"/gradio_api/call/generate/{event}") as stream:
                    async for _ in stream.aiter_lines():
                        pass

            listener = asyncio.create_task(listen())
            await asyncio.sleep(3)
            if way == "cancels":
                gone = {"session_hash": session, "event_id": event, "fn_index": generate}
                await client.post("/gradio_api/cancel", json=gone)
            listener.cancel()
            found[f"computing after the caller {way} (s)"] = await asyncio.to_thread(idle_after, process)
    return found


def idle_after(process: subprocess.Popen[bytes], most: float = 30.0) -> float:
    """Seconds until a process uses less than a fifth of a core over half a second."""
    start = time.monotonic()
    while time.monotonic() - start < most:
        before, at = cpu_seconds(process), time.monotonic()
        time.sleep(0.5)
        if cpu_seconds(process) - before < 0.1:
            return round(at - start, 1)
    return most


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def lockout(address: str) -> dict[str, Any]:
    """One session asks forty times at once; what it hears, and how long another visitor waits meanwhile."""
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        endpoints = (await client.get("/config")).json()["dependencies"]
        gallery = next(fn["id"] for fn in endpoints if fn["api_name"] == "gallery")
        body = {"data": [["red cube"], 1, 16, None, 100, None], "session_hash": "greedy"}
        replies = [await client.post("/gradio_api/call/gallery", json=body) for _ in range(40)]
        refused = [reply for reply in replies if reply.status_code == 429]
        start = time.monotonic()
        await call(client, "generate", [["cyan sphere"], 5, None, 25, None])
        wait = time.monotonic() - start
        for reply in replies:
            if reply.status_code == 200:
                gone = {"session_hash": "greedy", "event_id": reply.json()["event_id"], "fn_index": gallery}
                await client.post("/gradio_api/cancel", json=gone)
    return {
        "of 40 requests of one session taken": len(replies) - len(refused),
        "the others hear": refused[0].json()["detail"],
        "another visitor's picture (s)": round(wait, 2),
    }


async def sessions(address: str, process: subprocess.Popen[bytes], count: int, steps: int = 25) -> dict[str, float]:
    """So many visits in a row, each with a run as the page asks for it: memory on the way."""
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        seen = []
        for i in range(count):
            body = {"data": [["red cube"], i, "dpm++", steps, 1.0]}
            joined = await client.post("/gradio_api/call/page_draw", json=body)
            joined.raise_for_status()
            async with client.stream("GET", f"/gradio_api/call/page_draw/{joined.json()['event_id']}") as stream:
                async for line in stream.aiter_lines():
                    if line == "event: complete":
                        break
            seen.append(memory(process))
    early = seen[min(len(seen) - 1, 60)]
    return {"sessions": count, "memory after 60 (MB)": round(early), "at the end (MB)": round(seen[-1])}


async def hostile(address: str, log: Path) -> dict[str, Any]:
    """Requests that want more than they may have: what each of them gets."""
    secret = Path(ROOT / "checkpoints" / "default" / "config.json")
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        join = {"data": [[f"{'x' * 900_000}"], 0, None, None, None], "session_hash": "fuzz"}
        posts = {
            "past the queue": ("/gradio_api/run/generate", {"data": [["red cube"], 0, None, 25, None]}),
            "past the queue, api": ("/gradio_api/api/generate", {"data": [["red cube"], 0, None, 25, None]}),
            "a file of the server": ("/gradio_api/call/evaluate", {"data": [file]}),
            "a long label": ("/gradio_api/call/generate", join),
            "too much work": ("/gradio_api/call/gallery", {"data": [["red cube"], 0, 16, None, 1000, None]}),
        }
        found: dict[str, Any] = {}
        for name, (path, body) in posts.items():
            reply = await client.post(path, json=body)
            found[name] = reply.status_code
            if reply.status_code == 200:
                async with client.stream("GET", f"{path}/{reply.json()['event_id']}") as stream:
                    found[name] = [line async for line in stream.aiter_lines()][-2][:160]
            elif len(reply.content) > 2000:
                found[name] = f"{reply.status_code} with {len(reply.content)} bytes"
        reply = await client.post("/gradio_api/queue/join", content=b"[" + b"1," * 600_000 + b"1]")
        found["a body of 1.2 MB"] = reply.status_code
        upload = {"files": ("large.png", bytes(11 * 2**20), "image/png")}
        found["an upload of 11 MB"] = (await client.post("/gradio_api/upload", files=upload)).status_code
    text = log.read_text(encoding="utf-8", errors="replace")
    found["tracebacks in the log"] = text.count("Traceback")
    found["longest line of the log"] = max(map(len, text.splitlines()))
    return found


def hostile_pictures() -> dict[str, bytes]:
    """Files that are no pictures, or more of one than they say, by what they are."""

    def png(side: int) -> bytes:
        file = io.BytesIO()
        Image.new("L", (side, side)).save(file, "PNG")
        return file.getvalue()

    frames = io.BytesIO()
    Image.new("L", (64, 64)).save(frames, "GIF", save_all=True, append_images=[Image.new("L", (64, 64), 9)] * 300)
    small = png(64)
    return {
        "empty": b"",
        "text": b"red cube",
        "markup": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "pickle": pickle.dumps({"model": [1]}),
        "cut": small[: len(small) // 2],
        "header alone": small[:33],
        "wide header": small[:16] + (2**31 - 1).to_bytes(4, "big") * 2 + small[24:],
        "a pixel": png(1),
        "25 megapixels": png(5000),
        "400 megapixels": png(20_000),
        "300 frames": frames.getvalue(),
        "noise": random.Random(0).randbytes(100_000),
    }


async def pictures(address: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the evaluator says to each hostile picture, and what they cost in memory."""
    before, answers = memory(process), {}
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        for name, data in hostile_pictures().items():
            sent = await client.post("/gradio_api/upload", files={"files": ("a.png", data)})
            if sent.status_code != 200:
                answers[name] = str(sent.status_code)
                continue
            file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
            try:
                await call(client, "evaluate", [file])
                answers[name] = "judged"
            except RuntimeError as error:
                said = re.search(r'"message":"([^"]*)"', str(error))
                answers[name] = said.group(1) if said else str(error)[:120]
    return {**answers, "memory more (MB)": round(memory(process) - before)}


def kills(log: Path, times: int = 3) -> dict[str, Any]:
    """Kill the page in the middle of a run, and start it anew: what its next visitor gets."""
    drawn = 0
    for _ in range(times):
        with served(log) as (address, process):
            body = {"data": [["red cube"], 1, "ddpm", 1000, None]}
            httpx.post(f"{address}/gradio_api/call/generate", json=body, timeout=TIMEOUT).raise_for_status()
            time.sleep(1)
            process.kill()
            process.wait(20)
        with served(log) as (address, _):
            drawn += asyncio.run(_one(address))
    return {"killed": times, "pictures after a new start": drawn}


async def _one(address: str) -> int:
    async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
        await call(client, "generate", [["red cube"], 1, None, 2, None])
    return 1


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long each number of clients draws")
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 8, 16])
    parser.add_argument("--sessions", type=int, default=500, help="sessions in a row")
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args(arguments)
    log = ROOT / "runs" / "soak.log"
    log.parent.mkdir(exist_ok=True)
    report: dict[str, Any] = {}

    def note(name: str, value: Any) -> None:
        report[name] = value
        print(f"{name}: {value}", flush=True)
        if args.json:
            args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

    with served(log) as (address, process):
        time.sleep(20)  # until a faster backend is built
        note("memory at start (MB)", round(memory(process)))
        note("short runs", asyncio.run(short_behind_long(address)))
        note("leaving", asyncio.run(leaving(address, process)))
        note("lockout", asyncio.run(lockout(address)))
        note("hostile", asyncio.run(hostile(address, log)))
        note("hostile pictures", asyncio.run(pictures(address, process)))
        note("sessions", asyncio.run(sessions(address, process, args.sessions)))
        for count in args.clients:
            seconds = 2 * args.seconds if count == max(args.clients) else args.seconds
            note(f"{count} clients", asyncio.run(visitors(address, process, count, seconds)))
        note("peak of memory (MB)", round(memory(process, "VmHWM")))
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        status = process.wait(20)
        note("Ctrl-C", {"exit status": status, "seconds": round(time.monotonic() - start, 1)})
    note("kills", kills(log))


if __name__ == "__main__":
    main()
