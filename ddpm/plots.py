"""Figures for notebooks and papers, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from torch import Tensor

from ddpm.labels import LABEL_ID, LABELS
from ddpm.schedule import NoiseSchedule

COLORS = {
    "gray": "#575757",
    "red": "#ad2323",
    "blue": "#2a4bd7",
    "green": "#1d6914",
    "brown": "#814a19",
    "purple": "#8126c0",
    "cyan": "#29d0d0",
    "yellow": "#ffee33",
}
"""The colors of the objects, as in the rendered scenes."""

MARKERS = {"cube": "s", "sphere": "o", "cylinder": "^"}

_OUTLINE = [Stroke(linewidth=3, foreground="#00000080"), Normal()]  # or yellow would be lost on white


def emergence(timesteps: Sequence[int], chances: Tensor, labels: Sequence[str], schedule: NoiseSchedule) -> Figure:
    """Draw how sure the evaluator is of each object along a run, and the noise level below it.

    timesteps: S of 1..T, descending. chances: (S, 24) probabilities for the predicted clean image of each step.
    labels: those requested, drawn as lines in their own color with a mark for their shape; the one that is surest at
    any step among the others is dashed. The lower part shows log SNR of x_t, natural logarithm.
    """
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    others = [label for label in LABELS if label not in labels]
    strongest = max(others, key=lambda label: chances[:, LABEL_ID[label]].max().item())
    every = max(1, len(timesteps) // 12)
    for label in [*labels, strongest]:
        color, shape = label.split()
        requested = label != strongest
        upper.plot(
            timesteps,
            chances[:, LABEL_ID[label]].tolist(),
            color=COLORS[color],
            linestyle="-" if requested else "--",
            marker=MARKERS[shape],
            markersize=5,
            markevery=every,
            label=label if requested else f"{label} (not requested)",
            path_effects=_OUTLINE if requested else None,
        )
    upper.axhline(0.5, color="#888888", linewidth=0.8, linestyle=":")
    upper.set(ylim=(-0.03, 1.03), ylabel="probability")
    upper.set_title(", ".join(labels) or "empty scene", fontsize=10)
    upper.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    lower.plot(timesteps, [schedule.log_snr(t).item() for t in timesteps], color="#333333")
    lower.set(ylabel="log SNR", xlabel="timestep t: from noise to picture")
    lower.invert_xaxis()
    return figure
