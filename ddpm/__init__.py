"""Conditional denoising diffusion for 64x64 scenes of colored shapes: labels in, pictures and their making out.

`Pipeline` draws, `Evaluator` judges. Both are imported when first used, so that a module such as `ddpm.samplers`
needs nothing but torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddpm.evaluator import Evaluator
    from ddpm.pipeline import Pipeline

__all__ = ["IMAGE_SHAPE", "IMAGE_SIZE", "Evaluator", "Pipeline"]

IMAGE_SIZE = 64
IMAGE_SHAPE = (3, IMAGE_SIZE, IMAGE_SIZE)
"""Of the pictures that are drawn and judged: channels (RGB), rows, columns."""


def __getattr__(name: str) -> Any:
    if name in ("Evaluator", "Pipeline"):
        return getattr(import_module(f"ddpm.{name.lower()}"), name)
    raise AttributeError(f"module 'ddpm' has no attribute {name!r}")
