"""The command line: files it writes, and mistakes it explains in one line."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_model

from ddpm import Pipeline, checkpoint, labels
from ddpm.checkpoint import ModelConfig
from ddpm.cli import main
from ddpm.evaluator import Evaluator, EvaluatorConfig, build_network, config_json, exact_match, topk_accuracy
from ddpm.hub import bundled
from ddpm.networks import build
from ddpm.pictures import read_picture, sheet
from ddpm.schedule import NoiseSchedule
from ddpm.trajectory import to_uint8

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    config = ModelConfig("tiny", "context_unet", {"width": 8}, "v", NoiseSchedule("cosine"), steps=3, guidance=2.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        checkpoint.save(folder, build(config.network, config.options), config)
    return str(folder)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("evaluator")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_model(build_network("plain").to(memory_format=torch.contiguous_format), str(folder / "model.safetensors"))
    (folder / "config.json").write_text(config_json(EvaluatorConfig("plain")))
    return str(folder)


def test_a_scene_is_drawn_with_its_film_and_its_data(model, tmp_path, capsys):
    files = {suffix: str(tmp_path / f"scene.{suffix}") for suffix in ("png", "gif", "npz")}
    arguments = ["generate", "red sphere", "cyan cube", "--seed", "7", "--checkpoint", model]
    arguments += ["--out", files["png"], "--gif", files["gif"], "--npz", files["npz"]]
    assert main([*arguments, "--sampler", "dpm++", "--steps", "4", "--guidance", "1.5"]) == 0
    assert capsys.readouterr().out.split() == list(files.values())

    image = Pipeline.from_pretrained(model).generate([["red sphere", "cyan cube"]], 7, "dpm++", 4, 1.5)
    with Image.open(files["png"]) as picture:
        assert np.array_equal(np.asarray(picture), to_uint8(image[0]))
    with Image.open(files["gif"]) as film:
        assert film.n_frames == 4
    with np.load(files["npz"]) as data:
        assert np.array_equal(data["x0"][-1], image.numpy())
        assert (data["seeds"].tolist(), data["sampler"], data["steps"], data["guidance"]) == ([7], "dpm++", 4, 1.5)


def test_a_file_names_the_model_that_drew_it(model, evaluator, tmp_path):
    png, npz = tmp_path / "scene.png", tmp_path / "scene.npz"
    arguments = ["generate", "red cube", "--checkpoint", model, "--out", str(png), "--npz", str(npz)]

    def named() -> tuple[list[str], str]:
        with Image.open(png) as picture, np.load(npz) as data:
            return parse_qs(picture.info["ddpm"]).get("model", []), str(data["model"])

    assert main(arguments) == 0
    assert named() == (["tiny"], "tiny")
    assert main([*arguments, "--evaluator", evaluator, "--evaluator-guidance", "1"]) == 0
    assert named() == (["tiny, steered"], "tiny, steered")  # no page draws it again
    pipe = Pipeline.from_pretrained(model)
    default = Pipeline(pipe.network, replace(pipe.config, name="default"))
    default.trajectory([["red cube"]]).save_png(png)
    with Image.open(png) as picture:
        assert "model" not in parse_qs(picture.info["ddpm"])


def test_settings_default_to_the_model_s(model, tmp_path):
    out = str(tmp_path / "scene.npz")
    main(["generate", "red cube", "--out", str(tmp_path / "scene.png"), "--npz", out, "--checkpoint", model])
    with np.load(out) as data:
        assert (data["seeds"].tolist(), data["sampler"], data["steps"], data["guidance"]) == ([0], "ddim", 3, 2.0)


def test_the_denoising_is_kept_in_every_format_asked_for(model, tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("strip.png", "film.gif", "film.MP4", "run.npz")]
    arguments = ["trajectory", "red sphere", "--seed", "7", "--checkpoint", model, "--steps", "4"]
    assert main([*arguments, *(part for file in files for part in ("--out", file))]) == 0
    assert capsys.readouterr().out.split() == files
    with Image.open(files[0]) as strip:
        assert strip.size == (4 * 256, 2 * 192)
    with Image.open(files[1]) as film:
        assert film.n_frames == 4
    with np.load(files[3]) as data:
        image = Pipeline.from_pretrained(model).generate([["red sphere"]], 7, steps=4)
        assert np.array_equal(data["x0"][-1], image.numpy())


def test_what_can_be_written_is_written(model, tmp_path, capsys, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("ddpm.trajectory.write_gif", full)
    files = [str(tmp_path / name) for name in ("film.gif", "run.npz")]
    assert main(["trajectory", "red cube", "--checkpoint", model, "--out", files[0], "--out", files[1]]) == 2
    output = capsys.readouterr()
    assert (output.out.split(), output.err) == ([files[1]], "ddpm: error: disk full\n")
    assert (tmp_path / "run.npz").is_file()


def test_pictures_are_evaluated(evaluator, tmp_path, capsys):
    good, bad = tmp_path / "scene.png", tmp_path / "note.png"
    Image.new("RGB", (64, 64), (128, 128, 128)).save(good)
    bad.write_text("no picture")
    p = Evaluator.from_pretrained(evaluator)(torch.full((1, 3, 64, 64), 128 / 127.5 - 1))[0]
    assert main(["evaluate", str(good), "--evaluator", evaluator, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)[str(good)]
    assert list(report["probabilities"].values()) == pytest.approx(p.tolist())
    assert report["labels"] == sorted(
        (label for label, chance in report["probabilities"].items() if chance >= 0.5),
        key=lambda label: -report["probabilities"][label],
    )

    assert main(["evaluate", str(bad), str(tmp_path / "absent.png"), str(good), "--evaluator", evaluator]) == 2
    output = capsys.readouterr()
    assert output.out.startswith(f"{good}: {report['labels'][0]} {report['probabilities'][report['labels'][0]]:.2f}")
    assert "note.png: this is not a picture that can be read" in output.err
    assert "absent.png" in output.err
    assert output.err.count("ddpm: error: ") == 2


def test_the_pictures_of_a_folder_are_named(evaluator, drawn, capsys):
    folder = drawn / "drawn"
    assert main(["evaluate", str(folder), "--evaluator", evaluator]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(folder / f"{i}.png") for i in range(11)
    ]
    (drawn / "empty").mkdir()
    assert main(["evaluate", str(drawn / "empty"), "--evaluator", evaluator]) == 2
    assert "there is no picture in it" in capsys.readouterr().err


def test_a_picture_that_is_named_twice_is_no_failure(evaluator, drawn, capsys):
    picture = str(drawn / "drawn" / "0.png")
    assert main(["evaluate", picture, picture, "--evaluator", evaluator]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.fixture
def drawn(tmp_path):
    """A folder of eleven gray pictures, the same as a sheet, and a spec of eleven scenes."""
    (tmp_path / "drawn").mkdir()
    x = torch.linspace(-1, 1, 11).reshape(11, 1, 1, 1).expand(11, 3, 64, 64)
    for i, image in enumerate(x):
        Image.fromarray(to_uint8(image)).save(tmp_path / "drawn" / f"{i}.png")
    sheet(x).save(tmp_path / "sheet.png")
    (tmp_path / "spec.json").write_text(json.dumps([["red cube"]] * 10 + [["gray cube", "blue sphere"]]))
    return tmp_path


def test_a_folder_and_a_sheet_are_scored_against_a_spec(evaluator, drawn, capsys):
    reports = []
    for place in (drawn / "drawn", drawn / "sheet.png"):
        arguments = ["evaluate", str(place), "--spec", str(drawn / "spec.json"), "--evaluator", evaluator]
        assert main([*arguments, "--json"]) == 0
        reports.append(json.loads(capsys.readouterr().out))
        assert main(arguments) == 0
        assert "spec.json" in capsys.readouterr().out  # a table for people
    images = torch.cat([read_picture(drawn / "drawn" / f"{i}.png") for i in range(11)])
    scenes = json.loads((drawn / "spec.json").read_text())
    p, requested = Evaluator.from_pretrained(evaluator)(images), labels.encode(scenes)
    for report in reports:
        assert (report["images"], report["labels"], report["seeds"]) == (11, 12, 1)
        assert report["topk_accuracy"] == pytest.approx(topk_accuracy(p, requested), abs=1e-5)
        assert report["exact_match"] == pytest.approx(exact_match(p, requested), abs=1e-5)


def test_scores_can_be_written_to_a_file(evaluator, drawn, capsys):
    arguments = ["evaluate", str(drawn / "drawn"), "--spec", str(drawn / "spec.json"), "--evaluator", evaluator]
    assert main([*arguments, "--json", str(drawn / "scores.json")]) == 0
    assert json.loads((drawn / "scores.json").read_text())["images"] == 11
    assert "spec.json" in capsys.readouterr().out
    for _ in range(2):  # whatever its ending, also where it is there already
        assert main([*arguments, "--json", str(drawn / "scores")]) == 0
    assert json.loads((drawn / "scores").read_text())["images"] == 11
    picture, film = str(drawn / "drawn" / "0.png"), str(drawn / "film.GIF")
    Image.new("RGB", (64, 64)).save(film)
    capsys.readouterr()
    assert main(["evaluate", "--json", picture, "--evaluator", evaluator]) == 0
    assert list(json.loads(capsys.readouterr().out)) == [picture]
    assert main(["evaluate", "--json", film, picture, "--evaluator", evaluator]) == 0  # it is not written over
    assert list(json.loads(capsys.readouterr().out)) == [film, picture]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["drawn", "sheet.png"], "--spec scores one folder or one sheet, not 2 files"),
        (["drawn/0.png"], "a picture of 64x64 is not a sheet"),
        (["fewer"], "holds 1 pictures, and"),
        (["more.png"], "shows 24 pictures, and"),
        ([], "no picture: name at least one"),
        (["absent"], "absent"),
    ],
)
def test_what_cannot_be_scored_is_said(evaluator, drawn, capsys, places, message):
    (drawn / "fewer").mkdir()
    Image.new("RGB", (64, 64)).save(drawn / "fewer" / "0.png")
    sheet(torch.zeros(24, 3, 64, 64)).save(drawn / "more.png")
    places = [str(drawn / place) for place in places]
    assert main(["evaluate", *places, "--spec", str(drawn / "spec.json"), "--evaluator", evaluator]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ddpm: error: ") and message in error and error.count("\n") == 1


def test_a_sheet_is_not_judged_as_one_picture(evaluator, drawn, capsys):
    assert main(["evaluate", str(drawn / "sheet.png"), "--evaluator", evaluator]) == 2
    assert "a sheet of 8 x 2 pictures" in capsys.readouterr().err


def test_two_settings_are_compared_side_by_side(model, evaluator, tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("both.png", "both.gif")]
    a, b = f"checkpoint={model},steps=2", f"checkpoint={model},sampler=dpm++,steps=5,guidance=1"
    arguments = ["compare", "red cube", "--seed", "3", "--a", a, "--b", b, "--evaluator", evaluator]
    assert main([*arguments, "--out", files[0], "--out", files[1]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A: tiny, ddim, 2 steps, guidance 2"
    assert "B: tiny, dpm++, 5 steps, guidance 1" in lines
    assert sum(line.startswith("   red cube  ") for line in lines) == 2
    assert lines[-2:] == files

    pipe = Pipeline.from_pretrained(model)
    results = [pipe.generate([["red cube"]], 3, "ddim", 2, 2.0), pipe.generate([["red cube"]], 3, "dpm++", 5, 1.0)]
    with Image.open(files[0]) as strip:
        small = np.asarray(strip)[::3, ::4]
    assert small.shape == (128 + 4 + 128, 640, 3)
    for top, image in zip((64, 196), results, strict=True):
        assert np.array_equal(small[top : top + 64, -64:], to_uint8(image[0]))
    with Image.open(files[1]) as film:
        assert (film.n_frames, film.size) == (5, (4 * 132, 3 * 128))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["red cub"], "unknown label 'red cub'; did you mean 'red cube'?"),
        (["red cube", "red cube"], "'red cube' stands twice"),
        (["red cube", "--seed", "-1"], "seed must be a whole number from 0"),
        (["red cube", "--steps", "0"], "steps must be a whole number from 1 to 1000"),
        (["red cube", "--guidance", "nan"], "guidance must be a number from 0 to 20"),
        (["red cube", "--checkpoint", "absent"], "absent: there is no such checkpoint folder"),
        (["red cube", "--evaluator", "absent"], "--evaluator steers the drawing, which needs --evaluator-guidance"),
        (["red cube", "--evaluator", "absent", "--evaluator-guidance", "1"], "no evaluator: absent"),
    ],
)
def test_mistakes_are_explained_in_one_line(model, tmp_path, capsys, arguments, message):
    out = tmp_path / "scene.png"
    assert main(["generate", "--out", str(out), "--checkpoint", model, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ddpm: error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["generate", "--out", "x.png"], "the following arguments are required: label"),
        (["generate", "red cube"], "the following arguments are required: --out"),
        (["generate", "red cube", "--out", "x.jpg"], "'x.jpg' must end in .png"),
        (["generate", "red cube", "--out", "x" * 300 + ".png"], "File name too long"),
        (["generate", "red cube", "--out", "x" * 248 + ".png"], "File name too long"),  # of what is written beside it
        (["generate", "red cube", "--out", "absent/x.png"], "there is no folder 'absent'"),
        (["generate", "red cube", "--out", "x.png", "--gif", "x.mp4"], "'x.mp4' must end in .gif"),
        (["trajectory", "red cube", "--out", "x.avi"], "'x.avi' must end in .gif or .mp4 or .png or .npz"),
        (["compare", "red cube", "--a", "steps=5", "--out", "x.png"], "the following arguments are required: --b"),
        (["compare", "red cube", "--a", "steps=x", "--b", "", "--out", "x.png"], "'x' is not a number that will do"),
        (["compare", "red cube", "--a", "eta=1", "--b", "", "--out", "x.png"], "'eta=1' is none of checkpoint=..."),
        (["compare", "red cube", "--a", "steps=1,steps=2", "--b", "", "--out", "x.png"], "steps stands twice"),
        (["generate", "red cube", "--out", "x.png", "--sampler", "euler"], "invalid choice: 'euler'"),
        (["generate", "red cube", "--out", "x.png", "--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_a_wrong_command_line_is_refused_before_any_work(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_a_folder_in_place_of_the_picture_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "scene.png").mkdir()
    with pytest.raises(SystemExit, match="2"):
        main(["generate", "red cube", "--out", str(tmp_path / "scene.png"), "--checkpoint", "never read"])
    assert "is a folder" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_no_traceback(model, tmp_path, capsys, monkeypatch):
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("ddpm.trajectory.Trajectory.save_png", full)
    assert main(["generate", "red cube", "--out", str(tmp_path / "scene.png"), "--checkpoint", model]) == 2
    assert capsys.readouterr().err == "ddpm: error: disk full\n"


def test_ctrl_c_is_no_traceback(monkeypatch, tmp_path):
    def interrupt(*_: object) -> Pipeline:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pipeline, "from_pretrained", interrupt)
    assert main(["generate", "red cube", "--out", str(tmp_path / "scene.png")]) == 130


def test_the_default_checkpoint_is_found_from_anywhere():
    assert bundled("default") == ROOT / "checkpoints" / "default"


def test_the_module_is_the_command(tmp_path):
    command = [sys.executable, "-m", "ddpm", "generate", "red cub", "--out", str(tmp_path / "scene.png")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "ddpm: error: unknown label 'red cub'; did you mean 'red cube'?\n"
