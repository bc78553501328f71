"""python -m ddpm generate "red sphere" "cyan cube" --seed 7 --out scene.png, or `ddpm generate ...` once installed."""

import signal


def run() -> None:
    """Run the command line and end the process with its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the libraries load ends the program without a traceback
    from ddpm import terminal
    from ddpm.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    terminal.run(main)


if __name__ == "__main__":
    run()
