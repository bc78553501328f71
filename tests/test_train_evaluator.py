"""Training the evaluator: what it learns from, what it is asked, and what it leaves."""

import json
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm import labels
from ddpm.evaluator import Evaluator
from ddpm.schedule import NoiseSchedule
from training import train_evaluator
from training.loop.dataset import DatasetError
from training.loop.predicted import Predictions


def noise(n: int) -> torch.Tensor:
    return torch.rand(n, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def write_data(folder: Path, n: int) -> None:
    (folder / "images").mkdir()
    for i in range(n):
        Image.new("RGB", (64, 64), (20 * i, 90, 90)).save(folder / "images" / f"{i}.png")
    (folder / "labels.json").write_text(json.dumps({f"{i}.png": [labels.LABELS[i]] for i in range(n)}))


def test_training_writes_an_evaluator_that_says_how_it_was_made_and_can_go_on(tmp_path: Path) -> None:
    write_data(tmp_path, 6)
    first, second = tmp_path / "first", tmp_path / "second"
    train_evaluator.main(["--data", str(tmp_path), "--out", str(first), "--minutes", "0.005"])
    train_evaluator.main(["--data", str(tmp_path), "--out", str(second), "--minutes", "0.005", "--init", str(first)])
    made = Evaluator.from_pretrained(first, device="cpu").config.training
    assert made["images"] == 5 and made["held_out_images"] == 1 and made["images_seen"] % 5 == 0
    assert set(made["held_out"]) == {"topk_accuracy", "per_image_accuracy", "exact_match", "counts_right"}
    assert Evaluator.from_pretrained(second, device="cpu").config.training["init"] == made


def test_a_place_that_is_no_folder_is_refused_before_the_training(tmp_path: Path, capsys) -> None:
    write_data(tmp_path, 6)
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        train_evaluator.main(["--data", str(tmp_path), "--out", str(tmp_path / "file"), "--minutes", "0.005"])
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize(("pictures", "message"), [(1, "holds one picture; one is held out"), (6, "is_closed")])
def test_what_would_come_to_nothing_is_refused_before_the_training(tmp_path: Path, capsys, pictures, message) -> None:
    write_data(tmp_path, pictures)
    out = tmp_path / "is_closed"
    (out / "model.safetensors").mkdir(parents=True)
    with pytest.raises(SystemExit):
        train_evaluator.main(["--data", str(tmp_path), "--out", str(out), "--minutes", "0.005"])
    assert message in capsys.readouterr().err


def test_a_signal_ends_it_early_and_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(tmp_path, 6)
    learned = train_evaluator.loss

    def loss(*arguments: torch.Tensor) -> torch.Tensor:
        signal.raise_signal(signal.SIGTERM)
        return learned(*arguments)

    monkeypatch.setattr(train_evaluator, "loss", loss)
    train_evaluator.main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--minutes", "60"])
    made = Evaluator.from_pretrained(tmp_path / "out", device="cpu").config.training
    assert made["images_seen"] == 5 and made["minutes"] < 5


def test_training_takes_several_folders_and_files_of_predictions(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_data(tmp_path / name, 3)
    images = torch.zeros(4, 3, 64, 64, dtype=torch.uint8)
    predictions = Predictions(images, torch.tensor([1, 2, 3, 1000]), torch.zeros(4, 24).long(), torch.ones(4))
    predictions.save(tmp_path / "p.npz")
    (images, counts), held_out = train_evaluator.read(
        [str(tmp_path / "one"), str(tmp_path / "two")], [tmp_path / "p.npz"]
    )
    assert images.shape == (8, 3, 64, 64) and counts.sum(1).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert [part.shape[0] for part in held_out] == [2, 2] and held_out[1][:, 2].tolist() == [1, 1]
    (tmp_path / "p.npz").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"p\.npz is no file of training\.predictions"):
        Predictions.load(tmp_path / "p.npz")


def test_the_loss_asks_for_labels_and_for_one_and_two_objects() -> None:
    counts = torch.tensor([[0, 1, 2] * 8])
    sure = torch.stack([torch.where(counts > 0, 20.0, -20.0), torch.tensor([[-1.0, 1.0, 3.0] * 8])], dim=1)
    assert train_evaluator.loss(sure, counts) < 0.02
    for answer, label in [(0, 1), (1, 1), (1, 2)]:  # a label unseen; one seen twice, or once instead of twice
        wrong = sure.clone()
        wrong[0, answer, label] = -20.0 if answer == 0 else 3.0 - label
        assert train_evaluator.loss(wrong, counts) > 0.15


def test_a_share_of_the_pictures_drowns_in_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(400, 3, 64, 64)
    noisy = train_evaluator.add_noise(x, NoiseSchedule(), torch.Generator().manual_seed(0))
    changed = (noisy != 0).flatten(1).any(1)
    assert 0.02 < changed.float().mean() < 0.1
    assert noisy.abs().max() <= 1


def test_augmented_pictures_stay_pictures_and_follow_the_generator() -> None:
    x = noise(4)
    first, again = (train_evaluator.augment(x, torch.Generator().manual_seed(3)) for _ in range(2))
    assert first.shape == x.shape and first.abs().max() <= 1
    assert torch.equal(first, again) and not torch.equal(first, x)


def test_half_of_the_augmented_pictures_are_mirrored() -> None:
    ramp = torch.linspace(-1, 1, 64).expand(200, 3, 64, 64)  # dark on the left
    x = train_evaluator.augment(ramp, torch.Generator().manual_seed(0))
    dark_right = (x[..., :16].mean((1, 2, 3)) > x[..., -16:].mean((1, 2, 3))).float().mean()
    assert 0.4 < dark_right < 0.6


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    rates = [train_evaluator.one_cycle(i / 100) for i in range(101)]
    peak = rates.index(max(rates))
    assert rates[peak] == 1 and 0 < rates[0] < 0.1 and rates[-1] == pytest.approx(0)
    assert rates == sorted(rates[:peak]) + sorted(rates[peak:], reverse=True)
