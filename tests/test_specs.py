"""Specs of our own are drawn in the lab's format."""

import subprocess
import sys
from pathlib import Path

import pytest

from ddpm.labels import read_spec
from training import specs
from training.specs import draw_spec


def test_counts_and_seed():
    spec = draw_spec(3, [0, 2, 5], each=4)
    assert [len(scene) for scene in spec] == [0] * 4 + [2] * 4 + [5] * 4
    assert spec == draw_spec(3, [0, 2, 5], each=4) != draw_spec(4, [0, 2, 5], each=4)


def test_the_file_is_a_spec(tmp_path):
    out = tmp_path / "spec.json"
    command = [sys.executable, "-m", "training.specs", "--seed", "3", "--counts", "1", "3", "--each", "2", "--out", out]
    subprocess.run(command, check=True)
    assert read_spec(out) == draw_spec(3, [1, 3], each=2)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path, tmp_path / ("long" * 100)):
        with pytest.raises(SystemExit, match="2"):
            specs.main(["--out", str(place)])
        assert str(place) in capsys.readouterr().err
