"""Make one model of two: a network for all timesteps and one that was trained for the less noisy ones alone.

    python -m training.join --coarse runs/default/checkpoint --fine runs/fine/checkpoint --out checkpoints/default

The second must come from a preset with `until` below 1, as "fine" has it; it takes over from there. Everything but the
network (schedule, default settings) is the first one's. Where one of them is a joined model, its half is taken.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ddpm import checkpoint
from ddpm.networks.staged import Staged


def half(name: Literal["coarse", "fine"], folder: Path) -> tuple[nn.Module, checkpoint.ModelConfig]:
    """Load a checkpoint; of a joined one the half of that name, as if it stood alone. Raises CheckpointError."""
    network, config = checkpoint.load(folder)
    if not isinstance(network, Staged):
        return network, config
    options = {key: value for key, value in config.options.items() if key != "boundary"}
    facts = config.training.get(name, {})
    return getattr(network, name), replace(config, network="unet", options=options, training=facts)


def join(coarse: Path, fine: Path) -> tuple[Staged, checkpoint.ModelConfig]:
    """The network of both checkpoints and its config. Raises CheckpointError, or ValueError where they do not fit."""
    (noisy, config), (clear, other) = half("coarse", coarse), half("fine", fine)
    for name in ("network", "options", "prediction", "schedule"):
        if getattr(config, name) != getattr(other, name):
            raise ValueError(f"{fine} has another {name} than {coarse}: both must be alike")
    if config.network != "unet":
        raise ValueError(f"{coarse} holds a {config.network!r}; only two of the kind 'unet' can be joined")
    boundary = other.training.get("until", 1.0)
    if boundary == 1:
        raise ValueError(
            f"{fine} was trained for all timesteps; the second checkpoint must come from a preset with until"
        )
    network = Staged(boundary, **config.options)
    network.coarse.load_state_dict(noisy.state_dict())
    network.fine.load_state_dict(clear.state_dict())
    training = {"coarse": config.training, "fine": other.training}
    options = {"boundary": boundary, **config.options}
    return network, replace(config, network="staged", options=options, training=training)


def main(arguments: list[str] | None = None) -> None:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coarse", required=True, type=Path, help="the checkpoint for the noisier timesteps")
    parser.add_argument("--fine", required=True, type=Path, help="the checkpoint for the others")
    parser.add_argument("--out", required=True, type=Path, help="folder of the joined model")
    args = parser.parse_args(arguments)
    try:
        network, config = join(args.coarse, args.fine)
        checkpoint.save(args.out, network, config, dtype=torch.float16)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
