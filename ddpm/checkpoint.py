"""A checkpoint is a folder: model.safetensors, and config.json that says what the weights are and how to use them."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ddpm.denoiser import PARAMETERISATIONS, Parameterisation
from ddpm.hub import CONFIG, WEIGHTS
from ddpm.labels import brief
from ddpm.networks import build
from ddpm.samplers import SAMPLERS
from ddpm.schedule import NoiseSchedule

PATIENCE = 2.0
"""Seconds to wait for a file that cannot be replaced yet; virus scanners hold new files for a moment."""


DAMAGED = (OSError, EOFError, RuntimeError, ValueError, LookupError, AttributeError, TypeError)
"""What `torch.load` raises, beside UnpicklingError, where a file is damaged or something else."""


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or not what its config says; the message names the file."""


@dataclass(frozen=True)
class ModelConfig:
    """Everything that has to travel with the weights.

    name: what people call the model.
    network, options: the arguments of `networks.build`.
    prediction, schedule: how it was trained.
    sampler, steps, guidance: what `Pipeline` uses where the caller names nothing.
    training: where the weights come from (preset, images seen, data), for people to read.
    """

    name: str
    network: str
    options: dict[str, Any]
    prediction: Parameterisation
    schedule: NoiseSchedule
    sampler: str = "ddim"
    steps: int = 50
    guidance: float = 1.0
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, kind in _JSON_TYPES.items():
            value = getattr(self, key)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(f"{key!r} must be of type {kind[-1].__name__}, not {brief(value)}")
        for key, allowed in (("prediction", PARAMETERISATIONS), ("sampler", tuple(SAMPLERS))):
            if getattr(self, key) not in allowed:
                raise ValueError(f"{key!r} is {brief(getattr(self, key))}; allowed are {', '.join(allowed)}")


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "network": (str,),
    "options": (dict,),
    "schedule": (NoiseSchedule,),
    "steps": (int,),
    "guidance": (int, float),
    "training": (dict,),
}


def save(
    folder: str | os.PathLike[str], network: nn.Module, config: ModelConfig, dtype: torch.dtype = torch.float32
) -> None:
    """Write a checkpoint, its matrices and kernels stored as `dtype`; the folder is made where it is missing.

    Vectors keep their type: a norm's statistics need more range than half precision has.

    Each file appears whole or not at all, also where the process is killed meanwhile; the weights come first.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = storable(network.state_dict(), dtype)
    text = json.dumps(asdict(config), indent=2) + "\n"
    write_whole(folder / WEIGHTS, lambda path: path.write_bytes(to_bytes(weights)))
    write_whole(folder / CONFIG, lambda path: path.write_text(text, encoding="utf-8"))


def storable(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """A network's state as `save` stores it."""
    return {
        key: value.detach().cpu().to(dtype if value.ndim > 1 else value.dtype).contiguous()
        for key, value in state.items()
    }


def not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The name of a tensor that holds NaN or infinity, as left by a training that diverged; None where all is well."""
    return next((key for key, value in state.items() if not value.isfinite().all()), None)


def load(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> tuple[nn.Module, ModelConfig]:
    """Return the network, in float32 and eval mode on `device`, and its config. Raises CheckpointError."""
    folder = Path(folder)
    config = read_config(folder)
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}: cannot be read: {error}") from error
    if broken := not_finite(weights):
        raise CheckpointError(f"{folder / WEIGHTS}: {broken} holds NaN or infinite values")
    try:
        with _Unset(), torch.device("meta"):  # costs no memory, whatever size the options ask for
            needed = _size(build(config.network, config.options).state_dict())
        with _Unset():
            network = build(config.network, config.options) if needed <= 8 * _size(weights) else None
    except ValueError as error:
        raise CheckpointError(f"{folder / CONFIG}: {error}") from error
    misfit = f"{folder / WEIGHTS}: does not fit the network of {CONFIG}"
    if network is None:
        raise CheckpointError(f"{misfit}: it holds {_size(weights):,} values, and the network has {needed:,}")
    try:
        network.load_state_dict(weights)  # strict; casts to the network's float32
    except RuntimeError as error:
        raise CheckpointError(f"{misfit}: {error}") from error
    return network.to(device).eval(), config


class _Unset(TorchFunctionMode):
    """Leaves new weights as they come: they are about to be read, and to set them on "meta" imports 30 MB."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)


def _size(state: Mapping[str, Tensor]) -> int:
    return sum(value.numel() for value in state.values())


def read_config(folder: str | os.PathLike[str]) -> ModelConfig:
    """Return the config of a checkpoint folder without its weights. Raises CheckpointError."""
    path = Path(folder) / CONFIG
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def _parse(data: Any) -> ModelConfig:
    _check_keys("the config", data, ModelConfig)
    _check_keys("'schedule'", data["schedule"], NoiseSchedule)
    return ModelConfig(**{**data, "schedule": NoiseSchedule(**data["schedule"])})


def _check_keys(what: str, data: Any, kind: type) -> None:
    if not isinstance(data, dict):
        raise ValueError(f"{what} must be an object, not {brief(data)}")
    known = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(kind)}
    if unknown := sorted(data.keys() - known.keys()):
        raise ValueError(f"{what} has unknown keys: {', '.join(unknown)}")
    if missing := [key for key, required in known.items() if required and key not in data]:
        raise ValueError(f"{what} lacks the keys: {', '.join(missing)}")


def part_of(path: Path) -> Path:
    """Where `write_whole` writes before the file is put in place."""
    return path.with_name(path.name + ".part")


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` write beside the path, and put the file in place once it is safe on the disk: whole or not at all.

    Windows does not replace a file that another program has open: it is tried for `PATIENCE`, then raises OSError.
    """
    part = part_of(path)
    try:
        write(part)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        _replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _replace(part: Path, path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(part, path)
        except PermissionError as error:
            if time.monotonic() > deadline:
                reason = f"{error.strerror}; is it open in another program?"
                raise PermissionError(error.errno, reason, str(path)) from None
            time.sleep(0.1)
