"""Pictures from files, as the evaluator wants them."""

from __future__ import annotations

from os import PathLike
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

SIZE = 64


class PictureError(ValueError):
    """A file that is no readable picture; the message names it."""


def read_picture(file: str | PathLike[str] | BinaryIO, name: str | None = None) -> Tensor:
    """Read a picture of any size and format that Pillow knows: float32 (1, 3, 64, 64) in [-1, 1].

    Anything but 64x64 is squeezed to it, as the lab does with its 320x240 frames; transparency becomes black.
    name: what to call the file in errors. Raises PictureError, and OSError where the file cannot be opened.
    """
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise PictureError(f"{name or file}: this is not a picture that can be read") from None
    if picture.size != (SIZE, SIZE):
        picture = picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR)  # Pillow's filters antialias when they shrink
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    return pixels.float()[None] / 127.5 - 1
