"""Two runs from the same noise: in step, on one timeline, with any of the bundled models."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import ConstantJudge, expect_rest, tick
from playwright.sync_api import Page, expect

from ddpm import Pipeline, checkpoint
from ddpm.backends import openvino
from ddpm.demo.compare.compare import READY, compare_views, ready_for
from ddpm.demo.draw.studio import Studio
from ddpm.demo.experiments import Progress, Side, compare_runs
from ddpm.demo.hosting.limits import Room
from ddpm.demo.models import STUDENT, Models, draws_at_once
from ddpm.labels import LabelError

SCENE = ["red cube", "cyan sphere"]


@pytest.fixture
def models(pipeline: Pipeline, tmp_path) -> Models:
    """The page's model, the same one once more, and another one; and a folder that holds no model that draws."""
    checkpoint.save(tmp_path / "same", pipeline.network, pipeline.config)
    other = checkpoint.ModelConfig(**{**vars(pipeline.config), "name": "other", "guidance": 1.0})
    for folder in ("other", "evaluator"):
        checkpoint.save(tmp_path / folder, pipeline.network, other)
    (tmp_path / "notes").mkdir()
    return Models(pipeline, tmp_path)


def sides(
    pipeline: Pipeline, *settings: tuple[str, int, float], scene: list[str] = SCENE, seed: int = 0
) -> tuple[Side, Side]:
    a, b = (Side(scene, seed, pipeline.settings(*values)) for values in settings)
    return a, b


def test_each_bundled_model_is_offered_once_and_loaded_when_asked_for(models: Models, pipeline: Pipeline):
    assert models.names == ("tiny", "other")
    assert models.get() is models.get("tiny") is pipeline
    assert models.get("other") is models.get("other")
    assert models.get("other").config.name == "other"
    with pytest.raises(ValueError, match="'evaluator' is unknown; allowed are tiny, other"):
        models.get("evaluator")


