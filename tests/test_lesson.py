"""The section "How it works": what it says is read from the model, and its slider works in the browser."""

import json
import re
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from conftest import PATIENCE
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from ddpm import Pipeline
from ddpm.checkpoint import ModelConfig
from ddpm.demo.adapter.page import HOME
from ddpm.demo.lesson.diagram import blocks, draw
from ddpm.demo.lesson.lesson import FIGURES, lesson
from ddpm.demo.texts import TEXTS
from ddpm.demo.theme import launch_options
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule

ERRORS = {"topk_standard_error": None, "exact_standard_error": 0.0346}
REPORT = {
    "checkpoint": "checkpoints/tiny",
    "specs": [
        {
            "spec": "somewhere/else/mine.json",
            "images": 3,
            "seeds": 7,
            "topk_accuracy": 0.91234,
            "topk_standard_error": 0.01678,
            "exact_match": 0.75,
            "exact_standard_error": 0.0234,
            "by_object_count": {
                count: {"images": n, "topk_accuracy": topk, "exact_match": exact} | ERRORS
                for count, n, topk, exact in (("0", 1, None, 0.125), ("1", 2, 0.8765, 0.5))
            },
            "sampler": "dpm++",
            "steps": 12,
            "guidance": 3.5,
        }
    ],
}

PIXELS = """(part) => {
    const canvas = document.querySelector(`#lesson [data-part=${part}]`);
    return [...canvas.getContext("2d").getImageData(0, 0, 64, 64).data];
}"""


