"""Pictures from files, as the evaluator wants them."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddpm import IMAGE_SIZE

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
_NUMBER = re.compile(r"(\d+)")

COLUMNS, PADDING = 8, 2
"""The lab's sheets: torchvision's grid of 8 columns with a border of 2 pixels around every picture."""

MOST_PIXELS = 16_000_000
"""The largest picture that is read; a few bytes of some formats can stand for gigabytes."""

_UNREADABLE = (  # what Pillow raises, by format
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,
    LookupError,
    EOFError,
    Image.DecompressionBombError,
)


class PictureError(ValueError):
    """A file that is no readable picture; the message names it."""


def read_picture(file: str | PathLike[str] | BinaryIO, name: str | None = None) -> Tensor:
    """Read a picture of any size and format that Pillow knows: float32 (1, 3, 64, 64) in [-1, 1].

    Anything but 64x64 is squeezed to it, as the lab does with its 320x240 frames; a sheet of several is refused.
    name, errors: see `open_picture`.
    """
    picture = open_picture(file, name)
    grid = grid_of(picture)
    if grid == (1, 1, PADDING):
        return cut(picture)
    if grid:
        shape = f"a sheet of {grid[0]} x {grid[1]} pictures"
        raise PictureError(f"{name or file}: this is {shape}; give one picture, or cut the sheet first")
    if picture.size != (IMAGE_SIZE, IMAGE_SIZE):
        # Pillow's filters antialias when they shrink
        picture = picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    return to_tensor(picture)


def in_natural_order(folder: str | PathLike[str]) -> list[Path]:
    """Return the pictures of a folder in the natural order of their names: 2.png before 10.png. Raises PictureError."""
    files = [file for file in Path(folder).iterdir() if file.suffix.lower() in SUFFIXES and file.name[0] != "."]
    if not files:
        raise PictureError(f"{folder}: there is no picture in it ({', '.join(sorted(SUFFIXES))})")

    def key(file: Path) -> tuple[list[str | int], str]:
        return [int(part) if i % 2 else part for i, part in enumerate(_NUMBER.split(file.name))], file.name

    return sorted(files, key=key)


def to_tensor(picture: Image.Image) -> Tensor:
    """Return an RGB picture as float32 (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()[None] / 127.5 - 1


def grid_of(picture: Image.Image) -> tuple[int, int, int] | None:
    """Return columns, rows and padding of a sheet of 64x64 pictures, or None for anything else.

    A sheet has torchvision's border of 2 pixels around every picture, or none; one without is recognized where it is
    neither square nor 4:3, as pictures of one scene are, and one of a single picture where its border is black.
    """
    for padding in (PADDING, 0):
        (columns, x), (rows, y) = (divmod(side - padding, IMAGE_SIZE + padding) for side in picture.size)
        whole = columns >= 1 and rows >= 1 and x == y == 0
        if columns * rows == 1:
            sheet = padding > 0 and _has_black_border(picture)
        else:
            sheet = padding > 0 or not (picture.width == picture.height or 3 * picture.width == 4 * picture.height)
        if whole and sheet:
            return columns, rows, padding
    return None


def _has_black_border(picture: Image.Image) -> bool:
    inner = (PADDING, PADDING, picture.width - PADDING, picture.height - PADDING)
    border = picture.convert("RGB")
    border.paste((0, 0, 0), inner)
    return border.getbbox() is None


def cut(picture: Image.Image) -> Tensor:
    """Cut a sheet (see `grid_of`) into its pictures, row by row: float32 (N, 3, 64, 64) in [-1, 1]."""
    grid = grid_of(picture)
    if grid is None:
        raise PictureError(f"a picture of {picture.width}x{picture.height} is not a sheet of 64x64 pictures")
    columns, rows, padding = grid
    pitch = IMAGE_SIZE + padding
    corners = [(pitch * x + padding, pitch * y + padding) for y in range(rows) for x in range(columns)]
    return torch.cat([to_tensor(picture.crop((x, y, x + IMAGE_SIZE, y + IMAGE_SIZE))) for x, y in corners])


def sheet(images: Tensor) -> Image.Image:
    """Lay images (N, 3, 64, 64) in [-1, 1] out in rows of 8 with black borders of 2 pixels, as the lab's sheets are."""
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    pitch = IMAGE_SIZE + PADDING
    whole = Image.new("RGB", (columns * pitch + PADDING, rows * pitch + PADDING))
    for i, image in enumerate(pixels):
        y, x = divmod(i, columns)
        whole.paste(Image.fromarray(image), (x * pitch + PADDING, y * pitch + PADDING))
    return whole


def open_picture(file: str | PathLike[str] | BinaryIO, name: str | None = None) -> Image.Image:
    """Read a picture as RGB; what is transparent becomes black.

    name: what to call the file in errors. Raises PictureError, also for more than `MOST_PIXELS`, and OSError where the
    file cannot be opened.
    """
    try:
        with Image.open(file) as opened:
            if (pixels := opened.width * opened.height) > MOST_PIXELS:
                raise PictureError(f"{name or file}: {pixels} pixels are too many; allowed are up to {MOST_PIXELS}")
            picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    except (FileNotFoundError, PermissionError, IsADirectoryError, PictureError):
        raise
    except _UNREADABLE:
        raise PictureError(f"{name or file}: this is not a picture that can be read") from None
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture).convert("RGB")
    return picture
