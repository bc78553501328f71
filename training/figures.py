"""The pictures of the documentation: `python -m training.figures --checkpoint checkpoints/default --out docs`.

samples.png: scenes drawn by the model, with what was asked for; none is left out for being wrong. trajectory.png: one
run, step by step. With --data, neighbours.png: drawn pictures beside the training pictures most like them. With --spec,
failures.png: the pictures of a spec that the evaluator finds most wrong, with what is missing (-), and what is
there without being requested or a second time (+).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from ddpm import Evaluator, Pipeline, labels, terminal
from ddpm.trajectory import to_uint8
from training.loop import dataset
from training.specs import draw_spec

COLUMNS = 6
SEED = 0
TRAJECTORY_SCENE = ["red cube", "cyan sphere", "yellow cylinder"]
NEIGHBOURS = 2  # training pictures beside each drawn one
FAILURES = 12
ROUNDS = 4  # how often each label set is drawn to find them


def samples(pipe: Pipeline, path: Path) -> None:
    """Random label sets of one, two and three objects, one row each, and the first pictures drawn for them."""
    scenes = draw_spec(SEED, [1, 2, 3], COLUMNS)
    pictures = pipe.generate(scenes, seed=SEED)
    _sheet(pictures, ["\n".join(scene) for scene in scenes], COLUMNS, path, height=2.15)


def trajectory(pipe: Pipeline, path: Path) -> None:
    """Some steps of one run, noisy above and predicted clean below."""
    pipe.trajectory([TRAJECTORY_SCENE], SEED).plot().savefig(path, dpi=110)


def neighbours(pipe: Pipeline, data: str, path: Path) -> None:
    """Twenty drawn pictures, each followed by the training pictures nearest to it, pixel by pixel."""
    scenes = draw_spec(SEED + 1, [1, 2, 3, 4], 5)
    drawn = pipe.generate(scenes, seed=SEED)
    known, _ = dataset.load(data)
    index = nearest(drawn, known, NEIGHBOURS)  # (20, NEIGHBOURS)
    pictures = torch.cat([drawn[:, None], dataset.to_float(known[index])], 1).flatten(0, 1)
    titles = ["drawn", *["nearest", "next"][:NEIGHBOURS]] * len(scenes)
    _sheet(pictures, titles, 4 * (1 + NEIGHBOURS), path, height=1.5)


def nearest(pictures: Tensor, known: Tensor, count: int) -> Tensor:
    """Indices (N, count) of the pictures of `known`, uint8 or in [-1, 1], that are nearest to each picture (N, ...)."""
    flat = pictures.flatten(1)
    parts = []
    for part in known.split(2000):
        other = (dataset.to_float(part) if part.dtype == torch.uint8 else part).flatten(1)
        parts.append(torch.cdist(flat, other))
    return torch.cat(parts, 1).topk(count, largest=False).indices


def failures(pipe: Pipeline, evaluator: Evaluator, spec: str, path: Path) -> None:
    """At most FAILURES pictures of a spec, drawn ROUNDS times, the most wrong first: by the number of wrong counts."""
    scenes = labels.read_spec(spec) * ROUNDS
    pictures = pipe.generate(scenes, seed=SEED)
    p, counts = evaluator.look(pictures).unbind(1)  # (N, 24) both
    requested = labels.encode(scenes)
    wrong = counts != requested
    surest = ((p - requested).abs() * wrong).sum(1)  # equal numbers: the surer the evaluator, the worse
    worst = (wrong.sum(1) + surest / 100).argsort(descending=True)[: int(wrong.any(1).sum())].tolist()
    print(f"{len(worst)} of {len(scenes)} pictures of {spec} are wrong")
    if not worst:
        return
    titles = []
    for i in worst[:FAILURES]:
        lines = [f"{len(scenes[i])} requested"]
        lines += [f"- {name}" for name in labels.decode((counts[i] < requested[i]).float())]
        lines += [f"+ {name}" for name in labels.decode((counts[i] > requested[i]).float())]
        titles.append("\n".join(lines))
    _sheet(pictures[worst[:FAILURES]], titles, COLUMNS, path, height=2.8)


def _sheet(pictures: Tensor, titles: Sequence[str], columns: int, path: Path, height: float) -> None:
    rows = -(-len(pictures) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * 1.7, rows * height), dpi=80, layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, title in zip(axes.flat, to_uint8(pictures), titles, strict=False):
        axis.imshow(picture, interpolation="nearest", aspect=3 / 4)
        axis.set_title(title, fontsize=9)
    figure.savefig(path)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw the documentation's pictures.")
    parser.add_argument("--checkpoint", default="checkpoints/default")
    parser.add_argument("--evaluator", default="checkpoints/evaluator")
    parser.add_argument("--data", help="the training pictures, for neighbours.png")
    parser.add_argument("--spec", help="label sets, for failures.png")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    args = parser.parse_args(arguments)
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        evaluator = Evaluator.from_pretrained(args.evaluator)
        args.out.mkdir(parents=True, exist_ok=True)
        samples(pipe, args.out / "samples.png")
        trajectory(pipe, args.out / "trajectory.png")
        if args.data:
            neighbours(pipe, args.data, args.out / "neighbours.png")
        if args.spec:
            failures(pipe, evaluator, args.spec, args.out / "failures.png")
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
