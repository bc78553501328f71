"""Fit the bounced light of the renderer (`training.scene.shading.Bounce`) to path-traced pictures.

    python -m training.fit_bounce --scenes scenes.json --frames FOLDER

The pictures of every other sequence are fitted, by Gauss-Newton on the squared error of the 64x64 pictures; the error
on the others says how good the fit is. The constants in use come from an earlier fit, which is as good within 0.01 of
255 and with which all training pictures were made. A sequence is the number in a name: `NAME_SEQUENCE_FRAME.png`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

import torch
from torch import Tensor

from ddpm import terminal
from ddpm.pictures import read_picture
from training.scene.placement import Scene, read_scenes, sequence_of
from training.scene.shading import BOUNCE, Bounce
from training.scene.tracer import CPU_BATCH, shrink, trace

DELTA = 0.01  # of a constant, for its derivative
ROUNDS = 4  # of Gauss-Newton; the pictures are nearly linear in the constants


@torch.no_grad()
def drawn(scenes: Sequence[Scene], bounce: Bounce) -> Tensor:
    """Pictures of scenes under this bounced light: (N, 3, 64, 64) in [0, 1]."""
    batches = [scenes[i : i + CPU_BATCH] for i in range(0, len(scenes), CPU_BATCH)]
    return torch.cat([shrink(trace(batch, torch.device("cpu"), bounce=bounce)) for batch in batches])


def fit(scenes: Sequence[Scene], truth: Tensor, start: Bounce = BOUNCE, rounds: int = ROUNDS) -> Bounce:
    """The bounced light under which pictures of the scenes are nearest to truth (N, 3, 64, 64), by squared error."""
    constants = torch.tensor(astuple(start), dtype=torch.float64)
    for _ in range(rounds):
        here = drawn(scenes, Bounce(*constants.tolist()))
        columns = []
        for i in range(len(constants)):
            there = constants.clone()
            there[i] += DELTA
            columns.append((drawn(scenes, Bounce(*there.tolist())) - here).flatten().double() / DELTA)
        jacobian, error = torch.stack(columns, 1), (truth - here).flatten().double()
        # The normal equations: five unknowns, a million rows
        constants += torch.linalg.solve(jacobian.T @ jacobian, jacobian.T @ error)
    return Bounce(*constants.tolist())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=Path, required=True, help="a scenes.json")
    parser.add_argument("--frames", type=Path, required=True, help="folder of its path-traced pictures, 4:3")
    args = parser.parse_args(arguments)
    try:
        scenes = read_scenes(args.scenes)
        halves = [[name for name in scenes if sequence_of(name) % 2 == odd] for odd in (0, 1)]
        if not all(halves):
            raise ValueError(f"{args.scenes} must hold scenes of odd and of even sequences")
        truths = [torch.cat([read_picture(args.frames / name) for name in half]) / 2 + 0.5 for half in halves]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    fitted = fit([scenes[name] for name in halves[0]], truths[0])
    for field in fields(Bounce):
        print(f"{field.name:>10} {getattr(fitted, field.name):.3f} (now {getattr(BOUNCE, field.name):.3f})")
    for what, bounce in (("fitted", fitted), ("now", BOUNCE)):
        errors = [
            255 * (drawn([scenes[name] for name in half], bounce) - truth).abs().mean().item()
            for half, truth in zip(halves, truths, strict=True)
        ]
        print(f"{what}: mean error {errors[0]:.2f} of 255 on the pictures fitted, {errors[1]:.2f} on the others")


if __name__ == "__main__":
    terminal.run(main)
