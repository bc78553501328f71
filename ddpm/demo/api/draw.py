"""What the tab Draw does, by program."""

import threading
from dataclasses import asdict
from typing import Any, Literal

import gradio as gr
import torch
from gradio.utils import is_in_or_equal
from gradio_client.utils import is_file_obj_with_meta

from ddpm.anatomy import take_apart
from ddpm.demo.api.reports import Apart, Emergence, Heat, Report, Sight, heat, report
from ddpm.demo.checks import Check, check_seed, one_of, requested, whole, yes_or_no
from ddpm.demo.draw.studio import Studio, pictures_of
from ddpm.demo.share.files import FORMATS, File, Format, picture_file, run_file
from ddpm.evaluator import predicted_labels
from ddpm.export import enlarge
from ddpm.influence import influence
from ddpm.labels import LABELS, check
from ddpm.pictures import read_picture
from ddpm.recipe import png_info
from ddpm.trajectory import to_picture

Sampler = Literal["ddpm", "ddim", "dpm++", "sde-dpm++"]


class Drawing:
    """Endpoints; their docstrings are what programs, and the people who write them, get to read.

    checks: a check for each parameter's name, for before a call waits for the model. endpoints: the functions.
    """

    def __init__(self, studio: Studio, owner: gr.File) -> None:
        """owner: the component that the files belong to."""
        self.studio = studio
        self.owner = owner
        settings = studio.pipeline.settings
        self.checks: dict[str, Check] = {
            "labels": requested,
            "seed": check_seed,
            "sampler": lambda name: settings(sampler=name),
            "steps": lambda number: settings(steps=number),
            "guidance": lambda number: settings(guidance=number),
            "model": studio.models.other,
            "format": one_of("format", FORMATS),
            "captions": yes_or_no("captions"),
            "index": whole("index", 1, studio.pipeline.config.schedule.steps),
            "picture": self._check_upload,
        }
        self.endpoints = (self.generate, self.trajectory, self.emergence, self.apart, self.where, self.evaluate)

    def generate(
        self,
        labels: list[str],
        seed: int = 0,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        model: str | None = None,
    ) -> tuple[File, Report]:
        """Draw a 64x64 picture of a scene of colored objects with a diffusion model, and let an evaluator judge it.

        An object is a color (gray, red, blue, green, brown, purple, cyan, yellow) and a shape (cube, sphere, cylinder).

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: A whole number from 0 up; the same seed and settings give the same picture.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
            model: The name of a bundled model; the page's if left out.
        Returns:
            The picture, a PNG file.
            A report: labels found, missing, unrequested and repeated (there more than once) with the evaluator's
            probabilities, and the settings used.
        """
        scene, settings = check(labels), self.studio.models.get(model).settings(sampler, steps, guidance)
        x0 = self.studio.trajectory(scene, seed, settings, model).x0[-1]
        about = scene, seed, settings, self.studio.models.other(model)
        picture = picture_file(self.owner, to_picture(x0[0]), info=png_info(*about))
        return picture, report(*about, self.studio.look(x0)[0])

    def trajectory(
        self,
        labels: list[str],
        seed: int = 0,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        format: Format = "strip",
        model: str | None = None,
        captions: bool = False,
    ) -> File:
        """Draw a scene and return how it came out of noise, as a film strip, a film or data.

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: A whole number from 0 up; the same seed and settings give the same picture.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
            format: png (the picture), large (1024x768), strip (PNG of ten moments), gif, slides (a slower one
                with captions), mp4, or npz (every step, for numpy.load).
            model: The name of a bundled model; the page's if left out.
            captions: Whether labels, step and settings stand below it: in large, strip, gif and mp4.
        Returns:
            The file.
        """
        settings = self.studio.models.get(model).settings(sampler, steps, guidance)
        return run_file(self.owner, self.studio.trajectory(labels, seed, settings, model), format, captions)

    def emergence(
        self,
        labels: list[str],
        seed: int = 0,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        model: str | None = None,
    ) -> Emergence:
        """Draw a scene and tell when its objects emerge: the evaluator's probability of each object at every step.

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: A whole number from 0 up; the same seed and settings give the same picture.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
            model: The name of a bundled model; the page's if left out.
        Returns:
            Lists with one entry a step, from noise to picture: timesteps, log_snr, and probabilities for all 24 labels.
        """
        settings = self.studio.models.get(model).settings(sampler, steps, guidance)
        run = self.studio.trajectory(labels, seed, settings, model)
        chances = run.emergence(self.studio.evaluator)[:, 0].T.tolist()  # (24, S)
        schedule = self.studio.models.get(model).config.schedule
        return Emergence(
            timesteps=list(run.timesteps),
            log_snr=[round(schedule.log_snr(t).item(), 4) for t in run.timesteps],
            probabilities={label: [round(p, 4) for p in row] for label, row in zip(LABELS, chances, strict=True)},
        )

    def apart(
        self,
        labels: list[str],
        seed: int = 0,
        index: int = 1,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        model: str | None = None,
    ) -> tuple[File, dict[str, File], Apart]:
        """Draw a scene and take one step of it apart: what guidance makes of two predictions, and what comes next.

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: A whole number from 0 up; the same seed and settings give the same picture.
            index: Which step, from 1 (of pure noise) to the number of steps.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
            model: The name of a bundled model; the page's if left out.
        Returns:
            A PNG file: the pictures of the next output beside each other, in the same order.
            By name, a PNG file each: x, the noisy image; uncond and cond, the clean ones predicted without and with the
            labels; difference, the second less the first, gray for none; x0, what guidance makes of them; before, the
            x0 of the step before, and fresh, the new noise from -3 to 3, if they have a part in it; next, the next x.
            The timesteps t and s, the guidance, and how much of x, x0, before and noise the next x is the sum of.
        """
        pipeline = self.studio.models.get(model)
        settings = pipeline.settings(sampler, steps, guidance)
        whole("index", 1, settings.steps)(index)
        step = take_apart(pipeline, self.studio.trajectory(labels, seed, settings, model), index)
        pictures = {name: picture for name, picture in pictures_of(step).items() if picture is not None}
        sheet = enlarge(to_picture(torch.cat([*pictures.values()], dim=-1)))
        files = {name: picture_file(self.owner, to_picture(x), f"{name}.png") for name, x in pictures.items()}
        about = Apart(
            t=step.t, s=step.s, guidance=settings.guidance, mix=None if step.mix is None else asdict(step.mix)
        )
        return picture_file(self.owner, sheet), files, about

    def where(
        self,
        labels: list[str],
        seed: int = 0,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        model: str | None = None,
    ) -> tuple[File, dict[str, File], dict[str, Heat]]:
        """Draw a scene and show where each label acts in it: what changes when the model is not asked for that object.

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: A whole number from 0 up; the same seed and settings give the same picture.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
            model: The name of a bundled model; the page's if left out.
        Returns:
            A PNG file: the picture, and beside it the heat map of each label, in the order of the next output.
            For each label its heat map alone, a gray 64x64 PNG file; white is 1, the strongest of all labels.
            For each label its strongest pixel, as peak [column, row] from the top left, and its largest and mean value.
        """
        settings = self.studio.models.get(model).settings(sampler, steps, guidance)
        run = self.studio.trajectory(labels, seed, settings, model)
        maps = influence(self.studio.models.get(model), run)
        grays = {label: (2 * values - 1).expand(3, -1, -1) for label, values in maps.items()}
        sheet = enlarge(to_picture(torch.cat([run.x0[-1, 0], *grays.values()], dim=-1)))
        files = {
            label: picture_file(self.owner, to_picture(gray).convert("L"), f"{label.replace(' ', '-')}.png")
            for label, gray in grays.items()
        }
        return picture_file(self.owner, sheet), files, {label: heat(values) for label, values in maps.items()}

    def evaluate(self, picture: File) -> Sight:
        """Name the colored objects in a picture, as the evaluator sees them; best is a 64x64 picture from this model.

        Parameters:
            picture: A picture file, uploaded or drawn here; anything but 64x64 is squeezed to that.
        Returns:
            The labels seen (probability 0.5 and more, the surest first), and the probabilities of all 24 labels.
        """
        self._check_upload(picture)  # also where no validator has stood before
        p = self.studio.evaluator(_read(picture))
        return Sight(
            labels=predicted_labels(p)[0],
            probabilities={label: round(chance, 4) for label, chance in zip(LABELS, p[0].tolist(), strict=True)},
        )

    def _check_upload(self, picture: Any) -> None:
        """Accept only what was uploaded: Gradio has checked that for files with its mark, which others lack."""
        if not is_file_obj_with_meta(picture) or not is_in_or_equal(picture["path"], self.owner.GRADIO_CACHE):
            raise ValueError("the picture must be an uploaded file")
        _read(picture)


_READING = threading.Lock()
"""One at a time: a picture of ten megabytes on disk may take a hundred in memory."""


def _read(picture: Any) -> torch.Tensor:
    with _READING:
        return read_picture(picture["path"], name=picture.get("orig_name") or "the picture")
