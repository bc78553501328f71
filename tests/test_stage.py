"""The stage in a headless browser: player, chart, verdict and heat maps."""

import json
import re
from collections.abc import Iterator

import pytest
from conftest import PATIENCE, STEPS, expect_rest, field, generate, state, tick
from playwright.sync_api import Browser, Locator, Page, Route, expect

from ddpm import Pipeline

# Note the step and the pictures whenever another frame is shown.
RECORD = """() => {
    window.shown = [];
    const canvas = (role) => document.querySelector(`#stage [data-role="${role}"]`);
    const step = canvas("step");
    const note = () => shown.push([parseInt(step.textContent), canvas("x").toDataURL(), canvas("x0").toDataURL()]);
    new MutationObserver(note).observe(step, { childList: true });
}"""

# Note every height that the stage has.
MEASURE = """() => {
    const stage = document.querySelector("#stage");
    window.heights = new Set([stage.offsetHeight]);
    new MutationObserver(() => heights.add(stage.offsetHeight))
        .observe(stage, { subtree: true, attributes: true, childList: true });
}"""


@pytest.fixture
def calls(page: Page) -> Iterator[list[str]]:
    """The questions that the page asks the server from now on."""
    asked: list[str] = []
    questions = re.compile(r"/call/\w+$")
    page.on("request", lambda request: asked.append(request.url) if questions.search(request.url) else None)
    yield asked


def part(page: Page, role: str) -> Locator:
    return page.locator(f"#stage [data-role={role}]")


def chips(page: Page, role: str) -> list[str]:
    return [" ".join(text.split()) for text in part(page, role).locator("li").all_inner_texts()]


def choose(page: Page, name: str) -> None:
    page.locator("#stage").get_by_role("radio", name=name, exact=True).check()


def expect_step(page: Page, index: int, total: int = STEPS) -> None:
    expect(part(page, "step")).to_have_text(f"{index} / {total}")


def draw(page: Page, *labels: str) -> None:
    """Draw labels, and wait until the player has shown the whole run."""
    if labels:
        tick(page, *labels)
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    expect(part(page, "player")).to_have_attribute("data-playing", "false")


def seek(page: Page, index: int) -> None:
    part(page, "timeline").fill(str(index - 1))
    expect_step(page, index)


def picture(page: Page, role: str) -> str:
    return part(page, role).evaluate("(canvas) => canvas.toDataURL()")


@pytest.mark.everywhere
def test_two_boxes_become_a_picture_step_by_step(page: Page) -> None:
    tick(page, "red cube", "cyan sphere")
    page.evaluate(RECORD)
    draw(page)
    steps, x, x0 = zip(*page.evaluate("shown"), strict=True)
    assert list(steps) == list(range(1, STEPS + 1))  # every one, however quickly they came
    assert len(set(x)) == STEPS
    assert len(set(x0)) >= 5
    assert chips(page, "requested") == ["red cube 90 % found", "cyan sphere 10 % missing"]
    assert chips(page, "unrequested") == ["gray cylinder 80 % extra"]
    seek(page, 5)
    assert chips(page, "requested") == ["red cube 90 % seen", "cyan sphere 10 % not yet"]


def stop_button(page: Page) -> Locator:
    return page.locator("#stop")


def start_long(page: Page) -> None:
    page.get_by_label("1000", exact=True).check()
    generate(page).click()


def test_a_run_can_be_stopped_and_another_started(page: Page, pipeline: Pipeline) -> None:
    start_long(page)
    expect(state(page)).to_contain_text("Denoising")
    stop_button(page).click()
    expect(state(page)).to_have_text("Stopped")
    expect_rest(pipeline)
    page.get_by_label("10", exact=True).check()
    draw(page)
    expect_step(page, 10, 10)


@pytest.mark.everywhere
def test_after_stop_another_run_may_start_at_once(page: Page) -> None:
    start_long(page)
    expect(state(page)).to_contain_text("Denoising")
    stop_button(page).click()
    page.get_by_role("button", name="Fast").click()
    expect(state(page)).to_contain_text("Finished in")
    expect_step(page, 10, 10)


def test_a_run_can_be_stopped_before_the_server_has_heard_of_it(page: Page, pipeline: Pipeline) -> None:
    late: list[Route] = []
    page.route("**/call/page_draw", lambda route: late.append(route))
    with page.expect_request("**/call/page_draw"):
        start_long(page)
    expect(state(page)).to_contain_text("Waiting")
    stop_button(page).click()
    expect(state(page)).to_have_text("Stopped")
    with page.expect_request("**/call/page_draw/*"):  # it listens, so that the server notices that it leaves
        late[0].continue_()
    page.unroute("**/call/page_draw")
    expect_rest(pipeline)
    expect(state(page)).to_have_text("Stopped")
    page.get_by_label("10", exact=True).check()
    draw(page)
    expect_step(page, 10, 10)


