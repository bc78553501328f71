"""What denoisers make of noised renders, at every noise level: pictures for the evaluator to learn and be judged on.

    python -m training.predictions --data data/train --count 12000 --out data/predictions.npz

Renders are drawn so that 0, 1, ... 5 objects are as frequent as in training scenes, noised to a random timestep and
denoised once, as the page shows it: with the guidance of the model, as a plain conditional model, or without labels.
The file holds images uint8 (N, 3, 64, 64), t int64 (N,), counts int64 (N, 24) and guidance float32 (N,).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ddpm import Pipeline, terminal
from ddpm.denoiser import Denoiser
from training.loop import dataset
from training.loop.predicted import Predictions
from training.measures.reports import make_place
from training.scene.placement import COUNT_WEIGHTS

BATCH = 16


@torch.no_grad()
def predict(pipe: Pipeline, images: Tensor, counts: Tensor, seed: int) -> Predictions:
    """Noise and denoise each of images, uint8 (N, 3, 64, 64), once; t is uniform in 1..T.

    Half of the pictures get the guidance of the model, a quarter each 1 and 0.
    """
    schedule, generator = pipe.config.schedule, torch.Generator().manual_seed(seed)
    t = torch.randint(1, schedule.steps + 1, (len(images),), generator=generator)
    own = pipe.config.guidance
    guidance = torch.tensor([own, own, 1.0, 0.0])[torch.randint(4, (len(images),), generator=generator)]
    found = torch.empty_like(images)
    for scale in guidance.unique().tolist():
        denoiser = Denoiser(pipe.network, schedule, pipe.config.prediction, scale, pipe.dtype)
        chosen = (guidance == scale).nonzero().flatten()
        chosen = chosen[t[chosen].argsort()]  # networks in stages work at one stage a batch
        for ids in tqdm(chosen.split(BATCH), desc=f"guidance {scale:g}", leave=False):
            x = dataset.to_float(images[ids])
            noisy = schedule.add_noise(x, torch.randn(x.shape, generator=generator), t[ids])
            labels = (counts[ids] > 0).float()
            x0 = denoiser(noisy.to(pipe.device), t[ids].to(pipe.device), labels.to(pipe.device)).x0
            found[ids] = ((x0 + 1) * 127.5).round().to(torch.uint8).cpu()
    return Predictions(found, t, counts, guidance)


def draw(counts: Tensor, count: int, seed: int) -> Tensor:
    """Indices (count,) of scenes that show counts (N, 24), drawn so that their sizes follow COUNT_WEIGHTS.

    Sizes that no scene has are left out; a scene may be drawn several times.
    """
    sizes = counts.sum(dim=1)
    weights = torch.tensor(COUNT_WEIGHTS) / sizes.bincount(minlength=len(COUNT_WEIGHTS)).clamp_min(1)
    return torch.multinomial(weights[sizes], count, True, generator=torch.Generator().manual_seed(seed))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--data", required=True, help="a rendered folder")
    parser.add_argument("--count", type=int, required=True, help="number of predictions")
    parser.add_argument("--seed", type=int, default=0, help="seed of the timesteps and the noise")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file")
    args = parser.parse_args(arguments)
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint)
        images, counts = dataset.load_counts(args.data)
        if args.count < 1:
            raise ValueError(f"--count must be at least 1, got {args.count}")
        make_place(args.out)
        chosen = draw(counts, args.count, args.seed)
        predict(pipe, images[chosen], counts[chosen], args.seed).save(args.out)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
