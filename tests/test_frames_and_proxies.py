"""The page where people meet it: in the frame of another site, and behind a proxy that serves it under a prefix."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from conftest import ConstantJudge, generate, state, tick
from playwright.sync_api import Browser, FrameLocator, Page, expect
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

from ddpm import Pipeline

PREFIX = "/user/me/proxy/8000"
QUERY = "labels=red+cube&seed=0&sampler=ddim&steps=25&guidance=2"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The address, at "localhost", of an application: another origin than the page's 127.0.0.1."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join(5)


def proxy(targets: list[str], prefix: str = "") -> Starlette:
    """What serves PREFIX/... of its own address from the first target, and streams what comes as it comes."""
    client = httpx.AsyncClient(timeout=None, trust_env=False)

    async def forward(request: Request) -> StreamingResponse:
        headers = {key: value for key, value in request.headers.items() if key not in ("host", "connection")}
        url = httpx.URL(targets[0]).copy_with(path="/" + request.path_params["path"], query=request.url.query.encode())
        body = await request.body()
        answer = await client.send(
            client.build_request(request.method, url, headers=headers, content=body), stream=True
        )
        kept = {key: value for key, value in answer.headers.items() if key not in ("transfer-encoding", "connection")}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose))

    return Starlette(routes=[Route(prefix + "/{path:path}", forward, methods=["GET", "POST", "HEAD"])])


@pytest.fixture
def framed(browser: Browser, address: str) -> Iterator[tuple[Page, FrameLocator]]:
    """A page of another site with ours in a frame; what ours says to it lies in `window.said`."""
    html = f"""<title>Another site</title><iframe id="space" src="{address}?{QUERY}&__sign=secret&lang=en"
        style="width: 1200px; height: 850px"></iframe>
        <script>window.said = []; addEventListener("message", ({{ data }}) => said.push(data));</script>"""

    async def outer(request: Request) -> HTMLResponse:
        return HTMLResponse(html)

    with serving(Starlette(routes=[Route("/", outer)])) as site:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(site)
        yield page, page.frame_locator("#space")
        page.close()
        assert errors == []


def queries(page: Page) -> list[str]:
    return [said["queryString"] for said in page.evaluate("said") if "queryString" in said]


def test_in_a_frame_the_address_of_the_outer_page_is_kept_in_step(framed: tuple[Page, FrameLocator]) -> None:
    page, frame = framed
    expect(frame.locator("#share [data-role=run]")).to_contain_text("red cube; seed 0")  # the link was drawn
    frame.get_by_label("Seed", exact=True).fill("7")
    frame.locator("#generate").click()
    expect(frame.locator("#share [data-role=run]")).to_contain_text("red cube; seed 7")
    frame.locator("[data-language=zh-TW]").click()
    expect(frame.locator("html")).to_have_attribute("lang", "zh-TW")
    said = queries(page)
    assert said[-1] == QUERY.replace("seed=0", "seed=7") + "&lang=zh-TW"
    assert not any("secret" in query for query in said)  # what the outer page gave for itself stays there


def test_in_a_frame_files_and_the_link_can_be_taken_along(
    framed: tuple[Page, FrameLocator], address: str, tmp_path: Path
) -> None:
    page, frame = framed
    expect(frame.locator("#share [data-role=run]")).to_contain_text("red cube; seed 0")
    with page.expect_download() as download:
        frame.get_by_role("button", name="Picture", exact=True).click()
    download.value.save_as(tmp_path / "scene.png")
    assert (tmp_path / "scene.png").stat().st_size > 1000
    frame.get_by_role("button", name="Copy link").click()  # a frame may not write to the clipboard unless it is let
    expect(frame.locator("#share [data-role=address]")).to_have_value(f"{address}?{QUERY}")


def test_links_to_other_sites_leave_the_frame(page: Page) -> None:
    stay = page.evaluate(
        """[...document.querySelectorAll('a[href^="http"]')].filter((a) => a.origin !== location.origin
            && a.target !== "_blank").map((a) => a.href)"""
    )
    assert stay == []


@contextlib.contextmanager
def replica(pipeline: Pipeline) -> Iterator[str]:
    """The address of an app of its own."""
    from app import build_demo
    from ddpm.demo.theme import launch_options

    demo = build_demo(pipeline, ConstantJudge())
    port = free_port()
    demo.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **launch_options(demo))
    yield f"http://127.0.0.1:{port}"
    demo.close()


@pytest.mark.slow
def test_behind_a_proxy_that_takes_the_prefix_off(
    browser: Browser, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", PREFIX)
    with replica(pipeline) as app, serving(proxy([app], PREFIX)) as site:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("response", lambda answer: errors.append(answer.url) if answer.status >= 400 else None)
        page.goto(f"{site}{PREFIX}/")
        expect(state(page)).to_contain_text("example")
        tick(page, "red cube", "cyan sphere")
        generate(page).click()
        expect(page.locator("#share [data-role=run]")).to_contain_text("cyan sphere")
        assert page.url.startswith(f"{site}{PREFIX}/?labels=red+cube,cyan+sphere")
        with page.expect_download() as download:
            page.get_by_role("button", name="Film strip", exact=True).click()
        download.value.save_as(tmp_path / "strip.png")
        page.reload()
        expect(page.locator("#notice")).to_contain_text("From the link")
        page.close()
        assert errors == []


@pytest.mark.slow
def test_a_visitor_is_moved_to_another_replica_in_mid_visit(browser: Browser, pipeline: Pipeline) -> None:
    with replica(pipeline) as first, replica(pipeline) as second:
        targets = [first]
        with serving(proxy(targets)) as site:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(site)
            expect(state(page)).to_contain_text("example")
            tick(page, "red cube")
            generate(page).click()
            expect(page.locator("#share [data-role=run]")).to_contain_text("red cube; seed 0")
            targets[0] = second  # which has never seen this visitor
            with page.expect_download() as download:  # what is shown follows from what the page knows
                page.get_by_role("button", name="Picture", exact=True).click()
            assert download.value.suggested_filename == "red-cube_seed0.png"
            page.get_by_label("Seed", exact=True).fill("5")
            generate(page).click()
            expect(page.locator("#share [data-role=run]")).to_contain_text("red cube; seed 5")
            page.close()
