"""Scoring and timing a checkpoint from the command line, on a tiny network with random weights."""

import json
import math
import re
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm import Pipeline, checkpoint, labels, scores
from ddpm.cli import main
from ddpm.evaluator import EvaluatorConfig, build_network
from ddpm.networks import build
from ddpm.pictures import cut, in_natural_order, open_picture, read_picture
from ddpm.schedule import NoiseSchedule
from ddpm.settings import Settings
from training import benchmark, evaluate, train_evaluator
from training.measures import speed
from training.render import main as render

SCENES = [["red cube"], [], ["blue sphere", "gray cube"]]
OTHER = [["cyan cylinder", "red cube", "gray cube"]]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, an evaluator and two spec files."""
    folder = tmp_path_factory.mktemp("work")
    torch.manual_seed(0)
    options = {"width": 8}
    config = checkpoint.ModelConfig(
        "tiny", "context_unet", options, "v", NoiseSchedule(), sampler="ddim", steps=3, guidance=2.0
    )
    checkpoint.save(folder / "model", build("context_unet", options), config)
    train_evaluator.save(folder / "evaluator", build_network("gentle"), EvaluatorConfig("gentle"))
    (folder / "first.json").write_text(json.dumps(SCENES))
    (folder / "second.json").write_text(json.dumps(OTHER))
    return folder


def run(work: Path, *arguments: str, specs: tuple[str, ...] = ("first.json",)) -> dict:
    out = work / "out" / "figures.json"
    chosen = [part for spec in specs for part in ("--spec", str(work / spec))]
    places = ["--checkpoint", str(work / "model"), "--evaluator", str(work / "evaluator"), "--json", str(out)]
    evaluate.main([*places, *chosen, *arguments])
    return json.loads(out.read_text())


def test_every_spec_gets_its_figures(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(work, "--seeds", "2", specs=("first.json", "second.json"))
    assert report["checkpoint"] == str(work / "model") and report["evaluator"] == str(work / "evaluator")
    first, second = report["specs"]
    assert set(first) == {
        *("spec", "images", "labels", "seeds", "topk_accuracy", "topk_standard_error", "per_image_accuracy"),
        *(
            "exact_match",
            "exact_standard_error",
            "exact_match_labels",
            "duplicates",
            "by_object_count",
            "seconds_per_image",
            "sampler",
            "steps",
            "guidance",
        ),
    }
    assert (first["images"], first["labels"], first["seeds"]) == (3, 3, 2)
    assert (second["images"], second["labels"]) == (1, 3)
    assert (first["sampler"], first["steps"], first["guidance"]) == ("ddim", 3, 2.0)
    for figure in ("topk_accuracy", "per_image_accuracy", "exact_match", "exact_match_labels"):
        assert 0 <= first[figure] <= 1
    assert first["exact_match"] == first["exact_match_labels"]  # this evaluator cannot count
    assert first["duplicates"] is None
    assert list(first["by_object_count"]) == ["0", "1", "2"]
    assert first["by_object_count"]["0"]["topk_accuracy"] is None  # nothing was requested
    assert first["seconds_per_image"] > 0
    table = capsys.readouterr().out
    assert "first.json" in table and "second.json" in table


def test_renders_are_judged_like_drawn_pictures(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["render", "--count", "4", "--counts", "1", "3", "--out", str(work / "renders")])
    render()
    asked = labels.encode(list(json.loads((work / "renders" / "labels.json").read_text()).values()))
    answers = iter([torch.zeros(3, 24), asked])  # nothing in three drawn scenes, and all that the renders show
    monkeypatch.setattr(evaluate.Evaluator, "__call__", lambda _, pictures: next(answers))
    report = run(work, "--seeds", "1", "--renders", str(work / "renders"))
    assert report["specs"][0]["exact_match"] == pytest.approx(1 / 3, abs=1e-5)
    assert (report["renders"]["images"], report["renders"]["exact_match"]) == (4, 1.0)
    assert report["renders"]["by_object_count"].keys() <= {"1", "3"}


def test_the_first_seeds_pictures_are_kept_as_the_hand_in_asks(work: Path) -> None:
    report = run(work, "--seeds", "2", "--images", str(work / "kept"), specs=("first.json", "second.json"))
    drawn = Pipeline.from_pretrained(work / "model").generate(SCENES)
    files = in_natural_order(work / "kept" / "first")
    assert [file.name for file in files] == ["0.png", "1.png", "2.png"]
    torch.testing.assert_close(torch.cat([read_picture(file) for file in files]), drawn, atol=1 / 127, rtol=0)
    torch.testing.assert_close(cut(open_picture(work / "kept" / "first.png")), drawn, atol=1 / 127, rtol=0)
    assert open_picture(work / "kept" / "second.png").size == (68, 68)
    assert open_picture(work / "kept" / "denoising.png").height == 2 * 192

    scored = [
        main(
            [
                "evaluate",
                str(place),
                "--spec",
                str(work / "first.json"),
                "--evaluator",
                str(work / "evaluator"),
                "--json",
                str(work / "scores.json"),
            ]
        )
        for place in (work / "kept" / "first", work / "kept" / "first.png")
    ]
    assert scored == [0, 0]
    found = json.loads((work / "scores.json").read_text())
    assert (found["images"], found["seeds"]) == (report["specs"][0]["images"], 1)


def test_the_hand_in_holds_nothing_of_another_run(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = work / "handed-in"
    run(work, "--seeds", "1", "--images", str(kept))
    (work / "shorter").mkdir()
    (work / "shorter" / "first.json").write_text(json.dumps(SCENES[:1]))
    with pytest.raises(SystemExit):
        run(work, "--images", str(kept), specs=("shorter/first.json",))
    assert "1.png is there already, and only 1 pictures are to be drawn" in capsys.readouterr().err
    assert len(in_natural_order(kept / "first")) == 3
    (work / "denoising.json").write_text("[[]]")
    with pytest.raises(SystemExit):
        run(work, "--images", str(work / "elsewhere"), specs=("denoising.json",))
    assert "a picture of its own called denoising.png" in capsys.readouterr().err
    assert not (work / "elsewhere").exists()


@pytest.mark.parametrize("place", ["one", "one.png", "one/0.png"])
def test_a_spec_of_one_scene_is_scored_from_whatever_shows_it(work: Path, place: str) -> None:
    (work / "one.json").write_text('[["red cube"]]')
    report = run(work, "--seeds", "1", "--images", str(work / "single"), specs=("one.json",))
    spec, judge = ["--spec", str(work / "one.json")], ["--evaluator", str(work / "evaluator")]
    out = work / "single.json"
    assert main(["evaluate", str(work / "single" / place), *spec, *judge, "--json", str(out)]) == 0
    assert json.loads(out.read_text())["topk_accuracy"] == report["specs"][0]["topk_accuracy"]


def test_where_the_system_tells_no_peak_the_benchmark_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert speed.peak_bytes() > 10_000_000
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert speed.peak_bytes() is None


def test_two_specs_of_one_name_cannot_share_a_folder(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "again").mkdir()
    (work / "again" / "first.json").write_text("[[]]")
    with pytest.raises(SystemExit):
        run(work, "--images", str(work / "kept"), specs=("first.json", "again/first.json"))
    assert "two are called first" in capsys.readouterr().err


def test_settings_can_be_overridden_and_one_seed_has_no_standard_error(work: Path) -> None:
    (result,) = run(work, "--seeds", "1", "--sampler", "dpm++", "--steps", "2", "--guidance", "0")["specs"]
    assert (result["sampler"], result["steps"], result["guidance"]) == ("dpm++", 2, 0.0)
    assert result["topk_standard_error"] is None


def test_a_bad_spec_stops_before_anything_is_drawn(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "bad.json").write_text('[["red cube"], ["red cubes"]]')
    with pytest.raises(SystemExit):
        run(work, specs=("first.json", "bad.json"))
    assert re.search(r"bad\.json.*scene 1", capsys.readouterr().err)


@pytest.mark.parametrize("arguments", [("--seeds", "0"), ("--sampler", "euler")])
def test_wrong_arguments_are_refused(
    work: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit):
        run(work, *arguments)
    assert arguments[0] in capsys.readouterr().err


def test_renders_with_a_label_twice_are_refused(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "twice" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(work / "twice" / "images" / "a.png")
    (work / "twice" / "labels.json").write_text('{"a.png": ["red cube", "red cube"]}')
    with pytest.raises(SystemExit):
        run(work, "--renders", str(work / "twice"))
    assert "shows labels twice" in capsys.readouterr().err


def test_mistakes_in_files_are_named_before_anything_is_drawn(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "none.json").write_text("[]")
    for spec in ("none.json", "missing.json", ""):
        with pytest.raises(SystemExit):
            run(work, specs=("first.json", spec))
        assert str(work / spec) in capsys.readouterr().err


def test_empty_scenes_alone_have_no_accuracy_but_are_drawn(work: Path) -> None:
    (work / "empty.json").write_text("[[]]")
    (result,) = run(work, specs=("empty.json",))["specs"]
    assert result["topk_accuracy"] is None and result["topk_standard_error"] is None
    assert result["exact_match"] is not None


def test_the_hand_in_is_one_command(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = work / "hand-in"
    places = ["--checkpoint", str(work / "model"), "--evaluator", str(work / "evaluator"), "--seeds", "1"]
    evaluate.main(
        [*places, "--spec", str(work / "first.json"), "--spec", str(work / "second.json"), "--images", str(out)]
    )
    written = {file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()}
    pictures = {"first/0.png", "first/1.png", "first/2.png", "second/0.png"}
    assert written == pictures | {"first.png", "second.png", "denoising.png", "scores.json"}
    assert [spec["images"] for spec in json.loads((out / "scores.json").read_text())["specs"]] == [3, 1]
    evaluate.main([*places, "--spec", str(work / "first.json")])  # without a file: the table alone
    assert capsys.readouterr().out.count("first.json") == 2


def test_the_evaluator_may_steer_what_it_judges(work: Path) -> None:
    report = run(work, "--seeds", "1", "--evaluator-guidance", "5")
    assert report["specs"][0]["evaluator_guidance"] == 5
    assert "evaluator_guidance" not in run(work, "--seeds", "1")["specs"][0]


def test_no_two_images_share_their_noise(work: Path) -> None:
    pipe = Pipeline(*checkpoint.load(work / "model"))  # in float32, whatever the machine
    settings = Settings("ddim", steps=1, guidance=0.0)  # unconditional: pictures differ by their noise alone
    images, _ = evaluate.draw(pipe, [[], [], []], 2, settings)
    assert images.shape == (2, 3, 3, 64, 64)
    flat = images.flatten(0, 1).flatten(1)
    assert torch.pdist(flat).min() > 0
    torch.testing.assert_close(flat, pipe.generate([[]] * 6, 0, "ddim", 1, 0.0).flatten(1), atol=1e-4, rtol=1e-3)


def test_figures_are_means_over_seeds() -> None:
    requested = labels.encode(SCENES)
    right, wrong = requested * 0.9, requested.roll(1, dims=1) * 0.9
    result = scores.score(torch.stack([right, wrong, right]), SCENES)
    assert result["topk_accuracy"] == pytest.approx(2 / 3, abs=1e-5)
    assert result["topk_standard_error"] == pytest.approx(math.sqrt(1 / 3) / math.sqrt(3), abs=1e-5)
    assert result["per_image_accuracy"] == pytest.approx(2 / 3, abs=1e-5)
    assert result["exact_match"] == pytest.approx((3 + 1 + 3) / 9, abs=1e-5)  # the empty scene is right each time
    assert result["exact_standard_error"] == pytest.approx((2 / 3) / 3, abs=1e-5)
    assert result["by_object_count"]["2"] == {
        "images": 1,
        "topk_accuracy": pytest.approx(2 / 3, abs=1e-5),
        "topk_standard_error": pytest.approx(1 / 3, abs=1e-5),
        "exact_match": pytest.approx(2 / 3, abs=1e-5),
        "exact_standard_error": pytest.approx(1 / 3, abs=1e-5),
        "exact_match_labels": pytest.approx(2 / 3, abs=1e-5),
        "duplicates": None,
    }


def test_an_object_drawn_twice_is_no_exact_match() -> None:
    requested = labels.encode(SCENES)
    once, twice = requested.long(), requested.long()
    twice[2] *= 2
    result = scores.score(torch.stack([requested, requested]), SCENES, torch.stack([once, twice]))
    assert result["exact_match"] == pytest.approx((3 + 2) / 6, abs=1e-5)
    assert result["exact_match_labels"] == 1 and result["topk_accuracy"] == 1
    assert result["duplicates"] == pytest.approx(1 / 6, abs=1e-5)
    by_size = result["by_object_count"]
    assert [by_size[size]["duplicates"] for size in ("0", "1", "2")] == [0, 0, 0.5]
    assert by_size["2"]["exact_match"] == 0.5


def test_an_evaluator_that_counts_is_asked_for_counts() -> None:
    class Counting:
        config = EvaluatorConfig(counts=True)

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return labels.encode(SCENES).repeat(2, 1)

        def counts(self, x: torch.Tensor) -> torch.Tensor:
            return labels.encode(SCENES).long().repeat(2, 1) * 2

    result = evaluate.judge(Counting(), torch.zeros(2, 3, 3, 64, 64), SCENES)  # type: ignore[arg-type]
    assert result["exact_match_labels"] == 1
    assert result["exact_match"] == pytest.approx(1 / 3, abs=1e-5)  # the empty scene
    assert result["duplicates"] == pytest.approx(2 / 3, abs=1e-5)


@pytest.mark.slow
def test_benchmark_times_the_model_and_the_page_and_names_the_hardware(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "REPEATS", 1)
    monkeypatch.setattr(benchmark, "FEW", 1)
    monkeypatch.setattr(benchmark, "PICTURES", (1,))
    monkeypatch.setattr(benchmark, "PAGE_STEPS", 2)
    monkeypatch.setattr(speed, "REPORT_WIDTH", 8)
    out = work / "speed.json"
    places = ["--checkpoint", str(work / "model"), "--evaluator", str(work / "evaluator"), "--json", str(out)]
    benchmark.main(places)
    report = json.loads(out.read_text())
    assert list(report["forward_seconds_by_batch"]) == ["1", "2", "8", "16"]
    assert all(seconds > 0 for seconds in report["forward_seconds_by_batch"].values())
    assert report["generate_seconds"] > 0 and report["settings"]["steps"] == 3
    assert set(report["page"]) == {"steps", "generate", "frames", "charts", "share", "after"}
    assert report["page"]["steps"] == 2 and report["page"]["generate"] > 0
    assert report["hardware"]["threads"] >= 1 and report["hardware"]["device"]
    one = report["against_others"]["1"]
    assert one["report"]["seconds_if_all_steps_cost_the_same"] == pytest.approx(1000 * one["report"]["step_seconds"])
    assert one["diffusers"]["times_slower_than"]["model"] > 1
    assert set(one["diffusers"]["times_slower_than"]) == set(one["seconds"]) <= {"model", "model, OpenVINO"}
    assert all(0 < share < 2 for share in report["share_of_convolution_rate_by_batch"].values())
    assert report["training"]["images_per_second"] > 0 and report["start_to_first_frame_seconds"] > 0
    assert report["peak_bytes"] > 1e8


def test_flop_are_those_of_the_convolutions_counted_by_hand() -> None:
    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)

        def forward(self, x: torch.Tensor, time: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.conv(x)

    assert speed.forward_flop(Network()) == 2 * 9 * 3 * 8 * 64 * 64
    assert speed.forward_flop(Network().bfloat16()) == 2 * 9 * 3 * 8 * 64 * 64


def test_calls_are_timed_in_turn() -> None:
    order: list[str] = []
    medians = speed.interleaved({name: lambda name=name: order.append(name) for name in "ab"}, repeats=2)
    assert "".join(order) == "aabbaabb" and set(medians) == {"a", "b"}
