"""The judge: a ResNet-18 that says which of the 24 labels it sees and how many of each, and the figures built on it.

`Evaluator` loads our own folder (model.safetensors + config.json) or the lab's checkpoint.pth, which holds, under
the key `model`, the state of a plain torchvision ResNet-18 whose `fc` is Linear(512, 24) then Sigmoid; that one cannot
count.
"""

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ddpm import IMAGE_SHAPE, devices, hub
from ddpm.backends import Inputs, Switching, openvino
from ddpm.checkpoint import DAMAGED, not_finite
from ddpm.counting import COUNTER, CountHead, Look
from ddpm.labels import LABELS, NUM_LABELS

FEATURES = 512
BATCH = 64  # images a forward

STATE_KEYS = ("model", "state_dict", "model_state_dict")
"""Where people keep the network's state in a .pth file; the first is the lab's."""

LFS_HEADER = b"version https://git-lfs"

Stem = Literal["plain", "gentle"]


class EvaluatorError(ValueError):
    """Weights that are no evaluator, or images that no evaluator can judge."""


@dataclass(frozen=True)
class EvaluatorConfig:
    """What travels with the weights as config.json.

    stem: "plain" is torchvision's and the lab's; "gentle" is made for 64x64 pictures: a 3x3 first convolution and no
    max-pool, so that the first stage works at 32x32 instead of 16x16 (1.1 GFLOP an image instead of 0.3).
    counts: whether there is a `CountHead` as well.
    training: how the weights were made and what was measured on the held-out part.
    """

    stem: Stem = "gentle"
    labels: tuple[str, ...] = LABELS
    counts: bool = False
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.stem not in get_args(Stem):
            raise EvaluatorError(f"unknown stem {self.stem!r}; allowed are {', '.join(get_args(Stem))}")
        if self.labels != LABELS:
            raise EvaluatorError("the evaluator was trained on other labels, or on the same ones in another order")


def build_network(stem: Stem = "plain") -> nn.Module:
    """ResNet-18 (He et al. 2016) with the lab's head: (N, 3, 64, 64) in [-1, 1] -> (N, 24) probabilities."""
    from ddpm._torchvision import torchvision

    network = torchvision.models.resnet18()
    network.fc = nn.Sequential(nn.Linear(FEATURES, NUM_LABELS), nn.Sigmoid())
    if stem == "gentle":
        network.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=2, padding=1, bias=False)
        network.maxpool = nn.Identity()
    return network.to(memory_format=torch.channels_last)


def trunk(network: nn.Module) -> nn.Sequential:
    """Everything before the head, sharing its parameters: (N, 3, 64, 64) -> (N, 512)."""
    return nn.Sequential(*list(network.children())[:-1], nn.Flatten())


class Evaluator:
    """Judges images. The network stays in eval mode.

    counter: counts objects, from the network's features; the lab's evaluator has none.
    dtype: float32, so that figures can be compared; or bfloat16 for a quick look, off by up to 0.03.
    """

    def __init__(
        self,
        network: nn.Module,
        config: EvaluatorConfig,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        counter: CountHead | None = None,
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.dtype = dtype
        self.network = network.to(self.device, dtype).eval().requires_grad_(False)
        self._backend: Switching | None = None
        self._trunk = trunk(self.network)
        self.counter = counter and counter.to(self.device, dtype).eval().requires_grad_(False)

    @classmethod
    def from_pretrained(
        cls, source: str | PathLike[str], device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
    ) -> "Evaluator":
        """Load our folder, a model of the Hugging Face Hub ("owner/name"), or the lab's checkpoint.pth as it is.

        device: None takes the best one, see `ddpm.devices.best`, and the CPU where the network does not run on it.
        Raises EvaluatorError that names the path where it is no evaluator, FileNotFoundError where nothing is there.
        """
        try:
            path = Path(source) if Path(source).is_file() else hub.find(source)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"no evaluator: {error}, or the lab's checkpoint.pth") from error
        config, state = _read_folder(path) if path.is_dir() else (EvaluatorConfig("plain"), _read_lab_file(path))
        if broken := not_finite(state):
            raise EvaluatorError(f"{path}: {broken} holds NaN or infinite values")
        network = build_network(config.stem)
        counter = CountHead() if config.counts else None
        try:
            if counter:
                own = [key for key in state if key.startswith(COUNTER)]
                counter.load_state_dict({key.removeprefix(COUNTER): state.pop(key) for key in own})
            network.load_state_dict(state, strict=True)
        except RuntimeError as error:
            wanted = f"a ResNet-18 with 24 outputs and a {config.stem} stem"
            raise EvaluatorError(f"{path} does not hold {wanted}: {error}") from None
        if device is None:
            trial = torch.zeros(1, *IMAGE_SHAPE)
            device = devices.working(
                devices.best(), lambda mps: copy.deepcopy(network).eval().to(mps)(trial.to(mps)).cpu()
            )
        return cls(network, config, device, dtype, counter)

    def accelerate(self) -> Switching | None:
        """Let a faster backend give the probabilities, see `ddpm.pipeline.Pipeline.accelerate`; not the counts."""
        if self._backend is None and self.device.type == "cpu":
            prepare = openvino.prepare_judge
            self._backend = Switching(self.network, self.dtype, "OpenVINO", prepare, _examples, paced=(1, 8))
        return self._backend

    def __call__(self, x: Tensor) -> Tensor:
        """Probabilities (N, 24), float32 on the CPU, of each label in images x (N, 3, 64, 64) in [-1, 1]."""
        return self._batched(self.network if self._backend is None else self._backend.current(), x)

    def logits(self, x: Tensor) -> Tensor:
        """The logits (N, 24) of the probabilities, on the evaluator's device; x (N, 3, 64, 64) may require grad."""
        return self.network.get_submodule("fc.0")(self._trunk(x.to(self.device, self.dtype))).float()

    def counts(self, x: Tensor) -> Tensor:
        """How many of each label are in images x (N, 3, 64, 64) in [-1, 1]: int64 (N, 24), 0, 1, or 2 for two and more.

        A label is there (1 or 2) if its probability is at least 0.5, as for `predicted_labels`.
        Raises EvaluatorError where the weights have no count head, as the lab's.
        """
        if self.counter is None:
            raise EvaluatorError("this evaluator cannot count: its weights have no count head (the lab's have none)")
        return self.look(x)[:, 1].long()

    def look(self, x: Tensor) -> Tensor:
        """Both answers in one pass, float32 (N, 2, 24) on the CPU: see `ddpm.counting.Look`."""
        return self._batched(Look(self.network, self.counter), x)

    def features(self, x: Tensor) -> Tensor:
        """What the head sees, (N, 512), float32 on the CPU, for images x (N, 3, 64, 64) in [-1, 1]."""
        return self._batched(self._trunk, x)

    @torch.no_grad()
    def _batched(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if x.ndim != 4 or tuple(x.shape[1:]) != IMAGE_SHAPE or not x.is_floating_point():
            raise EvaluatorError(f"images must be a float tensor (N, 3, 64, 64), not {x.dtype} {tuple(x.shape)}")
        outputs = [
            network(part.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)).float().cpu()
            for part in x.split(BATCH)
        ]
        return torch.cat(outputs)


