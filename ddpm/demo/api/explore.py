"""What the tabs Compare and Explore do, by program: more endpoints beside those of draw.py."""

from collections import deque
from collections.abc import Iterator
from typing import TypedDict, TypeVar

import gradio as gr
import torch
from torch import Tensor

from ddpm.demo import experiments
from ddpm.demo.api.draw import Sampler
from ddpm.demo.api.reports import Report, Verdict, report, rounded
from ddpm.demo.checks import Check, whole
from ddpm.demo.draw.studio import Studio
from ddpm.demo.experiments import MAX_GALLERY, MAX_STOPS, MIN_STOPS, Side, walking
from ddpm.demo.hosting.limits import Wait
from ddpm.demo.share.files import File, picture_file
from ddpm.demo.verdicts import verdict
from ddpm.editing import check_edits
from ddpm.export import enlarge
from ddpm.labels import check
from ddpm.trajectory import to_picture

T = TypeVar("T")


class Redrawing(TypedDict):
    """What the evaluator says of a picture before and after it was drawn again, and the timestep it went back to."""

    start: int
    before: Verdict
    after: Verdict


class Editing(TypedDict):
    """What the evaluator says of a picture before and after an edit, each by what was then asked for."""

    before: Verdict
    after: Verdict


class Experiments:
    """Endpoints beside those of `draw.Drawing`, and like them.

    checks: those of `Drawing`, to which a few are added.
    """

    def __init__(self, studio: Studio, owner: gr.File, checks: dict[str, Check]) -> None:
        self.studio = studio
        self.models = studio.models
        self.owner = owner
        self.checks = {
            **checks,
            **{f"{side}_{name}": checks[name] for side in "ab" for name in ("sampler", "steps", "guidance")},
            **{f"{side}_model": studio.models.other for side in "ab"},
            **{f"{end}_labels": checks["labels"] for end in ("to", "new")},
            **{f"{end}_seed": checks["seed"] for end in ("to", "noise")},
            **{f"b_{name}": _if_given(checks[name]) for name in ("labels", "seed")},
            "count": whole("count", 1, MAX_GALLERY),
            "stops": whole("stops", MIN_STOPS, MAX_STOPS),
            "percent": whole("percent", 1, 100),
        }
        self.endpoints = (self.compare, self.gallery, self.walk, self.redraw, self.edit)

    def compare(
        self,
        labels: list[str],
        seed: int = 0,
        a_sampler: Sampler | None = None,
        a_steps: int | None = None,
        a_guidance: float | None = None,
        a_model: str | None = None,
        b_sampler: Sampler | None = None,
        b_steps: int | None = None,
        b_guidance: float | None = None,
        b_model: str | None = None,
        b_labels: list[str] | None = None,
        b_seed: int | None = None,
    ) -> tuple[File, File, Report, Report]:
        """Draw two pictures under two settings, A and B, of the same objects from the same noise unless B has its own.

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: A whole number from 0 up.
            a_sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            a_steps: The number of denoising steps, 1 to 1000.
            a_guidance: How strongly the labels count, from 0 (not at all) to 20.
            a_model: The name of a bundled model; the page's if left out.
            b_sampler: The same for B.
            b_steps: The same for B.
            b_guidance: The same for B.
            b_model: The same for B.
            b_labels: Other objects for B.
            b_seed: Another seed for B.
        Returns:
            The picture of A, a PNG file.
            The picture of B, a PNG file.
            The report on A: labels found, missing and unrequested with probabilities, and the settings used.
            The report on B.
        """
        scene, b_scene = check(labels), check(labels if b_labels is None else b_labels)
        other_seed = seed if b_seed is None else b_seed
        sides = (
            Side(scene, seed, self.models.get(a_model).settings(a_sampler, a_steps, a_guidance), a_model),
            Side(b_scene, other_seed, self.models.get(b_model).settings(b_sampler, b_steps, b_guidance), b_model),
        )
        last: dict[int, Tensor] = {}
        for progress in experiments.compare_runs(self.models, sides, self.studio.room):
            if isinstance(progress, experiments.Progress):
                last[progress.side] = progress.step.x0
        a, b = (picture_file(self.owner, to_picture(last[side][0]), f"{'ab'[side]}.png") for side in range(2))
        reports = [
            report(check(side.labels), side.seed, side.settings, self.models.other(side.model), p)
            for side, p in zip(sides, self.studio.look(torch.cat([last[0], last[1]])), strict=True)
        ]
        return a, b, reports[0], reports[1]

    def gallery(
        self,
        labels: list[str],
        seed: int = 0,
        count: int = 4,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        model: str | None = None,
    ) -> tuple[File, list[File], list[Report]]:
        """Draw the same objects several times, with seeds in a row, and let the evaluator judge each picture.

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: The seed of the first picture, a whole number from 0 up; the next picture has the next seed.
            count: How many pictures, 1 to 16.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
            model: The name of a bundled model; the page's if left out.
        Returns:
            All pictures in one, a PNG file with up to four in a row.
            Each picture, a 64x64 PNG file.
            For each picture a report: labels found, missing and unrequested with probabilities, seed and settings.
        """
        scene, settings = check(labels), self.studio.models.get(model).settings(sampler, steps, guidance)
        x0 = _last(experiments.gallery(self.studio, scene, seed, count, settings, model)).images
        chances = self.studio.look(x0)
        reports = [report(scene, seed + i, settings, self.studio.models.other(model), p) for i, p in enumerate(chances)]
        return self._sheet(x0, 4), self._pictures(x0), reports

    def walk(
        self,
        labels: list[str],
        to_labels: list[str],
        seed: int = 0,
        to_seed: int = 0,
        stops: int = 8,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        model: str | None = None,
    ) -> tuple[File, list[File], list[Verdict]]:
        """Walk from one scene and seed to another: the noise turns, and labels are exchanged one at a time.

        Parameters:
            labels: 1 to 5 different objects of the first picture, such as ["red cube"].
            to_labels: Those of the last picture, such as ["blue cube"]; they may be the same.
            seed: The seed of the first picture, a whole number from 0 up.
            to_seed: The seed of the last picture; it may be the same.
            stops: How many pictures, both ends included, 5 to 16.
            sampler: ddim or dpm++ (also in place of the random ones); the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
            model: The name of a bundled model; the page's if left out.
        Returns:
            All pictures in a row, a PNG file.
            Each picture, a 64x64 PNG file.
            For each picture the labels found, missing and unrequested, of those that it was asked for.
        """
        settings = walking(self.studio.models.get(model).settings(sampler, steps, guidance))
        ends = (check(labels), seed), (check(to_labels), to_seed)
        last = _last(experiments.walk_pictures(self.studio, *ends, stops, settings, model))
        return self._sheet(last.images, stops), self._pictures(last.images), [rounded(v) for v in last.verdicts]

    def redraw(
        self,
        labels: list[str],
        new_labels: list[str],
        seed: int = 0,
        percent: int = 60,
        noise_seed: int = 0,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> tuple[File, File, Redrawing]:
        """Draw a scene, add noise to the picture, and denoise it again with other labels: recolor an object, say.

        Parameters:
            labels: 1 to 5 different objects of the first picture, such as ["red cube"].
            new_labels: The objects to draw over it, such as ["blue cube"]; the same ones give a variation.
            seed: The seed of the first picture, a whole number from 0 up.
            percent: How far back to go, 1 to 100 percent of the way to pure noise; less keeps more of the picture.
            noise_seed: The seed of the noise that is added.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000, of which the way back takes its share.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
        Returns:
            The picture before, a PNG file.
            The picture after, a PNG file.
            The timestep that the noise reached, and what the evaluator saw before (asked for labels) and after
            (asked for new_labels).
        """
        settings = self.studio.pipeline.settings(sampler, steps, guidance)
        old, new = check(labels), check(new_labels)
        start, *pictures = experiments.redraw_picture(self.studio, old, seed, settings, percent, new, noise_seed)
        before, after = (
            picture_file(self.owner, to_picture(x0[0]), name)
            for x0, name in zip(pictures, ("before.png", "after.png"), strict=True)
        )
        seen = [verdict(scene, self.studio.look(x0)[0]) for x0, scene in zip(pictures, (old, new), strict=True)]
        return before, after, Redrawing(start=start, before=rounded(seen[0]), after=rounded(seen[1]))

    def edit(
        self,
        labels: list[str],
        new_labels: list[str],
        seed: int = 0,
        noise_seed: int = 0,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> tuple[File, File, File, Editing]:
        """Draw a scene and change one thing in it: another color or shape, an object less or more; the rest stays.

        Parameters:
            labels: 1 to 5 different objects of the scene, such as ["red cube", "cyan sphere"].
            new_labels: The objects after the edit, such as ["blue cube", "cyan sphere"].
            seed: The seed of the scene, a whole number from 0 up.
            noise_seed: The seed of the noise in the place that changes.
            sampler: ddpm, ddim, dpm++ or sde-dpm++; the model's own if left out, here and below.
            steps: The number of denoising steps, 1 to 1000, of which the edit takes about half.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
        Returns:
            The picture before, a 64x64 PNG file.
            The picture after.
            The place that was allowed to change, white on black; outside it both pictures are the same.
            What the evaluator saw before (asked for labels) and after (asked for new_labels).
        """
        settings = self.studio.pipeline.settings(sampler, steps, guidance)
        old, new = check(labels), check(new_labels)
        check_edits([old], [new])
        before = self.studio.trajectory(old, seed, settings).x0[-1]  # (1, 3, 64, 64)
        last = _last(experiments.edit_picture(self.studio, before[0], old, new, noise_seed, settings))
        assert last.verdict is not None
        pictures = {"before": before[0], "after": last.step.x0[0], "place": 2 * last.place.expand(3, -1, -1) - 1}
        files = [picture_file(self.owner, to_picture(x), f"{name}.png") for name, x in pictures.items()]
        verdicts = verdict(old, self.studio.look(before)[0]), last.verdict
        return files[0], files[1], files[2], Editing(before=rounded(verdicts[0]), after=rounded(verdicts[1]))

    def _pictures(self, x0: Tensor) -> list[File]:
        return [picture_file(self.owner, to_picture(image), f"{i}.png") for i, image in enumerate(x0)]

    def _sheet(self, x0: Tensor, columns: int) -> File:
        """Put images (N, 3, 64, 64) into rows of at most `columns`, in one picture, twice as large."""
        columns = min(columns, len(x0))
        white = torch.ones(-len(x0) % columns, *x0.shape[1:])
        rows = torch.cat([x0, white]).unflatten(0, (-1, columns))  # (R, C, 3, 64, 64)
        return picture_file(self.owner, enlarge(to_picture(rows.permute(2, 0, 3, 1, 4).flatten(3).flatten(1, 2))))


def _last(items: Iterator[T | Wait]) -> T:
    return deque((item for item in items if not isinstance(item, Wait)), maxlen=1).pop()


def _if_given(check_value: Check) -> Check:
    return lambda value: value is None or check_value(value)
