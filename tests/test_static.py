"""The page without a server: what is built, and that the models in the browser draw what those in Python draw.

What both pages do alike is tested with the mark `everywhere`, see conftest.py.
"""

import base64
import io
import itertools
import json
import urllib.error
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import gradio as gr
import numpy as np
import pytest
import torch
from conftest import NARROW, SEEN, ConstantJudge, files_of, generate, state, tick
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from app import CACHE, build_demo
from ddpm import Evaluator, Pipeline, editing
from ddpm.counting import Look
from ddpm.demo.draw.studio import Studio
from ddpm.demo.edit.edit import edit_views
from ddpm.demo.models import Models
from ddpm.demo.static import packages
from ddpm.demo.static.build import write_site
from ddpm.demo.static.page import StaticPage
from ddpm.demo.verdicts import repeated
from ddpm.influence import influence
from ddpm.samplers import SAMPLERS
from ddpm.trajectory import to_uint8
from ddpm.variations import walk

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SCENE = ["red cube", "cyan sphere"]

# All views of a run, with bytes as lists.
ASK = """async ([name, ...inputs]) => {
    const main = document.querySelector("script[type=module]").src;
    const { call } = await import(new URL("call.js", main));
    const plain = (value) => value instanceof Uint8Array ? [...value]
        : Array.isArray(value) ? value.map(plain)
        : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
        : value;
    const views = [];
    for await (const view of call(name, inputs)) views.push(plain(view));
    return views;
}"""


@pytest.fixture
def address(static: str) -> str:
    return static


