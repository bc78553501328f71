"""The README's pictures: `python -m training.figures --checkpoint checkpoints/default --out docs`.

samples.png: scenes drawn by the model, with what was asked for; none is left out for being wrong. trajectory.png: one
run, step by step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

from ddpm import Pipeline
from ddpm.trajectory import Trajectory, to_uint8
from training.specs import draw_spec

COLUMNS = 6
SEED = 0
TRAJECTORY_SCENE = ["red cube", "cyan sphere", "yellow cylinder"]


def samples(pipe: Pipeline, path: Path) -> None:
    """Random label sets of one, two and three objects, one row each, and the first pictures drawn for them."""
    scenes = draw_spec(SEED, [1, 2, 3], COLUMNS)
    pictures = to_uint8(pipe.generate(scenes, seed=SEED))
    figure, axes = plt.subplots(3, COLUMNS, figsize=(COLUMNS * 1.7, 3 * 2.15), dpi=110, layout="constrained")
    for axis, scene, picture in zip(axes.flat, scenes, pictures, strict=True):
        axis.imshow(picture, interpolation="nearest")
        axis.set_title("\n".join(scene), fontsize=9)
        axis.set_axis_off()
    figure.savefig(path)


def trajectory(pipe: Pipeline, path: Path) -> None:
    """Some steps of one run, noisy above and predicted clean below."""
    steps = pipe.stream([TRAJECTORY_SCENE], seed=SEED)
    run = Trajectory.collect(steps, [TRAJECTORY_SCENE], SEED, pipe.settings())
    run.plot().savefig(path, dpi=110)


def main() -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description="Draw the README's pictures.")
    parser.add_argument("--checkpoint", default="checkpoints/default")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    args = parser.parse_args()
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        args.out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    samples(pipe, args.out / "samples.png")
    trajectory(pipe, args.out / "trajectory.png")


if __name__ == "__main__":
    main()
