"""What the command line does: each command takes its parsed arguments and writes files or prints a verdict."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from ddpm import comparison, hub, scores
from ddpm.evaluator import Evaluator, predicted_labels
from ddpm.evaluator_guidance import EvaluatorGuidance
from ddpm.export import write_file, write_gif, write_mp4
from ddpm.labels import LABEL_ID, LABELS, check, read_spec
from ddpm.pictures import cut, grid_of, in_natural_order, open_picture, read_picture
from ddpm.pipeline import Pipeline
from ddpm.settings import Settings
from ddpm.trajectory import Trajectory

Writer = Callable[[Path], None]

TRAJECTORY_FORMATS: dict[str, Callable[[Trajectory, Path], None]] = {
    ".gif": Trajectory.save_gif,
    ".mp4": Trajectory.save_mp4,
    ".png": Trajectory.save_strip,
    ".npz": Trajectory.save_npz,
}


class Unfinished(ValueError):
    """Some of the work could not be done; each failure has been named, and all the rest has been done."""


def generate(args: argparse.Namespace) -> None:
    """Draw one scene and write the files asked for."""
    run = _draw(args)
    files = ((args.out, run.save_png), (args.gif, run.save_gif), (args.npz, run.save_npz))
    _write((path, write) for path, write in files if path is not None)


def trajectory(args: argparse.Namespace) -> None:
    """Draw one scene and write its denoising in the formats asked for."""
    run = _draw(args)
    _write((path, partial(TRAJECTORY_FORMATS[path.suffix.lower()], run)) for path in args.out)


def evaluate(args: argparse.Namespace) -> None:
    """Print what the evaluator sees in each picture, or with a spec how well they show what was requested."""
    if isinstance(args.json, str) and _shows(Path(args.json)):  # a picture that follows the bare option
        args.pictures, args.json = [Path(args.json), *args.pictures], True
    if not args.pictures:
        raise ValueError("no picture: name at least one file or folder")
    out = Path(args.json) if isinstance(args.json, str) else None
    if out is not None and not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(out.parent)!r}")
    if args.spec is not None:
        report, whole = _score(args), True
        if not args.json or out is not None:
            print(scores.table([report]))
    else:
        report, whole = _name(args)
    if args.json:
        text = json.dumps(report, indent=2) + "\n"
        if out is None:
            print(text, end="")
        else:
            write_file(out, lambda part: part.write_text(text, encoding="utf-8"))
    if not whole:
        raise Unfinished


def _shows(path: Path) -> bool:
    return path.suffix.lower() in Image.registered_extensions() or path.is_dir()


def _name(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Print the labels of each picture, and return them with all probabilities, and whether no picture failed."""
    evaluator = _evaluator(args)
    reports = {}

    def judge(path: Path) -> None:
        p = evaluator(read_picture(path))
        reports[str(path)] = {
            "labels": predicted_labels(p)[0],
            "probabilities": dict(zip(LABELS, p[0].tolist(), strict=True)),
        }
        if not args.json:
            seen = [f"{label} {p[0, LABEL_ID[label]]:.2f}" for label in predicted_labels(p)[0]]
            print(f"{path}: {', '.join(seen) or 'nothing'}")

    files = [file for path in args.pictures for file in (in_natural_order(path) if path.is_dir() else [path])]
    try:
        _each(judge, ((file,) for file in files))
    except Unfinished:
        return reports, False
    return reports, True


