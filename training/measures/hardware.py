"""What a training or a measurement ran on."""

import platform
from typing import Any

import torch

from ddpm import cores


def hardware(device: torch.device) -> dict[str, Any]:
    """What the times were measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()
    return {
        "device": name,
        "threads": cores.count(),
        "torch": torch.__version__,
        "system": platform.platform(),
    }


def _cpu_name() -> str:
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16", "bf16") if capabilities.get(name)]
    return " ".join([str(capabilities.get("cpu_name") or platform.machine()), *native])
