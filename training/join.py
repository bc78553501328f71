"""Make one model of networks that were trained for parts of the way.

    python -m training.join runs/default/checkpoint runs/fine/checkpoint --out runs/joined

Each network is for the timesteps up to its preset's `until`, above those of the next; one must go all the way to T.
Of a joined model all its networks are taken; where two end at the same timestep, the later one in the list counts.
Everything but the networks (schedule, default settings) is that of the one that goes to T; the name is the folder's.
A figures.json there goes: it is of the weights that were there before.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ddpm import checkpoint, hub, terminal
from ddpm.networks.staged import Staged
from training.loop.parts import Part, parts


def join(folders: Sequence[Path]) -> tuple[Staged, checkpoint.ModelConfig]:
    """The network of all checkpoints and its config. Raises CheckpointError, or ValueError where they do not fit."""
    found: dict[float, Part] = {}
    for folder in folders:
        for until, (network, config) in parts(folder).items():
            if config.network != "unet":
                raise ValueError(f"{folder} holds a {config.network!r}; only networks of the kind 'unet' can be joined")
            found[until] = network, config
            for name in ("prediction", "schedule"):
                if getattr(config, name) != getattr(next(iter(found.values()))[1], name):
                    raise ValueError(f"{folder} has another {name} than {folders[0]}: all must be alike")
    if 1.0 not in found or len(found) < 2:
        raise ValueError(
            "one checkpoint must be for timesteps up to T, and at least one from a preset with until; these are for "
            f"{', '.join(f't / T up to {until:g}' for until in sorted(found))}"
        )
    ends = sorted(found)
    networks, configs = zip(*(found[end] for end in ends), strict=True)
    options = [config.options for config in configs]
    joined = Staged(ends, options)
    for stage, network in zip(joined.stages, networks, strict=True):
        stage.load_state_dict(network.state_dict())
    training = {"stages": [config.training for config in configs]}
    return joined, replace(
        configs[-1], network="staged", options={"until": ends, "options": options}, training=training
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs="+", type=Path, help="the networks' folders")
    parser.add_argument("--out", required=True, type=Path, help="folder of the joined model")
    args = parser.parse_args(arguments)
    try:
        network, config = join(args.checkpoints)
        checkpoint.save(args.out, network, replace(config, name=args.out.resolve().name), dtype=torch.float16)
        (args.out / hub.FIGURES).unlink(missing_ok=True)  # of the weights that were there before
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