def _score(args: argparse.Namespace) -> dict[str, Any]:
    """Score a folder of pictures, or a sheet, against a spec: what `ddpm.scores.judge` says."""
    scenes = read_spec(args.spec)
    if len(args.pictures) != 1:
        raise ValueError(f"--spec scores one folder or one sheet, not {len(args.pictures)} files")
    (place,) = args.pictures
    if place.is_dir():
        files = in_natural_order(place)
        if len(files) != len(scenes):
            raise ValueError(f"{place} holds {len(files)} pictures, and {args.spec} {len(scenes)} scenes")
        images = torch.cat([read_picture(file) for file in files])
    else:
        picture = open_picture(place)
        columns, rows, _ = grid_of(picture) or (1, 1, 0)
        images = read_picture(place) if columns * rows == len(scenes) == 1 else cut(picture)
        if -(-len(scenes) // columns) != rows:  # its last row may end early
            raise ValueError(f"{place} shows {len(images)} pictures, and {args.spec} holds {len(scenes)} scenes")
        images = images[: len(scenes)]
    evaluator = _evaluator(args)
    return {"spec": str(args.spec), "pictures": str(place), **scores.judge(evaluator, images[None], scenes)}


def compare(args: argparse.Namespace) -> None:
    """Draw one scene with one seed under two settings, write both beside each other, and print both verdicts."""
    scene = check(args.labels)
    pipes = [_pipeline(side.pop("checkpoint", None)) for side in (args.a, args.b)]
    settings = [pipe.settings(**side) for pipe, side in zip(pipes, (args.a, args.b), strict=True)]
    evaluator = _evaluator(args)
    runs = [_run(pipe, scene, args.seed, chosen) for pipe, chosen in zip(pipes, settings, strict=True)]
    for name, pipe, run in zip("AB", pipes, runs, strict=True):
        chosen = run.settings
        print(f"{name}: {pipe.config.name}, {chosen.sampler}, {chosen.steps} steps, guidance {chosen.guidance:g}")
        p = evaluator(run.x0[-1])
        for label in [*scene, *(label for label in predicted_labels(p)[0] if label not in scene)]:
            chance = p[0, LABEL_ID[label]].item()
            word = "not requested" if label not in scene else "found" if chance >= 0.5 else "missing"
            print(f"   {label:<15} {chance:.2f}  {word}")
    writers: dict[str, Writer] = {
        ".png": lambda path: write_file(path, lambda part: comparison.film_strip(runs).save(part, "PNG")),
        ".gif": lambda path: write_gif(comparison.film(runs), path, below=True),
        ".mp4": lambda path: write_mp4(comparison.film(runs), path),
    }
    _write((path, writers[path.suffix.lower()]) for path in args.out)


def _pipeline(checkpoint: str | None) -> Pipeline:
    return Pipeline.from_pretrained(hub.bundled("default") if checkpoint is None else checkpoint)


def _evaluator(args: argparse.Namespace) -> Evaluator:
    return Evaluator.from_pretrained(hub.bundled("evaluator") if args.evaluator is None else args.evaluator)


def _draw(args: argparse.Namespace) -> Trajectory:
    scene = check(args.labels)
    pipe = _pipeline(args.checkpoint)
    if args.evaluator is not None and args.evaluator_guidance is None:
        raise ValueError("--evaluator steers the drawing, which needs --evaluator-guidance SCALE")
    if args.evaluator_guidance is not None:
        pipe = pipe.steered(EvaluatorGuidance(_evaluator(args), args.evaluator_guidance))
    return _run(pipe, scene, args.seed, pipe.settings(args.sampler, args.steps, args.guidance))


def _run(pipe: Pipeline, scene: Sequence[str], seed: int, settings: Settings) -> Trajectory:
    steps = pipe.stream([scene], seed, settings.sampler, settings.steps, settings.guidance)
    progress = tqdm(steps, total=settings.steps, unit="step", disable=None)  # None: only on a terminal
    return Trajectory.collect(progress, [scene], seed, settings, pipe.recipe_name)


def _write(files: Iterable[tuple[Path, Writer]]) -> None:
    def write(path: Path, writer: Writer) -> None:
        writer(path)
        print(path)

    _each(write, files)


def _each(work: Callable[..., None], items: Iterable[tuple]) -> None:
    """Do the work for each item, also where it fails for one; then raise Unfinished."""
    failed = False
    for item in items:
        try:
            work(*item)
        except (ValueError, OSError) as error:
            complain(error)
            failed = True
    if failed:
        raise Unfinished


def complain(error: Exception) -> None:
    """Tell people on the error stream what went wrong."""
    print(f"ddpm: error: {error}", file=sys.stderr)
