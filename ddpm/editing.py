"""Change one thing in a picture and keep the rest: an object gets another color or shape, goes away, or is added.

No training: the place is found by asking the network under both label sets (DiffEdit, Couairon et al. 2022, section
3.2), the picture is noised part of the way and denoised under the new labels, and outside that place the predicted
clean picture is the old one at every step (as in section 3.3, on x0, so that any sampler will do).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from ddpm.denoiser import Denoiser
from ddpm.labels import check, encode
from ddpm.pipeline import Pipeline
from ddpm.samplers import Step
from ddpm.settings import Settings

# Found on validation scenes, see docs/EXPERIMENTS.md.
LOOKS = (0.3, 0.4, 0.5, 0.6)  # shares of T at which both label sets are asked
THRESHOLD = 0.1  # of the largest difference, from which on a pixel belongs to the place
GROWN = 3  # pixels that the place is grown by
EXCHANGE, NEW = 0.5, 0.6  # share of T to go back: where an object gives way to another, and where one comes or goes
EXCHANGE_GUIDANCE = 4.0  # against the old object, which half of the noise leaves to be seen


@dataclass(frozen=True)
class Kept:
    """A picture (N, 3, 64, 64) that a run keeps where `place` (N, 1, 64, 64) is 0, see `Pipeline.steered`."""

    picture: Tensor
    place: Tensor

    def __call__(self, x0: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        """See `ddpm.denoiser.Steering`."""
        return torch.where(self.place.to(x0) > 0, x0, self.picture.to(x0))


def object_places(pipe: Pipeline, x0: Tensor, scene: Sequence[str]) -> dict[str, Tensor]:
    """Where each label of a picture x0 (3, 64, 64) acts: (64, 64) in 0..1, how much its predicted clean picture changes
    where the label is taken away. Raises LabelError.
    """
    labels = list(check(scene))
    if not labels:
        return {}
    before = encode([labels] * len(labels))
    after = encode([[other for other in labels if other != label] for label in labels])
    x0, noise = (value.expand(len(labels), -1, -1, -1) for value in (x0, pipe.noise([0])))
    change = difference(pipe, x0, before, after, noise)[:, 0]
    change = change / change.amax((1, 2), keepdim=True).clamp_min(1e-6)
    return dict(zip(labels, change, strict=True))


def check_edits(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> bool:
    """Whether these edits exchange objects, and leave their number; False where objects come or go.

    Raises LabelError, and ValueError where nothing is to change or both kinds are mixed.
    """
    exchange = set()
    for old, new in zip(before, after, strict=True):
        if set(check(old)) == set(check(new)):
            raise ValueError("the labels stay as they are: name another object, one more or one less")
        exchange.add(len(old) == len(new))
    if len(exchange) != 1:
        raise ValueError("edit pictures that lose or gain objects apart from those that keep their number")
    return exchange.pop()


@torch.no_grad()
def difference(pipe: Pipeline, x0: Tensor, before: Tensor, after: Tensor, noise: Tensor) -> Tensor:
    """How much pictures x0 (N, 3, 64, 64) change between labels `before` and `after` (N, 24): (N, 1, 64, 64).

    The mean distance of the two predicted clean pictures, at several levels of this noise, shaped as x0.
    """
    schedule = pipe.config.schedule
    denoiser = Denoiser(pipe.ask, schedule, pipe.config.prediction, dtype=pipe.dtype)
    x0, noise, labels = (value.to(pipe.device) for value in (x0, noise, torch.cat([before, after])))
    total = torch.zeros_like(x0[:, :1])
    for share in LOOKS:
        t = max(1, round(share * schedule.steps))
        x = schedule.add_noise(x0, noise, t)
        old, new = denoiser(torch.cat([x, x]), t, labels).x0.chunk(2)
        total += (new - old).abs().mean(1, keepdim=True)
    return (total / len(LOOKS)).cpu()


def place(change: Tensor) -> Tensor:
    """Where a `difference` (N, 1, 64, 64) is large: 0 or 1, of the same shape, with a margin for the shadow."""
    smooth = avg_pool2d(change, 3, 1, 1, count_include_pad=False)
    large = (smooth > THRESHOLD * smooth.amax((2, 3), keepdim=True)).float()
    return max_pool2d(large, 2 * GROWN + 1, 1, GROWN)


def edit_place(
    pipe: Pipeline, x0: Tensor, before: Sequence[Sequence[str]], after: Sequence[Sequence[str]], seed: int = 0
) -> Tensor:
    """Where pictures x0 (N, 3, 64, 64) have to change to show the labels `after` in place of `before`: 0 or 1.

    seed: of the noise, seed + i for picture i; under that from which `edit` starts, it is where the new object will
    stand. Raises the errors of `check_edits`.
    """
    check_edits(before, after)
    return place(difference(pipe, x0, encode(before), encode(after), pipe.noise(range(seed, seed + len(x0)))))


def edit(
    pipe: Pipeline,
    x0: Tensor,
    before: Sequence[Sequence[str]],
    after: Sequence[Sequence[str]],
    settings: Settings,
    seed: int = 0,
    where: Tensor | None = None,
) -> Iterator[Step]:
    """Return a generator of denoising Steps that edit pictures x0 (N, 3, 64, 64) in [-1, 1].

    before, after: N label sets that they show and are to show; either all lose or gain objects, or none does.
    settings: as for drawing; where one object gives way to another the guidance is at least EXCHANGE_GUIDANCE.
    seed: of the new noise, seed + i for picture i. where: (N, 1, 64, 64), what may change, where it is above 0; None
    finds it, see `edit_place`. Elsewhere x0 of every step is the picture itself. Raises LabelError, ValueError.
    """
    exchange = check_edits(before, after)
    where = edit_place(pipe, x0, before, after, seed) if where is None else where
    if where.shape != (len(x0), 1, *x0.shape[2:]):
        raise ValueError(f"the place must be {(len(x0), 1, *x0.shape[2:])}, not {tuple(where.shape)}")
    if exchange:
        settings = replace(settings, guidance=max(settings.guidance, EXCHANGE_GUIDANCE))
    schedule = pipe.config.schedule
    start = max(1, round((EXCHANGE if exchange else NEW) * schedule.steps))
    x = schedule.add_noise(x0, pipe.noise(range(seed, seed + len(x0))), start)
    return pipe.steered(Kept(x0, where)).denoise(x, encode(after), settings, seed, start)
