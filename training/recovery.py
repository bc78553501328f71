"""Where on the way from noise to picture mistakes are made: true pictures, noised to a timestep and drawn again.

    python -m training.render --count 150 --seed 777 --counts 3 4 5 --out data/recovery
    python -m training.recovery --checkpoint checkpoints/default --data data/recovery --json OUT

A picture that is noised up to T keeps nothing, and is drawn from the labels alone. The less it is noised, the more of
the truth is still there; whatever comes out wrong then was lost on the rest of the way.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ddpm import Evaluator, Pipeline, labels, terminal
from ddpm.scores import judge, with_error
from training.loop import dataset
from training.measures import reports
from training.measures.drawing import recovered
from training.measures.reports import make_place

STARTS = (1000, 800, 600, 500, 400, 300, 200, 100, 40)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; start 0 is the true pictures themselves."""
    lines = [
        (row["start"] or "none", with_error(row["topk_accuracy"], digits=3), with_error(row["exact_match"], digits=3))
        for row in rows
    ]
    return reports.table(("noised to t", "top-k", "exact match"), lines)


def main(arguments: list[str] | None = None) -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--data", required=True, help="a folder of fresh renders")
    parser.add_argument("--starts", type=int, nargs="+", default=STARTS, help="timesteps to noise to")
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    args = parser.parse_args(arguments)
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        evaluator = Evaluator.from_pretrained(args.evaluator)
        images, conditions = dataset.load(args.data)
        for start in args.starts:
            pipe.config.schedule.timesteps(1, start)  # checks it
        make_place(args.json)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    x0, scenes = dataset.to_float(images), [labels.decode(row) for row in conditions]
    rows = []
    for start in (*args.starts, 0):
        drawn = recovered(pipe, x0, conditions, start, pipe.settings()) if start else x0
        rows.append({"start": start, **judge(evaluator, drawn[None], scenes)})
    report = {"checkpoint": args.checkpoint, "data": args.data, **asdict(pipe.settings()), "rows": rows}
    args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    terminal.run(main)
