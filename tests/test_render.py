"""The renderer against its figures and against path-traced pictures of the same scenes."""

import json
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm.labels import LABELS
from training.fit_bounce import drawn, fit
from training.scene.geometry import Objects
from training.scene.placement import Scene, SceneObject, read_scenes
from training.scene.shading import Bounce
from training.scene.tracer import first_hits, render

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"
CPU = torch.device("cpu")


def one(label: str, x: float = 0.0, y: float = 0.0, theta: float = 0.0) -> Scene:
    return Scene((SceneObject(label, x, y, theta),))


def test_a_sphere_at_the_origin_stands_where_the_set_up_says():
    # 36 of 320 pixels wide, 36 of 240 high, centered near (160, 103)
    seen = first_hits([one("red sphere")], CPU).seen.reshape(128, 128) >= 0
    rows, columns = seen.nonzero(as_tuple=True)
    width = (columns.max() - columns.min() + 1) / 128 * 320
    height = (rows.max() - rows.min() + 1) / 128 * 240
    assert width == pytest.approx(36, abs=2.5)
    assert height == pytest.approx(36, abs=2.5)
    assert (columns.float().mean() + 0.5) / 128 * 320 == pytest.approx(160, abs=1)
    assert (rows.float().mean() + 0.5) / 128 * 240 == pytest.approx(103, abs=1)


@pytest.mark.parametrize("shape", ["sphere", "cube", "cylinder"])
def test_rays_enter_and_leave_at_the_size_of_the_object(shape):
    objects = Objects.of([one(f"red {shape}")], CPU)
    origin = torch.tensor([[-3.0, 0.0], [0.0, 0.7], [0.0, 0.0]])[:, None, :]  # one ray through it, one beside it
    direction = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 1, 2)
    near, far = objects.intervals(origin, direction)
    assert (near[0, 0].item(), far[0, 0].item()) == pytest.approx((3 - 0.575, 3 + 0.575))
    assert near[0, 1] > far[0, 1]


def test_normals_point_outwards():
    objects = Objects.of([one("red cylinder"), one("red cube"), one("red sphere")], CPU)
    top = objects.center + torch.tensor([0.0, 0.0, 0.575])[:, None]
    assert torch.allclose(objects.normals_at(top)[2], torch.ones(3), atol=1e-5)


def test_a_picture_does_not_depend_on_its_batch():
    scenes = [one("red cube"), Scene(()), one("cyan sphere", 1, -1)]
    assert torch.equal(render(scenes)[2:], render(scenes[2:]))
    assert render([]).shape == (0, 3, 64, 64)


def test_an_object_casts_a_shadow():
    with_object, empty = render([one("gray sphere"), Scene(())]).float()
    ground = (first_hits([one("gray sphere")], CPU).seen.reshape(64, 2, 64, 2) < 0).all(3).all(1)
    assert (empty - with_object).mean(0)[ground].max() > 20


def test_bounced_light_is_found_again_in_pictures_drawn_with_it():
    scenes = [
        one("red sphere"),
        Scene((SceneObject("green cube", -1.0, 0.5, 0.3), SceneObject("blue cylinder", 1.0, 0.0, 0.0))),
    ]
    light = Bounce(above=0.05, below=0.7, bleed=0.4, occlusion=0.2, mirrored=0.3)
    found = fit(scenes, drawn(scenes, light))
    assert astuple(found) == pytest.approx(astuple(light), abs=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.exists(), reason="the path-traced reference frames are not here")
def test_pictures_match_path_traced_ones():
    # The odd sequences: the bounced light was fitted on the even ones.
    scenes = {name: s for name, s in read_scenes(REFERENCE / "scenes.json").items() if int(name.split("_")[1]) % 2}
    assert len(scenes) == 100
    squashed = [
        Image.open(REFERENCE / "frames" / name).convert("RGB").resize((64, 64), Image.BILINEAR) for name in scenes
    ]
    truth = torch.from_numpy(np.stack([np.asarray(image) for image in squashed])).permute(0, 3, 1, 2).float()
    ours = render(list(scenes.values())).float()
    hits = torch.cat([first_hits([scene], CPU).seen for scene in scenes.values()])
    on_object = (hits.reshape(-1, 64, 2, 64, 2) >= 0).any(4).any(2)  # (N, 64, 64): every pixel an object touches
    error = (ours - truth).abs().mean(1)
    assert error.mean() <= 2
    assert error[on_object].mean() <= 6


@pytest.mark.slow
def test_command_line(tmp_path):
    command = [sys.executable, "-m", "training.render", "--count", "5", "--seed", "4", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert sorted(labels) == sorted(path.name for path in (tmp_path / "images").iterdir())
    assert len(labels) == 5
    assert all(set(names) <= set(LABELS) for names in labels.values())
    with Image.open(tmp_path / "images" / next(iter(labels))) as image:
        assert image.size == (64, 64)


@pytest.mark.slow
def test_a_repeated_label_stands_twice_in_the_label_file(tmp_path):
    options = ["--count", "8", "--repeats", "1", "--counts", "2", "3", "--out", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "training.render", *options], check=True, capture_output=True)
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert [len(names) for names in labels.values()] == [2, 3] * 4
    assert all(len(set(names)) == len(names) - 1 for names in labels.values())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--count", "0"), "--count must be at least 1"),
        (("--count", "1", "--in-sight", "1"), "from 0 to 0.95"),
        (("--count", "1", "--repeats", "1.5"), "--repeats must be from 0 to 1"),
        (("--count", "1", "--repeats", "0.5", "--counts", "1", "3"), "two objects in each scene, --counts has 1"),
        (("--scenes", "a.json", "--in-sight", "0.9", "--seed", "1"), "--seed, --in-sight: for random scenes alone"),
    ],
)
def test_command_line_names_a_bad_argument(tmp_path, option, message):
    command = [sys.executable, "-m", "training.render", *option, "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert message in result.stderr
