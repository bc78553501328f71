"""How far two sets of pictures are apart in the evaluator's eyes."""

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Between normal distributions fitted to features a (N, D) and b (M, D) (Heusel et al. 2017, eq. 6)."""
    mean_a, mean_b = a.double().mean(0), b.double().mean(0)
    cov_a, cov_b = (torch.cov(x.double().T).reshape(x.shape[1], x.shape[1]) for x in (a, b))
    # tr sqrt(A B) = tr sqrt(sqrt(A) B sqrt(A)), which is symmetric
    values, vectors = torch.linalg.eigh(cov_a)
    root_a = vectors * values.clamp_min(0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root_a @ cov_b @ root_a).clamp_min(0).sqrt().sum()
    return float((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross)
