"""Two processes of `torchrun` share the work, and the figures are those of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddpm import Pipeline
from training.loop import processes


def launched(count: int, *arguments: str) -> str:
    """Run a command in so many processes, and return what was printed."""
    launcher = [
        "-m",
        "torch.distributed.run",
        f"--nproc-per-node={count}",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=localhost:0",
    ]
    command = [sys.executable, *(launcher if count > 1 else []), "-m", *arguments]
    env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_one_process_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes.is_main() and processes.device() is None and processes.local_processes() == 1
    assert processes.map_shared(lambda some: [2 * job for job in some], [1, 2, 3]) == [2, 4, 6]


@pytest.mark.slow
def test_rendering(tmp_path: Path) -> None:
    for count in (1, 2):
        launched(count, "training.render", "--count", "10", "--seed", "3", "--out", str(tmp_path / str(count)))
    one, two = tmp_path / "1", tmp_path / "2"
    assert (one / "labels.json").read_bytes() == (two / "labels.json").read_bytes()
    np.testing.assert_array_equal(np.load(one / "layouts.npy"), np.load(two / "layouts.npy"))
    for file in json.loads((one / "labels.json").read_text(encoding="utf-8")):
        with Image.open(one / "images" / file) as a, Image.open(two / "images" / file) as b:
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.slow
def test_evaluation_and_the_frechet_distance(tmp_path: Path, pipeline: Pipeline) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps([["red cube"], ["blue sphere", "gray cube"]] * 35), encoding="utf-8")  # over one batch
    launched(1, "training.render", "--count", "8", "--out", str(tmp_path / "data"))
    model = ("--checkpoint", str(tmp_path / "model"), "--steps", "2", "--json")
    figures = []
    for count in (1, 2):
        out = str(tmp_path / f"{count}.json")
        printed = launched(count, "training.evaluate", "--spec", str(spec), "--seeds", "3", *model, out)
        assert printed.count("spec.json") == 1  # one process speaks
        report = json.loads(Path(out).read_text(encoding="utf-8"))
        report["specs"][0].pop("seconds_per_image")
        launched(count, "training.frechet", "--data", str(tmp_path / "data"), "--count", "4", *model, out)
        figures.append((report, json.loads(Path(out).read_text(encoding="utf-8"))))
    assert figures[0] == figures[1]