@pytest.mark.everywhere
def test_the_newest_request_takes_the_place_of_a_run(page: Page, pipeline: Pipeline) -> None:
    start_long(page)
    expect(state(page)).to_contain_text("Denoising")
    page.get_by_role("button", name="Fast").click()
    expect(state(page)).to_contain_text("Finished in")
    expect_step(page, 10, 10)
    expect_rest(pipeline)


@pytest.mark.everywhere
def test_the_focus_stays_on_the_button_that_can_be_pressed(page: Page) -> None:
    page.get_by_label("1000", exact=True).check()
    generate(page).focus()
    page.keyboard.press("Enter")
    expect(stop_button(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(generate(page)).to_be_focused()


BUSY = "You have 6 requests on the way already: wait for one of them to end."


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [(502, "Bad Gateway", "Something went wrong. Please try again."), (429, json.dumps({"detail": BUSY}), BUSY)],
)
def test_a_server_that_will_not_is_heard_and_the_page_goes_on(
    browser: Browser, address: str, status: int, body: str, words: str
) -> None:
    page = browser.new_page()  # the console is to say what the server answers
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.route("**/call/page_draw", lambda route: route.fulfill(status=status, body=body))
    generate(page).click()
    expect(state(page)).to_have_text(words)
    page.unroute("**/call/page_draw")
    draw(page)
    page.close()


def test_what_the_server_refuses_is_said_and_the_page_goes_on(page: Page) -> None:
    def spoil(route: Route) -> None:
        body = json.loads(route.request.post_data or "")
        body["data"][1] = -1  # the seed
        route.continue_(post_data=json.dumps(body))

    page.route("**/call/page_draw", spoil)
    generate(page).click()
    expect(state(page)).to_contain_text("Seed must be a whole number")
    page.unroute("**/call/page_draw")
    draw(page)


def test_the_player_works_by_keyboard_without_the_server(page: Page, calls: list[str]) -> None:
    timeline = part(page, "timeline")
    timeline.focus()
    for key, index in (("Home", 1), ("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("End", STEPS)):
        page.keyboard.press(key)
        expect_step(page, index)
    expect(timeline).to_have_attribute("aria-valuetext", f"step {STEPS} of {STEPS}")
    page.keyboard.press("Space")  # from the end it starts anew
    expect(part(page, "player")).to_have_attribute("data-playing", "true")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    seek(page, 4)
    page.get_by_role("button", name="One step on").click()
    expect_step(page, 5)
    page.keyboard.press("ArrowLeft")  # also with the focus on a button of the player
    expect_step(page, 4)
    assert calls == []


def test_speed_changes_how_long_it_takes(page: Page) -> None:
    seconds = {}
    for speed in ("0.5×", "2×"):
        choose(page, speed)
        seek(page, STEPS - 6)
        seconds[speed] = page.evaluate(
            """() => new Promise((resolve) => {
                const player = document.querySelector("[data-role=player]");
                const start = performance.now();
                document.querySelector("[data-go=play]").click();
                new MutationObserver(() => player.dataset.playing === "false" && resolve(performance.now() - start))
                    .observe(player, { attributes: true });
            })"""
        )
        expect_step(page, STEPS)
    assert seconds["2×"] < seconds["0.5×"]


@pytest.mark.everywhere
def test_the_film_strip_leads_to_its_frames(page: Page) -> None:
    thumbs = part(page, "strip").get_by_role("button")
    expect(thumbs).to_have_count(11)
    for i, index in ((0, 1), (5, 13), (10, STEPS)):
        thumbs.nth(i).click()
        expect_step(page, index)
        expect(thumbs.nth(i)).to_have_attribute("aria-current", "true")
    expect(part(page, "strip").locator("[aria-current]")).to_have_count(1)


@pytest.mark.everywhere
def test_the_third_view_shows_one_of_three(page: Page) -> None:
    seek(page, 8)
    views = {}
    for name in ("Labels", "Change", "Noise"):
        choose(page, name)
        views[name] = picture(page, "third")
    assert len(set(views.values())) == 3
    choose(page, "Change")
    expect(part(page, "third-note")).to_contain_text("×4")
    seek(page, 1)
    expect(part(page, "empty")).to_contain_text("Nothing came before")
    choose(page, "Labels")
    expect(part(page, "empty")).to_be_hidden()
    page.locator("#settings input[type=number]").last.fill("1")  # the guidance
    page.keyboard.press("Tab")
    draw(page)
    expect(part(page, "empty")).to_contain_text("With guidance 0 or 1")


@pytest.mark.everywhere
def test_the_chart_follows_the_run_and_moves_the_timeline(page: Page) -> None:
    draw(page, "red cube", "yellow cylinder")
    chart = page.locator("#stage .chances")
    expect(chart.locator(".line")).to_have_count(2)
    expect(chart.locator(".line.red .core")).to_have_count(1)
    lines = [*chart.locator(".core, .other").all(), page.locator("#stage .level")]
    assert len(lines) == 4  # two labels, the strongest other one, and the noise level
    for line in lines:
        assert (line.get_attribute("d") or "").count("L") == STEPS - 1
    expect(part(page, "other")).to_contain_text("gray cylinder, 80")

    for svg in (".chances", ".levels"):
        box = page.locator(f"#stage {svg}").bounding_box()
        assert box
        page.locator(f"#stage {svg}").click(position={"x": box["width"] - 14, "y": 40})
        expect_step(page, STEPS)
        page.locator(f"#stage {svg}").click(position={"x": 48, "y": 40})
        expect_step(page, 1)
        expect(part(page, "timeline")).to_have_value("0")
    cursor = page.locator("#stage .chances .cursor")
    before = cursor.get_attribute("transform")
    part(page, "timeline").press("End")
    assert cursor.get_attribute("transform") != before


def test_a_click_on_a_label_shows_where_it_acts(page: Page, calls: list[str]) -> None:
    draw(page, "red cube", "cyan sphere")
    calls.clear()
    red, cyan = (part(page, "requested").get_by_role("button", name=name) for name in ("red cube", "cyan sphere"))
    seek(page, 3)
    red.focus()
    page.keyboard.press("Enter")
    expect(red).to_have_attribute("aria-pressed", "true")
    expect(part(page, "heat")).to_be_visible()
    expect(part(page, "legend")).to_be_visible()
    expect(part(page, "note")).to_contain_text("red cube")
    expect_step(page, STEPS)  # the finished picture
    first = picture(page, "heat")
    assert first != picture(page, "x0")
    cyan.click()
    expect(red).to_have_attribute("aria-pressed", "false")
    expect(part(page, "note")).to_contain_text("cyan sphere")
    assert picture(page, "heat") != first
    assert len(calls) == 1  # the answer was for all labels
    cyan.click()
    expect(part(page, "heat")).to_be_hidden()
    red.click()
    seek(page, 3)
    expect(part(page, "heat")).to_be_hidden()  # it belongs to the finished picture
    expect(red).to_have_attribute("aria-pressed", "false")
    assert len(calls) == 1


def test_those_who_want_no_motion_see_the_newest_frame(browser: Browser, address: str) -> None:
    page = browser.new_page(reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    expect(state(page)).to_contain_text("example")
    page.evaluate(RECORD)
    draw(page)
    expect_step(page, STEPS)
    assert len(page.evaluate("shown")) < STEPS
    page.close()


@pytest.mark.parametrize("width", [390, 768, 1920])
def test_pictures_stand_side_by_side(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    frames = page.locator("#stage .frame")
    first, second = frames.nth(0).bounding_box(), frames.nth(1).bounding_box()
    assert first and second
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] < second["x"]
    assert second["x"] + second["width"] <= width


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    draw(page, "red cube", "cyan sphere")
    page.evaluate(MEASURE)
    draw(page)
    part(page, "requested").get_by_role("button").first.click()
    expect(part(page, "heat")).to_be_visible()
    for name in ("Change", "Noise"):
        choose(page, name)
    part(page, "timeline").press("Home")
    assert len(page.evaluate("[...heights]")) == 1


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1280, 720), (1920, 1080)])
@pytest.mark.everywhere
def test_generate_moves_nothing_while_the_pictures_are_in_sight(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    tick(page, "red cube")
    generate(page).scroll_into_view_if_needed()
    seen = page.locator("#stage .views").evaluate("(v) => v.getBoundingClientRect().bottom <= innerHeight")
    before = page.evaluate("scrollY")
    generate(page).click()
    expect(state(page)).to_contain_text("Finished")
    page.wait_for_timeout(600)  # a smooth scroll would be over
    assert seen or width == 1024
    assert not seen or page.evaluate("scrollY") == before


@pytest.mark.everywhere
def test_generate_from_another_tab_goes_to_the_pictures(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    tick(page, "red cube")
    generate(page).click()
    expect(page.locator("#stage canvas").first).to_be_visible()
    expect(state(page)).to_contain_text("Finished")


@pytest.mark.slow
def test_who_waits_hears_for_how_long_and_a_long_run_says_what_is_left(
    browser: Browser, address: str, page: Page
) -> None:
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    other.goto(address)
    for visitor in (other, page):
        expect(state(visitor)).to_contain_text("example")
        tick(visitor, "red cube")
        visitor.get_by_label("1000", exact=True).check()
    generate(other).click()
    expect(state(other)).to_contain_text(re.compile(r"Denoising… about \d+ s left"))
    generate(page).click()
    expect(state(page)).to_have_text(re.compile(r"Waiting: 1 before you, about \d+ s\."))
    other.get_by_role("button", name="Stop").first.click()
    other.close()
    expect(state(page)).to_contain_text("Denoising")  # its turn has come
    page.get_by_role("button", name="Stop").first.click()
    expect(state(page)).to_have_text("Stopped")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.everywhere
def test_a_word_is_explained_where_it_stands(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    words = page.locator("#stage .term:visible")
    assert words.count() == (4 if width < 720 else 6)
    for word in words.all():
        word.click()
        box = page.locator("#term").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert len(page.locator("#term").inner_text()) > 40
        page.keyboard.press("Escape")
        expect(page.locator("#term")).to_be_hidden()


def test_the_player_fills_the_screen_for_a_lecture(page: Page) -> None:
    small = page.locator("#stage [data-role=x0]").bounding_box()["width"]
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement?.dataset.role === 'player'")
    assert page.locator("#stage [data-role=x0]").bounding_box()["width"] > 1.2 * small
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("!document.fullscreenElement")


@pytest.mark.everywhere
def test_an_emptied_guidance_goes_back_to_what_it_was(page: Page) -> None:
    number = field(page, "Guidance")
    number.fill("3.5")
    number.press("Tab")
    number.fill("")
    number.press("Tab")
    expect(number).to_have_value("3.5")
    generate(page).click()
    expect(state(page)).to_contain_text("Finished")
    expect(page.locator("#share [data-role=run]")).to_contain_text("guidance 3.5")


@pytest.mark.everywhere
def test_live_draws_at_every_change_and_shows_the_picture_at_once(page: Page) -> None:
    page.locator("#live input").check()
    run = page.locator("#share [data-role=run]")
    expect(run).to_contain_text("red cube, cyan sphere; seed 0; model fast, DDIM, 4 steps, guidance 1")
    expect_step(page, 4, 4)  # the picture, not the way there
    expect(state(page)).to_contain_text("Generate shows the long way")
    expect(page.get_by_label("25", exact=True)).to_be_checked()  # which Generate goes
    page.locator("input[name='gray cylinder']").check()
    expect(run).to_contain_text("red cube, cyan sphere, gray cylinder")
    page.get_by_label("Seed", exact=True).fill("7")
    expect(run).to_contain_text("seed 7")
    assert "seed=7" in page.url
    for color in ("red", "blue", "green"):  # the newest counts, one after another
        page.locator(f"input[name='{color} cylinder']").click()
    expect(page.locator("#selection p")).to_have_class("over")
    page.locator("input[name='red cylinder']").uncheck()
    expect(run).to_contain_text("red cube, cyan sphere, gray cylinder, blue cylinder, green cylinder")
    assert page.locator("#share [data-role=history] button").count() == 0  # only what somebody asked for
    page.locator("#live input").uncheck()
    page.get_by_label("Seed", exact=True).fill("8")
    page.wait_for_timeout(500)
    expect(run).to_contain_text("seed 7")
    generate(page).click()
    expect(run).to_have_text(
        "red cube, cyan sphere, gray cylinder, blue cylinder, green cylinder; seed 8; DDIM, 25 steps, guidance 2"
    )


def test_generate_goes_the_long_way_while_a_live_run_is_under_way(page: Page) -> None:
    held: list[Route] = []
    page.route("**/call/page_draw", lambda route: route.continue_() if held else held.append(route))
    page.locator("#live input").check()
    expect(page.locator("#stage [data-role=stage]")).to_have_attribute("data-state", "asked")
    expect(page.locator("#stop")).to_be_enabled()
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    expect_step(page, 25, 25)


def test_live_does_not_scroll_the_page(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#live input").check()
    page.evaluate("scrollTo(0, 0)")
    page.locator("input[name='gray cylinder']").check()
    expect(state(page)).to_contain_text("Drawn live")
    assert page.evaluate("scrollY") == 0


def test_live_does_not_draw_again_what_was_asked_for(page: Page, calls: list[str]) -> None:
    page.locator("#live input").check()
    expect(state(page)).to_contain_text("Drawn live")
    before = len(calls)
    page.locator("#examples button").nth(1).click()  # ticks boxes, each of them a change, and draws
    expect(state(page)).to_contain_text("Finished in")
    page.wait_for_timeout(500)
    assert len(calls) == before + 1
