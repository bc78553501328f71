"""What the evaluator says of a picture beside what was asked for. Its scripts are in shared/verdicts.js."""

from collections.abc import Sequence

from torch import Tensor

from ddpm.labels import LABELS, check

THRESHOLD = 0.5
"""The probability from which a label counts as seen."""


def verdict(labels: tuple[str, ...], said: Tensor) -> dict[str, dict[str, float]]:
    """Sort what the evaluator says, (2, 24) as `ddpm.counting.Look` gives it, into groups: labels with probabilities.

    Requested labels are found or missing, in the order of LABELS; others are unrequested, the surest first. Those of
    which there are two or more are repeated as well.
    """
    labels = check(labels)
    p, counts = said.tolist()
    chance = dict(zip(LABELS, p, strict=True))
    seen = {label for label, value in chance.items() if value >= THRESHOLD}
    unrequested = sorted(seen.difference(labels), key=lambda label: -chance[label])
    return {
        "found": {label: chance[label] for label in labels if label in seen},
        "missing": {label: chance[label] for label in labels if label not in seen},
        "unrequested": {label: chance[label] for label in unrequested},
        "repeated": {label: chance[label] for label in repeated(counts)},
    }


def repeated(counts: Sequence[float]) -> list[str]:
    """The labels of which there are two or more."""
    return [label for label, count in zip(LABELS, counts, strict=True) if count > 1]
