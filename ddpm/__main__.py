"""python -m ddpm generate "red sphere" "cyan cube" --seed 7 --out scene.png, or `ddpm generate ...` once installed."""

import signal
import sys


def run() -> None:
    """Run the command line and end the process with its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the libraries load ends the program without a traceback
    from ddpm.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())


if __name__ == "__main__":
    run()
