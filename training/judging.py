"""How far an evaluator can be trusted: `python -m training.judging --data FOLDER --predictions FILE --json OUT`.

On rendered pictures, whose labels are known: the three accuracies, and the share of scenes whose objects are counted
right. On a denoiser's predicted clean pictures (see `training.predictions`), for each fifth of the timesteps: the
calibration error of its probabilities, and what comes of those at 0.9 and above.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ddpm import Evaluator, terminal
from training.loop import dataset
from training.loop.predicted import Predictions
from training.measures import reports
from training.measures.judging import on_renders, on_the_way
from training.measures.reports import make_place


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--data", action="append", default=[], help="a rendered folder; may be given repeatedly")
    parser.add_argument("--predictions", type=Path, help="a file of training.predictions")
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    args = parser.parse_args(arguments)
    try:
        evaluator = Evaluator.from_pretrained(args.evaluator)
        renders = {folder: dataset.load_counts(folder) for folder in args.data}
        predictions = Predictions.load(args.predictions) if args.predictions else None
        make_place(args.json)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    report: dict[str, Any] = {"evaluator": args.evaluator}
    report["renders"] = {folder: on_renders(evaluator, *data) for folder, data in renders.items()}
    if predictions:
        report["on_the_way"] = on_the_way(evaluator, predictions)
    args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for folder, figures in report["renders"].items():
        print(folder, figures)
    if rows := report.get("on_the_way"):
        print(reports.table(tuple(rows[0]), [tuple(map(str, row.values())) for row in rows]))


if __name__ == "__main__":
    terminal.run(main)
