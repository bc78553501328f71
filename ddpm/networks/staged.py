"""Networks that share the way from noise to picture, each for its own part (Balaji et al. 2022, "eDiff-I", section 4).

What a network has to do at the noisy end, to settle what stands where, is another task than to draw it sharply. Further
networks multiply what can be learned and cost nothing at a step, since only one of them is asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ddpm.networks.unet import UNet


class Staged(nn.Module):
    """UNets in turn, from the clear end to the noisy one: `stages[i]` is for t / T from `until[i - 1]` to `until[i]`.

    until: rising shares of the way above 0, the last of them 1; each itself belongs to the stage that it ends.
    options: what each UNet is built with, in the same order.
    """

    def __init__(self, until: Sequence[float], options: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        numbers = all(isinstance(u, (int, float)) and not isinstance(u, bool) for u in until)
        if not numbers or len(until) < 2 or any(a >= b for a, b in pairwise([0, *until])) or until[-1] != 1:
            raise ValueError(f"until must be two or more rising numbers above 0, the last of them 1, not {until!r}")
        if len(options) != len(until):
            raise ValueError(f"options must be given for each of the {len(until)} stages, not for {len(options)}")
        self.until = [float(u) for u in until]
        self.stages = nn.ModuleList(UNet(**its) for its in options)

    def asked(self, time: Tensor) -> list[int]:
        """Which stage each t / T of time (N,) belongs to."""
        # t / T and the shares are rounded each for itself: half a millionth is less than any step
        return [min(bisect_left(self.until, t - 5e-7), len(self.until) - 1) for t in time.tolist()]

    def forward(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """x: (N, 3, 64, 64); time: t / T, (N,); labels: (N, 24), all -1 for the null condition. Returns like x."""
        asked = self.asked(time)
        if len(set(asked)) == 1:
            out: Tensor = self.stages[asked[0]](x, time, labels)
            return out
        out = torch.empty_like(x)
        for i in set(asked):
            chosen = torch.tensor([i == its for its in asked], device=x.device)
            out[chosen] = self.stages[i](x[chosen], time[chosen], labels[chosen]).to(out.dtype)
        return out
