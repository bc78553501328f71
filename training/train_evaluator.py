"""Train the bundled evaluator: `python -m training.train_evaluator --data FOLDER --out checkpoints/evaluator`.

A gentle-stem ResNet-18 with a count head, on binary cross-entropy, with AdamW and one learning-rate cycle over the
given minutes. Each picture is mirrored, shifted, blurred, re-lit and made noisy a little, so that the judge looks at
objects and not at the renderer's fingerprint. With --predictions (see `training.predictions`) it also learns how much
can be seen in a half-formed picture, and to give base rates for noise. Ctrl-C and SIGTERM end it early, with what it
has learned by then.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm import terminal
from ddpm.checkpoint import storable, write_whole
from ddpm.counting import COUNTER, CountHead, Judge
from ddpm.evaluator import Evaluator, EvaluatorConfig, build_network, config_json
from ddpm.precision import has_native_bf16
from ddpm.schedule import NoiseSchedule
from training.loop import dataset
from training.loop.predicted import Predictions
from training.loop.run import stop_on_signals
from training.measures.judging import on_renders
from training.measures.reports import make_place

BATCH = 32
LEARNING_RATE = 1e-3  # the peak of the cycle
WARM_UP = 0.15  # share of the time until the peak
WEIGHT_DECAY = 0.05
VALIDATION = 0.05  # share of each folder, its tail, that is never trained on
NOISY = 0.05  # share of the pictures that are noised to a random timestep, where predictions are learned as well
SHARPNESS = 10.0  # how fast the chance of "at least k objects" rises around a sum of k - 0.5


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, 3, 64, 64) in [-1, 1]: mirrored, moved by sub-pixels, scaled, blurred, re-lit and noisy at random."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(x), *shape, generator=generator)

    theta = torch.zeros(len(x), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = (zoom := uniform(0.97, 1.03)), zoom
    theta[:, 0, 0] *= torch.where(torch.rand(len(x), generator=generator) < 0.5, -1.0, 1.0)  # left and right exchanged
    theta[:, :, 2] = uniform(-0.05, 0.05, 2)  # of half the width: up to 1.6 pixels
    theta = theta.to(x.device)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    binomial = torch.tensor([1.0, 2.0, 1.0], device=x.device) / 4
    kernel = (binomial[:, None] * binomial).expand(3, 1, 3, 3)
    blurred = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
    x = x.lerp(blurred, uniform(-0.2, 0.5, 1, 1, 1).to(x.device))  # negative weights sharpen
    contrast, brightness = uniform(0.9, 1.1, 1, 1, 1), uniform(-0.05, 0.05, 1, 1, 1)
    tint = uniform(-0.02, 0.02, 3, 1, 1)
    x = x * contrast.to(x.device) + (brightness + tint).to(x.device)
    noise = torch.randn(x.shape, generator=generator) * uniform(0.0, 0.05, 1, 1, 1)
    return (x + noise.to(x.device)).clamp(-1, 1)


def batches(images: Tensor, counts: Tensor, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless epochs of shuffled batches: uint8 images (N, 3, 64, 64) and counts (N, 24)."""
    while True:
        order = torch.randperm(len(images), generator=generator)
        for ids in order.split(BATCH):
            yield images[ids], counts[ids]


def add_noise(x: Tensor, schedule: NoiseSchedule, generator: torch.Generator) -> Tensor:
    """Noise a share of images x (N, 3, 64, 64) to a random timestep each: of some nothing is left."""
    chosen = torch.rand(len(x), generator=generator) < NOISY
    t = torch.randint(1, schedule.steps + 1, (len(x),), generator=generator) * chosen
    noise = torch.randn(x.shape, generator=generator).to(x.device)
    return torch.where(chosen.to(x.device)[:, None, None, None], schedule.add_noise(x, noise, t).clamp(-1, 1), x)


def loss(answers: Tensor, counts: Tensor) -> Tensor:
    """Binary cross-entropy of a Judge's answers (N, 2, 24) for counts (N, 24): of a label, and of 1 and 2 objects."""
    logits, sums = answers.float().unbind(1)
    loss = F.binary_cross_entropy_with_logits(logits, (counts > 0).float())
    for k in (1, 2):  # ordinal: "at least k"
        loss = loss + F.binary_cross_entropy_with_logits(SHARPNESS * (sums - (k - 0.5)), (counts >= k).float())
    return loss


def one_cycle(progress: float) -> float:
    """Share of the peak learning rate at a progress of 0..1: up linearly, down as a cosine (Smith & Topin 2019)."""
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP)))


