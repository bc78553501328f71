"""Command line: python -m ddpm generate "red sphere" "cyan cube" --seed 7 --out scene.png"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from ddpm.labels import check
from ddpm.pipeline import Pipeline
from ddpm.samplers import SAMPLERS
from ddpm.trajectory import Trajectory

DEFAULT_CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints" / "default"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 2 for what the caller can mend, 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    try:
        generate(args)
    except (ValueError, OSError) as error:
        print(f"ddpm: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def generate(args: argparse.Namespace) -> None:
    """Draw one scene and write the files asked for."""
    scene = check(args.labels)
    pipe = Pipeline.from_pretrained(args.checkpoint)
    settings = pipe.settings(args.sampler, args.steps, args.guidance)
    steps = pipe.stream([scene], args.seed, settings.sampler, settings.steps, settings.guidance)
    progress = tqdm(steps, total=settings.steps, unit="step", disable=None)  # None: only on a terminal
    run = Trajectory.collect(progress, [scene], args.seed, settings)
    for path, write in ((args.out, run.save_png), (args.gif, run.save_gif), (args.npz, run.save_npz)):
        if path is not None:
            write(path)
            print(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m ddpm", description="Draw scenes of colored shapes by diffusion.")
    command = parser.add_subparsers(required=True, metavar="command").add_parser(
        "generate", help="draw one scene", description="Draw one 64x64 scene from its labels."
    )
    command.add_argument("labels", nargs="+", metavar="label", help='a color and a shape, such as "red sphere"')
    command.add_argument("--out", type=_file(".png"), required=True, metavar="PNG", help="the picture")
    command.add_argument("--gif", type=_file(".gif"), metavar="GIF", help="the denoising: noisy and predicted clean")
    command.add_argument("--npz", type=_file(".npz"), metavar="NPZ", help="every step as arrays, for numpy.load")
    command.add_argument("--seed", type=int, default=0, help="0 or more; the same seed gives the same picture")
    command.add_argument("--sampler", choices=list(SAMPLERS), help="default: the model's own, here and below")
    command.add_argument("--steps", type=int, help="number of denoising steps")
    command.add_argument("--guidance", type=float, help="how strongly the labels count, 0 to 20")
    command.add_argument(
        "--checkpoint", default=str(DEFAULT_CHECKPOINT), help="a folder, or a model of the Hugging Face Hub"
    )
    return parser


def _file(suffix: str) -> Callable[[str], Path]:
    """Return the argument type of a file to write, which fails before any work is done rather than after it."""

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() != suffix:
            raise argparse.ArgumentTypeError(f"{text!r} must end in {suffix}")
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
        return path

    return parse


if __name__ == "__main__":
    sys.exit(main())
