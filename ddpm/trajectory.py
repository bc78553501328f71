"""What a run leaves behind: every step of the denoising, as pictures and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ddpm.export import FRAME_MS, SLIDE_MS, File, captioned, enlarge, write_file, write_gif, write_mp4
from ddpm.labels import LABELS, encode
from ddpm.recipe import png_info
from ddpm.samplers import Step
from ddpm.schedule import NoiseSchedule
from ddpm.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILM_FRAMES = 100  # longer runs are thinned to about so many


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of S steps over N images.

    scenes: N lists of labels. seed: image i was drawn with seed + i. settings: how it was sampled.
    timesteps: S of 1..T, descending.
    x: the noisy images that the network saw, x0: the clean ones it predicted, float32 (S, N, 3, 64, 64) each; x0[-1] is
    the result. model: the name of the bundled model that drew it, None for the page's own, see `ddpm.recipe`.
    """

    scenes: Sequence[Sequence[str]]
    seed: int
    settings: Settings
    timesteps: tuple[int, ...]
    x: Tensor
    x0: Tensor
    model: str | None = None

    @classmethod
    def collect(
        cls,
        steps: Iterable[Step],
        scenes: Sequence[Sequence[str]],
        seed: int,
        settings: Settings,
        model: str | None = None,
    ) -> Trajectory:
        """Run a stream (or the part of it that `steps` gives) to its end and keep it all, on the CPU.

        scenes, seed, settings, model: those that the stream was made with. Raises ValueError for one without steps.
        """
        timesteps: list[int] = []
        for step in steps:
            if not timesteps:  # of the size of the whole run at once: a list and its stack would take twice the room
                x, x0 = (torch.empty(step.total, *step.x.shape) for _ in range(2))
            x[len(timesteps)], x0[len(timesteps)] = step.x, step.x0
            timesteps.append(step.t)
        if not timesteps:
            raise ValueError("a trajectory needs at least one step")
        if len(timesteps) < len(x):  # let the rest of the room go
            x, x0 = x[: len(timesteps)].clone(), x0[: len(timesteps)].clone()
        return cls(scenes, seed, settings, tuple(timesteps), x, x0, model)

    def until(self, count: int) -> Trajectory:
        """Return the first `count` steps, 1 to S."""
        if count == len(self.timesteps):
            return self
        return replace(self, timesteps=self.timesteps[:count], x=self.x[:count], x0=self.x0[:count])

    def emergence(self, evaluator: Callable[[Tensor], Tensor]) -> Tensor:
        """Judge the predicted clean images of every step: probabilities (S, N, 24). evaluator: an `Evaluator`."""
        return evaluator(self.x0.flatten(0, 1)).unflatten(0, self.x0.shape[:2])

    def frames(self, image: int = 0) -> list[Image.Image]:
        """Return S pictures (512x192) of one image: noisy on the left, predicted clean on the right."""
        return [enlarge(self._pair(i, image)) for i in range(len(self.timesteps))]

    def film_strip(self, image: int = 0, columns: int = 10) -> Image.Image:
        """Return at most `columns` steps in one picture, from the first to the last: noisy above, predicted below."""
        chosen = spread(len(self.timesteps), columns)
        rows = [torch.cat(list(images[chosen, image]), dim=-1) for images in (self.x, self.x0)]  # (3, 64, C 64) each
        return enlarge(to_picture(torch.cat(rows, dim=-2)))

    def save_png(self, file: File, image: int = 0) -> None:
        """Write the result of one image as PNG, 64x64. Files that are paths are written whole or not at all.

        The file carries what it follows from, see `ddpm.recipe`; so do the large picture and the film strip.
        """
        info = self._png_info(image)
        write_file(file, lambda path: to_picture(self.x0[-1, image]).save(path, "PNG", pnginfo=info))

    def save_large_png(self, file: File, image: int = 0, captions: bool = False) -> None:
        """Write the result of one image as PNG for slides, 1024x768, each of its pixels as a block.

        captions: whether its labels, step and settings stand below, here and in the other files; see `captioned`.
        """
        self._save_png(enlarge(to_picture(self.x0[-1, image]), 16), file, image, captions)

    def save_strip(self, file: File, image: int = 0, columns: int = 10, captions: bool = False) -> None:
        """Write the film strip of one image as PNG."""
        self._save_png(self.film_strip(image, columns), file, image, captions)

    def save_gif(self, file: File, image: int = 0, captions: bool = False, frame_ms: int = FRAME_MS) -> None:
        """Write the frames of one image as a GIF that rests on the result and repeats; each is shown for `frame_ms`."""
        write_gif(self._film(image), file, captions=self._captions(image) if captions else None, frame_ms=frame_ms)

    def save_slides(self, file: File, image: int = 0) -> None:
        """Write the GIF for slides: slower, with captions."""
        self.save_gif(file, image, captions=True, frame_ms=SLIDE_MS)

    def save_mp4(self, file: File, image: int = 0, captions: bool = False) -> None:
        """Write the frames of one image as a film that rests on the result: H.264, which every browser plays."""
        write_mp4(self._film(image), file, captions=self._captions(image) if captions else None)

    def save_npz(self, file: File) -> None:
        """Write everything as a NumPy archive, which `numpy.load` reads without pickle and without this project.

        x, x0: float32 (S, N, 3, 64, 64). timesteps: int64 (S,). labels: uint8 (N, 24), multi-hot.
        label_names: str (24,). seeds: uint64 (N,). sampler: str, steps: int, guidance: float, and model: str, empty for
        the page's own, of no dimension.
        """
        write_file(file, self._write_arrays)

    def plot(self, image: int = 0, columns: int = 8) -> Figure:
        """Return a figure of at most `columns` steps, noisy above and predicted clean below, with their timesteps."""
        from matplotlib.figure import Figure

        chosen = spread(len(self.timesteps), columns)
        figure = Figure(figsize=(1.4 * len(chosen), 2.7), layout="constrained")
        axes = figure.subplots(2, len(chosen), squeeze=False)
        for column, i in enumerate(chosen):
            axes[0, column].set_title(f"t = {self.timesteps[i]}", fontsize=9)
            for axis, images in zip(axes[:, column], (self.x, self.x0), strict=True):
                axis.imshow(to_uint8(images[i, image]), interpolation="nearest", aspect=3 / 4)
                axis.set(xticks=[], yticks=[])
        axes[0, 0].set_ylabel("noisy $x_t$")
        axes[1, 0].set_ylabel("predicted $x_0$")
        figure.suptitle(", ".join(self.scenes[image]) or "empty scene", fontsize=10)
        return figure

    def plot_emergence(self, chances: Tensor, schedule: NoiseSchedule, image: int = 0) -> Figure:
        """Return a figure of when the objects of one image emerge, above the log SNR of the schedule it ran on.

        chances: (S, N, 24), from `emergence`. See `ddpm.plots.emergence`.
        """
        from ddpm import plots

        return plots.emergence(self.timesteps, chances[:, image], self.scenes[image], schedule)

    def _save_png(self, picture: Image.Image, file: File, image: int, captions: bool) -> None:
        if captions:
            picture = captioned(picture, self._captions(image)[-1])
        info = self._png_info(image)
        write_file(file, lambda path: picture.save(path, "PNG", pnginfo=info))

    def _captions(self, image: int) -> list[str]:
        """Two lines for each frame of the film: the labels, and the step and the settings."""
        scene, total = ", ".join(self.scenes[image]) or "empty scene", self.settings.steps
        how = f"{self.settings.sampler}, guidance {self.settings.guidance:g}, seed {self.seed + image}"
        by = f"{self.model}, {how}" if self.model else how
        chosen = spread(len(self.timesteps), FILM_FRAMES)
        return [f"{scene}\nstep {i + 1} of {total}, timestep {self.timesteps[i]}; {by}" for i in chosen]

    def _png_info(self, image: int) -> PngInfo:
        taken = len(self.timesteps)
        until = taken if taken < self.settings.steps else None
        return png_info(self.scenes[image], self.seed + image, self.settings, self.model, until)

    def _film(self, image: int) -> list[Image.Image]:
        return [self._pair(i, image) for i in spread(len(self.timesteps), FILM_FRAMES)]

    def _write_arrays(self, path: Path) -> None:
        with path.open("wb") as file:  # given a path, NumPy would add a suffix
            np.savez(
                file,
                x=self.x.numpy(),
                x0=self.x0.numpy(),
                timesteps=np.array(self.timesteps, dtype=np.int64),
                labels=encode(self.scenes).numpy().astype(np.uint8),
                label_names=np.array(LABELS),
                seeds=np.uint64(self.seed) + np.arange(len(self.scenes), dtype=np.uint64),
                sampler=np.array(self.settings.sampler),
                steps=np.array(self.settings.steps),
                guidance=np.array(self.settings.guidance),
                model=np.array(self.model or ""),
            )

    def _pair(self, step: int, image: int) -> Image.Image:
        return to_picture(torch.cat([self.x[step, image], self.x0[step, image]], dim=-1))  # (3, 64, 128)


def to_uint8(images: Tensor) -> np.ndarray:
    """Turn images (..., 3, H, W) in [-1, 1], clipped to it, into uint8 (..., H, W, 3)."""
    scaled = (images.detach().float().clamp(-1, 1) + 1) * 127.5
    return scaled.round().to(torch.uint8).movedim(-3, -1).cpu().numpy()


def to_picture(image: Tensor) -> Image.Image:
    """Turn one image (3, H, W) in [-1, 1] into a picture, pixel for pixel."""
    return Image.fromarray(to_uint8(image))


def spread(length: int, most: int) -> list[int]:
    """Return at most `most` indices of 0..length - 1, evenly spread, with the first and the last."""
    count = min(length, most)
    if count == 1:
        return [length - 1]
    return [round(i * (length - 1) / (count - 1)) for i in range(count)]
