"""The page in a headless browser, as a visitor uses it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from conftest import STEPS
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # ms: a busy machine is slow, not broken

# Note every picture that is shown.
RECORD = """() => {
    window.shown = { x: new Set(), x0: new Set() };
    for (const role of ["x", "x0"]) {
        const image = document.querySelector(`[data-role="${role}"]`);
        new MutationObserver(() => shown[role].add(image.src)).observe(image, { attributes: true });
    }
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        missing = f"no browser here: one of {', '.join(BROWSERS)} is needed"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The open page; whatever a test does there, the console stays free of errors."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(address)
    expect(state(page)).to_contain_text("example")
    yield page
    page.close()
    assert errors == []


def state(page: Page) -> Locator:
    return page.locator("[data-role=state]")


def generate(page: Page) -> Locator:
    return page.get_by_role("button", name="Generate")


def tick(page: Page, *labels: str) -> None:
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#selection")).to_contain_text("0 of 5 ticked")
    for label in labels:
        page.locator(f"input[name='{label}']").check()
    expect(page.locator("#selection")).to_contain_text(f"{len(labels)} of 5 ticked")


def chips(page: Page, role: str) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(f"[data-role={role}] li").all_inner_texts()]


def test_two_boxes_become_a_picture_step_by_step(page: Page) -> None:
    tick(page, "red cube", "cyan sphere")
    page.evaluate(RECORD)
    generate(page).click()
    expect(state(page)).to_have_text("Finished")
    assert page.evaluate("shown.x.size") >= 5
    assert page.evaluate("shown.x0.size") >= 5
    assert page.evaluate("[...document.querySelectorAll('.stage img')].map((image) => image.naturalWidth)") == [64, 64]
    expect(page.locator("[data-role=step]")).to_have_text(f"{STEPS} / {STEPS}")
    assert chips(page, "requested") == ["red cube 90 % found", "cyan sphere 10 % missing"]
    assert chips(page, "unrequested") == ["gray cylinder 80 % extra"]


def test_a_run_can_be_stopped_and_another_started(page: Page) -> None:
    page.get_by_label("1000", exact=True).check()
    generate(page).click()
    page.get_by_role("button", name="Stop").click()  # waits until the run is on
    expect(state(page)).to_have_text("Stopped")
    page.wait_for_timeout(500)
    expect(state(page)).to_have_text("Stopped")
    page.get_by_label("10", exact=True).check()
    generate(page).click()
    expect(state(page)).to_have_text("Finished")
    expect(page.locator("[data-role=step]")).to_have_text("10 / 10")


def test_what_cannot_be_drawn_is_refused_with_a_message(page: Page) -> None:
    colors = ("gray", "red", "blue", "green", "brown", "purple")
    for labels, message in (
        ([], "Tick at least one object"),
        ([f"{color} cube" for color in colors], "at most 5 objects"),
    ):
        tick(page, *labels)
        generate(page).click()
        expect(page.locator("#selection .refused")).to_contain_text(message)
    tick(page, "red cube")
    page.get_by_label("Seed", exact=True).fill("-1")
    generate(page).click()
    expect(page.locator("#selection .refused")).to_contain_text("seed must be a whole number")
    expect(state(page)).to_contain_text("example")  # nothing was started


def test_an_example_fills_the_boxes_and_the_dice_the_seed(page: Page) -> None:
    page.locator("#examples button").last.click()
    expect(page.locator("#selection")).to_contain_text("5 of 5 ticked")
    expect(page.locator("input[type=checkbox]:checked")).to_have_count(5)
    page.get_by_role("button", name="Random seed").click()
    expect(page.get_by_label("Seed", exact=True)).not_to_have_value("0")


@pytest.mark.parametrize("width", [390, 768, 1920])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    frames = page.locator(".stage .frame")
    first, second = frames.nth(0).bounding_box(), frames.nth(1).bounding_box()
    assert first and second
    assert first["y"] == second["y"]  # side by side
    assert first["x"] + first["width"] < second["x"]
    assert second["x"] + second["width"] <= width


@pytest.mark.parametrize("width", [390, 1280])
def test_frames_do_not_move_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    height = "document.querySelector('#stage').offsetHeight"
    before = page.evaluate(height)
    page.evaluate(
        f"() => {{ window.heights = new Set(); new MutationObserver(() => heights.add({height}))"
        ".observe(document.querySelector('#stage'), {subtree: true, attributes: true, childList: true}); }"
    )
    generate(page).click()
    expect(state(page)).to_have_text("Finished")
    assert page.evaluate("[...heights]") == [before]
