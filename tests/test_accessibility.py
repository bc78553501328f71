"""The page for everybody: contrast and names, the keyboard alone, narrow and wide screens, and nothing that jumps."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import STEPS, generate, state, tick, unfold
from playwright.sync_api import Browser, Locator, Page, expect

SEVERE = ("serious", "critical")
WIDTHS = (390, 768, 1920)

# Sum up how far things move by themselves: not what follows within half a second of a key or a click.
SHIFTS = """() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const { hadRecentInput, value, sources } of list.getEntries())
            if (!hadRecentInput) shifts.push([value, sources.map(({ node }) => node?.outerHTML?.slice(0, 80))]);
    }).observe({ type: "layout-shift" });
}"""


def look(page: Page, scheme: str, width: int) -> None:
    """Open the page anew in light or dark on a screen of this width; colors change at once."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    expect(state(page)).to_contain_text("example")
    page.add_style_tag(content="* { transition: none !important; animation: none !important; }")


def problems(page: Page, part: str) -> list[str]:
    """What axe finds severe in a part of the page, for each element."""
    found = Axe().run(page, part, {"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found
        if violation["impact"] in SEVERE
        for node in violation["nodes"]
    ]


def draw(page: Page) -> None:
    """Draw, and look where a label acts: all that the tab can show is on the page then."""
    tick(page, "red cube", "cyan sphere")
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    page.locator("#stage").get_by_role("button", name="red cube").click()
    expect(page.locator("#stage [data-role=legend]")).to_be_visible()


def compare(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="3 steps against 25").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "done")


def explore(page: Page, part: str) -> None:
    unfold(page)
    page.get_by_label("10", exact=True).check()  # few steps are enough here
    page.get_by_role("tab", name="Explore").click()
    page.get_by_role("tab", name=part).click()
    page.locator(f"#{part.lower()}-start").click()
    expect(page.locator(f".{part.lower()}")).to_have_attribute("data-state", "done")


def gallery(page: Page) -> None:
    explore(page, "Gallery")
    page.locator(".gallery .tiles button").nth(2).click()
    expect(page.locator(".gallery .picked")).to_contain_text("Seed 2")


def walk(page: Page) -> None:
    explore(page, "Walk")


def edit(page: Page) -> None:
    page.get_by_role("tab", name="Edit", exact=True).click()
    page.locator(".edit .objects button").first.click()
    page.get_by_role("button", name="Turn the red cube into a blue cube").click()
    expect(page.locator(".edit")).to_have_attribute("data-state", "done")
    page.locator(".edit .objects button").last.click()


def refuse(page: Page) -> None:
    """Ask for more objects than a scene holds, and for none at all in another tab."""
    for color in ("gray", "red", "blue", "green", "brown", "purple"):
        page.locator(f"input[name='{color} cylinder']").check()
    generate(page).click()
    expect(page.locator("#selection p")).to_have_class("over refused")
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-start").click()
    expect(page.locator(".compare")).to_have_attribute("data-state", "refused")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "width", "visits"),
    [
        ("light", 1280, (draw, compare)),
        ("light", 390, (gallery, walk)),
        ("dark", 1280, (draw, gallery)),
        ("dark", 390, (compare, edit)),
        ("light", 1280, (refuse,)),
    ],
    ids=["light", "light-phone", "dark", "dark-phone", "refused"],
)
@pytest.mark.everywhere
def test_nothing_keeps_anybody_out(page: Page, scheme: str, width: int, visits: tuple[Callable[[Page], None], ...]):
    look(page, scheme, width)
    for visit in visits:
        visit(page)
        part = "html" if visit is visits[0] else "#views"  # what lies around the tab stays as it was
        assert problems(page, part) == [], visit.__name__


@pytest.mark.everywhere
def test_a_box_is_called_by_what_it_stands_for(page: Page):
    picker, settings = page.locator("#picker"), page.locator("#settings")
    expect(picker.get_by_role("group", name="cubes").get_by_role("checkbox", name="red cube")).to_be_checked()
    expect(picker.get_by_role("checkbox", name="cyan cylinder", exact=True)).to_have_count(1)
    expect(settings.get_by_role("group", name="Sampler").get_by_role("radio", name="DDIM")).to_have_count(1)
    page.get_by_role("link", name="中文").click()
    expect(picker.get_by_role("group", name="立方體").get_by_role("checkbox", name="紅色立方體")).to_be_checked()
    expect(picker.get_by_role("checkbox", name="青色圓柱", exact=True)).to_have_attribute("title", "青色圓柱")


