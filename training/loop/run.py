"""What every training run needs: its folder and files, its random numbers, its average, and a way to stop it."""

from __future__ import annotations

import contextlib
import csv
import io
import pickle
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ddpm import checkpoint, noise
from ddpm.networks import build
from training.loop.parts import parts
from training.loop.presets import TrainConfig

STATE = "state.pt"  # in a run's folder: all that resuming needs
LOG = "log.csv"


def generator(seed: int, number: int) -> torch.Generator:
    """A CPU generator that depends on both numbers."""
    return noise.generator(noise.scatter(noise.scatter(seed) + number))


def read_state(path: Path) -> dict[str, Any]:
    """What `train` saved. Raises ValueError naming the file where it is damaged or something else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (*checkpoint.DAMAGED, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} cannot be read: it is damaged or something else ({error!r})") from error
    names = {"network", "optimizer", "ema", "seen", "pictures", "config"}
    if not isinstance(state, dict) or names - state.keys():
        raise ValueError(f"{path} is not the state of a training: it must hold {', '.join(sorted(names))}")
    return state


def initial_weights(folder: Path, config: TrainConfig, covering: bool = False) -> dict[str, Tensor]:
    """The weights of a checkpoint for a network of this config. Raises ValueError where it holds no such network.

    covering: refuse the only network of a checkpoint, too, where it knows no timesteps as late as the config's.
    """
    found = parts(folder)
    if config.until not in found and (len(found) > 1 or (covering and max(found) < config.until)):
        ends = ", ".join(f"{until:g}" for until in found)
        raise ValueError(f"{folder} has networks for t / T up to {ends}, but none up to {config.until:g} to begin with")
    network, model = found.get(config.until) or next(iter(found.values()))
    if (model.network, model.options) != (config.network, config.options):
        raise ValueError(f"{folder} holds another network than the preset {config.name!r} trains")
    return network.state_dict()


def saved(out: Path, config: TrainConfig, resume: bool) -> dict[str, Any] | None:
    """What the run in folder `out` saved, None where there is none.

    Raises ValueError where there is one and `resume` is False, and where it has another config.
    """
    file = out / STATE
    if not file.exists():
        return None
    if not resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another folder")
    state = read_state(file)
    before = {**plain(TrainConfig("", "")), **state["config"]}  # what was no choice then was left as it is by default
    if before != plain(config):
        raise ValueError(f"{file} belongs to another config; go on with the same preset and options")
    return state


def check_pictures(state: dict[str, Any] | None, out: Path, data: str, count: int) -> None:
    """Raise ValueError where the run in `out`, if there is one, learned from another number of pictures."""
    if state and state["pictures"] != count:
        raise ValueError(f"{out} was trained on {state['pictures']} pictures; {data} holds {count}")


def write(out: Path, config: TrainConfig, data: str, state: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write a run's folder: its state, its log, and the averaged weights as a checkpoint.

    state: all that `read_state` asks for, but for the config, and what else the training goes on from.
    """
    write_state(out / STATE, state | {"config": plain(config)})
    write_log(out / LOG, rows)
    network = averaged(config, state["ema"])
    checkpoint.save(out / "checkpoint", network, model_config(config, state["seen"], data), dtype=torch.float16)


def averaged(config: TrainConfig, ema: dict[str, Tensor]) -> nn.Module:
    """The config's network with the averaged weights, on the CPU."""
    network = build(config.network, config.options)
    network.load_state_dict(ema)
    return network


def write_state(file: Path, state: dict[str, Any]) -> None:
    """Write what a run goes on from, whole or not at all. Raises OSError, also where torch cannot write all of it."""

    def write(part: Path) -> None:
        try:
            torch.save(state, part)
        except RuntimeError as error:  # how torch says that the disk is full
            raise OSError(f"{file} cannot be written: {str(error).splitlines()[0]}") from error

    checkpoint.write_whole(file, write)


def learning_rate_factor(config: TrainConfig, seen: int) -> float:
    """Rise over the warm-up, stay at 1, fall linearly to 0 over the last share of the run."""
    rise = (seen + config.batch) / max(config.warmup, config.batch)
    fall = (config.images - seen) / max(config.decay * config.images, config.batch)
    return min(1.0, rise, fall)


@torch.no_grad()
def update_average(ema: dict[str, Tensor], network: nn.Module, config: TrainConfig, seen: int) -> None:
    """Move the average towards the weights; its half-life is at most 1/20 of the run so far (EDM, appendix F)."""
    half_life = max(min(config.ema, seen / 20), 1e-8)
    keep = 0.5 ** (config.batch / half_life)
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            ema[key].lerp_(value, 1 - keep)
        else:
            ema[key].copy_(value)


def model_config(config: TrainConfig, seen: int, data: str) -> checkpoint.ModelConfig:
    """What a checkpoint of the run says of itself."""
    facts: dict[str, Any] = {"preset": config.name, "images_seen": seen, "data": Path(data).name, "until": config.until}
    if config.taught:
        facts["taught"] = config.taught
    names = ("name", "network", "options", "prediction", "schedule", "sampler", "steps", "guidance")
    return checkpoint.ModelConfig(**{name: getattr(config, name) for name in names}, training=facts)


def plain(config: TrainConfig) -> dict[str, Any]:
    """The config as a run's state holds it: without the number of images, which alone may grow as the run goes on."""
    return {key: value for key, value in asdict(config).items() if key != "images"}


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, in place of ending the process; the old handlers return at the end."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)


def read_log(path: Path, seen: int) -> list[dict[str, Any]]:
    """The rows of a log up to so many images. Raises ValueError for something else than a log."""
    if not seen or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8-sig") as file:  # as a spreadsheet may have saved it
        rows = csv.DictReader(file)
        if "images" not in (rows.fieldnames or []):
            raise ValueError(f"{path} is no log of a training: it must have a column 'images'")
        return [row for row in rows if int(row["images"]) <= seen]


def write_log(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows, all with the same keys, as CSV; where the file cannot be replaced, say so and go on without.

    Windows does not replace a file that is open in another program; the next call writes all rows.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["images"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        checkpoint.write_whole(path, lambda part: part.write_bytes(text.getvalue().encode()))
    except PermissionError as error:
        print(f"the log is not written this time: {error}", file=sys.stderr)
