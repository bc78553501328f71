"""The networks by name. Each is called as network(x (N, 3, 64, 64), time (N,) in [0, 1], labels (N, 24)) -> like x."""

from typing import Any

from torch import nn

from ddpm.networks.context_unet import ContextUNet
from ddpm.networks.staged import Staged
from ddpm.networks.unet import UNet

NETWORKS: dict[str, type[nn.Module]] = {"unet": UNet, "staged": Staged, "context_unet": ContextUNet}


def build(name: str, options: dict[str, Any]) -> nn.Module:
    """Return a new network. Raises ValueError for an unknown name or options that the network does not take."""
    if name not in NETWORKS:
        raise ValueError(f"network {name!r} is unknown; allowed are {', '.join(NETWORKS)}")
    try:
        return NETWORKS[name](**options)
    except (TypeError, RuntimeError) as error:  # RuntimeError: torch on sizes that cannot be
        raise ValueError(f"network {name!r} does not take the options {options}: {error}") from error
