"""Limits: what one caller may ask, what is refused, and that the page starts and ends cleanly."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from conftest import expect_rest

from ddpm import Pipeline
from ddpm.demo.draw.studio import Studio
from ddpm.demo.hosting import disk, guard, limits, uncollected
from ddpm.demo.hosting.address import address
from ddpm.demo.hosting.limits import Gone, Room, check_work

ROOT = Path(__file__).resolve().parent.parent


def post(address: str, path: str, **options) -> httpx.Response:
    return httpx.post(f"{address.rstrip('/')}/gradio_api/{path}", timeout=60, **options)


@pytest.mark.parametrize("route", ["run", "api"])
def test_nothing_goes_past_the_queue(address: str, route: str) -> None:
    for name in ("generate", "evaluate", "gallery", "predict", "lambda"):
        for body in ({"data": [["red cube"], 0, None, 2, None]}, {"data": [], "fn_index": 0}):
            assert post(address, f"{route}/{name}", json=body).status_code == 404


@pytest.mark.parametrize(
    "route", ["process_recording", "stream/a", "vibe-edit", "profiling/clear", "run-history/connect"]
)
def test_what_gradio_serves_beside_is_closed(address: str, route: str) -> None:
    assert post(address, route, files={"video": ("a.webm", b"x" * 1000)}).status_code == 404
    assert httpx.get(f"{address.rstrip('/')}/monitoring/summary").status_code in (403, 404)


def test_an_address_is_no_uploaded_file(address: str) -> None:
    file = {"path": "https://example.org/a.png", "meta": {"_type": "gradio.FileData"}}
    for path, body in (
        ("call/evaluate", {"data": [file]}),
        ("call/v2/evaluate", {"picture": file}),
        ("call/page_draw", {"data": [file, 0, "ddim", 2, 1, None]}),
    ):
        reply = post(address, path, json=body)
        assert (reply.status_code, "is no uploaded file" in reply.text) == (422, True)


def test_requests_at_the_same_time_are_counted_too(address: str) -> None:
    body = {"data": [["red cube"], 1, "ddpm", 300, None], "session_hash": "burst"}
    with ThreadPoolExecutor(20) as threads:
        replies = list(threads.map(lambda _: post(address, "call/generate", json=body), range(20)))
    assert sum(reply.status_code == 200 for reply in replies) <= limits.MAX_PENDING
    assert {reply.status_code for reply in replies} == {200, 429}
    assert post(address, "call/generate", json={**body, "session_hash": ["a"]}).status_code >= 400


def test_files_are_not_compressed_on_their_way_and_the_page_is(address: str) -> None:
    begun = post(address, "call/trajectory", json={"data": [["red cube"], 1, "ddim", 20, 1, "npz"]}).json()
    answer = httpx.get(f"{address.rstrip('/')}/gradio_api/call/trajectory/{begun['event_id']}", timeout=60).text
    path = json.loads(answer.split("event: complete\ndata: ", 1)[1].split("\n")[0])[0]["path"]
    file = httpx.get(f"{address.rstrip('/')}/gradio_api/file={path}", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in file.headers and int(file.headers["content-length"]) == Path(path).stat().st_size
    assert httpx.get(address, headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"


def test_a_file_stays_whole_while_somebody_asks_for_it_again(tmp_path: Path) -> None:
    import gradio as gr

    from ddpm.demo.share import files

    owner = gr.File()
    owner.GRADIO_CACHE = str(tmp_path)
    path = Path(files.cached(owner, b"0123456789", "a.png", "image/png")["path"])
    os.utime(path, (0, 0))
    with path.open("rb") as reader:
        assert reader.read(3) == b"012"
        assert files.cached(owner, b"0123456789", "a.png", "image/png")["path"] == str(path)
        assert os.fstat(reader.fileno()).st_ino == path.stat().st_ino and reader.read() == b"3456789"
    assert path.stat().st_mtime > 0  # its hour begins anew
    path.write_bytes(b"damaged")
    files.cached(owner, b"0123456789", "a.png", "image/png")
    assert [file.read_bytes() for file in path.parent.iterdir()] == [b"0123456789"]


def test_old_files_make_room_for_new_ones(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "PAUSE", 0.0)
    monkeypatch.setattr(disk, "OVERHEAD", 0)
    monkeypatch.setattr(disk, "MAX_KEPT", 2500)

    def upload(letter: bytes, size: int = 1000) -> Path:
        reply = post(address, "upload", files={"files": ("a.png", letter * size, "image/png")})
        return Path(reply.raise_for_status().json()[0])

    first, second, third = (upload(letter) for letter in (b"1", b"2", b"3"))
    large = upload(b"4", 4000)
    assert [file.exists() for file in (first, second, third, large)] == [False, True, True, True]
    assert not post(address, "upload", files={"files": ("b.png", b"5", "image/png")}).is_error
    assert [file.exists() for file in (second, third, large)] == [False, False, True]  # the newest then stays


def test_a_file_that_gradio_knows_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in "abc"]
    for when, file in enumerate(files):
        file.write_bytes(bytes(1000))
        os.utime(file, (when, when))
    known = {str(file) for file in files}
    kept = disk.Disk(SimpleNamespace(temp_file_sets=[known, set(known), {str(tmp_path / "cleared away")}]))
    for most, left in ((3 * (1000 + disk.OVERHEAD), "abc"), (2 * (1000 + disk.OVERHEAD), "bc"), (10, "c")):
        monkeypatch.setattr(disk, "MAX_KEPT", most)
        kept._remove_oldest()
        assert sorted(file.name for file in tmp_path.iterdir()) == list(left)


def test_large_bodies_are_refused_on_every_route(address: str) -> None:
    body = b'{"data": ["' + b"x" * guard.MAX_BODY + b'"]}'

    def chunked():
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    for path in ("queue/join", "call/generate", "cancel", "reset", "component_server"):
        assert post(address, path, content=body).status_code == 413
    for path in ("queue/join", "call/generate"):
        assert post(address, path, content=chunked()).status_code == 413
    assert httpx.get(address).status_code == 200


def test_too_few_values_are_refused_and_kept_out_of_the_log(address: str) -> None:
    config = httpx.get(f"{address.rstrip('/')}/config").json()
    run = next(fn for fn in config["dependencies"] if fn["api_name"] == "page_draw")
    body = {"data": ["x" * 5000], "fn_index": run["id"], "session_hash": "few"}
    reply = post(address, "queue/join", json=body)
    assert reply.status_code == 422
    assert reply.json() == {"detail": "this event takes 6 values, not 1"}
    for wrong in ([], {}, {"data": 3, "fn_index": "a"}, {"data": [], "fn_index": 10**6, "session_hash": "few"}):
        assert post(address, "queue/join", json=wrong).status_code >= 400


@pytest.mark.parametrize("data", [[["red cube"]], [["red cube"], 3], [["red cube"], 3, None, 2, None]])
def test_what_is_left_out_at_the_end_takes_its_default(address: str, data: list) -> None:
    begun = post(address, "call/generate", json={"data": data})
    assert begun.status_code == 200
    event = begun.json()["event_id"]
    with httpx.stream("GET", f"{address.rstrip('/')}/gradio_api/call/generate/{event}", timeout=60) as stream:
        answer = "".join(stream.iter_text())
    assert "event: complete" in answer and '"model": null' in answer
    assert post(address, "call/generate", json={"data": []}).json() == {"detail": "this event takes 6 values, not 0"}


def test_what_nobody_collects_is_forgotten_and_its_run_ends(
    address: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uncollected, "PATIENCE", 0.5)
    begun = post(address, "call/generate", json={"data": [["red cube"], 1, "ddpm", 1000, None]})
    event = begun.json()["event_id"]
    time.sleep(3)
    expect_rest(pipeline)
    late = httpx.get(f"{address.rstrip('/')}/gradio_api/call/generate/{event}", timeout=60)
    assert (late.status_code, late.json()) == (404, {"detail": "nothing was asked for under this name lately"})


def test_who_listens_hears_all_however_long_it_takes(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncollected, "PATIENCE", 0.2)
    begun = post(address, "call/generate", json={"data": [["red cube"], 1, "ddpm", 400, None]})
    event, start = begun.json()["event_id"], time.monotonic()
    with httpx.stream("GET", f"{address.rstrip('/')}/gradio_api/call/generate/{event}", timeout=60) as stream:
        assert "event: complete" in "".join(stream.iter_text())
    assert time.monotonic() - start > 2 * uncollected.PATIENCE


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("apart", [["red cube"], 0, "ddim", 5, 2, None, 99], "index must be a whole number from 1 to 5"),
        ("where", [["red cube"], "x", "ddim", 5, 2, None], "seed must be a whole number"),
        ("save", [["red cube"], 0, "ddim", 5, 2, None, "png", False, 99], "until must be a whole number from 1 to 5"),
        ("objects", [["red cube"], "zzz"], "the picture must be base64 of 12288 bytes"),
        ("gallery", [["red cube"], "x", 4, "ddim", 5, 2, None], "Seed must be a whole number"),
    ],
)
def test_the_page_hears_what_was_wrong_and_the_log_does_not(
    address: str, capfd: pytest.CaptureFixture[str], name: str, data: list, reason: str
) -> None:
    event = post(address, f"call/page_{name}", json={"data": data}).json()["event_id"]
    reply = httpx.get(f"{address.rstrip('/')}/gradio_api/call/page_{name}/{event}", timeout=60)
    assert reason in reply.text
    assert "Traceback" not in "".join(capfd.readouterr())


def test_large_uploads_are_refused(address: str) -> None:
    for size, status in ((guard.MAX_UPLOAD + 1, 413), (2 * guard.MAX_UPLOAD, 413), (1000, 200)):
        assert post(address, "upload", files={"files": ("a.png", bytes(size), "image/png")}).status_code == status


def test_a_file_of_the_server_is_no_picture(address: str) -> None:
    secret = {"path": str(ROOT / "checkpoints" / "default" / "config.json"), "meta": {"_type": "gradio.FileData"}}
    reply = post(address, "call/evaluate", json={"data": [secret]})
    assert reply.status_code in (400, 422)
    assert "cosine" not in reply.text


def test_one_session_has_few_requests_on_the_way_and_hears_why(address: str) -> None:
    body = {"data": [["red cube"], 1, "ddpm", 500, None], "session_hash": "greedy"}
    replies = [post(address, "call/generate", json=body) for _ in range(limits.MAX_PENDING + 3)]
    assert [reply.status_code for reply in replies] == [200] * limits.MAX_PENDING + [429] * 3
    assert "wait for one of them" in replies[-1].json()["detail"]
    other = post(address, "call/generate", json={**body, "session_hash": "another"})
    assert other.status_code == 200
    config = httpx.get(f"{address.rstrip('/')}/config").json()
    generate = next(fn["id"] for fn in config["dependencies"] if fn["api_name"] == "generate")
    for reply, session in [*((reply, "greedy") for reply in replies if reply.status_code == 200), (other, "another")]:
        event = reply.json()["event_id"]
        post(address, "cancel", json={"session_hash": session, "event_id": event, "fn_index": generate})


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("127.0.0.1", "", None),
        ("93.184.216.34", "", "93.184.216.34"),
        ("93.184.216.34", "1.1.1.1", "93.184.216.34"),  # a caller from outside cannot name another
        ("127.0.0.1", "8.8.8.8", "8.8.8.8"),
        ("10.0.0.3", "8.8.8.8, 1.1.1.1, 10.0.0.7", "1.1.1.1"),  # the last one is what the nearest proxy has seen
        ("10.0.0.3", "nonsense", "10.0.0.3"),
        ("10.0.0.3", "192.168.1.21", "192.168.1.21"),  # visitors of a private network are told apart
        ("127.0.0.1", "192.168.1.22, 10.0.0.7", "10.0.0.7"),
        ("127.0.0.1", "192.168.1.5, 127.0.0.1", "192.168.1.5"),  # by two proxies of this machine
        ("127.0.0.1", "127.0.0.1", None),
        ("10.0.0.3", "8.8.8.8:51820", "8.8.8.8"),  # as some proxies write them
        ("10.0.0.3", "[2606:4700::1111]:443", "2606:4700::1111"),
        ("10.0.0.3", "2606:4700::1111", "2606:4700::1111"),
        ("192.168.0.7", "", "192.168.0.7"),
    ],
)
def test_a_caller_is_known_by_its_address(peer: str, forwarded: str, expected: str | None) -> None:
    assert address({"client": (peer, 1234)}, {"x-forwarded-for": forwarded} if forwarded else {}) == expected


@pytest.mark.parametrize(("steps", "pictures"), [(1000, 1), (1000, 2), (125, 16)])
def test_what_the_page_offers_is_allowed(steps: int, pictures: int) -> None:
    check_work(steps, pictures)


def test_too_much_work_is_refused_with_the_limit() -> None:
    with pytest.raises(ValueError, match="16 pictures of 126 steps would take too long: .* at most 2000"):
        check_work(126, 16)


def test_a_run_whose_caller_is_gone_ends_before_the_next_step(pipeline: Pipeline) -> None:
    asked = []

    def check() -> None:
        asked.append(True)
        if len(asked) == 4:
            raise Gone

    studio = Studio(pipeline, lambda x: x.new_zeros(len(x), 24), check=check)
    with pytest.raises(Gone):
        studio.trajectory(["red cube"], 0, pipeline.settings("ddim", 500))
    assert len(asked) == 4


def test_the_example_keeps_to_the_limit(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ddpm.demo.hosting.limits", "ddpm.demo.draw.studio"):
        monkeypatch.setattr(f"{module}.MAX_WORK", 3)
    example = Studio(pipeline, lambda x: x.new_zeros(len(x), 24)).example(["red cube"])()
    assert (example["state"], example["steps"]) == ("example", 3)


def test_an_event_that_is_over_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    events: dict = {}
    check = limits.leaving(SimpleNamespace(_queue=SimpleNamespace(event_ids_to_events=events)))
    check()  # no event at all: a call from Python
    token = limits.LocalContext.event_id.set("a")
    try:
        with pytest.raises(Gone):
            check()
        events["a"] = SimpleNamespace(alive=True)
        check()
        events["a"].alive = False
        with pytest.raises(Gone):
            check()
    finally:
        limits.LocalContext.event_id.reset(token)


def test_long_runs_take_turns_and_short_ones_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOLD_EVERY", 0.0)
    room, order, told = Room(), [], []
    inside, leave, waits_now = (threading.Event() for _ in range(3))

    def first() -> None:
        with room.taken(1000) as waits:
            assert list(waits) == []
            inside.set()
            leave.wait(10)
            order.append("first")

    def second() -> None:
        with room.taken(1000) as waits:
            for wait in waits:
                told.append(wait)
                waits_now.set()
            order.append("second")

    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert inside.wait(10)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    assert waits_now.wait(10)
    with room.taken(limits.SHORT_WORK) as waits:
        assert list(waits) == []
        order.append("short")
    room.check = lambda: _gone() if threading.current_thread() is threading.main_thread() else None
    with pytest.raises(Gone), room.taken(1000) as waits:  # a third one, whose caller leaves
        list(waits)
    room.check = lambda: None
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["short", "first", "second"]
    assert told[0].ahead == 1
    assert 0 < told[0].seconds <= 1000 * limits.PACE  # of the first run's steps, at the pace that is thought of
    with room.taken(1000) as waits:  # nobody is left behind
        assert list(waits) == []


def _gone() -> None:
    raise Gone


def test_the_pace_is_that_of_the_runs_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: clock[0])
    room = Room()
    for _ in range(30):
        with room.taken(100) as waits:
            list(waits)
            clock[0] += 5.0
    with room.taken(1000) as waits:
        list(waits)
        clock[0] += 10.0
        ticket = limits._Ticket(900)
        room._waiting.append(ticket)
        assert room._standing(ticket).ahead == 1
        assert room._standing(ticket).seconds == pytest.approx(1000 * 0.05 - 10, rel=0.01)
        room._waiting.append(last := limits._Ticket(100))
        assert room._standing(last) == limits.Wait(2, pytest.approx(40 + 900 * 0.05, rel=0.01))


def test_a_run_larger_than_the_room_enters_alone() -> None:
    with Room().taken(10 * limits.ROOM) as waits:
        assert list(waits) == []
