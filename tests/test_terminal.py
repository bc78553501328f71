"""Commands where the terminal, the locale or another program is in the way."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddpm import checkpoint
from training.loop import run


def shell(command: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-c", command], env=os.environ | env, capture_output=True, timeout=100)


PROGRAM = "from ddpm import terminal; terminal.run(lambda: [print('0.5 ± 0.1 中', i) for i in range(20000)] and 0)"
PRINTING = f'{sys.executable} -c "{PROGRAM}"'


def test_a_character_that_the_terminal_lacks_becomes_a_question_mark() -> None:
    done = shell(PRINTING + " | head -1", PYTHONIOENCODING="ascii")
    assert done.stdout == b"0.5 ? 0.1 ? 0\n" and done.stderr == b""


def test_work_goes_on_when_nobody_reads_any_more() -> None:
    done = shell(f"set -o pipefail; {PRINTING} | head -1")
    assert done.returncode == 0 and done.stderr == b""
    done = shell(f"set -o pipefail; ({PRINTING} 1>&2) 2>&1 | head -1")  # on the other stream
    assert done.returncode == 0


def test_every_command_prints_through_it() -> None:
    commands = [path for path in Path("training").glob("*.py") if path.stem != "__init__"]
    assert len(commands) > 15
    for path in [*commands, Path("app.py"), Path("ddpm/__main__.py")]:
        assert "terminal.run(main)" in path.read_text(encoding="utf-8"), path


@pytest.mark.slow
def test_training_goes_on_when_its_reader_leaves(tmp_path: Path) -> None:
    render = f"{sys.executable} -m training.render --count 6 --out {tmp_path}/data"
    train = f"{sys.executable} -m training.train_evaluator --data {tmp_path}/data --minutes 0.02 --out {tmp_path}/judge"
    done = shell(f"set -o pipefail; {render} 2>&1 | head -c 1 && {train} 2>&1 | head -c 1", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "judge" / "model.safetensors").is_file()


def refuse(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let os.replace fail so often, as on Windows while another program has the file open."""
    left, replace = [times], os.replace

    def attempt(source: Path, target: Path) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise PermissionError(13, "Access is denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", attempt)


def test_a_file_that_is_held_for_a_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(3, monkeypatch)
    checkpoint.write_whole(tmp_path / "a", lambda part: part.write_bytes(b"new"))
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_file_that_is_held_for_good_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    refuse(1000, monkeypatch)
    monkeypatch.setattr(checkpoint, "PATIENCE", 0.2)
    with pytest.raises(PermissionError, match=r"is it open in another program\?.*a'"):
        checkpoint.write_whole(tmp_path / "a", lambda part: part.write_bytes(b"new"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_an_open_log_does_not_end_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, rows = tmp_path / "log.csv", [{"images": 8, "loss": 0.5}]
    run.write_log(log, rows)
    with monkeypatch.context() as patch:
        refuse(1000, patch)
        patch.setattr(checkpoint, "PATIENCE", 0.0)
        run.write_log(log, rows := [*rows, {"images": 16, "loss": 0.25}])
    assert "the log is not written this time" in capsys.readouterr().err
    run.write_log(log, rows := [*rows, {"images": 24, "loss": 0.125}])
    with log.open(newline="", encoding="utf-8") as file:
        assert [row["images"] for row in csv.DictReader(file)] == ["8", "16", "24"]
