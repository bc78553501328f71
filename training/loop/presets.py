"""What is trained how: every training run of the project, as data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ddpm.denoiser import Parameterisation
from ddpm.schedule import NoiseSchedule


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained. A preset is data: a name, and values for these fields."""

    name: str

    # What is trained, see `ddpm.checkpoint.ModelConfig`.
    network: str
    options: dict[str, Any] = field(default_factory=dict)
    prediction: Parameterisation = "v"
    schedule: NoiseSchedule = NoiseSchedule("cosine")

    # For how long.
    images: int = 280_000  # training pictures seen in all
    batch: int = 16  # pictures per step

    # The optimizer: AdamW, see `training.loop.optimizer`.
    learning_rate: float = 1e-3  # at its highest
    muon: float = 0.0  # Muon's, for the convolutions inside the network; 0 leaves them to AdamW
    warmup: int = 5_000  # pictures over which the learning rate rises from zero
    decay: float = 0.3  # share of `images`, at the end, over which it falls to zero
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient clipping: largest norm
    ema: int = 10_000  # half-life of the exponential moving average of the weights, in pictures

    # What each step learns from.
    dropout: float = 0.1  # label dropout (Ho & Salimans 2022): how often the null condition takes the labels' place
    skew: float = 0.6  # timesteps are T u^skew for a uniform u: 1 draws all alike, less the noisy ones more often
    since: float = 0.0  # timesteps are drawn above this share of T ...
    until: float = 1.0  # ... and up to this one
    hold_out: bool = False  # leave out the pictures that hold a pair of `training.loop.pairs.HELD_OUT`
    taught: float = 0.0  # guidance of the teacher whose prediction takes the noise's place; 0 has no teacher

    # Loss weighting.
    balance: float = 0.0  # the squared error counts sigma_t^balance: 2 gives a network that predicts v the loss on x0
    lift: float = 0.0  # and alpha_t^-lift, at most 10: 2 gives a network that predicts the noise the loss on v
    focus: float = 0.0  # how much more pixels near an object count, see `training.loop.layout.pixel_weights`
    layout: float = 0.03  # weight of the layout's cross-entropy (`training.loop.layout`); 0 leaves it out

    seed: int = 0

    # The checkpoint's defaults, see `ddpm.settings.Settings`.
    sampler: str = "sde-dpm++"
    steps: int = 25
    guidance: float = 2.5


_DEFAULT = TrainConfig(name="default", network="unet", options={"channels": [96, 192], "blocks": [2, 4, 3]})

_FINE = replace(
    _DEFAULT,
    name="fine",
    since=0.04,
    until=0.5,
    skew=0.8,
    balance=1.0,
    focus=4.0,
    images=1_100_000,
    learning_rate=8e-4,
    decay=0.5,
)

# Four and a half minutes on an H200, both networks beside each other.
_ON_GPU: dict[str, Any] = {
    "images": 3_400_000,
    "batch": 512,
    "learning_rate": 1e-3,
    "warmup": 50_000,
    "decay": 0.8,
    "ema": 100_000,
}

# The report's own way of training (its section on the experiments), and its network.
_REPORT = TrainConfig(
    name="report",
    network="context_unet",
    prediction="eps",
    schedule=NoiseSchedule("linear"),
    batch=32,
    learning_rate=5e-4,
    warmup=0,
    decay=0.0,
    ema=0,
    dropout=0.0,
    skew=1.0,
    layout=0.0,
    sampler="ddpm",
    steps=1000,
    guidance=1.0,
)

# Or what the default model predicts with guidance takes the noise's place, with the loss on v.
TAUGHT: dict[str, Any] = {
    "taught": 2.5,
    "lift": 2.0,
    "muon": 2e-3,
    "warmup": 1_600,
    "dropout": 0.1,
    "decay": 0.5,
    "ema": 10_000,
}

_REPORT_SIZE: dict[str, Any] = {"options": {"width": 64, "patch": 2}, "batch": 16, "ema": 10_000}

