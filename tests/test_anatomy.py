"""One step taken apart, and put together again."""

import re

import pytest
import torch
from conftest import generate, state, tick
from playwright.sync_api import Locator, Page, Route, expect

from ddpm import Pipeline
from ddpm.anatomy import take_apart
from ddpm.samplers import SAMPLERS

SCENE = ["red cube", "cyan sphere"]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("index", [1, 2, 5])
def test_the_parts_are_the_whole(pipeline: Pipeline, sampler: str, index: int) -> None:
    run = pipeline.trajectory([SCENE], 7, sampler, 6, 2.5)
    step = take_apart(pipeline, run, index)
    assert (step.t, step.s) == run.timesteps[index - 1 : index + 1]
    guided = (step.uncond + 2.5 * (step.cond - step.uncond)).clamp(-1, 1)
    torch.testing.assert_close(guided, step.x0, atol=1e-3, rtol=0)
    assert step.mix is not None and step.next is not None
    whole = step.mix.x * step.x + step.mix.x0 * step.x0
    if step.before is not None:
        whole = whole + step.mix.before * step.before
    if step.fresh is not None:
        whole = whole + step.mix.noise * step.fresh
    torch.testing.assert_close(whole, step.next, atol=1e-4, rtol=0)
    assert (step.before is not None) == (index > 1 and "dpm++" in sampler)
    assert (step.fresh is not None) == (sampler in ("ddpm", "sde-dpm++"))


def test_the_last_step_mixes_nothing(pipeline: Pipeline) -> None:
    run = pipeline.trajectory([SCENE], 7, "ddpm", 6, 2.5)
    step = take_apart(pipeline, run, 6)
    assert step.s == 0 and step.mix is step.next is step.before is step.fresh is None


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_of_a_stopped_run_the_last_step_has_its_mix(pipeline: Pipeline, sampler: str) -> None:
    run = pipeline.trajectory([SCENE], 7, sampler, 6, 2.5)
    whole, stopped = take_apart(pipeline, run, 3), take_apart(pipeline, run.until(3), 3)
    assert (stopped.t, stopped.s, stopped.mix) == (whole.t, whole.s, whole.mix)
    assert whole.next is not None and stopped.next is None


@pytest.mark.parametrize("index", [0, 7, 1.5, "2"])
def test_a_step_that_is_not_there_is_refused(pipeline: Pipeline, index: int) -> None:
    run = pipeline.trajectory([SCENE], 7, "ddpm", 6, 2.5)
    with pytest.raises(ValueError, match="index must be a whole number from 1 to 6"):
        take_apart(pipeline, run, index)


def apart(page: Page) -> Locator:
    return page.locator("#stage [data-role=apart]")


def captions(page: Page) -> list[str]:
    return apart(page).locator("figcaption").all_inner_texts()


def test_a_late_answer_falls_on_no_other_run(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    ask = "ddpm.ask('stage', ['{0}'], 0, 'ddim', 5, 2, null)"
    page.evaluate(ask.format("red cube"))
    expect(state(page)).to_contain_text("Finished")
    expect(page.locator("#stage [data-role=step]")).to_have_text("5 / 5")
    page.route(re.compile("call/page_apart$"), hold)
    apart(page).locator("summary").click()
    while not held:
        page.wait_for_timeout(50)
    page.evaluate(ask.format("cyan sphere"))
    expect(page.locator("#stage [data-role=requested]")).to_contain_text("cyan sphere")
    expect(state(page)).to_contain_text("Finished")
    pictures = apart(page).locator("[data-apart=pair] canvas")
    expect(pictures).to_have_count(3)
    shown = pictures.first.evaluate("(canvas) => canvas.toDataURL()")
    held[0].continue_()
    page.wait_for_timeout(1500)
    assert pictures.first.evaluate("(canvas) => canvas.toDataURL()") == shown


@pytest.mark.everywhere
def test_a_step_of_ones_own_run_is_taken_apart_on_the_page(page: Page) -> None:
    page.get_by_label("10", exact=True).check()
    page.locator("#sampler").get_by_label("SDE-DPM-Solver++").check()
    tick(page, *SCENE)
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    expect(page.locator("#stage [data-role=step]")).to_have_text("10 / 10")
    apart(page).locator("summary").click()
    expect(apart(page)).to_have_attribute("data-step", "10")
    expect(apart(page)).to_contain_text("This was the last step")
    page.locator("#stage [data-role=timeline]").fill("3")
    expect(apart(page)).to_have_attribute("data-step", "4")
    clean, noisy = "predicted clean image", "noisy image, timestep "
    assert captions(page) == [
        *("with the labels", "without labels", "the difference"),
        *("without labels", "the difference", f"guided, the {clean}"),
        *(f"{noisy}700", clean, "clean image of the step before", "fresh noise", f"{noisy}600"),
    ]
    signs = apart(page).locator(".sign").all_inner_texts()
    assert signs[:6] == ["", "\u2212", "=", "", "+ 2 \u00d7", "="] and signs[-1] == "="
    pictures = apart(page).locator("figure canvas").evaluate_all("(all) => all.map((c) => c.toDataURL())")
    assert len(set(pictures)) == len(pictures) - 3  # three of them stand in two sums
