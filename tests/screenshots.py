"""Pictures of the page for the README, with the model that comes with the project.

python -m tests.screenshots [--out FOLDER]    writes page.png, compare.png and so on into docs/, or into FOLDER.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page, ViewportSize, expect, sync_playwright

from app import CHECKPOINTS, build_demo
from ddpm import Evaluator, Pipeline
from ddpm.demo.theme import launch_options
from tests.conftest import ARGUMENTS, BROWSERS, PATIENCE, field

SCENE = "labels=red+cube,cyan+sphere,yellow+cylinder&seed=18"
MOST_BYTES = 350_000
DESKTOP, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)


@contextmanager
def served() -> Iterator[str]:
    """Serve the page with the bundled model; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = CHECKPOINTS / "default"
    pipeline = Pipeline.from_pretrained(model)
    evaluator = Evaluator.from_pretrained(CHECKPOINTS / "evaluator")
    demo = build_demo(pipeline, evaluator, folder=model)
    demo.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **launch_options(demo))
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        demo.close()


@contextmanager
def opened(
    browser: Browser, address: str, query: str = SCENE, phone: bool = False, dark: bool = False
) -> Iterator[Page]:
    """Open the page with a link's scene and settings."""
    page = browser.new_page(
        viewport=PHONE if phone else DESKTOP,
        device_scale_factor=2 if phone else 1,
        color_scheme="dark" if dark else "light",
        locale="en-US",
    )
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}?{query}")
    expect(page.locator("#selection")).to_contain_text("3")
    expect(page.locator("#notice p")).to_be_visible()
    page.locator("#notice").evaluate("(notice) => notice.replaceChildren()")  # it is about the link alone
    yield page
    page.close()


def rest(page: Page) -> None:
    """Take focus and pointer away, and show the top of the page."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.mouse.move(0, 0)


def draw(page: Page) -> None:
    """Draw the link's scene, and go back to a step that tells more than the last."""
    page.locator("#generate").click()
    expect(page.locator("#share [data-format=png]")).to_be_enabled()  # the run has ended
    expect(page.locator("#stage [data-role=player]")).to_have_attribute("data-playing", "false")
    page.locator("#stage [data-role=timeline]").fill("9")
    rest(page)


def finish(page: Page, name: str) -> None:
    """Start what a tab does, and wait for its end."""
    page.locator(f"#{name}-start").click()
    ended(page, name)


def ended(page: Page, name: str) -> None:
    expect(page.locator(f".{name}")).to_have_attribute("data-state", "done")
    rest(page)


def open_part(page: Page, name: str) -> None:
    page.get_by_role("tab", name="Explore").click()
    page.get_by_role("tab", name=name).click()


def box(*locators: Locator, margin: int = 12) -> FloatRect:
    """The smallest clip that holds all of them, with a margin."""
    boxes = [found for locator in locators if (found := locator.bounding_box())]
    left, top = min(b["x"] for b in boxes) - margin, min(b["y"] for b in boxes) - margin
    right, bottom = max(b["x"] + b["width"] for b in boxes), max(b["y"] + b["height"] for b in boxes)
    return FloatRect(x=max(0, left), y=max(0, top), width=right + margin - left, height=bottom + margin - top)


def save(file: Path, png: bytes) -> None:
    """Write a screenshot; one that is too large gets fewer levels of each color, as many as there is room for."""
    for levels in (128, 64, 32):
        if len(png) <= MOST_BYTES:
            break
        coarse = [round(round(value / 255 * (levels - 1)) * 255 / (levels - 1)) for value in range(256)]
        smaller = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").point(coarse * 3).save(smaller, "PNG", optimize=True)
        png = smaller.getvalue()
    if len(png) > MOST_BYTES:
        raise ValueError(f"{file.name} has {len(png)} bytes, at most {MOST_BYTES} are wanted")
    file.write_bytes(png)
    print(f"{file}  {len(png) // 1000} kB")


def take(page: Page, file: Path, *parts: str) -> None:
    """Save what a page shows, from the first to the last of the parts."""
    clip = box(*(page.locator(part).first for part in parts))
    save(file, page.screenshot(clip=clip, full_page=True))


def shoot(browser: Browser, address: str, out: Path) -> None:
    """Take all pictures."""
    with opened(browser, address) as page:
        draw(page)
        take(page, out / "page.png", "#intro", "#bench")
        take(page, out / "lesson.png", "#lesson h2", "#lesson section.reverse")
        page.get_by_role("tab", name="Compare").click()
        page.get_by_role("button", name="3 steps against 25").click()
        ended(page, "compare")
        take(page, out / "compare.png", "#views")
        open_part(page, "Gallery")
        field(page, "Pictures").fill("12")
        finish(page, "gallery")
        take(page, out / "explore.png", "#views")
        open_part(page, "Walk")
        field(page, "Stops").fill("11")
        finish(page, "walk")
        page.locator(".walk .stops button").nth(5).click()
        rest(page)
        take(page, out / "walk.png", "#views")
        page.get_by_role("tab", name="Edit", exact=True).click()
        page.locator(".edit .objects button").first.click()
        page.get_by_role("button", name="Turn the red cube into a blue cube").click()
        ended(page, "edit")
        page.get_by_role("button", name="Show the place").click()
        page.locator(".edit .objects button").nth(1).click()
        take(page, out / "edit.png", "#views")
    with opened(browser, address, dark=True) as page:
        draw(page)
        take(page, out / "page-dark.png", "#intro", "#bench")
    with opened(browser, address, query=f"{SCENE}&lang=zh-TW") as page:
        draw(page)
        take(page, out / "page-zh.png", "#intro", "#bench")
    with opened(browser, address, phone=True) as page:
        draw(page)
        take(page, out / "page-phone.png", "#intro", "#stage .strip")


def main() -> None:
    """Serve the page and take its pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the page.")
    parser.add_argument("--out", type=Path, default=Path("docs"), metavar="FOLDER", help="(%(default)s)")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        parser.error(f"no browser here: one of {', '.join(BROWSERS)} is needed")
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        shoot(browser, address, out)
        browser.close()


if __name__ == "__main__":
    main()
