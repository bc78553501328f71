"""What goes wrong around the page: damaged models, a full disk, Ctrl-C."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from soak import call, served

from ddpm import Pipeline, checkpoint
from ddpm.demo.models import Models


def test_damaged_models_beside_the_pages_own_are_left_out(pipeline: Pipeline, tmp_path: Path, caplog) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"name": 3}')):
        checkpoint.save(tmp_path / name, pipeline.network, pipeline.config)
        (tmp_path / name / "config.json").write_text(text)
    other = checkpoint.ModelConfig(**{**vars(pipeline.config), "name": "other"})
    checkpoint.save(tmp_path / "good", pipeline.network, other)
    assert Models(pipeline, tmp_path).names == ("tiny", "good")
    assert [f"{name}/config.json" in caplog.text for name in "abc"] == [True] * 3


@pytest.mark.slow
def test_ctrl_c_during_a_run_ends_the_server_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def begin(place: str) -> None:
        async with httpx.AsyncClient(base_url=place, timeout=60) as client:
            await call(client, "generate", [["red cube"], 0, None, 2, None])
            body = {"data": [["red cube"], 1, "ddpm", 1000, None]}
            assert (await client.post("/gradio_api/call/generate", json=body)).status_code == 200

    with served(log) as (where, process):
        with ThreadPoolExecutor(1) as thread:  # in this one the browser of other tests may have its loop
            thread.submit(asyncio.run, begin(where)).result()
        time.sleep(1)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT  # which shells call 130
        assert time.monotonic() - start < 2
    assert "Traceback" not in log.read_text()
    assert "terminate called" not in log.read_text()


def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import gradio as gr

    from ddpm.demo.share import files

    owner = gr.File()
    owner.GRADIO_CACHE = str(tmp_path)
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(gr.Error, match="The server cannot keep files: No space left on device"):
        files.cached(owner, b"0123456789", "a.png", "image/png")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.undo()
    kept = files.cached(owner, b"0123456789", "a.png", "image/png")  # there is room again
    assert Path(kept["path"]).read_bytes() == b"0123456789"
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("command", ["ddpm generate cube", "training.render --count 9 --out x", "training.study"])
def test_ctrl_c_while_the_libraries_load_leaves_no_traceback(command: str, tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    arguments = [sys.executable, "-X", "importtime", "-m", *command.split()]
    process = subprocess.Popen(arguments, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "numpy" in line:  # torch is on its way
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(20) in (-signal.SIGINT, 130)
    assert "Traceback" not in rest
