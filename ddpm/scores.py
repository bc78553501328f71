"""The figures of pictures drawn for a spec: accuracies, exact match and duplicates, over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ddpm import labels
from ddpm.evaluator import Evaluator, duplicates, exact_match, exact_scenes, per_image_accuracy, topk_accuracy

Scenes = Sequence[Sequence[str]]


def judge(evaluator: Evaluator, images: Tensor, scenes: Scenes) -> dict[str, Any]:
    """The figures of images (seeds, N, 3, 64, 64) for N scenes, with objects counted where the evaluator can."""
    flat = images.flatten(0, 1)
    counts = evaluator.counts(flat).unflatten(0, images.shape[:2]) if evaluator.config.counts else None
    return score(evaluator(flat).unflatten(0, images.shape[:2]), scenes, counts)


def score(p: Tensor, scenes: Scenes, counts: Tensor | None = None) -> dict[str, Any]:
    """The figures of probabilities p (seeds, N, 24) for N scenes; null where a figure has nothing to count.

    counts: int64 (seeds, N, 24), how many of each label are there. With them `exact_match` asks for each object once
    and `duplicates` is the share of images in which a label is there twice; `exact_match_labels` goes by p alone.
    """
    requested = labels.encode(scenes)
    sizes = requested.sum(dim=1).int()
    return {
        "images": len(scenes),
        "labels": int(sizes.sum()),
        "seeds": len(p),
        **_figures(p, requested, counts),
        "per_image_accuracy": figure(per_image_accuracy(p.flatten(0, 1), requested.repeat(len(p), 1))),
        "by_object_count": {
            str(size): {
                "images": int(chosen.sum()),
                **_figures(p[:, chosen], requested[chosen], None if counts is None else counts[:, chosen]),
            }
            for size in sorted(set(sizes.tolist()))
            for chosen in [sizes == size]
        },
    }


def _figures(p: Tensor, requested: Tensor, counts: Tensor | None) -> dict[str, float | None]:
    """Means over the seeds of p and counts (seeds, N, 24), with standard errors, for requested labels (N, 24)."""
    topk = [topk_accuracy(repetition, requested) for repetition in p]
    by_labels = [exact_match(repetition, requested) for repetition in p]
    exact = by_labels if counts is None else [exact_scenes(repetition, requested) for repetition in counts]
    return {
        "topk_accuracy": figure(statistics.fmean(topk)),
        "topk_standard_error": figure(_standard_error(topk)),
        "exact_match": figure(statistics.fmean(exact)),
        "exact_standard_error": figure(_standard_error(exact)),
        "exact_match_labels": figure(statistics.fmean(by_labels)),
        "duplicates": None if counts is None else figure(duplicates(counts.flatten(0, 1))),
    }


def _standard_error(values: Sequence[float]) -> float:
    """Of the mean; NaN where there is only one value, or none that is a number."""
    if len(values) < 2 or any(map(math.isnan, values)):
        return math.nan
    return statistics.stdev(values) / math.sqrt(len(values))


def figure(value: float, digits: int = 5) -> float | None:
    """So many digits, and None (JSON's null) for NaN, which JSON does not know."""
    return None if math.isnan(value) else round(value, digits)


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results as text, a line a spec."""
    columns = f"{'top-k':>16} {'exact':>16} {'by labels':>10} {'twice':>7} {'per image':>10} {'s/image':>8}"
    lines = [f"{'spec':<24} {'images':>7} {columns}"]
    for result in results:
        topk = with_error(result["topk_accuracy"], result["topk_standard_error"])
        exact = with_error(result["exact_match"], result["exact_standard_error"])
        lines.append(
            f"{Path(result['spec']).name:<24} {result['images']:>3} x {result['seeds']} {topk:>16} {exact:>16} "
            f"{with_error(result['exact_match_labels']):>10} {with_error(result['duplicates']):>7} "
            f"{with_error(result['per_image_accuracy']):>10} {with_error(result.get('seconds_per_image'), digits=3):>8}"
        )
    return "\n".join(lines)


def with_error(value: float | None, error: float | None = None, digits: int = 4) -> str:
    """A figure as text, with its standard error where there is one, or a dash where there is no figure."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + (f" ± {error:.{digits}f}" if error is not None else "")
