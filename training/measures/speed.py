"""What the benchmark compares with: other people's networks, and what the machine could do at best."""

from __future__ import annotations

import copy
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, mse_loss
from torch.utils.flop_counter import FlopCounterMode

from ddpm import Pipeline, cores, labels
from ddpm.networks import build
from ddpm.networks.staged import Staged

SCENE = ["red cube", "blue sphere", "yellow cylinder"]
REPORT_STEPS, DIFFUSERS_STEPS = 1000, 50
REPORT_WIDTH = 256
CONVOLUTIONS = ((2, 96, 16), (16, 96, 16), (16, 192, 8), (2, 256, 64))  # batch, channels, side


def interleaved(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call, timed in turn, so that other work on the machine slows all of them alike.

    Each is made twice a turn, and timed the second time: threads of what ran before may still wait awake at the first.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            cores.alone(call)
            start = time.perf_counter()
            cores.alone(call)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(its) for name, its in seconds.items()}


def one_stage(pipe: Pipeline) -> nn.Module:
    """The network of one forward."""
    return pipe.network.stages[0] if isinstance(pipe.network, Staged) else pipe.network


def forward_flop(network: nn.Module) -> int:
    """Floating point operations of one forward for one image, a multiplication and an addition counted as two."""
    device = next(network.parameters()).device
    network = copy.deepcopy(network).float()  # whatever it is in, its inputs are float32
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*_inputs(1, device))
    return int(counter.get_total_flops())


@torch.no_grad()
def convolution_rate(device: torch.device, dtype: torch.dtype, repeats: int = 9) -> float:
    """FLOP a second of the fastest 3x3 convolution of CONVOLUTIONS; the best repeat of each."""
    rates = []
    for batch, channels, side in CONVOLUTIONS:
        x = torch.randn(batch, channels, side, side, device=device, dtype=dtype)
        x = x.to(memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype)
        for _ in range(repeats):
            start = time.perf_counter()
            conv2d(x, weight, padding=1)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            rates.append(2 * 9 * channels**2 * batch * side**2 / (time.perf_counter() - start))
    return max(rates)


def against_others(ours: Mapping[str, Pipeline], pictures: int, repeats: int) -> dict[str, Any]:
    """Seconds for so many pictures: our models at their settings, and two other networks, one of whose steps is timed.

    report: the report's network at REPORT_WIDTH, 1000 steps of one forward. diffusers: `UNet2DModel` with
    (128, 128, 256, 256, 512, 512) channels, 50 steps. Both in eager torch; all in one precision, and timed in turn.
    Returns `seconds` of ours, and for each of the others how many times slower it is than each of ours.
    """
    pipe = next(iter(ours.values()))
    report = build("context_unet", {"width": REPORT_WIDTH}).eval().to(pipe.device)
    calls: dict[str, Callable[[], object]] = {
        name: partial(its.generate, [SCENE] * pictures) for name, its in ours.items()
    }
    calls["report"] = _forward(report, pictures, pipe)
    steps = {"report": REPORT_STEPS}
    try:
        from diffusers import UNet2DModel
    except ImportError:  # a package of the tests, not of the demo
        pass
    else:
        other: Any = UNet2DModel(64, block_out_channels=(128, 128, 256, 256, 512, 512), **_BLOCKS)
        other.eval().to(pipe.device)
        calls["diffusers"] = _forward(lambda x, time, _: other(x, 1000 * time).sample, pictures, pipe)
        steps["diffusers"] = DIFFUSERS_STEPS
    medians = interleaved(calls, repeats)
    result: dict[str, Any] = {"seconds": {name: medians[name] for name in ours}}
    for name, count in steps.items():
        whole = medians[name] * count
        result[name] = {
            "step_seconds": medians[name],
            "steps": count,
            "seconds_if_all_steps_cost_the_same": whole,
            "times_slower_than": {its: whole / medians[its] for its in ours},
        }
    return result


_BLOCKS: dict[str, Any] = {
    "down_block_types": ("DownBlock2D",) * 4 + ("AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * 4,
}


def training_rate(pipe: Pipeline, peak: float, batch: int = 16, repeats: int = 3) -> dict[str, float]:
    """Images a second of forward, backward and AdamW on one stage, in the pipeline's precision.

    share: of `peak`, counting the backward pass as two forwards.
    """
    network = copy.deepcopy(one_stage(pipe)).float().train().requires_grad_()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, fused=True)
    x, t, condition = _inputs(batch, pipe.device)

    def step() -> None:
        with torch.autocast(pipe.device.type, torch.bfloat16, enabled=pipe.dtype == torch.bfloat16):
            loss = mse_loss(network(x, t, condition).float(), x)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = interleaved({"step": step}, repeats)["step"]
    return {
        "batch": batch,
        "images_per_second": batch / seconds,
        "share_of_convolution_rate": 3 * forward_flop(network) * batch / seconds / peak,
    }


def start_seconds(checkpoint: str) -> float:
    """Seconds from starting Python to the first frame of a run, in a process of its own."""
    program = f"from ddpm import Pipeline; next(iter(Pipeline.from_pretrained({checkpoint!r}).stream([['red cube']])))"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


def peak_bytes() -> int | None:
    """The most memory that this process has held at once: the benchmark's, with the other networks, not the page's.

    None where the system does not tell, as on Windows.
    """
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _inputs(batch: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.randn(batch, 3, 64, 64, device=device)
    return x, torch.full((batch,), 0.3, device=device), labels.encode([SCENE] * batch).to(device)


def _forward(network: Callable[..., Tensor], batch: int, pipe: Pipeline) -> Callable[[], object]:
    inputs = _inputs(batch, pipe.device)

    @torch.no_grad()
    def call() -> object:
        with torch.autocast(pipe.device.type, pipe.dtype, enabled=pipe.dtype != torch.float32):
            return network(*inputs)

    return call
