"""The tab Explore: a gallery, a walk, and a picture that is put back into noise and drawn again."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SEEN, ConstantJudge, field, tick
from PIL import Image
from playwright.sync_api import Page, expect

from ddpm import Pipeline
from ddpm.demo.draw.studio import Studio
from ddpm.demo.experiments import Pictures, gallery, redraw_picture, walk_pictures, walking
from ddpm.demo.explore import REST, now_and_then
from ddpm.demo.verdicts import verdict
from ddpm.labels import LABELS, LabelError, encode
from ddpm.variations import turnover

SCENE, OTHER = ["red cube", "gray cylinder"], ["red cube", "blue sphere"]  # the judge sees the first


@pytest.fixture
def studio(pipeline: Pipeline) -> Studio:
    return Studio(pipeline, ConstantJudge())


def test_a_gallery_holds_one_picture_a_seed_and_its_verdict(studio: Studio):
    settings = studio.pipeline.settings("ddim", 2)
    *before, last = gallery(studio, SCENE, 7, 3, settings)
    assert last.seeds == (7, 8, 9)
    torch.testing.assert_close(last.images[2:], studio.pipeline.generate([SCENE], 9, "ddim", 2), atol=1e-3, rtol=0)
    assert [verdict["missing"] for verdict in last.verdicts] == [{}, {}, {}]
    assert all(pictures.verdicts == () for pictures in before)


def test_on_a_walk_each_stop_is_judged_by_what_it_was_asked_for(studio: Studio):
    settings = studio.pipeline.settings("ddim", 2)
    *_, last = walk_pictures(studio, (SCENE, 0), (OTHER, 0), 5, settings)
    assert last.images.shape == (5, 3, 64, 64)
    for scene, its in zip(turnover(SCENE, OTHER, 5), last.verdicts, strict=True):
        assert list(its["missing"]) == [label for label in LABELS if label in scene and label not in SEEN]
        assert set(its["found"]) | set(its["missing"]) == set(scene)
        assert list(its["unrequested"]) == [label for label in SEEN if label not in scene]


def test_a_verdict_has_its_labels_in_their_order() -> None:
    said = torch.stack([torch.full((24,), 0.1), torch.zeros(24)])
    assert list(verdict(("purple cube", "blue cube"), said)["missing"]) == ["blue cube", "purple cube"]


def test_a_walk_takes_a_sampler_without_chance(pipeline: Pipeline):
    assert walking(pipeline.settings("ddpm", 5)) == pipeline.settings("dpm++", 5)
    assert walking(pipeline.settings("ddim", 5)) == pipeline.settings("ddim", 5)


def test_a_redrawn_picture_begins_with_the_one_of_its_seed(studio: Studio):
    settings = studio.pipeline.settings("ddim", 4)
    start, before, after = redraw_picture(studio, SCENE, 3, settings, 50, OTHER, 1)
    assert start == 500
    torch.testing.assert_close(before, studio.pipeline.generate([SCENE], 3, "ddim", 4))
    noised = studio.pipeline.config.schedule.add_noise(before, studio.pipeline.noise([1]), 500)
    *_, last = studio.pipeline.denoise(noised, encode([OTHER]), settings, 1, 500)
    torch.testing.assert_close(after, last.x0)


def test_a_slow_run_passes_something_on_again_and_again(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def slow() -> Iterator[Pictures]:
        for index in range(1, 81):
            now[0] += 0.1
            yield Pictures(index, 80, torch.zeros(1, 3, 64, 64))

    passed = [(state.index, now[0]) for state in now_and_then(slow())]
    assert list(dict.fromkeys(index for index, _ in passed)) == [1, *range(10, 81, 10)]
    times = [time for _, time in passed]
    assert max(b - a for a, b in pairwise(times)) < REST + 0.11


def test_what_cannot_be_drawn_is_refused_at_once(studio: Studio):
    settings = studio.pipeline.settings("ddim", 2)
    with pytest.raises(ValueError, match="pictures must be a whole number from 1 to 16, not 17"):
        gallery(studio, SCENE, 0, 17, settings)
    for seed in (2**53 - 3, -1, "x", 1.5):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            gallery(studio, SCENE, seed, 4, settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stops must be a whole number from 5 to 16, not 4"):
        walk_pictures(studio, (SCENE, 0), (SCENE, 1), 4, settings)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        walk_pictures(studio, (SCENE, 0), (SCENE, -1), 5, settings)
    with pytest.raises(LabelError, match="at least one object"):
        redraw_picture(studio, SCENE, 0, settings, 50, [], 1)
    with pytest.raises(ValueError, match="from 1 to 100 percent, not 0"):
        redraw_picture(studio, SCENE, 0, settings, 0, SCENE, 1)


# --- In the browser ---


def open_part(page: Page, name: str) -> None:
    page.get_by_label("10", exact=True).check()  # few steps are enough here
    page.get_by_role("tab", name="Explore").click()
    page.get_by_role("tab", name=name).click()


def slide(page: Page, name: str, value: str) -> None:
    """Fill a slider's number until the page, which may not listen yet to a part just opened, moves the bar along."""
    bar = field(page, name, "range")
    for _ in range(50):
        field(page, name).fill(value)
        page.wait_for_timeout(100)
        if bar.input_value() == value:
            return
    expect(bar).to_have_value(value)


