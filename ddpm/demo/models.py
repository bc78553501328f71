"""The models that can be chosen: the page's own, and those of the bundled folders."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ddpm import checkpoint, hub
from ddpm.checkpoint import ModelConfig
from ddpm.demo.hosting import zero
from ddpm.labels import brief
from ddpm.pipeline import Pipeline

log = logging.getLogger(__name__)

EVALUATOR = "evaluator"
"""The folder among the checkpoints whose network judges and does not draw."""

STUDENT = "fast"
"""The bundled model that draws in few steps, see training/distill.py and match.py; it draws what is drawn live."""

AT_ONCE = 0.06
"""Seconds that a picture may take at most where it is drawn at every change from the start."""


class Models:
    """Pipelines by name, each loaded when it is first asked for, and then kept.

    own: the page's model, which comes first, under the name in its config. folder: holds a folder for each bundled
    model, None if there are none; the one that is the page's own is not offered twice, and another of its name is
    called "NAME (bundled)". What cannot be read is left out, with a line in the log.
    """

    def __init__(
        self,
        own: Pipeline,
        folder: Path | None,
        check: Callable[[], None] | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """check: see `Pipeline.shared`, for the models of the folder; dtype: see `Pipeline.from_pretrained`."""
        self._own = own
        self._check = check
        self._dtype = dtype
        self._lock = threading.Lock()
        self._loaded = {own.config.name: own}
        self._folders: dict[str, Path] = {}
        self.configs: dict[str, ModelConfig] = {own.config.name: own.config}
        self.bundled: dict[str, str] = {}
        """The names of those that come with the project, and of their folders."""
        for path in _bundled(folder) if folder else ():
            try:
                config = checkpoint.read_config(path)
            except checkpoint.CheckpointError as error:
                log.warning("a bundled model is left out: %s", error)
                continue
            name = own.config.name
            if config != own.config:
                name = path.name if path.name not in self.configs else f"{path.name} (bundled)"
                self._folders[name] = path
                self.configs[name] = config
            self.bundled[name] = path.name

    @property
    def names(self) -> Sequence[str]:
        """What `get` takes; the first is the page's own."""
        return tuple(self.configs)

    def other(self, name: str | None) -> str | None:
        """Return the name, or None where it is that of the page's own model. Raises ValueError as `get` does."""
        return None if self._known(name) == self.names[0] else name

    def get(self, name: str | None = None) -> Pipeline:
        """Return the model of this name, None being the page's own. Raises ValueError for a name that is not there."""
        name = self._known(name)
        if name not in self._loaded:  # else it waits for no other that is being loaded
            with self._lock:
                if name not in self._loaded:
                    pipeline = Pipeline.from_pretrained(self._folders[name], zero.DEVICE, self._dtype)
                    self._loaded[name] = pipeline.shared(self._check)
        pipeline = self._loaded[name]
        student = name in self._folders and self._folders[name].name == STUDENT
        if student and self._own.accelerated and not pipeline.accelerated:  # not the others, at 70 MB and more for each
            pipeline.accelerate()
        return pipeline

    def _known(self, name: str | None) -> str:
        name = self.names[0] if name is None else name
        if not isinstance(name, str) or name not in self.configs:
            raise ValueError(f"model {brief(name)} is unknown; allowed are {', '.join(self.names)}")
        return name


def draws_at_once(folder: Path) -> bool:
    """Tell whether the model of this folder draws a picture within AT_ONCE here; False where there is none."""
    try:
        pipeline = Pipeline.from_pretrained(folder, zero.DEVICE).shared()
    except checkpoint.CheckpointError:
        return False
    seconds = []
    for _ in range(3):  # the first one is slower
        begun = time.perf_counter()
        pipeline.generate([[]])
        seconds.append(time.perf_counter() - begun)
    return min(seconds) <= AT_ONCE


def _bundled(folder: Path) -> list[Path]:
    return sorted(
        path.parent
        for path in folder.glob(f"*/{hub.CONFIG}")
        if path.parent.name != EVALUATOR and (path.parent / hub.WEIGHTS).is_file()
    )