def ask(page: Page, name: str, *inputs: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(ASK, [f"page_{name}", *inputs])
    return found


def pixels(values: list[int], *shape: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(*shape, 64, 64, 3)


def expect_close(found: np.ndarray, wanted: np.ndarray) -> None:
    """At most a level apart, and almost nowhere."""
    apart = np.abs(found.astype(int) - wanted.astype(int))
    assert apart.max() <= 1 and apart.mean() < 0.01


# --- What is built ---


def test_it_asks_nobody_else_and_fetches_no_network_before_a_run(page: Page, address: str) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.reload()
    expect(state(page)).to_contain_text("example")
    assert not [url for url in fetched if url.endswith(".onnx") or "/runtime/" in url]
    tick(page, *SCENE)
    page.get_by_label("10", exact=True).check()
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    assert {urlparse(url).netloc for url in fetched} == {urlparse(address).netloc}
    assert any(url.endswith(".onnx") for url in fetched)


def test_the_page_is_there_before_a_megabyte_and_a_half(page: Page) -> None:
    page.reload()
    page.wait_for_selector("html[data-ready]")
    sizes = page.evaluate(
        """() => performance.getEntries().map(({ name, encodedBodySize }) => [name, encodedBodySize ?? 0])
        .filter(([name]) => !name.endsWith("example.json"))"""
    )
    assert sum(size for _, size in sizes) < 1_500_000, sizes


def test_a_part_that_needs_a_server_is_refused() -> None:
    with gr.Blocks() as demo:
        button = gr.Button("Go", elem_id="go")
        button.click(lambda: None)
    with pytest.raises(ValueError, match="an event of .*click.* needs a server"):
        StaticPage(demo)
    with gr.Blocks() as demo:
        gr.Dataframe()
    with pytest.raises(ValueError, match="a component of type 'dataframe' cannot be shown without a server"):
        StaticPage(demo)


def test_a_link_is_read_whatever_was_built_before(pipeline: Pipeline) -> None:
    with gr.Blocks():
        gr.Button("another page")
    assert '"load"' in StaticPage(build_demo(pipeline, ConstantJudge())).events


def test_a_folder_with_something_else_in_it_is_left_alone(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="holds something else"):
        write_site(gr.Blocks(), Models(pipeline, tmp_path), ConstantJudge(), tmp_path, CACHE)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_archive_that_is_another_one_is_refused(tmp_path: Path) -> None:
    package = packages.PACKAGES[1]
    file = tmp_path / f"{package.name}-{package.version}.tgz"
    file.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not the archive that is expected"):
        packages.archive(package, tmp_path)
    assert not file.exists()


# --- What it draws ---


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_run_is_that_of_the_pipeline(page: Page, pipeline: Pipeline, sampler: str) -> None:
    views = ask(page, "draw", SCENE, 7, sampler, 10, 2.5)
    steps = list(pipeline.stream([SCENE], 7, sampler, 10, 2.5))
    chunks = [chunk for view in views for chunk in view["chunks"]]
    assert [index for chunk in chunks for index in chunk["index"]] == [step.index for step in steps]
    assert [t for chunk in chunks for t in chunk["t"]] == [step.t for step in steps]
    for key in ("x", "x0"):
        found = np.concatenate([pixels(chunk[key], -1) for chunk in chunks])
        expect_close(found, np.stack([to_uint8(getattr(step, key)[0]) for step in steps]))
    assert [view["state"] for view in views][-1] == "done"
    judged = {k: p for view in views for k, p in view["p"]}
    assert sorted(judged) == list(range(10))
    seen = {label for label, chance in zip(page.evaluate(LABELS), judged[9], strict=True) if chance > 0.5}
    assert seen == set(SEEN)


LABELS = "JSON.parse(document.getElementById('ddpm-data').textContent).labels"


FIVE = ["gray cube", "red cube", "blue sphere", "cyan sphere", "yellow cylinder"]


@pytest.mark.parametrize(
    ("name", "scene", "seed", "settings", "twice"),
    [("default", SCENE, 7, ("sde-dpm++", 12, 2.5), []), ("fast", FIVE, 42, ("ddim", 4, 1), ["cyan sphere"])],
)
def test_a_bundled_model_draws_the_same_picture(
    browser: Browser, tmp_path: Path, name: str, scene: list[str], seed: int, settings: Any, twice: list[str]
) -> None:
    pipeline = Pipeline.from_pretrained(ROOT / "checkpoints" / name, "cpu", torch.float32)
    evaluator = Evaluator.from_pretrained(ROOT / "checkpoints" / "evaluator", "cpu")
    models = Models(pipeline, tmp_path / "none")
    look = Look(evaluator.network, evaluator.counter)
    try:
        write_site(build_demo(pipeline, evaluator), models, look, tmp_path / "site", CACHE)
    except urllib.error.URLError as error:
        pytest.skip(f"the npm registry cannot be reached: {error}")
    with files_of(tmp_path / "site") as address:
        page = browser.new_page()
        page.goto(address)
        views = ask(page, "draw", scene, seed, *settings)
        page.close()
    x0 = pipeline.generate([scene], seed, *settings)
    chunks = [chunk for view in views for chunk in view["chunks"]]
    expect_close(pixels(chunks[-1]["x0"], -1)[-1], to_uint8(x0[0]))
    judged = {k: p for view in views for k, p in view["p"]}
    torch.testing.assert_close(torch.tensor(judged[settings[1] - 1]), evaluator(x0)[0], atol=0.005, rtol=0)
    assert views[-1]["twice"] == repeated(evaluator.counts(x0)[0].tolist()) == twice


def test_where_a_label_acts_is_the_same(page: Page, pipeline: Pipeline) -> None:
    (maps,) = ask(page, "where", SCENE, 7, "ddim", 10, 2.0)
    wanted = influence(pipeline, pipeline.trajectory([SCENE], 7, "ddim", 10, 2.0))
    assert list(maps) == list(wanted)
    for label, heat in wanted.items():
        torch.testing.assert_close(torch.tensor(maps[label]).reshape(64, 64) / 255, heat, atol=0.01, rtol=0)


def test_a_gallery_and_a_walk_are_the_same(page: Page, pipeline: Pipeline) -> None:
    *_, last = ask(page, "gallery", SCENE, 3, 2, "ddim", 5, 2.0)
    assert last["seeds"] == [3, 4] and last["state"] == "done"
    assert [set(verdict["found"]) for verdict in last["verdicts"]] == [{"red cube"}] * 2
    expect_close(pixels(last["pictures"], 2), to_uint8(pipeline.generate([SCENE] * 2, 3, "ddim", 5, 2.0)))
    other = ["blue cube", "gray sphere"]
    *_, last = ask(page, "walk", SCENE, 3, "labels", 1, other, 5, "ddpm", 5, 2.0)
    assert last["note"] == "DPM-Solver++" and last["ends"][1] == {"labels": other, "seed": 3}
    wanted = walk(pipeline, (SCENE, 3), (other, 3), 5, pipeline.settings("dpm++", 5, 2.0))
    expect_close(pixels(last["pictures"], 5), to_uint8(wanted))


def test_two_sides_are_compared(page: Page, pipeline: Pipeline) -> None:
    views = ask(page, "compare", SCENE, 3, "tiny", "ddim", 4, 0, "tiny", "dpm++", 6, 2)
    for side, settings in enumerate([("ddim", 4, 0), ("dpm++", 6, 2)]):
        chunks = [chunk for view in views for chunk in view["sides"][side]["chunks"]]
        found = np.concatenate([pixels(chunk["x0"], -1) for chunk in chunks])
        expect_close(found[-1], to_uint8(pipeline.generate([SCENE], 3, *settings)[0]))
    assert [half["cost"] for half in views[-1]["sides"]] == [1, 2]
    assert [set(half["verdict"]["missing"]) for half in views[-1]["sides"]] == [{"cyan sphere"}] * 2
    (refused,) = ask(page, "compare", SCENE, 3, "tiny", "ddim", 4, 0, "tiny", "dpm++", 0, 2)
    assert refused["problem"] == "compare.bad_steps" and refused["values"] == {"side": "B", "most": 1000}


def test_an_edit_is_the_same(page: Page, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing, "THRESHOLD", NARROW)
    picture = to_uint8(pipeline.generate([SCENE], 3, "ddim", 5)[0])
    after = ["blue cube", "cyan sphere"]
    data = base64.b64encode(picture.tobytes()).decode()
    *_, last = ask(page, "edit", SCENE, 3, after, data, None, "dpm++", 10, 2.0)
    x0 = torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 127.5 - 1
    studio = Studio(pipeline, ConstantJudge())
    *_, wanted = edit_views(studio, x0, SCENE, after, 3, pipeline.settings("dpm++", 10, 2.0), None)
    place = np.frombuffer(base64.b64decode(wanted["place"]), np.uint8)
    assert 0 < (place > 0).mean() < 1
    assert (np.array(last["place"]) != place).mean() < 0.01  # a pixel at the edge may fall on either side
    frames = np.frombuffer(base64.b64decode(wanted["chunks"][-1]["x0"]), np.uint8).reshape(-1, 64, 64, 3)
    found = pixels(last["chunks"][-1]["x0"], -1)
    assert np.abs(found[-1].astype(int) - frames[-1].astype(int)).mean() < 1
    assert last["labels"] == after and set(last["verdict"]["missing"]) == set(after)


# --- What people take away ---


def test_the_files_are_those_of_a_server(page: Page, pipeline: Pipeline, tmp_path: Path) -> None:
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("10", exact=True).check()
    tick(page, *SCENE)
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    run = replace(pipeline.trajectory([SCENE], 7, steps=10), model=None)  # the page's own
    expect(page.locator("#share").get_by_role("button", name="Video")).to_be_hidden()

    def save(name: str) -> Path:
        with page.expect_download() as download:
            page.locator("#share").get_by_role("button", name=name, exact=True).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    writers = {"Picture": run.save_png, "Large picture": run.save_large_png, "Film strip": run.save_strip}
    for name, write in writers.items():
        buffer = io.BytesIO()
        write(buffer)
        with Image.open(save(name)) as found, Image.open(buffer) as wanted:
            assert (found.mode, found.size, found.info) == (wanted.mode, wanted.size, wanted.info)
            expect_close(np.asarray(found), np.asarray(wanted))
    for name, write in (("GIF", run.save_gif), ("GIF for slides", run.save_slides)):
        buffer = io.BytesIO()
        write(buffer)
        with Image.open(save(name)) as found, Image.open(buffer) as wanted:
            for of in (lambda film: film.n_frames, lambda film: film.size, lambda film: film.info["loop"]):
                assert of(found) == of(wanted)
            for frame in (0, 9):
                for film in (found, wanted):
                    film.seek(frame)
                assert found.info["duration"] == wanted.info["duration"]
                truth = to_uint8(torch.cat([run.x[frame, 0], run.x0[frame, 0]], -1)).astype(int)
                pixels = [np.asarray(film.convert("RGB")) for film in (found, wanted)]
                off = [np.abs(one[1:192:3, 1::4] - truth).mean() for one in pixels]
                assert off[0] < 1.5 * off[1]
                ink = [(one[192:] < 128).all(-1).sum() for one in pixels]  # of the caption; the fonts differ
                assert 0.5 * ink[1] <= ink[0] <= 2 * ink[1]
                assert bool(ink[1]) == (name != "GIF")
    buffer = io.BytesIO()
    run.save_npz(buffer)
    buffer.seek(0)
    with np.load(save("Data")) as found, np.load(buffer) as wanted:
        assert sorted(found.files) == sorted(wanted.files)
        for key in wanted.files:
            assert (found[key].dtype, found[key].shape) == (wanted[key].dtype, wanted[key].shape), key
            if wanted[key].dtype.kind == "f":
                np.testing.assert_allclose(found[key], wanted[key], atol=1e-3)
            else:
                np.testing.assert_array_equal(found[key], wanted[key])


# --- When something is wrong ---


@pytest.mark.parametrize("file", ["*.onnx", "*.wasm", "ort.wasm.min.mjs", "models.json"])
def test_a_file_that_is_not_there_is_named_and_can_be_tried_again(browser: Browser, static: str, file: str) -> None:
    page = browser.new_page()
    page.goto(static)

    def missing(route: Route) -> None:
        route.fulfill(status=404)

    page.context.route(f"**/{file}", missing)
    tick(page, *SCENE)
    page.get_by_label("10", exact=True).check()
    generate(page).click()
    expect(state(page)).to_contain_text("This file cannot be loaded: ")
    expect(state(page)).to_contain_text(file.strip("*"))
    page.context.unroute(f"**/{file}")
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    page.close()


@pytest.mark.parametrize(
    ("file", "body"),
    [("worker.js", None), ("networks.js", None), ("*.mjs", None), ("*.wasm", None), ("*.wasm", b"x"), ("*.onnx", b"x")],
)
def test_what_fails_on_its_way_can_be_tried_again(browser: Browser, static: str, file: str, body: bytes | None) -> None:
    page = browser.new_page()

    def spoil(route: Route) -> None:
        if route.request.method == "HEAD":
            route.continue_()
        elif body is None:
            route.abort("connectionreset")
        else:
            route.fulfill(status=200, body=body)

    page.context.route(f"**/{file}", spoil)
    page.goto(static)
    tick(page, *SCENE)
    page.get_by_label("10", exact=True).check()
    generate(page).click()
    expect(page.locator("#stage [data-role=stage]")).to_have_attribute("data-state", "failed")
    page.context.unroute(f"**/{file}")
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    page.close()


# Counts the forwards in the worker: each lets messages in first, see `breath` in networks.js.
COUNT = """() => {
    self.forwards = 0;
    const post = MessagePort.prototype.postMessage;
    MessagePort.prototype.postMessage = function (...inputs) { forwards++; return post.apply(this, inputs); };
}"""


def test_stop_ends_a_run_within_a_step_and_a_short_run_does_not_wait_for_a_long_one(page: Page) -> None:
    page.get_by_label("1000", exact=True).check()
    generate(page).click()
    expect(state(page)).to_contain_text("Denoising")
    (worker,) = page.workers
    worker.evaluate(COUNT)
    assert ask(page, "gallery", SCENE, 0, 1, "ddim", 5, 1.0)[-1]["state"] == "done"
    expect(state(page)).to_contain_text("Denoising")
    assert worker.evaluate("forwards") > 5
    page.locator("#stop").click()
    expect(state(page)).to_have_text("Stopped")
    page.wait_for_timeout(300)
    before = worker.evaluate("forwards")
    page.wait_for_timeout(500)
    assert worker.evaluate("forwards") == before


def test_the_page_goes_on_while_the_models_work(page: Page) -> None:
    """Nothing keeps the page busy for long: the longest task of the quietest of three runs, all being loaded."""
    page.get_by_label("50", exact=True).check()
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    page.evaluate(
        """() => { window.tasks = []; new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) tasks.push(duration);
        }).observe({ type: "longtask" }); }"""
    )
    longest = []
    for _ in range(3):
        page.evaluate("tasks.length = 0")
        generate(page).click()
        expect(state(page)).to_contain_text("Finished in")
        longest.append(max([0, *page.evaluate("tasks")]))
    assert min(longest) < 150, longest  # 50 on a machine that does nothing else


def test_the_list_of_files_is_what_the_browser_reads(static: str) -> None:
    import urllib.request

    with urllib.request.urlopen(f"{static}models/models.json") as answer:
        facts = json.load(answer)
    networks = list(itertools.chain(*(model["networks"] for model in facts["models"].values())))
    for file in [*networks, facts["evaluator"]]:
        with urllib.request.urlopen(f"{static}models/{file['file']}") as answer:
            assert int(answer.headers["Content-Length"]) == file["bytes"]
    assert {"own", "labels", "samplers", "schedules", "runtime"} <= facts.keys()
