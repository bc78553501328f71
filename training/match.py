r"""Let a few-step student draw what its teacher draws, where `training.distill` has brought it close.

    python -m training.match --preset match-coarse --student runs/fast-coarse/checkpoint --data data/train \
        --out runs/match-coarse [--minutes 60] [--resume]
    python -m training.match --preset match-fine --student runs/fast-fine/checkpoint --data data/train \
        --out runs/match-fine --before runs/match-coarse/checkpoint
    python -m training.join runs/match-coarse/checkpoint runs/match-fine/checkpoint --out runs/fast

A student that learns each of its teacher's points by their squared error ends between those that are alike: its shapes
and colors are uncertain where the teacher's are not. Here it learns where its own pictures should move for their
distribution to become the teacher's (distribution matching distillation, Yin et al. 2024, "One-step Diffusion with
Distribution Matching Distillation", eq. 7). That takes the score of both distributions: the teacher knows its own, and
a second network, in the paper the fake one, learns along that of what the student draws ("Improved Distribution
Matching Distillation for Fast Image Synthesis", Yin et al. 2024b, section 4.2: several steps of it for one of the
student, here RATIO). A call that leads to s is matched at the timesteps of its network above s: what has less noise is
decided by later calls, and what has more, by another network.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ddpm import terminal
from ddpm.denoiser import Denoiser
from ddpm.networks import build
from ddpm.pipeline import Pipeline
from ddpm.precision import has_native_bf16
from ddpm.schedule import NoiseSchedule
from training.distill import calls, onward, step
from training.loop import dataset, run
from training.loop.command import config_of, parser_of
from training.loop.presets import MATCHED, TrainConfig

GUIDANCE = 3.0  # the teacher's
RATIO = 3  # batches that the fake network learns for one of the student
FIRST = 100  # batches that it learns from before the student begins, of a new run
RECENT = 16  # the student's last batches, from which it learns
LEAST = 20  # the smallest timestep at which pictures are compared
FAKE_RATE = 2e-4  # its learning rate
BETAS = (0.5, 0.99)  # both optimizers'
LOG_EVERY = 50  # batches
SAVE_EVERY = 60.0  # seconds


class Drawn(NamedTuple):
    """Where one call of the student led: x_s (N, 3, 64, 64) at timestep s, for labels (N, 24)."""

    x: Tensor
    s: int
    labels: Tensor


def noised(schedule: NoiseSchedule, drawn: Drawn, tau: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Go on from x_s to the timesteps tau (N,) > s with noise (N, 3, 64, 64): x_tau, and the share of `noise` in it.

    q(x_tau | x_s) as in Kingma et al. 2021, "Variational Diffusion Models", appendix A.1.
    """
    alpha, sigma = schedule.coefficients(tau, noise)
    alpha_s, sigma_s = schedule.coefficients(drawn.s, noise)
    ratio = alpha / alpha_s
    share = (sigma**2 - (ratio * sigma_s) ** 2).clamp_min(0).sqrt()
    return ratio * drawn.x + share * noise, share


def fake_loss(fake: Denoiser, drawn: Drawn, tau: Tensor, noise: Tensor) -> Tensor:
    """How far the fake network is from the score of what the student draws: denoising score matching, Vincent 2011.

    The score, -(x_tau - alpha x0) / sigma^2, times minus the share of the noise is the noise that it expects. Returns
    the mean square of what it is off by.
    """
    x, share = noised(fake.schedule, drawn, tau, noise)
    _, sigma = fake.schedule.coefficients(tau, x)
    expected = share / sigma * fake(x, tau, drawn.labels).eps
    return (expected - noise).square().mean()


