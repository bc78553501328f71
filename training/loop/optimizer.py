"""What moves the weights: AdamW alone, or Muon for the matrices inside the network and AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.loop.presets import TrainConfig

BETAS = (0.9, 0.99)


def optimizer_of(learner: nn.Module, config: TrainConfig) -> torch.optim.AdamW | MuonAndAdamW:
    """The optimizer of a config, its parameters being on their device. Raises ValueError where torch has no Muon."""
    if config.muon:
        return MuonAndAdamW(learner, config)
    return _adamw(list(learner.parameters()), config)


def peaks(config: TrainConfig) -> list[float]:
    """The highest learning rate of each of the optimizer's parameter groups."""
    return [config.muon, config.learning_rate] if config.muon else [config.learning_rate]


class MuonAndAdamW:
    """Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks") for convolutions.

    Each step of a convolution is made orthogonal, as a matrix of (outputs, inputs x kernel), and then as long as one of
    AdamW's (Liu et al. 2025, "Muon is Scalable for LLM Training", equation 4). Convolutions from or to pixels, biases,
    norms and embeddings keep AdamW. The weights must be in channels_last, so that a matrix is a view of them.
    """

    def __init__(self, learner: nn.Module, config: TrainConfig) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ValueError(f"the preset {config.name!r} needs torch.optim.Muon, of torch 2.9 or later")
        pixels = 3 * config.options.get("patch", 1) ** 2  # channels
        inner = {id(p) for p in learner.parameters() if p.ndim == 4 and pixels not in p.shape[:2]}
        self.kernels = [p for p in learner.parameters() if id(p) in inner]
        self.matrices = [nn.Parameter(_matrix(p.detach())) for p in self.kernels]
        if any(m.data_ptr() != p.data_ptr() for m, p in zip(self.matrices, self.kernels, strict=True)):
            raise ValueError("Muon needs a network in the memory format channels_last")
        self.muon = torch.optim.Muon(
            self.matrices, config.muon, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        self.adamw = _adamw([p for p in learner.parameters() if id(p) not in inner], config)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of Muon, then those of AdamW."""
        return [*self.muon.param_groups, *self.adamw.param_groups]

    def step(self) -> None:
        """Move all weights along their gradients."""
        for matrix, kernel in zip(self.matrices, self.kernels, strict=True):
            matrix.grad = None if kernel.grad is None else _matrix(kernel.grad)
        self.muon.step()
        self.adamw.step()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for kernel in self.kernels:
            kernel.grad = None
        self.adamw.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"muon": self.muon.state_dict(), "adam": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adam"])


def _matrix(kernel: Tensor) -> Tensor:
    return kernel.permute(0, 2, 3, 1).flatten(1)


def _adamw(parameters: list[nn.Parameter], config: TrainConfig) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        parameters, config.learning_rate, betas=BETAS, weight_decay=config.weight_decay, fused=True
    )
