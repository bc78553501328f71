"""What the page's handlers send to the browser, and what they remember."""

import base64
import itertools
import time

import numpy as np
import pytest
import torch
from conftest import SEEN, STEPS, ConstantJudge
from torch import Tensor

from ddpm import Pipeline
from ddpm.demo import frames
from ddpm.demo.draw import remembered
from ddpm.demo.draw import studio as handlers
from ddpm.demo.draw.studio import Studio
from ddpm.demo.experiments import gallery
from ddpm.samplers import Step
from ddpm.schedule import NoiseSchedule

SCENE = ["red cube", "cyan sphere"]


def step(index: int, total: int, value: float = 0.0, pull: float | None = None) -> Step:
    def image(filling: float) -> Tensor:
        return torch.full((2, 3, 64, 64), filling)

    pulled = None if pull is None else image(pull)
    return Step(index, total, 1 + total - index, image(value), image(-value), image(3 * value), pulled)


def decode(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


def test_a_chunk_holds_bytes_and_figures() -> None:
    schedule = NoiseSchedule()
    chunk = frames.chunk([step(1, 2, 0.5, pull=-0.25), step(2, 2, 2.0, pull=3.0)], schedule)
    assert (chunk["index"], chunk["t"]) == ([1, 2], [2, 1])
    assert chunk["noise"] == pytest.approx((1 - schedule.alpha_bar[[2, 1]]).tolist())
    assert chunk["logSnr"] == pytest.approx([schedule.log_snr(2).item(), schedule.log_snr(1).item()])
    values = {key: decode(chunk[key]).reshape(2, -1) for key in ("x", "x0", "eps", "pull")}
    assert {key: value.shape[1] for key, value in values.items()} == {
        "x": 12288,
        "x0": 12288,
        "eps": 12288,
        "pull": 4096,
    }
    # 0.5 is three quarters of the way from -1 to 1, and 1.5 from -3 to 3; 2 and -2 lie outside and are clipped.
    assert {key: value[:, 0].tolist() for key, value in values.items()} == {
        "x": [191, 255],
        "x0": [64, 0],
        "eps": [191, 255],
        "pull": [128, 255],
    }


def test_channels_come_last_and_the_image_can_be_chosen() -> None:
    one = step(1, 1)
    one.x[1, 0] = 1.0  # the second image is red
    chunk = frames.chunk([one], NoiseSchedule(), image=1)
    assert decode(chunk["x"])[:6].tolist() == [255, 128, 128, 255, 128, 128]
    assert chunk["pull"] is None


@pytest.mark.parametrize(
    ("total", "count", "last"),
    [(1, 1, [1]), (25, 25, [24, 25]), (100, 100, [99, 100]), (101, 51, [99, 101]), (1000, 101, [991, 1000])],
)
def test_long_runs_are_thinned(total: int, count: int, last: list[int]) -> None:
    shown = frames.shown(total)
    assert shown[0] == 1
    assert shown[-2:] == last
    assert len(shown) == count


@pytest.mark.parametrize(("pause", "sizes"), [(0.0, [1] * 6), (1e9, [1, 5])])
def test_frames_are_sent_in_intervals(pause: float, sizes: list[int]) -> None:
    groups = list(frames.chunks((step(i, 6) for i in range(1, 7)), pause))
    assert [len(group) for group in groups] == sizes
    assert [one.index for group in groups for one in group] == [1, 2, 3, 4, 5, 6]


class Glance(ConstantJudge):
    """Sees the blue cube alone, and counts the calls."""

    calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return torch.eye(24)[10].expand(len(x), -1).clone()


def test_a_slow_evaluator_is_asked_seldom_on_the_way(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "GLANCE_PAUSE", 0.0)
    ticks = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: 0.1 * next(ticks))

    class Slow(Glance):
        def __call__(self, x: Tensor) -> Tensor:
            for _ in range(9):  # about a second, by the clock of this test
                time.monotonic()
            return super().__call__(x)

    def looks(share: float) -> int:
        monkeypatch.setattr(handlers, "GLANCE_SHARE", share)
        values = Studio(pipeline, ConstantJudge(), Slow()).run(SCENE, 3, "ddim", 90, 2.0)
        return sum(len(value["p"]) for value in values if value["state"] == "running")

    assert looks(1.0) > 4 * looks(0.1) > 0


