"""bfloat16 is used where the hardware has it, and nowhere else."""

import torch

from ddpm import precision


def test_bfloat16_is_for_cpus_that_have_it(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    precision.cpu_dtype.cache_clear()
    assert precision.cpu_dtype() == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    for native, expected in ((1e-4, torch.bfloat16), (1.0, torch.float32)):
        seconds = iter([2e-4, native])
        monkeypatch.setattr(precision, "_best_seconds", lambda call, seconds=seconds: next(seconds))
        precision.cpu_dtype.cache_clear()
        assert precision.cpu_dtype() == expected
    precision.cpu_dtype.cache_clear()
