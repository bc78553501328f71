"""Reading labelled pictures: a rendered folder, the lab's folder, and what is said when one is damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm.labels import LABEL_ID, LabelError
from training.loop import dataset

ENTRIES = {"b.png": ["red cube", "cyan sphere"], "a.png": []}


def write_pictures(folder: Path, size: tuple[int, int], mode: str = "RGB") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for value, name in enumerate(ENTRIES):
        Image.new("RGB", size, (100 + value, 20, 30)).convert(mode).save(folder / name)


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "images", (64, 64))
    (tmp_path / "labels.json").write_text(json.dumps(ENTRIES))
    return tmp_path


def test_a_rendered_folder_comes_in_the_order_of_its_label_file(rendered: Path) -> None:
    images, labels = dataset.load(rendered)
    assert images.dtype == torch.uint8 and images.shape == (2, 3, 64, 64)
    assert images[:, :, 5, 7].tolist() == [[100, 20, 30], [101, 20, 30]]
    assert labels.dtype == torch.float32 and labels.shape == (2, 24)
    assert labels[0].nonzero().flatten().tolist() == [LABEL_ID["red cube"], LABEL_ID["cyan sphere"]]
    assert labels[1].sum() == 0


def test_a_label_that_stands_twice_is_counted_and_is_one_label(rendered: Path) -> None:
    shown = {"b.png": ["red cube", "cyan sphere", "red cube"], "a.png": ["gray cube"] * 3}
    (rendered / "labels.json").write_text(json.dumps(shown))
    _, counts = dataset.load_counts(rendered)
    assert counts.dtype == torch.int64 and counts.shape == (2, 24)
    assert counts[0, [LABEL_ID["red cube"], LABEL_ID["cyan sphere"]]].tolist() == [2, 1] and counts[0].sum() == 3
    assert counts[1, LABEL_ID["gray cube"]] == 2  # two and more
    _, labels = dataset.load(rendered)
    assert torch.equal(labels, (counts > 0).float())


@pytest.mark.parametrize("pictures", [".", "images"])
def test_the_labs_folder_is_squashed_to_64(tmp_path: Path, pictures: str) -> None:
    write_pictures(tmp_path / pictures, (320, 240), mode="RGBA")
    (tmp_path / "train.json").write_text(json.dumps(ENTRIES))
    images, labels = dataset.load(f"iclevr:{tmp_path}")
    assert images.shape == (2, 3, 64, 64) and labels.sum() == 2
    assert images[1, :, 0, 0].tolist() == [101, 20, 30]


def test_the_labs_numbers_must_be_those_used_here(tmp_path: Path) -> None:
    write_pictures(tmp_path, (320, 240))
    (tmp_path / "train.json").write_text(json.dumps(ENTRIES))
    (tmp_path / "objects.json").write_text(json.dumps(LABEL_ID))
    assert len(dataset.load(f"iclevr:{tmp_path}")[0]) == 2
    (tmp_path / "objects.json").write_text(json.dumps({**LABEL_ID, "red cube": 2}))
    with pytest.raises(LabelError, match=r"objects\.json: 'red cube' must have the number 1, not 2"):
        dataset.load(f"iclevr:{tmp_path}")


@pytest.mark.parametrize("labels", [".", "file", "iclevr", "iclevr/file"])
def test_train_json_lies_where_the_labs_archives_put_it(tmp_path: Path, labels: str) -> None:
    write_pictures(tmp_path / "iclevr", (320, 240))
    (tmp_path / labels).mkdir(exist_ok=True)
    (tmp_path / labels / "train.json").write_text(json.dumps(ENTRIES))
    images, _ = dataset.load(f"iclevr:{tmp_path / 'iclevr'}")
    assert len(images) == 2


def test_squashing_averages_instead_of_picking_pixels(tmp_path: Path) -> None:
    stripes = np.zeros((240, 320, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(tmp_path / "a.png")
    (tmp_path / "train.json").write_text('{"a.png": ["red cube"]}')
    images, _ = dataset.load(f"iclevr:{tmp_path}")
    inner = images[..., 2:-2].float()
    assert abs(inner.mean() - 100) < 2 and inner.std() < 15


def test_errors_name_the_file_and_the_entry(rendered: Path) -> None:
    picture = rendered / "images" / "a.png"
    Image.new("RGB", (32, 64)).save(picture)
    with pytest.raises(dataset.DatasetError, match=r"labels\.json, entry 1 \('a\.png'\).*32x64, must be 64x64"):
        dataset.load(rendered)
    picture.write_bytes(b"no picture")
    with pytest.raises(dataset.DatasetError, match=r"entry 1 \('a\.png'\).*not a picture that can be read"):
        dataset.load(rendered)
    picture.unlink()
    with pytest.raises(dataset.DatasetError, match=r"entry 1 \('a\.png'\).*there is no file"):
        dataset.load(rendered)


def test_a_cut_short_picture_is_named(rendered: Path) -> None:
    picture = rendered / "images" / "b.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(picture)
    picture.write_bytes(picture.read_bytes()[:3000])
    with pytest.raises(dataset.DatasetError, match=r"entry 0 \('b\.png'\).*not a picture that can be read"):
        dataset.load(rendered)


def test_an_unknown_label_is_refused(rendered: Path) -> None:
    (rendered / "labels.json").write_text('{"a.png": ["red cubes"]}')
    with pytest.raises(LabelError, match=r"labels\.json.*red cube"):
        dataset.load(rendered)


def test_folders_without_labels_or_pictures_say_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(dataset.DatasetError, match=r"no label file.*labels\.json"):
        dataset.load(tmp_path)
    with pytest.raises(dataset.DatasetError, match="is no folder"):
        dataset.load(f"iclevr:{tmp_path / 'absent'}")
    (tmp_path / "labels.json").write_text("{}")
    with pytest.raises(dataset.DatasetError, match="names no image"):
        dataset.load(tmp_path)
    (tmp_path / "labels.json").write_text(json.dumps(ENTRIES))
    with pytest.raises(dataset.DatasetError, match=r"'b\.png', which is not in .*images"):
        dataset.load(tmp_path)


def test_layouts_belong_to_a_rendered_folder(rendered: Path) -> None:
    np.save(rendered / "layouts.npy", np.full((2, 16, 16), 24, np.uint8))
    layouts = dataset.load_layouts(rendered, 2)
    assert layouts.dtype == torch.uint8 and layouts.shape == (2, 16, 16)


@pytest.mark.parametrize(
    ("layouts", "message"),
    [
        (None, "there is no .*layouts.npy"),
        (np.zeros((3, 16, 16), np.uint8), r"must be uint8 \(2, 16, 16\)"),
        (np.zeros((2, 16, 16)), "holds float64"),
        (np.full((2, 16, 16), 25, np.uint8), "values up to 24"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(rendered: Path, layouts: np.ndarray | None, message: str) -> None:
    if layouts is not None:
        np.save(rendered / "layouts.npy", layouts)
    with pytest.raises(dataset.DatasetError, match=message):
        dataset.load_layouts(rendered, 2)


def test_an_empty_file_of_layouts_is_named(rendered: Path) -> None:
    (rendered / "layouts.npy").write_bytes(b"")
    with pytest.raises(dataset.DatasetError, match=r"layouts\.npy is no readable array"):
        dataset.load_layouts(rendered, 2)
