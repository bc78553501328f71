"""The page around a tiny network with random weights and a judge that always says the same, and a browser for it.

Tests with the mark `everywhere` hold for the page that is served and for the one without a server.
"""

import functools
import http.server
import os
import shutil
import socket
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from torch import nn

from ddpm import Pipeline, checkpoint, editing
from ddpm.counting import Look
from ddpm.labels import LABEL_ID, NUM_LABELS
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule

ENDPOINTS = [
    "generate",
    "trajectory",
    "emergence",
    "apart",
    "where",
    "evaluate",
    "compare",
    "gallery",
    "walk",
    "redraw",
    "edit",
]
STEPS = 25
NARROW = 0.7
"""`editing.THRESHOLD` with which an edit's place is not all of the picture, for the tiny network."""
SEEN = {"red cube": 0.9, "gray cylinder": 0.8}

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
NO_BROWSER = "no browser here"
PATIENCE = 60_000  # ms: a busy machine is slow, not broken


class ConstantJudge(nn.Module):
    """Sees SEEN in every picture, and nothing else."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        p = torch.full((NUM_LABELS,), 0.1)
        for label, chance in SEEN.items():
            p[LABEL_ID[label]] = chance
        return p + 0 * x.mean((1, 2, 3))[:, None]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with the mark `everywhere` on both pages."""
    if metafunc.definition.get_closest_marker("everywhere"):
        both = ["served", pytest.param("static", marks=pytest.mark.slow)]
        metafunc.parametrize("address", both, indirect=True, scope="session")


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    options = {"width": 8}
    config = checkpoint.ModelConfig("tiny", "context_unet", options, "v", NoiseSchedule(), steps=STEPS, guidance=2.0)
    checkpoint.save(folder, build("context_unet", options), config)
    return Pipeline.from_pretrained(folder, "cpu", torch.float32)  # as the page without a server computes


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest) -> str:
    """The address of the page."""
    found: str = request.getfixturevalue(getattr(request, "param", "served"))
    return found


@pytest.fixture(scope="session")
def static(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page without a server."""
    from app import CACHE, CHECKPOINTS, build_demo
    from ddpm.demo.models import Models
    from ddpm.demo.static.build import write_site

    folder, judge = tmp_path_factory.mktemp("site"), ConstantJudge()
    models = Models(pipeline, CHECKPOINTS, dtype=torch.float32)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(editing, "THRESHOLD", NARROW)
            write_site(build_demo(pipeline, judge), models, Look(judge, None), folder, CACHE)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        pytest.skip(f"the npm registry cannot be reached: {error}")
    with files_of(folder) as url:
        yield url


@contextmanager
def files_of(folder: Path) -> Iterator[str]:
    """A file server for a folder; yields its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a page that was closed takes no more
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def served(pipeline: Pipeline) -> Iterator[str]:
    """The address of the page that Python serves."""
    from app import build_demo
    from ddpm.demo.theme import launch_options

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    demo = build_demo(pipeline, ConstantJudge())
    _, url, _ = demo.launch(
        server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **launch_options(demo)
    )
    yield url
    demo.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless browser, one for all tests."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        missing = f"{NO_BROWSER}: one of {', '.join(BROWSERS)} is needed"
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
    """What the stage says that it is doing."""
    return page.locator("#stage [data-role=state]")


def generate(page: Page) -> Locator:
    """The button that starts a run."""
    return page.locator("#generate")


def tick(page: Page, *labels: str) -> None:
    """Tick these boxes of the picker and no others."""
    page.locator("#clear").click()
    expect(page.locator("#selection")).to_contain_text("0 of 5 ticked")
    for label in labels:
        page.locator(f"input[name='{label}']").check()
    expect(page.locator("#selection")).to_contain_text(f"{len(labels)} of 5 ticked")


def field(page: Page, name: str, kind: str = "number") -> Locator:
    """The number of a slider, or with "range" the slider itself."""
    return page.locator(f"input[type={kind}]").and_(page.get_by_label(name)).first


def unfold(page: Page) -> None:
    """Show the settings, which are folded on a phone."""
    fold = page.locator("#fold")
    if fold.is_visible() and fold.get_attribute("aria-expanded") == "false":
        fold.click()


def expect_rest(pipeline: Pipeline) -> None:
    """The server's network is asked nothing more, save for what is under way."""
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    time.sleep(0.5)
    hook = pipeline.network.register_forward_hook(count)
    try:
        time.sleep(0.5)
    finally:
        hook.remove()
    assert asked == 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests of the page were left out, and how to run them."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests of the page were skipped: they need Chromium or Chrome, such as Debian's package "
            "chromium, on the PATH."
        )
