"""Train a network on labelled pictures.

    python -m training.train --preset default --data data/train --out runs/default [--minutes 100] [--resume]
    OMP_NUM_THREADS=1 torchrun --nproc_per_node 2 -m training.train ...

The second form runs one process a core, which is faster on a CPU that has other work to do.

A run's folder holds state.pt (all that resuming needs), log.csv, samples/ and checkpoint/ (the averaged weights, ready
for `Pipeline.from_pretrained`). Everything random is a function of the seed and of the images seen so far, so that a
run resumed on the same kind of device goes on as if it had never stopped. Ctrl-C and SIGTERM save before they end.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ddpm import labels, terminal
from ddpm.denoiser import target
from ddpm.networks import build
from ddpm.networks.unet import LabelAttention, ResidualBlock
from ddpm.pipeline import Pipeline
from ddpm.precision import has_native_bf16
from training.loop import dataset, run, sample_sheet
from training.loop.command import config_of, parser_of
from training.loop.layout import WithLayout, pixel_weights
from training.loop.optimizer import optimizer_of, peaks
from training.loop.pairs import without_held_out
from training.loop.presets import PRESETS, TrainConfig
from training.loop.teacher import teacher_of

LOG_EVERY = 200  # steps
SAVE_EVERY = 60.0  # seconds
SAMPLE_EVERY = 120.0  # seconds
MOST_LIFTED = 10.0  # the largest weight of a timestep: with more, copying the noise exactly would outweigh the scene


def train(
    config: TrainConfig,
    data: str,
    out: Path,
    minutes: float | None = None,
    resume: bool = False,
    init: Path | None = None,
    teacher: Path | None = None,
) -> None:
    """Train until `config.images` have been seen, `minutes` have passed, or a signal asks to stop.

    init: a checkpoint of the same network whose weights a new run begins with; of a joined one (`training.join`) its
    network for the same timesteps.
    teacher: the checkpoint to learn from where the config is `taught`.
    Raises ValueError where `out` holds a run already and `resume` is False, or holds another config.
    """
    started = time.monotonic()
    if dataset.is_lab(data) and (config.layout or config.focus):
        print(f"{data} has no layouts: the layout loss and the weights of pixels near objects are left out")
        config = replace(config, layout=0.0, focus=0.0)
    on_cpu = not torch.cuda.is_available()  # without it, accelerate lets each process train a network of its own
    precision = "bf16" if has_native_bf16(PartialState(cpu=on_cpu).device) else "no"
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision)
    device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes
    if config.batch % world:
        raise ValueError(f"a batch of {config.batch} cannot be shared by {world} processes")
    state = run.saved(out, config, resume)

    images, conditions = dataset.load_once(data)
    kept = without_held_out(conditions) if config.hold_out else torch.ones(len(images), dtype=torch.bool)
    run.check_pictures(state, out, data, int(kept.sum()))
    layouts = dataset.load_layouts(data, len(images))[kept].to(device) if config.layout or config.focus else None
    images, conditions = images[kept].to(device), conditions[kept].to(device)
    torch.manual_seed(config.seed)
    network = build(config.network, config.options)
    if init is not None:
        network.load_state_dict(run.initial_weights(init, config))
    predict = None
    if config.taught:
        if teacher is None:
            raise ValueError(f"the preset {config.name!r} learns from a teacher, and none is given")
        predict = teacher_of(Pipeline.from_pretrained(teacher, device), config.schedule, config.taught)
    out.mkdir(parents=True, exist_ok=True)  # after all that may be refused
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device.type == "cuda":  # the blocks alone: they are nearly all of the work, and alike, so that it takes seconds
        for module in network.modules():
            if isinstance(module, (ResidualBlock, LabelAttention)):
                module.compile(dynamic=False)
    learner = WithLayout(network).to(device) if config.layout else network  # type: ignore[arg-type]
    optimizer = optimizer_of(learner, config)
    ema = {key: value.detach().clone() for key, value in network.state_dict().items()}
    seen = 0
    if state:
        learner.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        ema, seen = {key: value.to(device) for key, value in state["ema"].items()}, state["seen"]
    model = accelerator.prepare(learner)
    model.train()
    rows = run.read_log(out / run.LOG, seen)

    def save() -> None:
        if accelerator.is_main_process:
            state = {"network": learner.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema, "seen": seen}
            state |= {"pictures": len(images), "losses": losses, "logged": logged}
            run.write(out, config, data, state, rows)

    last_save = last_sheet = time.monotonic()
    since = seen, time.monotonic()
    losses, logged = torch.zeros(2, device=device), seen  # the sum of the losses since the last row of the log
    if state and "losses" in state:
        losses, logged = state["losses"].to(device), state["logged"]
    bar = tqdm(total=config.images, initial=seen, unit="image", disable=not accelerator.is_main_process, mininterval=5)
    with run.stop_on_signals() as stop:
        while seen < config.images:
            # 1. A batch: data order, timesteps, noise and label dropout all follow from the seed and the images seen.
            random = run.generator(config.seed, seen)
            index = batch_indices(config.seed, seen, config.batch, len(images)).to(device)
            t = draw_timesteps(config, random)
            drop = torch.rand((config.batch, 1), generator=random) < config.dropout
            noise = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=random)))
            eps = torch.randn((config.batch, *images.shape[1:]), generator=noise, device=device)
            mine = slice(rank, None, world)
            index, t, eps, drop = index[mine], t[mine], eps[mine], drop[mine].to(device)
            x0 = dataset.to_float(images[index])
            y = torch.where(drop, labels.NULL, conditions[index])

            # 2. The loss: squared error of what the network is to give at x_t, and the layout's cross-entropy.
            x_t = config.schedule.add_noise(x0, eps, t).contiguous(memory_format=torch.channels_last)
            if predict is not None:
                with torch.no_grad():
                    x0, eps, _ = predict(x_t, t, y)
            goal = target(config.prediction, x0, eps, config.schedule.alpha_bar[t].to(device))
            answer = model(x_t, (t / config.schedule.steps).to(device), y)
            picture, layout = answer if config.layout else (answer, None)
            error = (picture.float() - goal).square()
            if config.focus and layouts is not None:
                error = error * pixel_weights(layouts[index], config.focus)
            error = error * timestep_weights(config, t).to(device)
            misplaced = torch.zeros((), device=device)
            if layout is not None and layouts is not None:
                misplaced = F.cross_entropy(layout.float(), layouts[index].long())
            parts = torch.stack([error.mean(), misplaced])
            loss = parts[0] + config.layout * parts[1]

            # 3. One step of the optimizer and of the average.
            for group, peak in zip(optimizer.param_groups, peaks(config), strict=True):
                group["lr"] = peak * run.learning_rate_factor(config, seen)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            optimizer.zero_grad()
            seen += config.batch
            run.update_average(ema, network, config, seen)

            # 4. What people see, and what is kept.
            losses += parts.detach()
            bar.update(config.batch)
            if seen // config.batch % LOG_EVERY == 0 or seen >= config.images:
                means = accelerator.reduce(losses, "mean") * config.batch / (seen - logged)
                row = {"images": seen, "loss": round(float(means[0]), 6), "layout_loss": round(float(means[1]), 6)}
                row["lr"] = optimizer.param_groups[-1]["lr"]
                row["images_per_second"] = round((seen - since[0]) / (time.monotonic() - since[1]), 1)
                rows.append(row)
                bar.set_postfix(loss=row["loss"], refresh=False)
                losses, logged, since = torch.zeros_like(losses), seen, (seen, time.monotonic())
            if time.monotonic() - last_sheet > SAMPLE_EVERY and accelerator.is_main_process:
                last_sheet = time.monotonic()
                pipe = Pipeline(run.averaged(config, ema), run.model_config(config, seen, data), device)
                sheet = out / "samples" / f"{seen:08d}.png"
                if config.until < 1:
                    start = int(config.until * config.schedule.steps)
                    sample_sheet.redraw(pipe, sheet, dataset.to_float(images[-6:].cpu()), conditions[-6:].cpu(), start)
                else:
                    sample_sheet.draw(pipe, sheet)
            over = stop.is_set() or (minutes is not None and time.monotonic() - started > 60 * minutes)
            if world > 1:
                over = bool(accelerator.reduce(torch.tensor(float(over), device=device), "sum") > 0)
            if over:
                break
            if time.monotonic() - last_save > SAVE_EVERY:
                save()
                last_save = time.monotonic()
    bar.close()
    save()


def batch_indices(seed: int, seen: int, batch: int, count: int) -> Tensor:
    """Which of `count` pictures come after `seen` images, int64 (batch,): each epoch in an order of its own."""
    place = torch.arange(seen, seen + batch)
    epochs = range(seen // count, (seen + batch - 1) // count + 1)
    return torch.cat([_epoch_order(seed, e, count)[place[place // count == e] % count] for e in epochs])


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    return torch.randperm(count, generator=run.generator(seed, -1 - epoch))


def draw_timesteps(config: TrainConfig, random: torch.Generator) -> Tensor:
    """Timesteps since T + 1 .. until T, int64 (batch,): a uniform u in (0, 1] gives the share u^skew of that range."""
    u = 1 - torch.rand(config.batch, generator=random)
    share = config.since + (config.until - config.since) * u**config.skew
    return (share * config.schedule.steps).ceil().long()


def timestep_weights(config: TrainConfig, t: Tensor) -> Tensor:
    """What the squared error at each of the timesteps (N,) counts: sigma_t^balance alpha_t^-lift, float32 (N, 1, 1, 1).

    The error of x0 is sigma_t times that of v, and the error of eps is alpha_t times that of v (Salimans and Ho 2022,
    section 4).
    """
    alpha_bar = config.schedule.alpha_bar[t]
    lifted = (alpha_bar ** (-config.lift / 2)).clamp(max=MOST_LIFTED)
    return ((1 - alpha_bar) ** (config.balance / 2) * lifted).float()[:, None, None, None]


def main(arguments: list[str] | None = None) -> None:
    parser = parser_of("Train a network on labelled pictures.", PRESETS, "default")
    parser.add_argument("--init", type=Path, help="a checkpoint of the same network to begin a new run with")
    parser.add_argument(
        "--teacher", type=Path, default=Path("checkpoints/default"), help="the model that a taught preset learns from"
    )
    args = parser.parse_args(arguments)
    config = config_of(args, parser, PRESETS)
    try:
        train(config, args.data, args.out, args.minutes, args.resume, args.init, args.teacher)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