def finish(page: Page, part: str) -> None:
    page.locator(f"#{part}-start").click()
    expect(page.locator(f".{part}")).to_have_attribute("data-state", "done")


@pytest.mark.everywhere
def test_a_gallery_shows_verdicts_and_gives_its_seeds_away(page: Page):
    tick(page, "red cube", "cyan sphere")
    open_part(page, "Gallery")
    slide(page, "Pictures", "4")
    finish(page, "gallery")
    tiles = page.locator(".gallery .tiles button")
    expect(tiles).to_have_count(4)
    for i in range(4):
        expect(tiles.nth(i)).to_contain_text(f"seed {i}")
        expect(tiles.nth(i)).to_contain_text("Missing: cyan sphere. Extra: gray cylinder.")
    expect(page.locator(".gallery .state")).to_contain_text("0 of 4")
    tiles.nth(2).click()
    expect(page.get_by_label("Seed", exact=True)).to_have_value("2")
    expect(page.locator(".gallery .picked")).to_contain_text("Seed 2")
    assert len(set(page.evaluate("[...document.querySelectorAll('.tiles canvas')].map((c) => c.toDataURL())"))) == 4


@pytest.mark.everywhere
def test_a_walk_leads_through_its_stops(page: Page):
    open_part(page, "Walk")
    slide(page, "Stops", "5")
    finish(page, "walk")
    expect(page.locator(".walk .stops button")).to_have_count(5)
    slider = page.get_by_label("Place on the walk")
    picture = "document.querySelector('.walk [data-part=picture]').toDataURL()"
    seen = []
    for key, stop in (("Home", 1), ("ArrowRight", 2), ("ArrowRight", 3), ("End", 5)):
        slider.press(key)
        expect(page.locator(".walk [data-part=place]")).to_have_text(f"Stop {stop} of 5: red cube, cyan sphere")
        seen.append(page.evaluate(picture))
    assert len(set(seen)) == 4
    slider.fill("1.4")  # between two stops there is no picture that the model drew
    assert page.evaluate(picture) == seen[1]
    expect(page.locator(".walk .verdict")).to_contain_text("gray cylinder")


@pytest.mark.everywhere
def test_a_walk_to_other_objects_needs_some_and_a_sampler_without_chance(page: Page):
    open_part(page, "Walk")
    page.get_by_label("DDPM", exact=True).first.check()
    page.get_by_label("other objects").check()
    page.locator("#walk-start").click()
    expect(page.locator(".walk .state")).to_contain_text("Choose the second set of objects.")
    page.get_by_label("Second set of objects").click()
    page.get_by_role("option", name="blue cube").click()
    page.keyboard.press("Escape")
    finish(page, "walk")
    expect(page.locator(".walk .state")).to_contain_text("DPM-Solver++ is used")
    expect(page.locator(".walk [data-part=to]")).to_have_text("blue cube")
    stops = [*["red cube, cyan sphere"] * 2, *["blue cube, cyan sphere"] * 4, *["blue cube"] * 2]
    for stop, labels in enumerate(stops, start=1):
        page.locator(".walk .stops button").nth(stop - 1).click()
        expect(page.locator(".walk [data-part=place]")).to_have_text(f"Stop {stop} of 8: {labels}")


