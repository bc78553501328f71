r"""Teach a network to draw in a few steps what a trained one draws in many, with guidance and all.

    python -m training.distill --preset fast-coarse --data data/train --out runs/fast-coarse [--minutes 100] [--resume]
    python -m training.distill --preset fast-fine --data data/train --out runs/fast-fine \
        --before runs/fast-coarse/checkpoint
    python -m training.join runs/fast-coarse/checkpoint runs/fast-fine/checkpoint --out runs/fast

The student is called at the preset's few timesteps. From each it is to reach, in one step of DDIM, the point at the
next one where the teacher arrives in SUBSTEPS guided steps of DPM-Solver++ (progressive distillation, Salimans and Ho
2022, with the guidance learned as well, Meng et al. 2023, "On Distillation of Guided Diffusion Models"). Each network
begins with the teacher's weights. A run's folder is as `training.train` leaves it; a resumed run has no examples left
from before, and begins with new ones.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ddpm import terminal
from ddpm.denoiser import Denoiser, Prediction
from ddpm.networks import build
from ddpm.pipeline import Pipeline
from ddpm.precision import has_native_bf16
from ddpm.samplers import SAMPLERS
from ddpm.schedule import NoiseSchedule
from training.loop import dataset, run
from training.loop.command import config_of, parser_of
from training.loop.presets import DISTILLED, TrainConfig

SUBSTEPS = 4  # the teacher's on the way of one step of the student
GUIDANCE = 4.0  # the teacher's: along this deterministic path it draws more sets right than with its own 2.5
POOL = 4096  # examples kept to learn from again: the teacher is the costly part
LESSONS = 8  # batches learned between two from the teacher
LOG_EVERY = 100  # batches
SAVE_EVERY = 60.0  # seconds

Example = tuple[Tensor, int, Tensor, Tensor]
"""x_t (3, 64, 64), t, labels (24,) and the x0 (3, 64, 64) to predict."""


def interval(teacher: Pipeline, x: Tensor, conditions: Tensor, t: int, s: int, guidance: float) -> Tensor:
    """Where the teacher gets from x (N, 3, 64, 64) at timestep t, by s < t: x_s, and the picture itself at s = 0."""

    def until_s(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        # The sampler tells where it is before it goes on; at s that is all that is wanted, so nothing is computed there
        return teacher.network(x, time, labels) if time[0] * schedule.steps > s + 0.5 else torch.zeros_like(x)

    schedule = teacher.config.schedule
    timesteps = [s + round((t - s) * i / SUBSTEPS) for i in range(SUBSTEPS, 0, -1)]
    denoiser = Denoiser(until_s, schedule, teacher.config.prediction, guidance, dtype=teacher.dtype)
    path = SAMPLERS["dpm++"](denoiser, x, conditions, [*timesteps, s] if s else timesteps, lambda *_: torch.empty(0))
    *_, last = path
    return last.x if s else last.x0


def clean_target(schedule: NoiseSchedule, x_t: Tensor, t: int, x_s: Tensor, s: int) -> Tensor:
    """The x0 with which one step of DDIM goes from x_t to x_s (Salimans and Ho 2022, appendix G), in [-1, 1]."""
    alpha, sigma = schedule.coefficients(t, x_t)
    alpha_s, sigma_s = schedule.coefficients(s, x_t)
    ratio = sigma_s / sigma
    return ((x_s - ratio * x_t) / (alpha_s - ratio * alpha)).clamp(-1, 1)


def step(student: Denoiser, x: Tensor, conditions: Tensor, t: int, s: int) -> Tensor:
    """Where one step of the student leads from x (N, 3, 64, 64): from t to s > 0 (DDIM, Song et al. 2020, eq. 12)."""
    return onward(student.schedule, student(x, t, conditions), s)


def onward(schedule: NoiseSchedule, guess: Prediction, s: int) -> Tensor:
    """Where a prediction leads at timestep s > 0."""
    alpha_s, sigma_s = schedule.coefficients(s, guess.x0)
    return alpha_s * guess.x0 + sigma_s * guess.eps


def calls(config: TrainConfig) -> list[tuple[int, int]]:
    """The student's calls, from t to s, on the preset's part of the way."""
    whole = config.schedule.steps
    every = pairwise([*config.schedule.timesteps(config.steps), 0])
    return [(t, s) for t, s in every if config.since * whole < t <= config.until * whole]


@torch.no_grad()
def lesson(
    teacher: Pipeline,
    student: Denoiser,
    config: TrainConfig,
    x0: Tensor,
    conditions: Tensor,
    random: torch.Generator,
    before: Denoiser | None = None,
) -> list[Example]:
    """Examples from the teacher for each of the student's calls, for pictures (N, 3, 64, 64) and their labels (N, 24).

    The first call starts at T at noise alone; below T at the pictures with noise or, in half of the cases, where a
    student `before` of the earlier calls came to. Each later one starts where the teacher came to and, in half of the
    cases, where the student itself did, whose own mistakes it learns to mend.
    """
    schedule = config.schedule

    def half(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(torch.rand((len(a), 1, 1, 1), generator=random).to(a.device) < 0.5, a, b)

    found: list[Example] = []
    x = torch.randn(x0.shape, generator=random).to(x0.device)
    for index, (t, s) in enumerate(calls(config)):
        if index == 0 and t < schedule.steps:
            noisy = schedule.add_noise(x0, x, t)
            for earlier, later in calls(replace(config, since=config.until, until=1.0)) if before else ():
                x = step(before, x, conditions, earlier, later)  # type: ignore[arg-type]
            x = half(x, noisy) if before else noisy
        x_s = interval(teacher, x, conditions, t, s, GUIDANCE)
        found += zip(x, [t] * len(x), conditions, clean_target(schedule, x, t, x_s, s), strict=True)
        if s:
            x = half(step(student, x, conditions, t, s), x_s)
    return found


def distill(
    config: TrainConfig,
    teacher_folder: Path,
    data: str,
    out: Path,
    minutes: float | None,
    resume: bool,
    before_folder: Path | None = None,
) -> None:
    """Teach until `config.images` examples have been learned, `minutes` have passed, or a signal asks to stop.

    before_folder: the checkpoint of a student of the earlier calls, see `lesson`.
    Raises ValueError where `out` holds a run already and `resume` is False, or holds another config.
    """
    started = time.monotonic()
    state = run.saved(out, config, resume)
    teacher = Pipeline.from_pretrained(teacher_folder, "cuda" if torch.cuda.is_available() else "cpu")
    teacher.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = teacher.device
    if (teacher.config.schedule, teacher.config.prediction) != (config.schedule, config.prediction):
        raise ValueError(f"{teacher_folder} has another schedule or prediction than the preset {config.name!r}")
    images, conditions = dataset.load_once(data)
    run.check_pictures(state, out, data, len(images))
    out.mkdir(parents=True, exist_ok=True)
    network = build(config.network, config.options)
    network.load_state_dict(run.initial_weights(teacher_folder, config))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    ema = {key: value.detach().clone() for key, value in network.state_dict().items()}
    seen = 0
    if state:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        ema, seen = {key: value.to(device) for key, value in state["ema"].items()}, state["seen"]
    dtype = torch.bfloat16 if has_native_bf16(device) else torch.float32
    student = Denoiser(network, config.schedule, config.prediction, dtype=dtype)
    learner = replace(student, clip=False)
    before = None
    if before_folder is not None:
        earlier = Pipeline.from_pretrained(before_folder, device)
        before = Denoiser(earlier.network, config.schedule, earlier.config.prediction, dtype=earlier.dtype)
    rows = run.read_log(out / run.LOG, seen)

    def save() -> None:
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema, "seen": seen}
        state |= {"pictures": len(images)}
        run.write(out, config, data, state, rows)

    pool: deque[Example] = deque(maxlen=POOL)
    losses: dict[int, list[float]] = {t: [] for t, _ in calls(config)}
    since, last_save = (seen, time.monotonic()), time.monotonic()
    with run.stop_on_signals() as stop, tqdm(total=config.images, initial=seen, unit="image", mininterval=5) as bar:
        while seen < config.images:
            random = run.generator(config.seed, seen)
            if seen // config.batch % LESSONS == 0 or not pool:
                network.eval()
                index = torch.randint(len(images), (config.batch,), generator=random)
                x0 = dataset.to_float(images[index])
                pool.extend(
                    lesson(teacher, student, config, x0.to(device), conditions[index].to(device), random, before)
                )
                network.train()
            chosen = [pool[int(i)] for i in torch.randint(len(pool), (config.batch,), generator=random)]
            x_t, y, goal = (torch.stack([row[i] for row in chosen]).to(device) for i in (0, 2, 3))  # type: ignore[misc]
            t = torch.tensor([row[1] for row in chosen])

            answer = learner(x_t, t.to(device), y).x0
            weight = config.schedule.snr(t).clamp_min(1).to(answer)  # truncated SNR, Salimans and Ho 2022, section 4
            error = (answer - goal).square().mean((1, 2, 3))
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * run.learning_rate_factor(config, seen)
            optimizer.zero_grad()
            (weight * error).mean().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimizer.step()
            seen += config.batch
            run.update_average(ema, network, config, seen)

            for step, value in zip(t.tolist(), error.tolist(), strict=True):
                losses[step].append(value)
            bar.update(config.batch)
            if seen // config.batch % LOG_EVERY == 0 or seen >= config.images:
                row = {"images": seen, "lr": optimizer.param_groups[0]["lr"]}
                row |= {f"error at {step}": round(sum(found) / max(1, len(found)), 6) for step, found in losses.items()}
                row["images_per_second"] = round((seen - since[0]) / (time.monotonic() - since[1]), 1)
                rows.append(row)
                losses, since = {step: [] for step in losses}, (seen, time.monotonic())
            if stop.is_set() or (minutes is not None and time.monotonic() - started > 60 * minutes):
                break
            if time.monotonic() - last_save > SAVE_EVERY:
                save()
                last_save = time.monotonic()
    save()


def main(arguments: list[str] | None = None) -> None:
    parser = parser_of(__doc__.splitlines()[0], DISTILLED)
    parser.add_argument("--teacher", type=Path, default=Path("checkpoints/default"), help="the model to learn from")
    parser.add_argument("--before", type=Path, help="the student of the earlier calls, to begin where it comes to")
    args = parser.parse_args(arguments)
    config = config_of(args, parser, DISTILLED)
    if args.before and config.until == 1:
        parser.error(f"--before is for a preset of the later calls; {args.preset} has the first ones")
    try:
        distill(config, args.teacher, args.data, args.out, args.minutes, args.resume, args.before)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
