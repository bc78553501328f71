"""The command line: draw scenes, keep their denoising, judge pictures, compare settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ddpm import commands
from ddpm.checkpoint import part_of
from ddpm.commands import TRAJECTORY_FORMATS, Unfinished
from ddpm.labels import brief
from ddpm.samplers import SAMPLERS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 2 for what the caller can mend, 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    try:
        args.work(args)
    except Unfinished:
        return 2
    except (ValueError, OSError) as error:
        commands.complain(error)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    name = "ddpm" if Path(sys.argv[0]).stem == "ddpm" else "python -m ddpm"  # the installed script, or the module
    parser = argparse.ArgumentParser(name, description="Draw scenes of colored shapes by diffusion.")
    command_of = parser.add_subparsers(required=True, metavar="command")

    command = command_of.add_parser("generate", help="draw one scene", description="Draw one 64x64 scene.")
    command.add_argument("--out", type=_file(".png"), required=True, metavar="PNG", help="the picture")
    command.add_argument("--gif", type=_file(".gif"), metavar="GIF", help="the denoising: noisy and predicted clean")
    command.add_argument("--npz", type=_file(".npz"), metavar="NPZ", help="every step as arrays, for numpy.load")
    _add_scene(command, commands.generate)
    _add_settings(command)

    command = command_of.add_parser(
        "trajectory",
        help="keep the denoising of one scene",
        description="Draw one scene and keep every step: as a film (.gif, .mp4), a film strip (.png) or arrays (.npz).",
    )
    _add_out(command, tuple(TRAJECTORY_FORMATS))
    _add_scene(command, commands.trajectory)
    _add_settings(command)

    command = command_of.add_parser(
        "evaluate",
        help="name the objects in pictures, or score them",
        description="Print the objects that the evaluator sees; with --spec, score pictures against requested labels: "
        "those of a folder in the natural order of their names (0.png, 1.png, ... 10.png), or a sheet of them.",
    )
    command.add_argument("pictures", nargs="*", type=Path, metavar="picture", help="a file, best 64x64, or a folder")
    command.add_argument("--spec", type=Path, metavar="FILE", help="the label lists, such as the lab's test.json")
    command.add_argument(
        "--json",
        nargs="?",
        const=True,
        default=False,
        metavar="OUT",
        help="all 24 probabilities of each picture, or the scores, as JSON; printed, or written to OUT",
    )
    command.set_defaults(work=commands.evaluate)
    _add_evaluator(command)

    command = command_of.add_parser(
        "compare",
        help="draw one scene under two settings",
        description="Draw one scene from the same noise under two settings: as a film with A on the left and B on the "
        "right (.gif, .mp4), or as a film strip with A above B (.png). A side is a list such as "
        "sampler=ddim,steps=50,guidance=2,checkpoint=FOLDER; what it leaves out is the model's own.",
    )
    command.add_argument("--a", type=_side, required=True, metavar="SETTINGS", help="such as steps=10")
    command.add_argument("--b", type=_side, required=True, metavar="SETTINGS", help="such as sampler=ddim,steps=50")
    _add_out(command, (".png", ".gif", ".mp4"))
    _add_scene(command, commands.compare)
    _add_evaluator(command)
    return parser


def _add_scene(command: argparse.ArgumentParser, work: Callable[[argparse.Namespace], None]) -> None:
    command.set_defaults(work=work)
    command.add_argument("labels", nargs="+", metavar="label", help='a color and a shape, such as "red sphere"')
    command.add_argument("--seed", type=int, default=0, help="0 or more; the same seed gives the same picture")


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--sampler", choices=list(SAMPLERS), help="default: the model's own, here and below")
    command.add_argument("--steps", type=int, help="number of denoising steps")
    command.add_argument("--guidance", type=float, help="how strongly the labels count, 0 to 20")
    command.add_argument(
        "--evaluator-guidance",
        type=float,
        metavar="SCALE",
        help="let the evaluator steer, up to 100 (default: off)",
    )
    _add_evaluator(command)
    command.add_argument(
        "--checkpoint", help="a folder, or a model of the Hugging Face Hub (default: checkpoints/default)"
    )


def _add_out(command: argparse.ArgumentParser, suffixes: tuple[str, ...]) -> None:
    command.add_argument(
        "--out",
        type=_file(*suffixes),
        action="append",
        required=True,
        metavar="FILE",
        help=f"{', '.join(suffixes)}; may be given several times",
    )


def _add_evaluator(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--evaluator", help="a folder, a model of the Hub, or the lab's checkpoint.pth (default: checkpoints/evaluator)"
    )


def _side(text: str) -> dict[str, Any]:
    """Read one side of a comparison, such as "sampler=ddim,steps=50": settings, and the checkpoint."""
    kinds: dict[str, Callable[[str], object]] = {"checkpoint": str, "sampler": str, "steps": int, "guidance": float}
    values: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if key not in kinds or not equals:
            raise argparse.ArgumentTypeError(f"{part!r} is none of {', '.join(f'{kind}=...' for kind in kinds)}")
        if key in values:
            raise argparse.ArgumentTypeError(f"{key} stands twice in {text!r}")
        try:
            values[key] = kinds[key](value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r}: {value!r} is not a number that will do") from None
    return values


def _file(*suffixes: str) -> Callable[[str], Path]:
    """Return the argument type of a file to write, which fails before any work is done rather than after it."""

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"{brief(text)} must end in {' or '.join(suffixes)}")
        try:
            part_of(path).lstat()  # its name is the longer one
        except (FileNotFoundError, NotADirectoryError):
            pass  # there is nothing yet; the folder is looked at below
        except OSError as error:
            raise argparse.ArgumentTypeError(f"{brief(text)}: {error.strerror}") from None
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
        return path

    return parse
