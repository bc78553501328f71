"""Steering a run by the judge: every predicted clean picture is moved to where the evaluator likes it better.

Classifier guidance (Dhariwal & Nichol 2021, section 4) with a classifier of clean pictures, which therefore looks at
the predicted one (Bansal et al. 2023, "Universal Guidance for Diffusion Models", section 3.1). Off by default: the
judge then sees its own work, so that its figures say less (docs/QUALITY.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ddpm.evaluator import Evaluator

MAX_SCALE = 100.0


@dataclass(frozen=True)
class EvaluatorGuidance:
    """How strongly which evaluator steers: `scale` of 1 takes its probabilities as they are, more exaggerates them.

    Raises ValueError for a scale that is not a number above 0, up to 100.
    """

    evaluator: Evaluator
    scale: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or not isinstance(self.scale, (int, float)) or not 0 < self.scale <= MAX_SCALE:
            raise ValueError(
                f"evaluator guidance must be a number above 0, up to {MAX_SCALE:g}, not {str(self.scale)[:40]}"
            )

    def __call__(self, x0: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        """See `ddpm.denoiser.Steering`."""
        # sigma^2 is how uncertain x0 is at t (Song et al. 2023, "Pseudoinverse-Guided Diffusion Models", section 3.2)
        return x0 + sigma.square() * self.shift(x0, labels)

    def shift(self, x0: Tensor, labels: Tensor) -> Tensor:
        """The gradient, by x0 (N, 3, 64, 64), of the log likelihood of labels (N, 24) in the evaluator's eyes."""
        with torch.enable_grad():
            seen = x0.detach().to(self.evaluator.device).requires_grad_()
            logits = self.evaluator.logits(seen)
            loss = binary_cross_entropy_with_logits(logits, labels.to(logits), reduction="sum")
            (gradient,) = torch.autograd.grad(-loss, seen)
        return self.scale * gradient.to(x0)