STUDY: dict[str, TrainConfig] = {
    "report": _REPORT,
    "report-no-time": replace(_REPORT, name="report-no-time", options={"time": False}),
    "report-deeper": replace(_REPORT, name="report-deeper", options={"levels": 4}),
    "report-no-labels": replace(_REPORT, name="report-no-labels", options={"labels": False}),
    "report-early-sum": replace(_REPORT, name="report-early-sum", options={"fusion": "down"}),
    "report-groupnorm": replace(_REPORT, name="report-groupnorm", options={"norm": "group"}),
    "report-cosine": replace(_REPORT, name="report-cosine", schedule=NoiseSchedule("cosine")),
    "report-best": replace(
        _REPORT,
        name="report-best",
        options={"norm": "group"},
        schedule=NoiseSchedule("cosine"),
        ema=10_000,
        dropout=0.1,
        guidance=2.0,
    ),
    "report-slow": replace(_REPORT, name="report-slow", learning_rate=5e-5),
    "report-decay": replace(_REPORT, name="report-decay", decay=0.3),
}
"""The systems of the report, three steps beyond it, and two for its claims about the learning rate: a tenth of its own,
and one that falls to zero at the end. The study adds the default model."""

_FAST = replace(
    _DEFAULT,
    name="fast-coarse",
    since=0.5,
    images=100_000,
    learning_rate=3e-4,
    warmup=1_600,
    decay=0.8,
    sampler="ddim",
    steps=4,
    guidance=1.0,
)

DISTILLED: dict[str, TrainConfig] = {
    "fast-coarse": _FAST,
    "fast-fine": replace(_FAST, name="fast-fine", since=0.0, until=0.5),
}
"""What `training.distill` teaches: the two networks of a model that draws in four calls, without guidance."""

MATCHED: dict[str, TrainConfig] = {
    f"match-{half}": replace(
        DISTILLED[f"fast-{half}"], name=f"match-{half}", images=64_000, learning_rate=5e-5, warmup=0, decay=0.5
    )
    for half in ("coarse", "fine")
}
"""What `training.match` goes on with: the same two networks."""

PRESETS: dict[str, TrainConfig] = {
    "default": _DEFAULT,
    **STUDY,
    # The report's network, the first to draw objects here: it predicts v at first, then eps as in the report (--init).
    "report-v": replace(
        _REPORT, name="report-v", prediction="v", learning_rate=1e-3, dropout=0.1, guidance=2.5, **_REPORT_SIZE
    ),
    "report-from-v": replace(_REPORT, name="report-from-v", **_REPORT_SIZE),
    # Or it predicts the noise all along, with the loss on v.
    "report-lifted": replace(
        _REPORT, name="report-lifted", lift=2.0, dropout=0.1, decay=0.8, **{**_REPORT_SIZE, "batch": 32}
    ),
    # From its weights, with Muon.
    "report-muon": replace(
        _REPORT,
        name="report-muon",
        lift=2.0,
        muon=1e-3,
        warmup=1_600,
        dropout=0.1,
        decay=0.5,
        **{**_REPORT_SIZE, "batch": 32},
    ),
    # Taught, in place of learning from the data.
    "report-taught": replace(_REPORT, name="report-taught", guidance=2.0, **{**TAUGHT, **_REPORT_SIZE, "batch": 32}),
    # What does it draw for two labels that it never saw together?
    "held-out": replace(_DEFAULT, name="held-out", hold_out=True),
    # From the weights of "default": a network for the less noisy half of the way alone (see ddpm/networks/staged.py).
    "fine": _FINE,
    # Both halves once more, from those two, on scenes in which no object hides another (training.render --in-sight).
    "clear-coarse": replace(
        _DEFAULT, name="clear-coarse", since=0.5, skew=0.8, images=320_000, learning_rate=5e-4, decay=0.8
    ),
    "clear-fine": replace(_FINE, name="clear-fine", since=0.0, images=320_000, learning_rate=5e-4, decay=0.8),
    # And from there on a GPU, in large batches: more pictures than in all runs before.
    "gpu-coarse": replace(_DEFAULT, name="gpu-coarse", since=0.5, skew=0.8, **_ON_GPU),
    "gpu-fine": replace(_FINE, name="gpu-fine", since=0.0, **_ON_GPU),
    # Seconds, not hours: for trying the loop out.
    "tiny": replace(
        _DEFAULT,
        name="tiny",
        options={"channels": [48, 48], "blocks": [1, 1, 1], "embedding": 32},
        images=256,
        batch=8,
        warmup=32,
        ema=32,
    ),
}
