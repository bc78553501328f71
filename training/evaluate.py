"""Score a checkpoint: `python -m training.evaluate --checkpoint checkpoints/default --spec FILE --seeds 5 --json OUT`.

Each spec file (a list of label lists, the lab's test.json format) is drawn once a seed and judged by the evaluator. The
figures are means over the seeds, with a standard error; nothing here chooses anything. With --renders FOLDER the
evaluator also judges rendered pictures, which are right by definition: no drawing can expect to be read better.
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
from ddpm.evaluator import exact_match, per_image_accuracy, topk_accuracy
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


def score(p: Tensor, scenes: Scenes) -> dict[str, Any]:
    """The figures of probabilities p (seeds, N, 24) for N scenes; null where a figure has nothing to count."""
    requested = labels.encode(scenes)
    counts = requested.sum(dim=1).int()
    return {
        "images": len(scenes),
        "labels": int(counts.sum()),
        "seeds": len(p),
        **_figures(p, requested),
        "per_image_accuracy": _figure(per_image_accuracy(p.flatten(0, 1), requested.repeat(len(p), 1))),
        "by_object_count": {
            str(count): {"images": int(chosen.sum()), **_figures(p[:, chosen], requested[chosen])}
            for count in sorted(set(counts.tolist()))
            for chosen in [counts == count]
        },
    }


def _figures(p: Tensor, requested: Tensor) -> dict[str, float | None]:
    """Means over the seeds of p (seeds, N, 24), each with its standard error, for requested labels (N, 24)."""
    topk = [topk_accuracy(repetition, requested) for repetition in p]
    exact = [exact_match(repetition, requested) for repetition in p]
    return {
        "topk_accuracy": _figure(statistics.fmean(topk)),
        "topk_standard_error": _figure(_standard_error(topk)),
        "exact_match": _figure(statistics.fmean(exact)),
        "exact_standard_error": _figure(_standard_error(exact)),
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
    lines = [f"{'spec':<24} {'images':>7} {'top-k':>16} {'exact':>16} {'per image':>10} {'s/image':>8}"]
    for result in results:
        topk = with_error(result["topk_accuracy"], result["topk_standard_error"])
        exact = with_error(result["exact_match"], result["exact_standard_error"])
        lines.append(
            f"{Path(result['spec']).name:<24} {result['images']:>3} x {result['seeds']} {topk:>16} {exact:>16} "
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
        p = evaluator(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        seconds_per_image = round(seconds / (args.seeds * len(scenes)), 5)
        results.append({"spec": path, **score(p, scenes), "seconds_per_image": seconds_per_image, **asdict(settings)})

    report = {"checkpoint": args.checkpoint, "evaluator": args.evaluator, "device": str(pipe.device), "specs": results}
    if renders is not None:
        images, conditions = renders
        p = evaluator(dataset.to_float(images))[None]
        report["renders"] = {"data": args.renders, **score(p, [labels.decode(row) for row in conditions])}
    args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