@torch.no_grad()
def direction(teacher: Denoiser, fake: Denoiser, drawn: Drawn, x0: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
    """Where the student's x0 (N, 3, 64, 64) should move, of about length 1: against equation 7 of Yin et al. 2024.

    The difference of the scores is that of the predicted clean pictures but for a factor; the weight of equation 8,
    without alpha, takes its place. The teacher's x0 is clipped, as it is when it draws.
    """
    x, _ = noised(teacher.schedule, drawn, tau, noise)
    real = teacher(x, tau, drawn.labels).x0
    far = (x0 - real).abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-3)
    return (real - fake(x, tau, drawn.labels).x0) / far


def timesteps(drawn: Drawn, until: int, random: torch.Generator) -> Tensor:
    """Timesteps (N,) at which a call is matched: above its s, up to the last of its network."""
    low = max(drawn.s, LEAST)
    return low + 1 + torch.randint(until - low, (len(drawn.x),), generator=random)


@torch.no_grad()
def beginning(
    student: Denoiser, config: TrainConfig, number: int, x: Tensor, labels: Tensor, before: Denoiser | None
) -> tuple[Tensor, int, int]:
    """Where call `number` of the student begins, x_t (N, 3, 64, 64), and its t and s.

    x: noise, or at a first call below T noised pictures. before: a student of the earlier calls, which then begins.
    """
    own = calls(config)
    earlier = calls(replace(config, since=config.until, until=1.0)) if before else []
    for t, s in earlier:
        x = step(before, x, labels, t, s)  # type: ignore[arg-type]
    for t, s in own[:number]:
        x = step(student, x, labels, t, s)
    return x, *own[number]


