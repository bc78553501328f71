"""The file of `training.predictions`: what denoisers made of noised renders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from ddpm.checkpoint import write_whole
from training.loop.dataset import DatasetError


@dataclass(frozen=True)
class Predictions:
    """Predicted clean pictures, uint8 (N, 3, 64, 64), of scenes that show counts (N, 24), from x_t at t (N,).

    guidance (N,): the scale of each; 0 means that the labels were ignored, 1 that there was no guidance.
    """

    images: Tensor
    t: Tensor
    counts: Tensor
    guidance: Tensor

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: value.numpy() for name, value in vars(self).items()}

        def write(part: Path) -> None:
            with part.open("wb") as file:
                np.savez(file, **arrays)

        write_whole(path, write)

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read a file of `save`. Raises OSError, or DatasetError naming the file."""
        try:
            with np.load(path) as arrays:
                return cls(**{name: torch.from_numpy(arrays[name]) for name in ("images", "t", "counts", "guidance")})
        except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise DatasetError(f"{path} is no file of training.predictions: {error}") from None
