"""The report's study: every system of it and some steps beyond, trained alike, measured alike, in one table.

    python -m training.study --data data/study --fresh data/fresh --spec spec.json --out runs/study --images 200000
    python -m training.study ... --width 32 --patch 2       smaller than the report's, for a CPU
    python -m training.study ... --teacher checkpoints/default     its rows taught what that model predicts
    python -m training.study ... --row report-groupnorm     one row at a time, for instance one a GPU

Rows are the presets of `training.loop.presets.STUDY` and the default model, all on the same pictures in the same order,
the same number of them, with the same seeds. Each row is trained (or gone on with) in OUT/ROW, scored with its own
sampler and with DDIM, and asked to denoise fresh pictures; OUT/ROW/figures.json and sheet.png are written. The
finished rows make docs/study-loss.png, docs/study-samples.png and the table in docs/STUDY.md between its marks. The
report's data are scenes of 1 to 3 objects: `training.render --counts 1 2 3`.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddpm import Evaluator, Pipeline, labels, terminal
from ddpm.denoiser import Denoiser
from ddpm.scores import judge, with_error
from ddpm.trajectory import to_picture
from training.loop import dataset
from training.loop.presets import PRESETS, STUDY, TAUGHT, TrainConfig
from training.measures import reports
from training.measures.drawing import draw
from training.measures.hardware import hardware
from training.train import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = (*STUDY, "default")
QUICK = ("ddim", 50)  # every row by this one too
STRIP = "sheet.png"  # in a row's folder: SHEET as it draws it
NOISE_LEVELS = (0.5, 0.7, 0.9, 0.97)  # shares of noise, 1 - alpha_bar, at which the rows denoise fresh pictures
SHEET = (
    *(["red cube"], ["cyan sphere"], ["yellow cylinder"], ["gray cube", "blue sphere"]),
    *(["green cylinder", "purple cube"], ["red sphere", "brown cylinder", "cyan cube"]),
)


def row_config(row: str, width: int, patch: int, batch: int, images: int, taught: bool = False) -> TrainConfig:
    """The row's preset for a number of images; the default model as it is.

    The report's systems at these sizes, `taught` or as their presets have it.
    """
    config = replace(PRESETS[row], images=images)
    if row not in STUDY:
        return config
    options = {**config.options, "width": width, "patch": patch}
    return replace(config, batch=batch, options=options, **(TAUGHT if taught else {}))


def measure(folder: Path, specs: list[str], seeds: int, evaluator: Evaluator) -> list[dict[str, Any]]:
    """Score a row's checkpoint on each spec, with its own sampler and with the quick one."""
    pipe = Pipeline.from_pretrained(folder / "checkpoint")
    results = []
    for sampler, steps in dict.fromkeys([(pipe.config.sampler, pipe.config.steps), QUICK]):
        settings = pipe.settings(sampler, steps)
        for spec in specs:
            scenes = labels.read_spec(spec)
            images, seconds = draw(pipe, scenes, seeds, settings)
            cost = {"seconds_per_image": round(seconds / images.shape[:2].numel(), 4)}
            results.append({"spec": Path(spec).name, **asdict(settings), **judge(evaluator, images, scenes), **cost})
    return results


@torch.no_grad()
def denoising_errors(pipe: Pipeline, images: Tensor, conditions: Tensor) -> dict[str, float]:
    """How far the predicted clean pictures are from the real ones, and what knowing the labels is worth.

    images: uint8 (N, 3, 64, 64), never trained on, N at least 2; conditions: (N, 24). Returns, over all pictures and
    NOISE_LEVELS: error, the root mean square in steps of 1 / 255 of the range; gain, the share of the mean square that
    is saved by the right labels in place of another picture's (0 for a network that makes nothing of them, negative for
    one that they mislead); gain_error, its standard error over the pictures, each compared with itself.
    """
    schedule = pipe.config.schedule
    denoiser = Denoiser(pipe.network, schedule, pipe.config.prediction, dtype=pipe.dtype)
    squares = torch.zeros(2, len(images), dtype=torch.float64)  # with the right labels, with another picture's
    for level in NOISE_LEVELS:
        t = int((1 - schedule.alpha_bar >= level).nonzero()[0])
        noise = torch.Generator().manual_seed(t)
        for i in range(0, len(images), 64):
            x0 = images[i : i + 64].to(pipe.device) / 127.5 - 1
            x_t = schedule.add_noise(x0, torch.randn(x0.shape, generator=noise).to(pipe.device), t)
            for row, y in zip(squares, (conditions, conditions.roll(1, 0)), strict=True):
                found = denoiser(x_t, t, y[i : i + 64].to(pipe.device)).x0
                row[i : i + 64] += (found - x0).square().flatten(1).mean(1).cpu() / len(NOISE_LEVELS)
    right, wrong = squares
    saved = wrong - right
    facts = {
        "error": 127.5 * right.mean().sqrt(),
        "gain": saved.mean() / wrong.mean(),
        "gain_error": saved.std() / len(saved) ** 0.5 / wrong.mean(),
    }
    return {name: round(float(value), 5) for name, value in facts.items()}


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The finished rows as Markdown, a line for each system; each sampler of each spec has two columns."""
    columns = list(dict.fromkeys(_column(result) for found in figures.values() for result in found["specs"]))
    lines = []
    for row, found in figures.items():
        errors = found["errors"]
        gain = with_error(100 * errors["gain"], 100 * errors["gain_error"], 1)
        size = " ".join(str(found[key]) for key in ("width", "patch"))
        facts = [f"{found['parameters'] / 1e6:.2f} M", size, found["batch"], f"{found['images']:,}"]
        scores = {_column(result): result for result in found["specs"]}
        cells = [cell for column in columns for cell in _scores(scores.get(column))]
        lines.append((row, *facts, f"{errors['error']:.2f}", gain, *cells))
    head = ["system", "parameters", "width, patch", "batch", "images seen", "error", "gain of the labels, %"]
    head += [f"{score}, {column}" for column in columns for score in ("top-k", "exact match")]
    return reports.table(head, lines)


def _column(result: dict[str, Any]) -> str:
    """The spec and the sampler; the rows' own samplers share a column."""
    quick = (result["sampler"], result["steps"]) == QUICK
    return f"{result['spec']}, {QUICK[0]} {QUICK[1]}" if quick else f"{result['spec']}, own sampler"


