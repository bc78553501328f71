"""Import torchvision beside any torch build: `from ddpm._torchvision import torchvision`.

PyPI's torchvision is a CUDA build. Beside a CPU-only torch its compiled operators cannot be loaded, and the import then
fails because fake kernels are registered for operators that were never declared. Declaring those two first, and only
where they are missing, makes models, transforms and utilities work; nothing here ever calls the operators themselves.
"""

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import library

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _declare_missing_operators() -> None:
    """Load torchvision's own operators; declare the schemas of those that torch still does not know."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return  # the import below says that torchvision is not installed
    for operators in Path(spec.origin).parent.glob("_C.*"):
        with suppress(OSError):  # built for another torch: exactly the case that the declarations are for
            torch.ops.load_library(operators)
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"torchvision::{name}", schema)


_declare_missing_operators()

import torchvision  # noqa: E402

__all__ = ["torchvision"]