@pytest.mark.parametrize("name", [STUDENT, "other"])
@pytest.mark.parametrize("accelerated", [False, True])
@pytest.mark.parametrize("loaded", [False, True])
def test_the_student_is_accelerated_where_the_pages_own_model_is(
    name: str, accelerated: bool, loaded: bool, pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[torch.nn.Module] = []

    def prepare(network: torch.nn.Module, dtype: torch.dtype, rows: int):
        calls.append(network)
        raise OSError("nothing is built here")

    monkeypatch.setattr(openvino, "prepare", prepare)
    checkpoint.save(tmp_path / name, pipeline.network, replace(pipeline.config, name=name))
    own = Pipeline(pipeline.network, pipeline.config)
    models = Models(own.shared(), tmp_path)
    if loaded:  # before
        models.get(name)
    if accelerated:
        own.accelerate().wait()
    other = models.get(name)
    if expected := accelerated and name == STUDENT:
        other.accelerate().wait()
    assert other.accelerated == expected
    assert len(calls) == accelerated + expected


@pytest.mark.parametrize(("seconds", "at_once"), [(0.03, True), (0.1, False)])
def test_live_is_on_from_the_start_where_a_picture_is_drawn_at_once(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, at_once: bool
):
    assert not draws_at_once(tmp_path / "absent")
    pipeline.save_pretrained(tmp_path)
    now = [0.0]

    def generate(*_: object) -> None:
        now[0] += 9.0 if not now[0] else seconds  # the first one is slower

    monkeypatch.setattr(Pipeline, "generate", generate)
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    assert draws_at_once(tmp_path) == at_once


def test_a_ready_comparison_with_an_absent_model_is_left_out(models: Models):
    assert READY.keys() - ready_for(models).keys() == {"report"}


def test_no_ready_comparison_sets_a_model_beside_itself(models: Models, pipeline: Pipeline, tmp_path):
    page_of_report = Pipeline(pipeline.network, replace(pipeline.config, name="report-taught"))
    assert "report" not in ready_for(Models(page_of_report, tmp_path))


def test_a_bundled_model_of_the_same_name_is_offered_beside_the_page_s_own(pipeline: Pipeline, tmp_path):
    checkpoint.save(tmp_path / "tiny", pipeline.network, replace(pipeline.config, steps=7))
    models = Models(pipeline, tmp_path)
    assert models.names == ("tiny", "tiny (bundled)")
    assert models.get("tiny") is pipeline
    assert models.get("tiny (bundled)").config.steps == 7


def test_both_runs_are_those_of_the_pipeline_alone(models: Models, pipeline: Pipeline):
    settings = ("dpm++", 3, 2.0), ("ddpm", 7, 1.0)
    last = {}
    for progress in compare_runs(models, sides(pipeline, *settings, seed=5), Room()):
        last[progress.side] = progress.step
    for side, values in enumerate(settings):
        torch.testing.assert_close(last[side].x0, pipeline.generate([SCENE], 5, *values))


def test_the_run_with_more_noise_left_goes_on(models: Models, pipeline: Pipeline):
    steps = [(p.side, p.step.t) for p in compare_runs(models, sides(pipeline, ("ddim", 2, 1), ("ddim", 4, 1)), Room())]
    assert steps == [(0, 1000), (1, 1000), (0, 500), (1, 750), (1, 500), (1, 250)]


def test_guidance_asks_the_network_twice_a_step(pipeline: Pipeline):
    assert [Side(SCENE, 0, pipeline.settings(guidance=w)).cost for w in (0, 1, 2.5)] == [1, 1, 2]


def test_what_cannot_be_compared_is_refused_at_once(models: Models, pipeline: Pipeline):
    both = ("ddim", 2, 1), ("ddim", 2, 1)
    with pytest.raises(LabelError, match="at least one object"):
        compare_runs(models, sides(pipeline, *both, scene=[]), Room())
    with pytest.raises(ValueError, match="seed"):
        compare_runs(models, sides(pipeline, *both, seed=-1), Room())


def test_each_side_draws_its_own_scene(models: Models, pipeline: Pipeline):
    a, b = Side(SCENE, 5, pipeline.settings("ddim", 3, 2.0)), Side(["gray cube"], 7, pipeline.settings("ddim", 2, 1.0))
    views = [*compare_views(Studio(pipeline, ConstantJudge()), models, (a, b))]
    first, second = views[-1]["sides"]
    assert (first["labels"], first["seed"], second["labels"], second["seed"]) == (SCENE, 5, ["gray cube"], 7)
    assert set(second["verdict"]["missing"]) == {"gray cube"}
    *_, last = (p.step for p in compare_runs(models, (b, b), Room()) if isinstance(p, Progress))
    torch.testing.assert_close(last.x0, pipeline.generate([["gray cube"]], 7, "ddim", 2, 1.0))


def test_the_views_hold_every_frame_once_and_end_with_the_verdicts(models: Models, pipeline: Pipeline):
    studio = Studio(pipeline, ConstantJudge())
    views = [*compare_views(studio, models, sides(pipeline, ("ddim", 4, 1), ("ddim", 120, 1)))]
    assert [view["state"] for view in views] == ["running"] * (len(views) - 1) + ["done"]
    assert views[0]["run"] == views[-1]["run"]
    shown = [[i for view in views for part in view["sides"][side]["chunks"] for i in part["index"]] for side in (0, 1)]
    assert shown[0] == [1, 2, 3, 4]
    indices = shown[1]
    assert len(indices) <= 101
    assert (indices[0], indices[-1]) == (1, 120)
    short, long = views[-1]["sides"]
    assert long["seconds"] > short["seconds"] > 0
    assert set(short["verdict"]["missing"]) == {"cyan sphere"}


# --- In the browser ---


def open_tab(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "empty")


def facts(page: Page, role: str) -> list[str]:
    return page.locator(f".compare .facts [data-part={role}]").all_inner_texts()


PICTURES = (
    """() => [...document.querySelectorAll('.compare .sides > figure canvas')].map((canvas) => canvas.toDataURL())"""
)


@pytest.mark.everywhere
def test_a_ready_comparison_runs_and_both_sides_scrub_together(page: Page):
    open_tab(page)
    page.get_by_role("button", name="3 steps against 25").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "done")
    assert facts(page, "step") == ["3 / 3", "25 / 25"]
    assert facts(page, "evaluations") == ["6 / 6", "50 / 50"]
    assert page.locator(".compare .facts").first.locator(".missing").first.inner_text().startswith("✗")
    end = page.evaluate(PICTURES)
    cursor = page.get_by_label("Timeline from noise to picture")
    cursor.fill("480")  # t = 520
    assert facts(page, "step") == ["2 / 3", "13 / 25"]
    assert all(now != before for now, before in zip(page.evaluate(PICTURES), end, strict=True))
    cursor.press("ArrowLeft")
    assert facts(page, "step") == ["2 / 3", "12 / 25"]
    cursor.press("ArrowRight")
    assert facts(page, "step") == ["2 / 3", "13 / 25"]
    cursor.press("End")
    assert page.evaluate(PICTURES) == end
    cursor.press("Home")
    page.get_by_role("button", name="Play", exact=True).last.click()
    page.wait_for_function("Number(document.querySelector('[data-part=cursor]').value) > 100")
    page.get_by_role("button", name="Pause", exact=True).last.click()
    place = cursor.input_value()
    page.wait_for_timeout(200)
    assert cursor.input_value() == place


@pytest.mark.everywhere
def test_settings_of_ones_own_are_compared_or_refused(page: Page):
    open_tab(page)
    steps = page.locator("#compare-sides").get_by_label("Steps")
    steps.nth(0).fill("3")
    steps.nth(1).fill("5")
    page.locator("#compare-start").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "done")
    assert facts(page, "step") == ["3 / 3", "5 / 5"]
    assert facts(page, "evaluations") == ["6 / 6", "5 / 5"]  # guidance 2 against 1
    tick(page)
    page.locator("#compare-start").click()
    expect(page.locator(".compare [data-part=state]")).to_have_text("Tick at least one object.")
    tick(page, "red cube")
    for number in ("", "2.5", "0", "1001"):
        steps.nth(1).fill(number)
        page.locator("#compare-start").click()
        expect(page.locator(".compare [data-part=state]")).to_have_text(
            "The steps of B must be a whole number from 1 to 1000."
        )
        steps.nth(1).fill("2")
        finish(page)


def finish(page: Page) -> None:
    page.locator("#compare-start").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "done")


def start_long(page: Page) -> None:
    page.locator("#compare-sides").get_by_label("Steps").nth(0).fill("1000")
    page.locator("#compare-start").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "running")


@pytest.mark.everywhere
def test_a_ready_comparison_takes_the_place_of_one_that_runs(page: Page):
    open_tab(page)
    start_long(page)
    page.get_by_role("button", name="3 steps against 25").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "done")
    assert facts(page, "step") == ["3 / 3", "25 / 25"]


def test_a_comparison_can_be_stopped(page: Page, pipeline: Pipeline):
    open_tab(page)
    start_long(page)
    page.locator("#compare-stop").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "stopped")
    expect(page.locator("#compare-start")).to_be_enabled()
    expect_rest(pipeline)
