"""Where a network is run when the caller names no device."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable

import torch
from torch import nn

from ddpm import IMAGE_SHAPE
from ddpm.labels import NUM_LABELS

log = logging.getLogger(__name__)


def best() -> torch.device:
    """A GPU where there is one (cuda, or mps on a Mac), else the CPU; or what DDPM_DEVICE in the environment says.

    Raises ValueError where DDPM_DEVICE names a device that is not here.
    """
    if wanted := os.environ.get("DDPM_DEVICE"):
        return named(wanted, "DDPM_DEVICE")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def named(name: str, what: str) -> torch.device:
    """The device of this name, as torch spells it. Raises ValueError that begins with `what`."""
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind, _, index = name.partition(":")
    if not here.get(kind) or (index and not (kind == "cuda" and index.isdecimal())):
        allowed = ", ".join(kind for kind, found in here.items() if found)
        raise ValueError(f"{what} must be a device of this machine ({allowed}), not {name[:40]!r}")
    return torch.device(name)


def working(device: torch.device, trial: Callable[[torch.device], object]) -> torch.device:
    """The device, or the CPU where that is mps and the trial fails on it: not every operation is there on every Mac."""
    if device.type != "mps":
        return device
    try:
        trial(device)
    except (RuntimeError, TypeError) as error:  # NotImplementedError is a RuntimeError; float64 raises TypeError
        log.warning("mps is not used, the CPU runs the network: %s", str(error).partition("\n")[0])
        return torch.device("cpu")
    return device


@torch.no_grad()
def trial(network: nn.Module, device: torch.device) -> None:
    """Run the network once on a device. Raises what torch raises where it cannot."""
    x, time, conditions = torch.zeros(1, *IMAGE_SHAPE), torch.ones(1), torch.zeros(1, NUM_LABELS)
    copy.deepcopy(network).to(device)(x.to(device), time.to(device), conditions.to(device)).cpu()
