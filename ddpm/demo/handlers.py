"""What happens when somebody presses Generate."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from torch import Tensor

from ddpm.demo import stage
from ddpm.evaluator import Evaluator
from ddpm.labels import LabelError, check
from ddpm.pipeline import Pipeline
from ddpm.samplers import Step

MAX_SEED = 2**53 - 1
"""The largest whole number that a browser holds exactly."""

JUDGED = 50
"""About so many steps of a run are shown to the evaluator; in longer runs its last word stands for a few steps."""

MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""One run at a time, from the page and by program together."""


class Studio:
    """The handlers, around the model that draws and the one that judges."""

    def __init__(self, pipeline: Pipeline, evaluator: Evaluator) -> None:
        self.pipeline = pipeline
        self.evaluator = evaluator

    def preview(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return the value of the stage at a telling moment of a run, to show before anybody has pressed a button."""
        scene = check(labels)
        alpha_bar = self.pipeline.config.schedule.alpha_bar
        for step in self.pipeline.stream([scene]):
            if alpha_bar[step.t] > 0.9:  # the objects can be seen through the noise
                break
        return self._view(step, scene, self._judge(step), "example")

    def run(self, labels: list[str], seed: int, sampler: str, steps: int, guidance: float) -> Iterator[dict[str, Any]]:
        """Denoise one scene, and yield the value of the stage at every step."""
        scene = check(labels)
        for step in self.pipeline.stream([scene], seed, sampler, steps, guidance):
            last = step.index == step.total
            if last or (step.index - 1) % -(-step.total // JUDGED) == 0:
                p = self._judge(step)
            yield self._view(step, scene, p, "done" if last else "running")

    def validate(
        self, labels: Any, seed: Any, sampler: Any = None, steps: Any = None, guidance: Any = None
    ) -> list[dict[str, Any]]:
        """Judge each argument of `run`, with a message for people where it will not do. None means the model's own."""
        settings = self.pipeline.settings
        return [
            _verdict(_check_scene, labels),
            _verdict(_check_seed, seed),
            _verdict(lambda name: settings(sampler=name), sampler),
            _verdict(lambda number: settings(steps=number), steps),
            _verdict(lambda number: settings(guidance=number), guidance),
        ]

    def _judge(self, step: Step) -> Tensor:
        return self.evaluator(step.x0)[0]

    def _view(self, step: Step, scene: tuple[str, ...], p: Tensor, state: stage.State) -> dict[str, Any]:
        return stage.view(step, self.pipeline.config.schedule, scene, p, state)


def _verdict(check_argument: Callable[[Any], object], value: Any) -> dict[str, Any]:
    try:
        check_argument(value)
    except ValueError as error:
        message = str(error)
        return gr.validate(False, message[0].upper() + message[1:])
    return gr.validate(True, "")


def _check_scene(labels: Any) -> None:
    if not check(labels):
        raise LabelError("nothing is requested: at least one object is needed")


def _check_seed(seed: Any) -> None:
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed must be a whole number from 0 to {MAX_SEED}, not {seed!r}")
