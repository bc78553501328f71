"""Conditional denoising diffusion for 64x64 scenes of colored shapes: labels in, pictures and their making out.

`Pipeline` draws, `Evaluator` judges. Both are imported when first used, so that a module such as `ddpm.samplers`
needs nothing but torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddpm.evaluator import Evaluator
    from ddpm.pipeline import Pipeline

__all__ = ["Evaluator", "Pipeline"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"ddpm.{name.lower()}"), name)
    raise AttributeError(f"module 'ddpm' has no attribute {name!r}")
