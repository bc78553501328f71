"""What the endpoints answer beside pictures, as plain data with names."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypedDict

from torch import Tensor

from ddpm.demo.verdicts import verdict
from ddpm.settings import Settings


class Verdict(TypedDict):
    """What the evaluator says of a picture: labels with their probabilities, seen being 0.5 and more.

    repeated: those, found or unrequested, of which there are two or more.
    """

    found: dict[str, float]
    missing: dict[str, float]
    unrequested: dict[str, float]
    repeated: dict[str, float]


class Report(Verdict):
    """A picture's verdict, and what the picture follows from. model: null for the page's own."""

    labels: list[str]
    seed: int
    sampler: str
    steps: int
    guidance: float
    model: str | None


class Emergence(TypedDict):
    """The evaluator's probabilities for all 24 labels, and the noise level, one entry a step from noise to picture."""

    timesteps: list[int]
    log_snr: list[float]
    probabilities: dict[str, list[float]]


class Heat(TypedDict):
    """Where a label acts: its strongest pixel as [column, row] from the top left, and its values there and on average.

    1 is the strongest of all labels of the scene.
    """

    peak: list[int]
    largest: float
    mean: float


class Apart(TypedDict):
    """What a step goes by: from timestep t to s (0 at the last), guidance, and what the next noisy image is mixed of.

    mix: shares of x, x0, before (the x0 of the step before) and noise (the fresh one); null at the last step.
    """

    t: int
    s: int
    guidance: float
    mix: dict[str, float] | None


class Sight(TypedDict):
    """What the evaluator sees in a picture: the labels from 0.5 up, the surest first, and all 24 probabilities."""

    labels: list[str]
    probabilities: dict[str, float]


def report(scene: Sequence[str], seed: int, settings: Settings, model: str | None, said: Tensor) -> Report:
    """Put the verdict on what the evaluator says, (2, 24), and what was asked for together."""
    judged = rounded(verdict(tuple(scene), said))
    about = {**asdict(settings), "model": model}
    return Report(labels=list(scene), seed=seed, **judged, **about)  # type: ignore[typeddict-item]


def rounded(verdict: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Return a verdict (see `verdicts.verdict`) for people and programs to read: with four decimals."""
    groups = {group: {label: round(p, 4) for label, p in chances.items()} for group, chances in verdict.items()}
    return Verdict(**groups)  # type: ignore[typeddict-item]


def heat(values: Tensor) -> Heat:
    """Sum up a heat map (64, 64)."""
    row, column = divmod(int(values.argmax()), values.shape[1])
    return Heat(peak=[column, row], largest=round(values.max().item(), 4), mean=round(values.mean().item(), 4))