def save(folder: Path, network: nn.Module, config: EvaluatorConfig, counter: CountHead | None = None) -> None:
    """Write model.safetensors (matrices in float16) and config.json, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    state = network.state_dict()
    if counter:
        state |= {COUNTER + key: value for key, value in counter.state_dict().items()}
    weights = to_bytes(storable(state, torch.float16))
    write_whole(folder / "model.safetensors", lambda path: path.write_bytes(weights))
    write_whole(folder / "config.json", lambda path: path.write_text(config_json(config), encoding="utf-8"))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", required=True, action="append", help="a rendered folder, or iclevr:FOLDER; may be given repeatedly"
    )
    parser.add_argument(
        "--predictions", type=Path, action="append", default=[], help="a file of training.predictions; likewise"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for model.safetensors and config.json")
    parser.add_argument("--minutes", type=float, default=12.0, help="length of the training (default 12)")
    parser.add_argument("--init", type=Path, help="an evaluator to go on from, with a learning-rate cycle of its own")
    parser.add_argument(
        "--lr", type=float, default=LEARNING_RATE, help=f"the peak of the learning rate (default {LEARNING_RATE})"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bf16 = has_native_bf16(device)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)

    if not args.minutes > 0:
        parser.error(f"--minutes must be more than 0, got {args.minutes}")
    if not args.lr > 0:
        parser.error(f"--lr must be more than 0, got {args.lr}")
    try:
        train, held_out = read(args.data, args.predictions)
        before = Evaluator.from_pretrained(args.init, device) if args.init else None
        make_place(args.out / "model.safetensors")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(
        f"{len(train[0])} pictures to train on, {len(held_out[0])} held out, {device}, {'bf16' if bf16 else 'float32'}"
    )

    config = before.config if before else EvaluatorConfig(stem="gentle")
    network = before.network if before else build_network(config.stem)
    counter = (before and before.counter) or CountHead()
    judge = Judge(network, counter).to(device).train().requires_grad_()
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
    schedule = NoiseSchedule()

    start, step, seen, average = time.monotonic(), 0, 0, 3 * math.log(2)
    with stop_on_signals() as stop:
        for x, y in batches(*train, generator):
            progress = (time.monotonic() - start) / (60 * args.minutes)
            if progress >= 1 or stop.is_set():
                break
            optimizer.param_groups[0]["lr"] = args.lr * one_cycle(progress)
            x = augment(dataset.to_float(x.to(device)), generator)
            if args.predictions:
                x = add_noise(x, schedule, generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                answers = judge(x.contiguous(memory_format=torch.channels_last))
            value = loss(answers, y.to(device))
            value.backward()
            optimizer.step()
            optimizer.zero_grad()
            step, seen, average = step + 1, seen + len(x), average + 0.02 * (value.item() - average)
            if step % 100 == 0:
                rate = seen / (time.monotonic() - start)
                print(f"{progress:4.0%}  {seen} images seen, {rate:.0f}/s, loss {average:.4f}", flush=True)

    minutes = min(args.minutes, round((time.monotonic() - start) / 60, 2))
    for part in (network, counter):
        part.load_state_dict(storable(part.state_dict(), torch.float16))  # measure what is stored
    config = EvaluatorConfig(config.stem, counts=True, training=config.training)
    training = {
        "images": len(train[0]),
        "images_seen": seen,
        "minutes": minutes,
        "lr": args.lr,
        "seed": args.seed,
        "held_out_images": len(held_out[0]),
        "held_out": on_renders(Evaluator(network, config, device, counter=counter), *held_out),
        "init": config.training,
    }
    save(args.out, network, EvaluatorConfig(config.stem, counts=True, training=training), counter)
    print(json.dumps(training, indent=2))


def read(folders: list[str], files: list[Path]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images and counts to train on, and those of the folders' tails, held out. Raises DatasetError and OSError."""
    train, held_out = [], []
    for folder in folders:
        images, counts = dataset.load_counts(folder)
        tail = max(1, round(VALIDATION * len(images)))
        if tail == len(images):
            raise dataset.DatasetError(f"{folder} holds one picture; one is held out, so that at least 2 are needed")
        train.append((images[:-tail], counts[:-tail]))
        held_out.append((images[-tail:], counts[-tail:]))
    for predictions in map(Predictions.load, files):
        train.append((predictions.images, predictions.counts))
    (images, counts), (held_images, held_counts) = (
        map(torch.cat, zip(*parts, strict=True)) for parts in (train, held_out)
    )
    return (images, counts), (held_images, held_counts)


if __name__ == "__main__":
    terminal.run(main)
