"""Label pairs that a network never sees together, to measure whether it can put together what it knows apart.

Of the 276 pairs of different labels a tenth is held out: `without_held_out` leaves out every picture in which such a
pair stands, alone or among others. The preset "held-out" trains so; `training.specs --pairs` draws label sets of
exactly these pairs, and of the others.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ddpm.labels import LABELS

SHARE = 0.1
SEED = 0

PAIRS: tuple[tuple[str, str], ...] = tuple(combinations(LABELS, 2))
_CHOSEN = np.random.default_rng(SEED).permutation(len(PAIRS))[: round(SHARE * len(PAIRS))]

HELD_OUT: tuple[tuple[str, str], ...] = tuple(PAIRS[i] for i in sorted(_CHOSEN))
"""The 28 pairs that are held out."""

SEEN: tuple[tuple[str, str], ...] = tuple(pair for pair in PAIRS if pair not in HELD_OUT)
"""The other 248."""


def without_held_out(conditions: Tensor) -> Tensor:
    """Which label sets (N, 24), 0 or 1, hold no pair of HELD_OUT: bool (N,)."""
    first, second = torch.tensor([[LABELS.index(label) for label in pair] for pair in HELD_OUT]).T
    return ~((conditions[:, first] > 0.5) & (conditions[:, second] > 0.5)).any(1)
