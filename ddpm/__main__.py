"""python -m ddpm generate "red sphere" "cyan cube" --seed 7 --out scene.png, or `ddpm generate ...` once installed."""

import sys

from ddpm.cli import main


def run() -> None:
    """Run the command line and end the process with its exit status."""
    sys.exit(main())


if __name__ == "__main__":
    run()
