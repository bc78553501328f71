"""From labels to images: the bundled model, its samplers and its seeds behind two calls."""

import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ddpm import IMAGE_SHAPE, checkpoint, devices, hub, labels, noise
from ddpm.backends import Switching
from ddpm.denoiser import Denoiser, Steering
from ddpm.precision import cpu_dtype, fitted
from ddpm.runner import Runner
from ddpm.samplers import Step, continued, sample
from ddpm.settings import Settings, check_seed, checked

BATCH = 64  # images that `generate` denoises together
if TYPE_CHECKING:
    from ddpm.trajectory import Trajectory


Elsewhere = Callable[[Tensor, Tensor, Settings, Sequence[int], int | None], Iterator[Step] | None]
"""elsewhere(x, conditions, settings, seeds, start), as `Pipeline.sample` takes them: the Steps, fewer where it has to
leave off, or None for none."""


class Pipeline:
    """A trained network ready to draw.

    network: as `ddpm.networks` describes; it is put in eval mode. Where device or dtype ask for other weights than it
    holds, the pipeline works with a copy, so that one network can serve several pipelines.
    config: its prediction, schedule and default settings.
    dtype: precision inside the network, float32 or bfloat16; the sampler itself always works in float32.
    Raises ValueError for another dtype and for default settings that the schedule does not allow.
    """

    def __init__(
        self,
        network: nn.Module,
        config: checkpoint.ModelConfig,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.dtype = dtype
        self.network = fitted(network, self.device, dtype).eval()
        self._runner = Runner(self.network, self.device, dtype)
        self._elsewhere: Elsewhere | None = None
        self._steering: Steering | None = None
        self.settings()  # the defaults must be as sound as what a caller asks for

    @classmethod
    def from_pretrained(
        cls,
        source: str | PathLike[str],
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> "Pipeline":
        """Load a checkpoint folder, or a model of the Hugging Face Hub ("owner/name").

        device: None takes the best one, see `ddpm.devices.best`, and the CPU where the network does not run on it.
        dtype: float32 or bfloat16; None takes bfloat16 on a CPU where that is native and faster, else float32.
        Raises CheckpointError.
        """
        try:
            network, config = checkpoint.load(hub.find(source))
        except FileNotFoundError as error:
            raise checkpoint.CheckpointError(str(error)) from error
        if device is None:
            device = devices.working(devices.best(), lambda mps: devices.trial(network, mps))
        device = torch.device(device)
        if dtype is None:
            dtype = cpu_dtype() if device.type == "cpu" else torch.float32
        try:
            return cls(network, config, device, dtype)
        except ValueError as error:
            raise checkpoint.CheckpointError(f"{source}: {error}") from error

    def save_pretrained(self, folder: str | PathLike[str], dtype: torch.dtype = torch.float32) -> None:
        """Write a checkpoint folder that `from_pretrained` loads, with a model card where there is none yet.

        dtype: how the weights are stored; float16 takes half the room. They are saved as this pipeline holds them: one
        that works in bfloat16 has rounded them, so load with dtype=torch.float32 what should be saved unchanged.
        """
        checkpoint.save(folder, self.network, self.config, dtype)
        card = Path(folder) / hub.CARD
        if not card.exists():
            card.write_text(hub.card(self.config), encoding="utf-8")

    def push_to_hub(
        self,
        repo: str,
        private: bool | None = None,
        token: str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> str:
        """Upload the model to the Hugging Face Hub as `repo`, "owner/name", and return its address.

        private: who may see a new repository; None is the account's default. token: None takes the one that `hf auth
        login` stored. dtype: see `save_pretrained`. Raises the errors of huggingface_hub.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, dtype)
            return hub.push(Path(folder), repo, private, token)

    def accelerate(self) -> Switching | None:
        """Let a faster backend run the network as soon as it is built and checked, in a thread; eager torch until then.

        Also for the pipelines that `shared` and `steered` have made or will make of this one. A seed's picture then
        differs from eager's by rounding. Returns what can be waited for, the same at every call; None where there is
        nothing faster than eager: on a GPU.
        """
        return self._runner.accelerate(rows=1 if self.config.guidance in (0, 1) else 2)

    @property
    def accelerated(self) -> bool:
        """Whether `accelerate` was called, on this pipeline or another on its network."""
        return self._runner.accelerated

    def shared(
        self,
        before: Callable[[], None] | None = None,
        rows: int | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> "Pipeline":
        """A pipeline on the same network whose runs in several threads share forwards, see `ddpm.batching.Batcher`.

        So a short run never waits for a long one to end. before: called in a run's own thread before each forward;
        what it raises ends that run. rows: the most rows of one forward, of which a guided picture takes two;
        by default 8 on a CPU, which gains little from more, and 64 on a GPU. elsewhere: asked before each run whether
        another place computes it; None means that it does not.
        """
        other = copy.copy(self)
        other._elsewhere = elsewhere
        other._runner = self._runner.shared(before, rows)
        return other

    def steered(self, steering: Steering) -> "Pipeline":
        """A pipeline on the same network whose predicted clean images are changed at every step.

        Such as by `ddpm.evaluator_guidance.EvaluatorGuidance` or `ddpm.editing.Kept`.
        """
        other = copy.copy(self)
        other._steering = steering
        return other

    def ask(self, x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """Run the network in the way that is fastest now; arguments and result as `ddpm.denoiser.Network` has them."""
        return self._runner.ask(x, time, labels)

    @property
    def recipe_name(self) -> str | None:
        """What a recipe (`ddpm.recipe`) calls this model: None for the default. No page knows a steered one."""
        name = None if self.config.name == "default" else self.config.name
        return name if self._steering is None else f"{self.config.name}, steered"

    def settings(self, sampler: str | None = None, steps: int | None = None, guidance: float | None = None) -> Settings:
        """Return the settings that these arguments mean, with the model's own for None. Raises ValueError."""
        own = self.config
        return checked(
            own.sampler if sampler is None else sampler,
            own.steps if steps is None else steps,
            own.guidance if guidance is None else guidance,
            most_steps=own.schedule.steps,
        )

    def generate(
        self,
        scenes: Sequence[Sequence[str]],
        seed: int = 0,
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """Draw one image a scene: float32 (N, 3, 64, 64) on the CPU, in [-1, 1].

        scenes: N >= 1 lists of different labels, each of at most 5; an empty list means an empty scene.
        seed: 0..2**63 - 1; image i depends on its own scene and on seed + i alone, whatever the batch and the device.
        sampler, steps, guidance: see `Settings`; None takes the model's own.
        Raises LabelError, or ValueError for the other arguments.
        """
        conditions, settings = self._check(scenes, seed, sampler, steps, guidance)
        images = []
        for start in range(0, len(conditions), BATCH):
            for step in self._steps(conditions[start : start + BATCH], int(seed) + start, settings):
                last = step.x0
            images.append(last.cpu())
        return torch.cat(images)

    def stream(
        self,
        scenes: Sequence[Sequence[str]],
        seed: int = 0,
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Iterator[Step]:
        """Return a generator of denoising Steps (on the CPU); the last one's x0 is what `generate` returns.

        Arguments and errors are those of `generate`; errors are raised here, before the first step.
        """
        conditions, settings = self._check(scenes, seed, sampler, steps, guidance)
        run = self._steps(conditions, seed, settings)
        return (_on_cpu(step) for step in run)

    def trajectory(
        self,
        scenes: Sequence[Sequence[str]],
        seed: int = 0,
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> "Trajectory":
        """Draw like `generate`, and return the whole run: every step's x and x0, with films, plots and arrays of them.

        It takes 98,304 bytes for each step of each picture.
        """
        from ddpm.trajectory import Trajectory

        run = self.stream(scenes, seed, sampler, steps, guidance)
        return Trajectory.collect(run, scenes, int(seed), self.settings(sampler, steps, guidance), self.recipe_name)

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Return the noise that `stream` starts from for each seed: float32 (N, 3, 64, 64), on the CPU."""
        return noise.start(seeds)

    def denoise(
        self, x: Tensor, conditions: Tensor, settings: Settings, seed: int = 0, start: int | None = None
    ) -> Iterator[Step]:
        """Return a generator of denoising Steps (on the CPU) from noisy images of the caller's own.

        x: float32 (N, 3, 64, 64), as noisy as timestep `start` asks for, T by default.
        conditions: (N, 24); values between 0 and 1 lie between absent and present.
        settings: its steps lead all the way from T; a lower start takes its share of them, at least one.
        seed: noise that a sampler adds on the way comes from seed + i for image i, as in `generate`.
        Raises ValueError for shapes that do not fit and for a start outside 1..T.
        """
        if x.shape[1:] != IMAGE_SHAPE or conditions.shape != (len(x), labels.NUM_LABELS):
            wanted = f"(N, 3, 64, 64) and (N, {labels.NUM_LABELS})"
            raise ValueError(f"x and conditions must be {wanted}, not {tuple(x.shape)} and {tuple(conditions.shape)}")
        whole = self.config.schedule.steps
        start = whole if start is None else start
        steps = max(1, round(settings.steps * start / whole))
        run = self.sample(x, conditions, replace(settings, steps=steps), range(int(seed), int(seed) + len(x)), start)
        return (_on_cpu(step) for step in run)

    def _check(
        self,
        scenes: Sequence[Sequence[str]],
        seed: int,
        sampler: str | None,
        steps: int | None,
        guidance: float | None,
    ) -> tuple[Tensor, Settings]:
        conditions = labels.encode(scenes)
        if len(conditions) == 0:
            raise ValueError('no scenes: give at least one, such as [["red cube"]]; an empty scene is [[]]')
        check_seed(seed)
        return conditions, self.settings(sampler, steps, guidance)

    def _steps(self, conditions: Tensor, seed: int, settings: Settings) -> Iterator[Step]:
        """Denoise conditions (N, 24) on the device; all noise of image i is that of seed + i."""
        seeds = range(int(seed), int(seed) + len(conditions))
        return self.sample(noise.start(seeds), conditions, settings, seeds)

    def sample(
        self, x: Tensor, conditions: Tensor, settings: Settings, seeds: Sequence[int], start: int | None = None
    ) -> Iterator[Step]:
        """What `generate`, `stream` and `denoise` come to: Steps on the pipeline's device, all arguments being checked.

        x, conditions, start: see `denoise`. settings: as many steps as are taken. seeds: of the noise on the way.
        """
        here = partial(self._sample_here, x, conditions, settings, seeds, start)
        if self._elsewhere is None or self._steering:  # of which another place knows nothing
            return here()
        begun = self._elsewhere(x, conditions, settings, seeds, start)
        return here() if begun is None else continued(begun, here)

    def _sample_here(
        self, x: Tensor, conditions: Tensor, settings: Settings, seeds: Sequence[int], start: int | None
    ) -> Iterator[Step]:
        schedule = self.config.schedule
        network = self._runner.for_one_run()
        prediction, steering = self.config.prediction, self._steering
        denoiser = Denoiser(network, schedule, prediction, settings.guidance, dtype=self.dtype, steering=steering)
        x, conditions = x.to(self.device), conditions.to(self.device)
        path = noise.Brownian(seeds, schedule, self.device)
        return sample(denoiser, x, conditions, settings.sampler, settings.steps, noise=path, start=start)


def _on_cpu(step: Step) -> Step:
    pull = None if step.pull is None else step.pull.cpu()
    return replace(step, x=step.x.cpu(), x0=step.x0.cpu(), eps=step.eps.cpu(), pull=pull)
