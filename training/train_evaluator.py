"""Train the bundled evaluator: `python -m training.train_evaluator --data FOLDER --out checkpoints/evaluator`.

A gentle-stem ResNet-18 on binary cross-entropy, with AdamW and one learning-rate cycle over the given minutes. Each
picture is mirrored, shifted, blurred, re-lit and made noisy a little, so that the judge looks at objects and not at the
renderer's fingerprint.
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

from ddpm.checkpoint import storable, write_whole
from ddpm.evaluator import (
    Evaluator,
    EvaluatorConfig,
    build_network,
    config_json,
    exact_match,
    per_image_accuracy,
    topk_accuracy,
    trunk,
)
from ddpm.precision import has_native_bf16
from training import dataset

BATCH = 32
LEARNING_RATE = 1e-3  # the peak of the cycle
WARM_UP = 0.15  # share of the time until the peak
WEIGHT_DECAY = 0.05
VALIDATION = 0.05  # share of the data, its tail, that is never trained on


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


def batches(images: Tensor, labels: Tensor, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless epochs of shuffled batches: uint8 images (N, 3, 64, 64) and labels (N, 24)."""
    while True:
        order = torch.randperm(len(images), generator=generator)
        for ids in order.split(BATCH):
            yield images[ids], labels[ids]


def one_cycle(progress: float) -> float:
    """Share of the peak learning rate at a progress of 0..1: up linearly, down as a cosine (Smith & Topin 2019)."""
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP)))


def measure(evaluator: Evaluator, images: Tensor, labels: Tensor) -> dict[str, float]:
    """The three accuracies on uint8 images (N, 3, 64, 64)."""
    p = evaluator(dataset.to_float(images))
    metrics = {"topk_accuracy": topk_accuracy, "per_image_accuracy": per_image_accuracy, "exact_match": exact_match}
    return {name: round(metric(p, labels), 5) for name, metric in metrics.items()}


def save(folder: Path, network: nn.Module, config: EvaluatorConfig) -> None:
    """Write model.safetensors (matrices in float16) and config.json, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = to_bytes(storable(network.state_dict(), torch.float16))
    write_whole(folder / "model.safetensors", lambda path: path.write_bytes(weights))
    write_whole(folder / "config.json", lambda path: path.write_text(config_json(config), encoding="utf-8"))


def main(arguments: list[str] | None = None) -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a rendered folder, or iclevr:FOLDER for the lab's")
    parser.add_argument("--out", required=True, type=Path, help="folder for model.safetensors and config.json")
    parser.add_argument("--minutes", type=float, default=12.0, help="length of the training (default 12)")
    parser.add_argument("--init", type=Path, help="an evaluator to go on from, with a learning-rate cycle of its own")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bf16 = has_native_bf16(device)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)

    if not args.minutes > 0:
        parser.error(f"--minutes must be more than 0, got {args.minutes}")
    try:
        images, labels = dataset.load(args.data)
        before = Evaluator.from_pretrained(args.init, device) if args.init else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    held_out = max(1, round(VALIDATION * len(images)))
    train_images, train_labels = images[:-held_out], labels[:-held_out]
    print(f"{len(train_images)} pictures to train on, {held_out} held out, {device}, {'bf16' if bf16 else 'float32'}")

    config = before.config if before else EvaluatorConfig(stem="gentle")
    network = before.network.train().requires_grad_() if before else build_network(config.stem).to(device)
    backbone, head = trunk(network), network.get_submodule("fc.0")
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY, fused=True)

    start, step, seen, average = time.monotonic(), 0, 0, math.log(2)
    for x, y in batches(train_images, train_labels, generator):
        progress = (time.monotonic() - start) / (60 * args.minutes)
        if progress >= 1:
            break
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * one_cycle(progress)
        x = augment(dataset.to_float(x.to(device)), generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = head(backbone(x))
        loss = F.binary_cross_entropy_with_logits(logits.float(), y.to(device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step, seen, average = step + 1, seen + len(x), average + 0.02 * (loss.item() - average)
        if step % 100 == 0:
            rate = seen / (time.monotonic() - start)
            print(f"{progress:4.0%}  {seen} images seen, {rate:.0f}/s, loss {average:.4f}", flush=True)

    network.load_state_dict(storable(network.state_dict(), torch.float16))  # measure what is stored
    held_out_figures = measure(Evaluator(network, config, device), images[-held_out:], labels[-held_out:])
    training = {
        "images": len(train_images),
        "images_seen": seen,
        "minutes": args.minutes,
        "seed": args.seed,
        "held_out_images": held_out,
        "held_out": held_out_figures,
        "init": config.training,
    }
    save(args.out, network, EvaluatorConfig(config.stem, training=training))
    print(json.dumps(training, indent=2))


if __name__ == "__main__":
    main()