@pytest.mark.everywhere
def test_tabs_that_were_never_open_speak_the_language_too(page: Page):
    page.get_by_role("link", name="中文").click()
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_text(["繪製", "比較", "編輯", "探索"])
    tabs.nth(3).click()
    expect(tabs).to_have_text(["繪製", "比較", "編輯", "探索", "圖庫", "漫步"])
    page.get_by_role("link", name="English").click()
    expect(tabs).to_have_text(["Draw", "Compare", "Edit", "Explore", "Gallery", "Walk"])


# --- By keyboard ---


def tab_to(page: Page, goal: Locator) -> None:
    """Press Tab until the goal has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if goal.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {goal}")


@pytest.mark.everywhere
def test_a_run_needs_no_mouse(page: Page):
    tab_to(page, page.locator("#skip"))
    tab_to(page, page.get_by_role("checkbox", name="gray cube"))
    for key, name in (("ArrowRight", "red cube"), ("ArrowRight", "blue cube"), ("ArrowUp", "blue cylinder")):
        page.keyboard.press(key)
        expect(page.get_by_role("checkbox", name=name)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#selection")).to_contain_text("3 of 5 ticked")
    page.keyboard.press("Tab")  # the boxes are one stop
    expect(generate(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(state(page)).to_contain_text("Finished in")
    expect(page.locator("#stage [data-role=player]")).to_have_attribute("data-playing", "false")
    step = page.locator("#stage [data-role=step]")
    expect(step).to_have_text(f"{STEPS} / {STEPS}")
    tab_to(page, page.get_by_role("slider", name="Timeline"))
    for key, index in (("ArrowLeft", STEPS - 1), ("Home", 1), ("ArrowRight", 2), ("End", STEPS)):
        page.keyboard.press(key)
        expect(step).to_have_text(f"{index} / {STEPS}")


# --- What stays in place ---


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.everywhere
def test_no_tab_is_wider_than_the_screen(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    for name in ("Draw", "Compare", "Edit", "Explore", "Gallery", "Walk"):
        page.get_by_role("tab", name=name, exact=True).click()
        expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.everywhere
def test_nothing_jumps_while_the_page_comes(browser: Browser, address: str, width: int):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.add_init_script(f"({SHIFTS})()")
    page.goto(address)
    expect(state(page)).to_contain_text("example")
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < 0.05, shifts
    page.close()


@pytest.mark.everywhere
def test_a_tab_names_the_panel_that_it_shows(page: Page) -> None:
    for name in ("Compare", "Edit", "Explore", "Walk", "Draw"):
        tab = page.get_by_role("tab", name=name, exact=True)
        tab.click()
        expect(page.locator(f"#{tab.get_attribute('aria-controls')}")).to_be_visible()


@pytest.mark.parametrize("width", [360, 390, 768, 1000, 1100, 1200, 1280, 1920])
@pytest.mark.everywhere
def test_what_is_said_of_a_run_moves_nothing_below(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    said = {
        "Stopped": "stopped",
        "Denoising… about 1234 s left": "running",
        "Finished in 1234.5 s": "done",
        "Drawn live in 0.1 s. Generate shows the long way.": "done",
        "Waiting: 12 before you, about 345 s.": "waiting",
        "等待中：前面還有 12 個，約 345 秒。": "waiting",
    }
    places = page.evaluate(
        """(said) => Object.entries(said).map(([words, state]) => {
            const part = (name) => document.querySelector(`#stage [data-role=${name}]`);
            part("stage").dataset.state = state;
            part("state").textContent = words;
            ["1000 / 1000", "1000", "100 %", "−19.8"].forEach((number, i) => {
                part(["step", "t", "noise", "snr"][i]).textContent = number;
            });
            return document.querySelector("#stage h3").offsetTop;
        })""",
        said,
    )
    assert len(set(places)) == 1, dict(zip(said, places, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.everywhere
def test_nothing_jumps_during_a_run(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    unfold(page)
    page.get_by_label("100", exact=True).check()  # long enough that most of it is no answer to the click
    page.evaluate(SHIFTS)
    generate(page).click()
    expect(state(page)).to_contain_text("Finished in")
    expect(page.locator("#stage [data-role=player]")).to_have_attribute("data-playing", "false")
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < 0.05, shifts
