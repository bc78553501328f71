"""Measure speed here: `python -m training.benchmark --json OUT`.

Times are medians over repeats, after a warm-up, of the code that the page runs: the network inside its denoiser at
several batch sizes (conditional only, so that one call is one forward) and its share of the fastest convolution here, a
picture at the model's own settings, what the page adds to that, how cost grows, what other networks take
(`training.measures.speed`), and what a faster backend gains. What is compared is timed in turn.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ddpm import Evaluator, Pipeline, cores, labels, terminal
from ddpm.demo.draw.studio import Judge, Studio
from ddpm.denoiser import Denoiser, Network
from training.measures import speed
from training.measures.hardware import hardware
from training.measures.reports import make_place
from training.measures.speed import SCENE

BATCHES = (1, 2, 8, 16)
REPEATS = 11
FEW = 3  # repeats of what takes seconds
PAGE_STEPS = 25
PICTURES = (1, 4)
GROWTH_IMAGES = (1, 2, 4, 8)
GROWTH_STEPS = (5, 10, 25)


def median_seconds(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """The median duration of a call over some repeats, after one that is not counted."""
    seconds = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def forward_seconds(pipe: Pipeline, batch: int, repeats: int = REPEATS) -> float:
    """Seconds for one forward of the network, in the pipeline's precision, on a batch of noise."""
    denoiser = Denoiser(pipe.network, pipe.config.schedule, pipe.config.prediction, dtype=pipe.dtype)
    forward = partial(cores.alone, torch.no_grad()(denoiser))
    x = torch.randn(batch, 3, 64, 64, device=pipe.device)
    condition = labels.encode([SCENE] * batch).to(pipe.device)
    return median_seconds(partial(forward, x, pipe.config.schedule.steps // 2, condition), repeats, pipe.device)


def generate_seconds(pipe: Pipeline, repeats: int) -> float:
    """Seconds from labels to one picture, with the model's own sampler, steps and guidance."""
    return median_seconds(partial(cores.alone, pipe.generate, [SCENE]), repeats, pipe.device)


def page_seconds(pipe: Pipeline, evaluator: Judge, glance: Judge, repeats: int, steps: int) -> dict[str, float]:
    """What the page adds to a run of so many steps, in seconds: medians.

    generate: `Pipeline.generate` alone. frames: encoding the frames and keeping the run. charts: the evaluator's looks
    on the way and its word on the picture. share: (frames + charts) / generate. after: its look at all other steps,
    when the picture stands. Each is timed in turn and compared within each turn, so that a machine that is busy with
    other things disturbs the differences less.
    """
    settings = pipe.settings(steps=steps)
    choice = (settings.sampler, settings.steps, settings.guidance)
    page, blind = Studio(pipe, evaluator, glance), Studio(pipe, lambda x: torch.zeros(len(x), labels.NUM_LABELS))
    calls: tuple[Callable[[], object], ...] = (
        partial(cores.alone, pipe.generate, [SCENE], 0, *choice),
        lambda: _until_done(blind, *choice),
        lambda: _until_done(page, *choice),
        lambda: list(page.run(SCENE, 0, *choice)),
    )
    turns = [[median_seconds(call, 1, pipe.device) for call in calls] for _ in range(repeats)]
    return {
        "steps": steps,
        "generate": statistics.median(generate for generate, *_ in turns),
        "frames": statistics.median(frames - generate for generate, frames, _, _ in turns),
        "charts": statistics.median(shown - frames for _, frames, shown, _ in turns),
        "share": statistics.median((shown - generate) / generate for generate, _, shown, _ in turns),
        "after": statistics.median(whole - shown for _, _, shown, whole in turns),
    }


def _until_done(studio: Studio, sampler: str, steps: int, guidance: float) -> None:
    for value in studio.run(SCENE, 0, sampler, steps, guidance):
        if value["state"] == "done":
            return


def growth(pipe: Pipeline) -> dict[str, dict[str, float]]:
    """Seconds of `generate` over images, steps and threads, each with the rest at the model's own settings."""
    threads = cores.count()

    def with_threads(count: int) -> object:
        torch.set_num_threads(count)
        try:
            return pipe.generate([SCENE], steps=few)
        finally:
            torch.set_num_threads(threads)

    most = pipe.config.schedule.steps
    few = min(GROWTH_STEPS[0], most)
    images = {str(n): partial(pipe.generate, [SCENE] * n, steps=few) for n in GROWTH_IMAGES}
    steps = {str(n): partial(pipe.generate, [SCENE], steps=n) for n in GROWTH_STEPS if n <= most}
    counts = {str(n): partial(with_threads, n) for n in sorted({1, threads})}
    return {
        f"images_at_{few}_steps": speed.interleaved(images, FEW),
        "steps": speed.interleaved(steps, FEW),
        f"threads_at_{few}_steps": speed.interleaved(counts, FEW),
    }


def models(checkpoint: str) -> dict[str, Pipeline]:
    """The model and, where it lies beside it, its student: in eager torch, and with the backend that is faster here."""
    folders = {"model": Path(checkpoint), "student": Path(checkpoint).parent / "fast"}
    found = {}
    for name, folder in folders.items():
        if name == "model" or (folder / "config.json").is_file():
            found[name], quick = Pipeline.from_pretrained(folder), Pipeline.from_pretrained(folder)
            if (switching := quick.accelerate()) and (backend := switching.wait()) != "eager":
                found[f"{name}, {backend}"] = quick
    return found


def backend(pipe: Pipeline, peak: float, flop: int) -> dict[str, Any] | None:
    """The backend that runs the network faster than eager torch, timed against it in turn; None where none does."""
    start = time.perf_counter()
    switching = pipe.accelerate()
    if switching is None or switching.wait() == "eager":
        return None
    ready = time.perf_counter() - start
    ways: dict[str, Network] = {"eager": pipe.network, switching.name: switching.current()}
    forward = {}
    for batch in BATCHES:
        x = torch.randn(batch, 3, 64, 64)
        condition = labels.encode([SCENE] * batch)
        calls = {
            name: partial(
                torch.no_grad()(Denoiser(network, pipe.config.schedule, pipe.config.prediction, dtype=pipe.dtype)),
                x,
                pipe.config.schedule.steps // 2,
                condition,
            )
            for name, network in ways.items()
        }
        forward[str(batch)] = speed.interleaved(calls, REPEATS)
    return {
        "name": switching.name,
        "seconds_until_ready": ready,
        "forward_seconds_by_batch": forward,
        "share_of_convolution_rate_by_batch": {
            n: int(n) * flop / its[switching.name] / peak for n, its in forward.items()
        },
        "generate_seconds": generate_seconds(pipe, repeats=FEW),
    }


def rounded(value: Any) -> Any:
    """The same report with its numbers at four digits."""
    if isinstance(value, dict):
        return {key: rounded(its) for key, its in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="the evaluator's folder")
    parser.add_argument("--json", required=True, type=Path, help="where the times go")
    args = parser.parse_args(arguments)
    cores.gather()
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        evaluator = Evaluator.from_pretrained(args.evaluator)
        glance = Evaluator.from_pretrained(args.evaluator, dtype=pipe.dtype)
        make_place(args.json)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    began, load = time.perf_counter(), os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # not on Windows
    page = page_seconds(pipe, evaluator, glance, FEW, PAGE_STEPS)
    forward = {str(batch): forward_seconds(pipe, batch) for batch in BATCHES}
    peak = cores.alone(speed.convolution_rate, pipe.device, pipe.dtype)
    flop = speed.forward_flop(speed.one_stage(pipe))
    report = {
        "checkpoint": args.checkpoint,
        "parameters": sum(parameter.numel() for parameter in pipe.network.parameters()),
        "precision": str(pipe.dtype).removeprefix("torch."),
        "hardware": {**hardware(pipe.device), "load_before": load},
        "forward_flop": flop,
        "convolution_flop_per_second": peak,
        "forward_seconds_by_batch": forward,
        "share_of_convolution_rate_by_batch": {n: int(n) * flop / s / peak for n, s in forward.items()},
        "generate_seconds": generate_seconds(pipe, repeats=FEW),
        "settings": asdict(pipe.settings()),
        "page": page,
        "growth": growth(pipe),
        "training": speed.training_rate(pipe, peak),
        "start_to_first_frame_seconds": speed.start_seconds(args.checkpoint),
        "backend": backend(pipe, peak, flop),  # from here on the pipeline runs on it
    }
    if pipe.device.type == "cuda":
        whole = {
            "64_pictures": partial(pipe.generate, [SCENE] * 64),
            "1000_steps": partial(pipe.generate, [SCENE], 0, "ddpm", min(1000, pipe.config.schedule.steps)),
        }
        report["gpu_seconds"] = {name: median_seconds(call, FEW, pipe.device) for name, call in whole.items()}
    ours = models(args.checkpoint)
    report |= {
        "against_others": {str(n): speed.against_others(ours, n, FEW) for n in PICTURES},
        "peak_bytes": speed.peak_bytes(),
    }
    report["benchmark_seconds"] = time.perf_counter() - began
    report = rounded(report)
    args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    terminal.run(main)