def _examples(rows: int) -> list[Inputs]:
    return [(2 * torch.rand(rows, *IMAGE_SHAPE, generator=torch.Generator().manual_seed(0)) - 1,)]


def _read_folder(folder: Path) -> tuple[EvaluatorConfig, dict[str, Tensor]]:
    try:
        fields = json.loads((folder / hub.CONFIG).read_text(encoding="utf-8"))
        config = EvaluatorConfig(
            fields["stem"], tuple(fields["labels"]), bool(fields.get("counts", False)), fields.get("training", {})
        )
        return config, load_file(folder / hub.WEIGHTS)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise EvaluatorError(f"{folder} is no evaluator (model.safetensors + config.json): {reason}") from None


def _read_lab_file(path: Path) -> dict[str, Tensor]:
    """The state in a .pth file: plain, or under one of STATE_KEYS, with DataParallel's prefixes taken off."""
    with path.open("rb") as file:
        if file.read(len(LFS_HEADER)) == LFS_HEADER:
            raise EvaluatorError(f"{path} is a Git LFS pointer, not the weights: fetch them with `git lfs pull`")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        reason = "damaged, or it holds Python objects, which are not loaded since they could run code"
        raise EvaluatorError(f"{path} is not a file of plain weights: it is {reason}") from None
    except DAMAGED:
        raise EvaluatorError(f"{path} is not a file of weights that torch.save wrote") from None
    states = [content, *(content.get(key) for key in STATE_KEYS)] if isinstance(content, Mapping) else []
    for state in states:
        if isinstance(state, Mapping) and state and all(isinstance(value, Tensor) for value in state.values()):
            return {str(key).removeprefix("module."): value for key, value in state.items()}
    keys = " or ".join(repr(key) for key in STATE_KEYS)
    raise EvaluatorError(f"{path} must hold the state of a network, plain or under the key {keys}")


def config_json(config: EvaluatorConfig) -> str:
    """The text of config.json."""
    return json.dumps({"architecture": "resnet18", **asdict(config)}, indent=2) + "\n"


# --- Metrics: p are probabilities (N, 24), labels the requested ones as multi-hot vectors (N, 24). ---


def predicted_labels(p: Tensor, threshold: float = 0.5) -> list[list[str]]:
    """The labels seen in each image: those with a probability at or above the threshold, the surest first."""
    order = p.argsort(dim=1, descending=True, stable=True).tolist()
    return [[LABELS[i] for i in ids if row[i] >= threshold] for ids, row in zip(order, p.tolist(), strict=True)]


def topk_hits(p: Tensor, labels: Tensor) -> Tensor:
    """For each image with k requested labels: how many of them are among the k largest outputs, int64 (N,)."""
    requested = labels > 0.5
    rank = p.argsort(dim=1, descending=True, stable=True).argsort(dim=1)  # (N, 24), 0 is the largest output
    return (requested & (rank < requested.sum(dim=1, keepdim=True))).sum(dim=1)


def topk_accuracy(p: Tensor, labels: Tensor) -> float:
    """The lab's figure: hits over requested labels, pooled over all images. NaN where nothing was requested."""
    return (topk_hits(p, labels).sum() / (labels > 0.5).sum()).item()


def per_image_accuracy(p: Tensor, labels: Tensor) -> float:
    """The mean of each image's share of hits, over the images that request a label. NaN where none does."""
    counts = (labels > 0.5).sum(dim=1)
    return (topk_hits(p, labels) / counts)[counts > 0].mean().item()


def exact_scenes(counts: Tensor, labels: Tensor) -> float:
    """The share of images with exactly the requested objects, each once: counts are int (N, 24). NaN without images."""
    return (counts == (labels > 0.5)).all(dim=1).float().mean().item()


def duplicates(counts: Tensor) -> float:
    """The share of images in which a label is there twice: counts are int (N, 24). NaN without images."""
    return (counts > 1).any(dim=1).float().mean().item()


def exact_match(p: Tensor, labels: Tensor, threshold: float = 0.5) -> float:
    """The share of images whose labels at or above the threshold are exactly the requested ones. NaN without images."""
    return ((p >= threshold) == (labels > 0.5)).all(dim=1).float().mean().item()
