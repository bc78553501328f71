"""Distances between sets of pictures, and the curve of quality against cost."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm import Pipeline, checkpoint
from ddpm.evaluator import EvaluatorConfig, build_network
from ddpm.labels import LABEL_ID
from ddpm.settings import Settings
from training import figures, frechet, quality, recovery, train_evaluator
from training.measures import drawing
from training.measures.frechet import frechet_distance
from training.render import main as render


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_same_pictures_are_no_distance_apart():
    features = normal(0, 50, 8)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_of_one_dimension_it_is_the_textbook_formula():
    a, b = normal(0, 100, 1), 3 * normal(1, 80, 1) + 2
    expected = (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-5)


def test_it_is_symmetric_and_agrees_with_the_square_root_of_the_product():
    a, b = normal(0, 60, 5), normal(1, 70, 5) @ normal(2, 5, 5) + 1
    product = torch.cov(a.double().T) @ torch.cov(b.double().T)
    trace = np.sqrt(np.linalg.eigvals(product.numpy()).astype(complex)).sum().real
    covariances = torch.cov(a.double().T).trace() + torch.cov(b.double().T).trace()
    expected = (a.double().mean(0) - b.double().mean(0)).square().sum() + covariances - 2 * trace
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline) -> Path:
    """A folder with a tiny model, an untrained judge, six renders and a spec."""
    folder = tmp_path_factory.mktemp("quality")
    checkpoint.save(folder / "model", pipeline.network, pipeline.config)
    train_evaluator.save(folder / "evaluator", build_network("gentle"), EvaluatorConfig("gentle"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["render", "--count", "6", "--seed", "1", "--out", str(folder / "data")])
        render()
    (folder / "spec.json").write_text(json.dumps([["red cube"], ["blue sphere", "gray cube"]]))
    return folder


def models(work: Path) -> list[str]:
    return ["--checkpoint", str(work / "model"), "--evaluator", str(work / "evaluator")]


def test_the_distance_stands_beside_its_floor(work: Path) -> None:
    out = work / "frechet.json"
    frechet.main(
        [
            *models(work),
            "--data",
            str(work / "data"),
            "--count",
            "3",
            "--steps",
            "2",
            "--json",
            str(out),
            "--second-opinion",
        ]
    )
    report = json.loads(out.read_text())
    assert report["count"] == 3
    assert report["steps"] == 2
    assert report["frechet_distance"] > 0
    assert report["floor"] > 0
    assert report["kernel_distance"] > abs(report["kernel_floor"])  # three pictures of noise
    assert report["kernel_distance_error"] is None


def test_too_few_renders_are_refused(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        frechet.main([*models(work), "--data", str(work / "data"), "--count", "4", "--json", str(work / "x.json")])
    assert "--count must be from 2 to half of the 6 pictures" in capsys.readouterr().err


def test_what_is_noised_less_stays_nearer_to_the_truth(pipeline: Pipeline) -> None:
    x0, conditions = normal(0, 3, 3, 64, 64).clamp(-1, 1), torch.zeros(3, 24)
    far, near = (
        (drawing.recovered(pipeline, x0, conditions, start, Settings("ddim", 20, 2.0)) - x0).square().mean()
        for start in (900, 50)
    )
    assert near < 0.1 * far


def test_a_recovered_picture_does_not_depend_on_its_batch(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    x0, conditions = normal(0, 3, 3, 64, 64).clamp(-1, 1), torch.zeros(3, 24)
    settings = Settings("sde-dpm++", 20, 2.0)
    whole = drawing.recovered(pipeline, x0, conditions, 500, settings)
    monkeypatch.setattr(drawing, "BATCH", 2)
    torch.testing.assert_close(drawing.recovered(pipeline, x0, conditions, 500, settings), whole, rtol=0, atol=1e-3)


def test_recovery_is_reported_for_each_start_and_by_what_is_in_sight(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = work / "recovery.json"
    options = [*models(work), "--count", "6", "--counts", "2", "3", "--json", str(out)]
    recovery.main([*options, "--starts", "900", "40"])
    report = json.loads(out.read_text())
    assert [row["start"] for row in report["rows"]] == [900, 40, 0]
    assert all(sum(bin["objects"] for bin in row["in_sight"]) == 15 for row in report["rows"])
    assert "| none |" in capsys.readouterr().out
    for wrong, word in ((["--starts", "1001"], "1001"), (["--count", "0"], "--count")):
        with pytest.raises(SystemExit):
            recovery.main([*options, *wrong])
        assert word in capsys.readouterr().err


def test_objects_are_counted_by_how_much_of_them_is_in_sight() -> None:
    scenes = [["red cube", "blue cube"], ["green sphere"]]
    shares = [[1.0, 0.49], [0.95]]
    p = torch.zeros(2, 24)
    p[0, LABEL_ID["red cube"]] = p[1, LABEL_ID["green sphere"]] = 0.9
    assert recovery.lost_by_sight(p, scenes, shares) == [
        {"from": 0.0, "objects": 1, "lost": 1.0},
        {"from": 0.9, "objects": 1, "lost": 0.0},
        {"from": 1.0, "objects": 1, "lost": 0.0},
    ]


def test_the_curve_holds_the_default_once() -> None:
    default = Settings("dpm++", 25, 3.0)
    settings = quality.curve(default)
    assert settings[0] == default
    assert len(settings) == len(set(settings))
    assert Settings("ddpm", 1000, 3.0) in settings
    assert Settings("dpm++", 25, 6.0) in settings
    assert Settings("ddim", 25, 6.0) not in settings


@pytest.mark.slow
def test_a_curve_is_measured_once_and_shown(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "GUIDANCE", (1.0, 2.0))
    monkeypatch.setattr(quality, "STEPS", {"ddim": (2,), "ddpm": (1000,)})
    out = work / "docs"
    out.mkdir()
    (out / "QUALITY.md").write_text("before\n<!-- quality table -->\nold\n<!-- end of quality table -->\nafter\n")
    command = [*models(work), "--spec", str(work / "spec.json"), "--data", str(work / "data"), "--count", "3"]
    command += ["--seeds", "2", "--slowest", "100", "--out", str(out)]
    quality.main(command)
    rows = json.loads((out / "quality.json").read_text())
    assert [(row["sampler"], row["steps"], row["guidance"]) for row in rows] == [
        *(("ddim", 25, 2.0), ("ddim", 25, 1.0), ("ddim", 2, 2.0))
    ]
    page = (out / "QUALITY.md").read_text()
    assert page.startswith("before\n") and page.endswith("\nafter\n") and "old" not in page
    assert page.count("| ddim |") == 3
    assert "| ddim | 25 | 1 | 25 |" in page  # one network call a step without guidance, two with
    assert "| ddim | 25 | 2 | 50 |" in page
    assert (out / "quality.png").stat().st_size > 1000
    before = (out / "quality.json").read_text()
    quality.main(command)
    assert (out / "quality.json").read_text() == before
    (work / "longer.json").write_text(json.dumps([[], [], [], []]))
    with pytest.raises(SystemExit):
        quality.main([part.replace("spec.json", "longer.json") for part in command])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--seeds", "0"), "--seeds must be at least 1"),
        (("--count", "1"), "--count must be from 2"),
        (("--count", "1000"), "--count must be from 2"),
    ],
)
def test_a_curve_of_nothing_is_refused(
    work: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], message: str
) -> None:
    command = [*models(work), "--spec", str(work / "spec.json"), "--data", str(work / "data"), "--out", str(work / "x")]
    with pytest.raises(SystemExit):
        quality.main([*command, *change])
    assert message in capsys.readouterr().err


def test_the_nearest_neighbour_of_a_picture_is_itself() -> None:
    pictures = torch.rand(20, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert figures.nearest(pictures[[3, 17]], pictures, 2)[:, 0].tolist() == [3, 17]


@pytest.mark.slow
def test_neighbours_and_failures_are_drawn(work: Path) -> None:
    figures.main(
        [
            *models(work),
            "--out",
            str(work / "pictures"),
            "--data",
            str(work / "data"),
            "--spec",
            str(work / "spec.json"),
        ]
    )
    names = {path.name for path in (work / "pictures").iterdir()}
    assert names == {"samples.png", "trajectory.png", "neighbours.png", "failures.png"}
