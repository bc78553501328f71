"""Take it with you, in a headless browser: files, the link, presets and examples that start at once."""

from pathlib import Path

import numpy as np
import pytest
from conftest import STEPS, generate, state, tick
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from ddpm import Pipeline
from ddpm.demo.share.share import PRESET_SETTINGS
from ddpm.trajectory import to_uint8


def part(page: Page, role: str) -> Locator:
    return page.locator(f"#share [data-role={role}]")


def save(page: Page, name: str, folder: Path) -> Path:
    """Press the button, and return the file that comes."""
    with page.expect_download() as download:
        page.locator("#share").get_by_role("button", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def draw(page: Page, *labels: str) -> None:
    tick(page, *labels)
    generate(page).click()
    expect(part(page, "run")).to_contain_text(labels[0])


def test_the_files_are_those_of_the_run_shown(page: Page, pipeline: Pipeline, tmp_path: Path) -> None:
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("10", exact=True).check()
    draw(page, "red cube", "cyan sphere")
    expect(part(page, "run")).to_have_text(f"red cube, cyan sphere; seed 7; DDIM, 10 steps, guidance {2}")
    # What is changed now is for the next run.
    page.get_by_label("Seed", exact=True).fill("8")
    page.locator("input[name='gray cube']").check()
    files = [save(page, name, tmp_path) for name in ("Picture", "Film strip", "GIF", "Video", "Data")]
    assert [file.name for file in files] == [
        f"red-cube_cyan-sphere_seed7{ending}" for ending in (".png", "_strip.png", ".gif", ".mp4", ".npz")
    ]
    expected = pipeline.generate([["red cube", "cyan sphere"]], 7, steps=10)
    with Image.open(files[0]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), to_uint8(expected[0]))
    with np.load(files[4]) as data:
        np.testing.assert_array_equal(data["x0"][-1], expected.numpy())
    expect(part(page, "status")).to_have_text("Saved: red-cube_cyan-sphere_seed7.npz")
    assert save(page, "Picture", tmp_path) == files[0]  # the same once more


def test_without_a_finished_run_there_is_nothing_to_save(page: Page) -> None:
    expect(part(page, "run")).to_contain_text("red cube")  # the example is finished
    page.get_by_label("1000", exact=True).check()
    generate(page).click()
    expect(part(page, "run")).to_have_text("As soon as a picture is finished, it can be saved here.")
    page.get_by_role("button", name="Stop").first.click()
    expect(state(page)).to_have_text("Stopped")
    for button in page.locator("#share button").all():
        expect(button).to_be_disabled()


def test_the_link_restores_labels_seed_and_settings(page: Page) -> None:
    assert "labels" not in page.url
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("DPM-Solver++", exact=True).check()
    page.get_by_label("10", exact=True).check()
    draw(page, "red cube", "cyan sphere")
    assert page.url.endswith("/?labels=red+cube,cyan+sphere&seed=7&sampler=dpm%2B%2B&steps=10&guidance=2")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(part(page, "status")).to_have_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url

    page.reload()
    expect(page.locator("#notice")).to_contain_text("From the link")
    expect(page.locator("#selection")).to_contain_text("red cube, cyan sphere")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("7")
    expect(page.get_by_label("DPM-Solver++", exact=True)).to_be_checked()
    expect(page.get_by_label("10", exact=True)).to_be_checked()
    generate(page).click()
    expect(part(page, "run")).to_contain_text("red cube, cyan sphere; seed 7; DPM-Solver++, 10 steps")
    expect(page.locator("#notice")).to_be_hidden()


def test_what_is_wrong_in_a_link_is_named_and_left_out(page: Page, address: str) -> None:
    page.goto(f"{address}?labels=pink+cube,blue+sphere&seed=-3&sampler=euler&steps=37&guidance=99&lang=en")
    notice = page.locator("#notice")
    for words in ("pink cube", "“-3”", "“euler”", "“37”", "“99”"):
        expect(notice.locator(".problem", has_text=words)).to_be_visible()
    expect(page.locator("#selection")).to_contain_text("1 of 5 ticked")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("0")
    expect(page.get_by_label("DDIM", exact=True)).to_be_checked()
    generate(page).click()
    expect(part(page, "run")).to_contain_text("blue sphere; seed 0")
    assert page.url.endswith(f"steps={STEPS}&guidance=2&lang=en")  # what else stands in the address stays


def test_a_link_without_parameters_changes_nothing(page: Page) -> None:
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#selection")).to_contain_text("2 of 5 ticked")


@pytest.mark.parametrize("name", ["Fast", "Accurate"])
def test_a_preset_starts_at_once(page: Page, name: str) -> None:
    preset = PRESET_SETTINGS[name.lower()]
    page.locator("#presets").get_by_role("button", name=name).click()
    expect(part(page, "run")).to_contain_text(f"{preset.steps} steps, guidance {preset.guidance:g}")
    expect(page.get_by_label(str(preset.steps), exact=True)).to_be_checked()


def test_an_example_starts_at_once(page: Page) -> None:
    page.locator("#examples button").nth(1).click()
    expect(part(page, "run")).to_contain_text("green cube, purple sphere, yellow cylinder; seed 0")
