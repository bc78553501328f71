"""Labelled pictures in memory: a folder that training.render wrote, or the lab's own data.

`load(source)` understands both: "FOLDER" holds images/*.png (64x64) and labels.json; "iclevr:FOLDER" holds the lab's
320x240 PNGs with train.json beside, above or in file/ beside them, squashed to 64x64 as the lab does (bilinear with
antialiasing).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddpm import IMAGE_SIZE
from ddpm import labels as label_names
from ddpm.labels import LABEL_ID, NUM_LABELS
from ddpm.pictures import PictureError, open_picture
from training.scene.placement import LAYOUT_SIZE

LAB_PREFIX = "iclevr:"


class DatasetError(ValueError):
    """A data folder that cannot be used; the message names the file and the entry."""


def load(source: str | Path) -> tuple[Tensor, Tensor]:
    """Images uint8 (N, 3, 64, 64) and multi-hot labels float32 (N, 24) of "FOLDER" or "iclevr:FOLDER".

    A label that stands twice still counts as 1: see `load_counts`.
    Raises DatasetError, or LabelError from the label file, naming file and entry.
    """
    images, counts = load_counts(source)
    return images, (counts > 0).float()


def load_counts(source: str | Path) -> tuple[Tensor, Tensor]:
    """Images as of `load`, and how many of each label they show: int64 (N, 24), 0, 1, or 2 for two and more."""
    if is_lab(source):
        return _load_iclevr(str(source).removeprefix(LAB_PREFIX))
    return _load_folder(source)


def load_once(source: str | Path) -> tuple[Tensor, Tensor]:
    """What `load` gives, for what is to draw like it. Raises DatasetError also where a picture shows a label twice."""
    images, counts = load_counts(source)
    if (counts > 1).any():
        raise DatasetError(f"{source} shows labels twice (render --repeats), which this is not for")
    return images, counts.float()


def is_lab(source: str | Path) -> bool:
    """Whether this is the lab's data, which has no layouts."""
    return str(source).startswith(LAB_PREFIX)


def to_float(images: Tensor) -> Tensor:
    """Pictures of a data folder, uint8, as the models see them: float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def _load_folder(folder: str | Path) -> tuple[Tensor, Tensor]:
    """A rendered folder: images/*.png, all 64x64, and labels.json (file name -> labels), which gives the order.

    A label stands as often in a scene's list as in its picture.
    """
    folder = Path(folder)
    return _load(_first_file([folder / "labels.json"]), [folder / "images"], squash=False)


def _load_iclevr(folder: str | Path) -> tuple[Tensor, Tensor]:
    """The lab's folder: train.json in it, above it or in "file" there; the PNGs in it or in a subfolder.

    An objects.json beside train.json must give the labels the numbers that they have here.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder")
    homes = [folder, folder / "file", folder.parent, folder.parent / "file"]
    label_file = _first_file([home / "train.json" for home in homes])
    if (objects := label_file.with_name("objects.json")).is_file():
        label_names.read_objects(objects)
    return _load(label_file, [folder, *sorted(path for path in folder.iterdir() if path.is_dir())], squash=True)


def load_layouts(source: str | Path, count: int) -> Tensor:
    """What stands where in each of `count` pictures of a rendered folder: uint8 (count, 16, 16), 24 for the backdrop.

    Raises DatasetError where there is no such file, as in the lab's data, or where it does not fit.
    """
    path = Path(str(source).removeprefix(LAB_PREFIX)) / "layouts.npy"
    if not path.is_file():
        raise DatasetError(f"there is no {path}, which training.render writes; a preset with layout = 0 needs none")
    try:
        layouts = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path} is no readable array: {error}") from None
    if layouts.dtype != np.uint8 or layouts.shape != (count, LAYOUT_SIZE, LAYOUT_SIZE) or layouts.max() > NUM_LABELS:
        wanted = f"uint8 ({count}, {LAYOUT_SIZE}, {LAYOUT_SIZE}) with values up to {NUM_LABELS}"
        raise DatasetError(f"{path} holds {layouts.dtype} {layouts.shape}, must be {wanted}")
    return torch.from_numpy(layouts)


def _first_file(candidates: Sequence[Path]) -> Path:
    for path in candidates:
        if path.is_file():
            return path
    raise DatasetError(f"no label file: looked for {' and '.join(map(str, candidates))}")


def _load(label_file: Path, folders: Sequence[Path], squash: bool) -> tuple[Tensor, Tensor]:
    entries = label_names.read_labels(label_file, repeats=True)
    if not entries:
        raise DatasetError(f"{label_file} names no image")
    first = next(iter(entries))
    for folder in folders:
        if (folder / first).is_file():
            break
    else:
        raise DatasetError(f"{label_file} names {first!r}, which is not in {' or '.join(map(str, folders))}")
    images = torch.empty(len(entries), 3, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
    counts = torch.zeros(len(entries), NUM_LABELS, dtype=torch.int64)
    for index, (name, labels) in enumerate(entries.items()):
        images[index] = _read_image(folder / name, squash, f"{label_file}, entry {index} ({name!r})")
        for label in labels:
            counts[index, LABEL_ID[label]] += 1
    return images, counts.clamp_max(2)


def _read_image(path: Path, squash: bool, entry: str) -> Tensor:
    """One picture as uint8 (3, 64, 64)."""
    try:
        picture = open_picture(path)
    except FileNotFoundError:
        raise DatasetError(f"{entry}: there is no file {path}") from None
    except (PictureError, OSError) as error:
        raise DatasetError(f"{entry}: {error}") from None
    if squash:
        # Pillow's filters antialias when they shrink
        picture = picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    if picture.size != (IMAGE_SIZE, IMAGE_SIZE):
        raise DatasetError(f"{entry}: {path} is {picture.width}x{picture.height}, must be {IMAGE_SIZE}x{IMAGE_SIZE}")
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