@pytest.fixture(scope="module")
def lesson_address(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page that holds the section alone."""
    folder = tmp_path_factory.mktemp("model")
    (folder / FIGURES).write_text(json.dumps(REPORT))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with gr.Blocks(analytics_enabled=False) as demo:
        lesson(pipeline, folder)
    _, url, _ = demo.launch(
        server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **launch_options(demo)
    )
    yield url
    demo.close()


@pytest.fixture(params=["en-US", "zh-TW"])
def page(browser: Browser, lesson_address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The open page in either language; the console stays free of errors."""
    page = browser.new_page(locale=request.param, viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(lesson_address)
    title = {"en-US": "How it works", "zh-TW": "運作原理"}[request.param]
    expect(page.locator("#lesson h2")).to_have_text(title)
    yield page
    page.close()
    assert errors == []


def number(page: Page, part: str) -> float:
    return float(page.locator(f"#lesson [data-part={part}]").inner_text().replace("−", "-"))


def slide(page: Page, t: int) -> None:
    page.locator("#lesson input[type=range]").fill(str(t))
    expect(page.locator("#lesson [data-part=t]")).to_have_text(str(t))


def test_the_slider_adds_noise_and_says_how_much(page: Page, pipeline: Pipeline) -> None:
    schedule = pipeline.config.schedule
    pictures = []
    for t in (100, 500, schedule.steps):
        slide(page, t)
        pictures.append(page.evaluate(PIXELS, "xt"))
        assert number(page, "alpha") == pytest.approx(float(schedule.alpha_bar[t]) ** 0.5, abs=0.006)
        assert number(page, "sigma") == pytest.approx((1 - float(schedule.alpha_bar[t])) ** 0.5, abs=0.006)
        assert number(page, "logSnr") == pytest.approx(float(schedule.log_snr(t)), abs=0.06)
    assert all(earlier != later for earlier, later in pairwise(pictures))
    noise = page.evaluate(PIXELS, "noise")  # nothing is left of the scene but a rounding here and there
    assert max(abs(a - b) for a, b in zip(pictures[-1], noise, strict=True)) <= 1


def test_at_timestep_zero_the_picture_is_the_scene(page: Page) -> None:
    slide(page, 0)
    with Image.open(HOME / "lesson" / "scene.png") as scene:
        assert scene.size == (64, 64)
        rgba = list(scene.convert("RGBA").tobytes())
    assert page.evaluate(PIXELS, "xt") == rgba
    expect(page.locator("#lesson [data-part=snr]")).to_have_text("∞")


def test_the_slider_moves_by_keyboard_and_with_it_the_cursors(page: Page) -> None:
    slide(page, 500)
    cursors = "[...document.querySelectorAll('#lesson .cursor, #lesson circle')].map((mark) => mark.outerHTML)"
    before = page.evaluate(cursors)
    page.locator("#lesson input[type=range]").press("ArrowRight")
    expect(page.locator("#lesson [data-part=t]")).to_have_text("501")
    assert all(old != new for old, new in zip(before, page.evaluate(cursors), strict=True))


def test_nothing_is_cut_off(page: Page) -> None:
    outside = """() => [...document.querySelectorAll("#lesson :is(p, canvas, svg, table, h3, text, figcaption)")]
        .filter((part) => part.checkVisibility())
        .filter((part) => part.getBoundingClientRect().right > innerWidth || part.getBoundingClientRect().left < 0)
        .map((part) => part.outerHTML)"""
    for width in (390, 820, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(outside) == []
        expect(page.locator("#lesson svg.network >> visible=true")).to_have_count(1)


def test_the_network_is_drawn_with_its_own_numbers(page: Page, pipeline: Pipeline) -> None:
    parameters = sum(parameter.numel() for parameter in pipeline.network.parameters())
    expect(page.locator("#lesson")).to_contain_text(f"{parameters:,}")
    drawing = page.locator("#lesson svg.network.wide")
    for block in blocks(pipeline.config):
        expect(drawing).to_contain_text(" × ".join(map(str, block.shape)))


def test_the_figures_are_those_of_the_file(page: Page) -> None:
    table = page.locator("#lesson table")
    for text in ("mine.json", "0.912 ± 0.017", "0.750 ± 0.023", "0.125 ± 0.035", "0.876", "0.125", "–"):
        expect(table).to_contain_text(text)
    figures = page.locator("#lesson section", has=page.locator("table"))
    for text in ("DPM-Solver++", "12", "3.5", "7"):
        expect(figures).to_contain_text(text)
    expect(figures.locator("code")).to_contain_text("--checkpoint checkpoints/tiny \\\n    --spec mine.json \\\n")
    expect(figures).not_to_contain_text("somewhere")


@pytest.mark.parametrize("folder", [None, "empty"])
def test_without_a_file_there_is_no_table(pipeline: Pipeline, tmp_path: Path, folder: str | None) -> None:
    assert "<table" not in lesson(pipeline, folder and tmp_path).html_template


@pytest.mark.parametrize("prediction, kind", [("eps", "linear"), ("x0", "cosine"), ("v", "cosine")])
@pytest.mark.parametrize(
    "network, options",
    [("unet", {}), ("staged", {"until": [0.5, 1], "options": [{}, {}]}), ("context_unet", {"width": 16})],
)
def test_every_model_has_its_texts(network: str, options: dict[str, Any], prediction: str, kind: str) -> None:
    config = ModelConfig("other", network, options, prediction, NoiseSchedule(kind, 50))
    html = lesson(Pipeline(build(network, options), config), None).html_template
    names = re.findall(r'data-(?:text|html)(?:-\w+)?="([^"]*)"', html)
    assert len(names) > 30
    assert set(names) <= TEXTS["en"].keys()
    assert "__" not in html
    for name, values in re.findall(r'data-(?:text|html)="([^"]*)" data-values="([^"]*)"', html):
        given = json.loads(values.replace("&quot;", '"'))
        assert set(re.findall(r"\{(\w+)\}", TEXTS["en"][name])) <= given.keys()


def test_the_blocks_of_the_default_network() -> None:
    config = ModelConfig("default", "unet", {}, "v", NoiseSchedule())
    found = blocks(config)
    assert [(block.name, block.count, block.shape) for block in found] == [
        ("stem", 1, (96, 16, 16)),
        ("down", 2, (96, 16, 16)),
        ("shrink", 1, (192, 8, 8)),
        ("middle", 4, (192, 8, 8)),
        ("grow", 1, (96, 16, 16)),
        ("up", 3, (96, 16, 16)),
        ("output", 1, (48, 16, 16)),
    ]
    assert [block.name for block in found if block.vector] == ["down", "middle", "up"]
    assert [block.name for block in found if block.tokens] == ["middle"]
    assert [(block.name, found[block.skip].name) for block in found if block.skip is not None] == [("up", "down")]


def test_of_several_networks_the_first_is_drawn_and_the_text_says_where_the_others_take_over() -> None:
    one = ModelConfig("one", "unet", {}, "v", NoiseSchedule())
    options = {"until": [0.2, 0.5, 1], "options": [{"channels": [48, 96]}, {}, {}]}
    several = ModelConfig("several", "staged", options, "v", NoiseSchedule())
    assert blocks(several) == blocks(one)
    html = lesson(Pipeline(build(several.network, several.options), several), None).html_template
    assert "lesson.networks_text" in html
    assert "lesson.network_text" not in html
    assert "&quot;boundaries&quot;: &quot;500, 200&quot;" in html


def report(**options: Any) -> ModelConfig:
    return ModelConfig("report", "context_unet", {"width": 16, **options}, "eps", NoiseSchedule("linear"))


@pytest.mark.parametrize("levels", [2, 4])
def test_the_blocks_of_the_reports_network(levels: int) -> None:
    found = blocks(report(levels=levels))
    names = ["initial", *["downs"] * levels, "bottleneck", *["ups"] * levels, "output"]
    assert [block.name for block in found] == names
    assert [block.skip for block in found] == [None] * (levels + 2) + [*range(levels, 0, -1)] + [0]
    assert [block.name for block in found if block.vector] == ["ups"] * levels
    assert found[-1].shape == (3, 64, 64)


@pytest.mark.parametrize(
    "options, key",
    [
        ({}, "told_scale"),
        ({"time": False}, "told_labels"),
        ({"labels": False}, "told_time"),
        ({"fusion": "down"}, "told_sum"),
        ({"time": False, "labels": False}, None),
    ],
)
def test_how_the_conditions_enter_is_said(options: dict[str, Any], key: str | None) -> None:
    config = report(**options)
    html = lesson(Pipeline(build("context_unet", config.options), config), None).html_template
    assert re.findall(r"lesson\.(told_\w+)", html) == ([key] if key else [])


@pytest.mark.parametrize("config", [report(), report(levels=4), ModelConfig("any", "unet", {}, "v", NoiseSchedule())])
@pytest.mark.parametrize("wide", [True, False])
def test_a_drawing_stays_in_its_frame(config: ModelConfig, wide: bool) -> None:
    svg = draw(config, wide)
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    assert wide or width <= 343  # a phone's
    for x, y, w, h in re.findall(r'<rect[^>]*x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', svg):
        assert 0 <= float(x) <= float(x) + float(w) <= width
        assert 0 <= float(y) <= float(y) + float(h) <= height
