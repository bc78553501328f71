"""The study: rows that differ in one thing, trained and measured alike."""

import functools
import json

import pytest
import torch
from PIL import Image

from ddpm import Pipeline
from ddpm.checkpoint import ModelConfig
from ddpm.evaluator import EvaluatorConfig, build_network
from ddpm.labels import encode
from ddpm.schedule import NoiseSchedule
from training import study, train_evaluator
from training.loop.presets import PRESETS, STUDY
from training.measures import reports
from training.render import random_scenes, write_dataset
from training.train import train


def test_every_row_differs_from_the_report_in_what_it_says():
    report = STUDY["report"]
    same = ("batch", "seed", "prediction", "layout", "sampler", "steps")
    for name, config in STUDY.items():
        assert config.name == name
        assert all(getattr(config, key) == getattr(report, key) for key in same)
        assert (config.learning_rate == report.learning_rate) == (name != "report-slow")
        assert (config.decay == report.decay) == (name != "report-decay")
    assert STUDY["report-no-labels"].options == {"labels": False}
    assert STUDY["report-cosine"].schedule.kind == "cosine"
    assert set(study.ROWS) == {*STUDY, "default"}


def test_only_the_reports_network_takes_the_sizes():
    assert study.row_config("report-deeper", 16, 4, 8, 100).options == {"levels": 4, "width": 16, "patch": 4}
    assert study.row_config("report-deeper", 16, 4, 8, 100).batch == 8
    taught = study.row_config("report-deeper", 16, 4, 8, 100, taught=True)
    assert (taught.taught, taught.muon, taught.options["levels"]) == (2.5, 2e-3, 4)
    assert study.row_config("default", 16, 4, 8, 100, taught=True) == study.row_config("default", 16, 4, 8, 100)
    assert study.row_config("default", 16, 4, 8, 100) == study.replace(PRESETS["default"], images=100)


@pytest.mark.slow
def test_rows_are_trained_scored_and_shown(tmp_path, monkeypatch):
    make_scenes = functools.partial(random_scenes, range(6), 3, [1, 2, 3])
    write_dataset([([f"{i}.png" for i in range(6)], make_scenes)], tmp_path / "data")
    train_evaluator.save(tmp_path / "evaluator", build_network("gentle"), EvaluatorConfig("gentle"))
    (tmp_path / "spec.json").write_text(json.dumps([["red cube"], ["blue sphere", "gray cube"]]))
    (tmp_path / "STUDY.md").write_text("a\n<!-- study table -->\n<!-- end of study table -->\nb\n")
    monkeypatch.setattr(study, "QUICK", ("ddim", 2))
    short = {name: study.replace(STUDY[name], steps=3) for name in ("report", "report-no-labels")}
    monkeypatch.setattr(study, "PRESETS", short)
    command = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "runs"), "--width", "8", "--images", "64"]
    command += ["--fresh", str(tmp_path / "data")]
    command += ["--spec", str(tmp_path / "spec.json"), "--evaluator", str(tmp_path / "evaluator"), "--seeds", "2"]
    command += ["--docs", str(tmp_path), "--patch", "4", "--batch", "16"]
    command += ["--row", "report", "--row", "report-no-labels"]
    study.main(command)
    found = json.loads((tmp_path / "runs" / "report" / "figures.json").read_text())
    assert (found["width"], found["patch"], found["batch"], found["images"]) == (8, 4, 16, 64)
    assert [(result["sampler"], result["steps"]) for result in found["specs"]] == [("ddpm", 3), ("ddim", 2)]
    without = json.loads((tmp_path / "runs" / "report-no-labels" / "figures.json").read_text())
    assert without["errors"]["error"] > 0
    assert without["errors"]["gain"] == without["errors"]["gain_error"] == 0  # what it is not told makes no difference
    page = (tmp_path / "STUDY.md").read_text()
    assert page.startswith("a\n") and page.endswith("\nb\n")
    row = next(line for line in page.splitlines() if line.startswith("| report-no-labels |"))
    topk = {result["steps"]: result["topk_accuracy"] for result in without["specs"]}
    assert [cell.split(" ± ")[0].strip() for cell in row.split("|")[8:12:2]] == [f"{topk[3]:.3f}", f"{topk[2]:.3f}"]
    assert (tmp_path / "study-loss.png").exists() and (tmp_path / "study-samples.png").exists()

    trained = (tmp_path / "runs" / "report" / "log.csv").read_text()
    monkeypatch.setattr(study, "judge", None)  # what is there already is not measured again
    study.main(command)
    monkeypatch.undo()
    monkeypatch.setattr(study, "QUICK", ("ddim", 2))
    monkeypatch.setattr(study, "PRESETS", short)
    (tmp_path / "other.json").write_text(json.dumps([["red cube"]]))
    study.main([part.replace("spec.json", "other.json") for part in command])
    found = json.loads((tmp_path / "runs" / "report" / "figures.json").read_text())
    assert {result["spec"] for result in found["specs"]} == {"other.json"}
    assert "spec.json" not in (tmp_path / "STUDY.md").read_text()
    assert (tmp_path / "runs" / "report" / "log.csv").read_text() == trained


