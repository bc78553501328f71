"""Render random scenes, or given ones, into a data folder.

    python -m training.render --count 64 --seed 0 --out FOLDER
    python -m training.render --scenes scenes.json --out FOLDER

Writes FOLDER/images/*.png (64x64), FOLDER/labels.json (file name -> labels) and FOLDER/layouts.npy (what stands
where, see `training.scene.tracer`). Runs on the GPU where there is one; processes of `torchrun` share
the work.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ddpm import terminal
from ddpm.checkpoint import write_whole
from ddpm.labels import MAX_OBJECTS
from training.loop import processes
from training.scene.placement import Scene, random_labels, random_scene, read_scenes
from training.scene.tracer import batch_size, layouts, render, sights

MIN_VISIBLE = 200 / (320 * 240)  # share of the picture below which a scene is rejected for a hidden object

RenderJob = tuple[list[Path], Callable[[], list[Scene]]]
"""The files of some pictures, and what makes their scenes."""

Rendered = tuple[list[list[str]], Tensor]
"""Their labels and layouts."""


@torch.no_grad()
def random_scenes(
    indices: Sequence[int],
    seed: int,
    counts: Sequence[int] | None = None,
    in_sight: float = 0.0,
    device: torch.device | str = "cpu",
    repeats: float = 0.0,
) -> list[Scene]:
    """Random scenes, placed anew until each object covers `MIN_VISIBLE` and at least in_sight of it is in sight.

    Scene i depends on seed and i alone, and in rare cases on the device, whose rounding may reject a place.
    counts: scene i has counts[i % len(counts)] objects. device: where rays are traced. repeats: the share of scenes in
    which a label stands twice.
    """
    rngs = {i: np.random.default_rng([seed, i]) for i in indices}
    labels = {
        i: random_labels(rng, counts[i % len(counts)] if counts else None, repeats > 0 and rng.random() < repeats)
        for i, rng in rngs.items()
    }
    placed: dict[int, Scene] = {}
    while missing := [i for i in indices if i not in placed]:
        scenes = [random_scene(rngs[i], labels[i]) for i in missing]
        for i, scene, objects in zip(missing, scenes, sights(scenes, device), strict=True):
            if all(covers >= MIN_VISIBLE and unhidden >= in_sight for covers, unhidden in objects):
                placed[i] = scene
    return [placed[i] for i in indices]


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    torch.set_num_threads(1)


def _render_job(job: RenderJob, device: str) -> Rendered:
    # One chunk of work, in a process of its own: its pictures' files; returns their labels and layouts
    files, make_scenes = job
    scenes = make_scenes()
    for file, picture in zip(files, render(scenes, device), strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
    return [scene.labels for scene in scenes], layouts(scenes, device)


def write_dataset(
    chunks: Sequence[tuple[Sequence[str], Callable[[], list[Scene]]]], out: Path, device: str = "cpu"
) -> None:
    """Render chunks of scenes, each with its pictures' names, into the files of a data folder, in order.

    One process a core, or a single one with the GPU: more of them wait for each other there. Where this is one of the
    processes of `torchrun`, it renders its share; all of them must see the folder.
    """
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    # First of all, so that what an interruption leaves is no data set: never new pictures under old labels
    if processes.is_main():
        for name in ("labels.json", "layouts.npy"):
            (out / name).unlink(missing_ok=True)
    processes.wait()
    jobs = [([images / name for name in names], make_scenes) for names, make_scenes in chunks]
    workers = 1 if device.startswith("cuda") else max(1, (os.cpu_count() or 1) // processes.local_processes())
    context = multiprocessing.get_context("spawn")

    def work(some: Sequence[RenderJob]) -> list[Rendered]:
        with (
            tqdm(total=sum(len(files) for files, _ in some), unit="scene", disable=not processes.is_main()) as bar,
            context.Pool(workers, initializer=_begin_worker) as pool,
        ):
            found = []
            for rendered in pool.imap(functools.partial(_render_job, device=device), some):
                found.append(rendered)
                bar.update(len(rendered[0]))
            return found

    done = processes.map_shared(work, jobs)
    if not processes.is_main():
        return
    labels = {
        name: scene
        for (names, _), (scenes, _) in zip(chunks, done, strict=True)
        for name, scene in zip(names, scenes, strict=True)
    }
    np.save(out / "layouts.npy", torch.cat([maps for _, maps in done]).numpy())
    write_whole(out / "labels.json", lambda part: part.write_text(json.dumps(labels, indent=0), encoding="utf-8"))


def main(arguments: list[str] | None = None) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the workers are to be ended, see below
    parser = argparse.ArgumentParser(description="Render scenes of colored shapes, 64x64, with their labels.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--count", type=int, help="number of random scenes")
    source.add_argument("--scenes", type=Path, help="a scenes.json: one picture for each scene, same file names")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random scenes")
    parser.add_argument(
        "--counts",
        type=int,
        nargs="+",
        choices=range(MAX_OBJECTS + 1),
        help="numbers of objects, in turn (default: 0 to 5)",
    )
    parser.add_argument(
        "--in-sight", type=float, default=0.0, help="share of each object, up to 0.95, that no other may hide"
    )
    parser.add_argument(
        "--repeats", type=float, default=0.0, help="share of scenes in which a label stands twice (default 0)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for images/, labels.json and layouts.npy")
    args = parser.parse_args(arguments)
    device = processes.device() or ("cuda" if torch.cuda.is_available() else "cpu")
    size = batch_size(device)
    chunks: list[tuple[Sequence[str], Callable[[], list[Scene]]]] = []
    if args.scenes:
        options = ("seed", "counts", "in_sight", "repeats")
        if unused := [name for name in options if getattr(args, name) != parser.get_default(name)]:
            flags = ", ".join("--" + name.replace("_", "-") for name in unused)
            parser.error(f"{flags}: for random scenes alone; --scenes has everything in its file")
        try:
            given = read_scenes(args.scenes)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        names, scenes = list(given), list(given.values())
        for i in range(0, len(names), size):
            chunks.append((names[i : i + size], functools.partial(list, scenes[i : i + size])))
    else:
        if args.count < 1 or args.seed < 0:
            parser.error(f"--count must be at least 1 and --seed at least 0, got {args.count} and {args.seed}")
        if not 0 <= args.in_sight <= 0.95:
            parser.error(f"--in-sight must be from 0 to 0.95, got {args.in_sight}")
        if not 0 <= args.repeats <= 1:
            parser.error(f"--repeats must be from 0 to 1, got {args.repeats}")
        if args.repeats and min(args.counts or [2]) < 2:
            parser.error(f"--repeats needs two objects in each scene, --counts has {min(args.counts)}")
        for i in range(0, args.count, size):
            indices = range(i, min(i + size, args.count))
            make_scenes = functools.partial(
                random_scenes, indices, args.seed, args.counts, args.in_sight, device, args.repeats
            )
            chunks.append(([f"scene_{i:06d}.png" for i in indices], make_scenes))
    try:
        write_dataset(chunks, args.out, device)
    except OSError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    terminal.run(main)