def match(
    config: TrainConfig,
    teacher_folder: Path,
    student_folder: Path,
    data: str,
    out: Path,
    minutes: float | None,
    resume: bool,
    before_folder: Path | None = None,
) -> None:
    """Go on with a student until it has learned from `config.images`, `minutes` have passed, or a signal asks to stop.

    student_folder: the checkpoint to begin with, of `training.distill`. before_folder: see `beginning`; without it the
    first call below T begins at the data's pictures with noise. Raises ValueError where `out` holds a run already and
    `resume` is False, or holds another config.
    """
    started = time.monotonic()
    state = run.saved(out, config, resume)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if has_native_bf16(device) else torch.float32

    def loaded(folder: Path, guidance: float) -> Denoiser:
        pipeline = Pipeline.from_pretrained(folder, device)
        if (pipeline.config.schedule, pipeline.config.prediction) != (config.schedule, config.prediction):
            raise ValueError(f"{folder} has another schedule or prediction than the preset {config.name!r}")
        return Denoiser(pipeline.network, config.schedule, config.prediction, guidance, pipeline.dtype)

    def learner(folder: Path, covering: bool) -> tuple[nn.Module, Denoiser]:
        network = build(config.network, config.options)
        network.load_state_dict(run.initial_weights(folder, config, covering))
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network, Denoiser(network, config.schedule, config.prediction, dtype=dtype, clip=False)

    def optimizer_of(network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), rate, betas=BETAS, weight_decay=0.0, fused=True)

    teacher = loaded(teacher_folder, GUIDANCE)
    before = loaded(before_folder, 1.0) if before_folder else None
    images, conditions = dataset.load_once(data)
    run.check_pictures(state, out, data, len(images))
    network, student = learner(student_folder, covering=True)
    other, fake = learner(teacher_folder, covering=False)
    optimizer, fake_optimizer = optimizer_of(network, config.learning_rate), optimizer_of(other, FAKE_RATE)
    out.mkdir(parents=True, exist_ok=True)
    ema = {key: value.detach().clone() for key, value in network.state_dict().items()}
    seen = 0
    if state:
        network.load_state_dict(state["network"])
        other.load_state_dict(state["fake"])
        optimizer.load_state_dict(state["optimizer"])
        fake_optimizer.load_state_dict(state["fake_optimizer"])
        ema, seen = {key: value.to(device) for key, value in state["ema"].items()}, state["seen"]
    clipped = replace(student, clip=True)
    rows = run.read_log(out / run.LOG, seen)

    def save() -> None:
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema, "seen": seen}
        state |= {"fake": other.state_dict(), "fake_optimizer": fake_optimizer.state_dict()}
        state |= {"pictures": len(images)}
        run.write(out, config, data, state, rows)

    def learn(what: nn.Module, its: torch.optim.Optimizer, loss: Tensor) -> None:
        its.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(what.parameters(), config.clip)
        its.step()

    until = round(config.until * config.schedule.steps)
    recent: deque[Drawn] = deque(maxlen=RECENT)
    fake_losses: list[float] = []
    moves: list[float] = []
    alone = RECENT if seen else FIRST  # batches before the student goes on: a resumed run has no recent ones
    since, last_save = (seen, time.monotonic()), time.monotonic()
    with run.stop_on_signals() as stop, tqdm(total=config.images, initial=seen, unit="image", mininterval=5) as bar:
        while seen < config.images:
            random = run.generator(config.seed + (alone > 0), seen + alone)

            def noise(random: torch.Generator = random) -> Tensor:
                return torch.randn((config.batch, *images.shape[1:]), generator=random).to(device)

            index = torch.randint(len(images), (config.batch,), generator=random)
            y, x = conditions[index].to(device), noise()
            if config.until < 1 and before is None:
                x = config.schedule.add_noise(dataset.to_float(images[index]).to(device), x, until)
            x, t, s = beginning(clipped, config, (seen // config.batch + alone) % len(calls(config)), x, y, before)
            ready = alone == 0
            with torch.set_grad_enabled(ready):
                guess = student(x, t, y)
            x0 = guess.x0
            drawn = Drawn((onward(config.schedule, guess, s) if s else x0).detach(), s, y)
            recent.append(drawn)
            if ready:
                move = direction(teacher, fake, drawn, x0.detach(), timesteps(drawn, until, random), noise())
                for group in optimizer.param_groups:
                    group["lr"] = config.learning_rate * run.learning_rate_factor(config, seen)
                learn(network, optimizer, (x0 - (x0.detach() + move)).square().mean() / 2)
                moves.append(move.square().mean().item())
                run.update_average(ema, network, config, seen)
            for _ in range(RATIO):
                some = recent[int(torch.randint(len(recent), (1,), generator=random))]
                loss = fake_loss(fake, some, timesteps(some, until, random), noise())
                learn(other, fake_optimizer, loss)
                fake_losses.append(loss.item())
            if not ready:
                alone -= 1
            else:
                seen += config.batch
                bar.update(config.batch)
            if ready and (seen // config.batch % LOG_EVERY == 0 or seen >= config.images):
                row = {"images": seen, "lr": optimizer.param_groups[0]["lr"]}
                row |= {"fake_loss": mean(fake_losses), "move": mean(moves)}
                row["images_per_second"] = round((seen - since[0]) / (time.monotonic() - since[1]), 1)
                rows.append(row)
                fake_losses, moves, since = [], [], (seen, time.monotonic())
            if stop.is_set() or (minutes is not None and time.monotonic() - started > 60 * minutes):
                break
            if time.monotonic() - last_save > SAVE_EVERY:
                save()
                last_save = time.monotonic()
    save()


def mean(values: list[float]) -> float:
    """Their mean, 0 for none, at six digits."""
    return round(sum(values) / max(1, len(values)), 6)


def main(arguments: list[str] | None = None) -> None:
    parser = parser_of(__doc__.splitlines()[0], MATCHED)
    parser.add_argument("--teacher", type=Path, default=Path("checkpoints/default"), help="the model to be like")
    parser.add_argument("--student", type=Path, required=True, help="the network to begin with")
    parser.add_argument("--before", type=Path, help="the student of the earlier calls, to begin where it comes to")
    args = parser.parse_args(arguments)
    config = config_of(args, parser, MATCHED)
    if args.before and config.until == 1:
        parser.error(f"--before is for a preset of the later calls; {args.preset} has the first ones")
    try:
        match(config, args.teacher, args.student, args.data, args.out, args.minutes, args.resume, args.before)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
