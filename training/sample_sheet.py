"""A picture of how far a training is: the same scenes, drawn with the weights that it has so far."""

from pathlib import Path

from ddpm.pipeline import Pipeline
from ddpm.trajectory import to_picture

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
    drawn = pipe.generate(SCENES, 0, "ddim", 50)  # (12, 3, 64, 64)
    grid = drawn.unflatten(0, (2, -1)).permute(2, 0, 3, 1, 4).flatten(1, 2).flatten(2, 3)  # (3, 2 * 64, 6 * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    to_picture(grid).save(path)