def test_a_run_grows_and_the_evaluator_has_the_last_word(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "GLANCE_PAUSE", 0.0)
    monkeypatch.setattr(handlers, "GLANCE_SHARE", 1.0)
    ticks = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: 0.05 * next(ticks))  # so that a chunk holds two or three steps
    glance = Glance()
    studio = Studio(pipeline, ConstantJudge(), glance)
    values = list(studio.run(SCENE, 3, "ddim", 12, 2.0))
    assert [value["state"] for value in values] == ["running"] * (len(values) - 2) + ["done"] * 2
    assert {value["run"] for value in values} == {values[0]["run"]}
    assert [i for value in values for chunk in value["chunks"] for i in chunk["index"]] == list(range(1, 13))
    assert len(values[0]["p"]) == 1  # the chart is live
    assert [k for k, _ in values[-2]["p"]] == [11]  # the word on the picture comes with it
    seen = [pair for value in values for pair in value["p"]]
    assert sorted(k for k, _ in seen) == list(range(12))  # each frame once
    assert [row[10] for _, row in sorted(seen)] == pytest.approx([1.0] * 11 + [0.1])
    assert 2 < len(values) < 12
    assert glance.calls == len(values) - 1  # once for each chunk but the last, and for all the others
    assert values[-1]["frames"] == 12
    assert next(studio.run(SCENE, 3, "ddim", 12, 2.0))["run"] > values[-1]["run"]


def test_the_preview_is_a_finished_run(pipeline: Pipeline) -> None:
    value = Studio(pipeline, ConstantJudge()).example(SCENE)()
    assert value["state"] == "example"
    assert [i for chunk in value["chunks"] for i in chunk["index"]] == list(range(1, STEPS + 1))
    assert sorted(k for k, _ in value["p"]) == list(range(STEPS))


def test_a_run_is_refused_before_it_starts(pipeline: Pipeline) -> None:
    studio = Studio(pipeline, ConstantJudge())
    for arguments, message in (
        (([], 0, "ddim", 5, 2.0), "at least one object"),
        ((SCENE, -1, "ddim", 5, 2.0), "seed"),
        ((SCENE, 0, "ddim", 0, 2.0), "steps"),
    ):
        with pytest.raises(ValueError, match=message):
            next(studio.run(*arguments))


def test_finished_runs_are_remembered_within_bounds(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(pipeline, ConstantJudge())
    settings = pipeline.settings("ddim", 2, 1.0)
    list(studio.run(SCENE, 0, "ddim", 2, 1.0))
    run = studio.trajectory(SCENE[::-1], 0, settings)  # the order of labels says nothing
    assert run is studio.trajectory(SCENE, 0, settings)
    torch.testing.assert_close(run.x0[-1], pipeline.generate([SCENE], 0, "ddim", 2, 1.0))
    monkeypatch.setattr(remembered, "MEMORY", 2 * (run.x.nbytes + run.x0.nbytes))
    for seed in (1, 2):
        studio.trajectory(SCENE, seed, settings)
    again = studio.trajectory(SCENE, 0, settings)
    assert again is not run  # it had to go
    torch.testing.assert_close(again.x0, run.x0)


def test_what_is_drawn_twice_is_named(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(pipeline, ConstantJudge())
    look = studio.look
    monkeypatch.setattr(studio, "look", lambda x: look(x) * torch.tensor([1.0, 2.0])[:, None])
    first, *_, last = studio.run(SCENE, 0, "ddim", 25, 1.0)
    assert (first["twice"], last["twice"]) == ([], list(SEEN))
    settings = pipeline.settings("ddim", 2, 1.0)
    *_, (verdict,) = (pictures.verdicts for pictures in gallery(studio, SCENE, 0, 1, settings))
    assert (list(verdict["found"]), list(verdict["repeated"])) == (["red cube"], list(SEEN))


def test_a_stopped_run_is_remembered_as_far_as_it_went(pipeline: Pipeline) -> None:
    studio = Studio(pipeline, ConstantJudge())
    settings = pipeline.settings("ddim", 1000, 1.0)
    views = studio.run(SCENE, 0, "ddim", 1000, 1.0)
    next(views)
    views.close()
    (kept,) = studio.remembered._runs.values()
    taken = len(kept.timesteps)
    assert 1 <= taken < 1000
    assert kept.x.untyped_storage().nbytes() == kept.x.nbytes  # not the room of a thousand steps
    assert studio.trajectory(SCENE, 0, settings, until=taken) is kept
    part = studio.trajectory(SCENE, 0, settings, until=1)
    assert part.timesteps == (1000,)
    more = studio.trajectory(SCENE, 0, settings, until=taken + 2)  # drawn anew
    torch.testing.assert_close(more.x0[:taken], kept.x0)
    assert [*studio.remembered._runs.values()] == [more]
    for until in (0, 1001, 1.5):
        with pytest.raises(ValueError, match="until must be a whole number from 1 to 1000"):
            studio.trajectory(SCENE, 0, settings, until=until)


def test_heat_maps_are_one_gray_picture_a_label(pipeline: Pipeline) -> None:
    maps = Studio(pipeline, ConstantJudge()).where(SCENE, 0, "ddim", 2, 1.0)
    assert list(maps) == SCENE
    assert {decode(heat).size for heat in maps.values()} == {64 * 64}
    assert max(decode(heat).max() for heat in maps.values()) == 255
