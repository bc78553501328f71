"""How far the evaluator can be trusted: calibration, and pictures on the way."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm import Pipeline, checkpoint
from ddpm.labels import NUM_LABELS
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule
from training import judging, predictions
from training.loop.dataset import DatasetError
from training.loop.predicted import Predictions
from training.measures.judging import calibration_error, on_the_way
from training.predictions import draw, predict
from training.render import random_scenes
from training.scene.placement import Scene
from training.scene.tracer import render


@pytest.fixture(scope="module")
def pipe() -> Pipeline:
    torch.manual_seed(0)
    config = checkpoint.ModelConfig(
        "tiny", "context_unet", {"width": 8}, "v", NoiseSchedule(steps=10), sampler="ddim", steps=3, guidance=2.0
    )
    return Pipeline(build("context_unet", {"width": 8}), config)


# --- Calibration ---


def test_calibration_error_of_honest_sure_and_wrong_answers() -> None:
    labels = torch.tensor([1.0, 0.0, 0.0, 0.0])
    assert calibration_error(torch.full((4,), 0.25), labels) == pytest.approx(0)
    assert calibration_error(labels, labels) == 0
    assert calibration_error(1 - labels, labels) == 1
    # half of the answers 0.5 too high, in a bin of their own; too high and too low in different bins do not cancel
    p = torch.tensor([0.05, 0.05, 0.55, 0.55])
    assert calibration_error(p, torch.zeros(4)) == pytest.approx(0.3)
    assert calibration_error(torch.tensor([0.3, 0.7]), torch.tensor([1.0, 0.0])) == pytest.approx(0.7)


def test_what_no_picture_tells_is_null(tmp_path: Path) -> None:
    nothing = Predictions(torch.zeros(0, 3, 64, 64, dtype=torch.uint8), *(torch.zeros(0),) * 3)
    nothing = Predictions(nothing.images, nothing.t, torch.zeros(0, NUM_LABELS), nothing.guidance)
    row = on_the_way(lambda x: torch.zeros(len(x), NUM_LABELS), nothing)[0]  # type: ignore[arg-type]
    assert row["images"] == 0
    assert row["calibration_error"] is row["mean_probability"] is row["share_of_labels"] is None


def test_each_fifth_of_the_timesteps_has_its_own_row() -> None:
    class Sure:
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return torch.eye(NUM_LABELS)[:1].expand(len(x), -1)

    counts = torch.zeros(6, NUM_LABELS, dtype=torch.int64)
    counts[:3, 0] = 1  # right for the first three
    images = torch.zeros(6, 3, 64, 64, dtype=torch.uint8)
    found = Predictions(images, torch.tensor([1, 200, 201, 800, 801, 1000]), counts, torch.ones(6))
    rows = on_the_way(Sure(), found)  # type: ignore[arg-type]
    assert [row["images"] for row in rows] == [2, 1, 0, 1, 2]
    assert [row["sure_and_right"] for row in rows] == [2, 1, 0, 0, 0]
    assert [row["calibration_error"] for row in rows[::4]] == [0, pytest.approx(1 / 24, abs=1e-4)]


# --- Predictions ---


def test_predictions_are_those_of_the_denoiser_and_can_be_stored(pipe: Pipeline, tmp_path: Path) -> None:
    images = torch.randint(0, 256, (40, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    counts = torch.zeros(40, NUM_LABELS, dtype=torch.int64)
    found = predict(pipe, images, counts, seed=1)
    assert found.images.shape == images.shape and found.images.dtype == torch.uint8
    assert found.t.min() >= 1 and found.t.max() <= 10
    assert set(found.guidance.tolist()) == {0.0, 1.0, 2.0}
    again = predict(pipe, images, counts, seed=1)
    assert torch.equal(found.images, again.images) and not torch.equal(found.images, images)
    found.save(tmp_path / "p.npz")
    loaded = Predictions.load(tmp_path / "p.npz")
    assert all(torch.equal(value, vars(loaded)[name]) for name, value in vars(found).items())


def test_sizes_are_drawn_as_in_training_scenes() -> None:
    counts = torch.zeros(60, NUM_LABELS, dtype=torch.int64)
    counts[10:, 0] = 1  # ten empty scenes, fifty with one object
    chosen = draw(counts, 4000, seed=0)
    assert (chosen < 10).float().mean() == pytest.approx(0.03 / 0.20, abs=0.03)


def write_renders(folder: Path, scenes: list[Scene]) -> None:
    (folder / "images").mkdir(parents=True)
    for i, picture in enumerate(render(scenes)):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / "images" / f"{i}.png")
    (folder / "labels.json").write_text(json.dumps({f"{i}.png": scene.labels for i, scene in enumerate(scenes)}))


def test_from_renders_to_figures_on_the_command_line(pipe: Pipeline, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "model", pipe.network, pipe.config)
    data, file, out = str(tmp_path / "data"), str(tmp_path / "p.npz"), str(tmp_path / "figures.json")
    write_renders(tmp_path / "data", random_scenes(range(3), seed=0, counts=[1, 2]))
    predictions.main(["--checkpoint", str(tmp_path / "model"), "--data", data, "--count", "5", "--out", file])
    assert len(Predictions.load(Path(file)).t) == 5
    judging.main(["--data", data, "--predictions", file, "--json", out])
    report = json.loads(Path(out).read_text(encoding="utf-8"))
    assert report["renders"][data]["exact_match"] == 1
    assert [row["images"] for row in report["on_the_way"]][0] == 5  # ten timesteps are all in the first fifth


@pytest.mark.parametrize(("change", "reason"), [(("--count", "0"), "--count"), (("--data", "none"), "no label file")])
def test_bad_arguments_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], reason: str
) -> None:
    write_renders(tmp_path, [Scene(())])
    arguments = {"--checkpoint": "checkpoints/report", "--data": str(tmp_path), "--count": "1", "--out": "x"}
    with pytest.raises(SystemExit):
        predictions.main([part for item in {**arguments, change[0]: change[1]}.items() for part in item])
    assert reason in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_renders(tmp_path, [Scene(())])
    monkeypatch.setattr(predictions, "predict", None)
    with pytest.raises(SystemExit):
        predictions.main(["--data", str(tmp_path), "--count", "1", "--out", str(tmp_path)])
    assert "Is a directory" in capsys.readouterr().err


@pytest.mark.parametrize("length", [0, 40, 2000])
def test_a_file_of_predictions_that_is_cut_short_is_named(pipe: Pipeline, tmp_path: Path, length: int) -> None:
    images, counts = torch.zeros(2, 3, 64, 64, dtype=torch.uint8), torch.zeros(2, NUM_LABELS, dtype=torch.int64)
    predict(pipe, images, counts, 0).save(tmp_path / "p.npz")
    (tmp_path / "p.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:length])
    with pytest.raises(DatasetError, match=r"p\.npz is no file of training\.predictions"):
        Predictions.load(tmp_path / "p.npz")
