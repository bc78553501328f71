"""Where bfloat16 pays: it is fast on hardware with instructions for it, and hopeless elsewhere."""

import copy
import time
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn
from torch.nn.functional import conv2d

DTYPES = (torch.float32, torch.bfloat16)


def has_native_bf16(device: str | torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 itself."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@lru_cache(maxsize=1)
def cpu_dtype() -> torch.dtype:
    """bfloat16 where this CPU computes it natively and no slower than it should, else float32.

    Without native support bfloat16 can be a thousand times slower, so that nothing is tried there. The timing has a
    wide margin: it is to find such slowness, not to let other work on the machine change the precision between runs.
    """
    if not has_native_bf16("cpu"):
        return torch.float32
    x, weight = torch.randn(1, 64, 16, 16), torch.randn(64, 64, 3, 3)
    plain = _best_seconds(lambda: conv2d(x, weight, padding=1))
    x, weight = (tensor.to(torch.bfloat16, memory_format=torch.channels_last) for tensor in (x, weight))
    native = _best_seconds(lambda: conv2d(x, weight, padding=1))
    return torch.bfloat16 if native < 4 * plain else torch.float32


def fitted(network: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The network with its weights on a device, and inside its layers in a precision: itself, or a copy.

    Raises ValueError for a dtype other than float32 and bfloat16.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be {' or '.join(map(str, DTYPES))}, not {dtype!r}")
    heavy = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    inner = {weight for m in network.modules() if isinstance(m, heavy) for weight in m.parameters(recurse=False)}
    if all(
        weight.device.type == device.type
        and device.index in (None, weight.device.index)
        and weight.dtype == (dtype if weight in inner else torch.float32)
        for weight in network.parameters()
    ):
        return network
    network = copy.deepcopy(network).to(device, torch.float32)
    if dtype == torch.bfloat16:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for layer in network.modules():
            if isinstance(layer, heavy):
                layer.to(dtype)  # once, where autocast would convert the same weights at every forward
    return network


def _best_seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Time a call; the best of some repeats is the one least disturbed by other work."""

    def seconds() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return min(seconds() for _ in range(repeats))
