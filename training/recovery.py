"""Where on the way from noise to picture mistakes are made: true pictures, noised to a timestep and drawn again.

    python -m training.recovery --checkpoint checkpoints/default --json OUT [--count 150] [--counts 3 4 5]

A picture that is noised up to T keeps nothing, and is drawn from the labels alone. The less it is noised, the more of
the truth is still there; whatever comes out wrong then was lost on the rest of the way. The second table counts the
objects that the evaluator no longer sees, by how much of them was in sight.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from ddpm import Evaluator, Pipeline, labels, terminal
from ddpm.labels import LABEL_ID, MAX_OBJECTS
from ddpm.scores import judge, with_error
from training.loop import dataset
from training.measures import reports
from training.measures.drawing import recovered
from training.measures.reports import make_place
from training.render import random_scenes
from training.scene.tracer import render, sights

STARTS = (1000, 800, 600, 500, 400, 300, 200, 100, 40)
IN_SIGHT = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # bounds of the shares of an object in sight
SEEN = 0.5  # probability from which on a label counts as seen


def lost_by_sight(
    p: Tensor, scenes: Sequence[Sequence[str]], shares: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    """How many objects are in sight between each two bounds, and what share of them the evaluator does not see.

    p: probabilities (N, 24); shares: of each object of each scene the share in sight. What holds no object is left out.
    """
    objects = [
        (share, p[i, LABEL_ID[label]].item() < SEEN)
        for i, (scene, row) in enumerate(zip(scenes, shares, strict=True))
        for label, share in zip(scene, row, strict=True)
    ]
    found = []
    for low, high in pairwise((*IN_SIGHT, float("inf"))):
        lost = [gone for share, gone in objects if low <= share < high]
        if lost:
            found.append({"from": low, "objects": len(lost), "lost": sum(lost) / len(lost)})
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; start 0 is the true pictures themselves."""
    lines = [
        (row["start"] or "none", with_error(row["topk_accuracy"], digits=3), with_error(row["exact_match"], digits=3))
        for row in rows
    ]
    sight = []
    for bins in zip(*(row["in_sight"] for row in rows), strict=True):
        sight.append((bins[0]["from"], bins[0]["objects"], *(f"{bin['lost']:.3f}" for bin in bins)))
    lost = [f"lost from {row['start'] or 'none'}" for row in rows]
    return "\n\n".join(
        (
            reports.table(("noised to t", "top-k", "exact match"), lines),
            reports.table(("in sight, from", "objects", *lost), sight),
        )
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--count", type=int, default=150, help="number of true pictures, rendered here")
    parser.add_argument("--seed", type=int, default=777, help="seed of their scenes")
    parser.add_argument(
        "--counts",
        type=int,
        nargs="+",
        choices=range(1, MAX_OBJECTS + 1),
        default=(3, 4, 5),
        help="numbers of objects, in turn",
    )
    parser.add_argument("--starts", type=int, nargs="+", default=STARTS, help="timesteps to noise to")
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    args = parser.parse_args(arguments)
    if args.count < 1 or args.seed < 0:
        parser.error(f"--count must be at least 1 and --seed at least 0, got {args.count} and {args.seed}")
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        evaluator = Evaluator.from_pretrained(args.evaluator)
        for start in args.starts:
            pipe.config.schedule.timesteps(1, start)  # checks it
        make_place(args.json)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    placed = random_scenes(range(args.count), args.seed, args.counts)
    x0, scenes = dataset.to_float(render(placed)), [scene.labels for scene in placed]
    conditions = labels.encode(scenes)
    shares = [[unhidden for _, unhidden in scene] for i in range(args.count) for scene in sights(placed[i : i + 1])]
    rows = []
    for start in (*args.starts, 0):
        drawn = recovered(pipe, x0, conditions, start, pipe.settings()) if start else x0
        row = {"start": start, **judge(evaluator, drawn[None], scenes)}
        rows.append(row | {"in_sight": lost_by_sight(evaluator(drawn), scenes, shares)})
    scene_facts = {"count": args.count, "seed": args.seed, "counts": args.counts}
    report = {"checkpoint": args.checkpoint, **scene_facts, **asdict(pipe.settings()), "rows": rows}
    args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    terminal.run(main)
