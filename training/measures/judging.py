"""How far an evaluator can be trusted: on renders, whose labels are known, and on a denoiser's predictions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ddpm import Evaluator
from ddpm.evaluator import exact_match, per_image_accuracy, topk_accuracy
from ddpm.scores import figure
from training.loop import dataset
from training.loop.predicted import Predictions

BINS = 10
FIFTHS = 5
SURE = 0.9


def calibration_error(p: Tensor, labels: Tensor) -> float:
    """Expected calibration error of probabilities p for 0-or-1 labels of the same shape (Guo et al. 2017, eq. 3).

    In bins of equal width: how far the mean probability is from the share of labels that are 1, by size of the bin.
    NaN where there is no label.
    """
    p, labels = p.flatten().double(), labels.flatten().double()
    bins = (p * BINS).long().clamp_max(BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, p - labels)
    return (gaps.abs().sum() / len(p)).item() if len(p) else math.nan


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
    return {name: round(value, 5) for name, value in figures.items()}


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
                "calibration_error": figure(calibration_error(p[chosen], labels[chosen]), 4),
                "mean_probability": figure(p[chosen].mean().item(), 4),
                "share_of_labels": figure(labels[chosen].float().mean().item(), 4),
                "sure": int(sure.sum()),
                "sure_and_right": int((sure & labels[chosen]).sum()),
            }
        )
    return rows
