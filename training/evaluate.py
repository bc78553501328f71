"""Score a checkpoint: `python -m training.evaluate --checkpoint checkpoints/default --spec FILE --seeds 5 --json OUT`.

Each spec file (a list of label lists, the lab's test.json format) is drawn once a seed and judged by the evaluator. The
figures are means over the seeds, with a standard error; nothing here chooses anything. With --renders FOLDER the
evaluator also judges rendered pictures, which are right by definition: no drawing can expect to be read better.
`exact_match` asks for exactly the requested objects, each once, where the evaluator can count; `exact_match_labels` is
the share by labels alone, to which an object drawn twice looks right.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ddpm import Evaluator, Pipeline, labels
from ddpm.evaluator import duplicates, exact_match, exact_scenes, per_image_accuracy, topk_accuracy
from ddpm.pipeline import Settings
from ddpm.samplers import SAMPLERS
from training import dataset

Scenes = Sequence[Sequence[str]]


def draw(pipe: Pipeline, scenes: Scenes, seeds: int, settings: Settings) -> tuple[Tensor, float]:
    """Images (seeds, N, 3, 64, 64) of N scenes and the seconds they took; no two share their noise.

    Image i of a call has the seed `seed + i`, so that the repetitions are spaced by N.
    """
    start = time.perf_counter()
    images = [
        pipe.generate(scenes, seed=repetition * len(scenes), **asdict(settings))
        for repetition in tqdm(range(seeds), desc="seeds", leave=False)
    ]
    return torch.stack(images), time.perf_counter() - start


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
        "per_image_accuracy": _figure(per_image_accuracy(p.flatten(0, 1), requested.repeat(len(p), 1))),
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
        "topk_accuracy": _figure(statistics.fmean(topk)),
        "topk_standard_error": _figure(_standard_error(topk)),
        "exact_match": _figure(statistics.fmean(exact)),
        "exact_standard_error": _figure(_standard_error(exact)),
        "exact_match_labels": _figure(statistics.fmean(by_labels)),
        "duplicates": None if counts is None else _figure(duplicates(counts.flatten(0, 1))),
    }


def _standard_error(values: Sequence[float]) -> float:
    """Of the mean; NaN where there is only one value, or none that is a number."""
    if len(values) < 2 or any(map(math.isnan, values)):
        return math.nan
    return statistics.stdev(values) / math.sqrt(len(values))


def _figure(value: float) -> float | None:
    """Five digits, and None (JSON's null) for NaN, which JSON does not know."""
    return None if math.isnan(value) else round(value, 5)


def make_place(file: Path) -> None:
    """Make the folder of a file to be written later. Raises OSError where the file could not be written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder, not a file to write")


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
            f"{with_error(result['per_image_accuracy']):>10} {result['seconds_per_image']:>8.3f}"
        )
    return "\n".join(lines)


def with_error(value: float | None, error: float | None = None, digits: int = 4) -> str:
    """A figure as text, with its standard error where there is one, or a dash where there is no figure."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + (f" ± {error:.{digits}f}" if error is not None else "")


def main(arguments: list[str] | None = None) -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--spec", required=True, action="append", help="a file of label lists; may be given repeatedly")
    parser.add_argument("--seeds", type=int, default=5, help="how often each spec is drawn (default 5)")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    parser.add_argument("--renders", help="a rendered folder for the evaluator to judge, beside the drawn pictures")
    parser.add_argument("--sampler", choices=sorted(SAMPLERS), help="instead of the checkpoint's own")
    parser.add_argument("--steps", type=int, help="instead of the checkpoint's own")
    parser.add_argument("--guidance", type=float, help="instead of the checkpoint's own")
    args = parser.parse_args(arguments)
    if args.seeds < 1:
        parser.error("--seeds must be at least 1")

    try:  # everything is read and checked before the first picture is drawn
        specs = {path: labels.read_spec(path) for path in args.spec}
        evaluator = Evaluator.from_pretrained(args.evaluator)
        pipe = Pipeline.from_pretrained(args.checkpoint)
        settings = pipe.settings(args.sampler, args.steps, args.guidance)
        renders = dataset.load(args.renders) if args.renders else None
        make_place(args.json)
        if empty := [path for path, scenes in specs.items() if not scenes]:
            raise ValueError(f"{empty[0]} holds no scene")
    except (OSError, ValueError) as error:
        parser.error(str(error))

    results = []
    for path, scenes in specs.items():
        images, seconds = draw(pipe, scenes, args.seeds, settings)
        figures = judge(evaluator, images, scenes)
        seconds_per_image = round(seconds / (args.seeds * len(scenes)), 5)
        results.append({"spec": path, **figures, "seconds_per_image": seconds_per_image, **asdict(settings)})

    report = {"checkpoint": args.checkpoint, "evaluator": args.evaluator, "device": str(pipe.device), "specs": results}
    if renders is not None:
        images, conditions = renders
        scenes = [labels.decode(row) for row in conditions]
        report["renders"] = {"data": args.renders, **judge(evaluator, dataset.to_float(images)[None], scenes)}
    args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