def _scores(result: dict[str, Any] | None) -> tuple[str, str]:
    if result is None:
        return "-", "-"
    topk = with_error(result["topk_accuracy"], result["topk_standard_error"], 3)
    return topk, with_error(result["exact_match"], result["exact_standard_error"], 3)


def _figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return found


def plot_losses(out: Path, rows: list[str]) -> Figure:
    """Training loss over images seen. Rows that predict v instead of the noise have losses of another kind."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axis = figure.subplots()
    for row in rows:
        with (out / row / "log.csv").open(newline="", encoding="utf-8") as file:
            points = [(int(line["images"]), float(line["loss"])) for line in csv.DictReader(file)]
        axis.plot(*zip(*points, strict=True), label=row + (" (v)" if PRESETS[row].prediction == "v" else ""))
    axis.set(xlabel="images seen", ylabel="loss", yscale="log")
    axis.legend(frameon=False, fontsize=8)
    return figure


def draw_strip(pipe: Pipeline, path: Path) -> None:
    """Write SHEET side by side, drawn with the row's own sampler."""
    to_picture(torch.cat(list(pipe.generate(SHEET, 0)), -1)).save(path)


def sheet(out: Path, rows: list[str]) -> Figure:
    """The same labels and seeds drawn by every row: what `draw_strip` left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * len(SHEET) + 1.2, 1.5 * len(rows) + 0.5), dpi=80, layout="constrained")
    axes = figure.subplots(len(rows), len(SHEET), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        with Image.open(out / row / STRIP) as strip:
            pictures = np.split(np.array(strip), len(SHEET), axis=1)
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest", aspect=3 / 4)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(row.removeprefix("report-"), fontsize=8)
    for axis, scene in zip(axes[0], SHEET, strict=True):
        axis.set_title("\n".join(scene), fontsize=8)
    return figure


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="training pictures, as for training.train")
    parser.add_argument("--fresh", required=True, help="pictures like these, but never trained on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--spec", required=True, action="append", help="a file of label lists; may be given repeatedly")
    parser.add_argument("--row", action="append", choices=ROWS, help="train only this row; may be given repeatedly")
    parser.add_argument("--width", type=int, default=256, help="channels of the report's network (the report's: 256)")
    parser.add_argument("--patch", type=int, default=1, help="side of its patches (the report's: 1, single pixels)")
    parser.add_argument("--batch", type=int, default=32, help="images a step of the report's systems (its own: 32)")
    parser.add_argument(
        "--teacher", type=Path, help="a model that the report's systems learn from, in place of the noise"
    )
    parser.add_argument("--images", type=int, required=True, help="images that each row sees")
    parser.add_argument("--seeds", type=int, default=3, help="how often each spec is drawn")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    args = parser.parse_args(arguments)
    if args.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {args.seeds}")
    asked = {"images": args.images, "seeds": args.seeds, "spec_files": args.spec}
    asked |= {"evaluator": args.evaluator, "fresh": args.fresh}
    try:
        evaluator = Evaluator.from_pretrained(args.evaluator)
        fresh = dataset.load(args.fresh)
        for spec in args.spec:
            labels.read_spec(spec)
        for row in args.row or ROWS:
            folder = args.out / row
            config = row_config(row, args.width, args.patch, args.batch, args.images, bool(args.teacher))
            train(config, args.data, folder, resume=True, teacher=args.teacher)
            if (folder / "figures.json").exists() and asked.items() <= _figures(folder).items():
                continue
            pipe = Pipeline.from_pretrained(folder / "checkpoint")
            if pipe.config.training["images_seen"] < args.images:
                raise SystemExit(f"{row} was stopped, so it is not measured; the same command goes on with it")
            found = {
                "parameters": sum(value.numel() for value in pipe.network.parameters()),
                "width": args.width if row in STUDY else "-",
                "patch": args.patch if row in STUDY else "-",
                "batch": config.batch,
                **asked,
                "hardware": hardware(pipe.device)["device"],
                "errors": denoising_errors(pipe, *fresh),
                "specs": measure(folder, args.spec, args.seeds, evaluator),
            }
            draw_strip(pipe, folder / STRIP)
            (folder / "figures.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
            del pipe
            torch.cuda.empty_cache()
    except (OSError, ValueError) as error:
        parser.error(str(error))
    done = [row for row in ROWS if (args.out / row / "figures.json").exists()]
    args.docs.mkdir(parents=True, exist_ok=True)
    plot_losses(args.out, done).savefig(args.docs / "study-loss.png", dpi=100)
    sheet(args.out, done).savefig(args.docs / "study-samples.png")
    text = table({row: _figures(args.out / row) for row in done})
    reports.fill(args.docs / "STUDY.md", "study table", text)
    print(text)


if __name__ == "__main__":
    terminal.run(main)
