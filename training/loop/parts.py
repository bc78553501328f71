"""A checkpoint as the networks that it is joined of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from ddpm import checkpoint
from ddpm.networks.staged import Staged

Part = tuple[nn.Module, checkpoint.ModelConfig]


def parts(folder: Path) -> dict[float, Part]:
    """Load a checkpoint as its networks by the share of the way that they end at, each as if it stood alone.

    Raises CheckpointError.
    """
    network, config = checkpoint.load(folder)
    if not isinstance(network, Staged):
        return {config.training.get("until", 1.0): (network, config)}
    facts = config.training.get("stages", [{}] * len(network.until))
    return {
        until: (stage, replace(config, network="unet", options=options, training=training))
        for until, stage, options, training in zip(
            network.until, network.stages, config.options["options"], facts, strict=True
        )
    }
