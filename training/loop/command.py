"""The part of the command line that all trainings share."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from training.loop.presets import TrainConfig


def parser_of(
    description: str, presets: Mapping[str, TrainConfig], default: str | None = None
) -> argparse.ArgumentParser:
    """A parser for what is trained on what, where, and for how long. Without a `default` a preset has to be named."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--preset", choices=sorted(presets), default=default, required=default is None)
    parser.add_argument("--data", default="data/train", help="a rendered folder, or iclevr:FOLDER for the lab's")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--minutes", type=float, help="stop, saved, after so many minutes")
    parser.add_argument("--images", type=int, help="pictures to learn from in all, in place of the preset's number")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    return parser


def config_of(
    args: argparse.Namespace, parser: argparse.ArgumentParser, presets: Mapping[str, TrainConfig]
) -> TrainConfig:
    """The preset that was asked for, with its number of pictures; ends the program where a number is not allowed."""
    if args.minutes is not None and not args.minutes > 0:
        parser.error(f"--minutes must be more than 0, got {args.minutes}")
    if args.images is not None and args.images < 1:
        parser.error(f"--images must be at least 1, got {args.images}")
    config = presets[args.preset]
    return config if args.images is None else replace(config, images=args.images)
