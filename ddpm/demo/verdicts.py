"""What the evaluator says of a picture beside what was asked for. Its scripts are in shared/verdicts.js."""

from torch import Tensor

from ddpm.labels import LABELS

THRESHOLD = 0.5
"""The probability from which a label counts as seen."""


def verdict(labels: tuple[str, ...], p: Tensor) -> dict[str, dict[str, float]]:
    """Sort the evaluator's probabilities (24,) into what was found, missing, and seen without being requested.

    Each group maps labels to probabilities: the requested ones in the order of LABELS, the others surest first.
    """
    chance = dict(zip(LABELS, p.tolist(), strict=True))
    seen = {label for label, value in chance.items() if value >= THRESHOLD}
    unrequested = sorted(seen.difference(labels), key=lambda label: -chance[label])
    return {
        "found": {label: chance[label] for label in labels if label in seen},
        "missing": {label: chance[label] for label in labels if label not in seen},
        "unrequested": {label: chance[label] for label in unrequested},
    }
