"""Where the app is served and where it keeps files, and what it says where that cannot be."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import app
from ddpm.demo.hosting import place

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("text", ["0", "65536", "99999999999", "80a", "-1", "٣"])
def test_an_impossible_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the port must be a number from 1 to 65535"):
        place.port(text)


def test_a_busy_port_is_refused_and_a_free_one_taken() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(ValueError, match="cannot be had: .*; choose another one"):
            place.port(str(busy.getsockname()[1]))
    assert place.port("") is None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    assert place.port(str(number)) == number


@pytest.mark.parametrize("text", ["0.0.0.0", "127.0.0.1", "localhost"])
def test_a_host_of_this_machine_is_taken(text: str) -> None:
    assert place.host(text) == text


@pytest.mark.parametrize("text", ["::1", "[::1]"])
def test_an_address_of_ipv6_gets_its_brackets(text: str) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        free = str(probe.getsockname()[1])
    assert place.host(text) == "[::1]"
    assert place.port(free, "[::1]") == int(free)


@pytest.mark.parametrize("text", ["192.0.2.1", "no such host", "http://127.0.0.1", "1.2.3", "a" * 300])
def test_another_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the host must be 127.0.0.1 for this machine alone"):
        place.host(text)


def test_what_no_proxy_names_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "example.org, 127.0.0.1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    place.keep_loopback_from_proxies()
    assert os.environ["no_proxy"] == "example.org,127.0.0.1,localhost,::1"
    assert os.environ["NO_PROXY"] == "localhost,127.0.0.1,::1"
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:1")
    assert urllib.request.proxy_bypass_environment("127.0.0.1")


def test_a_folder_of_another_user_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    (tmp_path / "gradio").write_text("nobody may write here", encoding="utf-8")
    found = place.temporary_folder()
    assert found.parent == tmp_path and found.name.startswith("gradio-") and found.is_dir()
    assert os.environ["GRADIO_TEMP_DIR"] == str(found)
    assert list(found.iterdir()) == []


def test_a_folder_that_is_named_is_the_only_one_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/dev/null/here")
    with pytest.raises(ValueError, match="/dev/null/here cannot take temporary files.*set GRADIO_TEMP_DIR"):
        place.temporary_folder()


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ([], {"DDPM_DEVICE": "tpu"}, "DDPM_DEVICE must be a device of this machine"),
        ([], {"PORT": "99999"}, "the port must be a number from 1 to 65535"),
        (["--port", "80a"], {}, "the port must be a number from 1 to 65535"),
        (["--host", "192.0.2.1"], {}, "the host must be 127.0.0.1"),
        ([], {"GRADIO_TEMP_DIR": "/dev/null/here"}, "cannot take temporary files"),
    ],
)
def test_faults_of_the_place_are_one_sentence(
    arguments: list[str],
    environment: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("no_proxy", "NO_PROXY"):  # the app sets them
        monkeypatch.setenv(name, "")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        app.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_fault_in_a_variable_that_is_read_first_is_one_sentence_too() -> None:
    env = {**os.environ, "DDPM_MAX_WORK": "many"}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "DDPM_MAX_WORK must be a whole number above 0, not 'many'" in done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def running(log: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """The address of the running app."""
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py", *arguments], cwd=ROOT, env={**os.environ, **environment}, stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + 90
        while not (found := re.search(r"Running on local URL: +(\S+)", log.read_text(encoding="utf-8"))):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        time.sleep(2)  # Gradio says so before it asks itself
        yield found[1]
        assert process.poll() is None, log.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_proxy_of_the_environment_is_not_asked_for_the_page(tmp_path: Path) -> None:
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_error(503)

        do_GET = do_POST = do_CONNECT = do_HEAD

    server = HTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = f"http://127.0.0.1:{server.server_port}"
    cleared = {"no_proxy": "", "NO_PROXY": ""}
    with running(tmp_path / "log", http_proxy=proxy, https_proxy=proxy, PYTHONUNBUFFERED="1", **cleared) as url:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url) as answer:
            assert b"ddpm-data" in answer.read()
    assert [path for path in asked if "127.0.0.1" in path or "localhost" in path] == []
    server.shutdown()


@pytest.mark.slow
def test_it_runs_without_a_home_as_another_user_would(tmp_path: Path) -> None:
    env = {"HOME": "/", "GRADIO_SERVER_NAME": "0.0.0.0", "PYTHONUNBUFFERED": "1", "LC_ALL": "C"}
    with (
        running(tmp_path / "log", GRADIO_TEMP_DIR=str(tmp_path / "files"), **env) as url,
        urllib.request.urlopen(url) as answer,
    ):
        assert answer.status == 200
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
