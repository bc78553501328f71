"""The Frechet distance between drawn and rendered pictures of the same label sets, in the evaluator's feature space.

    python -m training.render --count 10000 --seed 9 --out data/fresh
    python -m training.frechet --checkpoint checkpoints/default --data data/fresh --count 5000 --json OUT

The first `count` pictures of the folder name the label sets and are the truth. The distance between them and the next
`count` ones is the floor: what two sets of real pictures are apart. Distances of different counts must not be
compared: small samples look farther apart than they are. With --second-opinion also the kernel distance of the same
pictures, in the features of a network that is not ours (see `training.measures.kernel`). Processes of `torchrun` share
the drawing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ddpm import Evaluator, Pipeline, labels, terminal
from ddpm.samplers import SAMPLERS
from training.loop import dataset, processes
from training.measures import kernel
from training.measures.drawing import draw
from training.measures.frechet import frechet_distance
from training.measures.reports import make_place


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--data", required=True, help="a folder of fresh renders")
    parser.add_argument("--count", type=int, default=5000, help="pictures on each side")
    parser.add_argument("--sampler", choices=sorted(SAMPLERS), help="instead of the checkpoint's own")
    parser.add_argument("--steps", type=int, help="instead of the checkpoint's own")
    parser.add_argument("--guidance", type=float, help="instead of the checkpoint's own")
    parser.add_argument(
        "--second-opinion", action="store_true", help="the kernel distance in a foreign network's features as well"
    )
    parser.add_argument("--json", required=True, type=Path, help="where the figures go")
    args = parser.parse_args(arguments)
    try:
        pipe = Pipeline.from_pretrained(args.checkpoint, processes.device())
        evaluator = Evaluator.from_pretrained(args.evaluator, processes.device())
        settings = pipe.settings(args.sampler, args.steps, args.guidance)
        images, conditions = dataset.load_once(args.data)
        if not 2 <= args.count <= len(images) // 2:
            raise ValueError(f"--count must be from 2 to half of the {len(images)} pictures of {args.data}")
        foreign = kernel.load() if args.second_opinion else None
        make_place(args.json)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    drawn = draw(pipe, [labels.decode(row) for row in conditions[: args.count]], 1, settings)[0][0]
    if not processes.is_main():
        return
    real = evaluator.features(dataset.to_float(images[: 2 * args.count]))
    report: dict[str, Any] = {
        "checkpoint": args.checkpoint,
        "count": args.count,
        **asdict(settings),
        "frechet_distance": round(frechet_distance(evaluator.features(drawn), real[: args.count]), 4),
        "floor": round(frechet_distance(real[: args.count], real[args.count :]), 4),
    }
    if foreign:
        real = kernel.features(foreign, dataset.to_float(images[: 2 * args.count]))
        sides = {"kernel_distance": kernel.features(foreign, drawn), "kernel_floor": real[args.count :]}
        for name, side in sides.items():
            report[name] = float(f"{kernel.kernel_distance(side, real[: args.count]):.3g}")
            report[f"{name}_error"] = kernel.standard_error(side, real[: args.count])
    args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    terminal.run(main)
