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

import torch
from torch import Tensor

from ddpm import Evaluator
from ddpm.evaluator import exact_match, per_image_accuracy, topk_accuracy
from training import dataset, markdown
from training.evaluate import make_place
from training.predictions import Predictions

BINS = 10
FIFTHS = 5
SURE = 0.9


def calibration_error(p: Tensor, labels: Tensor) -> float:
    """Expected calibration error of probabilities p for 0-or-1 labels of the same shape (Guo et al. 2017, eq. 3).

    In bins of equal width: how far the mean probability is from the share of labels that are 1, by size of the bin.
    """
    p, labels = p.flatten().double(), labels.flatten().double()
    bins = (p * BINS).long().clamp_max(BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, p - labels)
    return (gaps.abs().sum() / len(p)).item()


def on_renders(evaluator: Evaluator, images: Tensor, counts: Tensor) -> dict[str, float]:
    """The accuracies on uint8 images (N, 3, 64, 64) that show counts (N, 24).

    counts_right is the share of images in which every label is counted right; only where the evaluator can count.
    """
    x, labels = dataset.to_float(images), (counts > 0).float()
    p = evaluator(x)
    metrics = {"topk_accuracy": topk_accuracy, "per_image_accuracy": per_image_accuracy, "exact_match": exact_match}
    figures = {name: metric(p, labels) for name, metric in metrics.items()}
    if evaluator.config.counts:
        figures["counts_right"] = (evaluator.counts(x) == counts).all(dim=1).float().mean().item()
    return {name: round(figure, 5) for name, figure in figures.items()}


def on_the_way(evaluator: Evaluator, predictions: Predictions, steps: int = 1000) -> list[dict[str, Any]]:
    """A row for each fifth of the timesteps 1..steps, from the clean end to the noisy one."""
    p, labels = evaluator(dataset.to_float(predictions.images)), predictions.counts > 0
    rows = []
    for fifth in range(FIFTHS):
        first, last = fifth * steps // FIFTHS + 1, (fifth + 1) * steps // FIFTHS
        chosen = (predictions.t >= first) & (predictions.t <= last)
        sure = p[chosen] >= SURE
        rows.append(
            {
                "timesteps": f"{first} to {last}",
                "images": int(chosen.sum()),
                "calibration_error": round(calibration_error(p[chosen], labels[chosen]), 4),
                "mean_probability": round(p[chosen].mean().item(), 4),
                "share_of_labels": round(labels[chosen].float().mean().item(), 4),
                "sure": int(sure.sum()),
                "sure_and_right": int((sure & labels[chosen]).sum()),
            }
        )
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Command line: see the module's docstring."""
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
        print(markdown.table(tuple(rows[0]), [tuple(map(str, row.values())) for row in rows]))


if __name__ == "__main__":
    main()
