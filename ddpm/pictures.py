"""Pictures from files, as the evaluator wants them."""

from __future__ import annotations

from os import PathLike
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

SIZE = 64
MOST_PIXELS = 16_000_000
"""The largest picture that is read; a few bytes of some formats can stand for gigabytes."""

_UNREADABLE = (  # what Pillow raises, by format
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    NotImplementedError,
    Image.DecompressionBombError,
)


class PictureError(ValueError):
    """A file that is no readable picture; the message names it."""


def read_picture(file: str | PathLike[str] | BinaryIO, name: str | None = None) -> Tensor:
    """Read a picture of any size and format that Pillow knows: float32 (1, 3, 64, 64) in [-1, 1].

    Anything but 64x64 is squeezed to it, as the lab does with its 320x240 frames. name, errors: see `open_picture`.
    """
    picture = open_picture(file, name)
    if picture.size != (SIZE, SIZE):
        picture = picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR)  # Pillow's filters antialias when they shrink
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()[None] / 127.5 - 1


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
