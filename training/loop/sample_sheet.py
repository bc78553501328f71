"""A picture of how far a training is: the same scenes, drawn with the weights that it has so far."""

from pathlib import Path

import torch
from torch import Tensor

from ddpm.pipeline import Pipeline
from ddpm.trajectory import to_picture
from training.measures.drawing import recovered

SCENES = (
    *([label] for label in ("red cube", "cyan sphere", "yellow cylinder", "gray sphere")),
    *(["blue cube", "green sphere"], ["purple cylinder", "brown cube"], ["gray cube", "gray cylinder"]),
    *(["red sphere", "green cube", "blue cylinder"], ["yellow cube", "yellow sphere", "cyan cylinder"]),
    ["purple sphere", "gray cylinder", "brown cube", "cyan cube"],
    ["red cube", "green cylinder", "blue sphere", "yellow cube", "gray sphere"],
    [],
)


def draw(pipe: Pipeline, path: Path) -> None:
    """Write SCENES as two rows of six pictures, drawn quickly: 50 steps of DDIM."""
    _save(pipe.generate(SCENES, 0, "ddim", 50), path)


def redraw(pipe: Pipeline, path: Path, x0: Tensor, conditions: Tensor, start: int) -> None:
    """Write true pictures x0 (N, 3, 64, 64) and, below, what becomes of them noised to `start` and drawn again.

    For a network that was trained up to that timestep only, and can draw nothing from noise alone.
    """
    drawn = recovered(pipe, x0, conditions, start, pipe.settings("ddim", 25))
    _save(torch.cat([x0, drawn]), path)


def _save(pictures: Tensor, path: Path) -> None:
    grid = pictures.unflatten(0, (2, -1)).permute(2, 0, 3, 1, 4).flatten(1, 2).flatten(2, 3)  # (3, 2 * 64, N / 2 * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    to_picture(grid).save(path)