@pytest.mark.parametrize("number", ["0", "-1"])
def test_a_study_that_draws_nothing_is_refused_before_it_trains(tmp_path, capsys, number):
    command = ["--data", "x", "--fresh", "x", "--spec", "x", "--out", str(tmp_path / "runs"), "--images", "8"]
    with pytest.raises(SystemExit):
        study.main([*command, "--seeds", number])
    assert "--seeds must be at least 1" in capsys.readouterr().err and not (tmp_path / "runs").exists()


class Colorist(torch.nn.Module):
    """White where the first label is there, else black."""

    def forward(self, x: torch.Tensor, time: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (2 * labels[:, :1, None, None] - 1).expand_as(x)


def test_labels_gain_what_wrong_ones_would_cost():
    pictures = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 64, 64)
    config = ModelConfig("colorist", "unet", {}, "x0", NoiseSchedule(), "ddim", 2, 1.0)
    pipe = Pipeline(Colorist(), config)
    # Another's labels: each is told what its neighbor shows. The first two are wrong then, by the whole range of 2.
    assert study.denoising_errors(pipe, pictures, encode([["gray cube"], [], []])) == {
        "error": 0.0,
        "gain": 1.0,
        "gain_error": 0.5,  # squares saved: 4, 4, 0, with the mean 8 / 3 and the standard error 4 / 3
    }
    assert study.denoising_errors(pipe, pictures, encode([["red cube"], [], []]))["gain"] == 0
    misled = study.denoising_errors(pipe, pictures[[0, 0, 1, 2]], encode([[], [], [], ["gray cube"]]))
    assert misled["gain"] == -2.0  # three wrong with their own labels, one with another's


@pytest.mark.parametrize("row", ["report", "default"])  # the default asks for layouts, which the lab has not
def test_a_row_trains_on_the_labs_own_folder(tmp_path, row):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (320, 240), (100, 20, 30)).save(tmp_path / name)
    (tmp_path / "train.json").write_text('{"a.png": ["red cube"], "b.png": ["cyan sphere", "gray cube"]}')
    train(study.row_config(row, 8, 1, 16, 16), f"iclevr:{tmp_path}", tmp_path / "run")
    assert Pipeline.from_pretrained(tmp_path / "run" / "checkpoint").config.training["images_seen"] == 16


@pytest.mark.slow
def test_a_stopped_row_is_not_measured(tmp_path, monkeypatch):
    make_scenes = functools.partial(random_scenes, range(4), 3, [1, 2])
    write_dataset([([f"{i}.png" for i in range(4)], make_scenes)], tmp_path / "data")
    train_evaluator.save(tmp_path / "evaluator", build_network("gentle"), EvaluatorConfig("gentle"))
    (tmp_path / "spec.json").write_text('[["red cube"]]')
    (tmp_path / "STUDY.md").write_text("<!-- study table -->\n<!-- end of study table -->\n")
    monkeypatch.setattr(study, "train", functools.partial(train, minutes=1e-9))  # as a signal does: after one batch
    folders = ["--data", str(tmp_path / "data"), "--fresh", str(tmp_path / "data"), "--out", str(tmp_path / "runs")]
    files = ["--spec", str(tmp_path / "spec.json"), "--evaluator", str(tmp_path / "evaluator"), "--docs", str(tmp_path)]
    sizes = ["--width", "8", "--patch", "4", "--batch", "2", "--images", "64", "--row", "report"]
    with pytest.raises(SystemExit, match="report was stopped, so it is not measured"):
        study.main([*folders, *files, *sizes])
    assert (tmp_path / "runs" / "report" / "state.pt").exists()
    assert not (tmp_path / "runs" / "report" / "figures.json").exists()


def test_a_page_without_marks_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("nothing here")
    with pytest.raises(ValueError, match="must hold the marks <!-- x -->"):
        reports.fill(tmp_path / "page.md", "x", "text")
