"""Quality against cost: samplers, steps and guidance, each with its network calls, accuracy and Frechet distance.

    python -m training.quality --spec validation.json --data data/fresh --count 1000 --out docs

Writes docs/quality.json and docs/quality.png, and puts the table into docs/QUALITY.md between its marks. What the
file holds already is not measured again, so that a curve can be finished later; another checkpoint needs an empty
folder.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddpm import Evaluator, Pipeline, labels, terminal
from ddpm.checkpoint import write_whole
from ddpm.scores import judge, with_error
from ddpm.settings import Settings
from training.loop import dataset
from training.measures import reports
from training.measures.drawing import draw
from training.measures.frechet import frechet_distance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GUIDANCE = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # with the default sampler and steps
STEPS = {  # of each sampler, at the default guidance
    "sde-dpm++": (5, 10, 15, 25),
    "dpm++": (5, 10, 15, 25),
    "ddim": (10, 25),
    "ddpm": (50, 1000),
}

STYLES: dict[str, dict[str, Any]] = {
    "ddpm": {"color": "#b4551d", "marker": "D"},
    "ddim": {"color": "#5d6670", "marker": "s", "linestyle": "--"},
    "dpm++": {"color": "#0b7a75", "marker": "o", "linestyle": "--"},
    "sde-dpm++": {"color": "#0b7a75", "marker": "o"},
}


def curve(default: Settings) -> list[Settings]:
    """What is measured: the default, then other guidance, then other samplers and numbers of steps."""
    guided = [replace(default, guidance=guidance) for guidance in GUIDANCE]
    sampled = [Settings(sampler, n, default.guidance) for sampler, counts in STEPS.items() for n in counts]
    return list(dict.fromkeys([default, *guided, *sampled]))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = []
    for row in sorted(rows, key=lambda row: (row["sampler"], row["steps"], row["guidance"])):
        calls = row["steps"] * (1 if row["guidance"] in (0, 1) else 2)
        topk = with_error(row["topk_accuracy"], row["topk_standard_error"], 3)
        exact = with_error(row["exact_match"], row["exact_standard_error"], 3)
        distance = with_error(row["frechet_distance"], digits=2)
        lines.append((row["sampler"], row["steps"], f"{row['guidance']:g}", calls, topk, exact, distance))
    names = ("sampler", "steps", "guidance", "network calls", "top-k", "exact match", "Frechet distance")
    return reports.table(names, lines)


def plot(rows: list[dict[str, Any]], default: Settings) -> Figure:
    """Exact match and Frechet distance against guidance, and against the number of steps of each sampler."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots(2, 2, sharey="row", sharex="col")
    measures = {"exact_match": "exact match", "frechet_distance": "Frechet distance"}
    for axis, (key, name) in zip(axes[:, 0], measures.items(), strict=True):
        chosen = [row for row in rows if (row["sampler"], row["steps"]) == (default.sampler, default.steps)]
        if found := sorted((row["guidance"], row[key]) for row in chosen if row[key] is not None):
            axis.plot(*zip(*found, strict=True), label=default.sampler, **STYLES[default.sampler])
        axis.set(xlabel=f"guidance ({default.steps} steps)", ylabel=name)
        axis.legend(frameon=False)
    for axis, key in zip(axes[:, 1], measures, strict=True):
        for sampler, style in STYLES.items():
            chosen = [row for row in rows if row["sampler"] == sampler and row["guidance"] == default.guidance]
            if found := sorted((row["steps"], row[key]) for row in chosen if row[key] is not None):
                axis.plot(*zip(*found, strict=True), label=sampler, **style)
        axis.set(xlabel=f"steps (guidance {default.guidance:g})", xscale="log")
        ticks = sorted({row["steps"] for row in rows if row["guidance"] == default.guidance})
        axis.set_xticks(ticks, labels=map(str, ticks))
        axis.minorticks_off()
        axis.legend(frameon=False)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.label_outer()
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder")
    parser.add_argument("--spec", required=True, help="label sets of our own, for the accuracy")
    parser.add_argument("--seeds", type=int, default=2, help="how often the spec is drawn")
    parser.add_argument("--data", help="fresh renders for the Frechet distance, which is left out without")
    parser.add_argument("--count", type=int, default=1000, help="pictures on each side of the Frechet distance")
    parser.add_argument("--slowest", type=int, default=1000, help="leave out runs of more steps than this")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    args = parser.parse_args(arguments)
    if args.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {args.seeds}")
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        evaluator = Evaluator.from_pretrained(args.evaluator)
        scenes = labels.read_spec(args.spec)
        args.out.mkdir(parents=True, exist_ok=True)
        real = scenes_of_real = None
        if args.data:
            images, conditions = dataset.load_once(args.data)
            if not 2 <= args.count <= len(images):
                raise ValueError(f"--count must be from 2 to the {len(images)} of {args.data}, got {args.count}")
            real = evaluator.features(dataset.to_float(images[: args.count]))
            scenes_of_real = [labels.decode(row) for row in conditions[: args.count]]
        file = args.out / "quality.json"
        rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
        if any(row["images"] != len(scenes) for row in rows):
            raise ValueError(f"{file} holds figures of another spec: choose another folder")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    done = {(row["sampler"], row["steps"], row["guidance"]) for row in rows}
    default = pipe.settings()
    for settings in curve(default):
        if tuple(asdict(settings).values()) in done or settings.steps > args.slowest:
            continue
        drawn, _ = draw(pipe, scenes, args.seeds, settings)
        result = judge(evaluator, drawn, scenes)
        distance = None
        if real is not None and scenes_of_real is not None and settings.steps <= 100:
            features = evaluator.features(pipe.generate(scenes_of_real, **asdict(settings)))
            distance = round(frechet_distance(features, real), 4)
        rows.append({**asdict(settings), **result, "frechet_distance": distance})
        text = json.dumps(rows, indent=1) + "\n"
        write_whole(file, lambda part, text=text: part.write_text(text, encoding="utf-8"))  # type: ignore[misc]
        print(table(rows[-1:]).splitlines()[-1])
    plot(rows, default).savefig(args.out / "quality.png", dpi=110)
    reports.fill(args.out / "QUALITY.md", "quality table", table(rows))


if __name__ == "__main__":
    terminal.run(main)
