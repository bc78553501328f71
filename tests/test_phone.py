"""The page on small screens: what is asked for comes into sight, Stop stays in reach, nothing sticks out."""

import pytest
from conftest import generate, state, unfold
from playwright.sync_api import Locator, Page, expect

PHONE = {"width": 390, "height": 844}

# What sticks out of the screen, or of a box of its own, in the picker, the settings and the open tab.
STICKS_OUT = """() => [...document.querySelectorAll("#intro header *, #bench *")].filter((element) => {
    const { width, height, left, right } = element.getBoundingClientRect();
    if (!width || !height || element.matches("input, canvas, svg, svg *, [class*=hidden], [class*=hidden] *"))
        return false;
    if (left < -1 || right > innerWidth + 1) return true;
    const inline = getComputedStyle(element).display === "inline";
    return !inline && element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
}).map((element) => `${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 30)}`)"""


def in_sight(part: Locator) -> bool:
    return part.evaluate(
        "(e) => { const b = e.getBoundingClientRect(); return b.top >= 0 && b.bottom <= innerHeight; }"
    )


@pytest.mark.parametrize("width", [360, 390, 640, 700, 768, 844, 1024])
@pytest.mark.everywhere
def test_nothing_sticks_out(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    unfold(page)
    page.wait_for_timeout(300)  # the charts are drawn anew
    assert page.evaluate(STICKS_OUT) == []


# Where a thumb of 18 pixels around the middle of a slider is cut off by a box that it is in.
CUT = """() => [...document.querySelectorAll("#bench input[type=range]")].filter((slider) => {
    const { width, top, bottom } = slider.getBoundingClientRect();
    if (!width) return false;
    const middle = (top + bottom) / 2;
    for (let box = slider.parentElement; box; box = box.parentElement) {
        const edge = box.getBoundingClientRect();
        const hides = getComputedStyle(box).overflowY !== "visible";
        if (hides && (edge.top > middle - 9 || edge.bottom < middle + 9)) return true;
    }
}).length"""


@pytest.mark.everywhere
def test_the_thumb_of_a_slider_is_whole(page: Page) -> None:
    page.set_viewport_size(PHONE)
    unfold(page)
    assert page.evaluate(CUT) == 0
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare-sides input[type=range]").first).to_be_visible()
    assert page.evaluate(CUT) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 740), (844, 390), (768, 1024)])
@pytest.mark.everywhere
def test_during_a_run_its_pictures_and_a_stop_are_in_sight(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    unfold(page)
    page.get_by_label("1000", exact=True).check()
    generate(page).click()
    expect(state(page)).to_contain_text("Denoising")
    page.wait_for_timeout(600)  # until it has scrolled
    assert in_sight(page.locator("#stage .views"))
    halts = [page.locator("#stage .halt"), page.locator("#stop")]
    reached = [halt for halt in halts if in_sight(halt)]
    assert reached or height < 400
    (reached or halts)[0].click()
    expect(state(page)).to_have_text("Stopped")
    expect(halts[0]).to_be_hidden()


@pytest.mark.everywhere
def test_a_tap_on_a_label_leads_to_the_picture(page: Page) -> None:
    page.set_viewport_size(PHONE)
    generate(page).click()
    expect(state(page)).to_contain_text("Finished")
    label = page.locator("#stage button.chip").first
    label.scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 300)")
    label.click()
    expect(page.locator("#stage [data-role=legend]")).to_be_visible()
    page.wait_for_timeout(600)
    assert in_sight(page.locator("#stage .views"))


def test_a_ready_comparison_leads_to_its_pictures(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="3 steps against 25").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "done")
    page.wait_for_timeout(600)
    assert in_sight(page.locator(".compare canvas").first)


@pytest.mark.everywhere
def test_the_settings_are_folded_until_they_are_asked_for(page: Page) -> None:
    page.set_viewport_size(PHONE)
    expect(page.locator("#sampler")).to_be_hidden()
    page.locator("#fold").click()
    expect(page.locator("#sampler")).to_be_visible()
    page.locator("#fold").click()
    expect(page.locator("#sampler")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator("#sampler")).to_be_visible()
    expect(page.locator("#fold")).to_be_hidden()


@pytest.mark.everywhere
def test_the_controls_of_the_player_are_above_the_fold(page: Page) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    page.evaluate("scrollTo(0, 0)")
    assert in_sight(page.locator("#stage .transport")) and in_sight(page.locator("#stage .strip"))


@pytest.mark.everywhere
def test_pictures_have_the_shape_of_the_view_or_of_their_pixels(page: Page) -> None:
    def shapes() -> list[float]:
        return page.locator("#stage canvas:visible").evaluate_all(
            "(all) => all.map((e) => e.getBoundingClientRect()).map((b) => b.width / b.height)"
        )

    assert shapes() == pytest.approx([4 / 3] * len(shapes()), rel=0.03)
    page.get_by_role("button", name="Raw pixels").click()
    assert shapes() == pytest.approx([1] * len(shapes()), rel=0.03)
    page.reload()  # kept for the next visit
    expect(page.get_by_role("button", name="Raw pixels")).to_have_attribute("aria-pressed", "true")
    expect(state(page)).to_contain_text("example")
    assert shapes() == pytest.approx([1] * len(shapes()), rel=0.03)


@pytest.mark.everywhere
def test_the_switch_for_dark_is_kept_too(page: Page) -> None:
    def background() -> str:
        return page.evaluate("getComputedStyle(document.querySelector('#picker')).backgroundColor")

    light = background()
    page.get_by_role("button", name="Dark", exact=True).click()
    assert background() != light
    dark = background()
    page.reload()
    expect(state(page)).to_contain_text("example")
    assert background() == dark


@pytest.mark.everywhere
def test_a_random_scene_is_ticked_and_drawn(page: Page) -> None:
    seen = set()
    for _ in range(3):
        page.get_by_role("button", name="Random", exact=True).click()
        expect(state(page)).to_contain_text("Finished")
        ticked = page.locator(".shape-row input:checked").evaluate_all("(all) => all.map((box) => box.name)")
        assert 1 <= len(ticked) <= 5
        seen.add(tuple(ticked))
    assert len(seen) > 1


@pytest.mark.parametrize("width", [320, 344, 360])
@pytest.mark.everywhere
def test_all_tabs_are_there_on_a_narrow_phone(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    for name in ("Draw", "Compare", "Edit", "Explore"):
        expect(page.get_by_role("tab", name=name, exact=True)).to_be_visible()
