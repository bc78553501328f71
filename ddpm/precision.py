"""Where bfloat16 pays: it is fast on hardware with instructions for it, and hopeless elsewhere."""

import time
from collections.abc import Callable
from functools import lru_cache

import torch
from torch.nn.functional import conv2d


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


def _best_seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Time a call; the best of some repeats is the one least disturbed by other work."""

    def seconds() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return min(seconds() for _ in range(repeats))
