"""How often an edit gives what was asked for, and what it leaves alone: see `ddpm.editing`.

    python -m training.edits --each 200 --json OUT

Random scenes of two to four objects are drawn; in each one object gets another color or another shape, is removed, or
one is added. Right is a picture that shows exactly the new objects, each once, as the evaluator counts them.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d
from tqdm import tqdm

from ddpm import Evaluator, Pipeline, terminal
from ddpm.editing import edit, edit_place
from ddpm.labels import COLORS, LABELS, SHAPES
from ddpm.scores import judge
from training.measures import reports

KINDS = ("recolor", "shape", "remove", "add")
COUNTS = (2, 3, 4)
BATCH = 16
MARGIN = 2  # pixels around the place in which nothing is measured


def wish(kind: str, scene: list[str], rng: random.Random) -> list[str]:
    """The labels after an edit of this kind."""
    if kind == "add":
        return [*scene, rng.choice([label for label in LABELS if label not in scene])]
    while True:
        old = rng.choice(scene)
        color, shape = old.split()
        others = [f"{c} {shape}" for c in COLORS] if kind == "recolor" else [f"{color} {s}" for s in SHAPES]
        free = [label for label in others if label not in scene]
        if kind == "remove":
            return [label for label in scene if label != old]
        if free:
            new = rng.choice(free)
            return [new if label == old else label for label in scene]


def change_outside(before: Tensor, after: Tensor, place: Tensor) -> float:
    """The mean change of pixels (N, 3, 64, 64) outside the place (N, 1, 64, 64) and its margin, of 255; 0 of none."""
    outside = (max_pool2d(place, 2 * MARGIN + 1, 1, MARGIN) == 0).expand_as(before)
    return 127.5 * (after - before).abs()[outside].mean().item() if outside.any() else 0.0


def measure(pipe: Pipeline, evaluator: Evaluator, kind: str, each: int, seed: int) -> dict[str, Any]:
    """The figures of `each` edits of one kind."""
    rng = random.Random(f"{kind} {seed}")
    scenes = [rng.sample(LABELS, rng.choice(COUNTS)) for _ in range(each)]
    wishes = [wish(kind, scene, rng) for scene in scenes]
    old, new, places = [], [], []
    for first in tqdm(range(0, each, BATCH), desc=kind, leave=False):
        part = slice(first, first + BATCH)
        x0 = pipe.generate(scenes[part], seed=seed + first)
        place = edit_place(pipe, x0, scenes[part], wishes[part], seed + first)
        for step in edit(pipe, x0, scenes[part], wishes[part], pipe.settings(), seed + first, place):
            last = step.x0
        old.append(x0)
        new.append(last)
        places.append(place)
    before, after, place = torch.cat(old), torch.cat(new), torch.cat(places)
    figures = judge(evaluator, after[None], wishes)
    return {
        "kind": kind,
        "edits": each,
        "exact_match": figures["exact_match"],
        "exact_match_labels": figures.get("exact_match_labels"),
        "change_outside": change_outside(before, after, place),
        "area": place.mean().item(),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--each", type=int, default=200, help="edits of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes, the edits and their noise")
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    args = parser.parse_args(arguments)
    if args.each < 1 or args.seed < 0:
        parser.error(f"--each must be at least 1 and --seed at least 0, got {args.each} and {args.seed}")
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        evaluator = Evaluator.from_pretrained(args.evaluator)
        reports.make_place(args.json)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    rows = [measure(pipe, evaluator, kind, args.each, args.seed) for kind in KINDS]
    report = {"checkpoint": args.checkpoint, "seed": args.seed, "rows": rows}
    args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    lines = [
        (
            row["kind"],
            row["exact_match"],
            row["exact_match_labels"],
            f"{row['change_outside']:.2f}",
            f"{row['area']:.2f}",
        )
        for row in rows
    ]
    print(reports.table(("edit", "exact match", "by labels", "change outside, of 255", "share of the picture"), lines))


if __name__ == "__main__":
    terminal.run(main)