@pytest.mark.everywhere
def test_no_seed_of_a_gallery_is_beyond_the_last(page: Page, address: str):
    query = f"view=gallery&labels=red+cube&seed={2**53 - 2}&count=4&sampler=ddim&steps=2&guidance=1&lang=en"
    page.goto(f"{address}?{query}")
    expect(page.locator(".gallery .state")).to_contain_text("seed must be a whole number from 0 to 9007199254740988")


@pytest.mark.everywhere
def test_a_walk_leads_to_no_more_objects_than_a_scene_holds(page: Page):
    open_part(page, "Walk")
    seven = [f"{color} sphere" for color in ("gray", "red", "blue", "green", "brown", "purple", "cyan")]
    settings = "'ddim', 2, 1, null"
    page.evaluate(f"ddpm.ask('walk', ['red cube'], 0, 'labels', 0, {seven}, 5, {settings})")
    expect(page.locator(".walk")).to_have_attribute("data-state", "refused")
    expect(page.locator(".walk .state")).to_contain_text("at most 5")


@pytest.mark.everywhere
def test_a_number_that_will_not_do_is_named(page: Page):
    open_part(page, "Walk")
    other = page.get_by_label("Second seed")
    for number in ("1.5", "-1", ""):
        other.fill(number)
        page.locator("#walk-start").click()
        words = "The second seed must be a whole number from 0 to 9007199254740991."
        expect(page.locator(".walk .state")).to_have_text(words)
        other.fill("0")
        page.locator("#walk-start").click()
        expect(page.locator(".walk .state")).to_have_text("Both ends are the same: choose another one.")


def test_a_refusal_is_told_after_a_run_was_stopped(page: Page):
    open_part(page, "Gallery")
    page.get_by_label("1000", exact=True).check()
    slide(page, "Pictures", "16")
    page.locator("#gallery-start").click()
    expect(page.locator(".gallery .state")).to_contain_text("steps times pictures must be at most 2000")
    page.locator("[data-language=zh-TW]").click()
    page.locator("#gallery-start").click()
    expect(page.locator(".gallery .state")).to_contain_text("步數乘以圖片數（1000 × 16）最多為 2000")
    page.locator("[data-language=en]").click()
    slide(page, "Pictures", "2")
    page.locator("#gallery-start").click()
    expect(page.locator(".gallery")).to_have_attribute("data-state", "running")
    page.locator("#gallery-stop").click()
    expect(page.locator(".gallery .state")).to_have_text("Stopped")
    page.locator("#clear").click()
    page.locator("#gallery-start").click()
    expect(page.locator(".gallery .state")).to_have_text("Tick at least one object.")


@pytest.mark.everywhere
def test_pictures_are_saved_in_one(page: Page, tmp_path: Path):
    open_part(page, "Gallery")
    keep = page.locator(".gallery [data-part=keep]")
    expect(keep).to_be_hidden()
    slide(page, "Pictures", "3")
    finish(page, "gallery")
    with page.expect_download() as download:
        keep.click()
    assert download.value.suggested_filename == "gallery.png"
    download.value.save_as(tmp_path / "gallery.png")
    canvas = page.locator(".gallery .tiles canvas").nth(1)
    pixels = canvas.evaluate("(c) => [...c.getContext('2d').getImageData(0, 0, 64, 64).data]")
    shown = np.array(pixels).reshape(64, 64, 4)[..., :3]
    with Image.open(tmp_path / "gallery.png") as picture:
        second = picture.convert("RGB").crop((24 + 384 + 24, 24, 24 + 384 + 24 + 384, 24 + 288))  # 4:3
    np.testing.assert_array_equal(np.asarray(second.resize((64, 64), Image.Resampling.NEAREST)), shown)
